use std::path::Path;

use serde_json::{Value, json};
use shop_contracts::Topology;
use shop_domain::port::messaging::{Message, Queue};
use shop_store::SqliteQueue;

use crate::client::Fault;
use crate::finding::{Finding, Found};
use crate::running::messaging;

fn open(data: &Path, name: &str) -> Result<SqliteQueue, Fault> {
    let broker = messaging::open(data)?;
    broker.queue(name).ok_or_else(|| {
        let known: Vec<_> = broker.queues().map(|queue| queue.name().to_owned()).collect();
        format!("there is no queue {name}; there are {}", known.join(", ")).into()
    })
}

/// Looks at the oldest messages of a queue without receiving them.
pub(super) async fn peek(data: &Path, name: &str, limit: usize) -> Found {
    let queue = open(data, name)?;
    let depth = queue.depth().await?;
    let messages = queue.peek(limit).await?;
    let shown: Vec<Value> = messages.iter().map(shown).collect();
    let mut text = format!(
        "  {name}: {} visible, {} in flight, {} delayed\n",
        depth.visible, depth.in_flight, depth.delayed
    );
    for message in &shown {
        text.push_str(&format!("\n{message:#}\n"));
    }
    Ok(Finding { good: true, json: json!({"queue": name, "messages": shown}), text })
}

/// A message, without what nobody needs to see: task tokens, and whatever looks like a secret.
fn shown(message: &Message) -> Value {
    let mut body: Value = serde_json::from_str(&message.body)
        .unwrap_or_else(|_| json!(message.body.chars().take(2_000).collect::<String>()));
    hide(&mut body);
    json!({
        "message_id": message.message_id,
        "receive_count": message.receive_count,
        "sent_at_ms": message.sent_at_ms,
        "group_id": message.group_id,
        "dead_letter_source": message.dead_letter_source,
        "attributes": message.attributes,
        "body": body,
    })
}

/// Members whose values are not shown.
const HIDDEN: [&str; 7] =
    ["task_token", "taskToken", "TaskToken", "card_number", "card", "email", "phone"];

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if HIDDEN.contains(&name.as_str()) {
                    *member = "(hidden)".into()
                } else {
                    hide(member)
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(hide),
        _ => {}
    }
}

/// Sends the messages of a dead-letter queue back to where they came from.
pub(super) async fn redrive(data: &Path, name: &str, limit: usize) -> Found {
    let queue = open(data, name)?;
    let topology = Topology::embedded()?;
    let mut letters = topology.queues.iter().filter_map(|queue| queue.dead_letter.as_ref());
    if !letters.any(|to| to.queue == name) {
        return Err(format!("{name} is no dead-letter queue").into());
    }
    let redriven = queue.redrive(limit).await?;
    let text = format!("  {redriven} messages of {name} are on their way again\n");
    Ok(Finding { good: true, json: json!({"queue": name, "redriven": redriven}), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_needs_to_see_is_hidden_at_any_depth() {
        let mut body = json!({"a": [{"task_token": "t", "n": 1}], "card": {"number": "4"}});
        hide(&mut body);
        assert_eq!(body, json!({"a": [{"task_token": "(hidden)", "n": 1}], "card": "(hidden)"}));
    }
}
