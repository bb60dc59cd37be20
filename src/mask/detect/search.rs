//! The detectors that are on, ready to search: those of one kind together, so that each kind costs one pass.

use super::form::Forms;
use super::scan::{self, Place, Sign};
use super::secrets::{is_name, may_be_name};
use super::token::Tokens;
use super::word::Words;
use super::{DETECTORS, Finder, Found, IsPlace, Miss, Pass, Seen, Set, encoded, misses};
use crate::mask::except::Except;
use crate::mask::keys::Keys;
use crate::mask::wrappings;

/// What is searched for.
#[derive(Debug)]
pub(in crate::mask) struct Search {
    pub(in crate::mask) wanted: Set,
    pub(in crate::mask) keys: Keys,
    /// What is left though it is found.
    pub(in crate::mask) except: Except,
    /// Words in Base64 are decoded and searched.
    pub(in crate::mask) base64: bool,
    forms: Forms,
    words: Words,
    tokens: Tokens,
    /// Rows with code of their own.
    own: Vec<usize>,
    /// Those of them that are told by names.
    named: Set,
    at: Vec<(usize, IsPlace)>,
    in_base64: Vec<(usize, IsPlace)>,
    passes: Vec<(usize, Pass)>,
}

/// The first look at a text.
struct First<'a, V> {
    search: &'a Search,
    bytes: &'a [u8],
    is_within: bool,
    /// Where the last token ends: within one no other begins.
    free: usize,
    visit: &'a mut V,
}

impl<V: FnMut(usize, Signs)> scan::Visit for First<'_, V> {
    #[inline(always)]
    fn visit(&mut self, place: Place) {
        if self.search.may_tell(self.bytes, place) {
            self.ask(place);
        }
    }
}

impl<V: FnMut(usize, Signs)> First<'_, V> {
    #[inline(never)]
    fn ask(&mut self, place: Place) {
        if matches!(place.sign, Sign::Stretch | Sign::Word | Sign::Code) {
            let visit = |row, begin| (self.visit)(begin, Signs::of(Set::of(row)));
            return self.search.forms.places(self.bytes, self.is_within, place, visit);
        }
        let signs = self.search.signs(self.bytes, place, &mut self.free);
        if signs != Signs::default() {
            (self.visit)(place.start, signs);
        }
    }
}

/// What a stretch of text may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::mask) struct Signs {
    /// These detectors have a place in it.
    pub(in crate::mask) set: Set,
    /// It has a wrapping that may hide more.
    pub(in crate::mask) escapes: bool,
}

impl Signs {
    const ESCAPES: Self = Self { set: Set::NONE, escapes: true };

    const fn of(set: Set) -> Self {
        Self { set, escapes: false }
    }

    /// Of what nobody has looked at.
    pub(in crate::mask) const fn all(wanted: Set) -> Self {
        Self { set: wanted, escapes: true }
    }

    pub(in crate::mask) fn add(&mut self, other: Self) {
        self.set = self.set.union(other.set);
        self.escapes |= other.escapes;
    }
}

impl Search {
    pub(in crate::mask) fn new(wanted: Set, keys: Keys, except: Except, base64: bool) -> Self {
        let mut search = Self {
            wanted,
            keys,
            except,
            base64,
            forms: Forms::default(),
            words: Words::default(),
            tokens: Tokens::new(wanted),
            own: Vec::new(),
            named: Set::NONE,
            at: Vec::new(),
            in_base64: Vec::new(),
            passes: Vec::new(),
        };
        for (row, detector) in DETECTORS.iter().enumerate().filter(|&(row, _)| wanted.contains(row)) {
            match &detector.finder {
                Finder::Own { seen, .. } => {
                    search.own.push(row);
                    seen.iter().for_each(|one| search.insert_seen(row, one));
                }
                Finder::Form { forms, check, near } => search.forms.insert(row, forms, *check, near),
                Finder::Number { judge, asked, near } => search.forms.insert_free(row, *judge, asked, near),
                Finder::Word { check, near } => search.words.insert(row, *check, near),
                Finder::Token { .. } => {}
            }
        }
        search
    }

