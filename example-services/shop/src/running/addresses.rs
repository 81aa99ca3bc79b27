use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use http::uri::Authority;
use tokio::net::TcpListener;

use super::{Plan, StartError};
use crate::name::Name;
use crate::settings::Settings;

/// Where each service listens, whether it is started here or not.
///
/// All sockets are bound before any service starts: a caller that is early waits in the queue of
/// the socket instead of being refused.
#[derive(Debug)]
pub(super) struct Addresses {
    known: BTreeMap<Name, Authority>,
    listeners: Mutex<BTreeMap<Name, TcpListener>>,
}

impl Addresses {
    pub(super) async fn bind(plan: &Plan, settings: &Settings) -> Result<Self, StartError> {
        let mut known = BTreeMap::new();
        let mut listeners = BTreeMap::new();
        for name in Name::ALL {
            let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.ports.port(name)));
            if plan.services.contains(&name) {
                let failed = StartError::bind(name, address);
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                address = listener.local_addr().map_err(StartError::bind(name, address))?;
                listeners.insert(name, listener);
            } else if let Some(authority) = settings.elsewhere(name)? {
                known.insert(name, authority);
                continue;
            }
            let authority = address.to_string().parse().map_err(StartError::service(name))?;
            known.insert(name, authority);
        }
        Ok(Self { known, listeners: Mutex::new(listeners) })
    }

    /// The services that are started here: those that are called before those that call.
    pub(super) fn to_start(&self) -> Vec<Name> {
        let mut names: Vec<_> = self.lock().keys().copied().collect();
        names.sort_by_key(|name| Name::DRAIN_ORDER.iter().rev().position(|other| other == name));
        names
    }

    /// The socket of a service that is started here; only once.
    pub(super) fn take(&self, name: Name) -> Result<TcpListener, StartError> {
        let taken = self.lock().remove(&name);
        taken.ok_or_else(|| StartError::service(name)("it has no socket"))
    }

    pub(super) fn of(&self, name: Name) -> Result<Authority, StartError> {
        let known = self.known.get(&name).cloned();
        known.ok_or_else(|| StartError::service(name)("it has no address"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, TcpListener>> {
        self.listeners.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
