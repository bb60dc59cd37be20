//! One form of a number or word, `###-##-####`: what tells of it, and whether a text has it. Knows no country's rules.

use super::edges::{follows_escape, is_word, starts_word};

/// No form has more digits and letters.
pub(super) const LONGEST: usize = 32;

#[derive(Debug)]
pub(super) struct Form {
    pub(super) row: usize,
    pattern: &'static [u8],
    /// Where in the pattern that begins by which it is told.
    anchor: usize,
    /// It has nothing but digits.
    is_bare: bool,
    /// What tells of it has digits in these places, a bit for each from there on;
    digits: u64,
    /// and none in the others of these.
    told: u64,
    pub(super) check: fn(&[u8]) -> bool,
    /// In `Forms::near`. None: it is sure, and its letters are capitals.
    pub(super) near: Option<usize>,
}

impl Form {
    /// `anchor`: where in the pattern that begins by which it is told, and so much of that as is in any one place a digit or
    /// none.
    pub(super) fn new(
        row: usize,
        pattern: &'static [u8],
        (anchor, told): (usize, &[u8]),
        check: fn(&[u8]) -> bool,
        near: Option<usize>,
    ) -> Self {
        let bits =
            |is_meant: fn(u8) -> bool| told.iter().rev().fold(0, |bits, &class| bits << 1 | u64::from(is_meant(class)));
        let (digits, told) = (bits(|class| class == b'#'), bits(|class| class != b'*'));
        let is_bare = pattern.iter().all(|&class| class == b'#');
        Self { row, pattern, anchor, is_bare, digits, told, check, near }
    }

    /// Whether digits are where it has them. Nobody knows where they are in what is very long.
    #[inline]
    pub(super) fn may_have(&self, digits: Option<u64>) -> bool {
        digits.is_none_or(|digits| digits & self.told == self.digits)
    }

    /// Whether what tells of it, at `start`, is where it begins, or has before it what it must have. `begins`: the former
    /// is so for anything.
    #[inline]
    pub(super) fn may_begin(&self, bytes: &[u8], start: usize, begins: bool) -> bool {
        match self.anchor.checked_sub(1) {
            None => begins,
            Some(before) => start > 0 && is_of(bytes[start - 1], self.pattern[before]),
        }
    }

    /// Where it begins and ends if what tells of it is at `start`, and the check holds.
    pub(super) fn matched(&self, bytes: &[u8], start: usize) -> Option<(usize, usize)> {
        if self.is_bare {
            // What tells of it are its digits, and nothing else.
            let end = start + self.pattern.len();
            let is_hit = begins_apart(bytes, start) && ends_apart(bytes, end) && (self.check)(&bytes[start..end]);
            return is_hit.then_some((start, end));
        }
        let (begin, end, plain, length) = self.fitting(bytes, start)?;
        (self.check)(&plain[..length]).then_some((begin, end))
    }

    /// The same whatever the check says, with what it is to judge.
    pub(super) fn fitting(&self, bytes: &[u8], start: usize) -> Option<(usize, usize, [u8; LONGEST], usize)> {
        let begin = start.checked_sub(self.anchor)?;
        let text = bytes.get(begin..begin + self.pattern.len())?;
        if !text.iter().zip(self.pattern).all(|(&byte, &class)| is_of(byte, class)) {
            return None;
        }
        let end = begin + text.len();
        if !begins_apart(bytes, begin) || !ends_apart(bytes, end) {
            return None;
        }
        if self.near.is_none() && text.iter().any(u8::is_ascii_lowercase) {
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

/// The first run of at least so many classes of a kind in a pattern, so many of them digits.
pub(super) fn first_run(pattern: &[u8], least: u32, digits: u32, is_of_kind: fn(u8) -> bool) -> Option<(usize, usize)> {
    let mut start = 0;
    for (at, &class) in pattern.iter().chain(&[0]).enumerate() {
        if !is_of_kind(class) {
            let count = pattern[start..at].iter().filter(|&&class| is_digit(class)).count();
            if at - start >= least as usize && count >= digits as usize {
                return Some((start, at));
            }
            start = at + 1;
        }
    }
    None
}

pub(super) const fn is_of_word(class: u8) -> bool {
    matches!(class, b'#' | b'A' | b'*')
}

pub(super) const fn is_of_stretch(class: u8) -> bool {
    is_digit(class) || matches!(class, b' ' | b'('..=b'/')
}

/// Where a letter may stand for a digit, it seldom does.
pub(super) const fn is_digit(class: u8) -> bool {
    matches!(class, b'#' | b'*')
}

/// Not in a word, and not the rest of a longer number, version, or id with dashes.
pub(super) fn begins_apart(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    match bytes[before] {
        b'-' | b'.' => before == 0 || !bytes[before - 1].is_ascii_alphanumeric() || follows_escape(bytes, before),
        byte => !is_word(byte) || byte >= 0x80 || starts_word(bytes, at),
    }
}

/// The same for its end.
pub(super) fn ends_apart(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        Some(b'-' | b'.') => bytes.get(at + 1).is_none_or(|byte| !byte.is_ascii_alphanumeric()),
        Some(byte) => !byte.is_ascii_alphanumeric() && *byte != b'_',
        None => true,
    }
}
