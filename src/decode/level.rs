//! How serious a line or a JSON value says it is. One bounded look: a level stands near the beginning or nowhere.

use std::ops::Range;

use super::reader::{Reader, is_word};
use super::time::{Found, pass_colour, priority};
use crate::base::json;
use crate::base::records::Level;

/// How far behind the time stamp, or into a line without one, a level may stand.
const REACH: usize = 96;

/// Words in lower case. Longest: `emergency`.
const WORDS: [(&str, Level); 28] = [
    ("info", Level::Info),
    ("error", Level::Error),
    ("warn", Level::Warning),
    ("debug", Level::Debug),
    ("warning", Level::Warning),
    ("trace", Level::Debug),
    ("notice", Level::Info),
    ("fatal", Level::Critical),
    ("critical", Level::Critical),
    ("err", Level::Error),
    ("crit", Level::Critical),
    ("panic", Level::Critical),
    ("alert", Level::Critical),
    ("emerg", Level::Critical),
    ("emergency", Level::Critical),
    ("severe", Level::Error),
    ("information", Level::Info),
    ("informational", Level::Info),
    ("verbose", Level::Debug),
    ("dbg", Level::Debug),
    ("inf", Level::Info),
    ("wrn", Level::Warning),
    ("fail", Level::Error),
    ("dbug", Level::Debug),
    ("dpanic", Level::Critical),
    ("fine", Level::Debug),
    ("finer", Level::Debug),
    ("finest", Level::Debug),
];
const LONGEST_WORD: usize = 13;
/// Names of the level in `key=value` lines.
const KEYS: [&[u8]; 4] = [b"level=", b"lvl=", b"severity=", b"levelname="];

/// The level of a text line whose time stamp is `time`.
///
/// It is, in this order: what the stamp carries (klog's letter); syslog's `<PRI>`; a level's word in upper case, in
/// brackets, after `level=`, after a colon and before another, or first and set off from what follows.
pub(super) fn in_text(line: &[u8], time: Option<&Found>) -> Option<Level> {
    match time {
        Some(found) if found.is_access || found.level.is_some() => found.level,
        _ => match priority(line) {
            Some((value, _)) => Some(by_syslog(value % 8)),
            None => first_word(line, time),
        },
    }
}

/// The level that a JSON value names: a word in any case, Pino's and Bunyan's 10 to 60, syslog's 0 to 7, Monolog's
/// 100 to 600.
pub(super) fn in_json(value: &str) -> Option<Level> {
    let written = json::string_inside(value).unwrap_or(value).trim_ascii();
    by_word(written.as_bytes()).or_else(|| by_number(written.parse().ok()?))
}

fn by_number(number: u32) -> Option<Level> {
    Some(match number {
        0..=7 => by_syslog(u8::try_from(number).ok()?),
        10..=29 | 100..=199 => Level::Debug,
        30..=39 | 200..=299 => Level::Info,
        40..=49 | 300..=399 => Level::Warning,
        50..=59 | 400..=499 => Level::Error,
        60..=69 | 500..=600 => Level::Critical,
        _ => return None,
    })
}

/// RFC 5424, table 2.
const fn by_syslog(severity: u8) -> Level {
    match severity {
        0..=2 => Level::Critical,
        3 => Level::Error,
        4 => Level::Warning,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    }
}

fn by_word(word: &[u8]) -> Option<Level> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    WORDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|(_, level)| *level)
}

/// The first word near the beginning that is a level and stands where levels do.
fn first_word(line: &[u8], time: Option<&Found>) -> Option<Level> {
    let stamp = time.map_or(0..0, |found| found.start..found.end);
    let window = &line[..line.len().min(stamp.end + REACH)];
    let mut reader = Reader { bytes: window, at: 0 };
    let mut place = Place { before: None, is_first: true };
    while let Some(byte) = reader.peek() {
        if reader.at == stamp.start && reader.at < stamp.end {
            reader.at = stamp.end;
            place = Place { before: None, is_first: true };
        } else if byte == 0x1B {
            pass_colour(&mut reader);
            place.before = None;
        } else if is_word(byte) {
            let start = reader.at;
            reader.at += window[start..].iter().take_while(|byte| is_word(**byte)).count();
            let level = in_place(window, start..reader.at, place);
            if level.is_some() {
                return level;
            }
            place.is_first = false;
        } else {
            reader.at += 1;
            place.before = Some(byte);
        }
    }
    None
}

/// Where a word stands.
#[derive(Clone, Copy)]
struct Place {
    /// The sign before it. `None` at the beginning, after the time stamp and after a colour.
    before: Option<u8>,
    /// No other word stands before it, or between it and the time stamp.
    is_first: bool,
}

fn in_place(line: &[u8], word: Range<usize>, place: Place) -> Option<Level> {
    let (before, after) = (&line[..word.start], &line[word.end..]);
    let word = &line[word];
    let next = after.first().copied();
    if word == b"LOG" && next == Some(b':') {
        // PostgreSQL.
        return Some(Level::Info);
    }
    let stands = is_apart(place.before, next) && (is_loud(word) || place.is_first && is_set_off(after))
        || is_bracketed(place.before, next)
        || next == Some(b':') && before.ends_with(b": ")
        || matches!(place.before, Some(b'=' | b'"')) && ends_with_key(before);
    if stands { by_word(word) } else { None }
}

/// Whether signs that may surround a level stand on both sides.
fn is_apart(before: Option<u8>, next: Option<u8>) -> bool {
    matches!(before, None | Some(b' ' | b'\t' | b'[' | b'(' | b'<' | b'|' | b':' | b'"'))
        && matches!(
            next,
            None | Some(b' ' | b'\t' | b']' | b')' | b'>' | b'|' | b':' | b',' | b';' | b'"' | b'/' | 0x1B)
        )
}

fn is_loud(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_uppercase)
}

fn is_bracketed(before: Option<u8>, next: Option<u8>) -> bool {
    let around = (before, next);
    matches!(around, (Some(b'[' | b':'), Some(b']')) | (Some(b'<'), Some(b'>')) | (Some(b'|'), Some(b'|')))
}

/// Whether what follows a first word is no prose that goes on.
fn is_set_off(after: &[u8]) -> bool {
    matches!(after.first(), Some(b':' | b'|' | b'\t' | b']' | 0x1B)) || after.starts_with(b"  ")
}

/// Whether `level=` or the like ends there, perhaps with a quote.
fn ends_with_key(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    before.last() == Some(&b'=') && KEYS.iter().any(|key| before.ends_with(key))
}

#[cfg(test)]
mod tests;
