//! The checks against a running Redis, PostgreSQL and DynamoDB.
//!
//! `cargo xtask test` starts them and says where they are; without that the tests fail.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use std::time::Duration;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use obs_core::control::Health;
use obs_core::environment::Environment;
use obs_health::check::{Check, DynamoDbCheck, Observation, RedisCheck, SqlCheck};

fn address(variable: &str) -> String {
    let environment = Environment::process();
    let address = environment.get(variable).map(str::to_owned);
    address.unwrap_or_else(|| panic!("{variable} is not set: run `cargo xtask test`"))
}

async fn run(check: &impl Check) -> Observation {
    tokio::time::timeout(Duration::from_secs(30), check.check()).await.unwrap()
}

#[tokio::test]
async fn a_running_redis_passes_and_a_missing_one_fails() {
    let client = redis::Client::open(address("OBS_TEST_REDIS")).unwrap();
    assert_eq!(run(&RedisCheck::new(client)).await, Observation::pass());
    let nobody = redis::Client::open("redis://127.0.0.1:1").unwrap();
    let failed = run(&RedisCheck::new(nobody)).await;
    assert_eq!(failed.health(), Health::Fail);
    assert!(failed.output().is_some_and(|output| output.contains("refused")), "{failed:?}");
}

#[tokio::test]
async fn a_running_postgres_passes_and_a_used_up_pool_fails() {
    let options = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(200));
    let pool = options.connect(&address("OBS_TEST_POSTGRES")).await.unwrap();
    let check = SqlCheck::new(pool.clone());
    assert_eq!(run(&check).await, Observation::pass());
    let held = pool.acquire().await.unwrap();
    assert_eq!(run(&check).await.health(), Health::Fail);
    drop(held);
    assert_eq!(run(&check).await, Observation::pass());
}

#[tokio::test]
async fn an_active_table_passes_and_a_missing_one_fails() {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(address("OBS_TEST_MINISTACK"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let attribute =
        AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    client
        .create_table()
        .table_name("health-check")
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key.build().unwrap())
        .attribute_definitions(attribute.build().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(run(&DynamoDbCheck::new(client.clone(), "health-check")).await, Observation::pass());
    client.delete_table().table_name("health-check").send().await.unwrap();
    let failed = run(&DynamoDbCheck::new(client, "health-check")).await;
    assert_eq!(failed.health(), Health::Fail);
}
