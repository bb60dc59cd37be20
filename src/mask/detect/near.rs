//! Words that tell what a number is, `ИНН`, `passport`, and whether one belongs to a number. Knows no detector.

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memchr;

use super::edges::{ends_word, starts_word};
use super::{is_tag, pseudonym};

/// How many bytes before a hit its telling word may begin.
pub(in crate::mask) const NEAR: usize = 48;

/// The first look sees escapes, which make a text longer.
pub(super) const NEAR_ESCAPED: usize = 4 * NEAR;

/// The longest tag.
const LONGEST_TAG: usize = 32;

/// Telling words.
#[derive(Debug)]
pub(super) struct Near(AhoCorasick);

impl Near {
    /// Finds any of `words`, which are in lower case, in the cases that people write.
    pub(super) fn new(words: &[&str]) -> Self {
        let built = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(words.iter().flat_map(|word| joined(word)).flat_map(|word| cased(&word)));
        Self(built.expect("a few words make a small automaton"))
    }

    /// Where the words in `bytes[from..to]` end that are whole words, and not a tag's or a pseudonym's.
    pub(super) fn ends(&self, bytes: &[u8], from: usize, to: usize) -> impl Iterator<Item = usize> {
        self.0.find_overlapping_iter(&bytes[from..to]).filter_map(move |hit| {
            let (start, end) = (from + hit.start(), from + hit.end());
            (is_whole(bytes, start, end) && !is_of_tag(bytes, end) && !pseudonym::names(bytes, end)).then_some(end)
        })
    }

    /// Whether a word before `at` belongs to what begins there. `outside` is what stands before `bytes` in the record.
    pub(super) fn leads_to(&self, bytes: &[u8], at: usize, outside: &[u8]) -> bool {
        let marks = marks(&bytes[at.saturating_sub(NEAR)..at]);
        self.ends(bytes, at.saturating_sub(NEAR), at).any(|end| self::marks(&bytes[end..at]) <= 1)
            || at < NEAR
                && self
                    .ends(outside, outside.len().saturating_sub(NEAR - at), outside.len())
                    .any(|end| self::marks(&outside[end..]) + marks <= 1)
    }

    /// The same for the first look, which also takes what only may belong.
    pub(super) fn may_lead_to(&self, bytes: &[u8], at: usize) -> bool {
        let (near, wide) = (at.saturating_sub(NEAR), at.saturating_sub(NEAR_ESCAPED));
        let has_escapes = memchr(b'\\', &bytes[wide..at]).is_some();
        self.ends(bytes, if has_escapes { wide } else { near }, at).next().is_some()
    }
}

/// A word of several parts may also be a name, `tax_id`, `taxId`.
fn joined(word: &str) -> impl Iterator<Item = String> {
    let marks: &[&str] = if word.contains(' ') { &[" ", "_", "-", ""] } else { &[" "] };
    marks.iter().map(|mark| word.replace(' ', mark))
}

fn cased(word: &str) -> [String; 3] {
    let mut letters = word.chars();
    let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    [word.to_uppercase(), title, word.to_owned()]
}

fn is_whole(bytes: &[u8], start: usize, end: usize) -> bool {
    starts_word(bytes, start) && (ends_word(bytes, end) || bytes[end].is_ascii_digit() || starts_word(bytes, end))
}

/// Whether a word that ends at `end` is a tag's: what was masked must not tell of its neighbours, or masking twice would
/// mask more.
fn is_of_tag(bytes: &[u8], end: usize) -> bool {
    let length = bytes[end..].iter().take(LONGEST_TAG).position(|&byte| byte == b']');
    let Some(close) = length.map(|length| end + length + 1) else { return false };
    let within = &bytes[close.saturating_sub(LONGEST_TAG)..close];
    within.iter().rposition(|&byte| byte == b'[').is_some_and(|open| is_tag(&within[open..]))
}

/// How often something is assigned, `=`, `:`, `:=`: the word of one value is not the next one's.
fn marks(bytes: &[u8]) -> usize {
    let is_mark = |byte: u8| matches!(byte, b'=' | b':');
    (0..bytes.len()).filter(|&at| is_mark(bytes[at]) && (at == 0 || !is_mark(bytes[at - 1]))).count()
}
