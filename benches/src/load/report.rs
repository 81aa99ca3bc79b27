//! What the campaign says: the median of each figure, and what went wrong.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::campaign::Outcome;
use super::{Round, SlowSink, Variant};

/// How much more memory a service may hold at the end than in the middle, when its sink is slow.
const FLAT_BYTES: u64 = 8 * 1_024 * 1_024;

/// For people.
#[must_use]
pub fn render(outcome: &Outcome) -> String {
    let mut text = format!(
        "called by {}; medians of {} rounds\n{:<10} {:>10} {:>7} {:>9} {:>9} {:>9} {:>12} {:>9} {:>7}\n",
        outcome.caller,
        outcome.compared.first().map_or(0, |(_, rounds)| rounds.len()),
        "service",
        "requests/s",
        "ratio",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "cpu us/req",
        "RSS MiB",
        "errors",
    );
    for row in rows(outcome) {
        let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "{:<10} {:>10.0} {:>7.3} {:>9.0} {:>9.0} {:>9.0} {:>12.1} {:>9.1} {:>7}",
            row["service"].as_str().unwrap_or_default(),
            number("requests_per_second"),
            number("ratio"),
            number("p50_us"),
            number("p99_us"),
            number("p999_us"),
            number("cpu_us_per_request"),
            number("resident_mib"),
            number("errors"),
        );
    }
    let _ = writeln!(text, "slow sink: {}", slow_sink(outcome));
    text
}

/// For the document.
#[must_use]
pub fn json(outcome: &Outcome) -> Value {
    json!({
        "caller": outcome.caller,
        "rounds": outcome.compared.first().map_or(0, |(_, rounds)| rounds.len()),
        "services": rows(outcome),
        "slow_sink": slow_sink(outcome),
        "faults": faults(outcome),
    })
}

/// What must not be, as sentences: requests that failed, lines that are unaccounted for, memory
/// that grows.
#[must_use]
pub fn faults(outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    for (variant, rounds) in &outcome.compared {
        let errors: u64 = rounds.iter().map(|round| round.measured.errors).sum();
        if errors > 0 {
            faults.push(format!("{}: {errors} requests failed", variant.name()));
        }
    }
    let slow = slow_sink(outcome);
    for kind in ["lines", "spans"] {
        if slow[kind]["gap"] != 0 {
            faults.push(format!("slow sink: {kind} are unaccounted for: {}", slow[kind]));
        }
    }
    let [middle, end] = &outcome.slow_sink.rounds;
    if let (Some(middle), Some(end)) = (middle.resident_bytes, end.resident_bytes)
        && end > middle + FLAT_BYTES
    {
        faults.push(format!("slow sink: memory grew from {middle} to {end} bytes"));
    }
    faults
}

fn rows(outcome: &Outcome) -> Vec<Value> {
    let bare = outcome.compared.iter().find(|(variant, _)| *variant == Variant::Bare);
    let bare = bare.map_or(&[][..], |(_, rounds)| rounds.as_slice());
    let row = |(variant, rounds): &(Variant, Vec<Round>)| {
        let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        let rate = |round: &Round| round.measured.per_second();
        let ratios = rounds.iter().zip(bare).map(|(own, bare)| rate(own) / rate(bare));
        json!({
            "service": variant.name(),
            "requests_per_second": of(|round| round.measured.per_second()),
            "ratio": median(ratios.collect()),
            "p50_us": of(|round| micros(round.measured.p50)),
            "p99_us": of(|round| micros(round.measured.p99)),
            "p999_us": of(|round| micros(round.measured.p999)),
            "cpu_us_per_request": of(|round| micros(round.cpu_per_request)),
            "resident_mib": of(|round| mib(round.resident_bytes)),
            "errors": rounds.iter().map(|round| round.measured.errors).sum::<u64>(),
        })
    };
    outcome.compared.iter().map(row).collect()
}

fn slow_sink(outcome: &Outcome) -> Value {
    let SlowSink { rounds: [middle, end], ledger } = &outcome.slow_sink;
    let with_gap = |kind: &str| {
        let count = |name: &str| ledger[kind][name].as_u64().unwrap_or_default();
        let known = count("written") + count("sampled_out") + count("dropped");
        let mut kind = ledger[kind].clone();
        kind["gap"] = json!(count("created").abs_diff(known));
        kind
    };
    json!({
        "requests_per_second": end.measured.per_second(),
        "resident_mib": [mib(middle.resident_bytes), mib(end.resident_bytes)],
        "lines": with_gap("lines"),
        "spans": with_gap("spans"),
    })
}

fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}

fn mib(bytes: Option<u64>) -> f64 {
    bytes.map_or(f64::NAN, |bytes| bytes as f64 / (1_024.0 * 1_024.0))
}

/// The middle of `values`; of an even number of them the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[length / 2],
        length => values[length / 2 - 1].midpoint(values[length / 2]),
    }
}
