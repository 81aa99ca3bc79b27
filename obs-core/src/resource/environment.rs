use super::Resource;
use crate::config::ConfigError;
use crate::environment::Environment;

const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// Variables that platforms set, and the attributes they stand for.
const PLATFORM: [(&str, &str); 6] = [
    ("POD_NAME", "k8s.pod.name"),
    ("NODE_NAME", "k8s.node.name"),
    ("AWS_LAMBDA_FUNCTION_NAME", "faas.name"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "faas.version"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "faas.instance"),
    ("AWS_REGION", "cloud.region"),
];

pub(super) fn read(environment: &Environment) -> Result<Resource, ConfigError> {
    let mut resource = Resource::empty();
    for member in environment.get(ATTRIBUTES).unwrap_or_default().split(',') {
        if member.trim().is_empty() {
            continue;
        }
        let (key, value) = parse_member(member)?;
        resource.set(key, value);
    }
    if let Some(name) = environment.get("OTEL_SERVICE_NAME") {
        resource.set("service.name", name);
    }
    Ok(resource.or(platform(environment)))
}

fn platform(environment: &Environment) -> Resource {
    let mut resource = Resource::empty();
    for (variable, key) in PLATFORM {
        if let Some(value) = environment.get(variable) {
            resource.set(key, value);
        }
    }
    let platform = if environment.get("AWS_LAMBDA_FUNCTION_NAME").is_some() {
        Some("aws_lambda")
    } else if environment.get("ECS_CONTAINER_METADATA_URI_V4").is_some() {
        Some("aws_ecs")
    } else {
        None
    };
    match platform {
        Some(platform) => resource.with("cloud.provider", "aws").with("cloud.platform", platform),
        None => resource,
    }
}

fn parse_member(member: &str) -> Result<(String, String), ConfigError> {
    let refused = |rule| ConfigError::new(ATTRIBUTES, member.trim(), rule);
    let (key, value) = member.split_once('=').ok_or_else(|| refused("must be key=value"))?;
    let key = key.trim();
    if key.is_empty() {
        return Err(refused("must have a key before ="));
    }
    let value = percent_decoded(value.trim())
        .ok_or_else(|| refused("must be percent-encoded UTF-8 after ="))?;
    Ok((key.to_owned(), value))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, others @ ..] = rest else { return None };
        rest = others;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
    }
    String::from_utf8(bytes).ok()
}
