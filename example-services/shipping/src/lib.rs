//! The shipping service: hands paid orders to a carrier.
//!
//! | endpoint | does |
//! |---|---|
//! | `POST /shipments` `{"order_id","user_id"}` | hands the order over, once; 201 |
//! | `GET /shipments/{order_id}` | its shipment, or 404 |

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use http::StatusCode;
use obs_core::clock::Clock;
use serde::Deserialize;
use shop_domain::id::{OrderId, UserId};
use shop_domain::port::ShipmentStore;
use shop_domain::shipment::Shipment;
use shop_kit::extract::{Json, Path};
use shop_kit::failure::{Failure, refuse_the_rest};
use shop_kit::observe::about_order;

/// Who carries parcels, in turn by order.
const CARRIERS: [&str; 3] = ["postrunner", "bluevan", "cargobike"];

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Shipping {
    /// Where shipments are kept.
    pub store: Arc<dyn ShipmentStore>,
    /// The time.
    pub clock: Clock,
}

/// The service, without the layers around it.
pub fn app(shipping: Shipping) -> Router {
    let router =
        Router::new().route("/shipments", post(ship)).route("/shipments/{order_id}", get(show));
    refuse_the_rest(router).with_state(shipping)
}

#[derive(Debug, Deserialize)]
struct Parcel {
    order_id: OrderId,
    user_id: UserId,
}

/// May be repeated: an order has one shipment.
#[tracing::instrument(name = "shipping.hand_over", skip_all)]
async fn ship(
    State(shipping): State<Shipping>,
    Json(Parcel { order_id, user_id }): Json<Parcel>,
) -> Result<(StatusCode, Json<Shipment>), Failure> {
    about_order(&order_id, Some(&user_id));
    let digest = digest(order_id.as_str());
    let carrier = CARRIERS[digest as usize % CARRIERS.len()].to_owned();
    let shipment = Shipment {
        order_id,
        user_id,
        tracking_id: format!("{}-{digest:016x}", carrier[..2].to_ascii_uppercase()),
        carrier,
        at_ms: shipping.clock.wall().unix_millis(),
    };
    let shipment = shipping.store.add(&shipment).await?;
    tracing::info!(tracking_id = shipment.tracking_id, carrier = shipment.carrier, "handed over");
    Ok((StatusCode::CREATED, Json(shipment)))
}

/// FNV-1a with 64 bits: the same order has the same carrier and tracking id.
///
/// Source of the constants: <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

async fn show(
    State(shipping): State<Shipping>,
    Path(order): Path<OrderId>,
) -> Result<Json<Shipment>, Failure> {
    about_order(&order, None);
    let shipment = shipping.store.get(&order).await?;
    shipment.map(Json).ok_or_else(|| Failure::not_found(format!("{order} was not shipped")))
}
