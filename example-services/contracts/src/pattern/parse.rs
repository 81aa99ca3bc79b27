use std::net::IpAddr;

use serde_json::{Map, Value};

use super::matcher::{Comparison, Matcher, Text};
use super::{Node, PatternError};

type Parsed<T> = Result<T, PatternError>;

pub(super) fn object(value: &Value, path: &mut Vec<String>) -> Parsed<Node> {
    let Some(members) = value.as_object().filter(|members| !members.is_empty()) else {
        return Err(PatternError::new(path, "must be an object with members"));
    };
    let mut nodes = Vec::with_capacity(members.len());
    for (name, value) in members {
        path.push(name.clone());
        let node = match value {
            Value::Array(alternatives) if name == "$or" => any(alternatives, path)?,
            Value::Array(matchers) => leaf(matchers, path)?,
            value => object(value, path)?,
        };
        path.pop();
        nodes.push((name.clone(), node));
    }
    Ok(Node::All(nodes))
}

fn any(alternatives: &[Value], path: &mut Vec<String>) -> Parsed<Node> {
    if alternatives.len() < 2 {
        return Err(PatternError::new(path, "must have two alternatives or more"));
    }
    alternatives.iter().map(|value| object(value, path)).collect::<Parsed<_>>().map(Node::Any)
}

fn leaf(matchers: &[Value], path: &[String]) -> Parsed<Node> {
    if matchers.is_empty() {
        return Err(PatternError::new(path, "must name a value"));
    }
    let written = Value::from(matchers.to_vec()).to_string();
    let matchers: Parsed<Vec<_>> = matchers.iter().map(|value| matcher(value, path)).collect();
    Ok(Node::Leaf(matchers?, written))
}

fn matcher(value: &Value, path: &[String]) -> Parsed<Matcher> {
    let error = |rule| Err(PatternError::new(path, rule));
    match value {
        Value::Array(_) => error("a matcher cannot be an array"),
        Value::Object(object) => {
            let (name, operand) = only(object, path)?;
            match (name, operand) {
                ("exists", Value::Bool(wanted)) => Ok(Matcher::Exists(*wanted)),
                ("exists", _) => error("exists takes true or false"),
                ("numeric", Value::Array(parts)) => numeric(parts, path),
                ("numeric", _) => error("numeric takes an array"),
                ("anything-but", operand) => anything_but(operand, path),
                ("cidr", Value::String(block)) => cidr(block, path),
                ("cidr", _) => error("cidr takes a string"),
                (name, operand) => text(name, operand, path).map(Matcher::Text),
            }
        }
        value => Ok(Matcher::Exactly(value.clone())),
    }
}

fn only<'a>(object: &'a Map<String, Value>, path: &[String]) -> Parsed<(&'a str, &'a Value)> {
    let mut members = object.iter();
    match (members.next(), members.next()) {
        (Some((name, operand)), None) => Ok((name, operand)),
        _ => Err(PatternError::new(path, "a matcher has exactly one member")),
    }
}

fn text(name: &str, operand: &Value, path: &[String]) -> Parsed<Text> {
    let error = |rule| Err(PatternError::new(path, rule));
    if let ("prefix" | "suffix", Value::Object(inner)) = (name, operand) {
        let ("equals-ignore-case", Value::String(text)) = only(inner, path)? else {
            return error("only equals-ignore-case may stand here");
        };
        let text = text.to_lowercase();
        let is_prefix = name == "prefix";
        return Ok(if is_prefix {
            Text::PrefixIgnoringCase(text)
        } else {
            Text::SuffixIgnoringCase(text)
        });
    }
    let Value::String(text) = operand else { return error("unknown matcher, or not a string") };
    match name {
        "prefix" => Ok(Text::Prefix(text.clone())),
        "suffix" => Ok(Text::Suffix(text.clone())),
        "equals-ignore-case" => Ok(Text::IgnoringCase(text.to_lowercase())),
        "wildcard" => wildcard(text, path),
        _ => error("unknown matcher"),
    }
}

fn wildcard(text: &str, path: &[String]) -> Parsed<Text> {
    let mut pieces = vec![String::new()];
    let mut characters = text.chars();
    let mut after_star = false;
    while let Some(character) = characters.next() {
        let is_star = character == '*';
        let literal = match character {
            '*' if after_star => {
                return Err(PatternError::new(path, "two stars cannot follow each other"));
            }
            '*' => None,
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '\\')) => Some(escaped),
                _ => return Err(PatternError::new(path, "a backslash escapes * or itself")),
            },
            other => Some(other),
        };
        after_star = is_star;
        match (literal, pieces.last_mut()) {
            (Some(literal), Some(piece)) => piece.push(literal),
            _ => pieces.push(String::new()),
        }
    }
    Ok(Text::Wildcard(pieces))
}

fn anything_but(operand: &Value, path: &[String]) -> Parsed<Matcher> {
    let error = |rule| Err(PatternError::new(path, rule));
    let unwanted = match operand {
        Value::Object(object) => {
            let (name, operand) = only(object, path)?;
            let operands = operand.as_array().map_or(std::slice::from_ref(operand), Vec::as_slice);
            let texts = operands.iter().map(|operand| text(name, operand, path).map(Matcher::Text));
            texts.collect::<Parsed<Vec<_>>>()?
        }
        Value::Array(values) => values.iter().cloned().map(Matcher::Exactly).collect(),
        value => vec![Matcher::Exactly(value.clone())],
    };
    let is_plain = |matcher: &Matcher| match matcher {
        Matcher::Exactly(value) => value.is_string() || value.is_number(),
        _ => true,
    };
    if unwanted.is_empty() || !unwanted.iter().all(is_plain) {
        return error("anything-but takes strings or numbers");
    }
    Ok(Matcher::AnythingBut(unwanted))
}

fn numeric(parts: &[Value], path: &[String]) -> Parsed<Matcher> {
    let error =
        || PatternError::new(path, "numeric takes one or two pairs of comparison and number");
    let mut range = Vec::with_capacity(2);
    for pair in parts.chunks(2) {
        let [Value::String(how), Value::Number(bound)] = pair else { return Err(error()) };
        let how = match how.as_str() {
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            "=" => Comparison::Equal,
            ">=" => Comparison::GreaterOrEqual,
            ">" => Comparison::Greater,
            _ => return Err(error()),
        };
        range.push((how, bound.as_f64().ok_or_else(error)?));
    }
    if !(1..=2).contains(&range.len()) {
        return Err(error());
    }
    Ok(Matcher::Numeric(range))
}

fn cidr(block: &str, path: &[String]) -> Parsed<Matcher> {
    let parsed = block.split_once('/').and_then(|(address, bits)| {
        let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?);
        let width = if address.is_ipv4() { 32 } else { 128 };
        (bits <= width).then_some(Matcher::Cidr(address, bits))
    });
    parsed.ok_or_else(|| {
        PatternError::new(path, "cidr takes an address, a slash and a number of bits")
    })
}
