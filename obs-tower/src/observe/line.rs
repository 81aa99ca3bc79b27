//! The request line.

use std::borrow::Cow;

use obs_core::context::Recorded;
use obs_core::log::Line;

use super::capture::Capture;
use super::config::Config;
use super::ending::Ending;
use super::recording::Recording;
use crate::exchange::{PanicMessage, milliseconds};

/// The target of request lines, by which `RUST_LOG` filters them.
pub const TARGET: &str = "obs_tower::observe";

/// Longest user agent in a line, in bytes.
const MAX_USER_AGENT: usize = 256;

/// Writes the fields that every request line has.
pub(super) fn write_fields(line: &mut Line<'_>, recording: &Recording, ending: &Ending) {
    line.str("method", recording.method).str("route", recording.route());
    if let Some(status) = ending.status {
        line.u64("status", status.into());
    }
    line.str("outcome", ending.outcome.as_str())
        .f64("duration_ms", milliseconds(ending.at - recording.started));
    if let Some(ttfb) = recording.ttfb() {
        line.f64("ttfb_ms", milliseconds(ttfb));
    }
    if let Some(bytes) = recording.request_bytes() {
        line.u64("request_bytes", bytes);
    }
    if recording.response.is_some() {
        line.u64("response_bytes", recording.response_bytes);
    }
    if let Some(address) = recording.client_address {
        line.display("client_address", format_args!("{address}"));
    }
    if let Some(agent) = &recording.user_agent {
        line.str("user_agent", &beginning(agent.as_bytes(), MAX_USER_AGENT));
    }
    if let Some(kind) = &ending.error_kind {
        line.str("error_kind", kind);
    }
}

/// Writes what only some requests have, after the fields that all have.
pub(super) fn write_rest(
    line: &mut Line<'_>,
    recording: &Recording,
    recorded: &Recorded,
    ending: &Ending,
    config: &Config,
) {
    if let Some(operation) = &recording.operation {
        line.str("operation", operation);
    }
    if let Some(attempt) = recording.context.attempt() {
        line.u64("attempt", attempt.into());
    }
    if let Some(status) = ending.grpc_status {
        line.str("grpc_status", status.name());
    }
    if let Some(message) = ending.panic.as_ref().and_then(PanicMessage::as_deref) {
        line.str("error_message", message);
    }
    if ending.held {
        line.bool("held", true);
    }
    if config.is_slow(ending.at - recording.started) {
        line.bool("slow", true);
    }
    if let Some(extra) = &recording.extra {
        for (field, value) in &extra.headers {
            line.str(field, &String::from_utf8_lossy(value.as_bytes()));
        }
    }
    write_bodies(line, recording);
    for (key, value) in &config.tags {
        line.field(key, value.into());
    }
    line.fields(&recorded.fields);
}

fn write_bodies(line: &mut Line<'_>, recording: &Recording) {
    let request = recording.intake.as_ref().and_then(|intake| intake.text());
    let response = recording.extra.as_ref().and_then(|extra| extra.response_body.as_ref());
    let response = response.and_then(Capture::text);
    for (key, text) in [("request_body", request), ("response_body", response)] {
        if let Some(text) = text {
            line.str(key, &text);
        }
    }
}

/// The beginning of a header's value as text.
fn beginning(value: &[u8], limit: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(&value[..value.len().min(limit)])
}
