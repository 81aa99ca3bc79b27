//! A shop to test against, in this process or as one of its own, and a client that knows nothing
//! of telemetry.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(missing_docs, unreachable_pub, unused_imports, clippy::unwrap_used)]

#[cfg(feature = "real-parts")]
pub mod chromium;
pub mod client;
pub mod command;
pub mod local;
pub mod process;
#[cfg(feature = "real-parts")]
pub mod redis;

pub use client::{Answer, Client};
pub use local::LocalShop;
pub use process::ShopProcess;

use serde_json::{Map, Value};

pub type Line = Map<String, Value>;

/// Reads lines back; every one must be a JSON object.
pub fn parse(text: &str) -> Vec<Line> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

pub fn text<'a>(line: &'a Line, key: &str) -> &'a str {
    line.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub fn of<'a>(lines: &'a [Line], correlation_id: &str) -> Vec<&'a Line> {
    lines.iter().filter(|line| text(line, "correlation_id") == correlation_id).collect()
}

pub fn is_request_line(line: &Line) -> bool {
    text(line, "message") == "request completed"
}
