//! Ids as types: one that exists is well formed.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A text that cannot be an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidId {
    what: &'static str,
    max: usize,
    marks: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, max, marks } = self;
        write!(f, "{what} must be 1 to {max} characters of A-Z a-z 0-9 {marks}")
    }
}

impl std::error::Error for InvalidId {}

/// The marks that also stand in a path and a query as they are.
const MARKS: &str = "._:@+-";

fn check(text: &str, what: &'static str, max: usize, marks: &'static str) -> Result<(), InvalidId> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte);
    if text.is_empty() || text.len() > max || !text.bytes().all(allowed) {
        return Err(InvalidId { what, max, marks });
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $marks:expr) => {
        $(#[$doc])*
        ///
        #[doc = concat!("1 to ", $max, " ASCII letters, digits and marks; cheap to clone.")]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// [`InvalidId`] when it is empty, too long or has other characters.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check(text, $what, $max, $marks).map(|()| Self(text.into()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// Names a product, such as `prod-001`.
    ProductId, "product_id", 64, MARKS
}
id! {
    /// Names an order. Ids of later orders sort after those of earlier ones.
    OrderId, "order_id", 64, MARKS
}
id! {
    /// Names a customer.
    UserId, "user_id", 128, MARKS
}
id! {
    /// Names the tenant a request belongs to; what `x-tenant-id` may carry.
    TenantId, "tenant_id", 128, "._:+/=@|~-"
}
id! {
    /// Names one attempt of a customer to do something once, however often it is sent.
    IdempotencyKey, "idempotency-key", 128, MARKS
}

impl Default for TenantId {
    /// The tenant of a request that names none.
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_a_foreign_character_is_refused() {
        for text in ["", "a b", "a\n", "a/b", "ä", "\"", &"a".repeat(65)] {
            assert!(ProductId::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(ProductId::parse("prod-001").unwrap().as_str(), "prod-001");
    }

    #[test]
    fn a_bad_id_in_a_document_is_refused_with_the_rule() {
        let error = serde_json::from_str::<UserId>("\"a b\"").unwrap_err();
        assert!(error.to_string().starts_with("user_id must be 1 to 128 characters"), "{error}");
    }
}
