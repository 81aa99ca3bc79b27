use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::read::read_number;
use super::write::{Written, number, written};
use super::{DynamoDbStore, TRIES};
use crate::store::{Grant, Hold, StoreError, StoreErrorKind};

/// Who holds places, and how often that was written.
///
/// An item has the holders as `h` and the count of writes as `v`, and of the holders the sum of
/// their places as `s` and as `e` a time before which none of them lets go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holders {
    version: u64,
    by_holder: HashMap<String, Held>,
}

/// So many places, until then, by this call of the holder's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    places: u64,
    until: u64,
    turn: u64,
}

impl Held {
    fn read(value: &AttributeValue) -> Option<Self> {
        let AttributeValue::S(text) = value else { return None };
        let mut numbers = text.split(' ').map(str::parse);
        let held = Self {
            places: numbers.next()?.ok()?,
            until: numbers.next()?.ok()?,
            turn: numbers.next()?.ok()?,
        };
        numbers.next().is_none().then_some(held)
    }

    fn write(self) -> AttributeValue {
        AttributeValue::S(format!("{} {} {}", self.places, self.until, self.turn))
    }
}

impl Holders {
    fn read(item: Option<&HashMap<String, AttributeValue>>) -> Result<Self, StoreError> {
        let garbled = || StoreError::new(StoreErrorKind::Garbled);
        let Some(item) = item else { return Ok(Self::default()) };
        let version = read_number(item, "v")?;
        let by_holder = match item.get("h") {
            None => HashMap::new(),
            Some(AttributeValue::M(holders)) => holders
                .iter()
                .map(|(holder, held)| Some((holder.clone(), Held::read(held)?)))
                .collect::<Option<_>>()
                .ok_or_else(garbled)?,
            Some(_) => return Err(garbled()),
        };
        Ok(Self { version, by_holder })
    }

    /// The holders after this call at `now`, and what it got and left; `None` if it was overtaken.
    fn after(&self, hold: &Hold, name: &str, now: u64) -> Option<(Self, u64, u64)> {
        let mut by_holder = self.by_holder.clone();
        by_holder.retain(|_, held| held.until > now);
        if by_holder.remove(name).is_some_and(|held| held.turn >= hold.turn) {
            return None;
        }
        let others = by_holder.values().fold(0, |sum: u64, held| sum.saturating_add(held.places));
        let free = hold.limit.saturating_sub(others.saturating_add(hold.keep));
        let added = hold.want.min(free);
        let added = if added < hold.least { 0 } else { added };
        let places = hold.keep.saturating_add(added);
        if places > 0 {
            let held = Held { places, until: until(hold, now), turn: hold.turn };
            by_holder.insert(name.to_owned(), held);
        }
        Some((Self { version: self.version + 1, by_holder }, added, free - added))
    }

    fn places(&self) -> u64 {
        self.by_holder.values().fold(0, |sum, held| sum.saturating_add(held.places))
    }

    /// When the first of them lets go, unless it renews.
    fn earliest(&self) -> u64 {
        self.by_holder.values().map(|held| held.until).min().unwrap_or_default()
    }

    fn latest(&self) -> u64 {
        self.by_holder.values().map(|held| held.until).max().unwrap_or_default()
    }
}

/// Seconds after which an item may be cleaned up whose last holder lets go at `until`: an hour
/// later, which is the longest that places are held.
const fn expires(until: u64) -> u64 {
    until / 1_000_000_000 + 3_600
}

fn until(hold: &Hold, now: u64) -> u64 {
    now.saturating_add(u64::try_from(hold.valid_for.as_nanos()).unwrap_or(u64::MAX))
}

