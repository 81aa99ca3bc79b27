use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use maud::{Markup, html};
use shop_domain::id::OrderId;
use shop_domain::money::Money;
use shop_domain::order::{Line, Order, Status, Transition};

use super::cart::Private;
use crate::storefront::Shop;
use crate::storefront::asking::Offer;
use crate::storefront::layout::{self, View, column, price};
use crate::storefront::trouble::Trouble;
use crate::storefront::wants::Wants;

/// After how many seconds a browser without scripts looks again.
const RELOAD: u32 = 3;

/// The steps of an order that goes well, as they are called here.
const STEPS: [(&str, &[Status]); 4] = [
    ("Ordered", &[Status::Pending, Status::PaymentPending]),
    ("Paid", &[Status::Paid]),
    ("Packed", &[Status::Shipping]),
    ("Shipped", &[Status::Shipped]),
];

/// An order, what it is of, and its life so far.
struct Placed {
    order: Order,
    history: Vec<Transition>,
    offers: Vec<Offer>,
}

/// `GET /order/{id}`
pub(crate) async fn show(
    State(shop): Shop,
    wants: Wants,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = OrderId::parse(&id).map_err(|_| Trouble::missing())?;
    let (order, history) = shop.placed(&id).await?;
    let offers = shop.offers(order.lines.iter().map(|line| &line.product_id)).await?;
    Ok(layout::show(wants, StatusCode::OK, &Placed { order, history, offers }).private())
}

/// `GET /order/{id}/status`
pub(crate) async fn status(
    State(shop): Shop,
    wants: Wants,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = OrderId::parse(&id).map_err(|_| Trouble::missing())?;
    let (order, history) = shop.placed(&id).await?;
    let placed = Placed { order, history, offers: Vec::new() };
    Ok(match wants {
        Wants::Html => Html(placed.stand().into_string()).into_response().private(),
        Wants::Text => format!("{}\n", placed.order.status.as_str()).into_response().private(),
    })
}

impl Placed {
    /// Where the order stands, in a sentence.
    fn sentence(&self) -> String {
        match self.order.status {
            Status::Reserving | Status::Pending | Status::PaymentPending => {
                "Thank you. We are asking for the payment.".to_owned()
            }
            Status::Paid => "It is paid for. We are packing it.".to_owned(),
            Status::Shipping => "It is packed. The carrier is on the way.".to_owned(),
            Status::Shipped => match &self.order.tracking_id {
                Some(parcel) => format!("It is on its way to you, as parcel {parcel}."),
                None => "It is on its way to you.".to_owned(),
            },
            Status::PaymentFailed => format!("It was not paid for: {}.", self.reason()),
            Status::RejectedStock => "It is sold out. You get back what you paid.".to_owned(),
            Status::Cancelled => format!("It was cancelled: {}.", self.reason()),
        }
    }

    fn reason(&self) -> String {
        let reason = self.order.reason.as_deref().unwrap_or("nobody said why");
        reason.replace('_', " ")
    }

    /// How many of the steps have been reached.
    fn reached(&self) -> usize {
        let been = |statuses: &[Status]| {
            statuses.contains(&self.order.status)
                || self.history.iter().any(|step| statuses.contains(&step.to))
        };
        STEPS.iter().take_while(|(_, statuses)| been(statuses)).count()
    }

    /// The part of the page that changes.
    fn stand(&self) -> Markup {
        let status = self.order.status;
        let reached = self.reached();
        let failed = status.is_final() && status != Status::Shipped;
        html! {
            div #stand data-status=(status.as_str()) data-final=[status.is_final().then_some("")] {
                p.lead.wrong[failed] { (self.sentence()) }
                ol.steps {
                    @for (number, (name, _)) in STEPS.iter().enumerate() {
                        li.done[number < reached]
                            aria-current=[(number + 1 == reached).then_some("step")] { (name) }
                    }
                }
            }
        }
    }

    fn name(&self, line: &Line) -> String {
        let offer = self.offers.iter().find(|offer| offer.id == line.product_id);
        offer.map_or_else(|| line.product_id.to_string(), |offer| offer.name.clone())
    }

    fn price(&self, line: &Line) -> Option<Money> {
        Money::new(line.unit_price_minor, self.order.currency).times(line.quantity)
    }

    fn total(&self) -> Money {
        Money::new(self.order.total_minor, self.order.currency)
    }
}

