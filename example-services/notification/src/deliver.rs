use shop_domain::notification::{Channel, Notification};
use shop_kit::observe::about_order;

use crate::{Notice, Notifications, NotifyError, contact};

/// Tells a customer, once for each kind of event; says whether it did.
///
/// # Errors
/// When it must be tried again.
#[tracing::instrument(name = "notification.deliver", skip_all)]
pub async fn deliver(notifications: &Notifications, notice: &Notice) -> Result<bool, NotifyError> {
    let Notice { order_id, user_id, template, channel, subject, body } = notice;
    about_order(order_id, Some(user_id));
    let to = hand_over(notifications, notice).await?;
    let notification = Notification {
        order_id: order_id.clone(),
        user_id: user_id.clone(),
        template: template.clone(),
        channel: *channel,
        to,
        subject: subject.clone(),
        body: body.clone(),
        at_ms: notifications.clock.wall().unix_millis(),
    };
    let new = notifications.store.add(&notification).await.map_err(NotifyError::Store)?;
    if new {
        notifications.metrics.sent(*channel);
    }
    let to = notification.to;
    tracing::info!(channel = channel.as_str(), to, repeated = !new, "customer notified");
    Ok(new)
}

/// Hands a notice over to whoever carries it, and tells the masked address.
///
/// Nobody carries it here; addresses under `.invalid`, which
/// [nobody can have](https://www.rfc-editor.org/rfc/rfc2606#section-2), come back.
async fn hand_over(notifications: &Notifications, notice: &Notice) -> Result<String, NotifyError> {
    if notice.channel == Channel::App {
        return Ok(notice.user_id.to_string());
    }
    let contact = contact(notifications, &notice.order_id).await?;
    let address = match notice.channel {
        Channel::Email => contact.email.filter(|address| !comes_back(address)),
        _ => contact.phone,
    };
    address.as_deref().map(mask).ok_or(NotifyError::Undeliverable)
}

fn comes_back(address: &str) -> bool {
    address.to_ascii_lowercase().ends_with(".invalid")
}

/// What is left of an address: of an e-mail address the first letter and the domain, of a telephone
/// number the last two digits.
#[must_use]
pub fn mask(address: &str) -> String {
    if let Some((name, domain)) = address.split_once('@') {
        return format!("{}***@{domain}", name.chars().next().unwrap_or('*'));
    }
    match address.strip_prefix('+').and_then(|digits| digits.get(digits.len().checked_sub(2)?..)) {
        Some(last) => format!("+***{last}"),
        None => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_masked_whatever_it_is() {
        assert_eq!(mask("ada.lovelace@example.com"), "a***@example.com");
        assert_eq!(mask("@example.com"), "****@example.com");
        assert_eq!(mask("+49301234567"), "+***67");
        for text in ["no address", "+", "+1", "+ä"] {
            assert!(mask(text).trim_start_matches(['+', '*']).len() <= 2, "{text}");
        }
    }

    #[test]
    fn addresses_that_nobody_can_have_come_back() {
        assert!(comes_back("ada@nowhere.INVALID") && !comes_back("invalid@example.com"));
    }
}
