//! Metrics given at run time with any number of values, split so that each record is valid.

use obs_core::clock::Timestamp;
use obs_core::log::TailRoom;
use obs_core::metric::Unit;

use super::tail::{ABSENT, separate, writable};
use crate::declare::compile::{NUMBER_LENGTH, write_definition};
use crate::declare::{ENVELOPE_END, Metric, Resolution, Shape};
use crate::ledger::{DropReason, Ledger, Repair};
use crate::limits::{METRICS_PER_RECORD, VALUES_PER_METRIC};
use crate::value::number::{Checked, check, write_f64, write_u64};
use crate::value::text::write_json;

/// A metric with the values it took, and how often it took each.
///
/// ```
/// use obs_core::metric::Unit;
/// use obs_emf::{Resolution, Series};
///
/// // 20 requests waited 1.5 ms, and one 40 ms.
/// let waits = Series::new("Wait", Unit::Milliseconds, &[(1.5, 20), (40.0, 1)])
///     .resolution(Resolution::High);
/// assert_eq!(waits.count(), 21);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Series<'a> {
    /// The name; one that CloudWatch refuses costs the metric, and is counted.
    pub name: &'a str,
    /// The unit of the values.
    pub unit: Unit,
    /// How finely CloudWatch stores it.
    pub resolution: Resolution,
    /// Each value with its count.
    pub points: &'a [(f64, u64)],
}

impl<'a> Series<'a> {
    /// A metric with standard resolution.
    #[must_use]
    pub const fn new(name: &'a str, unit: Unit, points: &'a [(f64, u64)]) -> Self {
        Self { name, unit, resolution: Resolution::Standard, points }
    }

    /// Sets the storage resolution. Default [`Resolution::Standard`], a minute.
    #[must_use]
    pub const fn resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = resolution;
        self
    }

    /// How many observations the points stand for.
    #[must_use]
    pub fn count(&self) -> u64 {
        count(self.points)
    }
}

fn count(points: &[(f64, u64)]) -> u64 {
    points.iter().fold(0, |sum, &(_, count)| sum.saturating_add(count))
}

/// Where series come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// Given at run time.
    Series(&'a [Series<'a>]),
    /// Declared by the shape, with their values.
    Declared(&'a [Metric], &'a [f64]),
}

impl Source<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Series(series) => series.len(),
            Self::Declared(_, values) => values.len(),
        }
    }

    /// The series at `index`; `point` is the place for the value of a declared one.
    fn get<'s>(&'s self, index: usize, point: &'s mut [(f64, u64); 1]) -> Series<'s> {
        match self {
            Self::Series(series) => series[index],
            Self::Declared(metrics, values) => {
                let value = values[index];
                *point = [(value, u64::from(value.to_bits() != ABSENT.to_bits()))];
                let Some(metric) = metrics.get(index) else {
                    return Series::new("", Unit::None, point);
                };
                Series::new(&metric.name, metric.unit, point).resolution(metric.resolution)
            }
        }
    }

    /// Why the series at `index` cannot be written at all.
    fn fault(&self, shape: &Shape, index: usize) -> Option<DropReason> {
        match self {
            Self::Series(series) => {
                let name = series[index].name;
                let is_repeated = series[..index].iter().any(|other| other.name == name);
                let repeated = is_repeated.then_some(DropReason::NameClash);
                shape.fault_of(name).err().or(repeated)
            }
            Self::Declared(metrics, _) => {
                (index >= metrics.len()).then_some(DropReason::InvalidName)
            }
        }
    }
}

/// How far series have been written.
#[derive(Debug)]
pub(crate) struct SeriesWriter<'a> {
    shape: &'a Shape,
    timestamp: Timestamp,
    dimensions: &'a [&'a str],
    source: Source<'a>,
    next: usize,
    next_point: usize,
}

/// The most bytes of one value with its count, its commas, and the brackets around all of them.
const POINT_LENGTH: usize = NUMBER_LENGTH + 22;
const FRAME_LENGTH: usize = 32;

