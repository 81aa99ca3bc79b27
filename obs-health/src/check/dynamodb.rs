use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::TableStatus;

use super::{Check, CheckFuture, Observation};

/// Describes a DynamoDB table: passes while it is active, warns while it changes.
///
/// Needs `dynamodb:DescribeTable` and consumes no capacity of the table.
///
/// ```
/// use obs_health::Dependency;
/// use obs_health::check::DynamoDbCheck;
///
/// fn orders_table(client: aws_sdk_dynamodb::Client) -> Dependency {
///     Dependency::required("orders-table", DynamoDbCheck::new(client, "orders"))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct DynamoDbCheck {
    client: Client,
    table: String,
}

impl DynamoDbCheck {
    /// A check of `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl Check for DynamoDbCheck {
    fn check(&self) -> CheckFuture {
        let request = self.client.describe_table().table_name(&self.table);
        Box::pin(async move {
            let status = match request.send().await {
                Ok(answer) => answer.table.and_then(|table| table.table_status),
                Err(error) => return Observation::fail(DisplayErrorContext(&error).to_string()),
            };
            match status {
                Some(TableStatus::Active) => Observation::pass(),
                Some(TableStatus::Updating) => Observation::warn("the table is being updated"),
                other => Observation::fail(format!(
                    "the table is {}",
                    other.as_ref().map_or("unknown", TableStatus::as_str)
                )),
            }
        })
    }

    fn component_type(&self) -> &'static str {
        "datastore"
    }
}
