//! What is looked for: one table of detectors, a row each, by group. A new one is one row, with its own examples, in the
//! file of its group. Rewrites nothing.
//!
//! A row says how its hits are found: by a [`Finder::Form`] of digits and letters with a proof, by a
//! [`Finder::Token`] that begins with a published prefix, or by code of its own. All forms share one pass over a text,
//! and so do all tokens.

mod checks;
mod edges;
mod form;
mod found;
mod ids;
mod misses;
mod money;
mod network;
mod people;
mod search;
mod secrets;
mod token;

use std::sync::LazyLock;

pub(super) use checks::passes_luhn;
pub(super) use edges::{is_word, starts_word};
pub(super) use found::{Found, Span};
pub use misses::{Miss, Why};
pub(super) use search::Search;
pub(super) use secrets::is_harmless;

use super::keys::Keys;

/// One kind of personal data or secret.
#[derive(Debug)]
pub(super) struct Detector {
    /// What `detect` and the metrics call it. Of a country's: its ISO 3166 code, `_`, the rest.
    pub(super) name: &'static str,
    /// What is written instead.
    pub(super) tag: &'static str,
    pub(super) group: Group,
    /// Whether it is on when the user says nothing.
    pub(super) default: bool,
    /// What makes a hit more than a likeness, in a few words for the documents.
    pub(super) proof: &'static str,
    /// Who publishes the rule.
    pub(super) source: &'static str,
    pub(super) finder: Finder,
    /// Texts and what they become.
    #[cfg_attr(not(test), expect(dead_code, reason = "rows carry their own proof; only the tests run it"))]
    pub(super) masked: &'static [(&'static str, &'static str)],
    /// Texts that look alike and stay.
    #[cfg_attr(not(test), expect(dead_code, reason = "rows carry their own proof; only the tests run it"))]
    pub(super) spared: &'static [&'static str],
}

impl Detector {
    /// The country whose id it is: the first part of its name.
    pub(super) fn country(&self) -> &'static str {
        self.name.split('_').next().unwrap_or_default()
    }
}

/// Detectors that are switched together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Secrets,
    People,
    Money,
    Ids,
    Network,
}

impl Group {
    /// What `detect` calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::People => "people",
            Self::Money => "money",
            Self::Ids => "ids",
            Self::Network => "network",
        }
    }
}

/// How hits are found.
pub(super) enum Finder {
    /// By code of its own.
    Own {
        /// The next place at or after `from` that may be a hit. It sees many lines at once, and escapes as they stand
        /// in JSON: it may be wrong, but must not pass over anything that `find` would find once escapes are undone.
        /// (An escaped ASCII character, `\u0040`, is not its concern: such lines are always examined.)
        seek: fn(bytes: &[u8], from: usize, keys: &Keys) -> Option<usize>,
        /// Every hit in one text without escapes. Time linear in the text's length.
        find: fn(text: &str, keys: &Keys, found: &mut Found),
    },
    /// A number or word of fixed form.
    Form {
        /// `#` is a digit, `A` a letter, `*` either, anything else itself. Each has a digit.
        forms: &'static [&'static str],
        /// Judges digits and upper-case letters, separators left out.
        check: fn(&[u8]) -> bool,
        /// One of these words, in lower case, stands within [`form::NEAR`] bytes before a hit. None: the check is
        /// enough.
        near: &'static [&'static str],
    },
    /// A word that begins, or is told, by a prefix.
    Token { prefixes: &'static [&'static str], check: token::Check },
}

impl std::fmt::Debug for Finder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Own { .. } => "Own",
            Self::Form { .. } => "Form",
            Self::Token { .. } => "Token",
        })
    }
}

/// All. Where hits overlap, the one that begins first names the whole, then the one whose row comes first.
pub(super) static DETECTORS: LazyLock<Vec<&'static Detector>> = LazyLock::new(|| {
    let groups: [&'static [Detector]; 5] = [secrets::ROWS, people::ROWS, money::ROWS, ids::ROWS, network::ROWS];
    groups.into_iter().flatten().collect()
});

/// The row that is behind the sensitive keys of JSON objects.
pub(super) const SECRET: usize = 0;

/// Whether `text` is what a detector writes.
pub(super) fn is_tag(text: &[u8]) -> bool {
    DETECTORS.iter().any(|one| one.tag.as_bytes() == text)
}

/// A set of rows of [`DETECTORS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(u128);

impl Set {
    pub(super) const fn of(row: usize) -> Self {
        Self(1 << row)
    }

    pub(super) const fn insert(&mut self, row: usize) {
        self.0 |= 1 << row;
    }

    pub(super) const fn remove(&mut self, row: usize) {
        self.0 &= !(1 << row);
    }

    pub(super) const fn contains(self, row: usize) -> bool {
        self.0 & 1 << row != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
