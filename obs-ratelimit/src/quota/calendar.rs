/// A unit of the calendar, in UTC.
///
/// ```
/// use obs_ratelimit::{CalendarUnit, Quota};
///
/// let monthly = Quota::calendar(1_000_000, CalendarUnit::Month);
/// assert_eq!(monthly.capacity(), 1_000_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CalendarUnit {
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the first of the next.
    Month,
}

const DAY: u64 = 86_400;
const NANOS: u64 = 1_000_000_000;

impl CalendarUnit {
    /// The first and the last-plus-one nanosecond, since the Unix epoch, of the unit around
    /// `now`. The end saturates after the year 2554.
    pub(crate) fn bounds(self, now: u64) -> (u64, u64) {
        let day = now / NANOS / DAY;
        let (first, next) = match self {
            Self::Day => (day, day + 1),
            Self::Month => {
                let (_, month, day_of_month) = civil_date(day);
                let first = day - (day_of_month - 1);
                // Every month ends within 31 days of its first day; the day after that is in
                // the next month, whose first day lies as many days back as its number says.
                let beyond = first + 31;
                let (_, beyond_month, beyond_day) = civil_date(beyond);
                debug_assert_ne!(month, beyond_month);
                (first, beyond - (beyond_day - 1))
            }
        };
        (first * DAY * NANOS, next.saturating_mul(DAY * NANOS))
    }
}

/// The year, month and day of the day `day` days after 1970-01-01.
///
/// The algorithm is Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
pub(crate) const fn civil_date(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_their_own_lengths_and_february_its_leap_day() {
        let at = |seconds: u64| seconds * NANOS;
        // 2024-02-29T12:00:00Z lies in 2024-02-01 .. 2024-03-01.
        let (start, end) = CalendarUnit::Month.bounds(at(1_709_208_000));
        assert_eq!((start, end), (at(1_706_745_600), at(1_709_251_200)));
        // 2026-12-31T23:59:59Z lies in 2026-12-01 .. 2027-01-01.
        let (start, end) = CalendarUnit::Month.bounds(at(1_798_761_599));
        assert_eq!((start, end), (at(1_796_083_200), at(1_798_761_600)));
    }

    #[test]
    fn units_follow_one_another_without_gap_for_a_century() {
        for unit in [CalendarUnit::Day, CalendarUnit::Month] {
            let mut now = 0;
            while now < 3_155_760_000 * NANOS {
                let (start, end) = unit.bounds(now);
                assert_eq!(start, now);
                assert_eq!(unit.bounds(end - 1), (start, end));
                now = end;
            }
        }
    }

    #[test]
    fn dates_match_known_days() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(19_782), (2024, 2, 29));
        assert_eq!(civil_date(20_778), (2026, 11, 21));
    }
}
