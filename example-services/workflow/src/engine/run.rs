//! What an execution is at a moment: its branches and where each stands.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::{Machine, State};
use crate::error::StateError;

/// The state of an execution, kept as one document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) branches: Vec<Branch>,
    pub(super) next_branch: u64,
    pub(super) next_event: u64,
    /// When the whole execution has taken too long.
    pub(super) deadline_ms: Option<u64>,
    pub(super) end: Option<End>,
}

/// How an execution ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum End {
    Succeeded(Value),
    Failed(StateError),
    /// The whole of it took too long.
    TimedOut(StateError),
}

/// One line of control: the execution itself, or a branch of a `Parallel` state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Branch {
    pub(super) id: u64,
    /// The branch whose `Parallel` state this one belongs to, and the place in it.
    pub(super) parent: Option<(u64, usize)>,
    /// Where its states are: names of `Parallel` states and places in them, from the outside in.
    pub(super) place: Vec<(String, usize)>,
    /// The state it is in.
    pub(super) state: String,
    /// What came into the state.
    pub(super) input: Value,
    pub(super) phase: Phase,
    /// How often each `Retry` of the state was used.
    pub(super) retries: Vec<u32>,
    /// The latest event of this branch.
    pub(super) event: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// The state is about to be entered.
    Next,
    /// The state is about to be tried, for the first time or again.
    Try,
    /// Until then nothing happens.
    Wait { until_ms: u64 },
    /// Until then a failed state is not tried again.
    BackOff { until_ms: u64 },
    /// A task is being done.
    Task(Task),
    /// Its branches are under way.
    Join { results: Vec<Option<Value>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) resource: String,
    pub(super) parameters: Value,
    /// Who does it need not be told again.
    pub(super) submitted: bool,
    pub(super) token: Option<String>,
    pub(super) deadline_ms: Option<u64>,
    pub(super) heartbeat_ms: Option<u64>,
}

impl Run {
    pub(super) fn new(machine: &Machine, input: Value, now_ms: u64) -> Self {
        let branch = Branch {
            id: 0,
            parent: None,
            place: Vec::new(),
            state: machine.start_at.clone(),
            input,
            phase: Phase::Next,
            retries: Vec::new(),
            event: 1,
        };
        let deadline_ms = machine.timeout_seconds.map(|seconds| after(now_ms, seconds));
        Self { branches: vec![branch], next_branch: 1, next_event: 1, deadline_ms, end: None }
    }

    pub(super) fn branch(&mut self, id: u64) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|branch| branch.id == id)
    }

    /// Removes the branches of a `Parallel` state, and theirs.
    pub(super) fn prune(&mut self, parent: u64) {
        let children: Vec<_> = self
            .branches
            .iter()
            .filter(|branch| branch.parent.is_some_and(|(id, _)| id == parent))
            .map(|branch| branch.id)
            .collect();
        for child in children {
            self.prune(child);
            self.branches.retain(|branch| branch.id != child);
        }
    }

    /// When something is due by itself.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let dues = self.branches.iter().filter_map(|branch| match &branch.phase {
            Phase::Wait { until_ms } | Phase::BackOff { until_ms } => Some(*until_ms),
            Phase::Task(task) => task.due_ms(),
            Phase::Next | Phase::Try | Phase::Join { .. } => None,
        });
        dues.chain(self.deadline_ms).min()
    }
}

impl Branch {
    /// The machine this branch runs.
    pub(super) fn machine<'a>(&self, machine: &'a Machine) -> Option<&'a Machine> {
        self.place.iter().try_fold(machine, |machine, (state, index)| {
            machine.states.get(state)?.branches.get(*index)
        })
    }

    pub(super) fn definition<'a>(&self, machine: &'a Machine) -> Option<&'a State> {
        self.machine(machine)?.states.get(&self.state)
    }

    pub(super) fn goes_to(&mut self, state: &str, input: Value) {
        state.clone_into(&mut self.state);
        self.input = input;
        self.retries.clear();
        self.phase = Phase::Next;
    }
}

impl Task {
    fn due_ms(&self) -> Option<u64> {
        [self.deadline_ms, self.heartbeat_ms].into_iter().flatten().min()
    }
}

pub(super) fn after(now_ms: u64, seconds: u64) -> u64 {
    now_ms.saturating_add(seconds.saturating_mul(1_000))
}