impl View for Placed {
    fn title(&self) -> String {
        "Your order".to_owned()
    }

    fn reload(&self) -> Option<u32> {
        (!self.order.status.is_final()).then_some(RELOAD)
    }

    fn html(&self) -> Markup {
        html! {
            h1 { "Your order" }
            div #status role="status" aria-live="polite" { (self.stand()) }
            table {
                caption.unseen { "What you ordered" }
                thead { tr {
                    th scope="col" { "What" }
                    th.number scope="col" { "Quantity" }
                    th.number scope="col" { "Price" }
                } }
                tbody {
                    @for line in &self.order.lines {
                        tr {
                            th scope="row" { (self.name(line)) }
                            td.number { (line.quantity.get()) }
                            td.number {
                                @if let Some(money) = self.price(line) { (price(money)) }
                            }
                        }
                    }
                }
                tfoot { tr {
                    th scope="row" colspan="2" { "Total" }
                    td.number { (price(self.total())) }
                } }
            }
            p.quiet { "Order " code { (self.order.order_id) } }
        }
    }

    fn text(&self) -> String {
        let line = |line: &Line| {
            let price = self.price(line).map(|price| price.to_string()).unwrap_or_default();
            let name = column(&self.name(line), 36);
            format!("  {:>5} x {name} {price:>14}\n", line.quantity.get())
        };
        let step =
            |step: &Transition| format!("  {} -> {}\n", step.from.as_str(), step.to.as_str());
        format!(
            "  {}\n\n{}  {:44} {:>14}\n\n{}\n  {}\n",
            self.sentence(),
            self.order.lines.iter().map(line).collect::<String>(),
            "Total",
            self.total().to_string(),
            self.history.iter().map(step).collect::<String>(),
            self.order.order_id
        )
    }
}

#[cfg(test)]
mod tests {
    use shop_domain::id::{TenantId, UserId};
    use shop_domain::money::Currency;

    use super::*;

    fn placed(statuses: &[Status]) -> Placed {
        let steps = statuses.windows(2).map(|pair| Transition {
            from: pair[0],
            to: pair[1],
            reason: None,
            at_ms: 0,
        });
        let order = Order {
            order_id: OrderId::parse("ord-1").unwrap(),
            tenant_id: TenantId::default(),
            user_id: UserId::parse("ada").unwrap(),
            status: *statuses.last().unwrap(),
            lines: Vec::new(),
            total_minor: 0,
            currency: Currency::EUR,
            created_at_ms: 0,
            reason: Some("<b>card_declined".to_owned()),
            tracking_id: None,
        };
        Placed { order, history: steps.collect(), offers: Vec::new() }
    }

    #[test]
    fn a_page_looks_again_until_nothing_more_will_happen() {
        for status in Status::ALL {
            let page = placed(&[status]);
            assert_eq!(page.reload().is_none(), status.is_final(), "{status:?}");
            let is_marked = page.stand().into_string().contains("data-final");
            assert_eq!(is_marked, status.is_final(), "{status:?}");
        }
    }

    #[test]
    fn the_steps_that_were_reached_stay_reached() {
        use Status::{Paid, PaymentFailed, PaymentPending, Pending, Shipped, Shipping};
        let whole = [Pending, PaymentPending, Paid, Shipping, Shipped];
        let reached: Vec<_> =
            (1..=whole.len()).map(|so_far| placed(&whole[..so_far]).reached()).collect();
        assert_eq!(reached, [1, 1, 2, 3, 4]);
        let declined = placed(&[Pending, PaymentPending, PaymentFailed]);
        assert_eq!(declined.reached(), 1);
        assert!(declined.stand().into_string().contains("&lt;b&gt;card declined"));
    }
}
