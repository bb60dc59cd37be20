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

use super::detect::{DETECTORS, Detector, Finder, Group, Search, Span, passes_luhn};
use keyed::{Key, TOKEN_DIGITS, is_own_ipv4, is_own_ipv6};
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
#[derive(Debug, Default)]
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

    /// Whether what a row found at `at` of `text` was written here.
    pub(super) fn is_own(&self, row: usize, text: &str, at: Range<usize>) -> bool {
        if self.acts.is_empty() {
            return false;
        }
        let value = &text[at.clone()];
        let is_its_own = match self.act(row) {
            Act::Text(fixed) => within(text, fixed, &at),
            Act::Partial => is_partial(value),
            Act::Prefix => match value.parse::<Ipv4Addr>() {
                Ok(address) => is_own_ipv4(address),
                Err(_) => value.parse::<Ipv6Addr>().is_ok_and(is_own_ipv6),
            },
            _ => false,
        };
        is_its_own || self.is_in_token(text, &at)
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
                let length = token_length(&stretch[start + name.len()..]);
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

/// The length of `:k2:` or `:` and a token's digits, which no digit or letter follows.
fn token_length(rest: &str) -> Option<usize> {
    let digits_of = |text: &str| {
        let length = text.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        let ends = text.as_bytes().get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        (length == TOKEN_DIGITS && ends).then_some(length)
    };
    let after = rest.strip_prefix(':')?;
    if let Some(length) = digits_of(after) {
        return Some(1 + length);
    }
    let (id, after) = after.split_once(':')?;
    digits_of(after).map(|length| 2 + id.len() + length)
}

/// Whether `at` lies within any place at which `text` has `fixed`.
fn within(text: &str, fixed: &str, at: &Range<usize>) -> bool {
    let from = at.end.saturating_sub(fixed.len());
    (from..=at.start).any(|start| text.as_bytes()[start..].starts_with(fixed.as_bytes()))
}

/// `i***@example.com`, `****4242`. `None`: too little would stay hidden.
fn partial(value: &Value<'_>) -> Option<String> {
    if value.is_email() {
        return partial_email(value.text());
    }
    let is_counted = |one: &char| one.is_alphanumeric();
    let count = value.text().chars().filter(is_counted).count();
    let shown = |text: &str| text.chars().filter(is_counted).skip(count - SHOWN).collect::<String>();
    let is_free = value.group() != Group::Network && count >= SHOWN + LEAST_HIDDEN;
    is_free.then(|| format!("{HIDDEN}{}", shown(value.text())))
}

/// Whether a value is what [`partial`] writes.
fn is_partial(value: &str) -> bool {
    if let Some(shown) = value.strip_prefix(HIDDEN) {
        return shown.chars().count() == SHOWN && shown.chars().all(char::is_alphanumeric);
    }
    let mut letters = value.chars();
    letters.next().is_some_and(char::is_alphanumeric)
        && letters.as_str().strip_prefix("***").is_some_and(|rest| rest.starts_with('@') || rest.starts_with("%40"))
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
    let plain = value.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase());
    match detector.finder {
        Finder::Form { check, .. } => check(&plain.collect::<Vec<u8>>()),
        _ => detector.name == "card" && passes_luhn(&plain.collect::<Vec<u8>>()),
    }
}
