//! The runs of digits in a stretch: where each begins and ends, and which are days or addresses of machines. Knows no forms.

use super::scan::Place;

/// The runs of digits in a stretch.
#[derive(Clone, Copy)]
pub(super) struct Runs<'a> {
    bytes: &'a [u8],
    stretch: Place,
    /// Of those to come.
    digits: u64,
    /// How many they are.
    left: usize,
    /// If the stretch is too long for that: where they begin.
    at: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn new(bytes: &'a [u8], stretch: Place) -> Self {
        let digits = stretch.digits.unwrap_or_default();
        let left = stretch.digits.map_or(usize::MAX, |digits| digits.count_ones() as usize);
        Self { bytes, stretch, digits, left, at: stretch.start }
    }

    /// Where the next one begins and ends, and how many digits there are from there on, or more.
    #[inline]
    pub(super) fn next_run(&mut self) -> Option<(usize, usize, usize)> {
        let Place { start, end, digits, .. } = self.stretch;
        if digits.is_none() {
            let (from, to) = next_digits(self.bytes, self.at, end)?;
            self.at = to;
            return Some((from, to, usize::MAX));
        }
        if self.digits == 0 {
            return None;
        }
        let from = self.digits.trailing_zeros() as usize;
        let run = !(self.digits >> from);
        // The lowest carries on through its run.
        self.digits &= self.digits.wrapping_add(1 << from);
        let (length, left) = (run.trailing_zeros() as usize, self.left);
        self.left -= length;
        Some((start + from, start + from + length, left))
    }

    /// Passes the address of a machine, `192.0.2.1`, whose first part is there. A longer row of numbers is none.
    #[inline]
    pub(super) fn pass_address(&mut self, (from, to): (usize, usize)) -> bool {
        let bytes = self.bytes;
        let is_part = |from: usize, to: usize| match &bytes[from..to] {
            [_] => true,
            [first, _] => *first != b'0',
            [b'1', _, _] => true,
            [b'2', rest @ ..] => rest.len() == 2 && rest <= b"55".as_slice(),
            _ => false,
        };
        let mut ahead = *self;
        let (mut begin, mut end) = (from, to);
        for _ in 0..3 {
            let next = ahead.next_run().filter(|(next, ..)| bytes[end] == b'.' && *next == end + 1);
            let Some((next, after, _)) = next.filter(|_| is_part(begin, end)) else { return false };
            (begin, end) = (next, after);
        }
        let goes_on = bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        let is_address = is_part(begin, end) && !goes_on;
        if is_address {
            *self = ahead;
        }
        is_address
    }

    /// Passes a day, `2025-06-05`, whose year is there: in logs the most frequent of all stretches.
    #[inline]
    pub(super) fn pass_date(&mut self, (from, to): (usize, usize)) -> bool {
        let Some([b'-', m0, m1, b'-', d0, d1]) = self.bytes.get(to..to + 6) else { return false };
        let is_day = to - from == 4 && [m0, m1, d0, d1].into_iter().all(u8::is_ascii_digit);
        let is_whole = is_day && !self.bytes.get(to + 6).is_some_and(u8::is_ascii_digit);
        if is_whole {
            self.next_run();
            self.next_run();
        }
        is_whole
    }
}

/// The next run of digits that begins in `from..until`.
pub(super) fn next_digits(bytes: &[u8], from: usize, until: usize) -> Option<(usize, usize)> {
    let start = from + bytes.get(from..until)?.iter().position(u8::is_ascii_digit)?;
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some((start, start + length))
}
