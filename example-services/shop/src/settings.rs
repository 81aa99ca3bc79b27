//! What the environment may set.

use std::num::NonZeroU32;
use std::time::Duration;

use http::uri::Authority;
use obs_core::config::ConfigError;
use obs_core::environment::Environment;
use shop_product::FunctionLimits;

use crate::name::Name;

/// Settings of the shop.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Requests per second that one tenant may make at the gateway. Default 100.
    pub rate_limit_per_second: NonZeroU32,
    /// Requests that one tenant may make at once after a pause. Default 200.
    pub rate_limit_burst: NonZeroU32,
    /// How long a reservation holds without its order being accepted. Default 60 s.
    pub reservation_ttl: Duration,
    /// The limits of the function that the product service is deployed as. Default 3 s, 128 MB.
    pub product_limits: FunctionLimits,
    /// From what the payment provider's answers follow. Default 1.
    pub payment_seed: u64,
    /// Of 1,000 attempts to charge, how many the provider does not answer. Default 0.
    pub payment_failing_per_mille: u32,
    /// The Redis that carts and caches are kept on; without one, carts are kept on SQLite and
    /// caches in memory.
    pub redis_url: Option<String>,
    environment: Environment,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable and its value.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let ttl = number(environment, "SHOP_RESERVATION_TTL_MS", 60_000)?;
        let timeout = number(environment, "SHOP_PRODUCT_TIMEOUT_MS", 3_000)?;
        Ok(Self {
            rate_limit_per_second: number(environment, "SHOP_RATE_LIMIT_PER_SECOND", 100)?,
            rate_limit_burst: number(environment, "SHOP_RATE_LIMIT_BURST", 200)?,
            reservation_ttl: Duration::from_millis(u64::from(ttl.get())),
            product_limits: FunctionLimits {
                timeout: Duration::from_millis(u64::from(timeout.get())),
                memory_mb: number(environment, "SHOP_PRODUCT_MEMORY_MB", 128)?.get(),
            },
            payment_seed: whole(environment, "SHOP_PAYMENT_SEED", 1)?.into(),
            payment_failing_per_mille: whole(environment, "SHOP_PAYMENT_FAILING_PER_MILLE", 0)?,
            redis_url: environment.get("SHOP_REDIS_URL").map(str::to_owned),
            environment: environment.clone(),
        })
    }

    /// Where a service runs that is not started here, if the environment says so.
    ///
    /// # Errors
    /// [`ConfigError`] when the URL is not `http://host:port`.
    pub fn elsewhere(&self, service: Name) -> Result<Option<Authority>, ConfigError> {
        let name = format!("SHOP_{}_URL", service.as_str().to_ascii_uppercase());
        let Some(url) = self.environment.get(&name) else { return Ok(None) };
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        match authority.and_then(|authority| authority.parse().ok()) {
            Some(authority) => Ok(Some(authority)),
            None => Err(ConfigError::new(name, url, "must be http://host:port")),
        }
    }
}

fn number(
    environment: &Environment,
    name: &'static str,
    default: u32,
) -> Result<NonZeroU32, ConfigError> {
    let Some(text) = environment.get(name) else {
        return Ok(NonZeroU32::new(default).unwrap_or(NonZeroU32::MIN));
    };
    let rule = "must be a whole number from 1 to 4294967295";
    text.parse().map_err(|_| ConfigError::new(name, text, rule))
}

fn whole(environment: &Environment, name: &'static str, default: u32) -> Result<u32, ConfigError> {
    let Some(text) = environment.get(name) else { return Ok(default) };
    let rule = "must be a whole number from 0 to 4294967295";
    text.parse().map_err(|_| ConfigError::new(name, text, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_variables_the_documented_defaults_hold() {
        let settings = Settings::from_environment(&Environment::empty()).unwrap();
        assert_eq!(settings.rate_limit_per_second.get(), 100);
        assert_eq!(settings.rate_limit_burst.get(), 200);
        assert_eq!(settings.reservation_ttl, Duration::from_secs(60));
        assert_eq!(settings.product_limits, FunctionLimits::default());
        assert_eq!(settings.redis_url, None);
        assert_eq!(settings.elsewhere(Name::Cart).unwrap(), None);
    }

    #[test]
    fn the_limits_of_the_function_are_set_by_the_environment() {
        let environment = Environment::from([
            ("SHOP_PRODUCT_TIMEOUT_MS", "30000"),
            ("SHOP_PRODUCT_MEMORY_MB", "512"),
        ]);
        let limits = Settings::from_environment(&environment).unwrap().product_limits;
        assert_eq!(limits, FunctionLimits { timeout: Duration::from_secs(30), memory_mb: 512 });
    }

    #[test]
    fn a_variable_that_breaks_a_rule_is_named() {
        for (name, value) in [
            ("SHOP_RATE_LIMIT_BURST", "0"),
            ("SHOP_RATE_LIMIT_PER_SECOND", "many"),
            ("SHOP_RESERVATION_TTL_MS", "-1"),
            ("SHOP_PAYMENT_SEED", "x"),
        ] {
            let environment = Environment::from([(name, value)]);
            let error = Settings::from_environment(&environment).unwrap_err();
            assert_eq!((error.field(), error.value()), (name, value));
        }
        let environment = Environment::from([("SHOP_CART_URL", "cart:8104")]);
        let settings = Settings::from_environment(&environment).unwrap();
        assert_eq!(settings.elsewhere(Name::Cart).unwrap_err().field(), "SHOP_CART_URL");
    }

    #[test]
    fn a_service_elsewhere_is_found_by_its_url() {
        let environment = Environment::from([("SHOP_CART_URL", "http://cart.local:80/")]);
        let settings = Settings::from_environment(&environment).unwrap();
        assert_eq!(settings.elsewhere(Name::Cart).unwrap().unwrap(), "cart.local:80");
    }
}
