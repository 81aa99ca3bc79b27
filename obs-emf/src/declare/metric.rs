use obs_core::metric::{Descriptor, Unit};

/// How finely CloudWatch stores a metric.
///
/// ```
/// use obs_emf::Resolution;
///
/// assert_eq!((Resolution::Standard.seconds(), Resolution::High.seconds()), (60, 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Resolution {
    /// By minute.
    #[default]
    Standard,
    /// By second, kept for three hours. Flush at most every 5 s, or alarms see gaps.
    High,
}

impl Resolution {
    /// The `StorageResolution` in seconds.
    #[must_use]
    pub const fn seconds(self) -> u8 {
        match self {
            Self::Standard => 60,
            Self::High => 1,
        }
    }
}

/// A metric of a shape.
///
/// ```
/// use obs_core::metric::Unit;
/// use obs_emf::{Metric, Resolution};
///
/// let wait = Metric::new("Wait", Unit::Milliseconds).resolution(Resolution::High);
/// assert_eq!((wait.name(), wait.unit()), ("Wait", Unit::Milliseconds));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) resolution: Resolution,
}

impl Metric {
    /// A metric with standard resolution.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: Unit) -> Self {
        Self { name: name.into(), unit, resolution: Resolution::Standard }
    }

    /// Sets the storage resolution. Default [`Resolution::Standard`], a minute.
    #[must_use]
    pub const fn resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = resolution;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unit.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        self.unit
    }
}

impl From<&Descriptor> for Metric {
    fn from(descriptor: &Descriptor) -> Self {
        Self::new(descriptor.name, descriptor.unit)
    }
}

impl From<(&str, Unit)> for Metric {
    fn from((name, unit): (&str, Unit)) -> Self {
        Self::new(name, unit)
    }
}
