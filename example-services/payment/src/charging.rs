//! Charges one order.

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use shop_domain::id::{OrderId, UserId};
use shop_domain::money::Currency;
use shop_domain::order::Status;
use shop_domain::payment::{Outcome, Transaction};
use shop_kit::failure::Failure;
use shop_kit::observe::about_order;
use shop_kit::upstream::{UpstreamError, UpstreamErrorKind};

use crate::provider::{Answer, NoAnswer};
use crate::{Payments, fraud};

/// What is to be paid.
#[derive(Clone, Debug, Deserialize)]
pub struct Demand {
    /// The order.
    pub order_id: OrderId,
    /// Who pays.
    pub user_id: UserId,
    /// How much, in minor units of `currency`.
    pub total_minor: u64,
    /// The currency.
    pub currency: Currency,
}

/// Why an order could not be charged yet.
#[derive(Debug)]
pub enum ChargeError {
    /// The store failed.
    Store(shop_domain::port::StoreError),
    /// The provider did not answer.
    NoAnswer,
    /// The work on the score was cut short.
    Interrupted,
    /// The order service could not be told.
    Order(UpstreamError),
}

impl std::fmt::Display for ChargeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(_) => f.write_str("the transaction log failed"),
            Self::NoAnswer => NoAnswer.fmt(f),
            Self::Order(_) => f.write_str("the order service could not be told"),
            Self::Interrupted => f.write_str("the fraud score was not computed"),
        }
    }
}

impl std::error::Error for ChargeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Order(error) => Some(error),
            _ => None,
        }
    }
}

impl From<shop_domain::port::StoreError> for ChargeError {
    fn from(error: shop_domain::port::StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ChargeError> for Failure {
    fn from(error: ChargeError) -> Self {
        Self::unavailable(error.to_string())
    }
}

/// Charges an order, once: whatever came of it stays, however often it is asked for.
///
/// # Errors
/// When it must be tried again later.
#[tracing::instrument(name = "payment.charge", skip_all)]
pub async fn charge(payments: &Payments, demand: &Demand) -> Result<Transaction, ChargeError> {
    about_order(&demand.order_id, Some(&demand.user_id));
    if let Some(done) = payments.store.by_order(&demand.order_id).await?.pop() {
        return Ok(done);
    }
    let method = payments.store.method(&demand.order_id).await?;
    let fraud_score = fraud_score(payments, demand).await?;
    payments.metrics.fraud_score.record(f64::from(fraud_score));
    let (outcome, reason) = if fraud_score >= fraud::SUSPECT {
        (Outcome::Suspected, Some("suspected_fraud".to_owned()))
    } else {
        let answer = payments.provider.charge(&demand.order_id, method.as_ref()).await;
        match answer.map_err(|NoAnswer| ChargeError::NoAnswer)? {
            Answer::Approved => (Outcome::Approved, None),
            Answer::Declined(reason) => (Outcome::Declined, Some(reason.to_owned())),
        }
    };
    let transaction = Transaction {
        transaction_id: format!("txn-{}", payments.ids.correlation_id(&payments.clock).as_str()),
        order_id: demand.order_id.clone(),
        user_id: demand.user_id.clone(),
        amount_minor: demand.total_minor,
        currency: demand.currency,
        outcome,
        reason,
        fraud_score,
        method,
        at_ms: payments.clock.wall().unix_millis(),
    };
    let kept = payments.store.append(&transaction).await?;
    payments.metrics.outcome(kept.outcome);
    tracing::info!(
        outcome = kept.outcome.as_str(),
        reason = kept.reason.as_deref(),
        fraud_score,
        brand = kept.method.as_ref().map(|method| method.brand.as_str()),
        last4 = kept.method.as_ref().map(|method| method.last4.as_str()),
        "order charged"
    );
    Ok(kept)
}

/// On a thread for blocking work: it takes the processor for milliseconds.
#[tracing::instrument(name = "payment.fraud_score", skip_all, fields(iterations = payments.fraud_iterations))]
async fn fraud_score(payments: &Payments, demand: &Demand) -> Result<u8, ChargeError> {
    let (user, order) = (demand.user_id.clone(), demand.order_id.clone());
    let (amount, iterations) = (demand.total_minor, payments.fraud_iterations);
    let score = move || fraud::score(user.as_str(), order.as_str(), amount, iterations);
    obs_core::context::spawn_blocking(score).await.map_err(|_| ChargeError::Interrupted)
}

/// Charges an order, and tells the order service how that ended.
///
/// # Errors
/// When it must be tried again later.
pub async fn settle(payments: &Payments, demand: &Demand) -> Result<Transaction, ChargeError> {
    let transaction = charge(payments, demand).await?;
    let status = match transaction.outcome {
        Outcome::Approved => Status::Paid,
        Outcome::Declined | Outcome::Suspected => Status::PaymentFailed,
    };
    let result = PaymentResult { status, reason: transaction.reason.as_deref() };
    let path = format!("/orders/{}/status", demand.order_id);
    match payments.order.call::<Told>(Method::POST, &path, Some(&result)).await {
        Ok(Told {}) => Ok(transaction),
        // The order has gone on since: it was told before.
        Err(error) if is_conflict(&error) => Ok(transaction),
        Err(error) => Err(ChargeError::Order(error)),
    }
}

fn is_conflict(error: &UpstreamError) -> bool {
    matches!(error.kind(), UpstreamErrorKind::Refused(StatusCode::CONFLICT, _))
}

#[derive(Serialize)]
struct PaymentResult<'a> {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Deserialize)]
struct Told {}
