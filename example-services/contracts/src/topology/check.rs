use std::collections::BTreeSet;

use super::{QueueSpec, Service, TargetSpec, Topology, TopologyError};

/// Checks that what is named exists, once, and is of the right kind.
pub(super) fn all(topology: &Topology) -> Result<(), TopologyError> {
    unique("queue", topology.queues.iter().map(|queue| &queue.name))?;
    unique("topic", topology.topics.iter().map(|topic| &topic.name))?;
    unique("rule", topology.bus.rules.iter().map(|rule| &rule.name))?;
    unique("stream", topology.streams.iter().map(|stream| &stream.name))?;
    topology.queues.iter().try_for_each(|queue| dead_letter(topology, queue))?;
    for topic in &topology.topics {
        for subscription in &topic.subscriptions {
            standard(topology, &subscription.queue)?;
        }
    }
    for rule in &topology.bus.rules {
        unique("target", rule.targets.iter().map(|target| &target.id))?;
        rule.targets.iter().try_for_each(|one| target(topology, one))?;
    }
    match topology.streams.iter().find(|stream| stream.shards == 0) {
        Some(stream) => Err(TopologyError::new(format!("stream {} has no shard", stream.name))),
        None => Ok(()),
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<(), TopologyError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(TopologyError::new(format!("there are two of the {what} {name}")));
        }
    }
    Ok(())
}

fn queue<'a>(topology: &'a Topology, name: &str) -> Result<&'a QueueSpec, TopologyError> {
    topology.queue(name).ok_or_else(|| TopologyError::new(format!("there is no queue {name}")))
}

/// Topics and rules have no group for a FIFO queue.
fn standard(topology: &Topology, name: &str) -> Result<(), TopologyError> {
    if queue(topology, name)?.name.ends_with(".fifo") {
        return Err(TopologyError::new(format!("{name} is a FIFO queue, which cannot stand here")));
    }
    Ok(())
}

fn dead_letter(topology: &Topology, from: &QueueSpec) -> Result<(), TopologyError> {
    let Some(dead_letter) = &from.dead_letter else { return Ok(()) };
    let error = |rule| Err(TopologyError::new(format!("queue {}: {rule}", from.name)));
    let to = queue(topology, &dead_letter.queue)?;
    if from.name.ends_with(".fifo") != to.name.ends_with(".fifo") {
        return error("the dead-letter queue must be of the same kind");
    }
    if to.dead_letter.is_some() {
        return error("a dead-letter queue has none of its own");
    }
    if !(1..=1_000).contains(&dead_letter.max_receives) {
        return error("maxReceiveCount is 1 to 1000");
    }
    Ok(())
}

fn target(topology: &Topology, target: &TargetSpec) -> Result<(), TopologyError> {
    let name = &target.arn.name;
    if let Some(queue) = &target.dead_letter {
        standard(topology, queue)?;
    }
    let exists = match target.arn.service {
        Service::Queue => return standard(topology, name),
        Service::Topic => topology.topics.iter().any(|topic| topic.name == *name),
        Service::Stream => topology.streams.iter().any(|stream| stream.name == *name),
        Service::Workflow | Service::LogGroup => true,
    };
    if exists { Ok(()) } else { Err(TopologyError::new(format!("there is no {target}"))) }
}
