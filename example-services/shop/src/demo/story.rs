use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};
use shop_domain::order::Status;

use super::{CORRELATION_ID, Life, REFUSED_ID, metrics};
use crate::client::Answer;
use crate::name::Name;
use crate::paint::Paint;
use crate::record::lines::{self, Line};
use crate::record::{Span, waterfall};

/// What is known about the two orders.
pub(super) struct Story<'a> {
    pub(super) paint: Paint,
    pub(super) urls: &'a BTreeMap<&'static str, String>,
    pub(super) lines: &'a [Line],
    pub(super) spans: &'a [Span],
    pub(super) order: Answer,
    pub(super) refused: Answer,
    pub(super) life: Life,
}

/// The services that take part in an order, from the cart to the message that it is sent.
const TAKING_PART: [Name; 9] = [
    Name::Gateway,
    Name::Product,
    Name::Order,
    Name::Inventory,
    Name::Cart,
    Name::Payment,
    Name::Shipping,
    Name::Notification,
    Name::Loyalty,
];

impl Story<'_> {
    /// Whether the story went as it should.
    pub(super) fn check(&self) -> Result<(), String> {
        let statuses = (self.order.status.as_u16(), self.refused.status.as_u16());
        if statuses != (201, 409) {
            return Err(format!("the orders were answered {statuses:?}, not (201, 409)"));
        }
        if self.life.status != Status::Shipped.as_str() {
            return Err(format!("the order ended in {}, not in SHIPPED", self.life.status));
        }
        let told = lines::of(self.lines, CORRELATION_ID);
        for name in TAKING_PART {
            if !told.iter().any(|line| lines::text(line, "service") == name.as_str()) {
                return Err(format!("the {name} service left no line about the order"));
            }
        }
        Ok(())
    }

    /// Everything that is told, for a program.
    pub(super) fn to_json(&self) -> Value {
        let lines = lines::of(self.lines, CORRELATION_ID);
        json!({
            "order": self.order.body,
            "status": self.life.status,
            "history": self.life.history["history"],
            "notifications": self.life.told["notifications"],
            "refused": self.refused.body,
            "spans": self.spans,
            "lines": lines.into_iter().map(Line::to_value).collect::<Vec<_>>(),
        })
    }

    fn heading(&self, f: &mut Formatter<'_>, text: impl Display) -> fmt::Result {
        writeln!(f, "\n{}\n", self.paint.heading(text))
    }

    fn exchange(&self, f: &mut Formatter<'_>, answer: &Answer, headers: &[&str]) -> fmt::Result {
        let asked = answer.asked.as_ref().map(shown).unwrap_or_default();
        writeln!(f, "  > {} {} {asked}", answer.method, answer.path)?;
        let status = answer.status;
        let status =
            if status.is_success() { self.paint.good(status) } else { self.paint.bad(status) };
        writeln!(f, "  < {status}")?;
        for name in headers {
            for value in answer.headers.get_all(*name) {
                writeln!(f, "  < {name}: {}", value.to_str().unwrap_or("(not text)"))?;
            }
        }
        let body = serde_json::to_string_pretty(&answer.body).unwrap_or_default();
        body.lines().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// What was asked for, without the number of the card.
fn shown(asked: &Value) -> String {
    let mut asked = asked.clone();
    if let Some(card) = asked.get_mut("card") {
        card["number"] = "(a test card)".into();
    }
    asked.to_string()
}

/// The steps of the order, and what its customer was told.
fn life(Life { history, told, .. }: &Life) -> String {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let steps = array(&history["history"]);
    let began = steps.first().and_then(|step| step["at_ms"].as_u64()).unwrap_or_default();
    let mut rows = String::new();
    for step in &steps {
        let after = step["at_ms"].as_u64().unwrap_or_default().saturating_sub(began);
        rows.push_str(&format!("  +{after:>5} ms  {}\n", text(step, "to")));
    }
    for message in array(&told["notifications"]).iter().rev() {
        let (channel, to, subject) =
            (text(message, "channel"), text(message, "to"), text(message, "subject"));
        rows.push_str(&format!("  {channel} to {to}: {subject}\n"));
    }
    rows
}

impl Display for Story<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.heading(f, "The services, each on its own socket, with its own telemetry")?;
        for (name, url) in self.urls {
            writeln!(f, "  {name:<10} {url}")?;
        }

        self.heading(f, "Ada fills her cart and orders what is in it")?;
        self.exchange(f, &self.order, &["location", "x-correlation-id", "x-amzn-trace-id"])?;

        self.heading(f, "What became of it, over the bus, queues and the payment processor")?;
        f.write_str(&life(&self.life))?;

        let told = lines::of(self.lines, CORRELATION_ID);
        self.heading(f, format_args!("Every line of every service with {CORRELATION_ID}"))?;
        f.write_str(&lines::rows(&told, self.paint))?;
        if let Some(whole) = told.last() {
            writeln!(f, "\n  The last of them, as it stands on stdout:\n")?;
            writeln!(f, "  {}", self.paint.dim(&whole.raw))?;
        }

        let trace_id = told.first().map(|line| lines::text(line, "trace_id")).unwrap_or_default();
        self.heading(f, format_args!("Its trace, {trace_id}"))?;
        let of_trace = |span: &&Span| span.trace_id == trace_id;
        let spans: Vec<_> = self.spans.iter().filter(of_trace).collect();
        writeln!(f, "  ← serves a request   → makes a call   · works inside\n")?;
        f.write_str(&waterfall::waterfall(&spans, self.paint))?;

        self.heading(f, "The metrics CloudWatch takes from those lines")?;
        f.write_str(&metrics::summary(&told))?;

        self.heading(f, "What the tenant was told about its rate limit")?;
        let limits = [
            "ratelimit-policy",
            "ratelimit",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
        ];
        for name in limits {
            let value = self.order.headers.get(name).and_then(|value| value.to_str().ok());
            writeln!(f, "  {name}: {}", value.unwrap_or("(missing)"))?;
        }

        self.heading(f, "An order for two of the last one, refused")?;
        self.exchange(f, &self.refused, &["content-type", "x-correlation-id"])?;
        writeln!(f)?;
        f.write_str(&lines::rows(&lines::of(self.lines, REFUSED_ID), self.paint))?;
        writeln!(f)
    }
}
