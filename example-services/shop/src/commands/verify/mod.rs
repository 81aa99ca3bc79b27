//! Whether orders left a whole, true story, and whether the stores add up.

mod ends;
mod evidence;
mod invariants;
mod walked;

use std::path::Path;

use serde_json::{Value, json};
use shop_contracts::Walk;

use self::evidence::Evidence;
pub(super) use self::invariants::invariants;
use crate::client::Fault;
use crate::finding::{Finding, Found};

/// What was looked at, and what came of it.
type Check = (String, Outcome);

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Holds,
    /// It cannot be told from what is there; the stores say that it happened. Because of this.
    Lost(String),
    /// It does not hold, because of this.
    Fails(String),
}

fn hold(what: impl Into<String>, holds: bool, because: impl FnOnce() -> String) -> Check {
    (what.into(), if holds { Outcome::Holds } else { Outcome::Fails(because()) })
}

fn finding(subject: &str, checks: Vec<Check>) -> Finding {
    let mut text = String::new();
    let mut list = Vec::with_capacity(checks.len());
    let mut good = true;
    for (what, outcome) in checks {
        let (ok, because) = match outcome {
            Outcome::Holds => (true, None),
            Outcome::Lost(because) => (true, Some(because)),
            Outcome::Fails(because) => (false, Some(because)),
        };
        good &= ok;
        let mark = match (ok, &because) {
            (true, None) => "ok   ",
            (true, Some(_)) => "lost ",
            (false, _) => "FAIL ",
        };
        let told = because.as_ref().map_or_else(String::new, |because| format!(": {because}"));
        text.push_str(&format!("  {mark} {what}{told}\n"));
        list.push(json!({"check": what, "ok": ok, "because": because}));
    }
    Finding { good, json: json!({"subject": subject, "ok": good, "checks": list}), text }
}

/// Whether every hop of an order's walk left its span and its line, every span has its parent, every
/// line and span has the order's ids, and the stores tell the same end.
pub(super) async fn order(data: &Path, id: &str) -> Found {
    let evidence = Evidence::load(data, Some(id)).await?;
    Ok(finding(id, checks(data, &evidence, &Walk::embedded()?, id).await?))
}

/// The same of all orders on the bus; tells those that fail.
pub(super) async fn orders(data: &Path) -> Found {
    let evidence = Evidence::load(data, None).await?;
    let walk = Walk::embedded()?;
    let (mut text, mut failed, mut lost) = (String::new(), Vec::new(), 0_u64);
    let ids: Vec<String> = evidence.orders().map(str::to_owned).collect();
    for (number, id) in ids.iter().enumerate() {
        if number % 100 == 0 && number > 0 {
            eprintln!("shop: {number} of {} orders verified", ids.len());
        }
        let checks = checks(data, &evidence, &walk, id).await?;
        lost += u64::from(checks.iter().any(|(_, outcome)| matches!(outcome, Outcome::Lost(_))));
        let found = finding(id, checks);
        if !found.good {
            text.push_str(&format!("  {id}\n{}", found.text));
            failed.push(found.json);
        }
    }
    let summary = format!(
        "  {} orders, {} failed, {lost} in part before a process was killed\n",
        ids.len(),
        failed.len()
    );
    text.push_str(&summary);
    let json: Value = json!({"orders": ids.len(), "lost_in_part": lost, "failed": failed});
    Ok(Finding { good: failed.is_empty(), json, text })
}

async fn checks(
    data: &Path,
    evidence: &Evidence,
    walk: &Walk,
    id: &str,
) -> Result<Vec<Check>, Fault> {
    let ends = ends::Ends::of(data, id).await?;
    let mut checks = walked::hops(evidence, walk, &ends, id);
    checks.extend(walked::belongs_together(evidence, &ends, id));
    checks.extend(ends.checks(evidence, id).await?);
    Ok(checks)
}
