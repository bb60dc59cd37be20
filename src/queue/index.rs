//! Which frames are in the queue and where they lie: numbers only, in memory. Knows no files.

use std::collections::{BTreeMap, VecDeque};

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

/// The frames that are not settled: one taken, the others waiting behind it, but for those that were put by.
#[derive(Debug, Default)]
pub struct Index {
    /// The number of the next frame to be pushed.
    pub next: u64,
    taken: Option<Place>,
    /// By number, with what `passed` was before each.
    put_by: BTreeMap<u64, (Place, u64)>,
    /// Bytes of all frames that were ever taken or dropped.
    passed: u64,
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
            self.passed += self.taken.map_or(0, |place| place.len);
        }
        self.taken
    }

    /// The taken frame waits for something else: the next one can be taken.
    pub fn put_by(&mut self, number: u64) {
        let place = self.taken.take_if(|taken| taken.number == number);
        self.put_by.extend(place.map(|place| (number, (place, self.passed - place.len))));
    }

    /// Bytes of the frames, settled ones included, that must be kept for the sake of one that was put by.
    pub fn kept(&self) -> u64 {
        self.put_by.first_key_value().map_or(0, |(_, (_, before))| self.passed - before)
    }

    /// The frame that [`Index::take`] would give.
    pub fn head(&self) -> Option<u64> {
        self.taken.as_ref().or(self.waiting.front()).map(|place| place.number)
    }

    /// The taken frame, or one that was put by, is settled.
    pub fn done(&mut self, number: u64) {
        let taken = self.taken.take_if(|taken| taken.number == number);
        if let Some(place) = taken.or_else(|| self.put_by.remove(&number).map(|(place, _)| place)) {
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
        let len = dropped.map_or(0, |place| place.len);
        self.bytes -= len;
        self.passed += len;
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
        self.put_by.len() + usize::from(self.taken.is_some()) + self.waiting.len()
    }

    /// When the oldest was pushed, in ms since 1970.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.oldest().map(|place| place.queued_ms)
    }

    fn oldest(&self) -> Option<&Place> {
        // What was put by was taken before what is taken now.
        self.put_by.values().next().map(|(place, _)| place).or(self.taken.as_ref()).or(self.waiting.front())
    }
}
