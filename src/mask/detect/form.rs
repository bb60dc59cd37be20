//! Numbers and words of a fixed form, `###-##-####`, proved by a check and by words before them; and numbers of a freer
//! form, proved by code. Told by stretches of digits and what stands between them, by words with digits in them, and by
//! the beginnings of codes in groups. Knows no country's rules.

use super::edges::follows_escape;
use super::near::{NEAR, Near};
use super::pattern::{Form, LONGEST, begins_apart, first_run, is_digit, is_of_stretch, is_of_word};
use super::runs::{Runs, next_digits};
use super::scan::{self, FEWEST_DIGITS, FEWEST_WORD_DIGITS, Place, SHORTEST_WORD, Sign};
use super::{Found, Miss, Set, Why};
use crate::base::chunk::offset;

/// No form has more digits in a row.
const LONGEST_RUN: usize = 20;

/// What may follow a run of digits: a space, one of `()*+,-./`, anything else.
const FOLLOWERS: usize = 10;

/// So many kinds of numbers of freer form are sought in stretches.
const MOST_FREE: usize = 4;

/// A longer word is no number of any kind.
const LONGEST_WORD: usize = 96;

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
    /// All in a stretch that have so many digits with those behind them.
    Stretch(usize),
    /// The first of a code in groups.
    Code,
    /// The first of a word of at least so many letters and digits.
    Word(usize),
}

/// The forms of all rows that are on.
#[derive(Debug)]
pub(super) struct Forms {
    rows: Set,
    /// Those that words may tell.
    told: Set,
    /// Those that are told by a stretch, by the length of its first run of digits and what follows that.
    stretches: [[Vec<Form>; FOLLOWERS]; LONGEST_RUN + 1],
    /// How many digits there are at least in what a run of such a length may begin, before such a byte.
    fewest: [[usize; FOLLOWERS]; LONGEST_RUN + 1],
    /// Those that are told by a word of digits alone, by its length.
    numbers: [Vec<Form>; LONGEST + 1],
    /// Those that are told by another word.
    words: [Vec<Form>; LONGEST + 1],
    /// How many digits a stretch has at least that tells of anything.
    least_digits: u32,
    /// A bit for each length of words of digits, and of other words, that tell of anything.
    lengths: (u64, u64),
    /// With how many digits a stretch has at least, from where it begins.
    of_stretches: Vec<(usize, Free)>,
    of_codes: Vec<Free>,
    /// With how long a word is at least.
    of_words: Vec<(usize, Free)>,
    near: Vec<Near>,
}

#[derive(Clone, Copy, Debug)]
struct Free {
    row: usize,
    judge: Judge,
    /// In `Forms::near`.
    near: Option<usize>,
}

/// Shows a row, the words that it needs, where a hit begins and ends.
type Show<'a> = dyn FnMut(usize, Option<usize>, usize, usize) + 'a;

