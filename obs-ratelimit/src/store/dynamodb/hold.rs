use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::read::read_number;
use super::write::{Written, number, written};
use super::{DynamoDbStore, TRIES};
use crate::store::{Grant, Hold, StoreError, StoreErrorKind};

/// Who holds places, and how often that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holders {
    version: u64,
    by_holder: HashMap<String, Held>,
}

/// So many places, until then, by this call of the holder's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
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
            let valid_for = u64::try_from(hold.valid_for.as_nanos()).unwrap_or(u64::MAX);
            let until = now.saturating_add(valid_for);
            by_holder.insert(name.to_owned(), Held { places, until, turn: hold.turn });
        }
        Some((Self { version: self.version + 1, by_holder }, added, free - added))
    }

    fn expires(&self) -> u64 {
        let latest = self.by_holder.values().map(|held| held.until).max().unwrap_or_default();
        latest / 1_000_000_000 + 3_600
    }
}

impl DynamoDbStore {
    /// Replaces what a holder holds. The whole of the holders is written if nobody wrote them since
    /// they were read, so a call that finds some takes two writes.
    pub(super) async fn hold_places(self, hold: Hold) -> Result<Grant, StoreError> {
        let now = self.now();
        let name = format!("{:016x}", hold.holder);
        let mut seen = Holders::default();
        for _ in 0..TRIES {
            let answer = |tokens, remaining| Grant {
                tokens,
                remaining,
                wait: std::time::Duration::ZERO,
                grants: 0,
                window: 0,
                valid_for: hold.valid_for,
            };
            let Some((after, added, left)) = seen.after(&hold, &name, now) else {
                return Ok(answer(0, 0));
            };
            match self.write_holders(&hold, seen.version, &after).await? {
                Ok(_) => return Ok(answer(added, left)),
                Err(holders) => seen = holders,
            }
        }
        Err(StoreError::new(StoreErrorKind::Throttled))
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
            .update_expression("SET h = :holders, v = :version, x = :ttl")
            .expression_attribute_values(":holders", AttributeValue::M(holders.collect()))
            .expression_attribute_values(":version", number(after.version))
            .expression_attribute_values(":ttl", number(after.expires()));
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
