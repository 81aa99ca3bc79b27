use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use obs_core::config::ConfigError;
use obs_core::control::{Action, ActionError, Control, Health, Kind};
use serde_json::{Value, json};

use super::{Active, Limiter, Peek};
#[cfg(feature = "shared")]
use crate::engine::StoreAction;

impl Limiter {
    fn apply_to_key(&self, action: &Action) -> Result<(), ActionError> {
        let text = |name: &'static str| {
            let value = action.arguments.get(name).and_then(Value::as_str);
            value.ok_or_else(|| ActionError::invalid(name, "absent", "must be a text"))
        };
        let policy = text("policy")?;
        let key = match action.arguments.get("key") {
            None => Some(Vec::new()),
            Some(key) => key.as_array().map(|it| it.iter().map(Value::as_str).collect::<Vec<_>>()),
        };
        let key: Option<Vec<&str>> = key.and_then(|key| key.into_iter().collect());
        let key = key.ok_or_else(|| ActionError::invalid("key", "", "must be a list of texts"))?;
        let done = match action.name.as_str() {
            "reset" => self.reset(policy, &key),
            "grant" => {
                let tokens = action.arguments.get("tokens").and_then(Value::as_u64);
                let rule = "must be a number of tokens";
                let tokens = tokens.ok_or_else(|| ActionError::invalid("tokens", "", rule))?;
                self.grant(policy, &key, tokens)
            }
            _ => self.look(policy, &key),
        };
        done.map_err(|error| ActionError::invalid(error.field(), error.value(), error.rule()))
    }

    /// Puts what is known of a key into the snapshot, and then what its store says, when it has.
    fn look(&self, policy: &str, key: &[&str]) -> Result<(), ConfigError> {
        let publish = {
            let (peeked, policy) = (self.0.peeked.clone(), policy.to_owned());
            move |peek: Peek| {
                *peeked.lock().unwrap_or_else(PoisonError::into_inner) = Some((policy, peek));
            }
        };
        publish.clone()(self.peek(policy, key)?);
        #[cfg(feature = "shared")]
        if let Some(answer) = self.find(policy, key)?.in_store(StoreAction::Peek)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                if let Ok(report) = answer.await {
                    publish(report.into());
                }
            });
        }
        Ok(())
    }

    /// Lets a policy refuse nothing until the action's time is over, or refuse again.
    fn set_shadow(&self, action: &Action, shadow: bool) -> Result<(), ActionError> {
        let policy = action.arguments.get("policy").and_then(Value::as_str).unwrap_or_default();
        let active = self
            .active(policy)
            .map_err(|error| ActionError::invalid(error.field(), error.value(), error.rule()))?;
        let until = match action.ttl {
            _ if !shadow => 0,
            None => u64::MAX,
            Some(ttl) => (self.clock().now() + ttl).as_nanos(),
        };
        active.shadow_until.store(until, Ordering::Relaxed);
        Ok(())
    }

    fn snapshot_of(&self, active: &Active) -> Value {
        let figures = active.engine.figures();
        let store = figures.store.map(|store| {
            json!({
                "name": store.name,
                "mode": store.mode,
                "circuit": store.circuit,
                "calls": store.calls,
                "failures": store.failures,
                "leased_tokens": store.leased,
                "returned_tokens": store.returned,
                "fallback_decisions": store.fallback,
            })
        });
        json!({
            "store": store,
            "name": active.policy.name(),
            "key": format!("{:?}", active.policy.key),
            "quota": format!("{:?}", active.policy.quota),
            "shadow": active.is_shadow(self.clock()),
            "admitted": active.counters.admitted.count(),
            "refused": active.counters.limit.count() + active.counters.other.count(),
            "shadow_refused": active.counters.shadow.count(),
            "limited_keys": figures.limited_keys,
            "overflowed": figures.overflowed,
            "memory_bytes": figures.memory,
        })
    }
}

impl Control for Limiter {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn kind(&self) -> Kind {
        Kind::RateLimit
    }

