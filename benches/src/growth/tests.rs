use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;

use super::requests::calls_at_once;
use super::{Name, axes};

#[test]
fn every_point_can_be_named_and_run() {
    for name in Name::all() {
        let name = name.to_string();
        if name.ends_with("/1") || name.ends_with("/10") {
            let (mut run, _) = Name::start(&name).unwrap();
            run(2);
        }
    }
    assert!(Name::start("routes/observed").is_none());
    assert!(Name::start("nothing/observed/1").is_none());
    assert!(axes().iter().all(|axis| axis.points.is_sorted()));
}

#[test]
fn requests_at_once_are_in_the_handler_at_once() {
    let (now, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&most);
    let handler = async move || {
        seen.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        now.fetch_sub(1, Ordering::Relaxed);
    };
    let router = Router::new().route("/orders/{id}", get(handler));
    calls_at_once(router, 100)(250);
    assert_eq!(most.load(Ordering::Relaxed), 100);
}
