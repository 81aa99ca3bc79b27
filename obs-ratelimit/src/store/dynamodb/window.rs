use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use super::read::read_number;
use super::write::{Written, number, written};
use super::{DynamoDbStore, TRIES};
use crate::local::{Cell, Wait, WindowCell};
use crate::quota::WindowPlan;
use crate::store::{GiveBack, Grant, StoreError, StoreErrorKind, StoreKey, Take};

/// What an item holds of a window: when it began, what is used of it, what was used of the one
/// before, and how many takes got tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeptWindow {
    start: u64,
    used: u64,
    previous: u64,
    grants: u64,
    exists: bool,
}

const NOTHING: KeptWindow = KeptWindow { start: 0, used: 0, previous: 0, grants: 0, exists: false };

impl KeptWindow {
    fn read(item: Option<&HashMap<String, AttributeValue>>) -> Result<Self, StoreError> {
        let Some(item) = item else { return Ok(Self::default()) };
        Ok(Self {
            start: read_number(item, "w")?,
            used: read_number(item, "u")?,
            previous: read_number(item, "p")?,
            grants: read_number(item, "k")?,
            exists: item.contains_key("w"),
        })
    }

    /// As a cell at `now`, which is in this window or a later one.
    fn cell(&self, plan: &WindowPlan, now: u64) -> WindowCell {
        let cell = match self.exists {
            true => WindowCell::kept(plan, self.start, self.used, self.previous),
            false => WindowCell::default(),
        };
        cell.rolled(plan, now)
    }
}

impl DynamoDbStore {
    /// Takes tokens out of a window: `w` is its start, `u` what is used of it, `p` what was used of
    /// the one before, which does not change while the window runs.
    pub(super) async fn take_from_window(
        &self,
        take: Take,
        plan: &WindowPlan,
    ) -> Result<Grant, StoreError> {
        let started = self.now();
        let least = take.least.max(1);
        let mut kept = self.guess(take.key, plan, started);
        let mut is_guess = true;
        if take.want == 0 {
            kept = KeptWindow::read(self.item(take.key).await?.as_ref())?;
            is_guess = false;
        }
        for _ in 0..TRIES {
            // A clock behind the others' does not open an old window again.
            let now = started.max(kept.start);
            let before = kept.cell(plan, now);
            let mut after = before;
            if take.debit > 0 {
                after.debit(plan, now, take.debit.min(plan.limit));
            }
            let there = after.standing(plan, now).remaining;
            let tokens = take.want.min(there);
            let refused = tokens < least;
            if refused && is_guess && kept.used > 0 {
                // Somebody may have given tokens back since.
                kept.used = 0;
                continue;
            }
            if refused && take.debit == 0 {
                return Ok(refusal(plan, &after, now, least, kept.grants));
            }
            let tokens = if refused { 0 } else { tokens };
            after.debit(plan, now, tokens);
            let written = if kept.exists && before.start() == kept.start {
                self.write_window(take.key, plan, (&before, &after), now, tokens > 0).await?
            } else {
                self.write_new_window(take.key, plan, &kept, &after, tokens > 0).await?
            };
            let (Ok(seen) | Err(seen)) = written;
            self.windows.set(take.key, seen);
            match written {
                Ok(seen) if refused => {
                    let cell = seen.cell(plan, now);
                    return Ok(refusal(plan, &cell, now, least, seen.grants));
                }
                Ok(seen) => {
                    let remaining = seen.cell(plan, now).standing(plan, now).remaining;
                    let (window, end) = plan.bounds(now);
                    let valid_for = Duration::from_nanos(end - now);
                    let (wait, grants) = (Duration::ZERO, seen.grants);
                    return Ok(Grant { tokens, remaining, wait, grants, window, valid_for });
                }
                // A guess that nobody wrote is an item that is not there.
                Err(seen) if is_guess || seen != kept => (kept, is_guess) = (seen, false),
                Err(_) => break,
            }
        }
        Err(StoreError::new(StoreErrorKind::Throttled))
    }

    /// What the item is taken to be before it is read: as it was last seen, if its window still
    /// runs; else of the running window and hardly used.
    fn guess(&self, key: StoreKey, plan: &WindowPlan, now: u64) -> KeptWindow {
        let start = plan.bounds(now).0;
        let seen = self.windows.get(key).filter(|seen| seen.exists && seen.start >= start);
        seen.unwrap_or(KeptWindow { start, exists: true, ..NOTHING })
    }

