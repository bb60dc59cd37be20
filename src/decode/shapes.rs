//! What time stamps look like: one function a shape, each tried at one place. Does not look for that place.

use super::calendar::{Clock, Date, Stamp, unix};
use super::reader::Reader;
use crate::base::records::Level;

/// A time stamp that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) stamp: Stamp,
    /// The level of klog's and glog's first letter.
    pub(super) level: Option<Level>,
    /// It is an access log's.
    pub(super) is_access: bool,
}

const MONTHS: &[u8; 36] = b"janfebmaraprmayjunjulaugsepoctnovdec";
const WEEKDAYS: &[u8; 21] = b"montuewedthufrisatsun";

/// The date and time that begins at the reader, which then stands after it. No Unix number: see [`unix_number`].
pub(super) fn dated(reader: &mut Reader<'_>, reference_ms: i64) -> Option<Shape> {
    let mut ahead = *reader;
    let shape = match ahead.peek()? {
        b'0'..=b'9' => match access(&mut ahead) {
            Some(stamp) => Shape { stamp, level: None, is_access: true },
            None => plain(numeric(&mut ahead)?),
        },
        b'I' | b'W' | b'E' | b'F' | b'D' if reader.rest().get(1)?.is_ascii_digit() => {
            lettered(&mut ahead, reference_ms)?
        }
        b'A'..=b'Z' | b'a'..=b'z' => plain(named(&mut ahead, reference_ms)?),
        _ => return None,
    };
    *reader = ahead;
    Some(shape)
}

const fn plain(stamp: Stamp) -> Shape {
    Shape { stamp, level: None, is_access: false }
}

/// A Unix time in s, ms, µs or ns, perhaps with a fraction, and nothing else in its word.
pub(super) fn unix_number(reader: &mut Reader<'_>) -> Option<Stamp> {
    let mut ahead = *reader;
    let whole = ahead.digits();
    let fraction = if ahead.eat(b'.') { ahead.digits() } else { b"" };
    if !matches!(ahead.peek(), None | Some(b' ' | b'\t' | b']' | b')' | b'|' | b',' | b':' | b'"')) {
        return None;
    }
    let stamp = unix(whole, fraction)?;
    *reader = ahead;
    Some(stamp)
}

/// nginx's and Apache's access format: `10/Oct/2000:13:55:36 -0700`.
pub(super) fn access(reader: &mut Reader<'_>) -> Option<Stamp> {
    let mut ahead = *reader;
    let day = ahead.number(2)?;
    ahead.expect(b'/')?;
    let month = month(&mut ahead)?;
    ahead.expect(b'/')?;
    let date = Date::new(ahead.number(4)?, month, day)?;
    ahead.expect(b':')?;
    let stamp = clock_and_zone(&mut ahead, date)?;
    *reader = ahead;
    Some(stamp)
}

/// Shapes that begin with a digit, told apart by how many.
fn numeric(reader: &mut Reader<'_>) -> Option<Stamp> {
    let mut ahead = *reader;
    match (ahead.digits().len(), ahead.peek()?) {
        (4, b'-' | b'/' | b'.') => year_first(reader),
        (2, b'/') => short_year_first(reader),
        (1 | 2, b' ' | b'-') => day_first(reader),
        (8, b'-' | b'T' | b' ') => compact(reader),
        _ => None,
    }
}

/// ISO 8601, RFC 3339, Log4j, Python, Go, nginx errors, PostgreSQL: `2015-10-18 18:01:47,978`.
fn year_first(reader: &mut Reader<'_>) -> Option<Stamp> {
    let year = reader.number(4)?;
    let separator = reader.peek()?;
    reader.at += 1;
    let month = reader.number(2)?;
    reader.expect(separator)?;
    let date = Date::new(year, month, reader.number(2)?)?;
    if !matches!(reader.peek()?, b'T' | b't' | b' ' | b'_') {
        return None;
    }
    reader.at += 1;
    clock_and_zone(reader, date)
}

/// Spark and older Hadoop: `17/06/09 20:10:40`, year first.
fn short_year_first(reader: &mut Reader<'_>) -> Option<Stamp> {
    let year = 2000 + reader.number(2)?;
    reader.expect(b'/')?;
    let month = reader.number(2)?;
    reader.expect(b'/')?;
    let date = Date::new(year, month, reader.number(2)?)?;
    reader.expect(b' ')?;
    clock_and_zone(reader, date)
}

