//! Dates, times of day and Unix numbers to nanoseconds. Knows no text format and no time zone.

/// A moment as a line gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Nanoseconds since 1970. Of a stamp without zone: as if its wall clock were UTC's.
    pub(super) ns: i64,
    /// How many decimal digits of the second were given: 0 to 9.
    pub(super) digits: u8,
    /// Whether `ns` is UTC; else a zone must still be applied.
    pub(super) zoned: bool,
}

/// A valid day of the Gregorian calendar, 1970 to 2261: what nanoseconds in an `i64` reach in whole years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Since midnight.
    pub(super) seconds: i64,
    /// Of the second.
    pub(super) nanos: i64,
    /// How many decimal digits of the second were given: 0 to 9.
    pub(super) digits: u8,
}

/// Days of the year before each month, in a year that is not a leap year.
const DAYS_BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
const DAYS_IN: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const SECONDS_A_DAY: i64 = 86_400;

impl Date {
    pub(super) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let index = usize::try_from(month.checked_sub(1)?).ok()?;
        let leap_day = i64::from(month == 2 && is_leap(year));
        let last = DAYS_IN.get(index)? + leap_day;
        ((1970..=2261).contains(&year) && (1..=last).contains(&day)).then_some(Self { year, month, day })
    }

    /// The latest year in which that day and time of day, taken as UTC, lie at most a day after `reference_ms`.
    pub(super) fn guess_year(month: i64, day: i64, clock: Clock, reference_ms: i64) -> Option<Self> {
        let latest_s = reference_ms.div_euclid(1000) + SECONDS_A_DAY;
        // At most the year of `latest_s`, or one above.
        let highest = 1971 + latest_s.div_euclid(SECONDS_A_DAY) * 400 / 146_097;
        // Nine years back there is always a 29 February.
        let years = (highest - 9..=highest).rev();
        years.filter_map(|year| Self::new(year, month, day)).find(|date| date.seconds() + clock.seconds <= latest_s)
    }

    /// Days since 1970-01-01.
    fn days(self) -> i64 {
        let past = self.year - 1;
        let leap_days = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
        let this_leap_day = i64::from(self.month > 2 && is_leap(self.year));
        let month = usize::try_from(self.month - 1).unwrap_or(0);
        (self.year - 1970) * 365 + leap_days + DAYS_BEFORE[month] + this_leap_day + self.day - 1
    }

    fn seconds(self) -> i64 {
        self.days() * SECONDS_A_DAY
    }

    /// The moment of that day's `clock`, `offset_s` east of UTC where that is known.
    pub(super) fn at(self, clock: Clock, offset_s: Option<i64>) -> Stamp {
        let seconds = self.seconds() + clock.seconds - offset_s.unwrap_or(0);
        Stamp { ns: seconds * 1_000_000_000 + clock.nanos, digits: clock.digits, zoned: offset_s.is_some() }
    }
}

impl Clock {
    /// A leap second counts as the second before it.
    pub(super) fn new(hour: i64, minute: i64, second: i64) -> Option<Self> {
        let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
        fits.then(|| Self { seconds: hour * 3600 + minute * 60 + second.min(59), nanos: 0, digits: 0 })
    }

    /// The same with a fraction of the second. Digits beyond the ninth are cut away.
    pub(super) fn fraction(mut self, digits: &[u8]) -> Self {
        let kept = &digits[..digits.len().min(9)];
        let value = kept.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        self.digits = u8::try_from(kept.len()).unwrap_or(9);
        self.nanos = value * 10_i64.pow(9 - u32::from(self.digits));
        self
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// A Unix time as people write it: `whole` seconds, milliseconds, microseconds or nanoseconds, told apart by having
/// 10, 13, 16 or 19 digits (September 2001 to April 2262), and digits of a `fraction` of that unit. Anything else is
/// no time.
pub(super) fn unix(whole: &[u8], fraction: &[u8]) -> Option<Stamp> {
    if !matches!(whole.len(), 10 | 13 | 16 | 19) || whole[0] == b'0' {
        return None;
    }
    // 19 digits are below 2^64. Those of the fraction beyond that must be digits too.
    let (kept, beyond) = fraction.split_at(fraction.len().min(19 - whole.len()));
    let value = with_digits(with_digits(0, whole)?, kept)?;
    if !beyond.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let given = whole.len() + kept.len();
    let ns = value * 10_u64.pow(u32::try_from(19 - given).ok()?);
    Some(Stamp { ns: i64::try_from(ns).ok()?, digits: u8::try_from(given - 10).ok()?, zoned: true })
}

/// `value` with decimal digits written after it. `None` where one of them is none.
fn with_digits(value: u64, digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(value, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_times_are_told_apart_by_their_digits() {
        let rows = [
            ("1700000000", "", Some((1_700_000_000_000_000_000, 0))),
            ("1700000000", "123456", Some((1_700_000_000_123_456_000, 6))),
            ("1700000000123", "", Some((1_700_000_000_123_000_000, 3))),
            ("1700000000123", "5", Some((1_700_000_000_123_500_000, 4))),
            ("1700000000123456", "", Some((1_700_000_000_123_456_000, 6))),
            ("1700000000123456789", "99", Some((1_700_000_000_123_456_789, 9))),
            ("9999999999999999999", "", None),
            ("0000000001", "", None),
            ("170000000", "", None),
            ("17000000001", "", None),
            ("", "5", None),
            ("-700000000", "", None),
            ("1700000000", "x", None),
        ];
        for (whole, fraction, wanted) in rows {
            let stamp = unix(whole.as_bytes(), fraction.as_bytes());
            assert_eq!(stamp.map(|stamp| (stamp.ns, stamp.digits)), wanted, "{whole}.{fraction}");
        }
    }

    #[test]
    fn the_year_is_the_latest_that_is_not_ahead() {
        let noon = Clock { seconds: 43_200, nanos: 0, digits: 0 };
        // 2024-01-01T00:00:00Z, 2026-07-01T00:00:00Z, 2101-06-01T00:00:00Z
        let (new_year, july, century) = (1_704_067_200_000, 1_782_864_000_000, 4_147_027_200_000);
        let rows = [
            (new_year, 12, 31, Some(2023)),
            (new_year, 1, 1, Some(2024)),
            (new_year, 1, 2, Some(2023)),
            (july, 7, 1, Some(2026)),
            (july, 7, 2, Some(2025)),
            (july, 2, 29, Some(2024)),
            (july, 2, 30, None),
            (century, 2, 29, Some(2096)),
        ];
        for (reference, month, day, year) in rows {
            let date = Date::guess_year(month, day, noon, reference);
            assert_eq!(date.map(|date| date.year), year, "{month}-{day} seen from {reference}");
        }
    }
}
