//! The detectors that are on, ready to search: those of one kind together, so that each kind costs one pass.

use super::form::Forms;
use super::token::Tokens;
use super::{DETECTORS, Finder, Found, Miss, Set, misses};
use crate::mask::except::Except;
use crate::mask::keys::Keys;

/// What is searched for.
#[derive(Debug)]
pub(in crate::mask) struct Search {
    pub(in crate::mask) wanted: Set,
    pub(in crate::mask) keys: Keys,
    /// What is left though it is found.
    pub(in crate::mask) except: Except,
    /// One for each pass over a text.
    pub(in crate::mask) seekers: Vec<Seeker>,
    forms: Forms,
    tokens: Tokens,
}

/// Seeks the next place that may be a hit of any of its rows.
#[derive(Debug)]
pub(in crate::mask) struct Seeker {
    pub(in crate::mask) rows: Set,
    by: By,
}

#[derive(Debug)]
enum By {
    Own(usize),
    Forms,
    Tokens,
}

impl Search {
    pub(in crate::mask) fn new(wanted: Set, keys: Keys, except: Except) -> Self {
        let (mut forms, tokens) = (Forms::default(), Tokens::new(wanted));
        let mut seekers = Vec::new();
        for (row, detector) in DETECTORS.iter().enumerate().filter(|&(row, _)| wanted.contains(row)) {
            match &detector.finder {
                Finder::Own { .. } => seekers.push(Seeker { rows: Set::of(row), by: By::Own(row) }),
                Finder::Form { forms: written, check, near } => forms.insert(row, written, *check, near),
                Finder::Token { .. } => {}
            }
        }
        let shared = [(forms.rows(), By::Forms), (tokens.rows(), By::Tokens)];
        seekers.extend(shared.into_iter().filter(|(rows, _)| !rows.is_empty()).map(|(rows, by)| Seeker { rows, by }));
        Self { wanted, keys, except, seekers, forms, tokens }
    }

    /// The next place at or after `from`, see [`Finder::Own`].
    pub(in crate::mask) fn seek(&self, seeker: &Seeker, bytes: &[u8], from: usize) -> Option<usize> {
        match seeker.by {
            By::Forms => self.forms.seek(bytes, from),
            By::Tokens => self.tokens.seek(bytes, from),
            By::Own(row) => match DETECTORS[row].finder {
                Finder::Own { seek, .. } => seek(bytes, from, &self.keys),
                _ => None,
            },
        }
    }

    /// Adds the hits of the detectors of `set` in `text`; `before` is what stands before it in its record.
    pub(super) fn find(&self, text: &str, before: &str, set: Set, found: &mut Found) {
        for seeker in self.seekers.iter().filter(|seeker| seeker.rows.meets(set)) {
            match seeker.by {
                By::Forms => self.forms.find(text, before, found),
                By::Tokens => self.tokens.find(text, found),
                By::Own(row) => {
                    if let Finder::Own { find, .. } = DETECTORS[row].finder {
                        found.begin(row);
                        find(text, &self.keys, found);
                    }
                }
            }
        }
    }

    /// Whether anything is found in a text by itself.
    pub(in crate::mask) fn finds_any(&self, text: &str) -> bool {
        !Found::default().search(text, "", self.wanted, self).is_empty()
    }

    /// What in a text was nearly a hit. Slow.
    pub(in crate::mask) fn misses(&self, text: &str, visit: &mut dyn FnMut(Miss)) {
        self.forms.misses(text, visit);
        let is_card = |row: &usize| self.wanted.contains(*row) && DETECTORS[*row].name == "card";
        if let Some(row) = (0..DETECTORS.len()).find(is_card) {
            misses::cards(text, row, &self.keys, visit);
        }
    }
}
