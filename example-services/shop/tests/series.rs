//! What the shop declares must not make more series than somebody wants to pay for.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use obs_core::clock::Clock;
use obs_emf::cardinality::SeriesReport;
use obs_emf::recorder::EmfRecorder;
use obs_emf::request::RequestMetrics;

/// Series of one metric that a service counts by itself: an order has nine statuses.
const MOST_OF_A_METRIC: u64 = 9;

/// Series of the whole shop in one deployment environment.
const MOST: u64 = 5_000;

/// The routes of each service, probes not among them.
const ROUTES: [(&str, u64); 11] = [
    ("analytics", 3),
    ("cart", 2),
    ("gateway", 20),
    ("inventory", 6),
    ("loyalty", 3),
    ("menu", 3),
    ("notification", 1),
    ("order", 8),
    ("payment", 3),
    ("product", 2),
    ("shipping", 2),
];

fn own_series() -> SeriesReport {
    let recorder = EmfRecorder::new("ShopFast", "shop", "test", Clock::system()).unwrap();
    let _order = shop_order::Metrics::new(&recorder);
    let _cart = shop_cart::Metrics::new(&recorder);
    let _payment = shop_payment::Metrics::new(&recorder);
    let _notification = shop_notification::Metrics::new(&recorder);
    SeriesReport::default().of_metrics(recorder.series_by_metric())
}

#[test]
fn no_metric_of_the_shop_has_more_series_than_its_budget() {
    let report = own_series();
    assert!(report.lines().count() >= 9, "{report:?}");
    for (metric, series) in report.lines() {
        assert!(series.unwrap() <= MOST_OF_A_METRIC, "{metric} has {series:?} series");
    }
}

#[test]
fn the_series_of_the_whole_shop_stay_within_its_budget() {
    let requests: Vec<_> = ROUTES
        .iter()
        .map(|&(service, routes)| {
            let metrics = RequestMetrics::builder(service, "test").routes(routes).build();
            (service, metrics.unwrap())
        })
        .collect();
    let report = SeriesReport::of(requests.iter().map(|(name, metrics)| (*name, metrics.shape())));
    let total = report.total().unwrap() + own_series().total().unwrap();
    assert!(total <= MOST, "{total} series: {report:?}");
}
