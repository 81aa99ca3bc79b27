use obs_core::metric::{Counter, Descriptor, Gauge, Histogram, Recorder, Unit};
use shop_domain::order::{Department, Order, Status};
use shop_kit::upstream::{UpstreamError, UpstreamErrorKind};

/// Orders that were accepted.
pub static ORDERS_CREATED: Descriptor =
    Descriptor::new("OrdersCreated", Unit::Count, "Orders that were accepted, by department");

/// What accepted orders are worth, in minor units of their currency.
pub static ORDER_VALUE: Descriptor =
    Descriptor::new("OrderValue", Unit::None, "Value of accepted orders, in minor units");

/// Orders for which no stock could be kept.
pub static RESERVATION_FAILURES: Descriptor = Descriptor::new(
    "ReservationFailures",
    Unit::Count,
    "Orders for which no stock could be kept, by reason",
);

/// From the placing of an order to its end.
pub static ORDER_DURATION: Descriptor = Descriptor::new(
    "OrderDuration",
    Unit::Milliseconds,
    "Time from the placing of an order to its end, by status",
);

/// How many orders stand where.
pub static ORDERS_BY_STATUS: Descriptor =
    Descriptor::new("OrdersByStatus", Unit::Count, "Accepted orders, by status");

/// What the service counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    goods: Counter,
    cafe: Counter,
    value: Histogram,
    out_of_stock: Counter,
    unavailable: Counter,
    durations: Vec<(Status, Histogram)>,
    by_status: Vec<(Status, Gauge)>,
}

impl Metrics {
    /// Counts in `recorder`.
    #[must_use]
    pub fn new(recorder: &dyn Recorder) -> Self {
        let created = |department: Department| {
            recorder.counter(&ORDERS_CREATED, &[("Department", department.as_str())])
        };
        let failed = |reason| recorder.counter(&RESERVATION_FAILURES, &[("Reason", reason)]);
        Self {
            goods: created(Department::Goods),
            cafe: created(Department::Cafe),
            value: recorder.histogram(&ORDER_VALUE, &[("Currency", "EUR")]),
            out_of_stock: failed("out_of_stock"),
            unavailable: failed("unavailable"),
            durations: Status::ALL
                .into_iter()
                .filter(|status| status.is_final())
                .map(|status| {
                    let labels = [("Status", status.as_str())];
                    (status, recorder.histogram(&ORDER_DURATION, &labels))
                })
                .collect(),
            by_status: Status::ALL
                .into_iter()
                .map(|status| {
                    let labels = [("Status", status.as_str())];
                    (status, recorder.gauge(&ORDERS_BY_STATUS, &labels))
                })
                .collect(),
        }
    }

    pub(crate) fn completed(&self, status: Status, total_ms: u64) {
        if let Some((_, duration)) = self.durations.iter().find(|(known, _)| *known == status) {
            duration.record(total_ms as f64);
        }
    }

    /// A status that no order has is at zero.
    pub(crate) fn counts(&self, counts: &[(Status, u64)]) {
        for (status, gauge) in &self.by_status {
            let count = counts.iter().find(|(known, _)| known == status);
            gauge.set(count.map_or(0, |(_, count)| *count) as f64);
        }
    }

    pub(crate) fn created(&self, order: &Order) {
        match Department::of_lines(&order.lines) {
            Department::Goods => self.goods.add(1),
            Department::Cafe => self.cafe.add(1),
        }
        // Values of several currencies have no sum; the shop sells in one.
        if order.currency.as_str() == "EUR" {
            self.value.record(order.total_minor as f64);
        }
    }

    pub(crate) fn reservation_failed(&self, error: &UpstreamError) {
        match error.kind() {
            UpstreamErrorKind::Refused(status, _) if status.is_client_error() => {
                self.out_of_stock.add(1);
            }
            _ => self.unavailable.add(1),
        }
    }
}
