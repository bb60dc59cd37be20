//! Nanoseconds to RFC 3339 text in UTC. Reads no times and knows no zones.

use jiff::tz::TimeZone;

use super::json::padded;

const DAY_NS: i64 = 86_400_000_000_000;
/// `2026-11-22T`.
const DATE_LEN: usize = 11;

/// Writes times; keeps the date of the last one, since neighbours share it.
#[derive(Debug)]
pub(super) struct Stamp {
    day: i64,
    date: [u8; DATE_LEN],
}

impl Default for Stamp {
    fn default() -> Self {
        Self { day: 0, date: *b"1970-01-01T" }
    }
}

impl Stamp {
    /// Appends `2026-11-22T13:47:34.123456789Z`.
    pub(super) fn push(&mut self, ns: i64, out: &mut Vec<u8>) {
        let day = ns.div_euclid(DAY_NS);
        if day != self.day {
            self.turn_to(day);
        }
        out.extend_from_slice(&self.date);
        let within = ns.rem_euclid(DAY_NS).unsigned_abs();
        let seconds = within / 1_000_000_000;
        padded(seconds / 3600, 2, out);
        out.push(b':');
        padded(seconds / 60 % 60, 2, out);
        out.push(b':');
        padded(seconds % 60, 2, out);
        out.push(b'.');
        padded(within % 1_000_000_000, 9, out);
        out.push(b'Z');
    }

    fn turn_to(&mut self, day: i64) {
        let start = jiff::Timestamp::from_second(day * 86_400).expect("64 bits of ns are the years 1677 to 2262");
        let date = start.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT").to_string();
        self.date.copy_from_slice(date.as_bytes());
        self.day = day;
    }
}

#[cfg(test)]
mod tests {
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
}
