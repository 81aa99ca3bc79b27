use tracing::Level;

/// The level of a line: those of `tracing`, and above them `FATAL`, which only Lambda has.
///
/// ```
/// use obs_core::log::LineLevel;
/// use tracing::Level;
///
/// assert_eq!(LineLevel::from(Level::WARN).as_str(), "WARN");
/// assert!(LineLevel::Fatal > LineLevel::from(Level::ERROR));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineLevel {
    /// What happens in every detail.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What happens as it should.
    Info,
    /// What somebody should look at some day.
    Warn,
    /// What failed.
    Error,
    /// No event has it: only lines that must pass Lambda's own filter at that level.
    Fatal,
}

impl LineLevel {
    /// The level as it stands in lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    /// What stands between the timestamp and the message.
    #[inline]
    pub(super) const fn member(self) -> &'static [u8] {
        match self {
            Self::Trace => b"\",\"level\":\"TRACE\",\"message\":",
            Self::Debug => b"\",\"level\":\"DEBUG\",\"message\":",
            Self::Info => b"\",\"level\":\"INFO\",\"message\":",
            Self::Warn => b"\",\"level\":\"WARN\",\"message\":",
            Self::Error => b"\",\"level\":\"ERROR\",\"message\":",
            Self::Fatal => b"\",\"level\":\"FATAL\",\"message\":",
        }
    }
}

impl From<Level> for LineLevel {
    #[inline]
    fn from(level: Level) -> Self {
        match level {
            Level::TRACE => Self::Trace,
            Level::DEBUG => Self::Debug,
            Level::INFO => Self::Info,
            Level::WARN => Self::Warn,
            Level::ERROR => Self::Error,
        }
    }
}
