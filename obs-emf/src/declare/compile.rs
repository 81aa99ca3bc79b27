//! A checked declaration as bytes.

use super::{Metric, Resolution};
use crate::value::piece::Piece;
use crate::value::text::{EMPTY, write_json};

/// The pieces of the envelope. A tail whose values can all be written is `head`, the time, then
/// `slots` with their values. Any other is, in this order: `head`, the time, `directive`, the
/// definitions with commas between them, [`ENVELOPE_END`], `constants`, then keys and values.
pub(crate) struct Compiled {
    pub(crate) namespace: String,
    pub(crate) dimensions: Vec<Dimension>,
    pub(crate) sets: Vec<Vec<usize>>,
    pub(crate) metrics: Vec<Metric>,
    /// Members that are the same in all events.
    pub(crate) properties: Vec<(String, String)>,

    pub(crate) head: Piece,
    pub(crate) directive: Box<[u8]>,
    pub(crate) definitions: Vec<Box<[u8]>>,
    pub(crate) constants: Box<[u8]>,
    pub(crate) metric_keys: Vec<Box<[u8]>>,
    /// What follows the time when all values can be written: each dimension and each metric that an
    /// event gives, in that order.
    pub(crate) slots: Box<[Slot]>,
    /// The most bytes of a tail whose values are numbers, dimension values not counted.
    pub(crate) fixed_length: usize,
    /// Whether its lines carry no fields of the user's.
    pub(crate) own_lines: bool,
}

impl Compiled {
    pub(super) fn parts(&self) -> Parts {
        Parts {
            namespace: self.namespace.clone(),
            dimensions: self.dimensions.clone(),
            sets: self.sets.clone(),
            metrics: self.metrics.clone(),
            properties: self.properties.clone(),
            head: self.head.clone(),
            own_lines: self.own_lines,
        }
    }
}

/// The place of a value that an event gives.
pub(crate) struct Slot {
    /// What stands before it.
    pub(crate) gap: Piece,
    /// The dimension whose value it is; `None` for the next metric.
    pub(crate) dimension: Option<usize>,
}

/// A dimension of a shape.
#[derive(Clone, Debug)]
pub(crate) struct Dimension {
    pub(crate) name: String,
    /// `Some` if all events have the same value.
    pub(crate) constant: Option<String>,
    /// What events get that name no value.
    pub(crate) default: Option<String>,
    /// The most values it takes, if declared.
    pub(crate) bound: Option<u64>,
    pub(crate) key: Box<[u8]>,
}

/// Closes the definitions, the directive, the array of directives and `_aws`.
pub(crate) const ENVELOPE_END: &[u8] = b"]}]}";

impl Dimension {
    /// The value to write for the one that an event gives, which may be empty.
    #[inline]
    pub(crate) fn value_for<'v>(&'v self, given: &'v str) -> &'v str {
        if given.is_empty() { self.default.as_deref().unwrap_or_default() } else { given }
    }
}

/// What a shape is made of, checked.
pub(super) struct Parts {
    pub(super) namespace: String,
    /// Those of the sets, and those that are only members of the line.
    pub(super) dimensions: Vec<Dimension>,
    pub(super) sets: Vec<Vec<usize>>,
    pub(super) metrics: Vec<Metric>,
    pub(super) properties: Vec<(String, String)>,
    /// `,"_aws":{` up to the time.
    pub(super) head: Piece,
    pub(super) own_lines: bool,
}

