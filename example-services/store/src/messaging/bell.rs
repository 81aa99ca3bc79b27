use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::others::Others;

/// Wakes those who wait for something in a queue or stream.
///
/// Others who have the same file open, in this process or another one, are told through a socket
/// in a folder beside the file. Where there can be none, because the path is longer than a
/// socket's may be (107 bytes on Linux), others learn of it when they look again by themselves.
pub struct Bells {
    bells: Arc<BTreeMap<String, watch::Sender<u64>>>,
    others: Option<Others>,
}

impl Bells {
    /// Bells with these names, for those who have the file at `path` open.
    pub fn open(path: &Path, names: impl Iterator<Item = String>) -> Self {
        let bells: BTreeMap<_, _> = names.map(|name| (name, watch::Sender::new(0))).collect();
        let bells = Arc::new(bells);
        let all = Arc::clone(&bells);
        let others = Others::join(path, move || all.values().for_each(ring_one));
        Self { bells, others }
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self, name: &str) -> Listener {
        Listener(self.bells.get(name).map(watch::Sender::subscribe))
    }

    /// Wakes who waits for `name`, here, and all others who wait for anything.
    pub fn ring(&self, name: &str) {
        self.ring_all(std::slice::from_ref(&name));
    }

    /// Wakes who waits for one of `names`, as [`Bells::ring`].
    pub fn ring_all(&self, names: &[impl AsRef<str>]) {
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
#[derive(Debug)]
pub struct Listener(Option<watch::Receiver<u64>>);

impl Listener {
    /// Completes when the bell has rung since the listener was made or this last completed.
    /// Cancel-safe.
    pub async fn rings(&mut self) {
        let rung = match &mut self.0 {
            Some(bell) => bell.changed().await.is_ok(),
            None => false,
        };
        if !rung {
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for Bells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bells").field("names", &self.bells.keys()).finish_non_exhaustive()
    }
}
