use obs_core::config::ConfigError;
use obs_core::metric::Descriptor;
use obs_emf::declare::Shape;
use obs_emf::request::{ENVIRONMENT, SERVICE};

use crate::name::Name;
use crate::running::NAMESPACE;

/// A metric of the shop's own, and the dimension by which it is told apart.
type Declared = (&'static Descriptor, &'static str);

/// What a service measures beside its requests.
fn declared(service: Name) -> Vec<Declared> {
    let cache: [Declared; 2] =
        [(&shop_kit::cached::CACHE_HITS, "Cache"), (&shop_kit::cached::CACHE_MISSES, "Cache")];
    match service {
        Name::Product | Name::Menu => cache.to_vec(),
        // `cart_operations` is on the overview: no line of a request could carry such a name, so it
        // cannot be declared as an event.
        Name::Cart => vec![(&shop_cart::CART_ITEMS, "Operation")],
        Name::Order => vec![
            (&shop_order::ORDERS_CREATED, "Department"),
            (&shop_order::ORDER_VALUE, "Currency"),
            (&shop_order::RESERVATION_FAILURES, "Reason"),
        ],
        Name::Payment => vec![
            (&shop_payment::PAYMENT_OUTCOME, "Outcome"),
            (&shop_payment::FRAUD_SCORE, "Function"),
            (&shop_payment::COLD_STARTS, "Function"),
        ],
        Name::Notification => vec![(&shop_notification::NOTIFICATIONS_SENT, "Channel")],
        Name::Gateway | Name::Inventory | Name::Loyalty | Name::Analytics | Name::Shipping => {
            Vec::new()
        }
    }
}

/// The same as declarations, one for each metric.
pub(super) fn of(service: Name) -> Result<Vec<Shape>, ConfigError> {
    let shape = |(metric, label): Declared| {
        Shape::builder(NAMESPACE)
            .dimension_set([SERVICE, ENVIRONMENT, label])
            .metric((metric.name, metric.unit))
            .build()
    };
    declared(service).into_iter().map(shape).collect()
}
