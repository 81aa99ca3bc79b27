//! The spans of a trace as a tree over time.

use std::time::Duration;

use obs_core::id::SpanId;
use obs_core::trace::{SpanKind, SpanRecord, Status};

use super::paint::Paint;
use crate::name::Name;

/// How many characters the whole time takes.
const WIDTH: usize = 32;

/// How many characters the names take.
const NAMES: usize = 46;

type Spans<'a> = [&'a (Name, SpanRecord)];

/// One row per span, children under their parents in the order of their starts.
pub(super) fn waterfall(spans: &Spans<'_>, paint: Paint) -> String {
    let known: Vec<SpanId> = spans.iter().map(|(_, span)| span.span_id).collect();
    let is_root = |span: &SpanRecord| span.parent_span_id.is_none_or(|id| !known.contains(&id));
    let start = spans.iter().map(|(_, span)| span.start).min().unwrap_or_default();
    let end = spans.iter().map(|(_, span)| span.end).max().unwrap_or_default();
    let whole = end.saturating_duration_since(start);
    let mut drawn = Drawn { spans, start, whole, paint, rows: String::new() };
    for span in sorted(spans.iter().copied().filter(|(_, span)| is_root(span))) {
        drawn.add(span, 0);
    }
    drawn.rows
}

fn sorted<'a>(spans: impl Iterator<Item = &'a (Name, SpanRecord)>) -> Vec<&'a (Name, SpanRecord)> {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_by_key(|(_, span)| span.start);
    spans
}

struct Drawn<'a> {
    spans: &'a Spans<'a>,
    start: obs_core::clock::Timestamp,
    whole: Duration,
    paint: Paint,
    rows: String,
}

impl Drawn<'_> {
    fn add(&mut self, entry: &(Name, SpanRecord), depth: usize) {
        let (service, span) = entry;
        let kind = match span.kind {
            SpanKind::Server => "←",
            SpanKind::Client => "→",
            _ => "·",
        };
        let name = format!("{:indent$}{kind} {}", "", span.name.as_str(), indent = depth * 2);
        let took = span.duration().as_secs_f64() * 1e3;
        let failed = if matches!(span.status, Status::Error { .. }) { "  failed" } else { "" };
        self.rows.push_str(&format!(
            "  {service:<9}  {:<NAMES$}  {}  {took:>7.2} ms{failed}\n",
            name.chars().take(NAMES).collect::<String>(),
            self.paint.bar(self.bar(span)),
        ));
        // A cycle cannot be: a span's parent is known before the span's own id is.
        let spans = self.spans;
        let children = spans.iter().copied();
        for child in
            sorted(children.filter(|(_, child)| child.parent_span_id == Some(span.span_id)))
        {
            self.add(child, depth + 1);
        }
    }

    fn bar(&self, span: &SpanRecord) -> String {
        let column = |time: Duration| {
            let share = time.as_secs_f64() / self.whole.as_secs_f64().max(f64::MIN_POSITIVE);
            ((share * WIDTH as f64).round() as usize).min(WIDTH)
        };
        let from = column(span.start.saturating_duration_since(self.start)).min(WIDTH - 1);
        let to = column(span.end.saturating_duration_since(self.start)).max(from + 1);
        format!("{}{}{}", " ".repeat(from), "█".repeat(to - from), " ".repeat(WIDTH - to))
    }
}

#[cfg(test)]
mod tests {
    use obs_core::clock::Timestamp;
    use obs_core::id::TraceId;

    use super::*;

    fn span(
        name: &'static str,
        id: u8,
        parent: Option<u8>,
        from: u64,
        to: u64,
    ) -> (Name, SpanRecord) {
        let span_id = |id: u8| SpanId::from_hex(&format!("{id:016x}")).unwrap();
        let trace_id = TraceId::from_hex("5759e988bd862e3fe1be46a994272793").unwrap();
        let mut span = SpanRecord::new(name, SpanKind::Internal, trace_id, span_id(id));
        span.parent_span_id = parent.map(span_id);
        span.start = Timestamp::from_unix_millis(1_000 + from);
        span.end = Timestamp::from_unix_millis(1_000 + to);
        (Name::Order, span)
    }

    #[test]
    fn children_stand_under_their_parents_in_the_order_of_their_starts() {
        let spans = [
            span("late", 3, Some(1), 50, 100),
            span("root", 1, Some(99), 0, 100),
            span("leaf", 4, Some(2), 10, 20),
            span("early", 2, Some(1), 0, 50),
        ];
        let drawn = waterfall(&spans.iter().collect::<Vec<_>>(), Paint::new(false));
        let names: Vec<_> = drawn.lines().filter_map(|row| row.split_whitespace().nth(2)).collect();
        assert_eq!(names, ["root", "early", "leaf", "late"]);
        let bars: Vec<_> = drawn.lines().map(|row| row.matches('█').count()).collect();
        assert_eq!(bars, [WIDTH, WIDTH / 2, 3, WIDTH / 2]);
    }

    #[test]
    fn spans_that_took_no_time_are_drawn_all_the_same() {
        let spans = [span("root", 1, None, 0, 0)];
        let drawn = waterfall(&spans.iter().collect::<Vec<_>>(), Paint::new(false));
        assert_eq!(drawn.matches('█').count(), 1);
        assert_eq!(waterfall(&[], Paint::new(false)), "");
    }
}
