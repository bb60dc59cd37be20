//! The first look: where in a whole chunk's text may anything be? Each detector's next place is sought once and kept,
//! so that lines and strings before it cost one comparison. Decides nothing.

use memchr::memmem;

use super::detectors::{DETECTORS, Set};
use super::keys::Keys;

/// The next place of each detector in one text. Must be asked for ranges in ascending order.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// One a detector, and one for escapes.
    next: Vec<usize>,
}

/// What a range may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// These detectors have a place in it.
    pub(super) set: Set,
    /// It has `\u0…`: an escape that may hide something from the look. (`\u0` and not `\u00`: some secret names are
    /// Cyrillic.)
    pub(super) escapes: bool,
}

impl Look {
    /// Begins with another text.
    pub(super) fn restart(&mut self) {
        self.next.clear();
        self.next.resize(DETECTORS.len() + 1, 0);
    }

    /// What `start..end` of `text` may hold, of what `wanted` finds.
    pub(super) fn within(&mut self, text: &str, start: usize, end: usize, wanted: Set, keys: &Keys) -> Signs {
        let mut signs = Signs::default();
        for (row, detector) in DETECTORS.iter().enumerate().filter(|&(row, _)| wanted.contains(row)) {
            if self.next[row] < start || (self.next[row] == 0 && start == 0) {
                self.next[row] = (detector.seek)(text.as_bytes(), start, keys).unwrap_or(usize::MAX);
            }
            if self.next[row] < end {
                signs.set.insert(row);
            }
        }
        let escape = &mut self.next[DETECTORS.len()];
        if *escape < start || (*escape == 0 && start == 0) {
            let rest = &text.as_bytes()[start..];
            *escape = memmem::find(rest, b"\\u0").map_or(usize::MAX, |at| start + at);
        }
        signs.escapes = *escape < end;
        signs
    }
}
