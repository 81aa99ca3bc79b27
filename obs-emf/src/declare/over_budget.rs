//! What a shape becomes when dimensions take more values than their budget.

use std::sync::Arc;

use super::Shape;
use super::compile::Parts;

/// What happens to a dimension whose value is above the budget.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_emf::cardinality::{Guard, Overflow};
///
/// let guard = Guard::new(1, Overflow::Demote, Clock::system())?;
/// assert_eq!(guard.admit("Placed", "Channel", "web"), None);
/// assert_eq!(guard.admit("Placed", "Channel", "app"), Some(Overflow::Demote));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// The value becomes `__other__`.
    #[default]
    Other,
    /// The dimension is left out of its sets. Its value stays a member of the event's line, and
    /// makes no series there.
    Demote,
    /// The dimension sets that have the dimension are left out. Where none is left the data points
    /// are lost, and counted as [`DropReason::SeriesBudget`](crate::DropReason::SeriesBudget).
    DropSet,
}

/// Whether a dimension that is in no set any more stays a member of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Members {
    /// It does: the line is about one event.
    Keep,
    /// It does not: the line is about many events, which had different values.
    Remove,
}

impl Shape {
    /// The shape without the dimensions `over`, as the policy says; they are counted among those
    /// whose values events give. `None` if the policy leaves no dimension set.
    ///
    /// The same shape for [`Overflow::Other`], which only changes values.
    pub(crate) fn over_budget(
        &self,
        overflow: Overflow,
        over: &[usize],
        members: Members,
    ) -> Option<Self> {
        let compiled = &*self.0;
        let given: Vec<usize> = (0..compiled.dimensions.len())
            .filter(|&index| compiled.dimensions[index].constant.is_none())
            .collect();
        let is_over = |index: &usize| {
            over.iter().any(|&place| given.get(place).is_some_and(|at| at == index))
        };
        let mut sets: Vec<Vec<usize>> = Vec::new();
        for set in &compiled.sets {
            let set: Vec<usize> = match overflow {
                Overflow::Other => set.clone(),
                Overflow::Demote => set.iter().copied().filter(|index| !is_over(index)).collect(),
                Overflow::DropSet if set.iter().any(is_over) => continue,
                Overflow::DropSet => set.clone(),
            };
            // Sets that differed in the dimension only are one now.
            if !sets.iter().any(|other| same_members(other, &set)) {
                sets.push(set);
            }
        }
        if sets.is_empty() {
            return None;
        }
        let mut parts = Parts { sets, ..compiled.parts() };
        if members == Members::Remove {
            parts.remove_unused();
        }
        Some(Self(Arc::new(parts.compile())))
    }

    /// Which of the dimensions whose values events give are in a set of `other`, a shape that
    /// [`over_budget`](Self::over_budget) made of this one.
    pub(crate) fn used_in(&self, other: &Self) -> Vec<bool> {
        let names: Vec<&str> = other.dimension_sets().flatten().collect();
        self.dimension_names().map(|name| names.contains(&name)).collect()
    }
}

impl Parts {
    /// Removes the dimensions that are in no set and whose values events give.
    fn remove_unused(&mut self) {
        let old = std::mem::take(&mut self.dimensions);
        let mut places = vec![None; old.len()];
        for (index, dimension) in old.into_iter().enumerate() {
            let is_used = self.sets.iter().flatten().any(|&used| used == index);
            if is_used || dimension.constant.is_some() {
                places[index] = Some(self.dimensions.len());
                self.dimensions.push(dimension);
            }
        }
        for index in self.sets.iter_mut().flatten() {
            if let Some(place) = places[*index] {
                *index = place;
            }
        }
    }
}

fn same_members(one: &[usize], other: &[usize]) -> bool {
    one.len() == other.len() && one.iter().all(|index| other.contains(index))
}
