//! Which exporter the environment asks for.

use crate::config::ConfigError;
use crate::environment::Environment;
use crate::resource::Resource;

use super::exporter::SpanExporter;

const EXPORTER: &str = "OTEL_TRACES_EXPORTER";

type Selected = Option<Box<dyn SpanExporter>>;

/// The exporter that the environment asks for; `None` if spans go nowhere.
///
/// `OTEL_TRACES_EXPORTER` is `otlp`, `xray` or `none`. Where it is not set, an
/// `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` asks for `otlp`, else an
/// `AWS_XRAY_DAEMON_ADDRESS` for `xray`; without any of them nothing is sent, so that a service on a
/// laptop does not knock at a collector that is not there.
///
/// ```
/// use obs_core::environment::Environment;
/// use obs_core::resource::Resource;
/// use obs_core::trace::exporter_from_environment;
///
/// // Nothing is set, so nothing is sent anywhere.
/// let exporter = exporter_from_environment(&Environment::empty(), &Resource::empty())?;
/// assert!(exporter.is_none());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
///
/// # Errors
/// [`ConfigError`] for an unknown name, for settings of the exporter that cannot be used, and for an
/// exporter that is asked for by name and not built in.
pub fn exporter_from_environment(
    environment: &Environment,
    resource: &Resource,
) -> Result<Selected, ConfigError> {
    match environment.get(EXPORTER).map(str::trim) {
        Some("none") => Ok(None),
        Some("otlp") => otlp(environment, resource),
        Some("xray") => xray(environment, resource),
        Some(other) => Err(ConfigError::new(EXPORTER, other, "must be otlp, xray or none")),
        None if asks_for_otlp(environment) => otlp(environment, resource),
        None if environment.get("AWS_XRAY_DAEMON_ADDRESS").is_some() => xray(environment, resource),
        None => Ok(None),
    }
}

/// Whether the environment names a receiver and one can be reached with what is built in.
fn asks_for_otlp(environment: &Environment) -> bool {
    let built_in = cfg!(any(feature = "otlp-grpc", feature = "otlp-http"));
    let named = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        .iter()
        .any(|name| environment.get(name).is_some());
    built_in && named
}

#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
fn otlp(environment: &Environment, resource: &Resource) -> Result<Selected, ConfigError> {
    let exporter = super::otlp::OtlpExporter::from_environment(environment, resource)?;
    Ok(Some(Box::new(exporter)))
}

#[cfg(not(any(feature = "otlp-grpc", feature = "otlp-http")))]
fn otlp(_: &Environment, _: &Resource) -> Result<Selected, ConfigError> {
    let rule = "needs the feature `otlp-grpc` or `otlp-http` of obs-aws-core";
    Err(ConfigError::new(EXPORTER, "otlp", rule))
}

#[cfg(feature = "xray-daemon")]
fn xray(environment: &Environment, resource: &Resource) -> Result<Selected, ConfigError> {
    let exporter = super::xray::XrayExporter::from_environment(environment, resource)?;
    Ok(Some(Box::new(exporter)))
}

#[cfg(not(feature = "xray-daemon"))]
fn xray(environment: &Environment, _: &Resource) -> Result<Selected, ConfigError> {
    match environment.get(EXPORTER) {
        Some(_) => Err(ConfigError::new(
            EXPORTER,
            "xray",
            "needs the feature `xray-daemon` of obs-aws-core",
        )),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(variables: &[(&str, &str)]) -> Result<Selected, ConfigError> {
        let environment = variables.iter().copied().collect();
        exporter_from_environment(&environment, &Resource::empty())
    }

    #[test]
    fn nothing_is_sent_unless_the_environment_asks_for_it() {
        assert!(select(&[]).unwrap().is_none());
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        assert!(select(&[("OTEL_TRACES_EXPORTER", "none"), endpoint]).unwrap().is_none());
    }

    #[test]
    fn an_unknown_exporter_is_named() {
        let error = select(&[("OTEL_TRACES_EXPORTER", "jaeger")]).unwrap_err();
        assert_eq!((error.field(), error.value()), (EXPORTER, "jaeger"));
    }

    #[cfg(feature = "otlp-http")]
    #[test]
    fn an_endpoint_asks_for_otlp() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        let selected = format!("{:?}", select(&[endpoint]).unwrap().unwrap());
        assert!(selected.contains("http://collector:4318/v1/traces"), "{selected}");
    }

    #[cfg(feature = "xray-daemon")]
    #[test]
    fn a_daemons_address_asks_for_xray_and_a_bad_one_is_named() {
        let daemon = ("AWS_XRAY_DAEMON_ADDRESS", "xray:2000");
        let selected = format!("{:?}", select(&[daemon]).unwrap().unwrap());
        assert!(selected.contains("udp:xray:2000"), "{selected}");
        let error = select(&[("AWS_XRAY_DAEMON_ADDRESS", "xray")]).unwrap_err();
        assert_eq!(error.field(), "AWS_XRAY_DAEMON_ADDRESS");
    }

    #[cfg(not(any(feature = "otlp-grpc", feature = "otlp-http")))]
    #[test]
    fn an_exporter_that_is_not_built_in_is_an_error_only_if_named() {
        let error = select(&[("OTEL_TRACES_EXPORTER", "otlp")]).unwrap_err();
        assert!(error.to_string().contains("`otlp-grpc`"), "{error}");
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        assert!(select(&[endpoint]).unwrap().is_none());
    }
}
