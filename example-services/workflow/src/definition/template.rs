//! Payload templates: JSON whose members `"name.$"` are replaced by what their paths lead to.

use serde_json::Value;

use super::path::{self, Scope};
use crate::error::StateError;

/// Fills a template.
pub(crate) fn fill(template: &Value, scope: Scope<'_>) -> Result<Value, StateError> {
    match template {
        Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| match (name.strip_suffix(".$"), value) {
                    (Some(name), Value::String(expression)) => {
                        Ok((name.to_owned(), evaluate(expression, scope)?))
                    }
                    _ => Ok((name.clone(), fill(value, scope)?)),
                });
            members.collect::<Result<_, StateError>>().map(Value::Object)
        }
        Value::Array(elements) => elements
            .iter()
            .map(|element| fill(element, scope))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        plain => Ok(plain.clone()),
    }
}

/// Checks what can be checked without a document.
pub(crate) fn check(template: &Value) -> Result<(), String> {
    match template {
        Value::Object(members) => {
            members.iter().try_for_each(|(name, value)| match (name.ends_with(".$"), value) {
                (true, Value::String(expression)) => parse(expression)
                    .ok_or_else(|| format!("{expression:?} is no path and no known function"))
                    .and_then(|parsed| parsed.check()),
                (true, _) => Err(format!("{name} must be a string")),
                (false, value) => check(value),
            })
        }
        Value::Array(elements) => elements.iter().try_for_each(check),
        _ => Ok(()),
    }
}

enum Expression<'a> {
    Path(&'a str),
    Literal(Value),
    Call(Function, Vec<Expression<'a>>),
}

#[derive(Clone, Copy)]
enum Function {
    Format,
    Array,
    JsonToString,
}

impl Expression<'_> {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Path(text) => path::check(text),
            Self::Literal(_) => Ok(()),
            Self::Call(_, arguments) => arguments.iter().try_for_each(Self::check),
        }
    }
}

fn evaluate(text: &str, scope: Scope<'_>) -> Result<Value, StateError> {
    let unknown = || StateError::new(StateError::INTRINSIC, format!("{text} cannot be read"));
    value(&parse(text).ok_or_else(unknown)?, scope)
}

fn value(expression: &Expression<'_>, scope: Scope<'_>) -> Result<Value, StateError> {
    let failed = |cause: &str| Err(StateError::new(StateError::INTRINSIC, cause));
    let (function, arguments) = match expression {
        Expression::Path(path) => return scope.get(path),
        Expression::Literal(value) => return Ok(value.clone()),
        Expression::Call(function, arguments) => (function, arguments),
    };
    let arguments = arguments.iter().map(|argument| value(argument, scope));
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
    match (function, arguments.as_slice()) {
        (Function::Array, _) => Ok(Value::Array(arguments)),
        (Function::JsonToString, [value]) => Ok(value.to_string().into()),
        (Function::JsonToString, _) => failed("States.JsonToString takes one argument"),
        (Function::Format, [Value::String(format), values @ ..]) => {
            let mut pieces = format.split("{}");
            let mut text = pieces.next().unwrap_or_default().to_owned();
            let mut values = values.iter();
            for piece in pieces {
                match values.next() {
                    Some(Value::String(value)) => text.push_str(value),
                    Some(value) => text.push_str(&value.to_string()),
                    None => return failed("States.Format has too few arguments"),
                }
                text.push_str(piece);
            }
            if values.next().is_some() {
                return failed("States.Format has too many arguments");
            }
            Ok(text.into())
        }
        (Function::Format, _) => failed("States.Format takes a string first"),
    }
}

fn parse(text: &str) -> Option<Expression<'_>> {
    let text = text.trim();
    if text.starts_with('$') {
        return Some(Expression::Path(text));
    }
    if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Some(Expression::Literal(inner.replace("\\'", "'").into()));
    }
    if let Some((name, rest)) = text.split_once('(') {
        let function = match name {
            "States.Format" => Function::Format,
            "States.Array" => Function::Array,
            "States.JsonToString" => Function::JsonToString,
            _ => return None,
        };
        let arguments = split(rest.strip_suffix(')')?)?;
        let arguments = arguments.into_iter().map(parse).collect::<Option<_>>()?;
        return Some(Expression::Call(function, arguments));
    }
    // Numbers, true, false, null.
    serde_json::from_str(text)
        .ok()
        .filter(|value: &Value| !value.is_string())
        .map(Expression::Literal)
}

/// Splits arguments at commas that stand neither in quotes nor in parentheses.
fn split(text: &str) -> Option<Vec<&str>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let (mut parts, mut start, mut depth, mut quoted, mut escaped) =
        (Vec::new(), 0, 0_u32, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.checked_sub(1)?,
            ',' if !quoted && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted && depth == 0).then_some(parts)
}