impl DynamoDbStore {
    /// Replaces what a holder holds: by one write of its own entry where that is as the holder left
    /// it and no entry has run out, else by writing the whole of the holders anew if nobody wrote
    /// them since they were read.
    pub(super) async fn hold_places(self, hold: Hold) -> Result<Grant, StoreError> {
        let now = self.now();
        let name = format!("{:016x}", hold.holder);
        let answer = |tokens, remaining| Grant {
            tokens,
            remaining,
            wait: std::time::Duration::ZERO,
            grants: 0,
            window: 0,
            valid_for: hold.valid_for,
        };
        let own = self.held.get(hold.key).filter(|(holder, _)| *holder == hold.holder);
        let mut seen = Holders::default();
        if let Some((_, own)) = own
            && let Some(written) = self.write_own(&hold, &name, own, now).await?
        {
            match written {
                Ok(holders) => {
                    return Ok(answer(hold.want, hold.limit.saturating_sub(holders.places())));
                }
                Err(holders) => seen = holders,
            }
        }
        for _ in 0..TRIES {
            let Some((after, added, left)) = seen.after(&hold, &name, now) else {
                return Ok(answer(0, 0));
            };
            match self.write_holders(&hold, seen.version, &after).await? {
                Ok(_) => {
                    if let Some(held) = after.by_holder.get(&name) {
                        self.held.set(hold.key, (hold.holder, *held));
                    }
                    return Ok(answer(added, left));
                }
                Err(holders) => seen = holders,
            }
        }
        Err(StoreError::new(StoreErrorKind::Throttled))
    }

    /// Writes a holder's own entry over `own`, with all that it wants; `None` where that cannot be
    /// said as a condition.
    async fn write_own(
        &self,
        hold: &Hold,
        name: &str,
        own: Held,
        now: u64,
    ) -> Result<Option<Written<Holders>>, StoreError> {
        let places = hold.keep.saturating_add(hold.want);
        let most = hold.limit.saturating_add(own.places).checked_sub(places);
        let (Some(most), true) = (most, places > 0 && hold.turn > own.turn) else {
            return Ok(None);
        };
        let held = Held { places, until: until(hold, now), turn: hold.turn };
        // A value of an update has one operator at most.
        let (sum, by) = match places.checked_sub(own.places) {
            Some(more) => ("s + :by", more),
            None => ("s - :by", own.places - places),
        };
        // No entry has run out before `e`, so `s` is what is held.
        let own_is_there = "h.#own = :own AND e > :now AND e <= :until";
        let call = self
            .update(hold.key)
            .update_expression(format!("SET h.#own = :held, s = {sum}, x = :ttl ADD v :one"))
            .expression_attribute_names("#own", name)
            .expression_attribute_values(":own", own.write())
            .expression_attribute_values(":held", held.write())
            .expression_attribute_values(":by", number(by))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":until", number(held.until))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":ttl", number(expires(held.until)));
        let call = match hold.want {
            0 => call.condition_expression(own_is_there),
            _ => call
                .condition_expression(format!("{own_is_there} AND s <= :most"))
                .expression_attribute_values(":most", number(most)),
        };
        let written = written(call.send().await, Holders::read)?;
        if written.is_ok() {
            self.held.set(hold.key, (hold.holder, held));
        }
        Ok(Some(written))
    }

    async fn write_holders(
        &self,
        hold: &Hold,
        version: u64,
        after: &Holders,
    ) -> Result<Written<Holders>, StoreError> {
        let holders = after.by_holder.iter().map(|(holder, held)| (holder.clone(), held.write()));
        let call = self
            .update(hold.key)
            .update_expression(
                "SET h = :holders, s = :places, e = :earliest, v = :version, x = :ttl",
            )
            .expression_attribute_values(":holders", AttributeValue::M(holders.collect()))
            .expression_attribute_values(":places", number(after.places()))
            .expression_attribute_values(":earliest", number(after.earliest()))
            .expression_attribute_values(":version", number(after.version))
            .expression_attribute_values(":ttl", number(expires(after.latest())));
        let call = match version {
            0 => call.condition_expression("attribute_not_exists(v)"),
            _ => call
                .condition_expression("v = :seen")
                .expression_attribute_values(":seen", number(version)),
        };
        written(call.send().await, Holders::read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rl_33_holders_that_make_no_sense_are_an_error_and_no_free_places() {
        assert_eq!(Holders::read(None).unwrap(), Holders::default());
        let item = |held: AttributeValue| {
            let holders = HashMap::from([("1".to_owned(), held)]);
            HashMap::from([("h".to_owned(), AttributeValue::M(holders))])
        };
        for text in ["", "1", "1 2", "1 2 x", "1 2 3 4", "-1 2 3"] {
            let error = Holders::read(Some(&item(AttributeValue::S(text.to_owned())))).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Garbled, "{text:?}");
        }
        let held = Held { places: 1, until: 2, turn: 3 };
        assert_eq!(Held::read(&held.write()), Some(held));
    }
}
