//! The end of a line: `_aws`, dimensions, metrics.

use obs_core::clock::Timestamp;
use obs_core::metric::Descriptor;

use crate::declare::name::{metric_rule, own_metric_rule};
use crate::declare::{Resolution, Shape, compile};
use crate::ledger::{DropReason, Ledger, Repair};
use crate::limits::{DIMENSION_VALUE_LENGTH, METRICS_PER_RECORD, VALUES_PER_METRIC};
use crate::value::number::{Checked, check, write_f64};
use crate::value::piece::Piece;
use crate::value::text::{write_dimension, write_dimension_inside};

/// A value that was not measured: its metric is left out of the record, and nothing is counted.
///
/// It is told from other NaNs, which are counted as lost, by its bits.
pub const ABSENT: f64 = f64::from_bits(0x7ff8_0000_0b5e_0000);

/// A metric that a shape does not declare, with one value.
///
/// Several of one name become one metric with several values.
pub type Extra<'a> = (&'a Descriptor, f64);

/// What a tail is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) timestamp: Timestamp,
    pub(crate) dimensions: &'a [&'a str],
    /// `None` for a tail that has the extra metrics only.
    pub(crate) values: Option<&'a [f64]>,
    pub(crate) extras: &'a [Extra<'a>],
}

/// What came of encoding a tail.
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_core::metric::{Descriptor, Unit};
/// use obs_emf::Shape;
///
/// static WEIGHT: Descriptor = Descriptor::new("Weight", Unit::None, "Weight of an order in kg");
/// static DISCOUNT: Descriptor = Descriptor::new("Discount", Unit::Percent, "Discount given");
///
/// let shape = Shape::builder("Shop").dimension_set(["Channel"]).metric(("Items", Unit::Count)).build()?;
/// let (mut out, at) = (Vec::new(), Timestamp::from_unix_millis(1_767_225_600_000));
/// let extras = [(&WEIGHT, 1.25), (&DISCOUNT, 5.0)];
/// let tail = shape.encode_tail_with(&mut out, at, &["web"], &[3.0], &extras, 100_000);
/// assert_eq!((tail.extras, tail.ledger.emitted), (2, 3));
///
/// // What did not fit one line goes into the next.
/// let rest = shape.encode_extras(&mut out, at, &["web"], &extras[tail.extras..], 100_000);
/// assert_eq!(rest.extras, 0);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tail {
    /// The fate of each value.
    pub ledger: Ledger,
    /// How many of the extra metrics have found their fate, from the first. Those behind did not
    /// fit; [`Shape::encode_extras`] puts them into further lines.
    pub extras: usize,
}

/// So many extra metrics are looked at for one line; keeps the search for repeated names short.
const EXTRAS_PER_LINE: usize = 256;

impl Shape {
    /// Appends `,"_aws":{…}` and the members it refers to; the caller writes what comes before
    /// and the final `}`.
    ///
    /// `dimensions` are the values of [`dimension_names`](Self::dimension_names), `values` those of
    /// [`metrics`](Self::metrics), in their order. What CloudWatch would refuse is repaired or left
    /// out, and counted in the answer; missing dimensions become `__empty__`, surplus ones are
    /// ignored, missing values count as [`ABSENT`], surplus ones as lost. The time is written as
    /// it is: CloudWatch takes times from two weeks ago to two hours ahead.
    ///
    /// Does not allocate, once `out` is large enough, unless a dimension has to be repaired.
    pub fn encode_tail(
        &self,
        out: &mut Vec<u8>,
        timestamp: Timestamp,
        dimensions: &[&str],
        values: &[f64],
    ) -> Ledger {
        self.encode_tail_with(out, timestamp, dimensions, values, &[], usize::MAX).ledger
    }

