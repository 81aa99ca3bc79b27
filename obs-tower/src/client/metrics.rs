use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use obs_core::metric::{Counter, Descriptor, Histogram, Recorder, Unit};

use crate::exchange::milliseconds;

/// Calls that ended.
pub static CLIENT_REQUESTS: Descriptor =
    Descriptor::new("ClientRequests", Unit::Count, "Outgoing calls that ended");
/// Calls answered with a 4xx status.
pub static CLIENT_ERRORS: Descriptor =
    Descriptor::new("ClientErrors", Unit::Count, "Outgoing calls answered with a 4xx status");
/// Calls that failed or were answered with a 5xx status.
pub static CLIENT_FAULTS: Descriptor = Descriptor::new(
    "ClientFaults",
    Unit::Count,
    "Outgoing calls that failed or were answered with a 5xx status",
);
/// Time from the call to the end of its response.
pub static CLIENT_LATENCY: Descriptor = Descriptor::new(
    "ClientLatency",
    Unit::Milliseconds,
    "Time from an outgoing call to the end of its response",
);

/// Peers that are told apart by one layer; the rest share [`OTHER_PEER`].
const MAX_PEERS: usize = 100;
const OTHER_PEER: &str = "__other__";

/// The handles of each peer, asked for once.
#[derive(Debug, Default)]
pub(super) struct Metrics(RwLock<HashMap<Box<str>, Arc<Handles>>>);

#[derive(Debug)]
struct Handles {
    requests: Counter,
    errors: Counter,
    faults: Counter,
    latency: Histogram,
}

impl Metrics {
    pub(super) fn record(
        &self,
        recorder: &dyn Recorder,
        peer: &str,
        latency: Duration,
        error: bool,
        fault: bool,
    ) {
        let handles = self.handles(recorder, peer);
        handles.requests.add(1);
        handles.errors.add(error.into());
        handles.faults.add(fault.into());
        handles.latency.record(milliseconds(latency));
    }

    fn handles(&self, recorder: &dyn Recorder, peer: &str) -> Arc<Handles> {
        let known = |peers: &HashMap<_, _>, peer: &str| peers.get(peer).cloned();
        if let Some(handles) = known(&self.0.read().unwrap_or_else(PoisonError::into_inner), peer) {
            return handles;
        }
        let mut peers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let peer = if peers.len() < MAX_PEERS { peer } else { OTHER_PEER };
        if let Some(handles) = known(&peers, peer) {
            return handles;
        }
        let labels = [("Peer", peer)];
        let handles = Arc::new(Handles {
            requests: recorder.counter(&CLIENT_REQUESTS, &labels),
            errors: recorder.counter(&CLIENT_ERRORS, &labels),
            faults: recorder.counter(&CLIENT_FAULTS, &labels),
            latency: recorder.histogram(&CLIENT_LATENCY, &labels),
        });
        peers.insert(peer.into(), Arc::clone(&handles));
        handles
    }
}
