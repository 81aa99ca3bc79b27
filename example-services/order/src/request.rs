use http::HeaderMap;
use serde::Deserialize;
use shop_domain::cart::{Item, MAX_ITEMS};
use shop_domain::id::{IdempotencyKey, TenantId, UserId};
use shop_domain::notification::Contact;
use shop_domain::port::{Fingerprint, Key};
use shop_domain::quantity::Quantity;
use shop_kit::extract::Json;
use shop_kit::failure::Failure;

use crate::secret::{Card, Email, Phone};

/// What a customer asks for, checked as far as that is possible without asking anyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) tenant_id: TenantId,
    pub(crate) user_id: UserId,
    pub(crate) what: What,
    pub(crate) key: Option<Key>,
    pub(crate) card: Option<Card>,
    pub(crate) contact: Contact,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// What the customer's cart holds.
    Cart,
    /// These, each product once.
    Items(Vec<Item>),
}

#[derive(Deserialize)]
struct Document {
    user_id: UserId,
    lines: Option<Vec<Item>>,
    #[serde(default)]
    from_cart: bool,
    card: Option<Card>,
    email: Option<Email>,
    phone: Option<Phone>,
}

impl Wish {
    pub(crate) fn parse(
        tenant_id: TenantId,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, Failure> {
        let Document { user_id, lines, from_cart, card, email, phone } = Json::parse(body)?;
        let what = match (lines, from_cart) {
            (None, true) => What::Cart,
            (Some(lines), false) => What::Items(merged(lines)?),
            _ => return Err(Failure::unprocessable("give either lines or from_cart: true")),
        };
        let key = key(headers)?.map(|key| Key {
            tenant_id: tenant_id.clone(),
            user_id: user_id.clone(),
            key,
            fingerprint: Fingerprint::of(body),
        });
        let contact = Contact { email: email.map(Email::expose), phone: phone.map(Phone::expose) };
        Ok(Self { tenant_id, user_id, what, key, card, contact })
    }
}

fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Failure> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    // The header is a structured string; most clients send it without the quotes.
    let key = value.to_str().ok().map(|text| text.trim_matches('"'));
    let key = key.and_then(|text| IdempotencyKey::parse(text).ok());
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => Err(Failure::unprocessable(
            "idempotency-key must be one value of 1 to 128 characters of A-Z a-z 0-9 . _ : @ + -",
        )),
    }
}

/// Lines of the same product become one.
fn merged(lines: Vec<Item>) -> Result<Vec<Item>, Failure> {
    let mut items: Vec<Item> = Vec::new();
    for line in lines {
        if let Some(item) = items.iter_mut().find(|item| item.product_id == line.product_id) {
            item.quantity = item.quantity.plus(line.quantity).ok_or_else(|| {
                let (id, most) = (&line.product_id, Quantity::MAX);
                Failure::unprocessable(format!("{id} is asked for more than {most} times"))
            })?;
        } else if items.len() == MAX_ITEMS {
            return Err(Failure::unprocessable(format!("an order has at most {MAX_ITEMS} lines")));
        } else {
            items.push(line);
        }
    }
    if items.is_empty() {
        return Err(Failure::unprocessable("an order has at least one line"));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn parse(body: &str) -> Result<Wish, u16> {
        Wish::parse(TenantId::default(), &HeaderMap::new(), body.as_bytes())
            .map_err(|failure| failure.into_response().status().as_u16())
    }

    #[test]
    fn lines_of_one_product_become_one() {
        let line = |pieces| format!(r#"{{"product_id":"p","quantity":{pieces}}}"#);
        let body = |a, b| format!(r#"{{"user_id":"u","lines":[{},{}]}}"#, line(a), line(b));
        let wish = parse(&body(2, 3)).unwrap();
        let What::Items(items) = wish.what else { panic!("not from the cart") };
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].quantity.get(), 5);
        assert_eq!(parse(&body(999, 2)), Err(422));
    }

    #[test]
    fn what_cannot_be_read_is_400_and_what_breaks_a_rule_is_422() {
        for (body, status) in [
            ("", 400),
            ("{", 400),
            ("[]", 422),
            ("{}", 422),
            (r#"{"user_id":"u"}"#, 422),
            (r#"{"user_id":"u","lines":[]}"#, 422),
            (r#"{"user_id":"u","lines":[],"from_cart":true}"#, 422),
            (r#"{"user_id":"u","lines":[{"product_id":"p","quantity":0}]}"#, 422),
            (r#"{"user_id":"u","lines":[{"product_id":"p","quantity":1000000000000}]}"#, 422),
            (r#"{"user_id":"u u","from_cart":true}"#, 422),
        ] {
            assert_eq!(parse(body), Err(status), "{body}");
        }
    }

    #[test]
    fn an_idempotency_key_is_one_readable_value() {
        let headers = |values: &[&'static str]| {
            let name = http::HeaderName::from_static("idempotency-key");
            let value = |text: &&'static str| http::HeaderValue::from_static(text);
            values.iter().map(|text| (name.clone(), value(text))).collect::<HeaderMap>()
        };
        let quoted = key(&headers(&["\"k-1\""])).unwrap().unwrap();
        assert_eq!(quoted.as_str(), "k-1");
        assert!(key(&headers(&[])).unwrap().is_none());
        for values in [&[""][..], &["a b"], &["a", "b"]] {
            assert!(key(&headers(values)).is_err(), "{values:?}");
        }
    }
}
