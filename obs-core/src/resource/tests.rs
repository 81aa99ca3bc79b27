use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Resource, ConfigError> {
    Resource::from_environment(&variables.iter().copied().collect())
}

#[test]
fn the_service_name_variable_wins_over_the_attribute() {
    let resource = read(&[
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a, service.version = 2 ,team=a%2Cb"),
        ("OTEL_SERVICE_NAME", "orders"),
    ])
    .unwrap();
    assert_eq!(resource.get("service.name"), Some("orders"));
    assert_eq!(resource.get("service.version"), Some("2"));
    assert_eq!(resource.get("team"), Some("a,b"));
}

#[test]
fn an_explicit_attribute_wins_over_what_the_platform_says() {
    let resource = read(&[
        ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=mine"),
        ("POD_NAME", "theirs"),
        ("NODE_NAME", "node-1"),
    ])
    .unwrap();
    assert_eq!(resource.get("k8s.pod.name"), Some("mine"));
    assert_eq!(resource.get("k8s.node.name"), Some("node-1"));
}

#[test]
fn lambda_is_recognised_without_a_network_call() {
    let resource = read(&[("AWS_LAMBDA_FUNCTION_NAME", "resize"), ("AWS_REGION", "eu-west-1")]);
    let resource = resource.unwrap();
    assert_eq!(resource.get("faas.name"), Some("resize"));
    assert_eq!(resource.get("cloud.platform"), Some("aws_lambda"));
    assert_eq!(resource.get("cloud.region"), Some("eu-west-1"));
}

#[test]
fn an_attribute_list_that_cannot_be_read_is_refused_by_name() {
    for list in ["novalue", "=x", "a=%4", "a=%zz", "a=%ff"] {
        let error = read(&[("OTEL_RESOURCE_ATTRIBUTES", list)]).unwrap_err();
        assert_eq!(error.field(), "OTEL_RESOURCE_ATTRIBUTES");
        assert_eq!(error.value(), list);
    }
}

#[test]
fn what_is_known_of_the_platform_becomes_entity_members() {
    let resource = Resource::empty()
        .with("aws.ecs.cluster.arn", "arn:aws:ecs:eu-west-1:123456789012:cluster/shop")
        .with("k8s.pod.name", "orders-1")
        .with("service.name", "orders");
    let members: Vec<_> = resource.entity_members().collect();
    assert_eq!(members, [("K8s.Pod", "orders-1"), ("ECS.Cluster", "shop")]);
}
