use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::{DynamoDbStore, Kept, Prices};
use crate::store::{GiveBack, StoreError, StoreErrorKind, StoreKey};

/// What was written, or what stood there instead.
pub(super) type Written = Result<Kept, Kept>;

impl DynamoDbStore {
    /// Charges a bucket in use, if it has room.
    pub(super) async fn write_busy(
        &self,
        key: StoreKey,
        prices: &Prices,
        tokens: u64,
        debit: u64,
    ) -> Result<Written, StoreError> {
        let price = prices.of(tokens + debit);
        let most = prices.now.saturating_add(prices.full).saturating_sub(price);
        let call = self
            .update(key)
            .update_expression("SET t = t + :price, x = :ttl ADD g :tokens, k :one")
            .condition_expression("t >= :now AND t <= :most")
            .expression_attribute_values(":price", number(price))
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":now", number(prices.now))
            .expression_attribute_values(":tokens", number(tokens))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":ttl", number(prices.expires()));
        written(call.send().await)
    }

    /// Charges a bucket that is full, or that nobody has used.
    pub(super) async fn write_idle(
        &self,
        key: StoreKey,
        prices: &Prices,
        tokens: u64,
        debit: u64,
    ) -> Result<Written, StoreError> {
        let full_at = prices.now.saturating_add(prices.of(tokens + debit));
        let call = self
            .update(key)
            .update_expression("SET t = :full_at, x = :ttl ADD g :tokens, k :one")
            .condition_expression("attribute_not_exists(t) OR t < :now")
            .expression_attribute_values(":full_at", number(full_at))
            .expression_attribute_values(":now", number(prices.now))
            .expression_attribute_values(":tokens", number(tokens))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":ttl", number(prices.expires()));
        written(call.send().await)
    }

    /// Charges what was used already, as long as the debt is less than one more bucket.
    pub(super) async fn write_debit(
        &self,
        key: StoreKey,
        prices: &Prices,
        debit: u64,
    ) -> Result<Written, StoreError> {
        let price = prices.of(debit);
        let deepest = prices.now.saturating_add(prices.full.saturating_mul(2));
        let call = self
            .update(key)
            .update_expression("SET t = t + :price, x = :ttl ADD g :debit")
            .condition_expression("t >= :now AND t <= :most")
            .expression_attribute_values(":price", number(price))
            .expression_attribute_values(":now", number(prices.now))
            .expression_attribute_values(":most", number(deepest.saturating_sub(price)))
            .expression_attribute_values(":debit", number(debit))
            .expression_attribute_values(":ttl", number(prices.expires()));
        written(call.send().await)
    }

    /// Puts tokens back once; a bucket that is nearly full has no use for them.
    pub(super) async fn write_back(&self, back: GiveBack) -> Result<(), StoreError> {
        let prices = Prices::new(&back.bucket.plan, self.now());
        let price = prices.of(back.tokens);
        let call = self
            .update(back.key)
            .update_expression("SET t = t - :price")
            .condition_expression("t >= :least")
            .expression_attribute_values(":price", number(price))
            .expression_attribute_values(":least", number(prices.now.saturating_add(price)));
        written(call.send().await).map(drop)
    }

    fn update(&self, key: StoreKey) -> UpdateItemFluentBuilder {
        let name = Blob::new(key.bits().to_be_bytes());
        self.client
            .update_item()
            .table_name(&*self.table)
            .key("pk", AttributeValue::B(name))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn written(
    result: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<Written, StoreError> {
    let error = match result {
        Ok(output) => return Kept::read(output.attributes()).map(Ok),
        Err(error) => error,
    };
    if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error()
    {
        return Kept::read(failed.item()).map(Err);
    }
    Err(StoreError::because(kind(&error), error))
}

fn kind(error: &SdkError<UpdateItemError>) -> StoreErrorKind {
    match error {
        SdkError::TimeoutError(_) => StoreErrorKind::Timeout,
        SdkError::DispatchFailure(_) => StoreErrorKind::Unavailable,
        SdkError::ResponseError(_) => StoreErrorKind::Garbled,
        SdkError::ServiceError(failed) => match failed.err().code() {
            Some(
                "ProvisionedThroughputExceededException"
                | "RequestLimitExceeded"
                | "ThrottlingException"
                | "TransactionConflictException",
            ) => StoreErrorKind::Throttled,
            Some("InternalServerError" | "ServiceUnavailable") => StoreErrorKind::Unavailable,
            _ if failed.raw().status().is_server_error() => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Rejected,
        },
        _ => StoreErrorKind::Rejected,
    }
}
