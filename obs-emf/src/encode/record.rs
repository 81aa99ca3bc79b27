//! One event with its metrics, borrowed from whoever has them.

use obs_core::clock::Timestamp;
use obs_core::log::{FieldKey, Ids, Line, TailRoom, ValueRef};

use super::series::{Series, SeriesWriter, Source};
use super::tail::{ABSENT, Event, Extra};
use crate::declare::Shape;
use crate::ledger::Ledger;

/// One event: what a sink takes.
///
/// It borrows everything, so that making one costs nothing.
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_core::log::{Ids, ValueRef};
/// use obs_core::metric::{Descriptor, Unit};
/// use obs_core::telemetry::Telemetry;
/// use obs_emf::sink::{LineSink, Sink};
/// use obs_emf::{Record, Series, Shape};
///
/// static WEIGHT: Descriptor = Descriptor::new("Weight", Unit::None, "Weight of an order in kg");
///
/// let shape = Shape::builder("Shop").dimension_set(["Channel"]).metric(("Items", Unit::Count)).build()?;
/// let fields = [("order_id", ValueRef::from("o-7"))];
/// let extras = [(&WEIGHT, 1.25)];
/// let waits = [Series::new("Wait", Unit::Milliseconds, &[(1.5, 20), (40.0, 1)])];
/// let record = Record::new(&shape, Timestamp::from_unix_millis(1_767_225_600_000))
///     .dimensions(&["web"])
///     .values(&[3.0])
///     .extras(&extras)
///     .series(&waits)
///     .fields(&fields)
///     .ids(Ids::default())
///     .error(false);
/// assert_eq!(record.points(), 1 + 1 + 21);
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// LineSink::of(&telemetry).emit(&record);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) timestamp: Timestamp,
    pub(crate) dimensions: &'a [&'a str],
    pub(crate) values: &'a [f64],
    pub(crate) extras: &'a [Extra<'a>],
    pub(crate) series: &'a [Series<'a>],
    pub(crate) known_fields: &'a [(&'a FieldKey, ValueRef<'a>)],
    pub(crate) fields: &'a [(&'a str, ValueRef<'a>)],
    pub(crate) ids: Ids<'a>,
    pub(crate) is_error: bool,
}

impl<'a> Record<'a> {
    /// An event of `shape` without values.
    #[must_use]
    pub fn new(shape: &'a Shape, timestamp: Timestamp) -> Self {
        Self {
            shape,
            timestamp,
            dimensions: &[],
            values: &[],
            extras: &[],
            series: &[],
            known_fields: &[],
            fields: &[],
            ids: Ids::default(),
            is_error: false,
        }
    }