    /// As [`encode_tail`](Self::encode_tail), with metrics that the shape does not declare.
    ///
    /// They get the same dimension sets. The envelope's fixed pieces are copied, and the
    /// definitions of the extra metrics go in before its end. Extra metrics stop where the record
    /// would have more than 100 metrics or the tail more than `room` bytes.
    pub fn encode_tail_with(
        &self,
        out: &mut Vec<u8>,
        timestamp: Timestamp,
        dimensions: &[&str],
        values: &[f64],
        extras: &[Extra<'_>],
        room: usize,
    ) -> Tail {
        let mut ledger = Ledger::default();
        let event = Event { timestamp, dimensions, values: Some(values), extras };
        let extras = self.write_tail(out, event, room, &mut ledger);
        Tail { ledger, extras }
    }

    /// Appends a tail that has the extra metrics only, for the lines after the first.
    ///
    /// At least one extra metric finds its fate in each call: one that does not even fit alone is
    /// counted as [`DropReason::TooLarge`].
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    /// use obs_core::metric::{Descriptor, Unit};
    /// use obs_emf::Shape;
    ///
    /// static WEIGHT: Descriptor = Descriptor::new("Weight", Unit::None, "Weight of an order in kg");
    ///
    /// let shape = Shape::builder("Shop").dimension_set(["Channel"]).metric(("Items", Unit::Count)).build()?;
    /// let (mut out, at) = (Vec::new(), Timestamp::from_unix_millis(1_767_225_600_000));
    /// let extras = [(&WEIGHT, 1.25)];
    /// let tail = shape.encode_tail_with(&mut out, at, &["web"], &[3.0], &extras, 100_000);
    /// let rest = shape.encode_extras(&mut out, at, &["web"], &extras[tail.extras..], 100_000);
    /// assert_eq!((tail.extras, rest.extras), (1, 0));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn encode_extras(
        &self,
        out: &mut Vec<u8>,
        timestamp: Timestamp,
        dimensions: &[&str],
        extras: &[Extra<'_>],
        room: usize,
    ) -> Tail {
        let mut ledger = Ledger::default();
        let event = Event { timestamp, dimensions, values: None, extras };
        let extras = self.write_rest(out, event, room, &mut ledger);
        Tail { ledger, extras }
    }

    /// Writes extra metrics only, as [`encode_extras`](Self::encode_extras) does; says how many
    /// found their fate.
    pub(crate) fn write_rest(
        &self,
        out: &mut Vec<u8>,
        event: Event<'_>,
        room: usize,
        ledger: &mut Ledger,
    ) -> usize {
        let (start, before) = (out.len(), *ledger);
        let written = self.write_tail(out, event, room, ledger);
        if written > 0 || event.extras.is_empty() {
            return written;
        }
        out.truncate(start);
        *ledger = before;
        ledger.append(1);
        ledger.drop_points(DropReason::TooLarge, 1);
        1
    }

    /// Writes a tail and books what becomes of its values; says how many extra metrics found their
    /// fate.
    #[inline]
    pub(crate) fn write_tail(
        &self,
        out: &mut Vec<u8>,
        event: Event<'_>,
        room: usize,
        ledger: &mut Ledger,
    ) -> usize {
        let declared = event.values.unwrap_or_default();
        let all_good = event.values.is_some()
            && declared.len() == self.0.metrics.len()
            && declared.iter().all(|&value| matches!(check(value), Checked::Good(_)));
        if all_good && event.extras.is_empty() {
            self.write_good(out, event.timestamp, event.dimensions, declared, ledger);
            return 0;
        }
        self.write_mixed(out, event, room, ledger)
    }

    /// Writes the tail of an event whose values are those declared, all of them writable: copies of
    /// what the shape compiled, with the values between them.
    #[inline]
    fn write_good(
        &self,
        out: &mut Vec<u8>,
        timestamp: Timestamp,
        dimensions: &[&str],
        values: &[f64],
        ledger: &mut Ledger,
    ) {
        let shape = &*self.0;
        out.reserve(shape.fixed_length + Piece::SLACK);
        shape.head.append_to(out);
        timestamp.write_unix_millis(out);
        let (mut dimensions, mut values_left) = (dimensions.iter(), values.iter());
        for slot in &shape.slots {
            slot.gap.append_to(out);
            if let Some(dimension) = slot.dimension {
                let given = dimensions.next().copied().unwrap_or_default();
                let value = shape.dimensions[dimension].value_for(given);
                write_dimension_inside(out, value, ledger);
            } else if let Some(&value) = values_left.next() {
                write_f64(out, value);
            }
        }
        ledger.append(values.len() as u64);
        ledger.emit(values.len() as u64);
    }

    /// Writes any other tail.
    fn write_mixed(
        &self,
        out: &mut Vec<u8>,
        event: Event<'_>,
        room: usize,
        ledger: &mut Ledger,
    ) -> usize {
        let Event { timestamp, dimensions, values, extras } = event;
        let shape = &*self.0;
        let start = out.len();
        out.reserve(shape.fixed_length.min(room));
        let declared = values.unwrap_or_default();
        judge(declared, shape.metrics.len(), ledger);
        // What fits is looked up only where it is asked.
        let extras = if extras.is_empty() {
            extras
        } else {
            let used = self.tail_length(dimensions, room);
            self.fitting(extras, declared.len(), room.saturating_sub(used), ledger)
        };

        // The envelope.
        self.write_opening(out, timestamp);
        let mut first = true;
        for (definition, &value) in shape.definitions.iter().zip(declared) {
            if writable(value).is_some() {
                separate(out, &mut first);
                out.extend_from_slice(definition);
            }
        }
        for (index, (metric, _)) in extras.iter().enumerate() {
            if self.leads(extras, index) {
                separate(out, &mut first);
                compile::write_definition(out, metric.name, metric.unit, Resolution::Standard);
            }
        }
        out.extend_from_slice(crate::declare::ENVELOPE_END);
        if first {
            // Without metrics the line is an ordinary one.
            out.truncate(start);
        }

        // What it refers to.
        self.write_dimensions(out, dimensions, ledger);
        for (key, &value) in shape.metric_keys.iter().zip(declared) {
            if let Some(value) = writable(value) {
                out.extend_from_slice(key);
                write_f64(out, value);
                ledger.emit(1);
            }
        }
        for index in 0..extras.len() {
            if self.leads(extras, index) {
                write_group(out, &extras[index..], ledger);
            }
        }
        extras.len()
    }

    /// Writes `_aws` up to the first definition.
    pub(super) fn write_opening(&self, out: &mut Vec<u8>, timestamp: Timestamp) {
        self.0.head.append_to(out);
        timestamp.write_unix_millis(out);
        out.extend_from_slice(&self.0.directive);
    }

    pub(crate) fn write_dimensions(&self, out: &mut Vec<u8>, values: &[&str], ledger: &mut Ledger) {
        out.extend_from_slice(&self.0.constants);
        for (index, dimension) in self.variable_dimensions().enumerate() {
            out.extend_from_slice(&dimension.key);
            let given = values.get(index).copied().unwrap_or_default();
            write_dimension(out, dimension.value_for(given), ledger);
        }
    }

    /// At least the bytes of a tail with the declared metrics, or any number above `room`.
    pub(crate) fn tail_length(&self, dimensions: &[&str], room: usize) -> usize {
        let fixed = self.0.fixed_length;
        let cut = |value: &&str| value.len().min(DIMENSION_VALUE_LENGTH);
        // As if every character had to be escaped; only where that is too long it is counted.
        let longest = fixed + 2 * dimensions.iter().map(cut).sum::<usize>();
        if longest <= room {
            return longest;
        }
        let escapes = |value: &&str| {
            let escaped = value.bytes().filter(|byte| matches!(byte, b'"' | b'\\'));
            escaped.count().min(DIMENSION_VALUE_LENGTH)
        };
        fixed + dimensions.iter().map(|value| cut(value) + escapes(value)).sum::<usize>()
    }

    /// The first extras, as many as one record takes; books those that will not be written.
    fn fitting<'e, 'd>(
        &self,
        extras: &'e [Extra<'d>],
        declared: usize,
        mut room: usize,
        ledger: &mut Ledger,
    ) -> &'e [Extra<'d>] {
        let mut metrics = declared;
        for (index, &(metric, value)) in extras.iter().enumerate() {
            let earlier = extras[..index].iter().filter(|(other, _)| other.name == metric.name);
            let repeats = earlier.count();
            let mut cost = compile::NUMBER_LENGTH;
            if repeats == 0 {
                // Twice the name, perhaps escaped, the unit and what is around them.
                cost += 4 * metric.name.len() + metric.unit.as_str().len() + 32;
                metrics += 1;
            }
            let full = metrics > METRICS_PER_RECORD || repeats >= VALUES_PER_METRIC;
            if full || cost > room || index >= EXTRAS_PER_LINE {
                return &extras[..index];
            }
            room -= cost;
            ledger.append(1);
            if let Err(reason) = self.fault_of(metric.name) {
                ledger.drop_points(reason, 1);
            } else {
                match check(value) {
                    Checked::Good(_) => {}
                    Checked::Underflow => ledger.repair(Repair::Underflow),
                    Checked::Bad(reason) => ledger.drop_points(reason, 1),
                }
            }
        }
        extras
    }

    /// Why an extra metric cannot have this name beside the shape's own.
    pub(crate) fn fault_of(&self, name: &str) -> Result<(), DropReason> {
        let rule = if self.0.own_lines { own_metric_rule } else { metric_rule };
        if rule(name).is_some() {
            Err(DropReason::InvalidName)
        } else if self.has_member(name) {
            Err(DropReason::NameClash)
        } else {
            Ok(())
        }
    }

    /// Whether the extra at `index` is the first of its name and the name has a value to write.
    fn leads(&self, extras: &[Extra<'_>], index: usize) -> bool {
        let name = extras[index].0.name;
        self.fault_of(name).is_ok()
            && !extras[..index].iter().any(|(other, _)| other.name == name)
            && group(&extras[index..]).next().is_some()
    }
}

