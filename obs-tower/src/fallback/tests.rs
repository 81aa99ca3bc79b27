use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use obs_core::outcome::{Outcome, Rejection};
use tower::{BoxError, Layer, ServiceExt, service_fn};

use super::*;
use crate::reject::Rejected;

fn answer(status: u16) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::from_static(b"primary")).unwrap()
}

async fn asked(request: Request<u16>) -> Result<Response<Bytes>, Infallible> {
    Ok(answer(*request.body()))
}

#[tokio::test]
async fn a_value_stands_in_for_faults_and_refusals_only() {
    let layer =
        FallbackLayer::value(|outcome: Outcome| Ok(Response::new(Bytes::from(outcome.as_str()))));
    let service = layer.layer(service_fn(asked));
    for (status, body) in
        [(200, "primary"), (404, "primary"), (500, "server_error"), (503, "server_error")]
    {
        let response = service.clone().oneshot(Request::new(status)).await.unwrap();
        assert_eq!(response.into_body(), body);
    }
}

#[tokio::test]
async fn a_refusal_is_replaced_and_known_as_what_it_was() {
    let layer = FallbackLayer::value(|outcome: Outcome| {
        assert_eq!(outcome, Outcome::Rejected(Rejection::CircuitBreaker));
        Ok(answer(200))
    });
    let open = service_fn(|_: Request<u16>| async {
        let rejected = Rejected::new(Rejection::CircuitBreaker, "b".into());
        Err::<Response<Bytes>, BoxError>(rejected.into())
    });
    assert_eq!(layer.layer(open).oneshot(Request::new(0)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_service_gets_a_copy_of_the_request() {
    let copy: CopyRequest<Request<u16>> = |request| Some(request.clone());
    let replica = service_fn(|request: Request<u16>| async move {
        Ok::<_, Infallible>(Response::new(Bytes::from(format!("replica of {}", request.body()))))
    });
    let service = FallbackLayer::service(replica, copy).layer(service_fn(asked));
    let response = service.clone().oneshot(Request::new(500)).await.unwrap();
    assert_eq!(response.into_body(), "replica of 500");
    assert_eq!(service.oneshot(Request::new(201)).await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_request_that_cannot_be_copied_keeps_its_own_answer() {
    let copy: CopyRequest<Request<u16>> = |_| None;
    let service = FallbackLayer::service(service_fn(asked), copy).layer(service_fn(asked));
    assert_eq!(service.oneshot(Request::new(500)).await.unwrap().status(), 500);
}

#[tokio::test]
async fn what_falls_back_can_be_chosen() {
    let layer = FallbackLayer::value(|_: Outcome| Ok(answer(299)))
        .when(|outcome| outcome == Outcome::ClientError);
    let service = layer.layer(service_fn(asked));
    for (ask, got) in [(404, 299), (500, 500)] {
        assert_eq!(service.clone().oneshot(Request::new(ask)).await.unwrap().status(), got);
    }
}

#[tokio::test]
async fn res_a1_a2_and_a4_a_handle_counts_and_switches_what_falls_back() {
    use obs_core::control::{Action, Control, Registry};

    let registry = Registry::default();
    let handle = Fallback::builder("cached").controls(&registry).build().unwrap();
    let layer = FallbackLayer::value(|_: Outcome| Ok(answer(299))).handle(handle.clone());
    let service = layer.layer(service_fn(asked));
    let ask = async |status| service.clone().oneshot(Request::new(status)).await.unwrap().status();
    assert_eq!((ask(500).await.as_u16(), ask(200).await.as_u16()), (299, 200));
    let control = registry.list().remove(0);
    assert!(control.apply(&Action::new("configure").argument("shadow", 1)).is_err());
    assert!(control.apply(&Action::new("configure").argument("when", true)).is_err());
    assert_eq!(Control::snapshot(&handle)["config"]["shadow"], false);
    control.apply(&Action::new("configure").argument("shadow", true)).unwrap();
    assert_eq!(ask(500).await, 500);
    assert_eq!((handle.fallen(), control.state()), (2, "shadow"));
    assert_eq!(Fallback::builder("").build().unwrap_err().field(), "name");
}
