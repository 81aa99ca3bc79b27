use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::text::{LONGEST_NUMBER, Text, number};
use super::{Active, Limiter, Passed, PolicyReport};
use crate::engine::Report;
use crate::headers::{Emit, ResetStyle, imf_fixdate};
use crate::lease::Fallback;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

const FALLBACK: HeaderName = HeaderName::from_static("x-ratelimit-fallback");

/// The headers that say what the quotas are, as long as they are those of the policies themselves.
#[derive(Debug)]
pub(crate) struct Usual {
    /// Capacities and windows, one pair for each policy.
    quotas: Box<[(u64, u64)]>,
    policies: HeaderValue,
    limits: Box<[HeaderValue]>,
}

impl Usual {
    pub(super) fn new(policies: &[Active], quotas: Box<[(u64, u64)]>) -> Self {
        let report = |(policy, (capacity, window)): (usize, &(u64, u64))| {
            let (capacity, window) = (*capacity, *window);
            PolicyReport { policy, report: Report { capacity, window, ..Report::default() } }
        };
        let reports: Vec<_> = quotas.iter().enumerate().map(report).collect();
        let limits = quotas.iter().map(|(capacity, _)| number(*capacity)).collect();
        Self { policies: write_policies(policies, &reports), quotas, limits }
    }

    fn policies(&self, reports: &[PolicyReport]) -> Option<HeaderValue> {
        let is_usual = reports.len() == self.quotas.len()
            && reports.iter().zip(&self.quotas).all(|(PolicyReport { report, .. }, quota)| {
                (report.capacity, report.window) == *quota
            });
        is_usual.then(|| self.policies.clone())
    }

    fn limit(&self, report: &PolicyReport) -> HeaderValue {
        match self.quotas[report.policy].0 == report.report.capacity {
            true => self.limits[report.policy].clone(),
            false => number(report.report.capacity),
        }
    }
}

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
        let policies = &self.0.policies;
        if self.0.headers.ietf {
            let usual = self.0.usual.policies(reports);
            let quotas = usual.unwrap_or_else(|| write_policies(policies, reports));
            self.put(headers, RATE_LIMIT_POLICY, quotas);
            self.put(headers, RATE_LIMIT, write_limits(policies, reports));
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
        let Some(scarcest) = scarcest else { return };
        let mut reset = time_left(&scarcest.report);
        if style == ResetStyle::Epoch {
            let now = self.clock().wall().unix_seconds();
            reset = reset.saturating_add(now);
            if !headers.contains_key(header::DATE) {
                let date =
                    HeaderValue::try_from(imf_fixdate(now)).expect("a date is visible ASCII");
                headers.insert(header::DATE, date);
            }
        }
        self.put(headers, LIMIT, self.0.usual.limit(scarcest));
        self.put(headers, REMAINING, number(scarcest.report.standing.remaining));
        self.put(headers, RESET, number(reset));
    }

    fn put(&self, headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
        match headers.entry(name) {
            Entry::Vacant(place) => {
                place.insert(value);
            }
            Entry::Occupied(mut place) if self.0.headers.replace => {
                place.insert(value);
            }
            Entry::Occupied(_) => {}
        }
    }
}

/// `"tenant";q=200;w=2, "daily";q=1000;w=86400`
fn write_policies(policies: &[Active], reports: &[PolicyReport]) -> HeaderValue {
    const PARAMETERS: usize = ";q=;qu=\"concurrent-requests\";w=".len() + 2 * LONGEST_NUMBER;
    Text::write(room(policies, reports, PARAMETERS), |text| {
        for PolicyReport { policy, report } in reports {
            let active = &policies[*policy];
            write_name(text, active.policy.name());
            text.push(b";q=");
            text.push_number(report.capacity);
            if active.holds_places {
                text.push(b";qu=\"concurrent-requests\"");
            }
            if report.window > 0 {
                text.push(b";w=");
                text.push_number(report.window);
            }
        }
    })
}

/// `"tenant";r=12;t=1, "daily";r=700;t=86`
fn write_limits(policies: &[Active], reports: &[PolicyReport]) -> HeaderValue {
    const PARAMETERS: usize = ";r=;t=".len() + 2 * LONGEST_NUMBER;
    Text::write(room(policies, reports, PARAMETERS), |text| {
        for PolicyReport { policy, report } in reports {
            write_name(text, policies[*policy].policy.name());
            text.push(b";r=");
            text.push_number(report.standing.remaining);
            let more_in = time_left(report);
            if more_in > 0 {
                text.push(b";t=");
                text.push_number(more_in);
            }
        }
    })
}

/// Bytes that are enough for a list of these policies, each with its quotes and separator.
fn room(policies: &[Active], reports: &[PolicyReport], parameters: usize) -> usize {
    let names = reports.iter().map(|report| policies[report.policy].policy.name().len());
    names.map(|name| name + "\"\", ".len() + parameters).sum()
}

/// Says that a store is missing, and on which step of the ladder the decision was made.
pub(crate) fn write_fallback(headers: &mut HeaderMap, fallback: Option<Fallback>) {
    if let Some(fallback) = fallback {
        headers.insert(FALLBACK, HeaderValue::from_static(fallback.as_str()));
    }
}

/// Names were checked when their policies were built: nothing in them needs escaping.
fn write_name(text: &mut Text<'_>, name: &str) {
    if !text.is_empty() {
        text.push(b", ");
    }
    text.push(b"\"");
    text.push(name.as_bytes());
    text.push(b"\"");
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
