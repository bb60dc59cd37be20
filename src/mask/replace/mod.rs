//! What is written instead of a hit: a tag, or what `[mask.replace]` says. Finds nothing itself, but knows again what it
//! wrote: masking twice changes nothing.

mod config;
mod keyed;
mod prune;
mod value;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

pub use config::{Mode, Named, PseudonymConfig, TextConfig, Types};
pub(super) use prune::prune;

use super::detect::{DETECTORS, Detector, Finder, Group, Judge, Search, Span, passes_luhn, pseudonym};
use keyed::{Key, is_own_ipv4, is_own_ipv6};
use value::{Value, partial_email};

/// A partly shown value begins with it.
const HIDDEN: &str = "****";
/// So many letters and digits are shown.
const SHOWN: usize = 4;
/// A value is shown in part only if so many letters and digits stay hidden.
const LEAST_HIDDEN: usize = 8;
/// How often digits are drawn again until no detector finds them.
const ATTEMPTS: u8 = 32;
/// The longest token: the longest name, an id, the digits and two colons.
const LONGEST_TOKEN: usize = 96;

/// What is done with a hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Act {
    #[default]
    Tag,
    Text(String),
    Partial,
    Pseudonym,
    Format,
    Prefix,
    DropField,
    DropRecord,
}

/// What is written, by detector.
#[derive(Clone, Debug, Default)]
pub(super) struct Replace {
    /// By row. Empty: all are tags.
    acts: Vec<Act>,
    key: Option<Key>,
    /// Which key it is, as tokens say it.
    id: String,
    keeps_numbers: bool,
}

impl Replace {
    /// What is done with a row's hits.
    pub(super) fn act(&self, row: usize) -> &Act {
        self.acts.get(row).unwrap_or(&Act::Tag)
    }

    /// Writes what stands for the hit `span` of `text`. Where a hit is not one clean value, that is the tag.
    pub(super) fn write(&self, text: &str, span: &Span, search: &Search, out: &mut String) {
        let value = &text[span.start..span.end];
        let written = if span.joined { None } else { self.written(span.row, value, search) };
        out.push_str(written.as_deref().unwrap_or(DETECTORS[span.row].tag));
    }

    /// What stands for a row's value. `None`: its tag.
    pub(super) fn written(&self, row: usize, value: &str, search: &Search) -> Option<String> {
        let act = self.act(row);
        match (act, &self.key) {
            (Act::Tag | Act::DropField | Act::DropRecord, _) => None,
            (Act::Text(text), _) => Some(text.clone()),
            (Act::Partial, _) => partial(&Value::new(row, value)?),
            (Act::Pseudonym, Some(key)) => {
                let mut token = self.token_head(row);
                key.token(DETECTORS[row].name, &Value::new(row, value)?.normal(), &mut token);
                Some(token)
            }
            (Act::Format, Some(key)) => formatted(key, &Value::new(row, value)?, search),
            (Act::Prefix, Some(key)) => match value.parse::<Ipv4Addr>() {
                Ok(address) => Some(key.ipv4(address).to_string()),
                Err(_) => value.parse().ok().map(|address| key.ipv6(address).to_string()),
            },
            (_, None) => None,
        }
    }

    /// `email:` or, with an id, `email:k2:`.
    fn token_head(&self, row: usize) -> String {
        let id = if self.id.is_empty() { "" } else { ":" };
        format!("{}{id}{}:", DETECTORS[row].name, self.id)
    }

