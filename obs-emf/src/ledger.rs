//! What became of every data point.
//!
//! ```
//! use obs_emf::ledger::SharedLedger;
//!
//! let ledger = SharedLedger::default().read();
//! assert_eq!(ledger.appended, ledger.emitted + ledger.pending + ledger.dropped());
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use obs_core::shard::Sum;

/// Why a data point did not get out.
///
/// ```
/// use obs_emf::DropReason;
///
/// assert_eq!(DropReason::NotFinite.as_str(), "not_finite");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The value was NaN or infinite, which neither JSON nor CloudWatch knows.
    NotFinite,
    /// The magnitude was above 2^360.
    OutOfRange,
    /// The name of a metric given at run time breaks the rules for names.
    InvalidName,
    /// A metric given at run time has the name of a declared metric, a dimension or a line field.
    NameClash,
    /// Even alone the data point would make a line that its transport cuts.
    TooLarge,
    /// The queue towards the destination was full.
    QueueFull,
    /// The destination refused it.
    Refused,
    /// It came after the shutdown, or the shutdown could not wait for it.
    Closed,
    /// A dimension was over its budget, and the policy left no dimension set.
    SeriesBudget,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::NotFinite,
        Self::OutOfRange,
        Self::InvalidName,
        Self::NameClash,
        Self::TooLarge,
        Self::QueueFull,
        Self::Refused,
        Self::Closed,
        Self::SeriesBudget,
    ];

    /// The name used in documents and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFinite => "not_finite",
            Self::OutOfRange => "out_of_range",
            Self::InvalidName => "invalid_name",
            Self::NameClash => "name_clash",
            Self::TooLarge => "too_large",
            Self::QueueFull => "queue_full",
            Self::Refused => "refused",
            Self::Closed => "closed",
            Self::SeriesBudget => "series_budget",
        }
    }
}

/// What was changed so that a record could go out.
///
/// ```
/// use obs_emf::Repair;
///
/// assert_eq!(Repair::EmptyDimension.as_str(), "empty_dimension");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Repair {
    /// A dimension without a value, or with a blank one, got `__empty__`: CloudWatch would publish
    /// the metric without any dimension.
    EmptyDimension,
    /// Characters of a dimension's value that are not printable ASCII became `?`.
    DimensionCharacters,
    /// A dimension's value was cut to 1024 characters.
    DimensionLength,
    /// A value above the series budget became `__other__`, or its dimension, or the dimension sets
    /// that have it, were left out.
    SeriesBudget,
    /// A label was left out: its name is bad or taken, or there were more than 28.
    LabelDropped,
    /// A magnitude below 2^-360 became 0.
    Underflow,
    /// A time outside CloudWatch's window became the present time.
    Timestamp,
    /// The record was split; counted once for each line after the first.
    Split,
}

impl Repair {
    /// Every repair.
    pub const ALL: [Self; 8] = [
        Self::EmptyDimension,
        Self::DimensionCharacters,
        Self::DimensionLength,
        Self::SeriesBudget,
        Self::LabelDropped,
        Self::Underflow,
        Self::Timestamp,
        Self::Split,
    ];

    /// The name used in documents and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyDimension => "empty_dimension",
            Self::DimensionCharacters => "dimension_characters",
            Self::DimensionLength => "dimension_length",
            Self::SeriesBudget => "series_budget",
            Self::LabelDropped => "label_dropped",
            Self::Underflow => "underflow",
            Self::Timestamp => "timestamp",
            Self::Split => "split",
        }
    }
}

const REASONS: usize = DropReason::ALL.len();
const REPAIRS: usize = Repair::ALL.len();

/// Counts of data points by their fate.
///
/// A data point is one observation: a number counts once, a distribution as often as it has
/// values. At any time `appended = emitted + pending + dropped()`; after a shutdown `pending`
/// is 0.
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_core::metric::Unit;
/// use obs_emf::{DropReason, Repair, Shape};
///
/// let shape = Shape::builder("Shop")
///     .dimension_set(["Channel"])
///     .metric(("Items", Unit::Count))
///     .metric(("Weight", Unit::None))
///     .build()?;
/// let at = Timestamp::from_unix_millis(1_767_225_600_000);
/// let ledger = shape.encode_tail(&mut Vec::new(), at, &[""], &[3.0, f64::NAN]);
/// assert_eq!((ledger.appended, ledger.emitted, ledger.dropped()), (2, 1, 1));
/// assert_eq!(ledger.dropped_for(DropReason::NotFinite), 1);
/// assert_eq!(ledger.repaired(Repair::EmptyDimension), 1);
/// assert!(ledger.is_conserved());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// Data points handed in.
    pub appended: u64,
    /// Data points handed over to the destination, in a valid record.
    pub emitted: u64,
    /// Data points that wait in an aggregate or a queue.
    pub pending: u64,
    dropped: [u64; REASONS],
    repaired: [u64; REPAIRS],
}

