//! The payment provider, played by a function of its seed.

use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::metric::Recorder;
use obs_tower::retry::{Advice, Backoff, Retry, RetryConfig};
use sha2::{Digest, Sha256};
use shop_domain::id::OrderId;
use shop_domain::payment::Method;
use std::time::Duration;

/// A provider that answers the same to the same, so that a run can be repeated.
///
/// It declines cards by their last four digits, as the test cards of real providers do: `0002` for
/// no reason given, `9995` for lack of funds. Besides, a part of all attempts fails for no fault of
/// the customer's, and is tried again.
#[derive(Clone, Debug)]
pub struct Provider {
    seed: u64,
    /// The part of attempts that fail, in thousandths.
    failing: u32,
    retry: Retry,
}

/// What a provider answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The money is on its way.
    Approved,
    /// It is not, for this reason.
    Declined(&'static str),
}

/// The provider did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the payment provider did not answer")
    }
}

impl std::error::Error for NoAnswer {}

impl Provider {
    /// A provider of which `failing` of 1,000 attempts fail.
    ///
    /// # Errors
    /// [`ConfigError`] when `failing` is more than 1,000.
    pub fn new(
        seed: u64,
        failing: u32,
        clock: &Clock,
        recorder: &dyn Recorder,
    ) -> Result<Self, ConfigError> {
        if failing > 1_000 {
            let rule = "must be from 0 to 1000";
            return Err(ConfigError::new("SHOP_PAYMENT_FAILING_PER_MILLE", failing, rule));
        }
        let backoff = Backoff::exponential(Duration::from_millis(20), Duration::from_millis(200));
        let retry = Retry::builder("payment-provider")
            .config(RetryConfig::new().max_attempts(4).backoff(backoff).budget(1.0, 100))
            .clock(clock.clone())
            .recorder(recorder)
            .seed(seed)
            .build()?;
        Ok(Self { seed, failing, retry })
    }

    /// Charges an order; charging it again has the same outcome and costs nothing more.
    ///
    /// # Errors
    /// [`NoAnswer`] when all attempts failed.
    #[tracing::instrument(name = "charge", skip_all, fields(otel.kind = "client"))]
    pub async fn charge(
        &self,
        order: &OrderId,
        method: Option<&Method>,
    ) -> Result<Answer, NoAnswer> {
        let attempt = |attempt| std::future::ready(self.answer(order, method, attempt));
        let advice = |result: &Result<Answer, NoAnswer>| match result {
            Err(NoAnswer) => Advice::retry(),
            Ok(_) => Advice::done(),
        };
        self.retry.run(attempt, advice).await
    }

    fn answer(
        &self,
        order: &OrderId,
        method: Option<&Method>,
        attempt: u32,
    ) -> Result<Answer, NoAnswer> {
        let digest = Sha256::digest(format!("{}\n{order}\n{attempt}", self.seed));
        let roll = digest.iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        if roll % 1_000 < self.failing {
            return Err(NoAnswer);
        }
        Ok(match method.map(|method| method.last4.as_str()) {
            Some("0002") => Answer::Declined("card_declined"),
            Some("9995") => Answer::Declined("insufficient_funds"),
            _ => Answer::Approved,
        })
    }
}

#[cfg(test)]
mod tests {
    use obs_core::metric::disabled;

    use super::*;

    fn provider(failing: u32) -> Provider {
        Provider::new(7, failing, &Clock::system(), disabled()).unwrap()
    }

    fn method(last4: &str) -> Method {
        Method { brand: "visa".to_owned(), last4: last4.to_owned() }
    }

    #[tokio::test]
    async fn the_last_four_digits_decide() {
        let order = OrderId::parse("ord-1").unwrap();
        for (last4, answer) in [
            ("4242", Answer::Approved),
            ("0002", Answer::Declined("card_declined")),
            ("9995", Answer::Declined("insufficient_funds")),
        ] {
            assert_eq!(provider(0).charge(&order, Some(&method(last4))).await, Ok(answer));
        }
        assert_eq!(provider(0).charge(&order, None).await, Ok(Answer::Approved));
    }

    #[test]
    fn the_same_seed_fails_the_same_attempts_and_about_as_many_as_asked_for() {
        let failed = |provider: &Provider| -> Vec<usize> {
            let fails = |n: &usize| {
                let order = OrderId::parse(&format!("ord-{n}")).unwrap();
                provider.answer(&order, None, 1).is_err()
            };
            (0..1_000).filter(fails).collect()
        };
        let some = failed(&provider(300));
        assert_eq!(some, failed(&provider(300)));
        assert!((200..400).contains(&some.len()), "{}", some.len());
        assert!(failed(&provider(0)).is_empty());
        assert_eq!(failed(&provider(1_000)).len(), 1_000);
        assert!(Provider::new(0, 1_001, &Clock::system(), disabled()).is_err());
    }
}
