use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use obs_core::clock::Timestamp;

/// What the other side says about when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    Unsaid,
    After(Duration),
    Never,
}

impl Pushback {
    /// Reads a response of which the headers came at `now`.
    ///
    /// [`grpc-retry-pushback-ms`](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback)
    /// goes before `x-amz-retry-after`, in milliseconds, and that before
    /// [`Retry-After`](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3), in seconds or as a
    /// date. A date in the past asks for no wait; what is neither is not there.
    pub(super) fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
        if let Some(millis) = text("grpc-retry-pushback-ms") {
            // Anything but a number of milliseconds forbids a retry, as the proposal has it.
            return match millis.parse() {
                Ok(millis) => Self::After(Duration::from_millis(millis)),
                Err(_) => Self::Never,
            };
        }
        let amazon = text("x-amz-retry-after").and_then(|millis| millis.parse().ok());
        let standard = || text("retry-after").and_then(|value| seconds_or_date(value, now));
        let wait = amazon.map(Duration::from_millis).or_else(standard);
        wait.map_or(Self::Unsaid, Self::After)
    }
}

fn seconds_or_date(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(Duration::from_nanos(now.unix_nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn res_r8_each_way_to_push_back_is_understood() {
        // 1994-11-06T08:49:30Z, seven seconds before the dates of RFC 9110, section 5.6.7.
        let now = Timestamp::from_unix_millis(784_111_770_000);
        let after = |seconds| Pushback::After(Duration::from_secs(seconds));
        for (name, value, expected) in [
            ("retry-after", "120", after(120)),
            ("retry-after", " 5 ", after(5)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", after(7)),
            ("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT", after(7)),
            ("retry-after", "Sun Nov  6 08:49:37 1994", after(7)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT", after(0)),
            ("retry-after", "soon", Pushback::Unsaid),
            ("retry-after", "-1", Pushback::Unsaid),
            ("x-amz-retry-after", "1500", Pushback::After(Duration::from_millis(1_500))),
            ("grpc-retry-pushback-ms", "3000", after(3)),
            ("grpc-retry-pushback-ms", "-1", Pushback::Never),
            ("grpc-retry-pushback-ms", "later", Pushback::Never),
            ("x-other", "1", Pushback::Unsaid),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )]);
            assert_eq!(Pushback::read(&headers, now), expected, "{name}: {value}");
        }
    }
}
