use tracing::Level;
use tracing_core::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::config::ConfigError;
use crate::environment::Environment;
use crate::log::LineLevel;

/// Which lines are written, by level and target.
#[derive(Clone, Debug)]
pub(crate) struct LineFilter {
    /// `None` if all targets have the same level.
    targets: Option<Targets>,
    max_level: LevelFilter,
    /// The level to which single requests may be raised.
    raised: LevelFilter,
    /// Lambda's own filter, which drops lines of lower levels behind our back.
    lambda_level: Option<LineLevel>,
}

impl LineFilter {
    /// `RUST_LOG`, else Lambda's level, else `default_directives`.
    pub(crate) fn from_environment(
        environment: &Environment,
        default_directives: &str,
    ) -> Result<Self, ConfigError> {
        let lambda_level = lambda_level(environment)?;
        let targets = match (environment.get("RUST_LOG"), lambda_level) {
            (Some(directives), _) => parse("RUST_LOG", directives)?,
            (None, Some(level)) => Targets::new().with_default(events_of(level)),
            (None, None) => parse("level_filter", default_directives)?,
        };
        let max_level = targets
            .iter()
            .map(|(_, level)| level)
            .chain(targets.default_level())
            .max()
            .unwrap_or(LevelFilter::OFF);
        let is_uniform = targets.iter().next().is_none();
        let targets = (!is_uniform).then_some(targets);
        Ok(Self { targets, max_level, raised: LevelFilter::OFF, lambda_level })
    }

    #[inline]
    pub(crate) fn enables(&self, level: Level, target: &str) -> bool {
        level <= self.max_level
            && self.targets.as_ref().is_none_or(|targets| targets.would_enable(target, &level))
    }

    /// Whether lines of this level and target are written, if only for some requests.
    pub(crate) fn may_enable(&self, level: Level, target: &str) -> bool {
        level <= self.raised || self.enables(level, target)
    }

    /// The most verbose level that any target lets through, if only for some requests.
    pub(crate) fn max_level(&self) -> LevelFilter {
        self.max_level.max(self.raised)
    }

    /// Lets single requests have lines down to `level`.
    pub(crate) fn raise_to(&mut self, level: LevelFilter) {
        self.raised = self.raised.max(level);
    }

    /// The level that a line which must arrive has to carry.
    pub(crate) fn passing(&self, level: Level) -> LineLevel {
        let level = LineLevel::from(level);
        self.lambda_level.map_or(level, |least| level.max(least))
    }
}

/// The events that a filter at `level` lets through.
const fn events_of(level: LineLevel) -> LevelFilter {
    match level {
        LineLevel::Trace => LevelFilter::TRACE,
        LineLevel::Debug => LevelFilter::DEBUG,
        LineLevel::Info => LevelFilter::INFO,
        LineLevel::Warn => LevelFilter::WARN,
        LineLevel::Error => LevelFilter::ERROR,
        LineLevel::Fatal => LevelFilter::OFF,
    }
}

fn parse(field: &'static str, directives: &str) -> Result<Targets, ConfigError> {
    directives.parse().map_err(|_| {
        ConfigError::new(field, directives, "must be directives such as info or info,hyper=warn")
    })
}

/// The level below which Lambda drops lines, which it does in its JSON format only
/// ([documentation](https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html)).
fn lambda_level(environment: &Environment) -> Result<Option<LineLevel>, ConfigError> {
    const FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
    const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
    if !environment.get(FORMAT).is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        return Ok(None);
    }
    let level = environment.get(LEVEL).unwrap_or("INFO");
    match level.to_ascii_uppercase().as_str() {
        "TRACE" => Ok(Some(LineLevel::Trace)),
        "DEBUG" => Ok(Some(LineLevel::Debug)),
        "INFO" => Ok(Some(LineLevel::Info)),
        "WARN" => Ok(Some(LineLevel::Warn)),
        "ERROR" => Ok(Some(LineLevel::Error)),
        "FATAL" => Ok(Some(LineLevel::Fatal)),
        _ => {
            let rule = "must be one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL";
            Err(ConfigError::new(LEVEL, level, rule))
        }
    }
}
