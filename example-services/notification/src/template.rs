//! What customers read.

use crate::{Detail, Event};

/// What is told: the kind of event, and of updates the status they are about.
pub(crate) fn name(event: &Event) -> String {
    match &event.detail.new_status {
        Some(status) => format!("{}.{}", event.detail_type, status.to_ascii_lowercase()),
        None => event.detail_type.clone(),
    }
}

/// The line above the text, and the text.
pub(crate) fn text(event: &Event) -> (String, String) {
    let Detail { order_id, tracking_id, carrier, reason, new_status, .. } = &event.detail;
    let unknown = "unknown".to_owned();
    match event.detail_type.as_str() {
        "order.created" => (
            "We have your order".to_owned(),
            format!("Thank you. Your order {order_id} is placed; we tell you when it is sent."),
        ),
        "order.shipped" => (
            "Your order is on its way".to_owned(),
            format!(
                "Your order {order_id} is with {}, under {}.",
                carrier.as_ref().unwrap_or(&unknown),
                tracking_id.as_ref().unwrap_or(&unknown)
            ),
        ),
        _ => (
            "About your order".to_owned(),
            format!(
                "Your order {order_id} is now {}{}.",
                new_status.as_ref().unwrap_or(&unknown),
                reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"))
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_event_is_told_under_a_name_of_its_own() {
        let event = |json: serde_json::Value| serde_json::from_value::<Event>(json).unwrap();
        let shipped = event(serde_json::json!({
            "detail-type": "order.shipped",
            "detail": {"order_id": "o-1", "user_id": "ada", "tracking_id": "T1", "carrier": "van"},
        }));
        assert_eq!(name(&shipped), "order.shipped");
        assert!(text(&shipped).1.contains("T1"));
        let failed = event(serde_json::json!({
            "detail-type": "order.updated",
            "detail": {"order_id": "o-1", "user_id": "ada", "new_status": "PAYMENT_FAILED", "reason": "card_declined"},
        }));
        assert_eq!(name(&failed), "order.updated.payment_failed");
        assert!(text(&failed).1.contains("card_declined"));
    }
}
