use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{PanicHookInfo, set_hook, take_hook};

use tracing::Level;

use super::owner::Owner;
use crate::log::Ids;
use crate::telemetry::Telemetry;

const TARGET: &str = "panic";

/// Has every panic written as one line; where there is no telemetry to write it, the hook that was
/// there before is called.
pub(super) fn install() {
    let previous = take_hook();
    set_hook(Box::new(move |info| {
        let owner = Owner::current();
        match owner.telemetry() {
            Some(telemetry) => write(telemetry, &owner.ids(), info),
            None => previous(info),
        }
    }));
}

fn write(telemetry: &Telemetry, ids: &Ids<'_>, info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "a panic without a text",
    };
    let backtrace = Backtrace::capture();
    telemetry.line(Level::ERROR, TARGET, format_args!("{message}"), ids, |line| {
        line.str("error_kind", "panic");
        if let Some(location) = info.location() {
            line.display("location", format_args!("{location}"));
        }
        if let Some(name) = std::thread::current().name() {
            line.str("thread", name);
        }
        if backtrace.status() == BacktraceStatus::Captured {
            line.display("backtrace", format_args!("{backtrace}"));
        }
    });
}
