//! The first look: where in a whole chunk's text may anything be? Each seeker's next place is sought once and kept, so
//! that all lines and strings before the nearest cost one comparison. Decides nothing.

use super::detect::{Search, Set, seek_base64};
use super::wrappings::{seek_escape, seek_look_alike};

/// The next place of each seeker in one text. Must be asked for ranges of the same text, in ascending order.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// One past each seeker's next place; 0 before it was first sought, `usize::MAX` when there is none. Behind them those
    /// of wrappings, which may hide something from the others.
    next: Vec<usize>,
    /// The least of them.
    nearest: usize,
}

/// What a range may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// These detectors have a place in it.
    pub(super) set: Set,
    /// It has a wrapping that may hide more.
    pub(super) escapes: bool,
}

impl Look {
    /// Begins with another text.
    pub(super) fn restart(&mut self, search: &Search) {
        self.next.clear();
        self.next.resize(search.seekers.len() + wrappings(search).len(), 0);
        self.nearest = 0;
    }

    /// The first place in `start..end` of `text`.
    #[inline]
    pub(super) fn place(&mut self, text: &str, start: usize, end: usize, search: &Search) -> Option<usize> {
        if self.nearest <= start {
            self.advance(text.as_bytes(), start, search);
        }
        (self.nearest <= end).then(|| self.nearest - 1)
    }

    /// What `start..end` of `text` may hold.
    #[inline]
    pub(super) fn within(&mut self, text: &str, start: usize, end: usize, search: &Search) -> Signs {
        let mut signs = Signs::default();
        if self.place(text, start, end, search).is_some() {
            let seen = search.seekers.iter().zip(&self.next).filter(|(_, next)| **next <= end);
            seen.for_each(|(seeker, _)| signs.set = signs.set.union(seeker.rows));
            signs.escapes = self.next[search.seekers.len()..].iter().any(|next| *next <= end);
        }
        signs
    }

    /// Seeks again what lies before `start`.
    fn advance(&mut self, bytes: &[u8], start: usize, search: &Search) {
        for (index, next) in self.next.iter_mut().enumerate().filter(|(_, next)| **next <= start) {
            let place = match search.seekers.get(index) {
                Some(seeker) => search.seek(seeker, bytes, start),
                None => wrappings(search)[index - search.seekers.len()](bytes, start),
            };
            *next = place.map_or(usize::MAX, |at| at + 1);
        }
        self.nearest = self.next.iter().copied().min().unwrap_or(usize::MAX);
    }
}

/// Seeks the next place at or after one.
type Seek = fn(bytes: &[u8], from: usize) -> Option<usize>;

/// What seeks the next wrapping, by kind.
const fn wrappings(search: &Search) -> &'static [Seek] {
    if search.base64 { &[seek_escape, seek_look_alike, seek_base64] } else { &[seek_escape, seek_look_alike] }
}
