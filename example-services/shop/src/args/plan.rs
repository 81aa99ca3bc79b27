//! What some commands are asked to do, as plain data.

use std::time::Duration;

/// What is to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadPlan {
    /// What the customers do.
    pub scenario: Scenario,
    /// From what everything random follows. Default 1.
    pub seed: u64,
    /// How many customers there are at a time. Default 10.
    pub vus: u32,
    /// For how long they come. Default 10 s.
    pub duration: Duration,
    /// Whether the thresholds decide about the exit code. Default not.
    pub thresholds: bool,
}

/// The most customers at a time.
pub const MAX_VUS: u32 = 1_000;

/// The longest time.
pub const MAX_DURATION: Duration = Duration::from_secs(3_600);

/// What customers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Look at what is on offer, and how the shop is.
    Browse,
    /// Fill a cart, look at it, empty it; every fifth customer stresses the service.
    CartJourney,
    /// Order; every tenth card is declined.
    Checkout,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Browse, Self::CartJourney, Self::Checkout];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::CartJourney => "cart-journey",
            Self::Checkout => "checkout",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.as_str() == name)
    }
}

/// A stress scenario and its bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct StressPlan {
    /// Its name.
    pub name: &'static str,
    /// Its path at the gateway.
    pub path: &'static str,
    /// How much of it is run, 0 to 1.
    pub scale: f64,
    /// How long it may take, in milliseconds.
    pub duration_ms: u64,
}

impl StressPlan {
    /// Whether it is the stress of the cart service, which takes amounts instead of a scale.
    #[must_use]
    pub fn is_cart(&self) -> bool {
        self.path == "/stress"
    }
}

/// Where the shop runs, as dashboards and the names of alarms say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The deployment environment. Default `prod`.
    pub environment: String,
    /// The region. Default `us-east-1`.
    pub region: String,
    /// The account. Default `000000000000`.
    pub account: String,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            environment: "prod".to_owned(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
        }
    }
}