/// Redis, RFC 5322 and Tomcat: `04 Dec 2005 04:47:44.123`, `04-Dec-2005 04:47:44.123`.
fn day_first(reader: &mut Reader<'_>) -> Option<Stamp> {
    let day = day(reader)?;
    let separator = reader.peek()?;
    reader.at += 1;
    let month = month(reader)?;
    reader.expect(separator)?;
    let date = Date::new(reader.number(4)?, month, day)?;
    reader.expect(b' ')?;
    clock_and_zone(reader, date)
}

/// ISO 8601's basic form and its relatives: `20171223T221529Z`, `20171223-22:15:29`, `20171223 22:15:29`.
fn compact(reader: &mut Reader<'_>) -> Option<Stamp> {
    let date = compact_date(reader)?;
    let separator = reader.peek()?;
    reader.at += 1;
    let mut ahead = *reader;
    if let Some(clock) = loose_clock(&mut ahead) {
        *reader = ahead;
        return Some(date.at(clock, None));
    }
    let clock = if reader.rest().get(2) == Some(&b':') {
        clock(reader)?
    } else if separator == b'T' {
        let clock = Clock::new(reader.number(2)?, reader.number(2)?, reader.number(2)?)?;
        fraction(reader, clock, b".,")
    } else {
        return None;
    };
    Some(date.at(clock, zone(reader)))
}

/// HealthApp's time of day, its numbers as short as they get, the last one milliseconds: `22:16:0:9`.
fn loose_clock(reader: &mut Reader<'_>) -> Option<Clock> {
    let mut numbers = [0; 4];
    for (index, number) in numbers.iter_mut().enumerate() {
        if index > 0 {
            reader.expect(b':')?;
        }
        let digits = reader.digits();
        if !(1..=3).contains(&digits.len()) {
            return None;
        }
        *number = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    }
    let [hour, minute, second, ms] = numbers;
    Some(Clock { nanos: ms * 1_000_000, digits: 3, ..Clock::new(hour, minute, second)? })
}

fn compact_date(reader: &mut Reader<'_>) -> Option<Date> {
    Date::new(reader.number(4)?, reader.number(2)?, reader.number(2)?)
}

/// klog, `I0530 12:34:56.789012`, and newer glog, `I20240530 12:34:56.789012`.
fn lettered(reader: &mut Reader<'_>, reference_ms: i64) -> Option<Shape> {
    let level = match reader.peek()? {
        b'D' => Level::Debug,
        b'I' => Level::Info,
        b'W' => Level::Warning,
        b'E' => Level::Error,
        _ => Level::Critical,
    };
    reader.at += 1;
    let mut ahead = *reader;
    let stamp = match ahead.digits().len() {
        8 => {
            let date = compact_date(reader)?;
            reader.expect(b' ')?;
            date.at(clock(reader)?, None)
        }
        4 => {
            let (month, day) = (reader.number(2)?, reader.number(2)?);
            reader.expect(b' ')?;
            let clock = clock(reader)?;
            Date::guess_year(month, day, clock, reference_ms)?.at(clock, None)
        }
        _ => return None,
    };
    Some(Shape { stamp, level: Some(level), is_access: false })
}

/// Shapes that begin with a month's or a weekday's name.
fn named(reader: &mut Reader<'_>, reference_ms: i64) -> Option<Stamp> {
    if name(reader, WEEKDAYS).is_some() {
        reader.eat(b',');
        reader.expect(b' ')?;
        if reader.peek()?.is_ascii_digit() {
            return day_first(reader);
        }
    }
    month_first(reader, reference_ms)
}

