//! What is looked for: one table of detectors, a row each, by group. A new one is one row, with its own examples, in the
//! file of its group. Rewrites nothing.
//!
//! A row says how its hits are found: by a [`Finder::Form`] of digits and letters with a proof, as a [`Finder::Number`]
//! of freer form, as a [`Finder::Word`] after a telling one, by a [`Finder::Token`] that begins with a published prefix,
//! or by code of its own. All forms and numbers share one pass over a text, all words another, and so do all tokens.

mod checks;
mod edges;
mod encoded;
mod fingerprints;
mod form;
mod found;
mod ids;
mod misses;
mod money;
mod near;
mod network;
mod pattern;
mod people;
mod personal;
pub(super) mod pseudonym;
mod runs;
mod scan;
mod search;
mod secrets;
mod token;
mod word;

use std::sync::LazyLock;

pub(super) use checks::passes_luhn;
pub(super) use edges::{is_word, starts_word};
pub(super) use form::Judge;
pub(super) use found::{Found, Span};
pub use misses::{Miss, Why};
pub(super) use near::NEAR;
pub(super) use search::{Search, Signs};
pub(super) use secrets::{is_harmless, is_random, pem};

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
        /// What tells of a hit. It sees many lines at once, and escapes as they stand in JSON: it may be wrong, but must
        /// not pass over anything that `find` would find once escapes are undone. (An escaped ASCII character, `\u0040`,
        /// is not its concern: such lines are always examined.)
        seen: &'static [Seen],
        /// Every hit in one text without escapes. Time linear in the text's length.
        find: fn(text: &str, keys: &Keys, found: &mut Found),
    },
    /// A number or word of fixed form.
    Form {
        /// `#` is a digit, `A` a letter, `*` either, anything else itself. Each has a digit. With `!` before it a form
        /// needs no word in `near`, but capital letters.
        forms: &'static [&'static str],
        /// Judges digits and upper-case letters, separators left out.
        check: fn(&[u8]) -> bool,
        /// One of these words, in lower case, stands within [`near::NEAR`] bytes before a hit. None: the check is
        /// enough.
        near: &'static [&'static str],
    },
    /// A number, or a word with a digit, that is written in many ways.
    Number {
        judge: form::Judge,
        asked: &'static [form::Asked],
        /// As of a form; for hits that are not sure.
        near: &'static [&'static str],
    },
    /// A word that may have no digit, after one of the words in `near`.
    Word {
        /// Judges letters and digits as they are written.
        check: fn(&[u8]) -> bool,
        near: &'static [&'static str],
    },
    /// A word that begins, or is told, by a prefix.
    Token { prefixes: &'static [&'static str], check: token::Check },
}

/// By what a hit may be told in a first look.
#[derive(Debug)]
pub(super) enum Seen {
    /// An `=` or `:` behind a name of the keys.
    Name,
    /// An `@` for which this holds.
    At(IsPlace),
    /// A place in Base64 for which this holds.
    Base64(IsPlace),
    /// One of these words, if this holds for it.
    Words(&'static [&'static str], IsPlace),
    /// By a pass of its own: the next place at or after `from`.
    Pass(Pass),
}

/// Whether a place may be of a hit.
pub(super) type IsPlace = fn(bytes: &[u8], at: usize) -> bool;

/// See [`Seen::Pass`].
pub(super) type Pass = fn(bytes: &[u8], from: usize, keys: &Keys) -> Option<usize>;

impl std::fmt::Debug for Finder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Own { .. } => "Own",
            Self::Form { .. } => "Form",
            Self::Number { .. } => "Number",
            Self::Word { .. } => "Word",
            Self::Token { .. } => "Token",
        })
    }
}

/// All. Where hits overlap, the one that begins first names the whole, then the one whose row comes first.
pub(super) static DETECTORS: LazyLock<Vec<&'static Detector>> = LazyLock::new(|| {
    let groups: [&'static [Detector]; 6] =
        [secrets::ROWS, people::ROWS, money::ROWS, ids::ROWS, network::ROWS, personal::ROWS];
    groups.into_iter().flatten().collect()
});

/// The row that is behind the sensitive keys of JSON objects.
pub(super) const SECRET: usize = 0;

/// The row that is behind the personal keys of JSON objects.
pub(super) static PERSONAL: LazyLock<usize> = LazyLock::new(|| row_called("personal"));

/// The row that is behind keys that are secret if their value looks drawn by lot.
pub(super) static RANDOM: LazyLock<usize> = LazyLock::new(|| row_called("random"));

fn row_called(name: &str) -> usize {
    DETECTORS.iter().position(|one| one.name == name).unwrap_or_default()
}

/// Whether `text` is what a detector writes.
pub(super) fn is_tag(text: &[u8]) -> bool {
    DETECTORS.iter().any(|one| one.tag.as_bytes() == text)
}

/// A set of rows of [`DETECTORS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(u128);

impl Set {
    pub(super) const NONE: Self = Self(0);

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
