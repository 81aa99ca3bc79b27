//! The walk of an order, hop by hop: what each leaves behind.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::Pattern;
use crate::pattern::PatternError;

/// The hops of an order's walk, in their order.
#[derive(Clone, Debug)]
pub struct Walk(pub Vec<Hop>);

/// One hop.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Its number; several hops may share one.
    pub number: u32,
    /// Its name among the hops.
    pub id: String,
    /// What happens, for people.
    pub what: String,
    /// Which orders take it: matched with what is known of the order. `None` for all.
    pub when: Option<Pattern>,
    /// The span it leaves.
    pub span: Option<Pattern>,
    /// The hop whose span is above that span, however far.
    pub below: Option<String>,
    /// Whether the span is in another trace, linked to the order's, because it is about several
    /// orders.
    pub linked: bool,
    /// The line it leaves.
    pub line: Option<Pattern>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "Comment")]
    _comment: String,
    hops: Vec<HopDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct HopDocument {
    hop: u32,
    id: String,
    what: String,
    when: Option<Value>,
    span: Option<Value>,
    below: Option<String>,
    #[serde(default)]
    linked: bool,
    line: Option<Value>,
}

impl Walk {
    /// Reads the file of this crate.
    ///
    /// # Errors
    /// As [`Walk::parse`].
    pub fn embedded() -> Result<Self, WalkError> {
        Self::parse(include_str!("../order-walk.json"))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`WalkError`] names the hop and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, WalkError> {
        let document: Document =
            serde_json::from_str(text).map_err(|error| WalkError(error.to_string()))?;
        let mut seen = BTreeSet::new();
        let mut hops = Vec::with_capacity(document.hops.len());
        for hop in document.hops {
            let wrong = |what: &str| WalkError(format!("hop {}: {what}", hop.id));
            let pattern = |value: &Option<Value>| {
                let parsed = value.as_ref().map(Pattern::parse).transpose();
                parsed.map_err(|error: PatternError| wrong(&error.to_string()))
            };
            let hop = Hop {
                number: hop.hop,
                when: pattern(&hop.when)?,
                span: pattern(&hop.span)?,
                line: pattern(&hop.line)?,
                below: hop.below.clone(),
                linked: hop.linked,
                what: hop.what.clone(),
                id: hop.id.clone(),
            };
            if hop.span.is_none() && hop.line.is_none() {
                return Err(wrong("it leaves neither a span nor a line"));
            }
            if hop.below.as_ref().is_some_and(|above| !seen.contains(above)) {
                return Err(wrong("it is below a hop that does not come before it"));
            }
            if !seen.insert(hop.id.clone()) {
                return Err(wrong("there are two of this name"));
            }
            hops.push(hop);
        }
        Ok(Self(hops))
    }
}

/// A walk that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkError(String);

impl fmt::Display for WalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the walk of orders cannot be read: {}", self.0)
    }
}

impl std::error::Error for WalkError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_has_every_hop_and_none_hangs_in_the_air() {
        let walk = Walk::embedded().unwrap();
        let numbers: BTreeSet<_> = walk.0.iter().map(|hop| hop.number).collect();
        assert_eq!(numbers, (1..=24).collect());
    }

    #[test]
    fn what_is_wrong_with_a_walk_is_named() {
        let line = r#""Line":{"message":["m"]}"#;
        for (hops, named) in [
            (r#"{"Hop":1,"Id":"a","What":"w"}"#.to_owned(), "neither"),
            (format!(r#"{{"Hop":1,"Id":"a","What":"w","Below":"b",{line}}}"#), "come before"),
            (
                format!(
                    r#"{{"Hop":1,"Id":"a","What":"w",{line}}},{{"Hop":1,"Id":"a","What":"w",{line}}}"#
                ),
                "two",
            ),
            (r#"{"Hop":1,"Id":"a","What":"w","Line":{"message":"m"}}"#.to_owned(), "message"),
        ] {
            let text = format!(r#"{{"Comment":"","Hops":[{hops}]}}"#);
            let error = Walk::parse(&text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
