//! Which frames are in the queue and where they lie: numbers only, in memory. Knows no files.

use std::collections::VecDeque;

/// Where a frame lies.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its number.
    pub number: u64,
    /// The first number of its segment.
    pub segment: u64,
    /// Its first byte there.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// When it was pushed, in ms since 1970.
    pub queued_ms: i64,
}

/// The frames that are not settled: one taken, the others waiting behind it.
#[derive(Debug, Default)]
pub struct Index {
    /// The number of the next frame to be pushed.
    pub next: u64,
    taken: Option<Place>,
    /// By number, ascending.
    waiting: VecDeque<Place>,
    bytes: u64,
}

impl Index {
    /// Of an empty queue, with the number of its next frame.
    pub fn starting_at(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    /// A frame was pushed, or found.
    pub fn push(&mut self, place: Place) {
        self.next = place.number + 1;
        self.bytes += place.len;
        self.waiting.push_back(place);
    }

    /// The frame that is taken; if none is, the oldest becomes it.
    pub fn take(&mut self) -> Option<Place> {
        if self.taken.is_none() {
            self.taken = self.waiting.pop_front();
        }
        self.taken
    }

    /// The taken frame is settled.
    pub fn done(&mut self, number: u64) {
        if let Some(place) = self.taken.take_if(|taken| taken.number == number) {
            self.bytes -= place.len;
        }
    }

    /// The oldest that is not taken.
    pub fn oldest_waiting(&self) -> Option<Place> {
        self.waiting.front().copied()
    }

    /// Lets go of the oldest that is not taken, if it still has this number.
    pub fn drop_waiting(&mut self, number: u64) -> bool {
        let is_oldest = self.waiting.front().is_some_and(|oldest| oldest.number == number);
        let dropped = if is_oldest { self.waiting.pop_front() } else { None };
        self.bytes -= dropped.map_or(0, |place| place.len);
        is_oldest
    }

    /// All frames below this number are settled.
    pub fn settled(&self) -> u64 {
        self.oldest().map_or(self.next, |place| place.number)
    }

    /// Bytes of all frames here.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many they are.
    pub fn frames(&self) -> usize {
        self.waiting.len() + usize::from(self.taken.is_some())
    }

    /// When the oldest was pushed, in ms since 1970.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.oldest().map(|place| place.queued_ms)
    }

    fn oldest(&self) -> Option<&Place> {
        self.taken.as_ref().or(self.waiting.front())
    }
}
