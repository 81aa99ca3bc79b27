use obs_core::metric::{Counter, Descriptor, Histogram, Recorder, Unit};

/// Requests about carts.
pub static CART_OPERATIONS: Descriptor =
    Descriptor::new("cart_operations", Unit::Count, "Requests about carts, by operation");

/// Different products in a cart to which something was added.
pub static CART_ITEMS: Descriptor =
    Descriptor::new("CartItems", Unit::Count, "Products in a cart after something was added");

/// What the service counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) add: Counter,
    pub(crate) get: Counter,
    pub(crate) clear: Counter,
    pub(crate) items: Histogram,
}

impl Metrics {
    /// Counts in `recorder`.
    #[must_use]
    pub fn new(recorder: &dyn Recorder) -> Self {
        let operation = |name| recorder.counter(&CART_OPERATIONS, &[("Operation", name)]);
        Self {
            add: operation("add"),
            get: operation("get"),
            clear: operation("clear"),
            items: recorder.histogram(&CART_ITEMS, &[("Operation", "add")]),
        }
    }
}
