//! How serious a line or a JSON value says it is. One bounded look: a level stands near the beginning or nowhere.

use std::ops::Range;

use super::reader::{Reader, is_word};
use super::time::{Found, pass_colour, priority};
use crate::base::json;
use crate::base::records::Level;

/// How far behind the time stamp, or into a line without one, a level may stand.
const REACH: usize = 64;

/// Words in lower case, at most [`LONGEST_WORD`] bytes each.
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
    let (stamp_start, stamp_end) = time.map_or((usize::MAX, 0), |found| (found.start, found.end));
    let window = &line[..line.len().min(stamp_end + REACH)];
    let mut place = Place { fresh_at: 0, is_first: true };
    let mut at = 0;
    while let Some(byte) = window.get(at) {
        if !is_word(*byte) {
            let is_colour = *byte == 0x1B;
            at = if is_colour { after_colour(window, at) } else { at + 1 };
            place.fresh_at = if is_colour { at } else { place.fresh_at };
        } else if at == stamp_start {
            at = stamp_end;
            place = Place { fresh_at: at, is_first: true };
        } else {
            let len = window[at..].iter().position(|byte| !is_word(*byte)).unwrap_or(window.len() - at);
            let word = at..at + len;
            at = word.end;
            if may_be_level(&window[word.clone()])
                && let Some(level) = in_place(line, word, place)
            {
                return Some(level);
            }
            place.is_first = false;
        }
    }
    None
}

fn after_colour(line: &[u8], at: usize) -> usize {
    let mut reader = Reader { bytes: line, at };
    pass_colour(&mut reader);
    reader.at
}

/// Whether some level, or `LOG`, begins with the same two letters: spares nearly all words a closer look.
#[inline]
fn may_be_level(word: &[u8]) -> bool {
    let [first, second, _, ..] = word else {
        return false;
    };
    let (first, second) = (first.wrapping_sub(b'A') & !0x20, second.wrapping_sub(b'A') & !0x20);
    first < 26 && second < 26 && BEGINNINGS[first as usize] >> second & 1 == 1
}

/// For each first letter, a bit for each second one.
const BEGINNINGS: [u32; 26] = {
    let mut table = [0; 26];
    table[(b'l' - b'a') as usize] = 1 << (b'o' - b'a');
    let mut index = 0;
    while index < WORDS.len() {
        let word = WORDS[index].0.as_bytes();
        table[(word[0] - b'a') as usize] |= 1 << (word[1] - b'a');
        index += 1;
    }
    table
};

/// Where a word stands.
#[derive(Clone, Copy)]
struct Place {
    /// The beginning, the end of the time stamp or of a colour: nothing stands before a word there.
    fresh_at: usize,
    /// No other word stands before it, or between it and the time stamp.
    is_first: bool,
}

fn in_place(line: &[u8], word: Range<usize>, place: Place) -> Option<Level> {
    let (before, after) = (&line[place.fresh_at..word.start], &line[word.end..]);
    let word = &line[word];
    let (last, next) = (before.last().copied(), after.first().copied());
    if word == b"LOG" && next == Some(b':') {
        // PostgreSQL.
        return Some(Level::Info);
    }
    let stands = is_apart(last, next) && (is_loud(word) || place.is_first && is_set_off(after))
        || is_bracketed(last, next)
        || next == Some(b':') && before.ends_with(b": ")
        || matches!(last, Some(b'=' | b'"')) && ends_with_key(before);
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
