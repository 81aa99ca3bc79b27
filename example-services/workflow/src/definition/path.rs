use serde_json::{Map, Value};
use serde_json_path::JsonPath;

use crate::error::StateError;

/// What paths look at: a document with `$`, the context object with `$$`.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) document: &'a Value,
    pub(crate) context: &'a Value,
}

pub(crate) fn check(path: &str) -> Result<(), String> {
    let path = path.strip_prefix("$$").map_or_else(|| path.to_owned(), |rest| format!("${rest}"));
    JsonPath::parse(&path).map(drop).map_err(|error| format!("{path:?} is no path: {error}"))
}

impl Scope<'_> {
    /// What `path` leads to: the value itself where it leads to one place only, else all values.
    pub(crate) fn get(self, path: &str) -> Result<Value, StateError> {
        self.find(path).ok_or_else(|| {
            StateError::new(StateError::PARAMETER_PATH, format!("{path} leads nowhere"))
        })
    }

    /// As [`Scope::get`]; `None` where the path leads nowhere.
    pub(crate) fn find(self, path: &str) -> Option<Value> {
        let (document, path) = match path.strip_prefix("$$") {
            Some(rest) => (self.context, format!("${rest}")),
            None => (self.document, path.to_owned()),
        };
        let parsed = JsonPath::parse(&path).ok()?;
        let found = parsed.query(document).all();
        if is_definite(&path) {
            return found.first().map(|value| (*value).clone());
        }
        Some(Value::Array(found.into_iter().cloned().collect()))
    }

    /// `InputPath` or `OutputPath`: `null` stands for an empty object.
    pub(crate) fn part(self, path: Option<&Option<String>>) -> Result<Value, StateError> {
        match path {
            None => Ok(self.document.clone()),
            Some(None) => Ok(Value::Object(Map::new())),
            Some(Some(path)) => self.find(path).ok_or_else(|| {
                StateError::new(StateError::RUNTIME, format!("{path} leads nowhere"))
            }),
        }
    }
}

/// Whether a path can lead to one place only.
fn is_definite(path: &str) -> bool {
    !["*", "..", "?", ":", ","].iter().any(|sign| path.contains(sign))
}

/// The names of a reference path such as `$.a.b`.
pub(crate) fn reference(path: &str) -> Option<Vec<&str>> {
    if path == "$" {
        return Some(Vec::new());
    }
    let names: Vec<_> = path.strip_prefix("$.")?.split('.').collect();
    let is_name = |name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    };
    names.iter().all(is_name).then_some(names)
}

/// Puts a result where `ResultPath` says: in place of the input, beside it, or nowhere.
pub(crate) fn put(
    input: Value,
    result: Value,
    path: Option<&Option<String>>,
) -> Result<Value, StateError> {
    let failed = || {
        let cause = "the result path leads through something that is no object";
        StateError::new(StateError::RESULT_PATH, cause)
    };
    let names = match path {
        None => return Ok(result),
        Some(None) => return Ok(input),
        Some(Some(path)) => reference(path).ok_or_else(failed)?,
    };
    let mut output = input;
    let mut place = &mut output;
    for name in names {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        place = place.as_object_mut().ok_or_else(failed)?.entry(name).or_insert(Value::Null);
    }
    *place = result;
    Ok(output)
}
