use serde_json::Value;

use super::run::Run;

/// An event to be written.
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) previous_id: u64,
    pub(super) kind: String,
    pub(super) details: Value,
}

/// A step of an execution: what is changed, and what is to be written about it.
pub(super) struct Step<'a> {
    pub(super) run: &'a mut Run,
    pub(super) now_ms: u64,
    pub(super) events: Vec<Event>,
}

impl Step<'_> {
    /// Notes what happened in a branch.
    pub(super) fn note(&mut self, branch: u64, kind: impl Into<String>, details: Value) {
        let id = self.run.next_event;
        self.run.next_event += 1;
        let previous_id = self
            .run
            .branch(branch)
            .map_or(0, |branch| if id == 1 { 0 } else { std::mem::replace(&mut branch.event, id) });
        self.events.push(Event { id, previous_id, kind: kind.into(), details });
    }
}
