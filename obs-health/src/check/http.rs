use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use obs_core::config::ConfigError;

use super::{Check, CheckFuture, Observation};

/// Sends `GET` and judges the status; default: any of 200 to 299 passes.
///
/// Plain HTTP only. For HTTPS, write the check as a closure over the service's own client.
///
/// ```
/// use http::StatusCode;
/// use obs_health::Dependency;
/// use obs_health::check::HttpCheck;
///
/// let inventory = HttpCheck::new("http://inventory:8080/live")?.expect_status(StatusCode::OK);
/// let dependency = Dependency::required("inventory", inventory);
/// # let _ = dependency;
/// assert!(HttpCheck::new("not a URI").is_err());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpCheck {
    uri: Uri,
    expected: Option<StatusCode>,
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl HttpCheck {
    /// A check of `uri`, such as `http://inventory.internal/ready`.
    ///
    /// # Errors
    /// [`ConfigError`] when it is no absolute `http` URI.
    pub fn new(uri: &str) -> Result<Self, ConfigError> {
        let refuse = || ConfigError::new("uri", uri, "must be an absolute http URI");
        let parsed: Uri = uri.parse().map_err(|_| refuse())?;
        if parsed.scheme_str() != Some("http") || parsed.host().is_none() {
            return Err(refuse());
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { uri: parsed, expected: None, client })
    }

    /// Passes on this status alone. Default: on every 2xx.
    #[must_use]
    pub fn expect_status(mut self, status: StatusCode) -> Self {
        self.expected = Some(status);
        self
    }

    fn judge(&self, status: StatusCode) -> Observation {
        let passes = self.expected.map_or(status.is_success(), |expected| status == expected);
        if passes { Observation::pass() } else { Observation::fail(format!("answered {status}")) }
    }
}

impl Check for HttpCheck {
    fn check(&self) -> CheckFuture {
        let check = self.clone();
        Box::pin(async move {
            let request = Request::get(&check.uri).header(header::USER_AGENT, "obs-health");
            let Ok(request) = request.body(Empty::new()) else {
                return Observation::fail("the request cannot be built");
            };
            match check.client.request(request).await {
                Ok(response) => check.judge(response.status()),
                Err(error) => Observation::fail(with_cause(&error)),
            }
        })
    }
}

/// The error and its cause: a client's own message only says that connecting failed.
fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_cause(cause)),
        None => error.to_string(),
    }
}
