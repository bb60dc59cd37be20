//! Numbers and words of a fixed form, `###-##-####`, proved by a check and by words before them; and numbers of a freer
//! form, proved by code. Three passes for all: over stretches of digits and what stands between them, over words with
//! digits in them, and over codes in groups; what is shorter is never looked at. Knows no country's rules.

use super::edges::{follows_escape, is_word, starts_word};
use super::near::Near;
use super::scan::{self, Class};
use super::{Found, Miss, Set, Why};

/// No form has more digits in a row.
const LONGEST_RUN: usize = 20;

/// No form has more digits and letters.
const LONGEST: usize = 32;

/// A form without a stretch of so many digits, and what stands between them, has a word of [`SHORTEST_WORD`].
const SHORTEST_STRETCH: usize = 6;

/// What may follow a run of digits: a space, one of `()*+,-./`, anything else.
const FOLLOWERS: usize = 10;

/// Letters and digits in a row.
const SHORTEST_WORD: usize = 9;

/// So many of them digits.
const WORD_DIGITS: usize = 2;

/// A longer word is no number of any kind.
const LONGEST_WORD: usize = 96;

/// A code in groups of capitals and digits has so many of them at least, with what stands between.
const SHORTEST_CODE: usize = 18;

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

/// Which runs of digits a [`Judge`] is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mask) enum Asked {
    /// All in a stretch.
    Stretch,
    /// All in a code in groups.
    Code,
    /// The first of a word of at least so many letters and digits.
    Word(usize),
}

/// The forms of all rows that are on.
#[derive(Debug)]
pub(super) struct Forms {
    rows: Set,
    /// Those that are told by a stretch, by the length of its first run of digits and what follows that.
    stretches: [[Vec<Form>; FOLLOWERS]; LONGEST_RUN + 1],
    /// Those that are told by a word, by its length.
    words: [Vec<Form>; LONGEST + 1],
    free: Vec<Free>,
    near: Vec<Near>,
}

#[derive(Debug)]
struct Form {
    row: usize,
    pattern: &'static [u8],
    /// Where in the pattern that begins by which it is told.
    anchor: usize,
    check: fn(&[u8]) -> bool,
    /// In `Forms::near`. None: it is sure, and its letters are capitals.
    near: Option<usize>,
}

#[derive(Debug)]
struct Free {
    row: usize,
    judge: Judge,
    asked: &'static [Asked],
    /// In `Forms::near`.
    near: Option<usize>,
}

/// Shows a row, the words that it needs, where a hit begins and ends.
type Show<'a> = dyn FnMut(usize, Option<usize>, usize, usize) + 'a;