impl<'a> SeriesWriter<'a> {
    /// Books what can be booked before anything is written.
    pub(crate) fn new(
        shape: &'a Shape,
        timestamp: Timestamp,
        dimensions: &'a [&'a str],
        source: Source<'a>,
        ledger: &mut Ledger,
    ) -> Self {
        for index in 0..source.len() {
            let mut point = [(0.0, 0)];
            let one = source.get(index, &mut point);
            ledger.append(one.count());
            if let Some(reason) = source.fault(shape, index) {
                ledger.drop_points(reason, one.count());
                continue;
            }
            for &(value, count) in one.points {
                match check(value) {
                    _ if count == 0 => {}
                    Checked::Good(_) => {}
                    Checked::Underflow => ledger.repair(Repair::Underflow),
                    Checked::Bad(reason) => ledger.drop_points(reason, count),
                }
            }
        }
        Self { shape, timestamp, dimensions, source, next: 0, next_point: 0 }
    }

    /// Appends one record's tail, and says whether there is more to write.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, room: TailRoom, ledger: &mut Ledger) -> bool {
        let start = out.len();
        self.shape.write_opening(out, self.timestamp);
        let mut members = ENVELOPE_END.to_vec();
        let mut repairs = Ledger::default();
        self.shape.write_dimensions(&mut members, self.dimensions, &mut repairs);

        let (mut metrics, mut first) = (0, true);
        let source = self.source;
        while self.next < source.len() && metrics < METRICS_PER_RECORD {
            let mut point = [(0.0, 0)];
            let one = source.get(self.next, &mut point);
            if source.fault(self.shape, self.next).is_some()
                || !one.points[self.next_point..].iter().any(is_written)
            {
                self.advance();
                continue;
            }
            let before = (out.len(), first);
            separate(out, &mut first);
            write_definition(out, one.name, one.unit, one.resolution);
            let used = out.len() - start + members.len() + one.name.len() * 2 + FRAME_LENGTH;
            let points = room.bytes.saturating_sub(used) / POINT_LENGTH;
            if points == 0 {
                out.truncate(before.0);
                first = before.1;
                if metrics > 0 || room.has_fields {
                    break;
                }
                // Not even alone: the rest of this metric is lost.
                let rest = one.points[self.next_point..].iter().filter(|point| is_written(point));
                ledger.drop_points(DropReason::TooLarge, rest.map(|point| point.1).sum());
                self.advance();
                continue;
            }
            metrics += 1;
            self.write_points(&mut members, one, points.min(VALUES_PER_METRIC), ledger);
            if self.next_point > 0 {
                // A record has a metric once: the rest of this one waits for the next.
                break;
            }
        }
        if metrics == 0 {
            out.truncate(start);
        } else {
            out.extend_from_slice(&members);
            ledger.add_repairs(&repairs);
        }
        let more = self.next < source.len();
        if more && metrics > 0 {
            ledger.repair(Repair::Split);
        }
        more
    }

    /// Writes the next points of a metric, at most `most`, and moves behind them.
    fn write_points(
        &mut self,
        out: &mut Vec<u8>,
        one: Series<'_>,
        most: usize,
        ledger: &mut Ledger,
    ) {
        let rest = &one.points[self.next_point..];
        let written = rest.iter().filter(|point| is_written(point)).take(most);
        let (mut all_once, mut number) = (true, 0);
        for &(_, count) in written.clone() {
            all_once &= count == 1;
            number += 1;
            ledger.emit(count);
        }
        out.push(b',');
        write_json(out, one.name);
        out.push(b':');
        let values = written.clone().filter_map(|point| writable(point.0));
        if !all_once {
            out.extend_from_slice(br#"{"Values":["#);
            join(out, values, write_f64);
            out.extend_from_slice(br#"],"Counts":["#);
            join(out, written.map(|point| point.1), write_u64);
            out.extend_from_slice(b"]}");
        } else if number == 1 {
            join(out, values, write_f64);
        } else {
            out.push(b'[');
            join(out, values, write_f64);
            out.push(b']');
        }
        let last = rest.iter().enumerate().filter(|(_, point)| is_written(point)).nth(number);
        match last {
            Some((index, _)) => self.next_point += index,
            None => self.advance(),
        }
    }

    fn advance(&mut self) {
        self.next += 1;
        self.next_point = 0;
    }
}

fn is_written(&(value, count): &(f64, u64)) -> bool {
    count > 0 && writable(value).is_some()
}

fn join<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    let mut first = true;
    for item in items {
        separate(out, &mut first);
        write(out, item);
    }
}