impl Default for Forms {
    fn default() -> Self {
        Self {
            rows: Set::NONE,
            told: Set::NONE,
            stretches: Default::default(),
            fewest: [[usize::MAX; FOLLOWERS]; LONGEST_RUN + 1],
            numbers: std::array::from_fn(|_| Vec::new()),
            words: std::array::from_fn(|_| Vec::new()),
            least_digits: u32::MAX,
            lengths: (0, 0),
            of_stretches: Vec::new(),
            of_codes: Vec::new(),
            of_words: Vec::new(),
            near: Vec::new(),
        }
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
        let near = self.insert_near(row, near);
        for form in forms {
            let (pattern, near) = form.strip_prefix('!').map_or((*form, near), |sure| (sure, None));
            let pattern = pattern.as_bytes();
            let form = |anchor: usize, told: &[u8]| Form::new(row, pattern, (anchor, told), check, near);
            if let Some((start, end)) = first_run(pattern, SHORTEST_WORD, FEWEST_WORD_DIGITS, is_of_word) {
                let word = &pattern[start..end];
                let may_be_number = word.iter().all(|&class| is_digit(class));
                let is_number = word.iter().all(|&class| class == b'#');
                if may_be_number {
                    self.lengths.0 |= 1 << word.len();
                    self.numbers[end - start].push(form(start, word));
                }
                if !is_number {
                    self.lengths.1 |= 1 << word.len();
                    self.words[end - start].push(form(start, word));
                }
            } else if let Some((start, end)) = first_run(pattern, FEWEST_DIGITS, FEWEST_DIGITS, is_of_stretch) {
                let digit = start + pattern[start..end].iter().take_while(|&&class| !is_digit(class)).count();
                let run = pattern[digit..].iter().take_while(|&&class| is_digit(class)).count();
                // Behind its end may stand anything.
                let followers = match pattern.get(digit + run) {
                    Some(class) => follower(Some(class))..follower(Some(class)) + 1,
                    None => 0..FOLLOWERS,
                };
                let is_told = |class: &&u8| **class != b'*' && is_of_stretch(**class);
                let told = pattern[digit..].iter().take_while(is_told).count();
                let told = &pattern[digit..digit + told];
                let count = told.iter().filter(|&&class| class == b'#').count();
                self.least_digits = self.least_digits.min(offset(count));
                self.fewest[run][followers.clone()].iter_mut().for_each(|fewest| *fewest = count.min(*fewest));
                self.stretches[run][followers].iter_mut().for_each(|forms| forms.push(form(digit, told)));
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
        let free = Free { row, judge, near: self.insert_near(row, near) };
        for one in asked {
            match *one {
                Asked::Stretch(least) => {
                    debug_assert!(self.of_stretches.len() < MOST_FREE);
                    self.least_digits = self.least_digits.min(offset(least));
                    self.fewest.as_flattened_mut().iter_mut().for_each(|fewest| *fewest = least.min(*fewest));
                    self.of_stretches.push((least, free));
                }
                Asked::Code => self.of_codes.push(free),
                Asked::Word(least) => {
                    let longer = u64::MAX << least;
                    self.lengths = (self.lengths.0 | longer, self.lengths.1 | longer);
                    self.of_words.push((least, free));
                }
            }
        }
    }

    fn insert_near(&mut self, row: usize, words: &'static [&'static str]) -> Option<usize> {
        (!words.is_empty()).then(|| {
            self.told.insert(row);
            self.near.push(Near::new(words));
            self.near.len() - 1
        })
    }

    pub(super) const fn rows(&self) -> Set {
        self.rows
    }

    /// The rows that words may tell.
    pub(super) const fn told(&self) -> Set {
        self.told
    }

    /// Whether a sign may tell of anything: a few instructions that spare most calls.
    #[inline(always)]
    pub(super) fn may_tell(&self, bytes: &[u8], Place { sign, start, end, digits }: Place) -> bool {
        match (sign, digits) {
            (Sign::Stretch, Some(digits)) => {
                // Those at its beginning may belong to a word before it.
                let is_less = digits & 1 != 0 && is_of_word_before(bytes, start);
                let digits = if is_less { digits & (digits + 1) } else { digits };
                digits.count_ones() >= self.least_digits
            }
            (Sign::Word, Some(digits)) => {
                let is_number = digits & (digits + 1) == 0 && digits.count_ones() as usize == end - start;
                let lengths = if is_number { self.lengths.0 } else { self.lengths.1 };
                lengths >> (end - start) & 1 != 0 || follows_escape(bytes, start + 1)
            }
            (Sign::Code, _) => !self.of_codes.is_empty(),
            _ => !self.rows.is_empty(),
        }
    }

    /// Shows the rows of what a sign may tell of, and where each begins: a stretch may begin in what stands before. Words are
    /// sought further away than [`Forms::find`] does. `is_within`: they may stand before `bytes`.
    #[inline]
    pub(super) fn places(&self, bytes: &[u8], is_within: bool, sign: Place, mut visit: impl FnMut(usize, usize)) {
        self.ask(bytes, sign, &mut |row, near, begin, _| {
            let may_be = |near: usize| (is_within && begin < NEAR) || self.near[near].may_lead_to(bytes, begin);
            if near.is_none_or(may_be) {
                visit(row, begin);
            }
        });
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
        scan::walk(bytes, None, &mut |place| self.ask(bytes, place, &mut show));
    }

    /// What a sign tells of.
    #[inline]
    fn ask(&self, bytes: &[u8], place: Place, show: &mut Show<'_>) {
        let Place { sign, start, .. } = place;
        match sign {
            Sign::Stretch => self.in_stretch(bytes, place, show),
            Sign::Word => self.in_word(bytes, place, show),
            Sign::Code => self.of_codes.iter().for_each(|free| {
                free.ask(bytes, (start + 2, start + 4), show);
            }),
            _ => {}
        }
    }

    /// What the runs of digits in a stretch may be. Most are dates, addresses of machines and parts of ids, which are
    /// passed over before any form is compared.
    fn in_stretch(&self, bytes: &[u8], stretch: Place, show: &mut Show<'_>) {
        let mut runs = Runs::new(bytes, stretch);
        // Within a number no other of its kind begins.
        let mut over = [stretch.start; MOST_FREE];
        while let Some((from, to, left)) = runs.next_run() {
            if left < FEWEST_DIGITS as usize {
                return;
            }
            let fewest = self.fewest.get(to - from).map_or(0, |fewest| fewest[follower(bytes.get(to))]);
            if left < fewest {
                continue;
            }
            if is_of_word_before(bytes, from) {
                continue;
            }
            let is_other = match bytes.get(to) {
                Some(b'-') => runs.pass_date((from, to)),
                Some(b'.') => runs.pass_address((from, to)),
                _ => false,
            };
            if is_other {
                continue;
            }
            let digits = stretch.digits.map(|digits| digits >> (from - stretch.start));
            let begins = begins_apart(bytes, from);
            let may_be = |form: &&Form| form.may_have(digits) && form.may_begin(bytes, from, begins);
            for form in self.of_run(bytes, (from, to)).iter().filter(may_be) {
                if let Some((begin, end)) = form.matched(bytes, from) {
                    show(form.row, form.near, begin, end);
                }
            }
            for ((least, free), over) in self.of_stretches.iter().zip(&mut over) {
                if left >= *least && *over <= from {
                    *over = free.ask(bytes, (from, to), show).unwrap_or(from);
                }
            }
        }
    }

    /// The forms that a run of digits in a stretch may begin.
    fn of_run(&self, bytes: &[u8], (from, to): (usize, usize)) -> &[Form] {
        self.stretches.get(to - from).map_or(&[], |forms| &forms[follower(bytes.get(to))])
    }

    /// The forms that a word may be of.
    fn of_word(&self, word: &[u8]) -> &[Form] {
        let forms = if word.iter().all(u8::is_ascii_digit) { &self.numbers } else { &self.words };
        forms.get(word.len()).map_or(&[], Vec::as_slice)
    }

    fn in_word(&self, bytes: &[u8], Place { start, end, digits, .. }: Place, show: &mut Show<'_>) {
        if end - start > LONGEST_WORD {
            return;
        }
        // The letter of an escape before a word is none of its own.
        let escape = usize::from(follows_escape(bytes, start + 1));
        let (start, digits) = (start + escape, digits.map(|digits| digits >> escape));
        let begins = begins_apart(bytes, start);
        let may_be = |form: &&Form| form.may_have(digits) && form.may_begin(bytes, start, begins);
        for form in self.of_word(&bytes[start..end]).iter().filter(may_be) {
            if let Some((begin, end)) = form.matched(bytes, start) {
                show(form.row, form.near, begin, end);
            }
        }
        for (_, free) in self.of_words.iter().filter(|(least, _)| end - start >= *least) {
            if let Some(digits) = next_digits(bytes, start, end) {
                free.ask(bytes, digits, show);
            }
        }
    }

    /// What has a row's form, and either the check or a telling word, but not both.
    pub(super) fn misses(&self, text: &str, visit: &mut dyn FnMut(Miss)) {
        let bytes = text.as_bytes();
        scan::walk(bytes, None, &mut |Place { sign, start, end, .. }| match sign {
            Sign::Stretch => {
                let mut at = start;
                while let Some((from, to)) = next_digits(bytes, at, end) {
                    at = to;
                    self.of_run(bytes, (from, to)).iter().for_each(|form| self.miss_of_form(bytes, form, from, visit));
                    self.of_stretches.iter().for_each(|(_, free)| self.miss_of_free(bytes, free, (from, to), visit));
                }
            }
            Sign::Word => self.misses_of_word(bytes, start, end, visit),
            Sign::Code => {
                self.of_codes.iter().for_each(|free| self.miss_of_free(bytes, free, (start + 2, start + 4), visit));
            }
            _ => {}
        });
    }

    fn misses_of_word(&self, bytes: &[u8], start: usize, end: usize, visit: &mut dyn FnMut(Miss)) {
        let start = if follows_escape(bytes, start + 1) { start + 1 } else { start };
        self.of_word(&bytes[start..end]).iter().for_each(|form| self.miss_of_form(bytes, form, start, visit));
        if let Some(digits) = next_digits(bytes, start, end) {
            let free = self.of_words.iter().filter(|(least, _)| end - start >= *least);
            free.for_each(|(_, free)| self.miss_of_free(bytes, free, digits, visit));
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
    fn miss_of_free(&self, bytes: &[u8], free: &Free, digits: (usize, usize), visit: &mut dyn FnMut(Miss)) {
        free.ask(bytes, digits, &mut |row, near, begin, end| {
            if !self.is_led_to(near, bytes, begin) {
                visit(Miss { row, at: begin..end, why: Why::Word });
            }
        });
    }

    fn is_led_to(&self, near: Option<usize>, bytes: &[u8], begin: usize) -> bool {
        near.is_none_or(|near| self.near[near].leads_to(bytes, begin, &[]))
    }
}

impl Free {
    /// Where the number ends that has its first run of digits there, if it is sure.
    fn ask(&self, bytes: &[u8], (start, end): (usize, usize), show: &mut Show<'_>) -> Option<usize> {
        let number = (self.judge)(bytes, start, end)?;
        let near = if number.is_sure { None } else { self.near };
        show(self.row, near, number.begin, number.end);
        number.is_sure.then_some(number.end)
    }
}

/// Whether digits at `from` belong to a word that begins with letters.
#[inline(always)]
fn is_of_word_before(bytes: &[u8], from: usize) -> bool {
    from > 0 && bytes[from - 1].is_ascii_alphabetic() && !follows_escape(bytes, from)
}

fn follower(byte: Option<&u8>) -> usize {
    match byte {
        Some(b' ') => 0,
        Some(mark @ b'('..=b'/') => usize::from(mark - b'(') + 1,
        _ => FOLLOWERS - 1,
    }
}