impl Default for Forms {
    fn default() -> Self {
        let (stretches, words) = (Default::default(), std::array::from_fn(|_| Vec::new()));
        Self { rows: Set::default(), stretches, words, free: Vec::new(), near: Vec::new() }
    }
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
            let form = |anchor| Form { row, pattern, anchor, check, near };
            if let Some((start, end)) = first_run(pattern, SHORTEST_WORD, WORD_DIGITS, is_of_word) {
                self.words[end - start].push(form(start));
            } else if let Some((start, end)) = first_run(pattern, SHORTEST_STRETCH, SHORTEST_STRETCH, is_of_stretch) {
                let digit = start + pattern[start..end].iter().take_while(|&&class| !is_digit(class)).count();
                let run = pattern[digit..].iter().take_while(|&&class| is_digit(class)).count();
                self.stretches[run][follower(pattern.get(digit + run))].push(form(digit));
            } else {
                debug_assert!(false, "nothing tells of {pattern:?}");
            }
        }
    }

    /// Adds a row that has no fixed form.
    pub(super) fn insert_free(
        &mut self,
        row: usize,
        judge: Judge,
        asked: &'static [Asked],
        near: &'static [&'static str],
    ) {
        self.rows.insert(row);
        let near = self.insert_near(near);
        self.free.push(Free { row, judge, asked, near });
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

    /// The next hit that a stretch tells of, its telling words sought further away than [`Forms::find`] does.
    pub(super) fn seek_stretch(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(start) = next_stretch(bytes, at) {
            for run in runs(Class::Number, bytes, start) {
                at = run.1;
                let mut is_hit = false;
                self.in_run(bytes, run, &mut |_, near, begin, _| is_hit |= self.may_be(near, bytes, begin));
                if is_hit {
                    return Some(run.0);
                }
            }
        }
        None
    }

    /// The same for words.
    pub(super) fn seek_word(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let (start, end) = next_word(bytes, at)?;
            let mut is_hit = false;
            self.in_word(bytes, start, end, &mut |_, near, begin, _| is_hit |= self.may_be(near, bytes, begin));
            if is_hit {
                return Some(start);
            }
            at = end;
        }
    }

    /// The same for codes in groups.
    pub(super) fn seek_code(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(start) = scan::next_run(Class::Capital, bytes, at, SHORTEST_CODE) {
            at = start + SHORTEST_CODE;
            for run in runs(Class::Capital, bytes, start) {
                at = at.max(run.1);
                let mut is_hit = false;
                self.ask(bytes, run, is_code, &mut |_, near, begin, _| is_hit |= self.may_be(near, bytes, begin));
                if is_hit {
                    return Some(run.0);
                }
            }
        }
        None
    }

    fn may_be(&self, near: Option<usize>, bytes: &[u8], begin: usize) -> bool {
        near.is_none_or(|near| self.near[near].may_lead_to(bytes, begin))
    }

    /// All hits; `before` is what stands before `text` in its record.
    pub(super) fn find(&self, text: &str, before: &str, found: &mut Found) {
        let bytes = text.as_bytes();
        let mut show = |row, near: Option<usize>, begin, end| {
            if near.is_none_or(|near| self.near[near].leads_to(bytes, begin, before.as_bytes())) {
                if near.is_some() {
                    found.begin_told(row)
                } else {
                    found.begin(row)
                }
                found.push(begin, end);
            }
        };
        let mut at = 0;
        while let Some(start) = next_stretch(bytes, at) {
            for run in runs(Class::Number, bytes, start) {
                at = run.1;
                self.in_run(bytes, run, &mut show);
            }
        }
        at = 0;
        while let Some(start) = scan::next_run(Class::Capital, bytes, at, SHORTEST_CODE) {
            at = start + SHORTEST_CODE;
            for run in runs(Class::Capital, bytes, start) {
                at = at.max(run.1);
                self.ask(bytes, run, is_code, &mut show);
            }
        }
        at = 0;
        while let Some((start, end)) = next_word(bytes, at) {
            at = end;
            self.in_word(bytes, start, end, &mut show);
        }
    }

    /// The forms that a run of digits in a stretch may begin.
    fn of_run(&self, bytes: &[u8], (from, to): (usize, usize)) -> impl Iterator<Item = &Form> {
        let by_follower = self.stretches.get(to - from).map(|forms| &forms[follower(bytes.get(to))]);
        by_follower.into_iter().flatten()
    }

    /// What a run of digits in a stretch may be.
    fn in_run(&self, bytes: &[u8], (from, to): (usize, usize), show: &mut Show<'_>) {
        for form in self.of_run(bytes, (from, to)) {
            if let Some((begin, end)) = form.matched(bytes, from) {
                show(form.row, form.near, begin, end);
            }
        }
        self.ask(bytes, (from, to), |asked| asked == Asked::Stretch, show);
    }

    fn in_word(&self, bytes: &[u8], start: usize, end: usize, show: &mut Show<'_>) {
        // The letter of an escape before a word is none of its own.
        let start = if follows_escape(bytes, start + 1) { start + 1 } else { start };
        for form in self.words.get(end - start).into_iter().flatten() {
            if let Some((begin, end)) = form.matched(bytes, start) {
                show(form.row, form.near, begin, end);
            }
        }
        if let Some(digits) = next_digits(bytes, start, end) {
            self.ask(bytes, digits, |asked| matches!(asked, Asked::Word(least) if end - start >= least), show);
        }
    }

    fn ask(&self, bytes: &[u8], (start, end): (usize, usize), is_asked: impl Fn(Asked) -> bool, show: &mut Show<'_>) {
        for free in self.free.iter().filter(|free| free.asked.iter().any(|asked| is_asked(*asked))) {
            if let Some(number) = (free.judge)(bytes, start, end) {
                let near = if number.is_sure { None } else { free.near };
                show(free.row, near, number.begin, number.end);
            }
        }
    }

    /// What has a row's form, and either the check or a telling word, but not both.
    pub(super) fn misses(&self, text: &str, visit: &mut dyn FnMut(Miss)) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(start) = next_stretch(bytes, at) {
            for run in runs(Class::Number, bytes, start) {
                at = run.1;
                self.of_run(bytes, run).for_each(|form| self.miss_of_form(bytes, form, run.0, visit));
                self.misses_of_free(bytes, run, |asked| asked == Asked::Stretch, visit);
            }
        }
        at = 0;
        while let Some(start) = scan::next_run(Class::Capital, bytes, at, SHORTEST_CODE) {
            at = start + SHORTEST_CODE;
            for run in runs(Class::Capital, bytes, start) {
                at = at.max(run.1);
                self.misses_of_free(bytes, run, is_code, visit);
            }
        }
        at = 0;
        while let Some((start, end)) = next_word(bytes, at) {
            at = end;
            self.misses_of_word(bytes, start, end, visit);
        }
    }

    fn misses_of_word(&self, bytes: &[u8], start: usize, end: usize, visit: &mut dyn FnMut(Miss)) {
        let start = if follows_escape(bytes, start + 1) { start + 1 } else { start };
        let forms = self.words.get(end - start).into_iter().flatten();
        forms.for_each(|form| self.miss_of_form(bytes, form, start, visit));
        if let Some(digits) = next_digits(bytes, start, end) {
            let is_asked = |asked| matches!(asked, Asked::Word(least) if end - start >= least);
            self.misses_of_free(bytes, digits, is_asked, visit);
        }
    }

    fn miss_of_form(&self, bytes: &[u8], form: &Form, at: usize, visit: &mut dyn FnMut(Miss)) {
        let Some((begin, end, plain, length)) = form.fitting(bytes, at) else { return };
        let why = match ((form.check)(&plain[..length]), self.is_led_to(form.near, bytes, begin)) {
            (false, true) => Why::Check,
            (true, false) => Why::Word,
            _ => return,
        };
        visit(Miss { row: form.row, at: begin..end, why });
    }

    /// What no form has, its judge has judged whole: only its word can be lacking.
    fn misses_of_free(
        &self,
        bytes: &[u8],
        digits: (usize, usize),
        is_asked: impl Fn(Asked) -> bool,
        visit: &mut dyn FnMut(Miss),
    ) {
        self.ask(bytes, digits, is_asked, &mut |row, near, begin, end| {
            if !self.is_led_to(near, bytes, begin) {
                visit(Miss { row, at: begin..end, why: Why::Word });
            }
        });
    }

    fn is_led_to(&self, near: Option<usize>, bytes: &[u8], begin: usize) -> bool {
        near.is_none_or(|near| self.near[near].leads_to(bytes, begin, &[]))
    }
}

