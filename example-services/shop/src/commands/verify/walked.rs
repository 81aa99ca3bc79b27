use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shop_contracts::Walk;
use shop_contracts::walk::Hop;

use super::ends::Ends;
use super::evidence::{Evidence, SeenLine, Traced};
use super::{Check, Outcome, hold};
use crate::record::{Kill, Span};

/// One check for each hop that the order has taken.
pub(super) fn hops(evidence: &Evidence, walk: &Walk, ends: &Ends, id: &str) -> Vec<Check> {
    let Some(traced) = evidence.traced(id) else {
        return vec![hold("it is on the bus", false, || "no event tells of it".to_owned())];
    };
    let (spans, linked) = evidence.spans(&traced.trace_id);
    let life = ends.life(spans);
    let facts = ends.facts(spans, evidence.is_told(id));
    let lines: Vec<Value> = evidence.lines(traced).map(document_of_line).collect();
    let documents: Vec<Value> = spans.iter().map(document).collect();
    let others: Vec<Value> = linked.iter().map(document).collect();
    let parents: BTreeMap<&str, &str> = spans
        .iter()
        .filter_map(|span| Some((span.span_id.as_str(), span.parent_span_id.as_deref()?)))
        .collect();
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut checks = Vec::new();
    for hop in &walk.0 {
        if hop.when.as_ref().is_some_and(|when| !when.matches(&facts)) {
            continue;
        }
        let above = hop.below.as_ref().map(|above| found.get(above.as_str()));
        let matches = matching(hop, spans, &documents, &parents, above.flatten());
        let missing = if hop.linked {
            // One that was about this order alone continues its trace.
            let all = others.iter().chain(&documents);
            !all.into_iter().any(|span| hop.span.as_ref().is_none_or(|want| want.matches(span)))
        } else {
            hop.span.is_some() && matches.is_empty()
        };
        let silent = hop.line.as_ref().is_some_and(|want| !lines.iter().any(|l| want.matches(l)));
        let outcome = if missing {
            excused(evidence, life, "it left no such span")
        } else if silent {
            excused(evidence, life, "it left no such line")
        } else {
            Outcome::Holds
        };
        found.insert(&hop.id, matches);
        checks.push((format!("{:>2} {}", hop.number, hop.what), outcome));
    }
    checks
}

/// The spans of a hop: those that are like it, below one of `above`.
fn matching<'a>(
    hop: &Hop,
    spans: &'a [Span],
    documents: &[Value],
    parents: &BTreeMap<&str, &str>,
    above: Option<&BTreeSet<&str>>,
) -> BTreeSet<&'a str> {
    let Some(want) = hop.span.as_ref().filter(|_| !hop.linked) else { return BTreeSet::new() };
    let is_below = |span: &Span| {
        let Some(above) = above else { return true };
        let mut at = span.span_id.as_str();
        // No trace is deeper than it has spans.
        for _ in 0..spans.len() {
            let Some(parent) = parents.get(at) else { return false };
            if above.contains(parent) {
                return true;
            }
            at = parent;
        }
        false
    };
    let like = spans.iter().zip(documents).filter(|(_, document)| want.matches(document));
    like.filter(|(span, _)| is_below(span)).map(|(span, _)| span.span_id.as_str()).collect()
}

/// What a span is, in the form that patterns are written for.
fn document(span: &Span) -> Value {
    json!({
        "service": span.service,
        "kind": span.kind,
        "name": span.name,
        "failed": span.error.is_some(),
        "attributes": span.attributes,
    })
}

fn document_of_line(line: &SeenLine) -> Value {
    json!({"service": line.service, "message": line.message})
}

/// What is missing is no fault where a process was killed that had not written it yet; what the
/// stores tell is judged by itself.
fn excused(evidence: &Evidence, (from_ms, to_ms): (u64, u64), what: &str) -> Outcome {
    match evidence.kills.iter().find(|kill| kill.may_have_lost(from_ms, to_ms)) {
        Some(kill) => Outcome::Lost(format!("{what}; {} was killed meanwhile", kill.process)),
        None => Outcome::Fails(what.to_owned()),
    }
}

