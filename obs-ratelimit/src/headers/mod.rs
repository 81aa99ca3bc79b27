//! Response headers: what a caller is told about its limits.

mod date;

use http::StatusCode;

pub(crate) use date::imf_fixdate;

/// Which rate-limit headers a response carries.
///
/// ```
/// use obs_ratelimit::{Emit, Headers, ResetStyle};
///
/// let github_like = Headers::none().x_rate_limit(Some(ResetStyle::Epoch)).emit(Emit::Always);
/// assert_ne!(github_like, Headers::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Headers {
    pub(crate) ietf: bool,
    pub(crate) x_rate_limit: Option<ResetStyle>,
    pub(crate) emit: Emit,
    pub(crate) replace: bool,
    pub(crate) on_redirect: bool,
}

impl Default for Headers {
    /// `RateLimit` and `RateLimit-Policy` of the IETF draft and `X-RateLimit-*` with a reset in
    /// seconds from now, on every response.
    fn default() -> Self {
        Self {
            ietf: true,
            x_rate_limit: Some(ResetStyle::Delta),
            emit: Emit::Always,
            replace: false,
            on_redirect: false,
        }
    }
}

impl Headers {
    /// No headers but `Retry-After` on a refusal.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            ietf: false,
            x_rate_limit: None,
            emit: Emit::OnRefusal,
            replace: false,
            on_redirect: false,
        }
    }

    /// Whether to send `RateLimit-Policy` and `RateLimit` as the draft of revision 10 has them
    /// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/10/>). Default yes.
    #[must_use]
    pub const fn ietf(mut self, send: bool) -> Self {
        self.ietf = send;
        self
    }

    /// Whether to send `X-RateLimit-Limit`, `-Remaining` and `-Reset`, for the policy with the
    /// smallest part remaining, and how the reset is written. Default [`ResetStyle::Delta`].
    #[must_use]
    pub const fn x_rate_limit(mut self, style: Option<ResetStyle>) -> Self {
        self.x_rate_limit = style;
        self
    }

    /// On which responses. Default [`Emit::Always`].
    #[must_use]
    pub const fn emit(mut self, emit: Emit) -> Self {
        self.emit = emit;
        self
    }

    /// Whether headers that the inner service set are replaced. Default no.
    #[must_use]
    pub const fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Whether a redirect gets headers: a client may take them for those of the target. Default
    /// no. An informational response never gets any.
    ///
    /// ```
    /// use obs_ratelimit::{Emit, Headers};
    ///
    /// let headers = Headers::default().ietf(true).replace(false).on_redirect(false).emit(Emit::Always);
    /// # let _ = headers;
    /// ```
    #[must_use]
    pub const fn on_redirect(mut self, send: bool) -> Self {
        self.on_redirect = send;
        self
    }

    /// Whether a response of this status may carry headers.
    pub(crate) fn on_status(&self, status: StatusCode) -> bool {
        !status.is_informational() && (self.on_redirect || !status.is_redirection())
    }

    /// Whether a refusal gets headers other than `Retry-After`.
    pub(crate) const fn on_refusal(&self) -> bool {
        self.ietf || self.x_rate_limit.is_some()
    }

    /// Whether an admitted request may get headers.
    pub(crate) fn on_success(&self) -> bool {
        self.on_refusal() && self.emit != Emit::OnRefusal
    }
}

/// How `X-RateLimit-Reset` is written.
///
/// ```
/// use obs_ratelimit::{Headers, ResetStyle};
///
/// // For clients that read `X-RateLimit-Reset` as a Unix time, as GitHub's do.
/// let headers = Headers::default().x_rate_limit(Some(ResetStyle::Epoch));
/// # let _ = headers;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetStyle {
    /// Seconds from now, as Envoy writes it.
    Delta,
    /// Seconds since the Unix epoch, as GitHub writes it; the response gets a `Date` with it, so
    /// that a caller whose clock is wrong can still tell the time left.
    Epoch,
}

/// On which responses headers are sent.
///
/// ```
/// use obs_ratelimit::{Emit, Headers};
///
/// // Tell callers once a tenth of their quota is left.
/// let headers = Headers::default().emit(Emit::BelowFraction(0.1));
/// # let _ = headers;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Emit {
    /// On all.
    Always,
    /// On refusals, and on others when less than this fraction of a quota remains.
    BelowFraction(f64),
    /// On refusals only; an admitted request costs nothing for headers then.
    OnRefusal,
}
