//! Who may see details and act.

use http::{HeaderMap, header};
use obs_core::config::ConfigError;
use obs_core::environment::Environment;

/// The variable that holds the token.
pub(crate) const TOKEN_VARIABLE: &str = "OBS_ADMIN_TOKEN";

/// A shorter token can be guessed over the network.
const MIN_TOKEN_BYTES: usize = 16;

/// The token that lets a caller see details and act, if there is one.
#[derive(Clone)]
pub(crate) struct Access(Option<String>);

impl Access {
    pub(crate) fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let token = environment.get(TOKEN_VARIABLE);
        if token.is_some_and(|token| token.len() < MIN_TOKEN_BYTES) {
            // The value is a secret; its length tells enough.
            let value = format!("{} bytes", token.map_or(0, str::len));
            return Err(ConfigError::new(TOKEN_VARIABLE, value, "must be at least 16 bytes long"));
        }
        Ok(Self(token.map(str::to_owned)))
    }

    /// Whether there is a token at all.
    pub(crate) fn is_configured(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the request carries `Authorization: Bearer` with the token.
    pub(crate) fn permits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        match (&self.0, given) {
            (Some(token), Some(given)) => {
                equal_in_constant_time(token.as_bytes(), given.as_bytes())
            }
            _ => false,
        }
    }
}

/// Takes the same time wherever the first difference stands; only the length can be told apart.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(token: &'static str, authorization: &str) -> bool {
        let environment = Environment::from([(TOKEN_VARIABLE, token)]);
        let access = Access::from_environment(&environment).unwrap();
        let headers = [(header::AUTHORIZATION, authorization.parse().unwrap())];
        access.permits(&headers.into_iter().collect())
    }

    #[test]
    fn only_the_very_token_permits() {
        assert!(permits("0123456789abcdef", "Bearer 0123456789abcdef"));
        assert!(permits("0123456789abcdef", "bearer 0123456789abcdef"));
        assert!(!permits("0123456789abcdef", "Bearer 0123456789abcdeF"));
        assert!(!permits("0123456789abcdef", "Bearer 0123456789abcde"));
        assert!(!permits("0123456789abcdef", "0123456789abcdef"));
        assert!(!permits("0123456789abcdef", "Bearer "));
    }

    #[test]
    fn without_a_token_nobody_is_permitted() {
        assert!(!permits("", "Bearer "));
    }

    #[test]
    fn a_short_token_is_refused_without_being_shown() {
        let environment = Environment::from([(TOKEN_VARIABLE, "hunter2")]);
        let error = Access::from_environment(&environment).err().unwrap();
        assert_eq!(error.field(), TOKEN_VARIABLE);
        assert!(!error.to_string().contains("hunter2"));
    }
}