/// No span without its parent, no line with another trace, order or correlation id, no span that does
/// not tell whose it is.
pub(super) fn belongs_together(evidence: &Evidence, ends: &Ends, id: &str) -> Vec<Check> {
    let Some(traced) = evidence.traced(id) else { return Vec::new() };
    let (spans, _) = evidence.spans(&traced.trace_id);
    let lines: Vec<_> = evidence.lines(traced).collect();
    let life = ends.life(spans);
    let check = |what: &str, wrong: Vec<&str>| {
        let outcome = match wrong.len() {
            0 => Outcome::Holds,
            count => excused(evidence, life, &format!("{count} do not: {wrong:?}")),
        };
        (what.to_owned(), outcome)
    };
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    let has_parent =
        |span: &&Span| span.parent_span_id.as_deref().is_some_and(|parent| ids.contains(parent));
    let mut orphans: Vec<_> = spans.iter().filter(|span| !has_parent(span)).collect();
    // The first span may continue a trace of the customer's.
    if let Some(first) = orphans.iter().position(|span| span.service == "gateway") {
        orphans.remove(first);
    }
    let names = orphans.iter().map(|span| span.name.as_str()).collect();
    let strange = |line: &&&SeenLine| !ids.contains(line.span_id.as_str());
    let strange = lines.iter().filter(strange).map(|line| line.message.as_str()).collect();
    let silent = silent(spans, id, ends.user_id());
    let mut checks = vec![
        check("every span but the first has its parent", names),
        check("every line names a span that is there", strange),
        ("all lines have its trace id".to_owned(), strays(evidence, traced)),
        hold("every span tells order_id and user_id", silent.is_empty(), || format!("{silent:?}")),
    ];
    checks.extend(ids_are_equal(traced, &lines, id));
    checks
}

/// The spans that do not tell whose they are.
///
/// The gateway learns from an answer which order it asked for: it cannot say so of a call that
/// failed, nor of anything when every call did.
fn silent<'a>(spans: &'a [Span], id: &str, user: &str) -> Vec<&'a str> {
    let is_call = |span: &Span| span.service == "gateway" && span.kind == "client";
    let answered = spans.iter().any(|span| is_call(span) && span.error.is_none());
    let cannot_know = |span: &Span| {
        span.service == "gateway" && (!answered || (is_call(span) && span.error.is_some()))
    };
    let tells = |span: &&Span| {
        span.annotation("user_id") == Some(user)
            && match span.annotation("order_id") {
                Some(told) => told == id,
                None => cannot_know(span),
            }
    };
    spans.iter().filter(|span| !tells(span)).map(|span| span.name.as_str()).collect()
}

/// Lines with the order's correlation id in a trace that begins nowhere.
///
/// An attempt at the order that came to nothing begins with its line of the gateway; that one is
/// missing, and no fault, where the gateway was killed before it could write it. What the other
/// services then still do for it belongs to the same attempt.
fn strays(evidence: &Evidence, traced: &Traced) -> Outcome {
    let of_gateway = |kill: &&Kill| kill.process == "shop" || kill.process.contains("gateway");
    let kills: Vec<_> = evidence.kills.iter().filter(of_gateway).collect();
    let was_killed_during = |line: &&SeenLine| {
        kills.iter().any(|kill| kill.may_have_lost_cause_of(&line.timestamp, line.duration()))
    };
    let (lost, found): (Vec<_>, Vec<_>) =
        evidence.strays(traced).partition(|lines| lines.iter().any(was_killed_during));
    let (lost, found) = (lost.concat(), found.concat());
    let told = |lines: &[&SeenLine]| {
        let told = lines.iter().map(|line| format!("{} {}", line.service, line.message));
        told.collect::<Vec<_>>().join(", ")
    };
    match (found.len(), lost.len()) {
        (0, 0) => Outcome::Holds,
        (0, _) => Outcome::Lost(format!("{}; the gateway was killed then", told(&lost))),
        (count, _) => Outcome::Fails(format!("{count} do not: {}", told(&found))),
    }
}

fn ids_are_equal(traced: &Traced, lines: &[&SeenLine], id: &str) -> Vec<Check> {
    let differ = |wrong: &dyn Fn(&SeenLine) -> bool| -> Vec<String> {
        let wrong = lines.iter().filter(|line| wrong(line));
        wrong.map(|line| format!("{} {}", line.service, line.message)).collect()
    };
    let correlation = differ(&|line| line.correlation_id != traced.correlation_id);
    let order = differ(&|line| line.order_id.as_deref().is_some_and(|other| other != id));
    let user: BTreeSet<_> = lines.iter().filter_map(|line| line.user_id.as_deref()).collect();
    vec![
        hold("all lines have its correlation id", correlation.is_empty(), || {
            format!("{correlation:?}")
        }),
        hold("no line names another order", order.is_empty(), || format!("{order:?}")),
        hold("no line names another user", user.len() <= 1, || format!("{user:?}")),
    ]
}