    /// The JSON number that `written` is, or shows of one, where numbers are to stay numbers.
    pub(super) fn number(&self, row: usize, written: &str) -> Option<String> {
        if !self.keeps_numbers || !matches!(self.act(row), Act::Partial | Act::Format) {
            return None;
        }
        let (sign, rest) = written.strip_prefix('-').map_or(("", written), |rest| ("-", rest));
        let digits = rest.trim_start_matches('*').trim_start_matches('0');
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| format!("{sign}{digits}"))
    }

    /// Whether what was found at `at` of `text` was written here, for whatever row: another may find it again.
    pub(super) fn is_own(&self, text: &str, at: Range<usize>) -> bool {
        let value = &text[at.clone()];
        let is_written = |(row, act): (usize, &Act)| match act {
            Act::Text(fixed) => within(text, fixed, &at),
            Act::Partial => is_partial(value, is_email(row)),
            Act::Prefix => match value.parse::<Ipv4Addr>() {
                Ok(address) => is_own_ipv4(address),
                Err(_) => value.parse::<Ipv6Addr>().is_ok_and(is_own_ipv6),
            },
            _ => false,
        };
        self.acts.iter().enumerate().any(is_written) || self.is_in_token(text, &at)
    }

    /// Whether `at` lies in a token, of any row and any key.
    fn is_in_token(&self, text: &str, at: &Range<usize>) -> bool {
        let bytes = text.as_bytes();
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b':' | b'_');
        let before = bytes[..at.start].iter().rev().take(LONGEST_TOKEN).take_while(is_part).count();
        let after = bytes[at.end..].iter().take(LONGEST_TOKEN).take_while(is_part).count();
        let Some(stretch) = text.get(at.start - before..at.end + after) else { return false };
        let wanted = before..before + at.len();
        let of_tokens = self.acts.iter().enumerate().filter(|(_, act)| **act == Act::Pseudonym);
        of_tokens.map(|(row, _)| DETECTORS[row].name).any(|name| {
            stretch.match_indices(name).any(|(start, _)| {
                let length = pseudonym::length(&stretch.as_bytes()[start + name.len()..]);
                length.is_some_and(|length| start <= wanted.start && wanted.end <= start + name.len() + length)
            })
        })
    }

    /// What is written for a row's hits, for people.
    pub(super) fn shown(&self, row: usize) -> String {
        let tag = DETECTORS[row].tag;
        match self.act(row) {
            Act::Tag => tag.to_owned(),
            Act::Text(text) => text.clone(),
            Act::Partial if is_email(row) => "i***@example.com".to_owned(),
            Act::Partial => format!("{HIDDEN}1234 or {tag}"),
            Act::Pseudonym => format!("{}0123456789abcdef", self.token_head(row)),
            Act::Format => format!("other digits or {tag}"),
            Act::Prefix => "another address".to_owned(),
            Act::DropField => "nothing: the field goes".to_owned(),
            Act::DropRecord => "nothing: the record goes".to_owned(),
        }
    }
}

fn is_email(row: usize) -> bool {
    DETECTORS[row].name == "email"
}

/// Whether `at` lies within any place at which `text` has `fixed`.
fn within(text: &str, fixed: &str, at: &Range<usize>) -> bool {
    let from = at.end.saturating_sub(fixed.len());
    (from..=at.start).any(|start| text.as_bytes()[start..].starts_with(fixed.as_bytes()))
}

/// `i***@example.com`, `****4242`. `None`: too little would stay hidden.
fn partial(value: &Value<'_>) -> Option<String> {
    if value.is_email() {
        return partial_email(value.text(), value.at_sign());
    }
    let is_counted = |one: &char| one.is_alphanumeric();
    let count = value.text().chars().filter(is_counted).count();
    let shown = |text: &str| text.chars().filter(is_counted).skip(count - SHOWN).collect::<String>();
    let is_whole = value.group() == Group::Network || matches!(value.name(), "personal" | "private_key");
    (!is_whole && count >= SHOWN + LEAST_HIDDEN).then(|| format!("{HIDDEN}{}", shown(value.text())))
}

/// Whether a value is what [`partial`] writes, of an e-mail address or of something else.
fn is_partial(value: &str, of_email: bool) -> bool {
    if !of_email {
        let shown = value.strip_prefix(HIDDEN).unwrap_or_default();
        return shown.chars().count() == SHOWN && shown.chars().all(char::is_alphanumeric);
    }
    let mut letters = value.chars();
    let first = letters.next();
    let rest = if first == Some('*') { value } else { letters.as_str() };
    first.is_some_and(|one| one == '*' || one.is_alphanumeric())
        && rest.strip_prefix("***").is_some_and(|rest| rest.starts_with('@') || rest.starts_with("%40"))
}

/// Other digits that no detector finds and whose check digit is wrong.
fn formatted(key: &Key, value: &Value<'_>, search: &Search) -> Option<String> {
    if !value.text().is_ascii() {
        return None;
    }
    let (row, name, normal) = (value.row(), value.name(), value.normal());
    let candidates = (0..ATTEMPTS).map(|attempt| key.format(name, &normal, value.text(), attempt));
    candidates.into_iter().find(|one| !passes_check(DETECTORS[row], one) && !search.finds_any(one))
}

fn passes_check(detector: &Detector, value: &str) -> bool {
    let plain = || value.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase());
    match detector.finder {
        Finder::Form { check, .. } => check(&plain().collect::<Vec<u8>>()),
        Finder::Number { judge, .. } => passes_judge(judge, value.as_bytes()),
        Finder::Word { check, .. } => check(value.as_bytes()),
        _ => detector.name == "card" && passes_luhn(&plain().collect::<Vec<u8>>()),
    }
}

/// Whether a number of free form is one from any of its digits on.
fn passes_judge(judge: Judge, bytes: &[u8]) -> bool {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let starts = (0..bytes.len()).filter(|&at| is_digit(at) && (at == 0 || !is_digit(at - 1)));
    let end = |start: usize| (start..bytes.len()).find(|&at| !is_digit(at)).unwrap_or(bytes.len());
    starts.into_iter().any(|start| judge(bytes, start, end(start)).is_some())
}
