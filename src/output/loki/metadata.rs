//! A record as a bare message and structured metadata (strings by name). Knows no times and no labels' values.
//!
//! The same record always gives the same metadata in the same order: Loki takes an entry with other metadata for
//! another entry.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::base::records::{Key, Shape};
use crate::mask::{MaskedFields, MaskedRecord};

use super::super::json::{self, Object};
use super::super::record;
use super::super::terminal::message_of;
use super::labels::Labels;

/// Loki's `max_structured_metadata_entries_count` and `max_structured_metadata_size`: their defaults.
const COUNT_LIMIT: usize = 128;
const SIZE_LIMIT: usize = 64 << 10;

/// A record, taken apart.
#[derive(Debug)]
pub(super) struct Metadata<'a> {
    /// The message.
    pub(super) line: Cow<'a, str>,
    /// The rest: valid names, each once, the application's first.
    pub(super) members: Vec<(String, Cow<'a, str>)>,
}

/// Takes a record apart. `with_time`: the time is not the entry's own and so goes with the rest.
pub(super) fn take_apart<'a>(
    fields: &'a MaskedFields,
    labels: &Labels,
    one: &MaskedRecord<'a>,
    with_time: bool,
) -> Metadata<'a> {
    let (line, mut members) = match one.record.shape {
        Shape::Text => (Cow::Borrowed(one.text), Vec::new()),
        Shape::Object => of_object(one.text),
    };
    let mut ours = |key: Key, value: Cow<'a, str>| {
        if let Some(prefix) = record::prefix(one, key) {
            members.push((format!("{prefix}{}", key.name()), value));
        }
    };
    if with_time {
        ours(Key::Time, one.record.time.ms().to_string().into());
    }
    if let Some(level) = one.record.level {
        ours(Key::Level, level.name().into());
    }
    for (key, value) in fields.all().iter().filter(|(key, _)| !labels.contains(*key)) {
        ours(*key, value.as_str().into());
    }
    if one.record.cut {
        members.push(("logferry_cut".to_owned(), "true".into()));
    }
    let mut names = HashSet::new();
    members.retain(|(name, _)| names.insert(name.clone()));
    Metadata { line, members }
}

/// The message of an object, or else the whole object, and its other members.
fn of_object(text: &str) -> (Cow<'_, str>, Vec<(String, Cow<'_, str>)>) {
    let object = Object::parse(text.as_bytes()).unwrap_or(Object(Vec::new()));
    let Some((told, line)) = message_of(&object) else { return (text.into(), Vec::new()) };
    let rest = object.0.iter().enumerate().filter(|(index, _)| *index != told);
    let members = rest.map(|(_, (name, value))| (valid_name(name), json::text_of(value).unwrap_or(value.get().into())));
    (line, members.collect())
}

/// Loki takes letters, digits and `_`, and would replace others itself.
fn valid_name(name: &str) -> String {
    let valid = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let mut name: String = name.chars().map(valid).collect();
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        name.insert(0, '_');
    }
    name
}

/// Appends the members as an object of strings; `false` where they are more than Loki takes.
pub(super) fn push(members: &[(String, Cow<'_, str>)], out: &mut Vec<u8>) -> bool {
    let size: usize = members.iter().map(|(name, value)| name.len() + value.len()).sum();
    if members.len() > COUNT_LIMIT || size > SIZE_LIMIT {
        return false;
    }
    if !members.is_empty() {
        json::strings(members.iter().map(|(name, value)| (name.as_str(), value.as_ref())), out);
    }
    true
}