/// RFC 3164, `Jun  4 15:16:01`; Cisco, `Jun  4 2005 15:16:01`; `ctime`, Apache errors and `date`,
/// `Sun Dec 04 04:47:44.123456 UTC 2005` after the weekday.
fn month_first(reader: &mut Reader<'_>, reference_ms: i64) -> Option<Stamp> {
    let month = month(reader)?;
    reader.expect(b' ')?;
    reader.eat(b' ');
    let day = day(reader)?;
    reader.expect(b' ')?;
    if let Some(year) = year_before_space(reader) {
        return clock_and_zone(reader, Date::new(year, month, day)?);
    }
    let clock = clock(reader)?;
    let mut ahead = *reader;
    let offset = zone(&mut ahead);
    if ahead.eat(b' ')
        && let Some(year) = ahead.number(4)
        && ahead.at_word_end()
        && let Some(date) = Date::new(year, month, day)
    {
        *reader = ahead;
        return Some(date.at(clock, offset));
    }
    Some(Date::guess_year(month, day, clock, reference_ms)?.at(clock, None))
}

fn year_before_space(reader: &mut Reader<'_>) -> Option<i64> {
    let mut ahead = *reader;
    let year = ahead.number(4)?;
    ahead.expect(b' ')?;
    *reader = ahead;
    Some(year)
}

/// One or two digits.
fn day(reader: &mut Reader<'_>) -> Option<i64> {
    match reader.number(2) {
        Some(day) => Some(day),
        None => reader.number(1),
    }
}

fn month(reader: &mut Reader<'_>) -> Option<i64> {
    name(reader, MONTHS).map(|index| index + 1)
}

/// Which of the names of three letters, in any case, is next.
fn name(reader: &mut Reader<'_>, names: &[u8]) -> Option<i64> {
    let next = reader.rest().first_chunk::<3>()?.map(|byte| byte.to_ascii_lowercase());
    let index = names.chunks_exact(3).position(|name| name == next)?;
    reader.at += 3;
    i64::try_from(index).ok()
}

fn clock_and_zone(reader: &mut Reader<'_>, date: Date) -> Option<Stamp> {
    let clock = clock(reader)?;
    Some(date.at(clock, zone(reader)))
}

/// `13:55`, `13:55:36`, `13:55:36.123456789` with a point or a comma.
fn clock(reader: &mut Reader<'_>) -> Option<Clock> {
    let hour = reader.number(2)?;
    reader.expect(b':')?;
    let minute = reader.number(2)?;
    if !reader.eat(b':') {
        return if reader.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            None
        } else {
            Clock::new(hour, minute, 0)
        };
    }
    let clock = Clock::new(hour, minute, reader.number(2)?)?;
    Some(fraction(reader, clock, b".,"))
}

/// The clock with the digits that follow one of the `marks`, if any do.
fn fraction(reader: &mut Reader<'_>, clock: Clock, marks: &[u8]) -> Clock {
    let mut ahead = *reader;
    if !ahead.peek().is_some_and(|byte| marks.contains(&byte)) {
        return clock;
    }
    ahead.at += 1;
    let digits = ahead.digits();
    if digits.is_empty() {
        return clock;
    }
    *reader = ahead;
    clock.fraction(digits)
}

/// Seconds east of UTC: `Z`, ` UTC`, ` GMT`, `+03`, `+0300`, `+03:00`, ` -0700`. Other names (`CET`) are ambiguous and
/// left to the source's zone.
fn zone(reader: &mut Reader<'_>) -> Option<i64> {
    let mut ahead = *reader;
    let is_apart = ahead.eat(b' ');
    let offset = match ahead.peek()? {
        b'+' | b'-' => numeric_zone(&mut ahead, is_apart)?,
        b'Z' | b'z' if !is_apart => {
            ahead.at += 1;
            0
        }
        b'U' | b'G' if ahead.eat_all(b"UTC") || ahead.eat_all(b"GMT") => 0,
        _ => return None,
    };
    if !ahead.at_word_end() {
        return None;
    }
    *reader = ahead;
    Some(offset)
}

fn numeric_zone(reader: &mut Reader<'_>, is_apart: bool) -> Option<i64> {
    let sign = if reader.peek()? == b'-' { -1 } else { 1 };
    reader.at += 1;
    let hours = reader.number(2)?;
    let mut ahead = *reader;
    let has_colon = ahead.eat(b':');
    let minutes = match ahead.number(2) {
        Some(minutes) => {
            *reader = ahead;
            minutes
        }
        None if is_apart || has_colon => return None,
        None => 0,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}