    fn insert_seen(&mut self, row: usize, seen: &Seen) {
        match *seen {
            Seen::Name => self.named.insert(row),
            Seen::At(is_place) => self.at.push((row, is_place)),
            Seen::Base64(is_place) => self.in_base64.push((row, is_place)),
            Seen::Pass(pass) => self.passes.push((row, pass)),
            // `Tokens` have them.
            Seen::Words(..) => {}
        }
    }

    /// The rows that words may tell.
    pub(in crate::mask) const fn told(&self) -> Set {
        self.forms.told().union(self.words.rows())
    }

    /// Shows where in `bytes` anything may be, and what, in no order. `is_within`: something stands before them in their
    /// record that may tell of it.
    pub(in crate::mask) fn places(&self, bytes: &[u8], is_within: bool, mut visit: impl FnMut(usize, Signs)) {
        let mut first = First { search: self, bytes, is_within, free: 0, visit: &mut visit };
        scan::walk(bytes, self.tokens.fingerprints(), &mut first);
        let mut pass = |signs: Signs, pass: &dyn Fn(usize) -> Option<usize>| {
            let mut at = 0;
            while let Some(place) = pass(at) {
                visit(place, signs);
                at = place + 1;
            }
        };
        for (row, own) in &self.passes {
            pass(Signs::of(Set::of(*row)), &|at| own(bytes, at, &self.keys));
        }
        if self.base64 {
            pass(Signs::ESCAPES, &|at| encoded::seek(bytes, at));
        }
        self.words.places(bytes, |row, at| visit(at, Signs::of(Set::of(row))));
    }

    /// What `text` may hold, behind `before` of the same record.
    pub(in crate::mask) fn signs_in(&self, text: &str, before: &str) -> Signs {
        let mut all = Signs::default();
        self.places(text.as_bytes(), !before.is_empty(), |_, signs| all.add(signs));
        all
    }

    /// Whether it is worth a call to ask what the sign tells of: of most it is not.
    #[inline(always)]
    fn may_tell(&self, bytes: &[u8], place: Place) -> bool {
        match place.sign {
            Sign::Assignment => !self.named.is_empty() && may_be_name(bytes, place.start, &self.keys),
            Sign::Mark => self.tokens.may_begin(bytes, place.start),
            Sign::Stretch | Sign::Word | Sign::Code => self.forms.may_tell(bytes, place),
            Sign::At | Sign::Base64 | Sign::Escape | Sign::Lead => true,
        }
    }

    fn signs(&self, bytes: &[u8], place: Place, free: &mut usize) -> Signs {
        let at = place.start;
        let rows = |all: &[(usize, IsPlace)]| {
            let mut set = Set::NONE;
            all.iter().filter(|(_, is_place)| is_place(bytes, at)).for_each(|(row, _)| set.insert(*row));
            Signs::of(set)
        };
        match place.sign {
            Sign::Assignment if is_name(bytes, at, &self.keys) => Signs::of(self.named),
            Sign::Assignment => Signs::default(),
            Sign::Mark => Signs::of(self.tokens.seen(bytes, at, free)),
            Sign::At => rows(&self.at),
            Sign::Base64 => rows(&self.in_base64),
            Sign::Escape if wrappings::is_escape(bytes, at) => Signs::ESCAPES,
            Sign::Lead if wrappings::look_alike(bytes, at).is_some() => Signs::ESCAPES,
            // `Forms` tell of the last three, one by one.
            Sign::Escape | Sign::Lead | Sign::Stretch | Sign::Word | Sign::Code => Signs::default(),
        }
    }

    /// Adds the hits of the detectors of `set` in `text`; `before` is what stands before it in its record.
    pub(super) fn find(&self, text: &str, before: &str, set: Set, found: &mut Found) {
        for row in self.own.iter().filter(|row| set.contains(**row)) {
            if let Finder::Own { find, .. } = DETECTORS[*row].finder {
                found.begin(*row);
                find(text, &self.keys, found);
            }
        }
        if self.forms.rows().meets(set) {
            self.forms.find(text, before, found);
        }
        if self.words.rows().meets(set) {
            self.words.find(text, before, found);
        }
        if self.tokens.rows().meets(set) {
            self.tokens.find(text, found);
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
            misses::cards(text, row, visit);
        }
    }
}
