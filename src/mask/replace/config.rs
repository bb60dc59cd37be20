//! `[mask.replace]` and `[mask.pseudonym]` as the user writes them, and their faults.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::keyed::Key;
use super::{Act, Replace};
use crate::base::fault::Fault;
use crate::base::secret::Written;
use crate::mask::config::{named, nearest};
use crate::mask::detect::{DETECTORS, Group};

/// A key of fewer bytes can be guessed.
const SHORTEST_KEY: usize = 16;
/// A longer text, or id of a key, would make lines grow.
const LONGEST_TEXT: usize = 64;
const LONGEST_ID: usize = 16;

/// What is written instead of a detector's hits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"tag\", \"partial\", \"pseudonym\", \"format\", \"prefix\", \"drop-field\", \"drop-record\", or { text = \"…\" }"
)]
pub enum Mode {
    /// By name.
    Named(Named),
    /// Always the same.
    Text(TextConfig),
}

/// `{ text = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// One word.
    pub text: String,
}

/// The modes that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// `[email]`.
    Tag,
    /// `i***@example.com`, `****4242`.
    Partial,
    /// `email:3f9a1c…`, the same for the same value.
    Pseudonym,
    /// Other digits in the same places.
    Format,
    /// Another address, neighbours staying neighbours.
    Prefix,
    /// The JSON field goes.
    DropField,
    /// The record goes.
    DropRecord,
}

/// `[mask.pseudonym]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PseudonymConfig {
    /// What pseudonyms are made with; hosts that share it give the same ones.
    pub key: Option<Written>,
    /// Which key it is: part of each pseudonym.
    pub id: String,
}

/// What becomes of a JSON number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Types {
    /// A string.
    #[default]
    String,
    /// A number, where what is written is one.
    Keep,
}

impl Replace {
    /// Makes what works of what was written.
    pub(in crate::mask) fn new(
        modes: &BTreeMap<String, Mode>,
        pseudonym: &PseudonymConfig,
        types: Types,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let acts = acts(modes, faults);
        let needs_key = acts.iter().any(|act| matches!(act, Act::Pseudonym | Act::Format | Act::Prefix));
        let key = key(pseudonym, needs_key, faults);
        let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if pseudonym.id.len() > LONGEST_ID || !pseudonym.id.bytes().all(is_id) {
            let fault = Fault::new("pseudonym.id", "an id is at most 16 lower-case letters and digits");
            faults.push(fault.hint("write id = \"k2\""));
        }
        Self { acts, key, id: pseudonym.id.clone(), keeps_numbers: types == Types::Keep }
    }
}

/// By row. Of several words that mean a row, the most special counts: its own name, its country, its group, all.
fn acts(modes: &BTreeMap<String, Mode>, faults: &mut Vec<Fault>) -> Vec<Act> {
    if modes.is_empty() {
        return Vec::new();
    }
    let mut acts = vec![(usize::MAX, Act::Tag); DETECTORS.len()];
    for (word, mode) in modes {
        let rows = named(word);
        if rows.is_empty() {
            let fault = Fault::new(format!("replace.{word}"), format!("there is no detector `{word}`"));
            faults.push(fault.hint(nearest(word)));
        }
        let act = act(mode, word, &rows, faults);
        for row in rows {
            let rank = special(word, row);
            if rank < acts[row].0 {
                acts[row] = (rank, act.clone());
            }
        }
    }
    acts.into_iter().map(|(_, act)| act).collect()
}

/// How special a word is for a row that it means: the less, the more.
fn special(word: &str, row: usize) -> usize {
    let one = DETECTORS[row];
    match word {
        _ if one.name == word => 0,
        _ if one.group.name() == word => 2,
        "default" => 3,
        "all" => 4,
        _ => 1,
    }
}

fn act(mode: &Mode, word: &str, rows: &[usize], faults: &mut Vec<Fault>) -> Act {
    let key = format!("replace.{word}");
    let mut refuse = |is_fit: &dyn Fn(usize) -> bool, what: &str, hint: &str| {
        if let Some(row) = rows.iter().find(|row| !is_fit(**row)) {
            let fault = Fault::new(&*key, format!("{what} `{}`", DETECTORS[*row].name));
            faults.push(fault.hint(hint));
        }
    };
    match mode {
        Mode::Text(TextConfig { text }) => {
            if !is_word(text) {
                let message =
                    "a text is one word of letters, digits, `*`, `-`, `_`, `.` and `#`, perhaps in `[]` or `<>`";
                faults.push(Fault::new(key, message).hint("write { text = \"***\" }"));
            }
            Act::Text(text.clone())
        }
        Mode::Named(Named::Tag) => Act::Tag,
        Mode::Named(Named::Partial) => Act::Partial,
        Mode::Named(Named::Pseudonym) => Act::Pseudonym,
        Mode::Named(Named::Format) => {
            let is_fit = |row: usize| matches!(DETECTORS[row].group, Group::Money | Group::Ids);
            refuse(
                &is_fit,
                "what keeps its form would be found again as",
                "use \"pseudonym\", or \"prefix\" for ipv4 and ipv6",
            );
            Act::Format
        }
        Mode::Named(Named::Prefix) => {
            let is_fit = |row: usize| matches!(DETECTORS[row].name, "ipv4" | "ipv6");
            refuse(&is_fit, "there is no prefix to keep in", "\"prefix\" is for ipv4 and ipv6; use \"pseudonym\"");
            Act::Prefix
        }
        Mode::Named(Named::DropField) => Act::DropField,
        Mode::Named(Named::DropRecord) => Act::DropRecord,
    }
}

/// Whether a text cannot be taken apart by what finds values: masking it again must change nothing.
fn is_word(text: &str) -> bool {
    let unbracketed = |open, close| text.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
    let inner = unbracketed('[', ']').or_else(|| unbracketed('<', '>')).unwrap_or(text);
    let is_part = |one: char| one.is_alphanumeric() || matches!(one, '*' | '-' | '_' | '.' | '#');
    text.len() <= LONGEST_TEXT && inner.chars().all(is_part) && !inner.is_empty()
}

fn key(config: &PseudonymConfig, is_needed: bool, faults: &mut Vec<Fault>) -> Option<Key> {
    let secret = match config.key.as_ref().map(Written::read) {
        None => {
            if is_needed {
                let fault = Fault::new("replace", "what it says needs a key, and there is none");
                faults.push(fault.hint("write [mask.pseudonym] with key = { file = \"/run/secrets/mask\" }"));
            }
            return None;
        }
        Some(Err(reason)) => {
            faults.push(Fault::new("pseudonym.key", reason));
            return None;
        }
        Some(Ok(secret)) => secret,
    };
    if secret.expose().len() < SHORTEST_KEY {
        let fault = Fault::new("pseudonym.key", format!("a key of fewer than {SHORTEST_KEY} bytes can be guessed"));
        faults.push(fault.hint("make one: head -c 32 /dev/urandom | base64"));
        return None;
    }
    Some(Key::new(secret.expose().as_bytes()))
}
