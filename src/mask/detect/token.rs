//! Secrets that are told by a published prefix, `ghp_`, and all other words that rows are told by. One pass for all of
//! them. Knows no vendor's rules.

use super::fingerprints::Fingerprints;
use super::{DETECTORS, Finder, Found, IsPlace, Seen, Set};

/// Where a token begins and ends whose prefix is at a place.
pub(in crate::mask) type Check = fn(bytes: &[u8], at: usize) -> Option<(usize, usize)>;

/// So many bytes of a word, which has no fewer, say in which group it is.
const HASHED: usize = 3;

/// Enough for a hundred words to be nearly alone.
const GROUPS: usize = 1024;

/// All words of rows that are on.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Those whose hits are tokens.
    rows: Set,
    fingerprints: Fingerprints,
    words: Vec<(&'static [u8], Told)>,
    /// By the hash of a word's first bytes: from which of `words` on its group is. Beside it, where that ends.
    groups: Box<[(u8, u8); GROUPS]>,
}

/// What a word tells of.
#[derive(Clone, Copy, Debug)]
enum Told {
    Token(usize, Check),
    Place(usize, IsPlace),
}

impl Tokens {
    pub(super) fn new(wanted: Set) -> Self {
        let (mut rows, mut words) = (Set::NONE, Vec::new());
        for (row, detector) in DETECTORS.iter().enumerate().filter(|&(row, _)| wanted.contains(row)) {
            match detector.finder {
                Finder::Token { prefixes, check } => {
                    rows.insert(row);
                    words.extend(prefixes.iter().map(|prefix| (prefix.as_bytes(), Told::Token(row, check))));
                }
                Finder::Own { seen, .. } => {
                    for one in seen {
                        if let Seen::Words(own, is_place) = one {
                            words.extend(own.iter().map(|word| (word.as_bytes(), Told::Place(row, *is_place))));
                        }
                    }
                }
                _ => {}
            }
        }
        words.sort_by_key(|(word, _)| (hash(word, 0), *word));
        let mut groups = Box::new([(0, 0); GROUPS]);
        let numbers = 0..u8::try_from(words.len()).expect("there are fewer than 256 words");
        for (number, (word, _)) in numbers.zip(&words) {
            let (from, to) = &mut groups[hash(word, 0).expect("no word is so short")];
            (*from, *to) = (if *to == 0 { number } else { *from }, number + 1);
        }
        let fingerprints = Fingerprints::new(words.iter().map(|(word, _)| *word));
        Self { rows, fingerprints, words, groups }
    }

    pub(super) const fn rows(&self) -> Set {
        self.rows
    }

    /// Where any of the words may begin.
    pub(super) fn fingerprints(&self) -> Option<&Fingerprints> {
        (!self.words.is_empty()).then_some(&self.fingerprints)
    }

    /// Whether any of the words may begin at `at`.
    #[inline(always)]
    pub(super) fn may_begin(&self, bytes: &[u8], at: usize) -> bool {
        hash(bytes, at).is_some_and(|hash| self.groups[hash].1 > 0)
    }

    /// The rows that may have a hit told by a word at `at`. Before `free`, which is moved, no token begins.
    pub(super) fn seen(&self, bytes: &[u8], at: usize, free: &mut usize) -> Set {
        let mut rows = Set::NONE;
        for told in self.at(bytes, at) {
            match *told {
                Told::Token(row, check) if at >= *free => {
                    if let Some((_, end)) = check(bytes, at) {
                        rows.insert(row);
                        *free = end;
                    }
                }
                Told::Place(row, is_place) if is_place(bytes, at) => rows.insert(row),
                _ => {}
            }
        }
        rows
    }

    /// Adds all tokens. Within one no other begins.
    pub(super) fn find(&self, text: &str, found: &mut Found) {
        let (bytes, mut free) = (text.as_bytes(), 0);
        self.fingerprints.places(bytes, |at| {
            let token = |told: &Told| match *told {
                Told::Token(row, check) => check(bytes, at).map(|(start, end)| (row, start, end)),
                Told::Place(..) => None,
            };
            if at < free {
                return;
            }
            if let Some((row, start, end)) = self.at(bytes, at).find_map(token) {
                found.begin(row);
                found.push(start, end);
                free = end;
            }
        });
    }

    /// What the words at `at` tell of.
    #[inline]
    fn at(&self, bytes: &[u8], at: usize) -> impl Iterator<Item = &Told> {
        let (from, to) = hash(bytes, at).map_or((0, 0), |hash| self.groups[hash]);
        let group = self.words[usize::from(from)..usize::from(to)].iter();
        group.filter(move |(word, _)| bytes[at..].starts_with(word)).map(|(_, told)| told)
    }
}

/// The group of what begins at `at`.
#[inline(always)]
fn hash(bytes: &[u8], at: usize) -> Option<usize> {
    let first: &[u8; HASHED] = bytes.get(at..)?.first_chunk()?;
    let number = u32::from_le_bytes([first[0], first[1], first[2], 0]);
    // By the golden ratio: Knuth, The Art of Computer Programming, 6.4.
    Some((number.wrapping_mul(0x9e37_79b9) >> (u32::BITS - GROUPS.ilog2())) as usize)
}
