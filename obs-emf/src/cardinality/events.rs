//! Events of one shape, held to a budget.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::{Guard, Overflow};
use crate::declare::{Members, Shape};

/// So many variants of a shape are kept; further ones are made anew each time.
const MOST_VARIANTS: usize = 64;

/// A guard, and what becomes of a shape when dimensions are over the budget.
#[derive(Debug)]
pub(crate) struct EventBudget {
    guard: Guard,
    variants: RwLock<Variants>,
}

/// By the dimensions that are over the budget; `None` where that leaves no dimension set.
type Variants = HashMap<(Members, Vec<usize>), Option<Shape>>;

impl EventBudget {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard, variants: RwLock::default() }
    }

    pub(crate) const fn overflow(&self) -> Overflow {
        self.guard.overflow()
    }

    /// Which of an event's dimensions are over the budget. All metrics of a shape have the same
    /// values, so that the first of them stands for all.
    pub(crate) fn over(&self, shape: &Shape, dimensions: &[&str]) -> Vec<usize> {
        let metric = shape.metrics().first().map_or("", |metric| metric.name());
        let refused = |(place, (name, value)): (usize, (&str, &&str))| {
            self.guard.admit(metric, name, value).map(|_| place)
        };
        shape.dimension_names().zip(dimensions).enumerate().filter_map(refused).collect()
    }

    /// Notes the values of a series that got data.
    pub(crate) fn keep(&self, shape: &Shape, dimension: &str, value: &str) {
        let metric = shape.metrics().first().map_or("", |metric| metric.name());
        self.guard.keep(metric, dimension, value);
    }

    /// The shape without the dimensions `over`; `None` if the policy leaves no dimension set.
    pub(crate) fn variant(&self, shape: &Shape, over: &[usize], members: Members) -> Option<Shape> {
        let key = (members, over.to_vec());
        let variants = self.variants.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(variant) = variants.get(&key) {
            return variant.clone();
        }
        drop(variants);
        let variant = shape.over_budget(self.overflow(), over, members);
        let mut variants = self.variants.write().unwrap_or_else(PoisonError::into_inner);
        if variants.len() < MOST_VARIANTS {
            variants.insert(key, variant.clone());
        }
        variant
    }
}
