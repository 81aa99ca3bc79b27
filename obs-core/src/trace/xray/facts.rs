use crate::resource::Resource;

use super::clean;

/// What the resource says about every segment, cleaned once.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) service: String,
    pub(super) version: Option<String>,
    pub(super) origin: Option<&'static str>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    pub(super) log_groups: Vec<LogGroup>,
    /// The whole resource, for the metadata of segments.
    pub(super) resource: Vec<(String, String)>,
}

/// Where the service's lines are, so that CloudWatch shows them beside the trace.
#[derive(Clone, Debug)]
pub(super) struct LogGroup {
    pub(super) name: Option<String>,
    pub(super) arn: Option<String>,
}

impl Facts {
    pub(super) fn new(resource: &Resource) -> Self {
        let text = |key: &str| {
            let value = resource.get(key)?;
            Some(clean::shortened(value, clean::MAX_FIELD).to_owned())
        };
        Self {
            service: clean::name(resource.get("service.name").unwrap_or("unknown_service")),
            version: text("service.version"),
            origin: resource.get("cloud.platform").and_then(origin),
            account: text("cloud.account.id"),
            region: text("cloud.region"),
            log_groups: log_groups(resource),
            resource: resource
                .iter()
                .map(|(key, value)| (format!("otel.resource.{key}"), value.to_owned()))
                .collect(),
        }
    }
}

/// The AWS resource that runs the service, by its
/// [name in X-Ray](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-fields).
pub(in crate::trace) fn origin(platform: &str) -> Option<&'static str> {
    Some(match platform {
        "aws_ec2" => "AWS::EC2::Instance",
        "aws_ecs" => "AWS::ECS::Container",
        "aws_eks" => "AWS::EKS::Container",
        "aws_lambda" => "AWS::Lambda::Function",
        "aws_elastic_beanstalk" => "AWS::ElasticBeanstalk::Environment",
        "aws_app_runner" => "AWS::AppRunner::Service",
        _ => return None,
    })
}

fn log_groups(resource: &Resource) -> Vec<LogGroup> {
    // Attributes of a resource are text; several values come separated by `&`, as in the
    // CloudWatch agent, or by a comma.
    let list = |key: &str| -> Vec<String> {
        let values = resource.get(key).unwrap_or_default().split([',', '&']);
        let values = values.map(str::trim).filter(|value| !value.is_empty());
        values.map(|value| clean::shortened(value, 512).to_owned()).take(10).collect()
    };
    let arns = list("aws.log.group.arns");
    if arns.is_empty() {
        let names = list("aws.log.group.names").into_iter();
        return names.map(|name| LogGroup { name: Some(name), arn: None }).collect();
    }
    let name = |arn: &str| arn.split(":log-group:").nth(1).map(|rest| rest.replace(":*", ""));
    arns.into_iter().map(|arn| LogGroup { name: name(&arn), arn: Some(arn) }).collect()
}
