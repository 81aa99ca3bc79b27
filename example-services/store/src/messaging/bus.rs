use std::fmt;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};
use shop_contracts::topology::BusSpec;
use shop_domain::port::messaging::{
    Archived, EventBus, MAX_EVENTS, MAX_MESSAGE_BYTES, MessagingError, MessagingFuture, NewEvent,
    Put, Replay, Verdict,
};
use shop_domain::port::millis;

use super::Shared;
use super::delivery::Delivery;
use super::row::document;
use crate::sqlite::column::count;

/// Every so many events, those that are too old are looked for.
const SWEEP_EVERY: u64 = 256;

/// A bus on SQLite; cheap to clone.
#[derive(Clone)]
pub struct SqliteBus {
    shared: Arc<Shared>,
}

impl SqliteBus {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn spec(&self) -> &BusSpec {
        &self.shared.topology.bus
    }

    /// What each rule says of an event that is on no bus, in the form that targets get it.
    #[must_use]
    pub fn test(&self, event: &Value) -> Vec<Verdict> {
        let verdict = |rule: &shop_contracts::topology::RuleSpec| {
            let because = rule.pattern.mismatch(event);
            let matched = because.is_none();
            let targets = rule.targets.iter().filter(|_| matched).map(ToString::to_string);
            Verdict { rule: rule.name.clone(), matched, because, targets: targets.collect() }
        };
        self.spec().rules.iter().map(verdict).collect()
    }

    async fn put(&self, events: &[NewEvent]) -> Result<Vec<Put>, MessagingError> {
        if events.is_empty() || events.len() > MAX_EVENTS {
            let rule = format!("1 to {MAX_EVENTS} events can be put");
            return Err(MessagingError::invalid("bus.put", rule));
        }
        let (bus, events, ringing) = (self.clone(), events.to_vec(), Arc::clone(&self.shared));
        let put = move |db: &Connection| {
            let (topology, now_ms) = (&bus.shared.topology, bus.shared.now_ms());
            let mut delivery = Delivery { db, topology, now_ms, reached: Vec::new() };
            let puts = events.iter().map(|event| match refusal(event) {
                Some(refusal) => Ok(Put::Refused(refusal)),
                None => bus.put_one(event, &mut delivery),
            });
            Ok((puts.collect::<rusqlite::Result<Vec<_>>>()?, delivery.reached))
        };
        let ring = move |(_, reached): &(Vec<Put>, Vec<String>)| ringing.bells.ring_all(reached);
        let (puts, _) = self.shared.database.write_then("bus.put", put, ring).await?;
        Ok(puts)
    }

    fn put_one(&self, event: &NewEvent, delivery: &mut Delivery<'_>) -> rusqlite::Result<Put> {
        let sequence = self.archive(event, delivery)?;
        let envelope = envelope(delivery.db, sequence, event)?;
        let verdicts = self.test(&envelope);
        self.deliver(&envelope, event, &verdicts, None, delivery)?;
        Ok(Put::Accepted { event_id: event_id(sequence), verdicts })
    }

    fn archive(&self, event: &NewEvent, delivery: &Delivery<'_>) -> rusqlite::Result<u64> {
        let text = serde_json::to_string(event)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let now_ms = delivery.now_ms;
        delivery
            .db
            .prepare_cached("INSERT INTO events (time_ms, put_at_ms, event) VALUES (?, ?, ?)")?
            .execute(params![event.time_ms.cast_signed(), now_ms.cast_signed(), text])?;
        let sequence = delivery.db.last_insert_rowid().cast_unsigned();
        if sequence.is_multiple_of(SWEEP_EVERY) {
            let oldest = now_ms.saturating_sub(millis(self.spec().archive));
            delivery
                .db
                .prepare_cached("DELETE FROM events WHERE put_at_ms < ?")?
                .execute([oldest.cast_signed()])?;
        }
        Ok(sequence)
    }

    /// Hands an event to the targets of all rules that match, or of one of them.
    fn deliver(
        &self,
        envelope: &Value,
        event: &NewEvent,
        verdicts: &[Verdict],
        only: Option<&str>,
        delivery: &mut Delivery<'_>,
    ) -> rusqlite::Result<()> {
        for (rule, verdict) in self.spec().rules.iter().zip(verdicts) {
            if !verdict.matched || only.is_some_and(|only| only != rule.name) {
                continue;
            }
            for target in &rule.targets {
                delivery.target(rule, target, envelope, event.trace_header.as_deref())?;
            }
        }
        Ok(())
    }

    async fn archived(&self, from_ms: u64, limit: usize) -> Result<Vec<Archived>, MessagingError> {
        let read = move |db: &Connection| {
            db.prepare_cached(
                "SELECT sequence, event FROM events WHERE time_ms >= ?
                 ORDER BY time_ms, sequence LIMIT ?",
            )?
            .query_map(params![from_ms.cast_signed(), limit as i64], archived)?
            .collect()
        };
        Ok(self.shared.database.read("bus.archived", read).await?)
    }

