use serde_json::{Value, json};

use super::{Telemetry, WeakTelemetry};
use crate::control::{Control, Health, Kind};
use crate::output::{Class, DropReason, Ledger};
use crate::trace::SpanLedger;

/// The telemetry as something an operator can look at.
///
/// Holds no strong reference: the registry belongs to the telemetry it shows.
#[derive(Debug)]
pub(super) struct TelemetryControl {
    name: String,
    telemetry: WeakTelemetry,
}

impl TelemetryControl {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        Self { name: telemetry.service_name().to_owned(), telemetry: telemetry.downgrade() }
    }

    fn telemetry(&self) -> Option<Telemetry> {
        self.telemetry.upgrade()
    }
}

impl Control for TelemetryControl {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Telemetry
    }

    fn state(&self) -> &'static str {
        let Some(telemetry) = self.telemetry() else { return "gone" };
        let report = telemetry.report();
        if report.lines.dropped() + report.spans.dropped.total() > 0 { "lossy" } else { "complete" }
    }

    fn health(&self) -> Health {
        let Some(telemetry) = self.telemetry() else { return Health::Warn };
        let lines = telemetry.report().lines;
        // Past losses stay visible in the snapshot; what matters for readiness is the present.
        if lines.queued_bytes * 2 > lines.capacity_bytes { Health::Warn } else { Health::Pass }
    }

    fn snapshot(&self) -> Value {
        let Some(telemetry) = self.telemetry() else { return json!({}) };
        let report = telemetry.report();
        json!({
            "lines": report.line_destinations.iter().map(lines).collect::<Vec<_>>(),
            "last_line_error": report.last_line_error,
            "spans": spans(&report.spans),
        })
    }
}

fn lines(ledger: &Ledger) -> Value {
    let mut dropped = serde_json::Map::new();
    for reason in DropReason::ALL {
        let classes: serde_json::Map<_, _> = Class::ALL
            .into_iter()
            .filter(|&class| ledger.dropped_of(class, reason) > 0)
            .map(|class| (class.as_str().to_owned(), ledger.dropped_of(class, reason).into()))
            .collect();
        if !classes.is_empty() {
            dropped.insert(reason.as_str().to_owned(), classes.into());
        }
    }
    json!({
        "created": ledger.created,
        "queued": ledger.queued,
        "written": ledger.written,
        "sampled_out": ledger.sampled_out,
        "dropped": dropped,
        "queued_bytes": ledger.queued_bytes,
        "capacity_bytes": ledger.capacity_bytes,
        "writes": ledger.writes,
        "write_errors": ledger.write_errors,
    })
}

fn spans(ledger: &SpanLedger) -> Value {
    let dropped: serde_json::Map<_, _> = ledger
        .dropped
        .iter()
        .filter(|&(_, count)| count > 0)
        .map(|(reason, count)| (reason.as_str().to_owned(), count.into()))
        .collect();
    json!({
        "created": ledger.created,
        "pending": ledger.pending,
        "exported": ledger.exported,
        "sampled_out": ledger.sampled_out,
        "upgraded": ledger.upgraded,
        "dropped": dropped,
        "last_error": ledger.last_error,
    })
}
