//! The DynamoDB store on the endpoint that `OBS_TEST_MINISTACK` names.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use obs_core::clock::{Clock, ManualClock};
use obs_core::environment::Environment;
use obs_ratelimit::{
    CalendarUnit, DynamoDbStore, Hold, Quota, SharedQuota, Store, StoreErrorKind, Take,
};
use support::conformance::{HOUR, Subject, bucket, new_key, take};
use support::proxy::{Proxy, Weather};
use support::{admitted, bear_without_a_store, open_over};

const TABLE: &str = "obs-ratelimit-test";

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

fn endpoint() -> String {
    let environment = Environment::process();
    let endpoint = environment.get("OBS_TEST_MINISTACK");
    endpoint.expect("OBS_TEST_MINISTACK names no running endpoint").to_owned()
}

/// A client of the running part, with the table in place.
async fn ready() -> Client {
    let client = client(&endpoint());
    let attribute = AttributeDefinition::builder().attribute_name("pk");
    let attribute = attribute.attribute_type(ScalarAttributeType::B).build().unwrap();
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash);
    // Another test may have made it; the calls that follow tell whether it is there.
    let _ = client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute)
        .key_schema(key.build().unwrap())
        .send()
        .await;
    client
}

async fn store() -> Subject {
    Arc::new(DynamoDbStore::new(ready().await, TABLE, Clock::system()))
}

store_conformance!(store());

#[tokio::test]
async fn rl_34_a_stale_item_means_the_same_as_none() {
    let manual = ManualClock::default();
    let store: Subject = Arc::new(DynamoDbStore::new(ready().await, TABLE, manual.clock()));
    let (key, bucket) = (new_key(), bucket(10, HOUR, 10));
    assert_eq!(take(&store, Take::new(key, bucket, 10)).await.tokens, 10);
    manual.advance(30 * 24 * HOUR);
    assert_eq!(take(&store, Take::new(key, bucket, 20)).await.tokens, 10);
    assert_eq!(take(&store, Take::new(key, bucket, 1)).await.tokens, 0);
}

#[tokio::test]
async fn rl_25_a_node_whose_clock_is_ahead_moves_time_once() {
    let (ahead, behind) = (ManualClock::default(), ManualClock::default());
    ahead.advance(Duration::from_secs(2));
    let node = |clock: &ManualClock, client| -> Subject {
        Arc::new(DynamoDbStore::new(client, TABLE, clock.clock()))
    };
    let ahead = node(&ahead, ready().await);
    let behind = node(&behind, ready().await);
    let (key, bucket) = (new_key(), bucket(1, Duration::from_secs(1), 10));
    let mut tokens = 0;
    for _ in 0..10 {
        tokens += take(&ahead, Take::new(key, bucket, 2)).await.tokens;
        tokens += take(&behind, Take::new(key, bucket, 2)).await.tokens;
    }
    assert!((10..=12).contains(&tokens), "{tokens}: the burst and at most the two seconds");
}

