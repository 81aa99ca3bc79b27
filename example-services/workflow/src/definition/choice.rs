use serde::Deserialize;
use serde_json::{Map, Value};

use super::path::{self, Scope};

/// A rule of a `Choice` state and where it leads.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(rename = "Next")]
    pub(crate) next: String,
    #[serde(flatten)]
    pub(crate) rule: Rule,
}

/// What must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Rule(Map<String, Value>);

impl Rule {
    /// Checks that it is one this engine knows.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut operators = 0;
        for (name, operand) in &self.0 {
            match (name.as_str(), operand) {
                ("Comment", _) => continue,
                ("Variable", Value::String(text)) => {
                    path::check(text)?;
                    continue;
                }
                ("And" | "Or", Value::Array(rules)) if !rules.is_empty() => {
                    rules.iter().try_for_each(|rule| nested(rule)?.check())?;
                }
                ("Not", rule) => nested(rule)?.check()?,
                (name, operand) if is_operator(name, operand) => {
                    if !self.0.contains_key("Variable") {
                        return Err(format!("{name} needs a Variable"));
                    }
                }
                (name, _) => return Err(format!("{name} is no operator that is known")),
            }
            operators += 1;
        }
        if operators == 1 { Ok(()) } else { Err("a choice has exactly one operator".to_owned()) }
    }

    /// Whether it holds.
    pub(crate) fn holds(&self, scope: Scope<'_>) -> bool {
        let variable = self.0.get("Variable").and_then(Value::as_str);
        let variable = variable.and_then(|path| scope.find(path));
        self.0.iter().all(|(name, operand)| match (name.as_str(), operand) {
            ("Variable" | "Comment", _) => true,
            ("And", Value::Array(rules)) => rules.iter().all(|rule| holds(rule, scope)),
            ("Or", Value::Array(rules)) => rules.iter().any(|rule| holds(rule, scope)),
            ("Not", rule) => !holds(rule, scope),
            (name, operand) => compare(name, variable.as_ref(), operand),
        })
    }
}

fn nested(rule: &Value) -> Result<Rule, String> {
    let rule = rule.as_object().ok_or("a rule is an object")?;
    Ok(Rule(rule.clone()))
}

fn holds(rule: &Value, scope: Scope<'_>) -> bool {
    nested(rule).is_ok_and(|rule| rule.holds(scope))
}

fn is_operator(name: &str, operand: &Value) -> bool {
    match name {
        "IsPresent" | "IsNull" | "IsString" | "IsNumeric" | "IsBoolean" | "BooleanEquals" => {
            operand.is_boolean()
        }
        "StringMatches" => operand.is_string(),
        name if name.starts_with("String") => {
            operand.is_string() && order(name, "String").is_some()
        }
        name if name.starts_with("Numeric") => {
            operand.is_number() && order(name, "Numeric").is_some()
        }
        _ => false,
    }
}

fn order(name: &str, kind: &str) -> Option<fn(std::cmp::Ordering) -> bool> {
    match name.strip_prefix(kind)? {
        "Equals" => Some(std::cmp::Ordering::is_eq),
        "LessThan" => Some(std::cmp::Ordering::is_lt),
        "GreaterThan" => Some(std::cmp::Ordering::is_gt),
        "LessThanEquals" => Some(std::cmp::Ordering::is_le),
        "GreaterThanEquals" => Some(std::cmp::Ordering::is_ge),
        _ => None,
    }
}

fn compare(name: &str, variable: Option<&Value>, operand: &Value) -> bool {
    let is = |holds: bool| Some(holds) == operand.as_bool();
    match (name, variable, operand) {
        ("IsPresent", variable, _) => is(variable.is_some()),
        (_, None, _) => false,
        ("IsNull", Some(value), _) => is(value.is_null()),
        ("IsString", Some(value), _) => is(value.is_string()),
        ("IsNumeric", Some(value), _) => is(value.is_number()),
        ("IsBoolean", Some(value), _) => is(value.is_boolean()),
        ("BooleanEquals", Some(value), operand) => value.is_boolean() && value == operand,
        ("StringMatches", Some(Value::String(text)), Value::String(pattern)) => {
            matches(text, pattern)
        }
        (name, Some(Value::String(text)), Value::String(other)) => {
            order(name, "String").is_some_and(|holds| holds(text.cmp(other)))
        }
        (name, Some(Value::Number(number)), Value::Number(other)) => {
            let ordering = number.as_f64().zip(other.as_f64());
            let ordering = ordering.and_then(|(number, other)| number.partial_cmp(&other));
            let holds = order(name, "Numeric");
            ordering.zip(holds).is_some_and(|(ordering, holds)| holds(ordering))
        }
        _ => false,
    }
}

/// `*` stands for any characters.
fn matches(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}
