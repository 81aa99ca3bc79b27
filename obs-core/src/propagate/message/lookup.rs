use std::fmt;
use std::marker::PhantomData;

use http::HeaderName;

use super::super::Carrier;

/// A carrier over a lookup by name, for attributes that are more than strings.
///
/// The name is asked for in lower case.
///
/// ```
/// use std::collections::HashMap;
/// use obs_core::propagate::message::Lookup;
/// use obs_core::propagate::{Carrier, field};
///
/// struct Attribute { string_value: Option<String> }
/// let attributes = HashMap::from([(
///     "baggage".to_owned(),
///     Attribute { string_value: Some("plan=gold".to_owned()) },
/// )]);
/// let carrier = Lookup::new(|name: &str| attributes.get(name)?.string_value.as_deref());
/// assert_eq!(carrier.get_all(&field::BAGGAGE).count(), 1);
/// ```
#[derive(Clone, Copy)]
pub struct Lookup<'v, F> {
    get: F,
    values: PhantomData<&'v str>,
}

impl<'v, F: Fn(&str) -> Option<&'v str>> Lookup<'v, F> {
    /// A carrier that asks `get`.
    pub const fn new(get: F) -> Self {
        Self { get, values: PhantomData }
    }
}

impl<'v, F: Fn(&str) -> Option<&'v str>> Carrier for Lookup<'v, F> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        (self.get)(field.as_str()).map(str::as_bytes).into_iter()
    }
}

impl<F> fmt::Debug for Lookup<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}
