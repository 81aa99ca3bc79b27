use std::error::Error;
use std::fmt;

use tracing_core::field::{Field, Visit};

use crate::log::ValueRef;

/// Calls a closure with each field that is visited.
pub(super) struct Each<F>(pub(super) F);

impl<F: FnMut(&Field, ValueRef<'_>)> Visit for Each<F> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        (self.0)(field, ValueRef::Format(format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        (self.0)(field, ValueRef::Str(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        (self.0)(field, ValueRef::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        (self.0)(field, ValueRef::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        (self.0)(field, ValueRef::U64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        (self.0)(field, ValueRef::I128(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        (self.0)(field, ValueRef::U128(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        (self.0)(field, ValueRef::F64(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        (self.0)(field, ValueRef::Error(value));
    }
}
