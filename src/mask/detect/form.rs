//! Numbers and words of a fixed form, `###-##-####`, proved by a check and by words before them; and numbers of a freer
//! form, proved by code. One pass for all: each run of digits is compared with the forms whose first run is as long.
//! Knows no country's rules.

use super::edges::{is_word, starts_word};
use super::near::Near;
use super::{Found, Set};

/// No form has more digits in a row.
const LONGEST_RUN: usize = 20;

/// No form has more digits and letters.
const LONGEST: usize = 32;

/// Judges what has its first run of digits at `start..end`. Looks at a bounded stretch only.
pub(in crate::mask) type Judge = fn(bytes: &[u8], start: usize, end: usize) -> Option<Number>;

/// A number of free form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mask) struct Number {
    pub(in crate::mask) begin: usize,
    pub(in crate::mask) end: usize,
    /// It needs no word before it.
    pub(in crate::mask) is_sure: bool,
}

/// The forms of all rows that are on.
#[derive(Debug, Default)]
pub(super) struct Forms {
    rows: Set,
    /// By the length of the first run of digits.
    by_run: [Vec<Form>; LONGEST_RUN + 1],
    free: Vec<Free>,
    near: Vec<Near>,
}

#[derive(Debug)]
struct Form {
    row: usize,
    pattern: &'static [u8],
    /// Where in the pattern the first digit is.
    first_digit: usize,
    /// Where the first digits end.
    run_end: usize,
    check: fn(&[u8]) -> bool,
    /// In `Forms::near`. None: it is sure, and its letters are capitals.
    near: Option<usize>,
}

#[derive(Debug)]
struct Free {
    row: usize,
    judge: Judge,
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
        let near = self.insert_near(near);
        for form in forms {
            let (pattern, near) = form.strip_prefix('!').map_or((*form, near), |sure| (sure, None));
            let pattern = pattern.as_bytes();
            let first_digit = pattern.iter().take_while(|&&class| class != b'#').count();
            let run = pattern[first_digit..].iter().take_while(|&&class| class == b'#').count();
            self.by_run[run].push(Form { row, pattern, first_digit, run_end: first_digit + run, check, near });
        }
    }

    /// Adds a row that has no fixed form.
    pub(super) fn insert_free(&mut self, row: usize, judge: Judge, near: &'static [&'static str]) {
        self.rows.insert(row);
        let near = self.insert_near(near);
        self.free.push(Free { row, judge, near });
    }

    fn insert_near(&mut self, words: &'static [&'static str]) -> Option<usize> {
        (!words.is_empty()).then(|| {
            self.near.push(Near::new(words));
            self.near.len() - 1
        })
    }

    pub(super) const fn rows(&self) -> Set {
        self.rows
    }

    /// The next hit, its telling words sought in a wider stretch than [`Forms::find`] does.
    pub(super) fn seek(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let (start, end) = next_run(bytes, at)?;
            let mut is_hit = false;
            self.visit(bytes, start, end, |_, near, begin, _| {
                is_hit |= near.is_none_or(|near| self.near[near].may_lead_to(bytes, begin));
            });
            // The place is a digit of it: of the same string, whatever stands before.
            if is_hit {
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
            self.visit(bytes, start, end, |row, near, begin, end| {
                if near.is_none_or(|near| self.near[near].leads_to(bytes, begin, before.as_bytes())) {
                    if near.is_some() {
                        found.begin_told(row)
                    } else {
                        found.begin(row)
                    }
                    found.push(begin, end);
                    at = at.max(end);
                }
            });
        }
    }

    /// Shows all that a run of digits begins: its row, the words that it needs, where it begins and ends.
    fn visit(&self, bytes: &[u8], start: usize, end: usize, mut show: impl FnMut(usize, Option<usize>, usize, usize)) {
        for form in self.by_run.get(end - start).into_iter().flatten() {
            if let Some((begin, end)) = form.matched(bytes, start) {
                show(form.row, form.near, begin, end);
            }
        }
        for free in &self.free {
            if let Some(number) = (free.judge)(bytes, start, end) {
                let near = if number.is_sure { None } else { free.near };
                show(free.row, near, number.begin, number.end);
            }
        }
    }
}

impl Form {
    /// Where it begins and ends if its first digit is at `start`, and the check holds.
    fn matched(&self, bytes: &[u8], start: usize) -> Option<(usize, usize)> {
        let begin = start.checked_sub(self.first_digit)?;
        let text = bytes.get(begin..begin + self.pattern.len())?;
        // Most forms already differ right behind the digits.
        if self.pattern.get(self.run_end).is_some_and(|&class| !is_of(text[self.run_end], class)) {
            return None;
        }
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
        (self.check)(&plain[..length]).then_some((begin, end))
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
pub(super) fn begins_apart(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    match bytes[before] {
        b'-' | b'.' => before == 0 || !bytes[before - 1].is_ascii_alphanumeric(),
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
