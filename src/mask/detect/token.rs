//! Secrets that are told by a published prefix, `ghp_`. One pass for all prefixes. Knows no vendor's rules.

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::{DETECTORS, Finder, Found, Set};

/// Where a token begins and ends whose prefix is at a place.
pub(super) type Check = fn(bytes: &[u8], at: usize) -> Option<(usize, usize)>;

/// So many prefixes are sought by vector instructions; with more, the crate takes an automaton, which is slower by far.
const MOST_PREFIXES: usize = 32;

/// Some prefixes, of rows that are on.
#[derive(Debug)]
pub(super) struct Tokens {
    rows: Set,
    /// Row and check of each prefix, and of all that it begins with.
    by_prefix: Vec<Vec<(usize, Check)>>,
    prefixes: Option<AhoCorasick>,
}

impl Tokens {
    /// All prefixes, in as many parts as it takes.
    pub(super) fn all(wanted: Set) -> Vec<Self> {
        let mut all = Vec::new();
        for (row, detector) in DETECTORS.iter().enumerate().filter(|&(row, _)| wanted.contains(row)) {
            if let Finder::Token { prefixes, check } = detector.finder {
                all.extend(prefixes.iter().map(|prefix| (*prefix, row, check)));
            }
        }
        // Those that begin alike are in one part.
        all.sort_by_key(|(prefix, ..)| *prefix);
        all.chunks(MOST_PREFIXES).map(Self::new).collect()
    }

    fn new(all: &[(&'static str, usize, Check)]) -> Self {
        let mut rows = Set::default();
        all.iter().for_each(|(_, row, _)| rows.insert(*row));
        let begun = |whole: &str| {
            let parts = all.iter().filter(|(prefix, ..)| whole.starts_with(prefix));
            parts.map(|&(_, row, check)| (row, check)).collect()
        };
        let by_prefix = all.iter().map(|(prefix, ..)| begun(prefix)).collect();
        // "Leftmost" lets the crate search with vector instructions.
        let build = |all: &[(&str, usize, Check)]| {
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(all.iter().map(|(prefix, ..)| prefix))
        };
        let prefixes = (!all.is_empty()).then(|| build(all).expect("a few prefixes make a small automaton"));
        Self { rows, by_prefix, prefixes }
    }

    pub(super) const fn rows(&self) -> Set {
        self.rows
    }

    pub(super) fn seek(&self, bytes: &[u8], from: usize) -> Option<usize> {
        self.next(bytes, from).map(|(_, start, _)| start.max(from))
    }

    pub(super) fn find(&self, text: &str, found: &mut Found) {
        let mut at = 0;
        while let Some((row, start, end)) = self.next(text.as_bytes(), at) {
            found.begin(row);
            found.push(start, end);
            at = at.max(end);
        }
    }

    /// Row, start and end of the first token whose prefix is at or after `from`.
    fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, usize, usize)> {
        let prefixes = self.prefixes.as_ref()?;
        let mut at = from;
        loop {
            let hit = prefixes.find(Input::new(bytes).span(at.min(bytes.len())..bytes.len()))?;
            let judged =
                |&(row, check): &(usize, Check)| check(bytes, hit.start()).map(|(start, end)| (row, start, end));
            if let Some(token) = self.by_prefix[hit.pattern().as_usize()].iter().find_map(judged) {
                return Some(token);
            }
            // Another prefix may begin within this one.
            at = hit.start() + 1;
        }
    }
}
