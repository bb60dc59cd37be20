//! The first look: where in a whole chunk's text may anything be? Each detector's next place is sought once and kept,
//! so that all lines and strings before the nearest cost one comparison. Decides nothing.

use super::detectors::{DETECTORS, Set};
use super::escapes::ESCAPES;
use super::keys::Keys;

/// The row after the detectors': escapes that may hide something from them.
const ESCAPE: usize = DETECTORS.len();

/// The next place of each row in one text. Must be asked for ranges of the same text, in ascending order.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// One past each row's next place; 0 before it was first sought, `usize::MAX` when there is none.
    next: [usize; ESCAPE + 1],
    /// The least of them.
    nearest: usize,
}

/// What a range may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// These detectors have a place in it.
    pub(super) set: Set,
    /// It has an escape that may hide more.
    pub(super) escapes: bool,
}

impl Look {
    /// Begins with another text, for the places of what `wanted` finds.
    pub(super) fn restart(&mut self, wanted: Set) {
        *self = Self::default();
        let unwanted = (0..ESCAPE).filter(|&row| !wanted.contains(row));
        unwanted.for_each(|row| self.next[row] = usize::MAX);
    }

    /// The first place in `start..end` of `text`.
    #[inline]
    pub(super) fn place(&mut self, text: &str, start: usize, end: usize, keys: &Keys) -> Option<usize> {
        if self.nearest <= start {
            self.advance(text.as_bytes(), start, keys);
        }
        (self.nearest <= end).then(|| self.nearest - 1)
    }

    /// What `start..end` of `text` may hold.
    #[inline]
    pub(super) fn within(&mut self, text: &str, start: usize, end: usize, keys: &Keys) -> Signs {
        let mut signs = Signs::default();
        if self.place(text, start, end, keys).is_some() {
            let rows = (0..ESCAPE).filter(|&row| self.next[row] <= end);
            rows.for_each(|row| signs.set.insert(row));
            signs.escapes = self.next[ESCAPE] <= end;
        }
        signs
    }

    /// Seeks again what lies before `start`.
    fn advance(&mut self, bytes: &[u8], start: usize, keys: &Keys) {
        for (row, next) in self.next.iter_mut().enumerate().filter(|(_, next)| **next <= start) {
            let place = match DETECTORS.get(row) {
                Some(detector) => (detector.seek)(bytes, start, keys),
                None => ESCAPES.find(&bytes[start..]).map(|at| start + at),
            };
            *next = place.map_or(usize::MAX, |at| at + 1);
        }
        self.nearest = self.next.iter().copied().min().unwrap_or(usize::MAX);
    }
}
