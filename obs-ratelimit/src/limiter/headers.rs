use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use smallvec::SmallVec;

use super::{Limiter, Passed, PolicyReport};
use crate::engine::Report;
use crate::headers::{Emit, ResetStyle, imf_fixdate};
use crate::lease::Fallback;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

const FALLBACK: HeaderName = HeaderName::from_static("x-ratelimit-fallback");

/// The largest integer of a structured field (RFC 9651, section 3.3.1).
const LARGEST: u64 = 999_999_999_999_999;

type Text = SmallVec<[u8; 128]>;

impl Limiter {
    /// Whether a response that was not refused gets headers.
    pub(crate) fn emits(&self, reports: &[PolicyReport]) -> bool {
        match self.0.headers.emit {
            Emit::Always => true,
            Emit::OnRefusal => false,
            Emit::BelowFraction(fraction) => {
                reports.iter().any(|report| fraction_left(report) < fraction)
            }
        }
    }

    /// Writes the headers of the reports.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap, reports: &[PolicyReport]) {
        if reports.is_empty() {
            return;
        }
        if self.0.headers.ietf {
            self.put(headers, RATE_LIMIT_POLICY, value(&self.policies(reports)));
            self.put(headers, RATE_LIMIT, value(&self.limits(reports)));
        }
        if let Some(style) = self.0.headers.x_rate_limit {
            self.write_x_rate_limit(headers, reports, style);
        }
    }

    /// Writes the headers of a request that passed; `status` is that of its response, if it is
    /// known.
    pub(crate) fn passed_headers(
        &self,
        headers: &mut HeaderMap,
        passed: &Passed,
        status: Option<StatusCode>,
    ) {
        if !status.is_none_or(|status| self.0.headers.on_status(status)) {
            return;
        }
        if !passed.reports.is_empty() && self.emits(&passed.reports) {
            self.write_headers(headers, &passed.reports);
        }
        write_fallback(headers, passed.fallback);
    }

    fn write_x_rate_limit(
        &self,
        headers: &mut HeaderMap,
        reports: &[PolicyReport],
        style: ResetStyle,
    ) {
        let scarcest = reports.iter().min_by(|a, b| fraction_left(a).total_cmp(&fraction_left(b)));
        let Some(PolicyReport { report, .. }) = scarcest else { return };
        let mut reset = time_left(report);
        if style == ResetStyle::Epoch {
            let now = self.clock().wall().unix_seconds();
            reset = reset.saturating_add(now);
            if !headers.contains_key(header::DATE) {
                headers.insert(header::DATE, value(imf_fixdate(now).as_bytes()));
            }
        }
        self.put(headers, LIMIT, report.capacity.into());
        self.put(headers, REMAINING, report.standing.remaining.into());
        self.put(headers, RESET, reset.into());
    }

    fn put(&self, headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
        if self.0.headers.replace || !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }

    /// `"tenant";q=200;w=2, "daily";q=1000;w=86400`
    fn policies(&self, reports: &[PolicyReport]) -> Text {
        let mut text = Text::new();
        for PolicyReport { policy, report } in reports {
            let active = &self.0.policies[*policy];
            write_name(&mut text, active.policy.name());
            write_parameter(&mut text, b";q=", report.capacity);
            if active.holds_places {
                text.extend_from_slice(b";qu=\"concurrent-requests\"");
            }
            if report.window > 0 {
                write_parameter(&mut text, b";w=", report.window);
            }
        }
        text
    }

    /// `"tenant";r=12;t=1, "daily";r=700;t=86`
    fn limits(&self, reports: &[PolicyReport]) -> Text {
        let mut text = Text::new();
        for PolicyReport { policy, report } in reports {
            write_name(&mut text, self.0.policies[*policy].policy.name());
            write_parameter(&mut text, b";r=", report.standing.remaining);
            let more_in = time_left(report);
            if more_in > 0 {
                write_parameter(&mut text, b";t=", more_in);
            }
        }
        text
    }
}

/// Says that a store is missing, and on which step of the ladder the decision was made.
pub(crate) fn write_fallback(headers: &mut HeaderMap, fallback: Option<Fallback>) {
    if let Some(fallback) = fallback {
        headers.insert(FALLBACK, HeaderValue::from_static(fallback.as_str()));
    }
}

/// Names were checked when their policies were built: nothing in them needs escaping.
fn write_name(text: &mut Text, name: &str) {
    if !text.is_empty() {
        text.extend_from_slice(b", ");
    }
    text.push(b'"');
    text.extend_from_slice(name.as_bytes());
    text.push(b'"');
}

fn write_parameter(text: &mut Text, name: &[u8], number: u64) {
    text.extend_from_slice(name);
    text.extend_from_slice(itoa::Buffer::new().format(number.min(LARGEST)).as_bytes());
}

fn value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).expect("names are visible ASCII, and the rest is digits")
}

/// Whole seconds until there is more, rounded up; at least 1 where nothing is left.
fn time_left(report: &Report) -> u64 {
    let seconds = report.standing.more_in.div_ceil(1_000_000_000);
    seconds.max(u64::from(report.standing.remaining == 0))
}

#[allow(clippy::cast_precision_loss, reason = "a comparison of fractions needs no more")]
fn fraction_left(PolicyReport { report, .. }: &PolicyReport) -> f64 {
    report.standing.remaining as f64 / report.capacity.max(1) as f64
}
