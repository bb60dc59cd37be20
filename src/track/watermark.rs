//! Which chunks of one source an output has settled, as a prefix without holes. Pure: no disk, no clock.

use std::collections::{BTreeMap, VecDeque};

use crate::base::counts::Counts;
use crate::base::source::{Cursor, Note};

/// One source's chunks in flight, and how far each output has come.
#[derive(Debug)]
pub struct Watermark {
    /// Sequence number of `flights[0]`.
    first_seq: u64,
    /// Chunks that not every output has passed, in order.
    flights: VecDeque<Flight>,
    outputs: Vec<Progress>,
}

/// One chunk on its way.
#[derive(Debug)]
struct Flight {
    note: Note,
    cursor: Cursor,
    lines: u64,
}

/// How far one output has come.
#[derive(Debug, Default)]
struct Progress {
    /// The next chunk that must settle for the watermark to move.
    next_seq: u64,
    /// Chunks that settled out of order, with what became of their lines.
    ahead: BTreeMap<u64, Counts>,
}

/// What an output's watermark passed: where it stands now, and what became of the lines up to there.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed {
    /// The new safe place.
    pub cursor: Cursor,
    /// Sums over the chunks passed.
    pub counts: Counts,
}

impl Watermark {
    /// Nothing in flight, for so many outputs.
    #[must_use]
    pub fn new(outputs: usize) -> Self {
        Self { first_seq: 0, flights: VecDeque::new(), outputs: (0..outputs).map(|_| Progress::default()).collect() }
    }

    /// Takes the next chunk of the source; every output must settle it. Returns its sequence number.
    pub fn begin(&mut self, note: Note, cursor: Cursor, lines: u64) -> u64 {
        self.flights.push_back(Flight { note, cursor, lines });
        self.begun() - 1
    }

    /// One output is through with a chunk. `Some` when that moves its watermark.
    pub fn settle(&mut self, output: usize, seq: u64, counts: Counts) -> Option<Passed> {
        let progress = &mut self.outputs[output];
        if seq < progress.next_seq {
            return None;
        }
        progress.ahead.insert(seq, counts);
        let mut passed = Counts::default();
        while let Some(counts) = progress.ahead.remove(&progress.next_seq) {
            passed.add(&counts);
            progress.next_seq += 1;
        }
        let last = progress.next_seq.checked_sub(1).filter(|last| *last >= seq)?;
        let cursor = self.flights.get(usize::try_from(last - self.first_seq).ok()?)?.cursor.clone();
        self.forget_passed();
        Some(Passed { cursor, counts: passed })
    }

    /// How many chunks were begun.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.first_seq + self.flights.len() as u64
    }

    /// How many chunks an output has settled, as a prefix without holes.
    #[must_use]
    pub fn passed(&self, output: usize) -> u64 {
        self.outputs[output].next_seq
    }

    /// The notes of the chunks in flight, oldest first.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.flights.iter().map(|flight| &flight.note)
    }

    /// Lines of the chunks in flight.
    pub fn lines(&self) -> u64 {
        self.flights.iter().map(|flight| flight.lines).sum()
    }

    /// The oldest time of reading in flight, in ms since 1970.
    #[must_use]
    pub fn oldest_ms(&self) -> Option<i64> {
        self.flights.front().map(|flight| flight.note.seen_ms)
    }

    /// Lets go of chunks that every output has passed.
    fn forget_passed(&mut self) {
        let slowest = self.outputs.iter().map(|progress| progress.next_seq).min().unwrap_or(self.first_seq);
        while self.first_seq < slowest && self.flights.pop_front().is_some() {
            self.first_seq += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::source::SourceId;

    fn note(seq: u64) -> Note {
        Note { source: SourceId::new(1), generation: 0, start: seq * 10, end: seq * 10 + 10, seen_ms: 5 }
    }

    fn cursor(seq: u64) -> Cursor {
        Cursor::File { generation: 0, offset: seq * 10 + 10, guard: 0 }
    }

    fn one() -> Counts {
        Counts { read: 1, ..Counts::default() }
    }

    #[test]
    fn a_hole_holds_the_watermark_back() {
        let mut watermark = Watermark::new(1);
        for seq in 0..3 {
            assert_eq!(watermark.begin(note(seq), cursor(seq), 1), seq);
        }
        assert_eq!(watermark.settle(0, 1, one()), None);
        assert_eq!(watermark.settle(0, 2, one()), None);
        let passed = watermark.settle(0, 0, one()).unwrap();
        assert_eq!(passed.cursor, cursor(2));
        assert_eq!(passed.counts.read, 3);
        assert_eq!(watermark.notes().count(), 0);
        assert_eq!(watermark.settle(0, 2, one()), None, "settling twice counts once");
    }

    #[test]
    fn outputs_move_by_themselves_and_the_slowest_keeps_the_notes() {
        let mut watermark = Watermark::new(2);
        watermark.begin(note(0), cursor(0), 1);
        watermark.begin(note(1), cursor(1), 1);
        assert_eq!(watermark.settle(0, 0, one()).unwrap().cursor, cursor(0));
        assert_eq!(watermark.settle(0, 1, one()).unwrap().cursor, cursor(1));
        assert_eq!(watermark.notes().count(), 2);
        assert_eq!(watermark.settle(1, 0, one()).unwrap().cursor, cursor(0));
        assert_eq!(watermark.notes().map(|note| note.start).collect::<Vec<_>>(), [10]);
    }

    proptest! {
        /// Against the plainest model: the watermark is the longest settled prefix.
        #[test]
        fn any_order_of_answers_moves_it_to_the_end_of_the_settled_prefix(
            order in Just((0..20_u64).collect::<Vec<_>>()).prop_shuffle()
        ) {
            let mut watermark = Watermark::new(1);
            for seq in 0..20 {
                watermark.begin(note(seq), cursor(seq), 1);
            }
            let (mut settled, mut safe, mut read) = (std::collections::BTreeSet::new(), None, 0);
            for seq in order {
                settled.insert(seq);
                let prefix = (0..20).take_while(|seq| settled.contains(seq)).count() as u64;
                let passed = watermark.settle(0, seq, one());
                if let Some(passed) = passed {
                    safe = Some(passed.cursor);
                    read += passed.counts.read;
                }
                prop_assert_eq!(&safe, &prefix.checked_sub(1).map(cursor));
                prop_assert_eq!(read, prefix);
                prop_assert_eq!(watermark.notes().count() as u64, 20 - prefix);
            }
        }
    }
}
