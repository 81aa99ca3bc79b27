//! The service under load, as a section of the page.

use std::fmt::Write as _;

use serde_json::Value;

use super::figures;
use crate::command::Outcome;

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
}
