use tokio::net::TcpStream;

use super::{Check, CheckFuture, Observation};

/// Opens a TCP connection and closes it again.
///
/// The address is `host:port`; the name is looked up anew at each run.
///
/// ```
/// use obs_health::Dependency;
/// use obs_health::check::TcpCheck;
///
/// let dependency = Dependency::required("smtp", TcpCheck::new("mail.internal:25"));
/// # let _ = dependency;
/// ```
#[derive(Clone, Debug)]
pub struct TcpCheck {
    address: String,
}

impl TcpCheck {
    /// A check of `address`, such as `queue.internal:5672`.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into() }
    }
}

impl Check for TcpCheck {
    fn check(&self) -> CheckFuture {
        let address = self.address.clone();
        Box::pin(async move {
            match TcpStream::connect(&address).await {
                Ok(_) => Observation::pass(),
                Err(error) => Observation::fail(format!("{address}: {error}")),
            }
        })
    }
}
