use http::Method;
use obs_core::clock::Clock;
use obs_core::random::Random;
use serde_json::{Value, json};

use super::stats::Stats;
use crate::args::Scenario;
use crate::client::Client;

/// A customer on one of its journeys.
#[derive(Debug)]
pub(super) struct Customer<'a> {
    pub(super) vu: u32,
    pub(super) journey: u64,
    pub(super) seed: u64,
    pub(super) random: &'a Random,
}

/// A card that is charged, and one that is declined.
const CARDS: (&str, &str) = ("4242424242424242", "4000000000000002");

impl Scenario {
    pub(super) async fn journey(
        self,
        gateway: &Client,
        customer: &Customer<'_>,
        clock: &Clock,
        stats: &mut Stats,
    ) {
        for Step { kind, method, path, body } in self.steps(customer) {
            let began = clock.now();
            let tenant = format!("load-{}", customer.vu);
            let id = format!("load-{}-{}-{}", customer.seed, customer.vu, customer.journey);
            let headers = [("x-tenant-id", tenant.as_str()), ("x-correlation-id", id.as_str())];
            let answer = gateway.send(method, &path, &headers, body.as_ref()).await;
            let ok = answer.is_ok_and(|answer| answer.status.as_u16() < 400);
            stats.add(kind, clock.now() - began, ok);
        }
    }

    /// What a customer does on a journey; the same for the same seed.
    fn steps(self, customer: &Customer<'_>) -> Vec<Step> {
        let below = |bound: u64| (customer.random.next_f64() * bound as f64) as u64;
        let product = || format!("prod-{:03}", 1 + below(8));
        let user = format!("load-{}-{}", customer.seed, customer.vu);
        let item = |quantity: u64| json!({"product_id": product(), "quantity": quantity});
        match self {
            Self::Browse => vec![
                Step::get("browse", "/api/products".to_owned()),
                Step::get("browse", format!("/api/products/{}", product())),
                Step::get("browse", "/api/menu/items".to_owned()),
                Step::get("health", "/health".to_owned()),
            ],
            Self::CartJourney => {
                let cart = format!("/v1/cart/{user}");
                let mut steps = vec![
                    Step::post("cart", cart.clone(), item(1 + below(3))),
                    Step::post("cart", cart.clone(), item(1)),
                    Step::get("cart", cart.clone()),
                ];
                if below(5) == 0 {
                    let path = "/stress?cpu_iterations=2000&memory_mb=8".to_owned();
                    steps.push(Step { kind: "stress", method: Method::POST, path, body: None });
                }
                steps.push(Step { kind: "cart", method: Method::DELETE, path: cart, body: None });
                steps
            }
            Self::Checkout => {
                let card = if below(10) == 0 { CARDS.1 } else { CARDS.0 };
                let order = json!({
                    "user_id": user,
                    "lines": [item(1)],
                    "card": {"number": card},
                    "email": format!("{user}@example.com"),
                });
                vec![Step::post("checkout", "/api/orders".to_owned(), order)]
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    kind: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Step {
    const fn get(kind: &'static str, path: String) -> Self {
        Self { kind, method: Method::GET, path, body: None }
    }

    const fn post(kind: &'static str, path: String, body: Value) -> Self {
        Self { kind, method: Method::POST, path, body: Some(body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(scenario: Scenario, seed: u64, journey: u64) -> Vec<Step> {
        let random = Random::seeded(seed);
        let customer = |journey| Customer { vu: 3, journey, seed, random: &random };
        (0..=journey).fold(Vec::new(), |_, journey| scenario.steps(&customer(journey)))
    }

    #[test]
    fn the_same_seed_makes_the_same_journeys() {
        for scenario in Scenario::ALL {
            assert_eq!(steps(scenario, 7, 20), steps(scenario, 7, 20));
            assert_eq!(Scenario::parse(scenario.as_str()), Some(scenario));
        }
        let different = (0..20).any(|n| {
            steps(Scenario::Checkout, 7, n)[0].body.as_ref().map(|body| body["lines"].clone())
                != steps(Scenario::Checkout, 8, n)[0]
                    .body
                    .as_ref()
                    .map(|body| body["lines"].clone())
        });
        assert!(different);
    }

    #[test]
    fn about_a_tenth_of_the_cards_is_declined() {
        let random = Random::seeded(7);
        let declined = (0..1_000).filter(|journey| {
            let customer = Customer { vu: 0, journey: *journey, seed: 7, random: &random };
            Scenario::Checkout.steps(&customer)[0].body.as_ref().unwrap()["card"]["number"]
                == CARDS.1
        });
        assert!((60..140).contains(&declined.count()));
    }
}