/// Books the declared values, and those that will not be written as they are.
fn judge(values: &[f64], metrics: usize, ledger: &mut Ledger) {
    for (index, &value) in values.iter().enumerate() {
        if value.to_bits() == ABSENT.to_bits() {
            continue;
        }
        ledger.append(1);
        match check(value) {
            _ if index >= metrics => ledger.drop_points(DropReason::InvalidName, 1),
            Checked::Good(_) => {}
            Checked::Underflow => ledger.repair(Repair::Underflow),
            Checked::Bad(reason) => ledger.drop_points(reason, 1),
        }
    }
}

/// The number to write for `value`, if it can be written.
#[inline]
pub(crate) fn writable(value: f64) -> Option<f64> {
    match check(value) {
        Checked::Good(value) => Some(value),
        Checked::Underflow => Some(0.0),
        Checked::Bad(_) => None,
    }
}

/// The writable values of the first extra's name.
fn group<'e>(extras: &'e [Extra<'_>]) -> impl Iterator<Item = f64> + 'e {
    let name = extras.first().map_or("", |(metric, _)| metric.name);
    extras.iter().filter(move |(metric, _)| metric.name == name).filter_map(|e| writable(e.1))
}

fn write_group(out: &mut Vec<u8>, extras: &[Extra<'_>], ledger: &mut Ledger) {
    let Some((metric, _)) = extras.first() else { return };
    out.push(b',');
    crate::value::text::write_json(out, metric.name);
    out.push(b':');
    let many = group(extras).nth(1).is_some();
    if many {
        out.push(b'[');
    }
    for (index, value) in group(extras).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_f64(out, value);
        ledger.emit(1);
    }
    if many {
        out.push(b']');
    }
}

pub(super) fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}
