//! A hit's value as it is meant: without escapes, and in the one form that all its spellings share.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::mask::detect::{DETECTORS, Group};
use crate::mask::escapes::{Undone, undo_level};
use crate::mask::wrappings;

/// As deep as escapes are followed anywhere.
const MOST_LEVELS: usize = 8;

/// The longest label of digits that a domain shown in part may have: a longer one may be a number of someone.
const LONGEST_NUMBER: usize = 6;

/// One value of one row.
pub(super) struct Value<'a> {
    row: usize,
    text: Cow<'a, str>,
    has_at_in_url: bool,
}

impl<'a> Value<'a> {
    /// `None`: its wrappings cannot be undone, or hide something that must not be written.
    pub(super) fn new(row: usize, value: &'a str) -> Option<Self> {
        let has_at_in_url = value.contains("%40");
        if !wrappings::is_in(value) && !value.contains('\\') {
            return Some(Self { row, text: Cow::Borrowed(value), has_at_in_url });
        }
        let (mut text, mut next) = (value.to_owned(), String::new());
        for _ in 0..MOST_LEVELS {
            if !undo_level(&text, &mut next) {
                let mut undone = Undone::default();
                let layers = undone.undo(&text).ok().map(|_| undone.layers())?;
                let text = layers.checked_sub(1).map_or(text.as_str(), |last| undone.text(last)).to_owned();
                return Some(Self { row, text: Cow::Owned(text), has_at_in_url });
            }
            std::mem::swap(&mut text, &mut next);
        }
        None
    }

    /// How its `@` is written.
    pub(super) const fn at_sign(&self) -> &'static str {
        if self.has_at_in_url { "%40" } else { "@" }
    }

    pub(super) const fn row(&self) -> usize {
        self.row
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn name(&self) -> &'static str {
        DETECTORS[self.row].name
    }

    pub(super) fn group(&self) -> Group {
        DETECTORS[self.row].group
    }

    pub(super) fn is_email(&self) -> bool {
        self.name() == "email"
    }

    /// The form that all spellings share: e-mail in lower case, numbers without separators, addresses as the standard
    /// writes them, secrets as they are.
    pub(super) fn normal(&self) -> String {
        let text = self.text();
        let has_letters = text.contains(char::is_alphabetic);
        match self.group() {
            Group::Secrets => text.to_owned(),
            Group::Network => text.parse::<IpAddr>().map_or_else(|_| text.to_lowercase(), |one| one.to_string()),
            Group::Money | Group::Ids => {
                text.chars().filter(|one| one.is_alphanumeric()).collect::<String>().to_uppercase()
            }
            Group::People if has_letters => text.to_lowercase(),
            Group::People => text.chars().filter(char::is_ascii_digit).collect(),
        }
    }
}

/// `i***@example.com`; of names of one or two letters, none is shown. `None`: the domain may say who it is.
pub(super) fn partial_email(address: &str, at_sign: &str) -> Option<String> {
    let (name, domain) = address.split_once('@')?;
    let is_plain = domain.chars().all(|one| one.is_alphanumeric() || matches!(one, '.' | '-'));
    let is_number = |label: &str| label.chars().filter(char::is_ascii_digit).count() > LONGEST_NUMBER;
    if !is_plain || domain.split('.').any(is_number) {
        return None;
    }
    let first = name.chars().next().filter(|one| one.is_alphanumeric() && name.chars().nth(2).is_some());
    let first = first.map(String::from).unwrap_or_default();
    Some(format!("{first}***{at_sign}{domain}"))
}
