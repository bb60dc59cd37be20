//! Nanoseconds to RFC 3339 text in UTC. Reads no times and knows no zones.

use jiff::tz::TimeZone;

use super::json::put_digits;

const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;
/// Where the digits of the time of day and of the fraction stand in `2026-11-22T13:47:34.123456789Z`.
const HOURS: usize = 11;
const MINUTES: usize = 14;
const SECONDS: usize = 17;
const FRACTION: usize = 20;

/// Writes times; keeps the last one, since neighbours share its day and often its second.
#[derive(Debug)]
pub(super) struct Stamp {
    /// Since 1970, of what `text` holds.
    second: i64,
    text: [u8; 30],
}

impl Default for Stamp {
    fn default() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00.000000000Z" }
    }
}

impl Stamp {
    /// Appends `2026-11-22T13:47:34.123456789Z`.
    pub(super) fn push(&mut self, ns: i64, out: &mut Vec<u8>) {
        let second = ns.div_euclid(SECOND_NS);
        if second != self.second {
            self.turn_to(second);
        }
        put_digits(ns.rem_euclid(SECOND_NS).unsigned_abs(), &mut self.text[FRACTION..FRACTION + 9]);
        out.extend_from_slice(&self.text);
    }

    fn turn_to(&mut self, second: i64) {
        let day = second.div_euclid(DAY_S);
        if day != self.second.div_euclid(DAY_S) {
            let start = jiff::Timestamp::from_second(day * DAY_S).expect("64 bits of ns are the years 1677 to 2262");
            let date = start.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string();
            self.text[..date.len()].copy_from_slice(date.as_bytes());
        }
        let of_day = second.rem_euclid(DAY_S).unsigned_abs();
        put_digits(of_day / 3600, &mut self.text[HOURS..HOURS + 2]);
        put_digits(of_day / 60 % 60, &mut self.text[MINUTES..MINUTES + 2]);
        put_digits(of_day % 60, &mut self.text[SECONDS..SECONDS + 2]);
        self.second = second;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_with_nine_digits_in_any_order() {
        let rows = [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1_763_819_254_123_456_789, "2025-11-22T13:47:34.123456789Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
        ];
        let mut stamp = Stamp::default();
        for (ns, expected) in rows {
            let mut out = Vec::new();
            stamp.push(ns, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    proptest! {
        /// The kept second and day must never show in another time.
        #[test]
        fn times_are_written_as_jiff_does(start in any::<i64>(), steps in prop::collection::vec(step(), 1..20)) {
            let mut stamp = Stamp::default();
            let mut ns = start;
            for step in steps {
                ns = ns.wrapping_add(step);
                let mut out = Vec::new();
                stamp.push(ns, &mut out);
                let wanted = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap();
                prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{wanted:.9}"));
            }
        }
    }

    /// Within the second, over to the next, over a day, anywhere.
    fn step() -> impl Strategy<Value = i64> {
        prop_oneof![Just(1), Just(SECOND_NS), -DAY_S * SECOND_NS..DAY_S * SECOND_NS, any::<i64>()]
    }
}