impl Default for Ledger {
    #[inline]
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Ledger {
    /// Data points lost, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Data points lost for `reason`.
    #[must_use]
    pub const fn dropped_for(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// How often `repair` was necessary.
    #[must_use]
    pub const fn repaired(&self, repair: Repair) -> u64 {
        self.repaired[repair as usize]
    }

    /// Whether every data point is accounted for.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        self.appended == self.emitted + self.pending + self.dropped()
    }

    /// What a record starts with.
    pub(crate) const EMPTY: Self =
        Self { appended: 0, emitted: 0, pending: 0, dropped: [0; REASONS], repaired: [0; REPAIRS] };

    /// Whether nothing was lost and nothing repaired.
    #[inline]
    pub(crate) fn is_smooth(&self) -> bool {
        let mut all = 0;
        for count in &self.dropped {
            all |= count;
        }
        for count in &self.repaired {
            all |= count;
        }
        all == 0
    }

    #[inline]
    pub(crate) const fn append(&mut self, points: u64) {
        self.appended += points;
    }

    #[inline]
    pub(crate) const fn emit(&mut self, points: u64) {
        self.emitted += points;
    }

    #[inline]
    pub(crate) const fn drop_points(&mut self, reason: DropReason, points: u64) {
        self.dropped[reason as usize] += points;
    }

    /// Counts what was to be emitted as lost.
    pub(crate) fn refuse(&mut self, reason: DropReason) {
        self.drop_points(reason, self.emitted);
        self.emitted = 0;
    }

    pub(crate) fn add_repairs(&mut self, other: &Self) {
        for (count, by) in self.repaired.iter_mut().zip(&other.repaired) {
            *count += by;
        }
    }

    /// Adds another ledger to this one.
    pub(crate) fn add(&mut self, other: &Self) {
        self.appended += other.appended;
        self.emitted += other.emitted;
        for (count, by) in self.dropped.iter_mut().zip(&other.dropped) {
            *count += by;
        }
        self.add_repairs(other);
    }

    #[inline]
    pub(crate) const fn repair(&mut self, repair: Repair) {
        self.repaired[repair as usize] += 1;
    }
}

/// A ledger that many threads write to; clones share it.
///
/// ```
/// use obs_emf::SharedLedger;
///
/// let ledger = SharedLedger::default();
/// assert!(ledger.read().is_conserved());
/// ```
#[derive(Clone, Debug, Default)]
pub struct SharedLedger(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Appended and emitted at once, as nearly all are.
    whole: Sum,
    appended: AtomicU64,
    emitted: AtomicU64,
    dropped: [AtomicU64; REASONS],
    repaired: [AtomicU64; REPAIRS],
}

impl SharedLedger {
    /// Adds what one record came to.
    #[inline]
    pub(crate) fn add(&self, ledger: &Ledger) {
        let counts = &*self.0;
        if ledger.is_smooth() && ledger.appended == ledger.emitted {
            counts.whole.add(ledger.emitted);
            return;
        }
        counts.appended.fetch_add(ledger.appended, Ordering::Relaxed);
        // Release, so that a reader who sees the fate of a data point also sees it appended.
        counts.emitted.fetch_add(ledger.emitted, Ordering::Release);
        let dropped = counts.dropped.iter().zip(&ledger.dropped);
        let repaired = counts.repaired.iter().zip(&ledger.repaired);
        for (count, &by) in dropped.chain(repaired) {
            if by > 0 {
                count.fetch_add(by, Ordering::Release);
            }
        }
    }

    /// The counts now.
    #[must_use]
    pub fn read(&self) -> Ledger {
        let counts = &*self.0;
        // Fates first: what is appended meanwhile shows as pending, never as a negative number.
        let mut ledger = Ledger {
            emitted: counts.emitted.load(Ordering::Acquire),
            dropped: std::array::from_fn(|at| counts.dropped[at].load(Ordering::Acquire)),
            repaired: std::array::from_fn(|at| counts.repaired[at].load(Ordering::Relaxed)),
            ..Ledger::default()
        };
        ledger.appended = counts.appended.load(Ordering::Relaxed);
        let whole = counts.whole.get();
        (ledger.appended, ledger.emitted) = (ledger.appended + whole, ledger.emitted + whole);
        ledger.pending = ledger.appended.saturating_sub(ledger.emitted + ledger.dropped());
        ledger
    }
}
