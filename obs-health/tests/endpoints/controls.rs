//! Looking at controls and acting upon them, over the endpoints.

use std::sync::{Arc, Mutex};

use crate::support::{Answer, get, read, send};
use http::{Request, StatusCode};
use obs_core::control::{Action, ActionError, Control, Health, Kind, Registry};
use obs_core::environment::Environment;
use obs_health::{Event, HealthRegistry, HealthService};
use serde_json::json;
use tower::ServiceExt;

const TOKEN: &str = "0123456789abcdef";

/// A control that can be opened and closed.
#[derive(Debug)]
struct Gate {
    name: &'static str,
    kind: Kind,
    last: Mutex<Option<Action>>,
}

impl Gate {
    fn new(name: &'static str, kind: Kind) -> Arc<Self> {
        Arc::new(Self { name, kind, last: Mutex::default() })
    }

    fn last(&self) -> Option<Action> {
        self.last.lock().unwrap().clone()
    }
}

impl Control for Gate {
    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn state(&self) -> &'static str {
        match self.last() {
            Some(action) if action.name == "force_open" => "forced_open",
            _ => "closed",
        }
    }

    fn health(&self) -> Health {
        if self.state() == "closed" { Health::Pass } else { Health::Fail }
    }

    fn snapshot(&self) -> serde_json::Value {
        json!({"failures": 3, "name": "a snapshot cannot rename its control"})
    }

    fn actions(&self) -> &'static [&'static str] {
        &["close", "force_open"]
    }

    fn apply(&self, action: &Action) -> Result<(), ActionError> {
        if !self.actions().contains(&action.name.as_str()) {
            return Err(ActionError::unknown(action, self.actions()));
        }
        *self.last.lock().unwrap() = Some(action.clone());
        Ok(())
    }
}

struct Setting {
    gate: Arc<Gate>,
    health: HealthRegistry,
    events: Arc<Mutex<Vec<String>>>,
}

fn setting() -> Setting {
    let gate = Gate::new("payments", Kind::CircuitBreaker);
    let controls = Registry::default();
    controls.register(gate.clone());
    controls.register(Gate::new("api", Kind::RateLimit));
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = events.clone();
    let observer = move |event: &Event<'_>| {
        let text = match event {
            Event::ActionApplied { name, action, .. } => format!("{} {name}", action.name),
            Event::ActionRefused { name, status, .. } => format!("{status} {name}"),
            other => format!("{other:?}"),
        };
        log.lock().unwrap().push(text);
    };
    let health = HealthRegistry::builder("orders")
        .controls(controls)
        .required_control(Kind::CircuitBreaker, "payments")
        .environment(Environment::from([("OBS_ADMIN_TOKEN", TOKEN)]))
        .observer(observer)
        .build()
        .unwrap();
    Setting { gate, health, events }
}

async fn post(health: &HealthRegistry, path: &str, token: Option<&str>, body: &str) -> Answer {
    let mut request = Request::post(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    send(health, request.body(body.to_owned()).unwrap()).await
}

async fn seen(health: &HealthRegistry, path: &str) -> Answer {
    let request = Request::get(path).header("authorization", format!("Bearer {TOKEN}"));
    send(health, request.body(String::new()).unwrap()).await
}

#[tokio::test]
async fn circuits_and_other_controls_are_listed_apart() {
    let Setting { health, .. } = setting();
    let circuits = seen(&health, "/health/circuits").await.json();
    assert_eq!(
        circuits,
        json!({"circuits": [
            {"name": "payments", "kind": "circuit_breaker", "state": "closed", "status": "pass"}
        ]})
    );
    let controls = seen(&health, "/health/controls").await.json();
    assert_eq!(controls["controls"][0]["name"], "api");
    assert_eq!(controls["controls"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_control_is_shown_with_its_snapshot_and_its_actions() {
    let Setting { health, .. } = setting();
    let shown = seen(&health, "/health/circuits/payments").await.json();
    assert_eq!((&shown["failures"], &shown["name"]), (&json!(3), &json!("payments")));
    assert_eq!(shown["actions"], json!(["close", "force_open"]));
    assert_eq!(seen(&health, "/health/controls/rate_limit/api").await.json()["name"], "api");
    assert_eq!(seen(&health, "/health/circuits/nobody").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_action_with_the_token_is_carried_out_and_moves_readiness() {
    let Setting { gate, health, events } = setting();
    let body = r#"{"action":"force_open","reason":"vendor is down","ttl_s":300}"#;
    let answer = post(&health, "/health/circuits/payments", Some(TOKEN), body).await;
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!("forced_open")));
    assert_eq!(gate.last().unwrap().reason.as_deref(), Some("vendor is down"));
    assert_eq!(get(&health, "/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(*events.lock().unwrap(), ["force_open payments"]);
}

#[tokio::test]
async fn an_action_without_the_right_token_changes_nothing_and_is_reported() {
    let Setting { gate, health, events } = setting();
    let body = r#"{"action":"force_open"}"#;
    for token in [None, Some("wrong-wrong-wrong")] {
        let answer = post(&health, "/health/circuits/payments", token, body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    assert_eq!(gate.last(), None);
    assert_eq!(*events.lock().unwrap(), ["401 payments", "401 payments"]);
}

#[tokio::test]
async fn without_a_configured_token_there_are_no_actions_even_on_the_management_listener() {
    let gate = Gate::new("payments", Kind::CircuitBreaker);
    let controls = Registry::default();
    controls.register(gate.clone());
    let health = HealthRegistry::builder("orders").controls(controls).build().unwrap();
    let management = HealthService::management(health);
    let look = Request::get("/health/circuits").body(String::new()).unwrap();
    let looked = read(management.clone().oneshot(look).await.unwrap()).await;
    assert_eq!(looked.json()["circuits"][0]["name"], "payments");
    let act = Request::post("/health/circuits/payments").header("authorization", "Bearer ");
    let act = act.body(r#"{"action":"force_open"}"#.to_owned()).unwrap();
    let acted = read(management.oneshot(act).await.unwrap()).await;
    assert_eq!((acted.status, gate.last()), (StatusCode::FORBIDDEN, None));
}

#[tokio::test]
async fn what_is_wrong_with_an_action_decides_its_status() {
    let Setting { gate, health, .. } = setting();
    let long = format!("{{\"action\":\"{}\"}}", "x".repeat(9_000));
    for (path, body, status) in [
        ("/health/circuits/payments", "not json", StatusCode::BAD_REQUEST),
        ("/health/circuits/payments", "{}", StatusCode::UNPROCESSABLE_ENTITY),
        ("/health/circuits/payments", r#"{"action":"explode"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        ("/health/circuits/payments", &long, StatusCode::PAYLOAD_TOO_LARGE),
        ("/health/circuits/nobody", r#"{"action":"close"}"#, StatusCode::NOT_FOUND),
        ("/health/circuits", r#"{"action":"close"}"#, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = post(&health, path, Some(TOKEN), body).await;
        assert_eq!(answer.status, status, "{path} {body:.40}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    assert_eq!(gate.last(), None);
}
