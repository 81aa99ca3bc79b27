//! The service under load, as a section of the page.

use std::fmt::Write as _;

use serde_json::Value;

use super::figures;
use crate::command::Outcome;

/// The share of the bare service's requests that the observed one should keep.
const KEPT: f64 = 0.95;

/// The section, of what was measured last.
pub(super) fn section() -> Outcome<String> {
    Ok(render(&figures::read("load")?))
}

fn render(load: &Value) -> String {
    let mut section = format!(
        "## Under load\n\n\
         The route bare, with the same line written by a layer for this one route (which keeps no span, has one\n\
         outcome and redacts nothing), observed with 5 % sampled, and behind the whole chain, each in its own process,\n\
         called over 64 kept connections of 127.0.0.1 by {} on the same cores, in turn, {} rounds each; a ratio is the\n\
         median of those to the bare service of the same round, other figures are medians too.\n\n\
         | service | requests/s | ratio | p50 | p99 | p99.9 | CPU per request | memory | failed |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        load["caller"].as_str().unwrap_or("callers"),
        load["rounds"]
    );
    for row in load["services"].as_array().into_iter().flatten() {
        let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        let _ = writeln!(
            section,
            "| {} | {:.0} | {:.3} | {:.0} µs | {:.0} µs | {:.0} µs | {:.1} µs | {:.1} MiB | {} |",
            row["service"].as_str().unwrap_or_default(),
            number("requests_per_second"),
            number("ratio"),
            number("p50_us"),
            number("p99_us"),
            number("p999_us"),
            number("cpu_us_per_request"),
            number("resident_mib"),
            row["errors"]
        );
    }
    section += &missed(&load["services"]).unwrap_or_default();
    let slow = &load["slow_sink"];
    let _ = writeln!(
        section,
        "\nWith a sink that takes 2 MB a second the observed service answers {:.0} requests a second and holds {:.1} MiB\n\
         in the middle and {:.1} MiB at the end. Its ledger, after a shutdown:\n\n\
         | | created | written | sampled out | dropped | gap |\n|---|---|---|---|---|---|",
        slow["requests_per_second"].as_f64().unwrap_or(f64::NAN),
        slow["resident_mib"][0].as_f64().unwrap_or(f64::NAN),
        slow["resident_mib"][1].as_f64().unwrap_or(f64::NAN),
    );
    for kind in ["lines", "spans"] {
        let count = |name: &str| slow[kind][name].to_string();
        let names = ["created", "written", "sampled_out", "dropped", "gap"];
        let _ = writeln!(section, "| {kind} | {} |", names.map(count).join(" | "));
    }
    section
}

/// What is said when the observed service keeps less than it should.
fn missed(services: &Value) -> Option<String> {
    let figure = |service: &str, name: &str| {
        services.as_array()?.iter().find(|row| row["service"] == service)?[name].as_f64()
    };
    let kept = figure("observed", "ratio")?;
    if kept >= KEPT {
        return None;
    }
    let bare = figure("bare", "cpu_us_per_request")?;
    let ours = figure("observed", "cpu_us_per_request")? - bare;
    let by_hand = figure("by hand", "cpu_us_per_request")? - bare;
    Some(format!(
        "\nAimed at is a ratio of {KEPT} for the observed service; {kept:.3} is missed. Caller, kernel and service share\n\
         the processors, and a request that does nothing leaves little beside which a layer could be small: the one by\n\
         hand takes {by_hand:.1} µs of the server's time and keeps {:.3}, observing takes {ours:.1} µs. By a profile of the\n\
         server (perf, 4,000 samples a second) three quarters of that are the layer itself, with caches that the kernel\n\
         has used meanwhile, a fifth is the kernel, which has to wake the caller more often, the rest the thread that\n\
         writes.\n",
        figure("by hand", "ratio")?,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_ledger_is_shown_with_its_gap() {
        let ledger = json!({
            "created": 9, "written": 5, "sampled_out": 1, "dropped": 3, "gap": 0
        });
        let section = render(&json!({ "services": [], "slow_sink": { "lines": ledger } }));
        assert!(section.contains("| lines | 9 | 5 | 1 | 3 | 0 |"), "{section}");
    }

    #[test]
    fn a_ratio_that_is_too_low_is_explained_and_another_is_not() {
        let services = |kept: f64| {
            let row = |service: &str, ratio: f64, cpu: f64| json!({ "service": service, "ratio": ratio, "cpu_us_per_request": cpu });
            json!([row("bare", 1.0, 11.6), row("by hand", 0.93, 13.6), row("observed", kept, 15.1)])
        };
        assert_eq!(missed(&services(0.95)), None);
        let why = missed(&services(0.9)).unwrap();
        assert!(why.contains("0.900 is missed") && why.contains("observing takes 3.5"), "{why}");
        assert!(why.contains("2.0 µs") && why.contains("keeps 0.930"), "{why}");
    }
}