    /// Adds to the window that runs, as long as what it had before leaves room.
    async fn write_window(
        &self,
        key: StoreKey,
        plan: &WindowPlan,
        (before, after): (&WindowCell, &WindowCell),
        now: u64,
        grants: bool,
    ) -> Result<Written<KeptWindow>, StoreError> {
        let added = after.used() - before.used();
        // What is used may have grown since it was read, by others, up to where this still fits.
        let room = after.standing(plan, now).remaining;
        let call = self
            .update(key)
            .update_expression("SET u = u + :added, x = :ttl ADD k :grants")
            .condition_expression("w = :start AND p = :previous AND u <= :most")
            .expression_attribute_values(":added", number(added))
            .expression_attribute_values(":start", number(before.start()))
            .expression_attribute_values(":previous", number(before.previous()))
            .expression_attribute_values(":most", number(before.used() + room))
            .expression_attribute_values(":grants", number(grants.into()))
            .expression_attribute_values(":ttl", number(expires(plan, after)));
        written(call.send().await, KeptWindow::read)
    }

    /// Begins a window, if the one that was read is still there.
    async fn write_new_window(
        &self,
        key: StoreKey,
        plan: &WindowPlan,
        kept: &KeptWindow,
        after: &WindowCell,
        grants: bool,
    ) -> Result<Written<KeptWindow>, StoreError> {
        let call = self
            .update(key)
            .update_expression("SET w = :start, u = :used, p = :previous, x = :ttl ADD k :grants")
            .expression_attribute_values(":start", number(after.start()))
            .expression_attribute_values(":used", number(after.used()))
            .expression_attribute_values(":previous", number(after.previous()))
            .expression_attribute_values(":grants", number(grants.into()))
            .expression_attribute_values(":ttl", number(expires(plan, after)));
        let call = if !kept.exists {
            call.condition_expression("attribute_not_exists(w)")
        } else {
            // What was used of it is what the next one carries.
            call.condition_expression("w = :old AND u = :used_before")
                .expression_attribute_values(":old", number(kept.start))
                .expression_attribute_values(":used_before", number(kept.used))
        };
        written(call.send().await, KeptWindow::read)
    }

    pub(super) async fn put_back_into_window(&self, back: GiveBack) -> Result<(), StoreError> {
        let call = self
            .update(back.key)
            .update_expression("SET u = u - :tokens")
            .condition_expression("w = :window AND u >= :tokens")
            .expression_attribute_values(":tokens", number(back.tokens))
            .expression_attribute_values(":window", number(back.window));
        written(call.send().await, KeptWindow::read).map(drop)
    }
}

fn refusal(plan: &WindowPlan, cell: &WindowCell, now: u64, least: u64, grants: u64) -> Grant {
    let remaining = cell.standing(plan, now).remaining;
    let mut tried = *cell;
    let wait = match tried.spend(plan, now, least) {
        Err(Wait::Nanos(wait)) => Duration::from_nanos(wait),
        Err(_) => Duration::MAX,
        Ok(_) => Duration::ZERO,
    };
    let (window, end) = plan.bounds(now);
    Grant { tokens: 0, remaining, wait, grants, window, valid_for: Duration::from_nanos(end - now) }
}

/// Seconds after which the item may be cleaned up: an hour after it could matter.
fn expires(plan: &WindowPlan, cell: &WindowCell) -> u64 {
    let (start, end) = plan.bounds(cell.start());
    end.saturating_add(end - start) / 1_000_000_000 + 3_600
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{CalendarUnit, Plan, Quota};

    #[test]
    fn rl_34_a_window_is_never_cleaned_up_while_it_counts() {
        let quota = Quota::calendar(10, CalendarUnit::Month);
        let Plan::Window(plan) = quota.plan().unwrap() else { unreachable!("a window") };
        let now = 1_767_225_600_000_000_000;
        let cell = KeptWindow::default().cell(&plan, now);
        assert!(expires(&plan, &cell) >= 1_767_225_600 + 31 * 86_400);
    }

    #[test]
    fn rl_33_only_an_item_that_is_not_there_is_an_unused_window() {
        assert_eq!(KeptWindow::read(None).unwrap(), KeptWindow::default());
        let item = HashMap::from([("u".to_owned(), AttributeValue::N("many".to_owned()))]);
        let error = KeptWindow::read(Some(&item)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Garbled);
    }
}
