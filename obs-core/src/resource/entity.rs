use super::Resource;

/// Root members by which CloudWatch links a line to the platform it comes from, and the attributes
/// that hold them
/// ([documentation](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/adding-your-own-related-telemetry.html)).
const MEMBERS: [(&str, &str); 13] = [
    ("EKS.Cluster", "aws.eks.cluster.arn"),
    ("K8s.Cluster", "k8s.cluster.name"),
    ("K8s.Namespace", "k8s.namespace.name"),
    ("K8s.Workload", "k8s.deployment.name"),
    ("K8s.Node", "k8s.node.name"),
    ("K8s.Pod", "k8s.pod.name"),
    ("ECS.Cluster", "aws.ecs.cluster.arn"),
    ("ECS.Service", "aws.ecs.service.name"),
    ("ECS.Task", "aws.ecs.task.id"),
    ("EC2.InstanceId", "host.id"),
    ("EC2.AutoScalingGroup", "ec2.tag.aws:autoscaling:groupName"),
    ("Lambda.Function", "faas.name"),
    ("Host", "host.name"),
];

impl Resource {
    /// The members that link a line with metrics to a CloudWatch entity, beside the dimensions
    /// `Service` and `Environment`: those whose attributes are known.
    ///
    /// Of an ARN the last part is taken, as CloudWatch wants the name of a cluster.
    ///
    /// ```
    /// use obs_core::resource::Resource;
    ///
    /// let resource = Resource::empty().with("k8s.pod.name", "orders-7d9");
    /// assert_eq!(resource.entity_members().collect::<Vec<_>>(), [("K8s.Pod", "orders-7d9")]);
    /// ```
    pub fn entity_members(&self) -> impl Iterator<Item = (&'static str, &str)> {
        MEMBERS.into_iter().filter_map(|(member, key)| {
            let value = self.get(key)?;
            let name = if key.ends_with(".arn") { value.rsplit('/').next()? } else { value };
            Some((member, name))
        })
    }
}
