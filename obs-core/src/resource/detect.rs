//! What AWS's metadata services tell about the place where the process runs.

use std::sync::mpsc;
use std::time::Duration;

use opentelemetry::{Array, Value};
use opentelemetry_aws::detector::{
    Ec2ResourceDetector, EcsResourceDetector, EksResourceDetector, LambdaResourceDetector,
};
use opentelemetry_sdk::resource::ResourceDetector;

use super::Resource;
use crate::environment::Environment;

impl Resource {
    /// Asks AWS where this process runs, for at most `limit`: the task's metadata on ECS, the
    /// instance's on EKS and EC2; in a Lambda function it asks nobody.
    ///
    /// `environment` tells the platform; the addresses and names that a platform puts into the
    /// environment are read from the process. When time is up, or off AWS, the answer is empty and
    /// the thread that asked is left behind: each of its calls ends by itself within a second.
    /// Blocks the calling thread; call it once, at the start, and give the builder what it found:
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use obs_core::environment::Environment;
    /// use obs_core::resource::Resource;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let environment = Environment::process();
    /// let resource = Resource::detect_aws(&environment, Duration::from_secs(1));
    /// let telemetry = Telemetry::builder("orders").resource(resource).init()?;
    /// # Ok::<(), obs_core::subscriber::InitError>(())
    /// ```
    #[must_use]
    pub fn detect_aws(environment: &Environment, limit: Duration) -> Self {
        first_within(detectors(environment), limit)
    }
}

type Detector = Box<dyn FnOnce() -> Resource + Send>;

/// What to ask, in this order, until one knows something.
fn detectors(environment: &Environment) -> Vec<Detector> {
    let is_set = |variable: &str| environment.get(variable).is_some();
    if is_set("AWS_LAMBDA_FUNCTION_NAME") {
        vec![detector(LambdaResourceDetector)]
    } else if is_set("ECS_CONTAINER_METADATA_URI_V4") {
        vec![detector(EcsResourceDetector)]
    } else if is_set("KUBERNETES_SERVICE_HOST") {
        // A cluster of one's own runs on instances too.
        vec![detector(EksResourceDetector), detector(Ec2ResourceDetector)]
    } else {
        vec![detector(Ec2ResourceDetector)]
    }
}

fn detector(detector: impl ResourceDetector + Send + 'static) -> Detector {
    Box::new(move || from_otel(&detector.detect()))
}

fn first_within(detectors: Vec<Detector>, limit: Duration) -> Resource {
    let (found, answer) = mpsc::channel();
    let asking = std::thread::Builder::new().name("obs-detect".to_owned()).spawn(move || {
        let mut answers = detectors.into_iter().map(|detect| detect());
        let first = answers.find(|resource| resource.iter().len() > 0);
        // Who asked may have stopped waiting.
        let _ = found.send(first.unwrap_or_default());
    });
    match asking {
        Ok(_) => answer.recv_timeout(limit).unwrap_or_default(),
        Err(_) => Resource::empty(),
    }
}

/// The attributes sorted by key; of several values one text, separated by commas.
fn from_otel(found: &opentelemetry_sdk::Resource) -> Resource {
    let text = |value: &Value| match value {
        Value::Array(Array::String(texts)) => {
            texts.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    };
    let mut attributes: Vec<_> =
        found.iter().map(|(key, value)| (key.as_str().to_owned(), text(value))).collect();
    attributes.sort();
    attributes
        .into_iter()
        .fold(Resource::empty(), |resource, (key, value)| resource.with(key, value))
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_metadata_service_that_never_answers_costs_no_more_than_the_limit() {
        let (_release, hang) = mpsc::channel::<()>();
        let hanging: Detector = Box::new(move || {
            let _ = hang.recv();
            Resource::empty()
        });
        assert_eq!(first_within(vec![hanging], Duration::from_millis(1)), Resource::empty());
    }

    #[test]
    fn the_first_that_knows_something_is_believed_and_the_next_is_not_asked() {
        let known = Resource::empty().with("cloud.platform", "aws_eks");
        let (nothing, answer) = (Resource::empty(), known.clone());
        let detectors: Vec<Detector> = vec![
            Box::new(move || nothing),
            Box::new(move || answer),
            Box::new(|| unreachable!("it is known by then")),
        ];
        assert_eq!(first_within(detectors, LONG), known);
    }

    #[test]
    fn a_detector_that_panics_is_one_that_knows_nothing() {
        assert_eq!(first_within(vec![Box::new(|| panic!("on purpose"))], LONG), Resource::empty());
    }

    #[test]
    fn the_environment_tells_whom_to_ask() {
        for (variable, count) in [
            ("AWS_LAMBDA_FUNCTION_NAME", 1),
            ("ECS_CONTAINER_METADATA_URI_V4", 1),
            ("KUBERNETES_SERVICE_HOST", 2),
            ("HOME", 1),
        ] {
            assert_eq!(detectors(&Environment::from([(variable, "x")])).len(), count, "{variable}");
        }
    }

    #[test]
    fn lists_become_one_text_and_keys_are_in_order() {
        let list = Array::from(["/a", "/b"].map(opentelemetry::StringValue::from).to_vec());
        let found = opentelemetry_sdk::Resource::builder_empty().with_attributes([
            KeyValue::new("faas.max_memory", 1024),
            KeyValue::new("aws.log.group.names", Value::Array(list)),
        ]);
        let resource = from_otel(&found.build());
        let all: Vec<_> = resource.iter().collect();
        assert_eq!(all, [("aws.log.group.names", "/a,/b"), ("faas.max_memory", "1024")]);
    }
}
