use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use super::Timestamp;

const SECOND_TEXT: usize = "2026-01-01T00:00:00".len();
const SECOND_DIGITS: usize = "1767225600".len();

/// A second as it is written: in RFC 3339, and as the last digits of its number.
#[derive(Clone, Copy)]
struct Second {
    number: u64,
    text: [u8; SECOND_TEXT],
    digits: [u8; SECOND_DIGITS],
}

thread_local! {
    /// The second rendered last on this thread: most lines differ in their milliseconds only.
    static LAST: Cell<Second> = const {
        Cell::new(Second {
            number: u64::MAX,
            text: [b'0'; SECOND_TEXT],
            digits: [b'0'; SECOND_DIGITS],
        })
    };
}

impl Second {
    #[inline]
    fn rendered(number: u64) -> Self {
        LAST.with(|last| {
            let cached = last.get();
            if cached.number == number {
                return cached;
            }
            let second = Self::render(number);
            last.set(second);
            second
        })
    }

    #[cold]
    fn render(number: u64) -> Self {
        let mut digits = [b'0'; SECOND_DIGITS];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Self { number, text: render_second(number), digits }
    }
}

/// How long a time is when it is written.
const TEXT: usize = "2026-01-01T00:00:00.000Z".len();

impl Timestamp {
    /// Appends the time as RFC 3339 in UTC with milliseconds, such as `2026-01-01T00:00:00.250Z`.
    ///
    /// What is left below the millisecond is cut. Does not allocate beyond what `out` needs.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&render(self));
    }

    /// Appends the [milliseconds](Self::unix_millis) since the Unix epoch, such as
    /// `1767225600250`.
    ///
    /// Does not allocate beyond what `out` needs.
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    ///
    /// let mut out = Vec::new();
    /// Timestamp::from_unix_millis(1_767_225_600_250).write_unix_millis(&mut out);
    /// assert_eq!(out, b"1767225600250");
    /// ```
    pub fn write_unix_millis(self, out: &mut Vec<u8>) {
        /// The seconds that have exactly the digits that are kept: 2001 to 2286.
        const KEPT: Range<u64> = 1_000_000_000..10_000_000_000;
        let seconds = self.unix_seconds();
        if KEPT.contains(&seconds) {
            let mut text = [b'0'; SECOND_DIGITS + 3];
            text[..SECOND_DIGITS].copy_from_slice(&Second::rendered(seconds).digits);
            text[SECOND_DIGITS..].copy_from_slice(&three_digits(self.unix_millis()));
            out.extend_from_slice(&text);
        } else {
            out.extend_from_slice(itoa::Buffer::new().format(self.unix_millis()).as_bytes());
        }
    }
}

/// As RFC 3339 in UTC with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes are ASCII, so this never falls back.
        f.pad(std::str::from_utf8(&render(*self)).unwrap_or_default())
    }
}

fn render(timestamp: Timestamp) -> [u8; TEXT] {
    let mut whole = [b'Z'; TEXT];
    whole[..SECOND_TEXT].copy_from_slice(&Second::rendered(timestamp.unix_seconds()).text);
    whole[SECOND_TEXT] = b'.';
    whole[SECOND_TEXT + 1..SECOND_TEXT + 4].copy_from_slice(&three_digits(timestamp.unix_millis()));
    whole
}

/// The last three digits.
#[inline]
fn three_digits(number: u64) -> [u8; 3] {
    let rest = (number % 1_000) as u16;
    [b'0' + (rest / 100) as u8, b'0' + (rest / 10 % 10) as u8, b'0' + (rest % 10) as u8]
}

fn render_second(seconds: u64) -> [u8; SECOND_TEXT] {
    let (year, month, day) = civil_from_days(seconds / 86_400);
    let of_day = seconds % 86_400;
    let mut text = *b"0000-00-00T00:00:00";
    two_digits(&mut text[0..2], year / 100);
    two_digits(&mut text[2..4], year % 100);
    two_digits(&mut text[5..7], month);
    two_digits(&mut text[8..10], day);
    two_digits(&mut text[11..13], of_day / 3_600);
    two_digits(&mut text[14..16], of_day / 60 % 60);
    two_digits(&mut text[17..19], of_day % 60);
    text
}

fn two_digits(place: &mut [u8], value: u64) {
    place[0] = b'0' + (value / 10 % 10) as u8;
    place[1] = b'0' + (value % 10) as u8;
}

/// Year, month and day of a day since 1970-01-01, by Howard Hinnant's
/// [algorithm](https://howardhinnant.github.io/date_algorithms.html#civil_from_days).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(millis: u64) -> String {
        let timestamp = Timestamp::from_unix_millis(millis);
        let mut out = Vec::new();
        timestamp.write_rfc3339(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(timestamp.to_string(), text);
        let mut digits = Vec::new();
        timestamp.write_unix_millis(&mut digits);
        assert_eq!(String::from_utf8(digits).unwrap(), timestamp.unix_millis().to_string());
        text
    }

    #[test]
    fn known_dates_are_rendered_as_rfc_3339() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(text(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(text(1_767_225_600_007), "2026-01-01T00:00:00.007Z");
        assert_eq!(text(1_767_225_600_450), "2026-01-01T00:00:00.450Z");
        assert_eq!(text(4_102_444_799_000), "2099-12-31T23:59:59.000Z");
        assert_eq!(text(999_999_999_999), "2001-09-09T01:46:39.999Z");
        assert_eq!(text(1_000_000_000_000), "2001-09-09T01:46:40.000Z");
        assert_eq!(text(9_999_999_999_012), "2286-11-20T17:46:39.012Z");
        assert_eq!(text(10_000_000_000_000), "2286-11-20T17:46:40.000Z");
    }

    #[test]
    fn a_clock_that_goes_back_is_followed() {
        assert_eq!(text(1_767_225_601_000), "2026-01-01T00:00:01.000Z");
        assert_eq!(text(1_767_225_600_000), "2026-01-01T00:00:00.000Z");
    }
}
