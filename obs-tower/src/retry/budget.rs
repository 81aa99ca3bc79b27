use obs_core::config::ConfigError;

use super::sync::{AtomicU64, Ordering};

/// Bounds the share of retries: each call puts a part of a token in, each retry takes tokens out.
///
/// In any stretch of time there are at most `ratio` times as many retries as calls, plus the
/// reserve. Calls that could not be made or waited longer than usual cost a retry two tokens, as
/// the AWS SDKs charge for them double.
///
/// ```
/// use obs_tower::retry::RetryBudget;
///
/// // One retry for ten calls, and three to begin with.
/// let budget = RetryBudget::new(0.1, 3)?;
/// let before = budget.tokens();
/// budget.deposit();
/// assert!(budget.withdraw(1));
/// assert!(budget.tokens() <= before);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct RetryBudget {
    /// In thousandths of a token.
    balance: AtomicU64,
    deposit: AtomicU64,
    most: AtomicU64,
}

const TOKEN: u64 = 1_000;

impl RetryBudget {
    /// A budget of `ratio` retries per call, 0 to 1, and `reserve` tokens that are there from the
    /// start and are the most that can be saved up, 1 to 1,000,000.
    ///
    /// # Errors
    /// [`ConfigError`] for a value out of range.
    pub fn new(ratio: f64, reserve: u32) -> Result<Self, ConfigError> {
        check(ratio, reserve)?;
        let zero = || AtomicU64::new(0);
        let budget = Self { balance: zero(), deposit: zero(), most: zero() };
        budget.set(ratio, reserve);
        Ok(budget)
    }

    /// Changes the rules, which [`check`] has found valid; it starts full.
    pub(super) fn set(&self, ratio: f64, reserve: u32) {
        let most = u64::from(reserve) * TOKEN;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        let deposit = (ratio * TOKEN as f64).round() as u64;
        self.deposit.store(deposit, Ordering::Relaxed);
        self.most.store(most, Ordering::Relaxed);
        self.balance.store(most, Ordering::Relaxed);
    }

    /// Counts a call. In good times the budget is full and this is a single read.
    #[inline]
    pub fn deposit(&self) {
        let most = self.most.load(Ordering::Relaxed);
        let mut balance = self.balance.load(Ordering::Relaxed);
        while balance < most {
            let new = (balance + self.deposit.load(Ordering::Relaxed)).min(most);
            match self.exchange(balance, new) {
                Ok(()) => return,
                Err(now) => balance = now,
            }
        }
    }

    /// Takes `tokens` out, all or none of them.
    #[must_use]
    pub fn withdraw(&self, tokens: u32) -> bool {
        let cost = u64::from(tokens) * TOKEN;
        let mut balance = self.balance.load(Ordering::Relaxed);
        while balance >= cost {
            match self.exchange(balance, balance - cost) {
                Ok(()) => return true,
                Err(now) => balance = now,
            }
        }
        false
    }

    fn exchange(&self, old: u64, new: u64) -> Result<(), u64> {
        // Relaxed: the balance is all there is to agree on.
        let relaxed = Ordering::Relaxed;
        self.balance.compare_exchange_weak(old, new, relaxed, relaxed).map(|_| ())
    }

    /// Whole tokens in the budget.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.balance.load(Ordering::Relaxed) / TOKEN
    }
}

/// Checks the rules of a budget.
pub(super) fn check(ratio: f64, reserve: u32) -> Result<(), ConfigError> {
    if !(0.0..=1.0).contains(&ratio) {
        return Err(ConfigError::new("budget.ratio", ratio, "must be between 0 and 1"));
    }
    if !(1..=1_000_000).contains(&reserve) {
        return Err(ConfigError::new("budget.reserve", reserve, "must be between 1 and 1000000"));
    }
    Ok(())
}
