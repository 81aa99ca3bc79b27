//! Charges one order.

use obs_core::span::CallSpan;
use serde::Deserialize;
use serde_json::json;
use shop_domain::id::{OrderId, UserId};
use shop_domain::money::Currency;
use shop_domain::payment::{Outcome, Transaction};
use shop_domain::port::TaskFailure;
use shop_domain::port::messaging::{MessagingError, MessagingErrorKind};
use shop_kit::failure::Failure;
use shop_kit::observe::about_order;

use crate::provider::{Answer, NoAnswer};
use crate::{Payments, fraud};

/// What is to be paid, and who waits for it.
#[derive(Clone, Deserialize)]
pub struct Demand {
    /// With what the workflow that waits is answered.
    pub task_token: String,
    /// The order.
    pub order_id: OrderId,
    /// Who pays.
    pub user_id: UserId,
    /// How much, in minor units of `currency`.
    pub total_minor: u64,
    /// The currency.
    pub currency: Currency,
}

/// Tells what is paid for, not the token.
impl std::fmt::Debug for Demand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demand").field("order_id", &self.order_id).finish_non_exhaustive()
    }
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
    /// The workflow could not be told.
    Workflow(MessagingError),
}

impl std::fmt::Display for ChargeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(_) => f.write_str("the transaction log failed"),
            Self::NoAnswer => NoAnswer.fmt(f),
            Self::Workflow(_) => f.write_str("the workflow could not be told"),
            Self::Interrupted => f.write_str("the fraud score was not computed"),
        }
    }
}

impl std::error::Error for ChargeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Workflow(error) => Some(error),
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
    let append = payments.store.append(&transaction);
    let kept = CallSpan::database("sqlite", "INSERT", "transactions").observe(append).await?;
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

/// The error that the workflow knows a provider by that does not answer.
const UNAVAILABLE: &str = "Payment.Unavailable";

/// Charges an order, and tells the workflow that waits for it how that ended.
///
/// # Errors
/// When it must be tried again later. That the provider does not answer is none: the workflow, which
/// is told, decides when to ask again.
#[tracing::instrument(
    name = "invoke payment-processor",
    skip_all,
    fields(faas.name = "payment-processor", faas.coldstart)
)]
pub async fn settle(payments: &Payments, demand: &Demand) -> Result<(), ChargeError> {
    about_order(&demand.order_id, Some(&demand.user_id));
    let began = payments.clock.now();
    let cold_start = payments.start();
    tracing::Span::current().record("faas.coldstart", cold_start);
    let token = &demand.task_token;
    let answer = match charge(payments, demand).await {
        Ok(transaction) => {
            let result = json!({
                "outcome": transaction.outcome.as_str().to_ascii_uppercase(),
                "reason": transaction.reason,
                "transaction_id": transaction.transaction_id,
            });
            let answer = payments.workflow.task_success(token, &result);
            CallSpan::aws("SFN", "SendTaskSuccess").observe(answer).await
        }
        Err(ChargeError::NoAnswer) => {
            let cause = NoAnswer.to_string();
            let failure = TaskFailure { error: UNAVAILABLE.to_owned(), cause };
            let answer = payments.workflow.task_failure(token, &failure);
            CallSpan::aws("SFN", "SendTaskFailure").observe(answer).await
        }
        Err(error) => return Err(error),
    };
    let duration = payments.clock.now() - began;
    tracing::info!(cold_start, duration_ms = duration.as_secs_f64() * 1e3, "function completed");
    match answer {
        // The token was used: it was told before.
        Err(error) if error.kind() == MessagingErrorKind::Expired => Ok(()),
        answer => answer.map_err(ChargeError::Workflow),
    }
}