    async fn replay(&self, replay: &Replay) -> Result<usize, MessagingError> {
        let rules = &self.spec().rules;
        if let Some(only) = &replay.rule
            && !rules.iter().any(|rule| rule.name == *only)
        {
            return Err(MessagingError::not_found("bus.replay", format!("rule {only}")));
        }
        let (bus, replay, ringing) = (self.clone(), replay.clone(), Arc::clone(&self.shared));
        let again = move |db: &Connection| {
            let (topology, now_ms) = (&bus.shared.topology, bus.shared.now_ms());
            let mut delivery = Delivery { db, topology, now_ms, reached: Vec::new() };
            let events: Vec<Archived> = db
                .prepare_cached(
                    "SELECT sequence, event FROM events WHERE time_ms >= ? AND time_ms < ?
                     ORDER BY time_ms, sequence",
                )?
                .query_map(
                    params![replay.from_ms.cast_signed(), replay.to_ms.cast_signed()],
                    archived,
                )?
                .collect::<rusqlite::Result<_>>()?;
            for Archived { event_id, event } in &events {
                let mut envelope = envelope(db, sequence_of(event_id), event)?;
                envelope["replay-name"] = json!(replay.name);
                let verdicts = bus.test(&envelope);
                bus.deliver(&envelope, event, &verdicts, replay.rule.as_deref(), &mut delivery)?;
            }
            Ok((events.len(), delivery.reached))
        };
        let ring = move |(_, reached): &(usize, Vec<String>)| ringing.bells.ring_all(reached);
        let (events, _) = self.shared.database.write_then("bus.replay", again, ring).await?;
        Ok(events)
    }

    async fn explain(&self, id: &str) -> Result<Option<Vec<Verdict>>, MessagingError> {
        let sequence = sequence_of(id);
        let bus = self.clone();
        let read = move |db: &Connection| {
            let event = db
                .prepare_cached("SELECT sequence, event FROM events WHERE sequence = ?")?
                .query_row([sequence.cast_signed()], archived)
                .optional()?;
            let envelope = event.map(|one| envelope(db, sequence, &one.event)).transpose()?;
            Ok(envelope.map(|envelope| bus.test(&envelope)))
        };
        Ok(self.shared.database.read("bus.explain", read).await?)
    }
}

/// Why an event cannot be put on a bus.
fn refusal(event: &NewEvent) -> Option<String> {
    if event.source.is_empty() || event.detail_type.is_empty() {
        return Some("an event has a source and a detail-type".to_owned());
    }
    if event.source.starts_with("aws.") {
        return Some("a source that begins with aws. is not ours".to_owned());
    }
    let detail = serde_json::to_string(&event.detail).map_or(usize::MAX, |text| text.len());
    let size = detail.saturating_add(event.source.len() + event.detail_type.len());
    (size > MAX_MESSAGE_BYTES).then(|| format!("an event has at most {MAX_MESSAGE_BYTES} bytes"))
}

fn event_id(sequence: u64) -> String {
    format!("evt-{sequence}")
}

/// The place in the archive; 0, which is none, for what is no id.
fn sequence_of(event_id: &str) -> u64 {
    event_id.strip_prefix("evt-").and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn archived(row: &Row<'_>) -> rusqlite::Result<Archived> {
    let event = document(row.get_ref(1)?.as_str()?, 1)?;
    let event = serde_json::from_value(event).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(Archived { event_id: event_id(count(row, 0)?), event })
}

/// An event in the form that targets get it.
fn envelope(db: &Connection, sequence: u64, event: &NewEvent) -> rusqlite::Result<Value> {
    let time: String = db
        .prepare_cached("SELECT strftime('%Y-%m-%dT%H:%M:%SZ', ? / 1000, 'unixepoch')")?
        .query_row([event.time_ms.cast_signed()], |row| row.get(0))?;
    Ok(json!({
        "version": "0",
        "id": event_id(sequence),
        "detail-type": event.detail_type,
        "source": event.source,
        "account": "000000000000",
        "time": time,
        "region": "local",
        "resources": [],
        "detail": event.detail,
    }))
}

impl EventBus for SqliteBus {
    fn name(&self) -> &str {
        &self.spec().name
    }

    fn put<'a>(&'a self, events: &'a [NewEvent]) -> MessagingFuture<'a, Vec<Put>> {
        Box::pin(self.put(events))
    }

    fn archived(&self, from_ms: u64, limit: usize) -> MessagingFuture<'_, Vec<Archived>> {
        Box::pin(self.archived(from_ms, limit))
    }

    fn replay<'a>(&'a self, replay: &'a Replay) -> MessagingFuture<'a, usize> {
        Box::pin(self.replay(replay))
    }

    fn explain<'a>(&'a self, event_id: &'a str) -> MessagingFuture<'a, Option<Vec<Verdict>>> {
        Box::pin(self.explain(event_id))
    }
}

impl fmt::Debug for SqliteBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteBus").field("name", &self.spec().name).finish_non_exhaustive()
    }
}
