//! JSON objects that applications write: whether a line is one, and which of its top-level fields tell its time and
//! level or bear our names. Builds no tree and keeps nothing of the values.

use super::calendar::Stamp;
use super::{level, time};
use crate::base::json::{self, Member};
use crate::base::records::{Key, Keys, Level};

/// What was seen in one object. Of a name that comes twice, the last value: stores and readers of JSON see that one.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    values: [Option<&'a str>; FIELDS],
}

/// The fields that are looked for, by the length of their names; the number is the place in [`Scan::values`]. Our own
/// come first, numbered as [`Key`] is.
static BY_LENGTH: [&[(&str, usize)]; 15] = [
    &[],
    &[("t", T)],
    &[("ts", TS), ("@t", SERILOG_T), ("@l", SERILOG_L)],
    &[("lvl", LVL), ("log", LOG)],
    &[("time", Key::Time as usize), ("date", DATE)],
    &[("level", Key::Level as usize), ("Level", CAPITAL_LEVEL)],
    &[("stream", Key::Stream as usize)],
    &[("asctime", ASCTIME)],
    &[("filename", Key::Filename as usize), ("severity", SEVERITY), ("datetime", DATETIME), ("loglevel", LOGLEVEL)],
    &[
        ("timestamp", TIMESTAMP),
        ("host_name", Key::HostName as usize),
        ("log.level", LOG_LEVEL),
        ("eventTime", EVENT_TIME),
        ("Timestamp", CAPITAL_TIMESTAMP),
        ("levelname", LEVELNAME),
    ],
    &[("@timestamp", Key::Timestamp as usize), ("level_name", LEVEL_NAME)],
    &[("source_name", Key::SourceName as usize)],
    &[("service_name", Key::ServiceName as usize)],
    &[("severity_text", SEVERITY_TEXT)],
    &[("container_name", Key::ContainerName as usize)],
];

const TIMESTAMP: usize = Key::ALL.len();
const TS: usize = TIMESTAMP + 1;
const DATETIME: usize = TIMESTAMP + 2;
const DATE: usize = TIMESTAMP + 3;
const EVENT_TIME: usize = TIMESTAMP + 4;
const T: usize = TIMESTAMP + 5;
const ASCTIME: usize = TIMESTAMP + 6;
const SERILOG_T: usize = TIMESTAMP + 7;
const CAPITAL_TIMESTAMP: usize = TIMESTAMP + 8;
const SEVERITY: usize = TIMESTAMP + 9;
const LVL: usize = TIMESTAMP + 10;
const LOG_LEVEL: usize = TIMESTAMP + 11;
const LOG: usize = TIMESTAMP + 12;
const LOGLEVEL: usize = TIMESTAMP + 13;
const LEVELNAME: usize = TIMESTAMP + 14;
const LEVEL_NAME: usize = TIMESTAMP + 15;
const SEVERITY_TEXT: usize = TIMESTAMP + 16;
const SERILOG_L: usize = TIMESTAMP + 17;
const CAPITAL_LEVEL: usize = TIMESTAMP + 18;
const FIELDS: usize = TIMESTAMP + 19;

/// The first of these that holds a time is the record's.
const TIMES: [usize; 11] = [
    Key::Time as usize,
    TIMESTAMP,
    Key::Timestamp as usize,
    TS,
    DATETIME,
    DATE,
    EVENT_TIME,
    T,
    ASCTIME,
    SERILOG_T,
    CAPITAL_TIMESTAMP,
];

/// The first of these that holds a level is the record's. `log` stands for `{"log":{"level":…}}`.
const LEVELS: [usize; 11] = [
    Key::Level as usize,
    SEVERITY,
    LVL,
    LOG_LEVEL,
    LOG,
    LOGLEVEL,
    LEVELNAME,
    LEVEL_NAME,
    SEVERITY_TEXT,
    SERILOG_L,
    CAPITAL_LEVEL,
];

/// Looks through `text` into an empty `scan`, where that is (it is large). Whether `text` is one valid JSON object from its
/// first byte to its last but for space around it; else it is text, and `scan` worth nothing.
#[inline]
pub(super) fn scan<'a>(text: &'a str, scan: &mut Scan<'a>) -> bool {
    let mut members = json::members(text);
    for Member { key, is_escaped, value } in members.by_ref() {
        let key = &text[key];
        let field = if is_escaped { named(&json::unescape(key)) } else { named(key) };
        if let Some(field) = field {
            scan.values[field] = Some(&text[value]);
        }
    }
    members.is_whole()
}

/// The place of the field of that name.
#[inline]
fn named(key: &str) -> Option<usize> {
    // Length and first byte settle most, for less than a call to compare.
    let first = *key.as_bytes().first()?;
    if INITIALS.get(key.len())? >> (first & 127) & 1 == 0 {
        return None;
    }
    BY_LENGTH[key.len()].iter().find(|(name, _)| *name == key).map(|(_, field)| *field)
}

/// For each length, a bit for each first byte.
static INITIALS: [u128; BY_LENGTH.len()] = {
    let mut initials = [0; BY_LENGTH.len()];
    let mut length = 0;
    while length < BY_LENGTH.len() {
        let mut index = 0;
        while index < BY_LENGTH[length].len() {
            initials[length] |= 1 << BY_LENGTH[length][index].0.as_bytes()[0];
            index += 1;
        }
        length += 1;
    }
    initials
};

impl Default for Scan<'_> {
    fn default() -> Self {
        Self { values: [None; FIELDS] }
    }
}

impl Scan<'_> {
    /// Our names that the object uses itself, and those of them that it uses with another meaning: a `time` that is no
    /// whole number of Unix ms, an `@timestamp` that is no time, a `level` that is none of the five words, another that is
    /// no string.
    pub(super) fn keys(&self) -> (Keys, Keys) {
        let (mut own, mut clash) = (Keys::NONE, Keys::NONE);
        for key in Key::ALL {
            let Some(value) = self.values[key as usize] else {
                continue;
            };
            own.insert(key);
            let is_ours = match key {
                Key::Time => is_unix_ms(value),
                Key::Timestamp => is_unix_ms(value) || json::string_inside(value).is_some_and(is_moment),
                Key::Level => json::string_inside(value).is_some_and(is_level_name),
                _ => value.starts_with('"'),
            };
            if !is_ours {
                clash.insert(key);
            }
        }
        (own, clash)
    }

    /// The time that the object gives. `reference_ms` decides years that are not written.
    pub(super) fn time(&self, reference_ms: i64) -> Option<Stamp> {
        let values = TIMES.iter().filter_map(|field| self.values[*field]);
        let stamp = |value| match json::string_inside(value) {
            Some(inside) => time::whole(&json::unescape(inside), reference_ms),
            None => time::number(value),
        };
        values.filter_map(stamp).next()
    }

    /// The level that the object gives, normalised.
    pub(super) fn level(&self) -> Option<Level> {
        LEVELS.iter().find_map(|field| {
            let value = self.values[*field]?;
            level::in_json(if *field == LOG { json::find(value, "level")? } else { value })
        })
    }
}

/// 13 digits: September 2001 to November 2286.
fn is_unix_ms(value: &str) -> bool {
    value.len() == 13 && value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0')
}

/// Whether a string's inside says a moment. The year, which a moment without one is given, is not asked for.
fn is_moment(inside: &str) -> bool {
    time::whole(&json::unescape(inside), 0).is_some()
}

fn is_level_name(word: &str) -> bool {
    Level::ALL.iter().any(|level| level.name() == word)
}

#[cfg(test)]
mod tests;
