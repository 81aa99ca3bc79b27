use obs_core::metric::{Counter, Descriptor, Histogram, Recorder, Unit};
use shop_domain::payment::Outcome;

/// Payments that came to an end.
pub static PAYMENT_OUTCOME: Descriptor =
    Descriptor::new("PaymentOutcome", Unit::Count, "Payments that ended, by outcome");

/// How much payments look like fraud.
pub static FRAUD_SCORE: Descriptor =
    Descriptor::new("FraudScore", Unit::None, "How much payments look like fraud, 0 to 100");

/// Starts of a function that had to be set up first.
pub static COLD_STARTS: Descriptor =
    Descriptor::new("ColdStarts", Unit::Count, "Starts of a function that had to be set up first");

/// What the service counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    outcomes: [(Outcome, Counter); Outcome::ALL.len()],
    pub(crate) fraud_score: Histogram,
    pub(crate) cold_starts: Counter,
}

impl Metrics {
    /// Counts in `recorder`.
    #[must_use]
    pub fn new(recorder: &dyn Recorder) -> Self {
        let outcome = |outcome: Outcome| {
            (outcome, recorder.counter(&PAYMENT_OUTCOME, &[("Outcome", outcome.as_str())]))
        };
        let function = [("Function", "payment-processor")];
        Self {
            outcomes: Outcome::ALL.map(outcome),
            fraud_score: recorder.histogram(&FRAUD_SCORE, &function),
            cold_starts: recorder.counter(&COLD_STARTS, &function),
        }
    }

    pub(crate) fn outcome(&self, outcome: Outcome) {
        if let Some((_, counter)) = self.outcomes.iter().find(|(known, _)| *known == outcome) {
            counter.add(1);
        }
    }
}
