//! The first look: where in a whole chunk's text may anything be? All lines and strings before the next place cost one
//! comparison. Decides nothing.

use super::detect::{Search, Signs};

/// All places of one text. Must be asked for ranges in ascending order.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// In order.
    places: Vec<(usize, Signs)>,
    /// The first that was not passed yet.
    next: usize,
}

impl Look {
    /// Begins with another text.
    pub(super) fn restart(&mut self, text: &str, search: &Search) {
        self.next = 0;
        self.places.clear();
        search.places(text.as_bytes(), false, |at, signs| self.places.push((at, signs)));
        self.places.sort_unstable_by_key(|(at, _)| *at);
    }

    /// The first place in `start..end`.
    #[inline]
    pub(super) fn place(&mut self, start: usize, end: usize) -> Option<usize> {
        while self.places.get(self.next).is_some_and(|(at, _)| *at < start) {
            self.next += 1;
        }
        self.places.get(self.next).map(|(at, _)| *at).filter(|at| *at < end)
    }

    /// What `start..end` may hold.
    #[inline]
    pub(super) fn within(&mut self, start: usize, end: usize) -> Signs {
        let mut signs = Signs::default();
        if self.place(start, end).is_some() {
            let places = self.places[self.next..].iter().take_while(|(at, _)| *at < end);
            places.for_each(|(_, place)| signs.add(*place));
        }
        signs
    }
}
