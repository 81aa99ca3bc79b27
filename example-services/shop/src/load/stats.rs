use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

/// What became of the requests of each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats(BTreeMap<&'static str, Requests>);

#[derive(Clone, Debug, Default)]
struct Requests {
    /// How long each took, in microseconds.
    micros: Vec<u64>,
    failed: u64,
}

/// A bound, and whether it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Threshold {
    pub(super) name: &'static str,
    pub(super) limit: f64,
    pub(super) measured: f64,
    pub(super) holds: bool,
}

/// The 95th percentile, in milliseconds, that requests of a kind must stay below.
const P95_MS: [(&str, &str, f64); 3] = [
    ("cart p95", "cart", 200.0),
    ("stress p95", "stress", 5_000.0),
    ("health p95", "health", 50.0),
];

/// The part of all requests that may fail, in percent.
const FAILED_PERCENT: f64 = 1.0;

impl Stats {
    pub(super) fn add(&mut self, kind: &'static str, took: Duration, ok: bool) {
        let requests = self.0.entry(kind).or_default();
        requests.micros.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        requests.failed += u64::from(!ok);
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (kind, requests) in other.0 {
            let mine = self.0.entry(kind).or_default();
            mine.micros.extend(requests.micros);
            mine.failed += requests.failed;
        }
    }

    /// The bounds of the kinds of requests that were made.
    pub(super) fn judge(&self) -> Vec<Threshold> {
        let p95 = |(name, kind, limit): (&'static str, &'static str, f64)| {
            let measured = self.0.get(kind)?.percentile(95);
            Some(Threshold { name, limit, measured, holds: measured < limit })
        };
        let mut judged: Vec<_> = P95_MS.into_iter().filter_map(p95).collect();
        let all: usize = self.0.values().map(|requests| requests.micros.len()).sum();
        let failed: u64 = self.0.values().map(|requests| requests.failed).sum();
        let measured = failed as f64 * 100.0 / all.max(1) as f64;
        let holds = all > 0 && measured < FAILED_PERCENT;
        judged.push(Threshold { name: "failed percent", limit: FAILED_PERCENT, measured, holds });
        judged
    }

    pub(super) fn table(&self) -> String {
        let head = format!(
            "  {:<10} {:>8} {:>8} {:>10} {:>10} {:>10}\n",
            "requests", "made", "failed", "p50 ms", "p95 ms", "p99 ms"
        );
        self.0.iter().fold(head, |table, (kind, requests)| {
            let Requests { micros, failed } = requests;
            let [p50, p95, p99] = [50, 95, 99].map(|percent| requests.percentile(percent));
            table
                + &format!(
                    "  {kind:<10} {:>8} {failed:>8} {p50:>10.1} {p95:>10.1} {p99:>10.1}\n",
                    micros.len()
                )
        })
    }

    pub(super) fn json(&self) -> Value {
        let one = |(kind, requests): (&&'static str, &Requests)| {
            let [p50, p95, p99] = [50, 95, 99].map(|percent| requests.percentile(percent));
            let told = json!({
                "made": requests.micros.len(),
                "failed": requests.failed,
                "p50_ms": p50,
                "p95_ms": p95,
                "p99_ms": p99,
            });
            ((*kind).to_owned(), told)
        };
        Value::Object(self.0.iter().map(one).collect())
    }
}

impl Requests {
    /// The smallest time that so many percent did not exceed, in milliseconds; 0 of none.
    fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(rank).map_or(0.0, |micros| *micros as f64 / 1_000.0)
    }
}

pub(super) fn thresholds(judged: &[Threshold]) -> String {
    let row = |Threshold { name, limit, measured, holds }: &Threshold| {
        let verdict = if *holds { "ok  " } else { "FAIL" };
        format!("  {verdict}  {name} {measured:.1} < {limit}\n")
    };
    std::iter::once("\n".to_owned()).chain(judged.iter().map(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut stats = Stats::default();
        for millis in 1..=100 {
            stats.add("cart", Duration::from_millis(millis), true);
        }
        let cart = &stats.0["cart"];
        assert_eq!([50, 95, 99].map(|percent| cart.percentile(percent)), [50.0, 95.0, 99.0]);
        assert_eq!(Requests::default().percentile(95), 0.0);
    }

    #[test]
    fn a_bound_fails_by_time_or_by_failures() {
        let judge = |millis, ok| {
            let mut stats = Stats::default();
            stats.add("cart", Duration::from_millis(millis), ok);
            let judged = stats.judge();
            (judged[0].holds, judged[1].holds)
        };
        assert_eq!(judge(199, true), (true, true));
        assert_eq!(judge(200, true), (false, true));
        assert_eq!(judge(1, false), (true, false));
        assert!(!Stats::default().judge()[0].holds, "no request is no success");
    }
}
