//! The detectors that are on, ready to search: those of one kind together, so that each kind costs one pass.

use super::form::Forms;
use super::token::Tokens;
use super::word::Words;
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
    /// Words in Base64 are decoded and searched.
    pub(in crate::mask) base64: bool,
    /// One for each pass over a text.
    pub(in crate::mask) seekers: Vec<Seeker>,
    forms: Forms,
    words: Words,
    tokens: Vec<Tokens>,
}

/// Seeks the next place that may be a hit of any of its rows.
#[derive(Debug)]
pub(in crate::mask) struct Seeker {
    pub(in crate::mask) rows: Set,
    by: By,
}

#[derive(Debug)]
enum By {
    /// Rows that are sought alike: the first one's code seeks for all.
    Own(Vec<usize>),
    Stretches,
    FormWords,
    Codes,
    Words,
    /// One part of all prefixes.
    Tokens(usize),
}

impl Search {
    pub(in crate::mask) fn new(wanted: Set, keys: Keys, except: Except, base64: bool) -> Self {
        let (mut forms, mut words, tokens) = (Forms::default(), Words::default(), Tokens::all(wanted));
        let mut seekers = Vec::new();
        for (row, detector) in DETECTORS.iter().enumerate().filter(|&(row, _)| wanted.contains(row)) {
            match &detector.finder {
                Finder::Own { seek, .. } => join(&mut seekers, row, *seek),
                Finder::Form { forms: written, check, near } => forms.insert(row, written, *check, near),
                Finder::Number { judge, asked, near } => forms.insert_free(row, *judge, asked, near),
                Finder::Word { check, near } => words.insert(row, *check, near),
                Finder::Token { .. } => {}
            }
        }
        let shared = [
            (forms.rows(), By::Stretches),
            (forms.rows(), By::FormWords),
            (forms.rows(), By::Codes),
            (words.rows(), By::Words),
        ];
        let tokens_of = tokens.iter().enumerate().map(|(part, tokens)| (tokens.rows(), By::Tokens(part)));
        let shared = shared.into_iter().chain(tokens_of).filter(|(rows, _)| !rows.is_empty());
        seekers.extend(shared.map(|(rows, by)| Seeker { rows, by }));
        Self { wanted, keys, except, base64, seekers, forms, words, tokens }
    }

    /// The rows that words may tell.
    pub(in crate::mask) const fn told(&self) -> Set {
        self.forms.rows().union(self.words.rows())
    }

    /// The next place at or after `from`, see [`Finder::Own`].
    pub(in crate::mask) fn seek(&self, seeker: &Seeker, bytes: &[u8], from: usize) -> Option<usize> {
        match seeker.by {
            By::Stretches => self.forms.seek_stretch(bytes, from),
            By::FormWords => self.forms.seek_word(bytes, from),
            By::Codes => self.forms.seek_code(bytes, from),
            By::Words => self.words.seek(bytes, from),
            By::Tokens(part) => self.tokens[part].seek(bytes, from),
            By::Own(ref rows) => seek_of(rows[0]).and_then(|seek| seek(bytes, from, &self.keys)),
        }
    }

    /// Adds the hits of the detectors of `set` in `text`; `before` is what stands before it in its record.
    pub(super) fn find(&self, text: &str, before: &str, set: Set, found: &mut Found) {
        for seeker in self.seekers.iter().filter(|seeker| seeker.rows.meets(set)) {
            match &seeker.by {
                By::Stretches => self.forms.find(text, before, found),
                // Found with the others.
                By::FormWords | By::Codes => {}
                By::Words => self.words.find(text, before, found),
                By::Tokens(part) => self.tokens[*part].find(text, found),
                By::Own(rows) => rows.iter().for_each(|row| {
                    if let Finder::Own { find, .. } = DETECTORS[*row].finder {
                        found.begin(*row);
                        find(text, &self.keys, found);
                    }
                }),
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

type Seek = fn(bytes: &[u8], from: usize, keys: &Keys) -> Option<usize>;

fn seek_of(row: usize) -> Option<Seek> {
    match DETECTORS[row].finder {
        Finder::Own { seek, .. } => Some(seek),
        _ => None,
    }
}

/// Adds a row to the seeker that seeks as it does, or with one of its own.
fn join(seekers: &mut Vec<Seeker>, row: usize, seek: Seek) {
    let is_alike = |rows: &[usize]| seek_of(rows[0]).is_some_and(|other| std::ptr::fn_addr_eq(other, seek));
    for seeker in seekers.iter_mut() {
        if let By::Own(rows) = &mut seeker.by
            && is_alike(rows)
        {
            rows.push(row);
            seeker.rows.insert(row);
            return;
        }
    }
    seekers.push(Seeker { rows: Set::of(row), by: By::Own(vec![row]) });
}
