//! Numbers and words of a fixed form, `###-##-####`, proved by a check and by words before them. One pass for all: each
//! run of digits is compared with the forms whose first run is as long. Knows no country's rules.

use aho_corasick::{AhoCorasick, MatchKind};

use super::edges::{ends_word, is_word, starts_word};
use super::{Found, Miss, Set, Why};

/// How many bytes before a hit its telling word may begin.
pub(super) const NEAR: usize = 48;

/// The first look sees escapes, which make a text longer.
const NEAR_ESCAPED: usize = 4 * NEAR;

/// No form has more digits in a row.
const LONGEST_RUN: usize = 20;

/// No form has more digits and letters.
const LONGEST: usize = 32;

/// The forms of all rows that are on.
#[derive(Debug, Default)]
pub(super) struct Forms {
    rows: Set,
    /// By the length of the first run of digits.
    by_run: [Vec<Form>; LONGEST_RUN + 1],
    near: Vec<AhoCorasick>,
}

#[derive(Debug)]
struct Form {
    row: usize,
    pattern: &'static [u8],
    /// Where in the pattern the first digit is.
    first_digit: usize,
    check: fn(&[u8]) -> bool,
    /// In `Forms::near`.
    near: Option<usize>,
}

impl Forms {
    /// Adds a row's forms.
    pub(super) fn insert(
        &mut self,
        row: usize,
        forms: &'static [&'static str],
        check: fn(&[u8]) -> bool,
        near: &'static [&'static str],
    ) {
        self.rows.insert(row);
        let near = (!near.is_empty()).then(|| {
            self.near.push(any_of(near));
            self.near.len() - 1
        });
        for pattern in forms.iter().map(|form| form.as_bytes()) {
            let first_digit = pattern.iter().take_while(|&&class| class != b'#').count();
            let run = pattern[first_digit..].iter().take_while(|&&class| class == b'#').count();
            self.by_run[run].push(Form { row, pattern, first_digit, check, near });
        }
    }

    pub(super) const fn rows(&self) -> Set {
        self.rows
    }

    /// The next hit, its telling words sought in a wider stretch than [`Forms::find`] does.
    pub(super) fn seek(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let (start, end) = next_run(bytes, at)?;
            let is_hit = |form: &&Form| {
                form.matched(bytes, start)
                    .is_some_and(|(begin, _)| self.is_near(form, &[&bytes[begin.saturating_sub(NEAR_ESCAPED)..begin]]))
            };
            // The place is a digit of it: of the same string, whatever stands before.
            if self.by_run.get(end - start).is_some_and(|forms| forms.iter().any(|form| is_hit(&form))) {
                return Some(start);
            }
            at = end;
        }
    }

    /// All hits; `before` is what stands before `text` in its record.
    pub(super) fn find(&self, text: &str, before: &str, found: &mut Found) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some((start, end)) = next_run(bytes, at) {
            at = end;
            for form in self.by_run.get(end - start).into_iter().flatten() {
                let Some((begin, end)) = form.matched(bytes, start) else { continue };
                let within = &bytes[begin.saturating_sub(NEAR)..begin];
                let before = before.as_bytes();
                let outside = &before[before.len().saturating_sub(NEAR - within.len())..];
                if self.is_near(form, &[within, outside]) {
                    found.begin(form.row);
                    found.push(begin, end);
                    at = at.max(end);
                }
            }
        }
    }

    /// What has a row's form, and either the check or a telling word, but not both.
    pub(super) fn misses(&self, text: &str, visit: &mut dyn FnMut(Miss)) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some((start, end)) = next_run(bytes, at) {
            at = end;
            for form in self.by_run.get(end - start).into_iter().flatten() {
                let Some((begin, end, plain, length)) = form.fitting(bytes, start) else { continue };
                let is_near = self.is_near(form, &[&bytes[begin.saturating_sub(NEAR)..begin]]);
                let why = match ((form.check)(&plain[..length]), is_near) {
                    (false, true) => Why::Check,
                    (true, false) => Why::Word,
                    _ => continue,
                };
                visit(Miss { row: form.row, at: begin..end, why });
            }
        }
    }

    /// Whether a telling word of `form` is in one of `stretches`.
    fn is_near(&self, form: &Form, stretches: &[&[u8]]) -> bool {
        let Some(near) = form.near else { return true };
        let is_whole = |stretch: &[u8], start: usize, end: usize| {
            starts_word(stretch, start)
                && (ends_word(stretch, end) || stretch[end].is_ascii_digit() || starts_word(stretch, end))
        };
        stretches.iter().any(|stretch| {
            self.near[near].find_overlapping_iter(*stretch).any(|hit| is_whole(stretch, hit.start(), hit.end()))
        })
    }
}

impl Form {
    /// Where it begins and ends if its first digit is at `start`, and the check holds.
    fn matched(&self, bytes: &[u8], start: usize) -> Option<(usize, usize)> {
        let (begin, end, plain, length) = self.fitting(bytes, start)?;
        (self.check)(&plain[..length]).then_some((begin, end))
    }

    /// The same whatever the check says, with what it is to judge.
    fn fitting(&self, bytes: &[u8], start: usize) -> Option<(usize, usize, [u8; LONGEST], usize)> {
        let begin = start.checked_sub(self.first_digit)?;
        let text = bytes.get(begin..begin + self.pattern.len())?;
        if !text.iter().zip(self.pattern).all(|(&byte, &class)| is_of(byte, class)) {
            return None;
        }
        let end = begin + text.len();
        if !begins_apart(bytes, begin) || !ends_apart(bytes, end) {
            return None;
        }
        let mut plain = [0; LONGEST];
        let mut length = 0;
        for (&byte, _) in text.iter().zip(self.pattern).filter(|(_, class)| matches!(class, b'#' | b'A' | b'*')) {
            plain[length] = byte.to_ascii_uppercase();
            length += 1;
        }
        Some((begin, end, plain, length))
    }
}

fn is_of(byte: u8, class: u8) -> bool {
    match class {
        b'#' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_alphabetic(),
        b'*' => byte.is_ascii_alphanumeric(),
        itself => byte == itself,
    }
}

/// The next run of digits that begins at or after `from`.
fn next_run(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let start = from + bytes.get(from..)?.iter().position(u8::is_ascii_digit)?;
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some((start, start + length))
}

/// Not in a word, and not the rest of a longer number, version, or id with dashes.
fn begins_apart(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    match bytes[before] {
        b'-' | b'.' => before == 0 || !bytes[before - 1].is_ascii_alphanumeric(),
        byte => !is_word(byte) || byte >= 0x80 || starts_word(bytes, at),
    }
}

fn ends_apart(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        Some(b'-' | b'.') => bytes.get(at + 1).is_none_or(|byte| !byte.is_ascii_alphanumeric()),
        Some(byte) => !byte.is_ascii_alphanumeric() && *byte != b'_',
        None => true,
    }
}

/// Finds any of `words`, which are in lower case, in the cases that people write.
fn any_of(words: &[&str]) -> AhoCorasick {
    let cased = words.iter().flat_map(|word| {
        let mut letters = word.chars();
        let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        [word.to_uppercase(), title, (*word).to_owned()]
    });
    let built = AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(cased);
    built.expect("a few words make a small automaton")
}
