//! Secrets that are told by a published prefix, `ghp_`. One pass for all prefixes. Knows no vendor's rules.

use aho_corasick::{AhoCorasick, MatchKind};

use super::{DETECTORS, Finder, Found, Set};

/// Where a token begins and ends whose prefix is at a place.
pub(in crate::mask) type Check = fn(bytes: &[u8], at: usize) -> Option<(usize, usize)>;

/// The prefixes of all rows that are on.
#[derive(Debug)]
pub(super) struct Tokens {
    rows: Set,
    /// Row and check of each prefix.
    by_prefix: Vec<(usize, Check)>,
    prefixes: Option<AhoCorasick>,
}

impl Tokens {
    pub(super) fn new(wanted: Set) -> Self {
        let (mut rows, mut by_prefix, mut all) = (Set::default(), Vec::new(), Vec::new());
        for (row, detector) in DETECTORS.iter().enumerate().filter(|&(row, _)| wanted.contains(row)) {
            if let Finder::Token { prefixes, check } = detector.finder {
                rows.insert(row);
                all.extend(prefixes);
                by_prefix.extend(prefixes.iter().map(|_| (row, check as Check)));
            }
        }
        // "Leftmost" lets the crate search with vector instructions.
        let build = |all: &Vec<&str>| AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(all);
        let prefixes = (!all.is_empty()).then(|| build(&all).expect("a few prefixes make a small automaton"));
        Self { rows, by_prefix, prefixes }
    }

    pub(super) const fn rows(&self) -> Set {
        self.rows
    }

    pub(super) fn seek(&self, bytes: &[u8], from: usize) -> Option<usize> {
        self.hits(bytes, from).map(|(_, start, _)| start).next()
    }

    pub(super) fn find(&self, text: &str, found: &mut Found) {
        for (row, start, end) in self.hits(text.as_bytes(), 0) {
            found.begin(row);
            found.push(start, end);
        }
    }

    /// Row, start and end of each token whose prefix is at or after `from`.
    fn hits(&self, bytes: &[u8], from: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let prefixes = self.prefixes.iter().flat_map(move |prefixes| prefixes.find_iter(&bytes[from..]));
        prefixes.filter_map(move |hit| {
            let (row, check) = self.by_prefix[hit.pattern().as_usize()];
            check(bytes, from + hit.start()).map(|(start, end)| (row, start, end))
        })
    }
}
