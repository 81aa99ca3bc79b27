//! What watches the shop, held against what the services really emit.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Value, json};
use shop::name::Name;
use shop::observability::{Place, files};
use support::{Client, Line, LocalShop};

/// A metric with the dimensions of one of its sets, by name and value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    namespace: String,
    metric: String,
    dimensions: BTreeMap<String, String>,
}

/// What CloudWatch would take from the lines.
fn emitted(lines: &[Line]) -> BTreeSet<Series> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all = BTreeSet::new();
    for line in lines {
        let Some(directives) = line.get("_aws").and_then(|aws| aws["CloudWatchMetrics"].as_array())
        else {
            continue;
        };
        for directive in directives {
            for set in directive["Dimensions"].as_array().unwrap() {
                let names = set.as_array().unwrap().iter().map(text);
                let dimensions: BTreeMap<_, _> =
                    names.map(|name| (name.clone(), text(&line[&name]))).collect();
                for metric in directive["Metrics"].as_array().unwrap() {
                    let metric = text(&metric["Name"]);
                    assert!(line.contains_key(&metric), "{metric}: {line:?}");
                    let namespace = text(&directive["Namespace"]);
                    let dimensions = dimensions.clone();
                    all.insert(Series { namespace, metric, dimensions });
                }
            }
        }
    }
    all
}

/// Emitted only once something is lost, which does not happen in a run that goes well.
const OF_LOSSES: [&str; 2] = ["EmfDropped", "LinesDropped"];

/// What was asked of one of our namespaces: a series, or with no values all series of its kind.
#[derive(Debug, Default)]
struct Asked {
    series: BTreeSet<Series>,
    kinds: BTreeSet<(String, String, BTreeSet<String>)>,
}

impl Asked {
    fn series(&mut self, namespace: &str, metric: &str, dimensions: BTreeMap<String, String>) {
        let is_ours = !namespace.starts_with("AWS/") && namespace != "ContainerInsights";
        if is_ours && !OF_LOSSES.contains(&metric) {
            let (namespace, metric) = (namespace.to_owned(), metric.to_owned());
            self.series.insert(Series { namespace, metric, dimensions });
        }
    }

    /// Of a dashboard: rows of texts, and searches.
    fn dashboard(&mut self, body: &Value) {
        for widget in body["widgets"].as_array().unwrap() {
            for row in widget["properties"]["metrics"].as_array().into_iter().flatten() {
                let row = row.as_array().unwrap();
                let texts: Vec<&str> = row.iter().map_while(Value::as_str).collect();
                if let [namespace, metric, rest @ ..] = &texts[..] {
                    let pairs = rest.chunks(2).map(|pair| (pair[0].into(), pair[1].into()));
                    self.series(namespace, metric, pairs.collect());
                }
                let expression = row.last().and_then(|last| last["expression"].as_str());
                if let Some(search) = expression.and_then(|text| text.strip_prefix("SEARCH('{")) {
                    let (schema, rest) = search.split_once('}').unwrap();
                    let mut schema =
                        schema.split(',').map(|part| part.trim_matches('"').to_owned());
                    let namespace = schema.next().unwrap();
                    let metric = rest.split("MetricName=\"").nth(1).unwrap();
                    let metric = metric.split('"').next().unwrap().to_owned();
                    self.kinds.insert((namespace, metric, schema.collect()));
                }
            }
        }
    }

    /// Of an alarm, or of one of the metrics of an expression.
    fn metric(&mut self, metric: &Value) {
        if let Some(name) = metric["MetricName"].as_str() {
            let dimensions = metric["Dimensions"].as_array().unwrap().iter().map(|dimension| {
                let text = |name: &str| dimension[name].as_str().unwrap().to_owned();
                (text("Name"), text("Value"))
            });
            self.series(metric["Namespace"].as_str().unwrap(), name, dimensions.collect());
        }
        for part in metric["Metrics"].as_array().into_iter().flatten() {
            self.metric(&part["MetricStat"]["Metric"]);
        }
    }

    fn template(&mut self, template: &Value) {
        for resource in template["Resources"].as_object().unwrap().values() {
            let properties = &resource["Properties"];
            self.metric(properties);
            if resource["Type"] == "AWS::CloudWatch::Dashboard" {
                let body = properties["DashboardBody"]["Fn::Sub"].as_str().unwrap();
                self.dashboard(&serde_json::from_str(body).unwrap());
            }
        }
    }
}

