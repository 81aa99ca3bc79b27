//! The request line.

use obs_core::context::Recorded;
use obs_core::log::{FieldKey, Line, LineHead, ValueRef};

use super::capture::Capture;
use super::config::Config;
use super::ending::Ending;
use super::recording::Recording;
use crate::exchange::{PanicMessage, in_milliseconds, milliseconds};

/// The target of request lines, by which `RUST_LOG` filters them.
pub const TARGET: &str = "obs_tower::observe";

/// What a request's line says, and what is left of it where lines are switched off.
pub(super) const COMPLETED: LineHead = LineHead::new("request completed", TARGET);
pub(super) const METRICS: LineHead = LineHead::new("request metrics", TARGET);

const METHOD: FieldKey = FieldKey::new("method");
const ROUTE: FieldKey = FieldKey::new("route");
const STATUS: FieldKey = FieldKey::new("status");
const OUTCOME: FieldKey = FieldKey::new("outcome");
const DURATION_MS: FieldKey = FieldKey::new("duration_ms");
const TTFB_MS: FieldKey = FieldKey::new("ttfb_ms");
const FIRST_BYTE_MS: FieldKey = FieldKey::new("first_byte_ms");
const REQUEST_BYTES: FieldKey = FieldKey::new("request_bytes");
const RESPONSE_BYTES: FieldKey = FieldKey::new("response_bytes");
const CLIENT_ADDRESS: FieldKey = FieldKey::new("client_address");
const USER_AGENT: FieldKey = FieldKey::new("user_agent");
const ERROR_KIND: FieldKey = FieldKey::new("error_kind");

/// Writes the fields that every request line has.
///
/// Method, route and outcome come from bounded sets of the program; the user agent and what went
/// wrong do not, and are searched for secrets.
pub(super) fn write_fields(line: &mut Line<'_>, recording: &Recording, ending: &Ending) {
    line.known(&METHOD, ValueRef::Own(recording.method));
    line.known(&ROUTE, ValueRef::Own(recording.route()));
    if let Some(status) = ending.status {
        line.known(&STATUS, u64::from(status));
    }
    line.known(&OUTCOME, ValueRef::Own(ending.outcome.as_str()));
    line.known(&DURATION_MS, in_milliseconds(ending.at - recording.started));
    if let Some(ttfb) = recording.ttfb() {
        line.known(&TTFB_MS, in_milliseconds(ttfb));
        if let Some(first_byte) = recording.late_first_byte() {
            line.known(&FIRST_BYTE_MS, in_milliseconds(first_byte));
        }
    }
    if let Some(bytes) = recording.request_bytes() {
        line.known(&REQUEST_BYTES, bytes);
    }
    if recording.response.is_some() {
        line.known(&RESPONSE_BYTES, recording.response_bytes);
    }
    if let Some(address) = recording.client_address {
        line.known(&CLIENT_ADDRESS, ValueRef::Format(format_args!("{address}")));
    }
    if let Some(agent) = recording.texts.agent_in_line() {
        line.known(&USER_AGENT, ValueRef::Bytes(agent));
    }
    if let Some(kind) = &ending.error_kind {
        line.known(&ERROR_KIND, &**kind);
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
    if let Some(deadline) = recording.context.deadline() {
        line.f64("timeout_ms", milliseconds(deadline.remaining(recording.started)));
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
    for (key, value) in &*config.tags {
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
