use std::time::Duration;

use shop_domain::port::messaging::{
    MAX_ATTRIBUTES, MAX_DELAY, MAX_MESSAGE_BYTES, MAX_RECEIVE, MAX_VISIBILITY, MAX_WAIT,
    MessagingError, NewMessage, Receive,
};

/// The most characters of a group and a deduplication id, as in SQS.
const MAX_FIFO_ID: usize = 128;

/// Checks what queues and topics have in common.
pub(super) fn message(operation: &'static str, message: &NewMessage) -> Result<(), MessagingError> {
    let invalid = |rule: String| Err(MessagingError::invalid(operation, rule));
    if message.body.is_empty() {
        return invalid("a message has a body".to_owned());
    }
    if message.size() > MAX_MESSAGE_BYTES {
        return invalid(format!("a message has at most {MAX_MESSAGE_BYTES} bytes"));
    }
    if message.attributes.len() > MAX_ATTRIBUTES {
        return invalid(format!("a message has at most {MAX_ATTRIBUTES} attributes"));
    }
    if message.attributes.iter().any(|(name, value)| name.is_empty() || value.is_empty()) {
        return invalid("an attribute has a name and a value".to_owned());
    }
    Ok(())
}

/// Checks what only one kind of queue takes.
pub(super) fn queue_message(fifo: bool, new: &NewMessage) -> Result<(), MessagingError> {
    const OPERATION: &str = "queue.send";
    let invalid = |rule| Err(MessagingError::invalid(OPERATION, rule));
    message(OPERATION, new)?;
    if fifo {
        let is_id = |id: &String| (1..=MAX_FIFO_ID).contains(&id.len());
        if !new.group_id.as_ref().is_some_and(is_id) {
            return invalid("a FIFO message has a group of 1 to 128 characters");
        }
        if !new.deduplication_id.as_ref().is_none_or(is_id) {
            return invalid("a deduplication id has 1 to 128 characters");
        }
        if new.delay.is_some() {
            return invalid("a FIFO message has no delay of its own");
        }
    } else if new.group_id.is_some() || new.deduplication_id.is_some() {
        return invalid("only a FIFO message has a group and a deduplication id");
    } else if new.delay.is_some_and(|delay| delay > MAX_DELAY) {
        return invalid("a delay is at most 900 s");
    }
    Ok(())
}

pub(super) fn receive(request: Receive) -> Result<(), MessagingError> {
    let invalid = |rule| Err(MessagingError::invalid("queue.receive", rule));
    if !(1..=MAX_RECEIVE).contains(&request.max) {
        return invalid("1 to 10 messages can be received");
    }
    if request.wait > MAX_WAIT {
        return invalid("the wait is at most 20 s");
    }
    request.visibility.map_or(Ok(()), |visibility| self::visibility("queue.receive", visibility))
}

pub(super) fn visibility(
    operation: &'static str,
    visibility: Duration,
) -> Result<(), MessagingError> {
    if visibility > MAX_VISIBILITY {
        return Err(MessagingError::invalid(operation, "a visibility timeout is at most 12 h"));
    }
    Ok(())
}