    /// `degraded` while the circuit of a store is not closed, `shadow` if no policy refuses
    /// anything, else `enforcing`.
    fn state(&self) -> &'static str {
        if self.health() != Health::Pass {
            return "degraded";
        }
        let shadow = self.0.policies.iter().all(|active| active.is_shadow(self.clock()));
        if shadow { "shadow" } else { "enforcing" }
    }

    /// `Warn` while the circuit of a store is not closed: limits are then less exact.
    fn health(&self) -> Health {
        let mut stores = self.0.policies.iter().filter_map(|it| it.engine.figures().store);
        let degraded = stores.any(|store| store.circuit != "closed");
        if degraded { Health::Warn } else { Health::Pass }
    }

    fn snapshot(&self) -> Value {
        let policies = self.0.policies.iter().map(|active| self.snapshot_of(active));
        let mut snapshot = json!({ "policies": policies.collect::<Vec<_>>() });
        let peeked = self.0.peeked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((policy, peek)) = &*peeked {
            snapshot["peeked"] = json!({
                "policy": policy,
                "capacity": peek.capacity,
                "remaining": peek.remaining,
                "more_in_ms": u64::try_from(peek.more_in.as_millis()).unwrap_or(u64::MAX),
            });
        }
        snapshot
    }

    fn actions(&self) -> &'static [&'static str] {
        &["peek", "reset", "grant", "shadow", "enforce"]
    }

    /// `peek`, `reset` and `grant` take `policy`, `key` (the values of its parts, in their order)
    /// and, for `grant`, `tokens`; what `peek` found stands in the snapshot. Of a key in a store
    /// the store is told, or asked, on its own time. `shadow` and
    /// `enforce` take `policy`; `shadow` ends after the action's time.
    fn apply(&self, action: &Action) -> Result<(), ActionError> {
        match action.name.as_str() {
            "peek" | "reset" | "grant" => self.apply_to_key(action),
            "shadow" => self.set_shadow(action, true),
            "enforce" => self.set_shadow(action, false),
            _ => Err(ActionError::unknown(action, self.actions())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use obs_core::clock::ManualClock;
    use obs_core::control::Registry;

    use super::*;
    use crate::{Key, Policy, Quota};

    fn limiter(manual: &ManualClock) -> Limiter {
        let policy = Policy::builder("tenant", Quota::per_minute(2)).key(Key::tenant()).build();
        Limiter::builder().clock(manual.clock()).policy(policy.unwrap()).build().unwrap()
    }

    fn request() -> http::request::Parts {
        http::Request::get("/").header("x-tenant-id", "acme").body(()).unwrap().into_parts().0
    }

    #[test]
    fn an_operator_can_look_at_a_key_reset_it_and_grant_it_more() {
        let limiter = limiter(&ManualClock::default());
        let registry = Registry::default();
        registry.register(Arc::new(limiter.clone()));
        let control = registry.get(Kind::RateLimit, "rate_limit").unwrap();
        let act = |name: &str, tokens: u64| {
            let action = Action::new(name).argument("policy", "tenant");
            control.apply(&action.argument("key", json!(["acme"])).argument("tokens", tokens))
        };
        while limiter.check(&request()).is_admitted() {}
        act("peek", 0).unwrap();
        assert_eq!(control.snapshot()["peeked"]["remaining"], 0);
        assert_eq!(control.snapshot()["policies"][0]["limited_keys"], 1);
        act("grant", 1).unwrap();
        assert!(limiter.check(&request()).is_admitted());
        assert!(!limiter.check(&request()).is_admitted());
        act("grant", 1_000).unwrap();
        assert_eq!(limiter.peek("tenant", &["acme"]).unwrap().remaining, 2);
        while limiter.check(&request()).is_admitted() {}
        act("reset", 0).unwrap();
        assert_eq!(limiter.peek("tenant", &["acme"]).unwrap().remaining, 2);
        assert!(control.apply(&Action::new("explode")).is_err());
        assert!(control.apply(&Action::new("reset").argument("policy", "nobody")).is_err());
    }

    #[test]
    fn a_shadow_that_an_operator_asked_for_ends_by_itself() {
        let manual = ManualClock::default();
        let limiter = limiter(&manual);
        while limiter.check(&request()).is_admitted() {}
        let shadow = Action::new("shadow").argument("policy", "tenant").ttl(Duration::from_secs(5));
        limiter.apply(&shadow).unwrap();
        assert_eq!(limiter.state(), "shadow");
        assert!(limiter.check(&request()).is_admitted());
        assert_eq!(limiter.snapshot()["policies"][0]["shadow_refused"], 1);
        manual.advance(Duration::from_secs(5));
        assert!(!limiter.check(&request()).is_admitted());
    }
}
