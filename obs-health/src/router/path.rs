//! Which endpoint a path names.

use obs_core::control::Kind;

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Readiness,
    Liveness,
    Detail,
    Circuits,
    Controls,
    /// A control, by the name of its kind and its own.
    Control(&'static str, String),
}

/// The fixed paths; a trailing slash makes no difference.
pub(super) const FIXED: &[(&str, Endpoint)] = &[
    ("/health", Endpoint::Readiness),
    ("/ready", Endpoint::Readiness),
    ("/health/ready", Endpoint::Readiness),
    ("/healthz", Endpoint::Readiness),
    ("/readyz", Endpoint::Readiness),
    ("/live", Endpoint::Liveness),
    ("/health/live", Endpoint::Liveness),
    ("/livez", Endpoint::Liveness),
    ("/health/detail", Endpoint::Detail),
    ("/health/circuits", Endpoint::Circuits),
    ("/health/controls", Endpoint::Controls),
];

/// The kinds that `/health/controls/{kind}/{name}` knows.
pub(super) const KINDS: &[Kind] = &[
    Kind::Bulkhead,
    Kind::Retry,
    Kind::Timeout,
    Kind::Fallback,
    Kind::LoadShed,
    Kind::RateLimit,
    Kind::Telemetry,
    Kind::InFlight,
];

impl Endpoint {
    /// The endpoint at `path`, if there is one.
    pub(super) fn at(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        if let Some((_, endpoint)) = FIXED.iter().find(|(fixed, _)| *fixed == path) {
            return Some(endpoint.clone());
        }
        if let Some(name) = path.strip_prefix("/health/circuits/") {
            return Some(Self::Control(Kind::CircuitBreaker.as_str(), name_of(name)?));
        }
        let (kind, name) = path.strip_prefix("/health/controls/")?.split_once('/')?;
        let kind = KINDS.iter().find(|known| known.as_str() == kind)?;
        Some(Self::Control(kind.as_str(), name_of(name)?))
    }
}

/// The kind of this name.
pub(super) fn kind(name: &str) -> Kind {
    KINDS.iter().copied().find(|kind| kind.as_str() == name).unwrap_or(Kind::CircuitBreaker)
}

/// A control's name out of a path: percent-decoded, and within the grammar of names.
fn name_of(encoded: &str) -> Option<String> {
    let mut name = String::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' { hex(rest.next()?)? * 16 + hex(rest.next()?)? } else { byte };
        let is_allowed = byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte);
        name.push(is_allowed.then_some(char::from(byte))?);
    }
    (!name.is_empty() && name.len() <= 128).then_some(name)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn control(kind: &'static str, name: &str) -> Option<Endpoint> {
        Some(Endpoint::Control(kind, name.to_owned()))
    }

    #[test]
    fn every_alias_leads_to_its_endpoint() {
        for path in ["/health", "/ready", "/health/ready", "/healthz", "/readyz", "/health/"] {
            assert_eq!(Endpoint::at(path), Some(Endpoint::Readiness), "{path}");
        }
        for path in ["/live", "/health/live", "/livez"] {
            assert_eq!(Endpoint::at(path), Some(Endpoint::Liveness), "{path}");
        }
    }

    #[test]
    fn names_are_decoded_and_kept_within_their_grammar() {
        assert_eq!(Endpoint::at("/health/circuits/pay%2Fv1"), control("circuit_breaker", "pay/v1"));
        assert_eq!(Endpoint::at("/health/controls/bulkhead/a:b"), control("bulkhead", "a:b"));
        for hostile in ["%0d%0a", "%", "%2", "%zz", "a b", "a%00", "é", "%ff"] {
            assert_eq!(Endpoint::at(&format!("/health/circuits/{hostile}")), None, "{hostile}");
        }
        assert_eq!(Endpoint::at("/health/controls/no-such-kind/a"), None);
        assert_eq!(Endpoint::at(&format!("/health/circuits/{}", "a".repeat(129))), None);
    }

    proptest! {
        #[test]
        fn no_path_panics_or_names_a_control_outside_the_grammar(path in "/?health.{0,60}|.{0,80}") {
            if let Some(Endpoint::Control(_, name)) = Endpoint::at(&path) {
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/@-".contains(&b)));
            }
        }
    }
}