/// Where the next stretch with enough digits to be a number begins.
fn next_stretch(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let start = scan::next_run(Class::Number, bytes, at, SHORTEST_STRETCH)?;
        let stretch = bytes[start..].iter().take_while(|&&byte| Class::Number.has(byte));
        let mut digits = 0;
        let few = stretch.take_while(|byte| {
            digits += usize::from(byte.is_ascii_digit());
            digits < SHORTEST_STRETCH
        });
        at = start + few.count();
        if digits == SHORTEST_STRETCH {
            return Some(start);
        }
    }
}

fn follower(byte: Option<&u8>) -> usize {
    match byte {
        Some(b' ') => 0,
        Some(mark @ b'('..=b'/') => usize::from(mark - b'(') + 1,
        _ => FOLLOWERS - 1,
    }
}

/// The runs of digits in the run of `class` that begins at `start`.
fn runs(class: Class, bytes: &[u8], start: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut at = start;
    std::iter::from_fn(move || {
        let others = bytes[at..].iter().take_while(|&&byte| class.has(byte) && !byte.is_ascii_digit()).count();
        let from = at + others;
        at = from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (at > from).then_some((from, at))
    })
}

fn is_code(asked: Asked) -> bool {
    asked == Asked::Code
}

/// The next word of letters and digits.
fn next_word(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let start = scan::next_run(Class::Word, bytes, at, SHORTEST_WORD)?;
        let end = start + bytes[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let digits = bytes[start..end].iter().filter(|byte| byte.is_ascii_digit()).take(WORD_DIGITS);
        if end - start <= LONGEST_WORD && digits.count() == WORD_DIGITS {
            return Some((start, end));
        }
        at = end;
    }
}

/// The next run of digits that begins in `from..until`.
fn next_digits(bytes: &[u8], from: usize, until: usize) -> Option<(usize, usize)> {
    let start = from + bytes.get(from..until)?.iter().position(u8::is_ascii_digit)?;
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some((start, start + length))
}

/// The first run of at least so many classes of a kind in a pattern, so many of them digits.
fn first_run(pattern: &[u8], least: usize, digits: usize, is_of_kind: fn(u8) -> bool) -> Option<(usize, usize)> {
    let mut start = 0;
    for (at, &class) in pattern.iter().chain(&[0]).enumerate() {
        if !is_of_kind(class) {
            let count = pattern[start..at].iter().filter(|&&class| is_digit(class)).count();
            if at - start >= least && count >= digits {
                return Some((start, at));
            }
            start = at + 1;
        }
    }
    None
}

const fn is_of_word(class: u8) -> bool {
    matches!(class, b'#' | b'A' | b'*')
}

const fn is_of_stretch(class: u8) -> bool {
    is_digit(class) || matches!(class, b' ' | b'('..=b'/')
}

/// Where a letter may stand for a digit, it seldom does.
const fn is_digit(class: u8) -> bool {
    matches!(class, b'#' | b'*')
}

impl Form {
    /// Where it begins and ends if what tells of it is at `start`, and the check holds.
    fn matched(&self, bytes: &[u8], start: usize) -> Option<(usize, usize)> {
        let (begin, end, plain, length) = self.fitting(bytes, start)?;
        (self.check)(&plain[..length]).then_some((begin, end))
    }

    /// The same whatever the check says, with what it is to judge.
    fn fitting(&self, bytes: &[u8], start: usize) -> Option<(usize, usize, [u8; LONGEST], usize)> {
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
