//! Event patterns of EventBridge; filter policies of SNS share their grammar.
//!
//! | matcher | matches |
//! |---|---|
//! | `"x"`, `3`, `true`, `null` | this very value |
//! | `{"prefix": "x"}`, `{"suffix": "x"}` | a string that begins or ends so; also with `{"equals-ignore-case": "x"}` inside |
//! | `{"equals-ignore-case": "x"}` | a string, whatever the case of its letters |
//! | `{"wildcard": "a*b"}` | a string, with `*` for any characters; `\*` is a star |
//! | `{"anything-but": …}` | none of the values, prefixes, suffixes, … |
//! | `{"numeric": [">", 0, "<=", 5]}` | a number in this range |
//! | `{"exists": true}`, `{"exists": false}` | a member that is, or is not, there |
//! | `{"cidr": "10.0.0.0/24"}` | an IPv4 or IPv6 address in this block |
//! | `"$or": [{…}, {…}]` | one of these patterns |
//!
//! Members are joined by *and*, the matchers of a member by *or*. A member that is an array
//! matches when one of its elements does. Grammar:
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>.

mod matcher;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

use self::matcher::Matcher;

/// A pattern that documents match or not.
///
/// ```
/// use serde_json::json;
/// use shop_contracts::Pattern;
///
/// let pattern = Pattern::parse(&json!({"detail": {"total": [{"numeric": [">", 100]}]}}))?;
/// assert!(pattern.matches(&json!({"detail": {"total": 101}})));
/// let because = pattern.mismatch(&json!({"detail": {"total": 99}})).unwrap();
/// assert_eq!(because, r#"detail.total is 99, which is not [{"numeric":[">",100]}]"#);
/// # Ok::<(), shop_contracts::pattern::PatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// All of these members match.
    All(Vec<(String, Node)>),
    /// One of these matches.
    Any(Vec<Node>),
    /// The value matches one of these; as they were written, for explanations.
    Leaf(Vec<Matcher>, String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] names the member that is wrong.
    pub fn parse(pattern: &Value) -> Result<Self, PatternError> {
        parse::object(pattern, &mut Vec::new()).map(Self)
    }

    /// Whether `document` matches.
    #[must_use]
    pub fn matches(&self, document: &Value) -> bool {
        self.0.matches(Some(document))
    }

    /// The first member that keeps `document` from matching, what it is and what it should be;
    /// `None` if it matches.
    #[must_use]
    pub fn mismatch(&self, document: &Value) -> Option<String> {
        self.0.mismatch(Some(document), &mut Vec::new())
    }
}

impl Node {
    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Self::All(members) => match value {
                // One element has to match all members, not each member some element.
                Some(Value::Array(elements)) => {
                    elements.iter().any(|element| self.matches(Some(element)))
                }
                value => members.iter().all(|(name, node)| match node {
                    Self::Any(_) => node.matches(value),
                    node => node.matches(value.and_then(|value| value.get(name))),
                }),
            },
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(value)),
            Self::Leaf(matchers, _) => matchers.iter().any(|matcher| matcher.matches(value)),
        }
    }

    fn mismatch(&self, value: Option<&Value>, path: &mut Vec<String>) -> Option<String> {
        if self.matches(value) {
            return None;
        }
        let place = |path: &[String]| {
            if path.is_empty() { "the event".to_owned() } else { path.join(".") }
        };
        let shown = value.map_or_else(|| "absent".to_owned(), Value::to_string);
        match self {
            Self::All(members) if !matches!(value, Some(Value::Array(_))) => {
                members.iter().find_map(|(name, node)| {
                    if let Self::Any(_) = node {
                        return node.mismatch(value, path);
                    }
                    path.push(name.clone());
                    let found = node.mismatch(value.and_then(|value| value.get(name)), path);
                    path.pop();
                    found
                })
            }
            Self::All(_) => Some(format!("no element of {} matches", place(path))),
            Self::Any(_) => Some(format!("{} matches no alternative of $or", place(path))),
            Self::Leaf(_, written) => {
                Some(format!("{} is {shown}, which is not {written}", place(path)))
            }
        }
    }
}

/// A pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    place: String,
    rule: &'static str,
}

impl PatternError {
    fn new(path: &[String], rule: &'static str) -> Self {
        Self { place: path.join("."), rule }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, rule } = self;
        write!(f, "the pattern is wrong at \"{place}\": {rule}")
    }
}

impl std::error::Error for PatternError {}
