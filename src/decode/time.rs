//! Where a line or a JSON value says when it happened. Does not apply zones and does not fall back to other clocks.

use super::calendar::{Stamp, unix};
use super::reader::Reader;
use super::shapes::{Shape, access, dated, unix_number};
use crate::base::records::Level;

/// A line's own time stamp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) stamp: Stamp,
    /// The stamp's first byte in the line.
    pub(super) start: usize,
    /// One past its last byte.
    pub(super) end: usize,
    /// The level that the stamp itself carries (klog).
    pub(super) level: Option<Level>,
    /// It is an access log's: such lines have no level.
    pub(super) is_access: bool,
}

/// How many words may stand before the stamp: `nova.log INFO [main] 2024-…`.
const LABELS: usize = 3;
/// How far into the line a stamp may begin.
const REACH: usize = 96;
/// How far into the line an access log's stamp may begin: addresses and user names come first.
const ACCESS_REACH: usize = 256;
/// Names that stand before a stamp in `key=value` lines.
const LOGFMT_KEYS: [&[u8]; 6] = [b"time=", b"ts=", b"t=", b"timestamp=", b"@timestamp=", b"datetime="];

/// The time stamp at the line's beginning, behind at most [`LABELS`] words that are no prose, or an access log's
/// anywhere near the beginning. `reference_ms`, a time at which the line existed, decides years that are not written.
pub(super) fn find(line: &[u8], reference_ms: i64) -> Option<Found> {
    let mut reader = Reader { bytes: line, at: after_priority(line) };
    for labels in 0..=LABELS {
        pass_opening(&mut reader);
        let is_value = LOGFMT_KEYS.iter().any(|key| reader.eat_all(key));
        if is_value {
            reader.eat(b'"');
        }
        let start = reader.at;
        if let Some(shape) = dated(&mut reader, reference_ms) {
            let Shape { stamp, level, is_access } = shape;
            return Some(Found { stamp, start, end: reader.at, level, is_access });
        }
        if (labels == 0 || is_value)
            && let Some(stamp) = unix_number(&mut reader).filter(|stamp| is_past(*stamp, reference_ms))
        {
            return Some(Found { stamp, start, end: reader.at, level: None, is_access: false });
        }
        if !pass_label(&mut reader) {
            break;
        }
    }
    find_access(line)
}

/// The time stamp that all of `text` is, space around it aside.
pub(super) fn whole(text: &str, reference_ms: i64) -> Option<Stamp> {
    let bytes = text.trim_ascii().as_bytes();
    let mut reader = Reader { bytes, at: 0 };
    let stamp = match dated(&mut reader, reference_ms) {
        Some(shape) => shape.stamp,
        None => unix_number(&mut reader)?,
    };
    (reader.at == bytes.len()).then_some(stamp)
}

/// The Unix time that a JSON number is: see [`unix`]. Understands exponents, which some writers of floats use.
pub(super) fn number(written: &str) -> Option<Stamp> {
    // Nearly always all digits, which needs no taking apart.
    if let Some(stamp) = unix(written.as_bytes(), b"") {
        return Some(stamp);
    }
    let (mantissa, exponent) = written.split_once(['e', 'E']).unwrap_or((written, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: usize = exponent.parse().ok()?;
    if exponent == 0 {
        return unix(whole.as_bytes(), fraction.as_bytes());
    }
    let mut digits = [b'0'; 32];
    let given = whole.bytes().chain(fraction.bytes());
    digits.iter_mut().zip(given).for_each(|(digit, given)| *digit = given);
    let point = whole.len() + exponent;
    let end = (whole.len() + fraction.len()).clamp(point, digits.len().max(point));
    unix(digits.get(..point)?, digits.get(point..end)?)
}

/// After syslog's `<PRI>` and RFC 5424's version.
fn after_priority(line: &[u8]) -> usize {
    let Some((_, end)) = priority(line) else {
        return 0;
    };
    if line[end..].starts_with(b"1 ") { end + 2 } else { end }
}

/// Syslog's `<PRI>` (RFC 5424 section 6.2.1: 0 to 191): its value and where it ends.
pub(super) fn priority(line: &[u8]) -> Option<(u8, usize)> {
    let mut reader = Reader { bytes: line, at: 0 };
    reader.expect(b'<')?;
    let digits = reader.digits();
    reader.expect(b'>')?;
    let value = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (value < 192 && digits.len() <= 3).then_some((value, reader.at))
}

/// Passes space, opening brackets, separators and colours.
fn pass_opening(reader: &mut Reader<'_>) {
    while let Some(byte) = reader.peek() {
        match byte {
            b' ' | b'\t' | b'[' | b'(' | b'|' | b'"' => reader.at += 1,
            0x1B => pass_colour(reader),
            _ => return,
        }
    }
}

/// A terminal's colour: ESC, `[`, numbers, `m`.
pub(super) fn pass_colour(reader: &mut Reader<'_>) {
    reader.at += 1;
    while let Some(b'[' | b'0'..=b'9' | b';') = reader.peek() {
        reader.at += 1;
    }
    reader.eat(b'm');
}

/// Passes one word that may stand before a stamp: one that holds a digit or a sign, or is all upper case. Prose does
/// not: the day in `Backup of 2024-…` is not the line's.
fn pass_label(reader: &mut Reader<'_>) -> bool {
    let window = &reader.rest()[..reader.rest().len().min(REACH.saturating_sub(reader.at))];
    let Some(len) = window.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'|')) else {
        return false;
    };
    let is_prose =
        window[..len].iter().all(u8::is_ascii_alphabetic) && window[..len].iter().any(u8::is_ascii_lowercase);
    reader.at += len;
    !is_prose
}

fn is_past(stamp: Stamp, reference_ms: i64) -> bool {
    stamp.ns / 1_000_000 <= reference_ms.saturating_add(86_400_000)
}

fn find_access(line: &[u8]) -> Option<Found> {
    let window = &line[..line.len().min(ACCESS_REACH)];
    memchr::memchr_iter(b'[', window).find_map(|bracket| {
        let mut reader = Reader { bytes: line, at: bracket + 1 };
        let stamp = access(&mut reader)?;
        Some(Found { stamp, start: bracket + 1, end: reader.at, level: None, is_access: true })
    })
}

#[cfg(test)]
mod tests;