    /// The values of [`Shape::dimension_names`], in that order.
    #[must_use]
    pub const fn dimensions(mut self, values: &'a [&'a str]) -> Self {
        self.dimensions = values;
        self
    }

    /// The values of [`Shape::metrics`], in that order.
    #[must_use]
    pub const fn values(mut self, values: &'a [f64]) -> Self {
        self.values = values;
        self
    }

    /// Metrics that the shape does not declare, one value each.
    #[must_use]
    pub const fn extras(mut self, extras: &'a [Extra<'a>]) -> Self {
        self.extras = extras;
        self
    }

    /// Metrics that the shape does not declare, with any number of values.
    #[must_use]
    pub const fn series(mut self, series: &'a [Series<'a>]) -> Self {
        self.series = series;
        self
    }

    /// Fields whose names are known when the program is compiled, each of which saves some 140
    /// instructions beside other [`fields`](Self::fields): an event with five metrics and seven of
    /// them takes 3,600 in place of 4,600, built without link-time optimisation. They come first.
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    /// use obs_core::log::FieldKey;
    /// use obs_core::metric::Unit;
    /// use obs_emf::{Record, Shape};
    ///
    /// const ORDER: FieldKey = FieldKey::new("order");
    ///
    /// let shape = Shape::builder("Shop").metric(("OrderValue", Unit::None)).build()?;
    /// let fields = [(&ORDER, "o-17".into())];
    /// let record = Record::new(&shape, Timestamp::default()).known_fields(&fields).values(&[99.5]);
    /// assert_eq!(record.points(), 1);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn known_fields(mut self, fields: &'a [(&'a FieldKey, ValueRef<'a>)]) -> Self {
        self.known_fields = fields;
        self
    }

    /// Fields of the line, which are not metrics and make no series.
    #[must_use]
    pub const fn fields(mut self, fields: &'a [(&'a str, ValueRef<'a>)]) -> Self {
        self.fields = fields;
        self
    }

    /// The ids that tie the line to its request and trace.
    #[must_use]
    pub const fn ids(mut self, ids: Ids<'a>) -> Self {
        self.ids = ids;
        self
    }

    /// Whether the event is a failure: in hybrid mode failures are always kept in full. Default
    /// `false`.
    #[must_use]
    pub const fn error(mut self, is_error: bool) -> Self {
        self.is_error = is_error;
        self
    }

    /// How many data points the record holds.
    #[must_use]
    pub fn points(&self) -> u64 {
        let declared = self.values.iter().filter(|value| value.to_bits() != ABSENT.to_bits());
        let series = self.series.iter().map(Series::count).sum::<u64>();
        declared.count() as u64 + self.extras.len() as u64 + series
    }

    /// Finishes `line` with the metrics, in as many parts as they need.
    pub(crate) fn finish<'b>(&self, line: Line<'b>, ledger: &mut Ledger) -> &'b [u8] {
        if self.has_no_metrics() {
            return self.finish_bare(line);
        }
        let mut stage = Stage::Declared;
        line.finish_with_tails(|out, room| self.write(&mut stage, out, room, ledger))
    }

    fn has_no_metrics(&self) -> bool {
        self.values.is_empty() && self.extras.is_empty() && self.series.is_empty()
    }

    /// Finishes an ordinary line, of which the dimensions are properties; too long ones are left
    /// out.
    fn finish_bare<'b>(&self, line: Line<'b>) -> &'b [u8] {
        line.finish_with_tails(|out, room| {
            if self.shape.tail_length(self.dimensions, room.bytes) <= room.bytes {
                self.shape.write_dimensions(out, self.dimensions, &mut Ledger::default());
                return false;
            }
            room.has_fields
        })
    }

    /// Writes the tail of one part; says whether there is more.
    fn write<'s>(
        &'s self,
        stage: &mut Stage<'s>,
        out: &mut Vec<u8>,
        room: TailRoom,
        ledger: &mut Ledger,
    ) -> bool {
        let alone = self.extras.is_empty() && self.series.is_empty();
        if alone && matches!(stage, Stage::Declared) && self.fits(room) {
            let (timestamp, dimensions, values) =
                (self.timestamp, self.dimensions, Some(self.values));
            let event = Event { timestamp, dimensions, values, extras: &[] };
            self.shape.write_tail(out, event, room.bytes, ledger);
            return false;
        }
        let start = out.len();
        loop {
            *stage = match stage {
                Stage::Declared => {
                    if !self.fits(room) {
                        if room.has_fields {
                            return true;
                        }
                        let declared = Source::Declared(self.shape.metrics(), self.values);
                        Stage::OneByOne(self.series_writer(declared, ledger))
                    } else {
                        Stage::Extras(self.extras, !self.values.is_empty())
                    }
                }
                Stage::OneByOne(writer) => {
                    if writer.write(out, room, ledger) {
                        return true;
                    }
                    Stage::Extras(self.extras, false)
                }
                Stage::Extras([], false) => {
                    Stage::Series(self.series_writer(Source::Series(self.series), ledger))
                }
                // Each record has one tail.
                _ if out.len() > start => return self.has_more(stage),
                Stage::Extras(rest, with_declared) => {
                    let values = if *with_declared { self.values } else { &[] };
                    let rest = self.write_extras(out, values, rest, room, ledger);
                    Stage::Extras(rest, false)
                }
                Stage::Series(writer) => return writer.write(out, room, ledger),
            }
        }
    }

    fn has_more(&self, stage: &Stage<'_>) -> bool {
        match stage {
            Stage::Extras([], false) | Stage::Series(_) => !self.series.is_empty(),
            _ => true,
        }
    }

    /// Whether the declared metrics fit one part.
    fn fits(&self, room: TailRoom) -> bool {
        self.values.is_empty() || self.shape.tail_length(self.dimensions, room.bytes) <= room.bytes
    }

    /// Writes the declared metrics, if given, and extra ones; says which of those are left.
    fn write_extras(
        &self,
        out: &mut Vec<u8>,
        values: &[f64],
        extras: &'a [Extra<'a>],
        room: TailRoom,
        ledger: &mut Ledger,
    ) -> &'a [Extra<'a>] {
        let given = (!values.is_empty()).then_some(values);
        let (timestamp, dimensions) = (self.timestamp, self.dimensions);
        let event = Event { timestamp, dimensions, values: given, extras };
        let written = match given {
            None => self.shape.write_rest(out, event, room.bytes, ledger),
            Some(_) => self.shape.write_tail(out, event, room.bytes, ledger),
        };
        &extras[written..]
    }

    fn series_writer<'s>(&'s self, source: Source<'s>, ledger: &mut Ledger) -> SeriesWriter<'s> {
        SeriesWriter::new(self.shape, self.timestamp, self.dimensions, source, ledger)
    }
}

/// What a record has still to write.
#[derive(Debug)]
enum Stage<'s> {
    /// Everything.
    Declared,
    /// The declared metrics, which are too long for one part.
    OneByOne(SeriesWriter<'s>),
    /// These extra metrics, with the declared ones if so said.
    Extras(&'s [Extra<'s>], bool),
    /// The series.
    Series(SeriesWriter<'s>),
}