/// Everything that the files ask for, in the environment of a run here.
fn asked() -> Asked {
    let place = Place { environment: "local".to_owned(), ..Place::default() };
    let mut asked = Asked::default();
    for (path, content) in files(&place).unwrap() {
        match path.parent().and_then(|folder| folder.to_str()) {
            Some("dashboards") => asked.dashboard(&serde_json::from_str(&content).unwrap()),
            Some("services") => asked.template(&serde_json::from_str(&content).unwrap()),
            // The writer of YAML has tests of its own; here it is read as it was before.
            _ => asked.template(&shop::observability::alarms_template(&place)),
        }
    }
    asked
}

/// A day at the shop: customers look around, pay or fail to, want what is sold out.
async fn a_day(shop: &LocalShop) {
    let gateway = shop.gateway();
    for _ in 0..2 {
        for path in ["/api/products/prod-001", "/api/menu/items/menu-001", "/", "/menu", "/cart"] {
            assert_eq!(gateway.get(path).await.status, StatusCode::OK, "{path}");
        }
    }
    let item = json!({"product_id": "prod-001", "quantity": 1});
    assert_eq!(gateway.post("/api/cart/ada", &[], &item).await.status, StatusCode::OK);
    gateway.get("/api/cart/ada").await;
    gateway.send(http::Method::DELETE, "/api/cart/ada", &[], "").await;
    order(shop, &gateway, "prod-001", "4242424242424242", "SHIPPED").await;
    order(shop, &gateway, "menu-001", "4000000000000002", "PAYMENT_FAILED").await;
    let lines = json!([{"product_id": "prod-002", "quantity": 1_000}, {"product_id": "prod-001", "quantity": 1_000}]);
    let refused =
        gateway.post("/api/orders", &[], &json!({"user_id": "ada", "lines": lines})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let midnight = "/stress/cold-start-avalanche?scale=0.0001&duration_ms=60000";
    let midnight = shop.client(Name::Payment).post(midnight, &[], &json!({})).await;
    assert_eq!(midnight.status, StatusCode::OK);
    // Those that nobody asks on the way of an order.
    for name in Name::ALL {
        shop.client(name).get("/nothing").await;
    }
}

async fn order(shop: &LocalShop, gateway: &Client, what: &str, card: &str, end: &str) {
    let body = json!({
        "user_id": "ada",
        "lines": [{"product_id": what, "quantity": 1}],
        "card": {"number": card},
        "email": "ada@example.com",
    });
    let placed = gateway.post("/api/orders", &[], &body).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    let order = placed.json();
    let id = order["order_id"].as_str().unwrap();
    let notification = shop.client(Name::Notification);
    support::process::until_async(|| async {
        let order = gateway.get(&format!("/api/orders/{id}")).await.json();
        let told = notification.get(&format!("/outbox?order_id={id}")).await.json();
        order["status"] == end && told["notifications"].as_array().unwrap().len() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_is_watched_was_emitted_in_a_run() {
    let shop = LocalShop::start().await;
    a_day(&shop).await;
    let emitted = emitted(&shop.stop().await.lines);
    let asked = asked();
    assert!(asked.series.len() >= 50 && asked.kinds.len() >= 20, "{asked:?}");
    for series in &asked.series {
        assert!(emitted.contains(series), "{series:?} is watched and was not emitted");
    }
    for (namespace, metric, names) in &asked.kinds {
        let is_one = |series: &Series| {
            (&series.namespace, &series.metric) == (namespace, metric)
                && series.dimensions.keys().eq(names)
        };
        let found = emitted.iter().any(is_one);
        assert!(found, "{namespace} {metric} by {names:?} is watched and was not emitted");
    }
    // The other way round: what the shop measures of its own is on a dashboard.
    let shown: BTreeSet<&str> = asked.kinds.iter().map(|(_, metric, _)| metric.as_str()).collect();
    for metric in ["CacheHits", "OrdersCreated", "OrderValue", "ReservationFailures", "FraudScore"]
    {
        assert!(shown.contains(metric), "{metric} is shown nowhere");
    }
}

#[cfg(feature = "real-parts")]
#[test]
fn cfn_lint_accepts_every_template() {
    let environment = obs_core::environment::Environment::process();
    let lint = environment.get("OBS_TEST_CFN_LINT").expect("OBS_TEST_CFN_LINT names cfn-lint");
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(lint);
    command.args(["--regions", "us-east-1", "--"]);
    for (path, content) in files(&Place::default()).unwrap() {
        if path.starts_with("dashboards") {
            continue;
        }
        let file = folder.path().join(path.file_name().unwrap());
        std::fs::write(&file, content).unwrap();
        command.arg(file);
    }
    let output = command.output().unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{told}");
    // It reads the YAML, too: an alarm without its name's type would be told.
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, "Resources:\n  A:\n    Type: \"AWS::Nope::Thing\"\n").unwrap();
    let output = std::process::Command::new(lint).arg("--").arg(&broken).output().unwrap();
    assert!(!output.status.success());
}
