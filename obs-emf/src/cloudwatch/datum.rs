//! Records as the data of calls.

use std::collections::BTreeMap;

use obs_core::clock::Timestamp;
use obs_core::metric::Unit;

use crate::declare::{Resolution, Shape};
use crate::encode::{ABSENT, Record};
use crate::ledger::{DropReason, Ledger, Repair};
use crate::limits::{BYTES_PER_CALL, DATA_PER_CALL, NEWEST, OLDEST, VALUES_PER_DATUM};
use crate::value::number::number;
use crate::value::text::clean_dimension;

/// One metric with one dimension set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Datum {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) resolution: Resolution,
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp: u64,
    pub(super) dimensions: Vec<(String, String)>,
    pub(super) values: Vec<(f64, u64)>,
    /// The observations it stands for in the ledger: those of a record's first set, and none of
    /// its other sets, which carry the same observations again.
    pub(super) points: u64,
}

/// The data of a record; books what cannot be sent.
pub(super) fn data_of(record: &Record<'_>, now: Timestamp, ledger: &mut Ledger) -> Vec<Datum> {
    let shape = record.shape;
    let time = record.timestamp;
    let is_outside = now.saturating_duration_since(time) >= OLDEST
        || time.saturating_duration_since(now) >= NEWEST;
    if is_outside {
        ledger.repair(Repair::Timestamp);
    }
    let timestamp = if is_outside { now } else { time }.unix_millis();
    let sets = dimension_sets(record, ledger);
    let mut data = Vec::new();
    for (name, unit, resolution, values) in metrics(record, ledger) {
        let points = values.iter().map(|value| value.1).sum();
        for (index, dimensions) in sets.iter().enumerate() {
            data.push(Datum {
                namespace: shape.namespace().to_owned(),
                name: name.to_owned(),
                unit,
                resolution,
                timestamp,
                dimensions: dimensions.clone(),
                values: values.clone(),
                points: if index == 0 { points } else { 0 },
            });
        }
    }
    data
}

fn dimension_sets(record: &Record<'_>, ledger: &mut Ledger) -> Vec<Vec<(String, String)>> {
    let compiled = &*record.shape.0;
    let mut given = record.dimensions.iter();
    let values: Vec<String> = compiled
        .dimensions
        .iter()
        .map(|dimension| match &dimension.constant {
            Some(value) => value.clone(),
            None => clean_dimension(given.next().copied().unwrap_or(""), ledger),
        })
        .collect();
    let pair = |&index: &usize| (compiled.dimensions[index].name.clone(), values[index].clone());
    compiled.sets.iter().map(|set| set.iter().map(pair).collect()).collect()
}

type Measured<'r> = (&'r str, Unit, Resolution, Vec<(f64, u64)>);

/// The metrics of a record with the values that can be sent.
fn metrics<'r>(record: &Record<'r>, ledger: &mut Ledger) -> Vec<Measured<'r>> {
    let mut measured = Vec::new();
    for (index, &value) in record.values.iter().enumerate() {
        if value.to_bits() == ABSENT.to_bits() {
            continue;
        }
        let Some(metric) = record.shape.metrics().get(index) else {
            ledger.append(1);
            ledger.drop_points(DropReason::InvalidName, 1);
            continue;
        };
        if let Some(value) = number(value, ledger) {
            ledger.append(1);
            measured.push((metric.name(), metric.unit(), metric.resolution, vec![(value, 1)]));
        }
    }
    for &(metric, value) in record.extras {
        let values = [(value, 1)];
        let one = (metric.name, metric.unit, Resolution::Standard);
        push(record.shape, &mut measured, one, &values, ledger);
    }
    for series in record.series {
        let one = (series.name, series.unit, series.resolution);
        push(record.shape, &mut measured, one, series.points, ledger);
    }
    measured
}

fn push<'r>(
    shape: &Shape,
    measured: &mut Vec<Measured<'r>>,
    (name, unit, resolution): (&'r str, Unit, Resolution),
    points: &[(f64, u64)],
    ledger: &mut Ledger,
) {
    if let Err(reason) = shape.fault_of(name) {
        let lost = points.iter().map(|point| point.1).sum();
        ledger.append(lost);
        ledger.drop_points(reason, lost);
        return;
    }
    let mut values = Vec::with_capacity(points.len());
    for &(value, count) in points.iter().filter(|point| point.1 > 0) {
        let mut one = Ledger::default();
        match number(value, &mut one) {
            Some(value) => {
                ledger.add_repairs(&one);
                ledger.append(count);
                values.push((value, count));
            }
            None => {
                let reason =
                    if value.is_finite() { DropReason::OutOfRange } else { DropReason::NotFinite };
                ledger.append(count);
                ledger.drop_points(reason, count);
            }
        }
    }
    if !values.is_empty() {
        measured.push((name, unit, resolution, values));
    }
}

/// Puts together what belongs to one series and one period of its resolution.
pub(super) fn merge(data: Vec<Datum>) -> Vec<Datum> {
    type Key = (String, String, &'static str, u8, u64, Vec<(String, String)>);
    let mut merged: BTreeMap<Key, Datum> = BTreeMap::new();
    for datum in data {
        let period = u64::from(datum.resolution.seconds()) * 1_000;
        let key = (
            datum.namespace.clone(),
            datum.name.clone(),
            datum.unit.as_str(),
            datum.resolution.seconds(),
            datum.timestamp / period,
            datum.dimensions.clone(),
        );
        match merged.get_mut(&key) {
            None => drop(merged.insert(key, datum)),
            Some(there) => {
                there.points += datum.points;
                there.values.extend(datum.values);
            }
        }
    }
    merged.into_values().flat_map(split).collect()
}

/// Counts equal values together, and splits what has more than 150 of them.
fn split(mut datum: Datum) -> Vec<Datum> {
    datum.values.sort_by(|one, other| one.0.total_cmp(&other.0));
    datum.values.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.saturating_add(next.1);
        }
        same
    });
    let counted = datum.points > 0;
    let part = |values: &[(f64, u64)]| Datum {
        values: values.to_vec(),
        points: if counted { values.iter().map(|value| value.1).sum() } else { 0 },
        ..datum.clone()
    };
    datum.values.chunks(VALUES_PER_DATUM).map(part).collect()
}

/// Divides data into calls by namespace, number and size.
pub(super) fn calls(data: Vec<Datum>) -> Vec<Vec<Datum>> {
    let mut calls: Vec<Vec<Datum>> = Vec::new();
    let mut bytes = 0;
    for datum in data {
        let size = size(&datum);
        let fits = calls.last().is_some_and(|call| {
            call.len() < DATA_PER_CALL
                && bytes + size < BYTES_PER_CALL / 10 * 9
                && call.last().is_some_and(|last| last.namespace == datum.namespace)
        });
        if !fits {
            calls.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(call) = calls.last_mut() {
            call.push(datum);
        }
    }
    calls
}

/// At least the bytes of a datum on the wire: its texts, 18 for each value with its count, and
/// the names of its members.
fn size(datum: &Datum) -> usize {
    let texts = datum.dimensions.iter().map(|(name, value)| name.len() + value.len() + 24);
    200 + datum.name.len() + texts.sum::<usize>() + datum.values.len() * 20
}
