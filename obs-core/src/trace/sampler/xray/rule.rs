use serde_json::Value;

use crate::trace::sampler::SamplingInput;

/// A sampling rule as the account has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) priority: i64,
    /// The share of requests beyond the reservoir that are recorded.
    pub(super) fixed_rate: f64,
    /// Requests per second that the whole fleet may record before the share counts.
    pub(super) reservoir_size: u64,
    service_name: String,
    service_type: String,
    host: String,
    method: String,
    path: String,
    attributes: Vec<(String, String)>,
}

impl Rule {
    /// Reads a rule of version 1 for any resource; others are for clients of another kind.
    pub(super) fn read(rule: &Value) -> Option<Self> {
        let text = |key: &str| rule[key].as_str().map_or_else(|| "*".to_owned(), str::to_owned);
        if rule["Version"].as_i64() != Some(1) || text("ResourceARN") != "*" {
            return None;
        }
        let attributes = rule["Attributes"].as_object().into_iter().flatten();
        let attributes =
            attributes.map(|(key, pattern)| Some((key.clone(), pattern.as_str()?.to_owned())));
        Some(Self {
            name: rule["RuleName"].as_str()?.to_owned(),
            priority: rule["Priority"].as_i64().unwrap_or(i64::MAX),
            fixed_rate: rule["FixedRate"].as_f64().filter(|rate| (0.0..=1.0).contains(rate))?,
            reservoir_size: rule["ReservoirSize"].as_u64().unwrap_or_default(),
            service_name: text("ServiceName"),
            service_type: text("ServiceType"),
            host: text("Host"),
            method: text("HTTPMethod"),
            path: text("URLPath"),
            attributes: attributes.collect::<Option<_>>()?,
        })
    }

    /// Whether it is for this request.
    pub(super) fn matches(&self, input: &SamplingInput<'_>, service_type: &str) -> bool {
        wildcard(&self.service_name, input.service)
            && wildcard(&self.service_type, service_type)
            && wildcard(&self.host, input.host)
            && wildcard(&self.method, input.method)
            && wildcard(&self.path, input.path)
            && self.attributes.iter().all(|(key, pattern)| {
                let known = input.attributes.iter().find(|(name, _)| name == key);
                known.is_some_and(|(_, value)| wildcard(pattern, value))
            })
    }
}

/// Whether `pattern` stands for the whole of `text`: `*` for any characters, `?` for one, upper and
/// lower case of ASCII alike.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // After the last `*`: the pattern that follows it, and the text not yet given to it.
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let at = (pattern.clone(), text.clone());
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((pattern.clone(), at.1.clone()));
                text = at.1;
                continue;
            }
            (Some('?'), Some(_)) => continue,
            (Some(expected), Some(found)) if expected.eq_ignore_ascii_case(&found) => continue,
            _ => {}
        }
        // The last `*` takes one character more.
        let Some((after, rest)) = &mut star else { return false };
        if rest.next().is_none() {
            return false;
        }
        (pattern, text) = (after.clone(), rest.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_the_whole_text_in_any_case() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("orders", "ORDERS", true),
            ("orders", "orders2", false),
            ("orders", "my-orders", false),
            ("?rders", "orders", true),
            ("?", "", false),
            ("?", "é", true),
            ("/api/*", "/api/orders/7", true),
            ("/api/*", "/apix", false),
            ("*/7", "/orders/7/7", true),
            ("*a*b?c", "xxaxxbxbyc", true),
            ("*a*b?c", "xxaxxbxby", false),
            ("a*", "a", true),
            ("**", "x", true),
            ("a.c", "abc", false),
        ] {
            assert_eq!(wildcard(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!wildcard(&"*a".repeat(50), &"a".repeat(49)));
        assert!(wildcard(&"*a".repeat(50), &"a".repeat(500)));
    }
}
