use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use shop_domain::port::StoreError;
use tokio::sync::watch;

use super::others::Others;

/// Wakes those who wait for something in a queue or stream.
///
/// Others who have the same file open, in this process or another one, are told through a socket;
/// see [`Others`].
pub(super) struct Bells {
    bells: Arc<BTreeMap<String, watch::Sender<u64>>>,
    others: Option<Others>,
}

impl Bells {
    /// Bells with these names, for those who have the file at `path` open.
    pub(super) fn open(
        path: &Path,
        names: impl Iterator<Item = String>,
    ) -> Result<Self, StoreError> {
        let bells: BTreeMap<_, _> = names.map(|name| (name, watch::Sender::new(0))).collect();
        let bells = Arc::new(bells);
        let all = Arc::clone(&bells);
        let others = Others::join(path, move || all.values().for_each(ring_one));
        Ok(Self { bells, others })
    }

    /// Listens from now on.
    pub(super) fn listen(&self, name: &str) -> Listener {
        Listener(self.bells.get(name).map(watch::Sender::subscribe))
    }

    pub(super) fn ring(&self, name: &str) {
        self.ring_all(std::slice::from_ref(&name));
    }

    pub(super) fn ring_all(&self, names: &[impl AsRef<str>]) {
        names.iter().filter_map(|name| self.bells.get(name.as_ref())).for_each(ring_one);
        if let Some(others) = self.others.as_ref().filter(|_| !names.is_empty()) {
            others.tell();
        }
    }
}

fn ring_one(bell: &watch::Sender<u64>) {
    bell.send_modify(|rings| *rings = rings.wrapping_add(1));
}

/// Hears one bell.
pub(super) struct Listener(Option<watch::Receiver<u64>>);

impl Listener {
    /// Completes when the bell has rung since the listener was made or this last completed.
    pub(super) async fn rings(&mut self) {
        let rung = match &mut self.0 {
            Some(bell) => bell.changed().await.is_ok(),
            None => false,
        };
        if !rung {
            std::future::pending::<()>().await;
        }
    }
}
