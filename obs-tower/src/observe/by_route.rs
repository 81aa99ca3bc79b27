use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Pairs of method and route that are told apart; the rest share the route [`OTHER_ROUTE`].
const LIMIT: usize = 1_000;
const OTHER_ROUTE: &str = "__other__";

/// Something made once for each method and route; bounded, should routes come from clients.
#[derive(Debug)]
pub(super) struct ByRoute<T>(RwLock<Table<T>>);

#[derive(Debug)]
struct Table<T> {
    by_method: HashMap<&'static str, HashMap<Box<str>, T>>,
    count: usize,
}

impl<T> Default for ByRoute<T> {
    fn default() -> Self {
        Self(RwLock::new(Table { by_method: HashMap::new(), count: 0 }))
    }
}

impl<T: Clone> ByRoute<T> {
    /// What was made for `method` and `route`, or `make` of them; beyond the bound, of
    /// [`OTHER_ROUTE`].
    pub(super) fn get(&self, method: &'static str, route: &str, make: impl FnOnce(&str) -> T) -> T {
        let find = |table: &Table<T>, route| table.by_method.get(method)?.get(route).cloned();
        let known = find(&self.0.read().unwrap_or_else(PoisonError::into_inner), route);
        if let Some(known) = known {
            return known;
        }
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let route = if table.count < LIMIT { route } else { OTHER_ROUTE };
        if let Some(known) = find(&table, route) {
            return known;
        }
        let made = make(route);
        table.by_method.entry(method).or_default().insert(route.into(), made.clone());
        table.count += 1;
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_beyond_the_bound_share_one() {
        let table = ByRoute::default();
        let mut made = 0;
        for _ in 0..2 {
            for index in 0..LIMIT + 50 {
                let route = table.get("GET", &format!("/{index}"), |route| {
                    made += 1;
                    route.to_owned()
                });
                let expected =
                    if index < LIMIT { format!("/{index}") } else { OTHER_ROUTE.to_owned() };
                assert_eq!(route, expected);
            }
        }
        assert_eq!(made, LIMIT + 1);
    }
}
