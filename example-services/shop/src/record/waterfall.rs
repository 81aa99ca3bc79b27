//! The spans of a trace as a tree over time.

use super::Span;
use crate::paint::Paint;

/// How many characters the whole time takes.
const WIDTH: usize = 32;

/// How many characters the names take.
const NAMES: usize = 46;

type Spans<'a> = [&'a Span];

/// One row per span, children under their parents in the order of their starts.
pub(crate) fn waterfall(spans: &Spans<'_>, paint: Paint) -> String {
    let is_root = |span: &Span| !spans.iter().any(|other| is_child(span, other));
    let start = spans.iter().map(|span| span.start_ns).min().unwrap_or_default();
    let end = spans.iter().map(|span| span.end_ns()).max().unwrap_or_default();
    let mut drawn = Drawn { spans, start, whole: end - start, paint, rows: String::new() };
    for span in sorted(spans.iter().copied().filter(|span| is_root(span))) {
        drawn.add(span, 0);
    }
    drawn.rows
}

fn is_child(span: &Span, of: &Span) -> bool {
    span.parent_span_id.as_deref() == Some(&of.span_id)
}

fn sorted<'a>(spans: impl Iterator<Item = &'a Span>) -> Vec<&'a Span> {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_by_key(|span| span.start_ns);
    spans
}

struct Drawn<'a> {
    spans: &'a Spans<'a>,
    start: u64,
    whole: u64,
    paint: Paint,
    rows: String,
}

impl Drawn<'_> {
    fn add(&mut self, span: &Span, depth: usize) {
        let kind = match span.kind.as_str() {
            "server" => "←",
            "client" => "→",
            "producer" => "»",
            "consumer" => "«",
            _ => "·",
        };
        let name = format!("{:indent$}{kind} {}", "", span.name, indent = depth);
        let took = span.duration_ns as f64 / 1e6;
        let failed = if span.error.is_some() { "  failed" } else { "" };
        self.rows.push_str(&format!(
            "  {:<12}  {:<NAMES$}  {}  {took:>7.2} ms{failed}\n",
            span.service,
            name.chars().take(NAMES).collect::<String>(),
            self.paint.bar(self.bar(span)),
        ));
        // A cycle cannot be: a span's parent is known before the span's own id is.
        let spans = self.spans;
        for child in sorted(spans.iter().copied().filter(|child| is_child(child, span))) {
            self.add(child, depth + 1);
        }
    }

    fn bar(&self, span: &Span) -> String {
        let column = |nanos: u64| {
            let share = nanos as f64 / (self.whole as f64).max(1.0);
            ((share * WIDTH as f64).round() as usize).min(WIDTH)
        };
        let from = column(span.start_ns - self.start).min(WIDTH - 1);
        let to = column(span.end_ns() - self.start).max(from + 1);
        format!("{}{}{}", " ".repeat(from), "█".repeat(to - from), " ".repeat(WIDTH - to))
    }
}

#[cfg(test)]
mod tests {
    use obs_core::clock::Timestamp;
    use obs_core::id::{SpanId, TraceId};
    use obs_core::trace::{SpanKind, SpanRecord};

    use super::*;

    fn span(name: &'static str, id: u8, parent: Option<u8>, from: u64, to: u64) -> Span {
        let span_id = |id: u8| SpanId::from_hex(&format!("{id:016x}")).unwrap();
        let trace_id = TraceId::from_hex("5759e988bd862e3fe1be46a994272793").unwrap();
        let mut span = SpanRecord::new(name, SpanKind::Internal, trace_id, span_id(id));
        span.parent_span_id = parent.map(span_id);
        span.start = Timestamp::from_unix_millis(1_000 + from);
        span.end = Timestamp::from_unix_millis(1_000 + to);
        Span::new("order", &span)
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