impl Parts {
    pub(super) fn compile(self) -> Compiled {
        let definitions: Vec<_> = self.metrics.iter().map(definition).collect();
        let directive = self.directive();
        let mut body = directive.clone();
        for (index, definition) in definitions.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(definition);
        }
        let constants = self.constants();
        let metric_keys: Vec<_> = self.metrics.iter().map(|metric| key(&metric.name)).collect();
        let slots = self.slots(&[&body, ENVELOPE_END, &constants].concat(), &metric_keys);
        let values = metric_keys.iter().map(|key| key.len() + NUMBER_LENGTH).sum::<usize>();
        let fixed_length = self.head.length()
            + TIME_LENGTH
            + body.len()
            + ENVELOPE_END.len()
            + constants.len()
            + self.dimensions.iter().map(shortest).sum::<usize>()
            + values;
        Compiled {
            namespace: self.namespace,
            dimensions: self.dimensions,
            sets: self.sets,
            metrics: self.metrics,
            properties: self.properties,
            head: self.head,
            directive: directive.into_boxed_slice(),
            definitions,
            constants,
            metric_keys,
            slots,
            fixed_length,
            own_lines: self.own_lines,
        }
    }

    fn constants(&self) -> Box<[u8]> {
        let mut out = Vec::new();
        for (name, value) in &self.properties {
            out.extend_from_slice(&key(name));
            write_json(&mut out, value);
        }
        for dimension in &self.dimensions {
            if let Some(value) = &dimension.constant {
                out.extend_from_slice(&dimension.key);
                write_json(&mut out, value);
            }
        }
        out.into_boxed_slice()
    }

    /// The places of values behind the time; `opening` stands before the first.
    fn slots(&self, opening: &[u8], metric_keys: &[Box<[u8]>]) -> Box<[Slot]> {
        let mut slots = Vec::new();
        let mut gap = opening.to_vec();
        for (index, dimension) in self.dimensions.iter().enumerate() {
            if dimension.constant.is_none() {
                gap.extend_from_slice(&dimension.key);
                gap.push(b'"');
                slots.push(Slot { gap: Piece::new(&gap), dimension: Some(index) });
                gap = b"\"".to_vec();
            }
        }
        for key in metric_keys {
            gap.extend_from_slice(key);
            slots.push(Slot { gap: Piece::new(&gap), dimension: None });
            gap.clear();
        }
        slots.into_boxed_slice()
    }

    fn directive(&self) -> Vec<u8> {
        let mut out = br#","CloudWatchMetrics":[{"Namespace":"#.to_vec();
        write_json(&mut out, &self.namespace);
        out.extend_from_slice(br#","Dimensions":["#);
        for (at, set) in self.sets.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",[" } else { b"[" });
            for (at, &index) in set.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_json(&mut out, &self.dimensions[index].name);
            }
            out.push(b']');
        }
        out.extend_from_slice(br#"],"Metrics":["#);
        out
    }
}

/// The bytes of a dimension that an event gives, beside those of the value it gives.
fn shortest(dimension: &Dimension) -> usize {
    if dimension.constant.is_some() {
        return 0;
    }
    let default = dimension.default.as_deref().unwrap_or(EMPTY);
    dimension.key.len() + 2 * default.len() + 2
}

/// `,"_aws":{`, the agent's log group and stream, and what comes before the time.
pub(super) fn head(log_group: Option<&str>, log_stream: Option<&str>) -> Piece {
    let mut head = br#","_aws":{"#.to_vec();
    for (name, value) in [("LogGroupName", log_group), ("LogStreamName", log_stream)] {
        if let Some(value) = value {
            write_json(&mut head, name);
            head.push(b':');
            write_json(&mut head, value);
            head.push(b',');
        }
    }
    head.extend_from_slice(br#""Timestamp":"#);
    Piece::new(&head)
}

/// The most digits of a time in milliseconds.
const TIME_LENGTH: usize = 20;

/// The most bytes of a number as this crate writes it.
pub(crate) const NUMBER_LENGTH: usize = 25;

/// One member of `Metrics`.
pub(crate) fn definition(metric: &Metric) -> Box<[u8]> {
    let mut out = Vec::new();
    write_definition(&mut out, &metric.name, metric.unit, metric.resolution);
    out.into_boxed_slice()
}

pub(crate) fn write_definition(
    out: &mut Vec<u8>,
    name: &str,
    unit: obs_core::metric::Unit,
    resolution: Resolution,
) {
    out.extend_from_slice(br#"{"Name":"#);
    write_json(out, name);
    out.extend_from_slice(br#","Unit":""#);
    out.extend_from_slice(unit.as_str().as_bytes());
    out.push(b'"');
    if resolution == Resolution::High {
        out.extend_from_slice(br#","StorageResolution":1"#);
    }
    out.push(b'}');
}

/// `,"name":`
pub(crate) fn key(name: &str) -> Box<[u8]> {
    let mut out = vec![b','];
    write_json(&mut out, name);
    out.push(b':');
    out.into_boxed_slice()
}
