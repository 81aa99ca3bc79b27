use std::collections::HashMap;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::DynamoDbStore;
use crate::store::{StoreError, StoreErrorKind, StoreKey};

/// What was written, or what stood there instead.
pub(super) type Written<T> = Result<T, T>;

type Item = HashMap<String, AttributeValue>;

impl DynamoDbStore {
    pub(super) fn update(&self, key: StoreKey) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&*self.table)
            .key("pk", name(key))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// The item of a key as it is now.
    pub(super) async fn item(&self, key: StoreKey) -> Result<Option<Item>, StoreError> {
        let call = self.client.get_item().table_name(&*self.table).key("pk", name(key));
        match call.consistent_read(true).send().await {
            Ok(output) => Ok(output.item),
            Err(error) => Err(StoreError::because(kind(&error), error)),
        }
    }

    pub(super) async fn delete(&self, key: StoreKey) -> Result<(), StoreError> {
        let call = self.client.delete_item().table_name(&*self.table).key("pk", name(key));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(StoreError::because(kind(&error), error)),
        }
    }
}

fn name(key: StoreKey) -> AttributeValue {
    AttributeValue::B(Blob::new(key.bits().to_be_bytes()))
}

pub(super) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn written<T>(
    result: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
    read: impl Fn(Option<&Item>) -> Result<T, StoreError>,
) -> Result<Written<T>, StoreError> {
    let error = match result {
        // A write that does not say what it wrote is no write.
        Ok(output) if output.attributes().is_none() => {
            return Err(StoreError::new(StoreErrorKind::Garbled));
        }
        Ok(output) => return read(output.attributes()).map(Ok),
        Err(error) => error,
    };
    if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error()
    {
        return read(failed.item()).map(Err);
    }
    Err(StoreError::because(kind(&error), error))
}

fn kind<E: ProvideErrorMetadata>(error: &SdkError<E>) -> StoreErrorKind {
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