#[tokio::test]
async fn a_missing_table_is_rejected_and_a_missing_endpoint_unavailable() {
    let wanted = Take::new(new_key(), bucket(10, HOUR, 3), 1);
    let no_table = DynamoDbStore::new(ready().await, "no-such-table", Clock::system());
    assert_eq!(no_table.take(wanted).await.unwrap_err().kind(), StoreErrorKind::Rejected);
    let nowhere = DynamoDbStore::new(client("http://127.0.0.1:1"), TABLE, Clock::system());
    assert_eq!(nowhere.take(wanted).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
}

/// Counts the calls of a client.
#[derive(Clone, Debug, Default)]
struct Calls(Arc<AtomicU64>);

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A node of a fleet, in virtual time, and what it calls.
async fn node(clock: &ManualClock, calls: &Calls) -> Subject {
    let config = ready().await.config().to_builder().interceptor(calls.clone()).build();
    Arc::new(DynamoDbStore::new(Client::from_conf(config), TABLE, clock.clock()))
}

#[tokio::test]
async fn a_lease_takes_one_write_in_steady_state() {
    for quota in [
        Quota::rate(1_000, HOUR).burst(1_000),
        Quota::fixed_window(1_000, HOUR),
        Quota::sliding_window(1_000, HOUR),
        Quota::calendar(1_000, CalendarUnit::Month),
    ] {
        let (clock, calls, key) = (ManualClock::default(), Calls::default(), new_key());
        let nodes = [node(&clock, &calls).await, node(&clock, &calls).await];
        let take = async |node: &Subject| {
            let take = Take::new(key, SharedQuota::new(quota).unwrap(), 10);
            assert_eq!(node.take(take).await.unwrap().tokens, 10, "{quota:?}");
        };
        // A window that carries something over from the one before.
        for node in &nodes {
            take(node).await;
        }
        clock.advance(HOUR);
        for node in &nodes {
            take(node).await;
        }
        let before = calls.0.load(Ordering::Relaxed);
        for _ in 0..10 {
            for node in &nodes {
                take(node).await;
            }
        }
        assert_eq!(calls.0.load(Ordering::Relaxed) - before, 20, "{quota:?}");
    }
}

#[tokio::test]
async fn renewing_places_takes_one_write_until_an_entry_is_as_old_as_they_live() {
    let (clock, calls, key) = (ManualClock::default(), Calls::default(), new_key());
    let nodes = [node(&clock, &calls).await, node(&clock, &calls).await];
    let hold = async |number: usize, turn, keep, want| {
        let (limit, holder, valid_for) = (10, number as u64, Duration::from_secs(30));
        let hold = Hold { key, limit, holder, turn, keep, want, least: 1, valid_for };
        let grant = nodes[number].hold(hold).await.unwrap();
        (grant.tokens, grant.remaining)
    };
    assert_eq!(hold(0, 1, 0, 2).await, (2, 8));
    assert_eq!(hold(1, 1, 0, 3).await, (3, 5));
    let before = calls.0.load(Ordering::Relaxed);
    for turn in 2..4 {
        clock.advance(Duration::from_secs(10));
        assert_eq!(hold(0, turn, 2, 0).await, (0, 5));
        assert_eq!(hold(1, turn, 3, 0).await, (0, 5));
    }
    assert_eq!(hold(0, 4, 2, 1).await, (1, 4));
    assert_eq!(hold(1, 4, 2, 0).await, (0, 5));
    assert_eq!(calls.0.load(Ordering::Relaxed) - before, 6);
    // Nobody gets more than there is, nor by a call that was overtaken.
    assert_eq!(hold(0, 5, 3, 9).await, (5, 0));
    assert_eq!(hold(1, 5, 2, 1).await, (0, 0));
    assert_eq!(hold(1, 4, 2, 1).await, (0, 0));
    // A node that fell silent holds nothing in the end.
    clock.advance(Duration::from_secs(20));
    assert_eq!(hold(0, 6, 8, 0).await, (0, 0));
    clock.advance(Duration::from_secs(11));
    assert_eq!(hold(0, 7, 8, 1).await, (1, 1));
}

async fn behind_a_proxy() -> (Proxy, Subject) {
    ready().await;
    let proxy = Proxy::before(endpoint().trim_start_matches("http://")).await;
    let client = client(&format!("http://{}", proxy.address));
    (proxy, Arc::new(DynamoDbStore::new(client, TABLE, Clock::system())))
}

const THROTTLED: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\n\
    content-length: 64\r\n\r\n{\"__type\":\"ProvisionedThroughputExceededException\",\"message\":\"\"}";

const NONSENSE: [&[u8]; 4] = [
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 4\r\n\r\n]]]]",
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 30\r\n\r\n\
      {\"Attributes\":{\"t\":{\"N\":\"x\"}}}",
    b"\x00\xff\x00\xff no answer at all\r\n\r\n",
];

#[tokio::test]
async fn rl_33_nonsense_is_an_error_and_the_bucket_is_as_before() {
    let (proxy, store) = behind_a_proxy().await;
    let (key, bucket) = (new_key(), bucket(10, HOUR, 3));
    assert_eq!(take(&store, Take::new(key, bucket, 3)).await.tokens, 3);
    for nonsense in NONSENSE {
        proxy.set(Weather::Garbage(nonsense));
        let answer = store.take(Take::new(key, bucket, 1)).await;
        let about = String::from_utf8_lossy(nonsense);
        assert!(answer.is_err(), "{about} is no grant: {answer:?}");
        proxy.set(Weather::Fair);
    }
    let mut after = store.take(Take::new(key, bucket, 1)).await;
    for _ in 0..20 {
        // It takes some calls to notice that a connection is of no use.
        if after.is_ok() {
            break;
        }
        after = store.take(Take::new(key, bucket, 1)).await;
    }
    assert_eq!(after.unwrap().tokens, 0, "the bucket is as empty as before");
}

#[tokio::test]
async fn a_throttled_call_is_told_from_an_outage() {
    let (proxy, store) = behind_a_proxy().await;
    proxy.set(Weather::Garbage(THROTTLED));
    let wanted = Take::new(new_key(), bucket(10, HOUR, 3), 1);
    assert_eq!(store.take(wanted).await.unwrap_err().kind(), StoreErrorKind::Throttled);
}

#[tokio::test]
async fn a_table_behind_bad_weather_fails_no_request() {
    for strict in [false, true] {
        for weather in [
            Weather::Silence,
            Weather::Cut,
            Weather::Late(Duration::from_secs(1)),
            Weather::Garbage(NONSENSE[0]),
            Weather::Garbage(THROTTLED),
        ] {
            let (proxy, store) = behind_a_proxy().await;
            let (limiter, counted) = open_over(store, strict);
            for _ in 0..20 {
                assert!(admitted(&limiter).await.is_some());
            }
            proxy.set(weather);
            bear_without_a_store(&limiter, &counted).await;
        }
    }
}
