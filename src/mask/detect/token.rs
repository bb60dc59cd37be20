//! Secrets that are told by a published prefix, `ghp_`, and all other words that rows are told by. One pass for up to
//! thirty-two of them. Knows no vendor's rules.

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::{DETECTORS, Finder, Found, IsPlace, Seen, Set};

/// Where a token begins and ends whose prefix is at a place.
pub(in crate::mask) type Check = fn(bytes: &[u8], at: usize) -> Option<(usize, usize)>;

/// So many words are sought by vector instructions; with more, the crate takes an automaton, which is slower by far.
const MOST_WORDS: usize = 32;

/// Some words, of rows that are on.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Those whose hits are tokens.
    rows: Set,
    /// What each word, and all that it begins with, may be.
    by_word: Vec<Vec<Told>>,
    words: AhoCorasick,
}

/// What a word tells of.
#[derive(Clone, Copy, Debug)]
enum Told {
    Token(usize, Check),
    Place(usize, IsPlace),
}

impl Tokens {
    /// All words, in as many parts as it takes.
    pub(super) fn all(wanted: Set) -> Vec<Self> {
        let mut all: Vec<(&str, Told)> = Vec::new();
        for (row, detector) in DETECTORS.iter().enumerate().filter(|&(row, _)| wanted.contains(row)) {
            match detector.finder {
                Finder::Token { prefixes, check } => {
                    all.extend(prefixes.iter().map(|prefix| (*prefix, Told::Token(row, check))));
                }
                Finder::Own { seen, .. } => {
                    for one in seen {
                        if let Seen::Words(words, is_place) = one {
                            all.extend(words.iter().map(|word| (*word, Told::Place(row, *is_place))));
                        }
                    }
                }
                _ => {}
            }
        }
        // Those that begin alike are in one part. The shortest say how much of all others the first look takes in.
        all.sort_by_key(|(word, _)| (word.len() > 3, *word));
        all.chunks(MOST_WORDS).map(Self::new).collect()
    }

    fn new(all: &[(&'static str, Told)]) -> Self {
        let mut rows = Set::default();
        all.iter().for_each(|(_, told)| {
            if let Told::Token(row, _) = told {
                rows.insert(*row);
            }
        });
        let begun = |whole: &str| {
            let parts = all.iter().filter(|(word, _)| whole.starts_with(word));
            parts.map(|(_, told)| *told).collect()
        };
        let by_word = all.iter().map(|(word, _)| begun(word)).collect();
        // "Leftmost" lets the crate search with vector instructions.
        let words = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(all.iter().map(|(word, _)| word))
            .expect("a few words make a small automaton");
        Self { rows, by_word, words }
    }

    pub(super) const fn rows(&self) -> Set {
        self.rows
    }

    /// Shows where a row may have a hit.
    pub(super) fn places(&self, bytes: &[u8], mut visit: impl FnMut(usize, usize)) {
        self.each(bytes, |told, at| match *told {
            Told::Token(row, check) => {
                if let Some((start, end)) = check(bytes, at) {
                    visit(row, start);
                    return Some(end);
                }
                None
            }
            Told::Place(row, is_place) => {
                if is_place(bytes, at) {
                    visit(row, at);
                }
                None
            }
        });
    }

    /// Adds all tokens.
    pub(super) fn find(&self, text: &str, found: &mut Found) {
        let bytes = text.as_bytes();
        self.each(bytes, |told, at| {
            let Told::Token(row, check) = *told else { return None };
            let (start, end) = check(bytes, at)?;
            found.begin(row);
            found.push(start, end);
            Some(end)
        });
    }

    /// Shows all words until `judge` says how far one goes; then on from there.
    fn each(&self, bytes: &[u8], mut judge: impl FnMut(&Told, usize) -> Option<usize>) {
        let mut at = 0;
        while at < bytes.len() {
            let Some(hit) = self.words.find(Input::new(bytes).span(at..bytes.len())) else { return };
            let all = &self.by_word[hit.pattern().as_usize()];
            let end = all.iter().find_map(|told| judge(told, hit.start()));
            // Another word may begin within this one.
            at = end.unwrap_or(0).max(hit.start() + 1);
        }
    }
}
