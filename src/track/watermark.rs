//! Which chunks of one source are settled, as a prefix without holes. Pure: no disk, no clock.

use std::collections::VecDeque;

use crate::base::counts::Counts;
use crate::base::source::{Cursor, Note};

/// One source's chunks in flight.
#[derive(Debug, Default)]
pub struct Watermark {
    /// Sequence number of `flights[0]`: the next chunk that must settle for the watermark to move.
    first_seq: u64,
    /// Chunks beyond the watermark, in order.
    flights: VecDeque<Flight>,
}

/// One chunk on its way.
#[derive(Debug)]
struct Flight {
    note: Note,
    cursor: Cursor,
    /// What is known of its lines before the store's answer.
    counts: Counts,
    /// It settled before one that was read earlier.
    is_settled: bool,
}

/// What the watermark passed: where it stands now, and what became of the lines up to there.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed {
    /// The new safe place.
    pub cursor: Cursor,
    /// Sums over the chunks passed.
    pub counts: Counts,
}

impl Watermark {
    /// Takes the next chunk of the source. Returns its sequence number.
    pub fn begin(&mut self, note: Note, cursor: Cursor, counts: Counts) -> u64 {
        if self.flights.is_empty() {
            // Else there would be room for four: much, with thousands of sources.
            self.flights.reserve_exact(1);
        }
        self.flights.push_back(Flight { note, cursor, counts, is_settled: false });
        self.first_seq + self.flights.len() as u64 - 1
    }

    /// What became of a chunk is known. `Some` when that moves the watermark. Said twice, it counts once.
    pub fn settle(&mut self, seq: u64, counts: Counts) -> Option<Passed> {
        let index = usize::try_from(seq.checked_sub(self.first_seq)?).ok()?;
        let flight = self.flights.get_mut(index).filter(|flight| !flight.is_settled)?;
        (flight.counts, flight.is_settled) = (counts, true);
        let mut passed = None;
        while self.flights.front().is_some_and(|flight| flight.is_settled)
            && let Some(flight) = self.flights.pop_front()
        {
            self.first_seq += 1;
            let Passed { cursor, counts } =
                passed.get_or_insert(Passed { cursor: flight.cursor.clone(), counts: Counts::default() });
            *cursor = flight.cursor;
            counts.add(&flight.counts);
        }
        if self.flights.is_empty() {
            self.flights = VecDeque::new();
        }
        passed
    }

    /// A chunk in flight: its note, and where reading goes on after it. `None`: it is settled.
    #[must_use]
    pub fn flight(&self, seq: u64) -> Option<(&Note, &Cursor)> {
        let index = usize::try_from(seq.checked_sub(self.first_seq)?).ok()?;
        self.flights.get(index).map(|flight| (&flight.note, &flight.cursor))
    }

    /// What is known of a chunk's lines. `None`: it is not in flight.
    #[must_use]
    pub fn counts(&self, seq: u64) -> Option<&Counts> {
        let index = usize::try_from(seq.checked_sub(self.first_seq)?).ok()?;
        self.flights.get(index).map(|flight| &flight.counts)
    }

    /// The notes of the chunks in flight, oldest first.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.flights.iter().map(|flight| &flight.note)
    }

    /// What was read and is beyond the watermark: of chunks that settled out of order, what became of them too.
    #[must_use]
    pub fn in_flight(&self) -> Counts {
        Counts::sum(self.flights.iter().map(|flight| &flight.counts))
    }

    /// The oldest time of reading in flight, in ms since 1970.
    #[must_use]
    pub fn oldest_ms(&self) -> Option<i64> {
        self.flights.front().map(|flight| flight.note.seen_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::source::SourceId;

    fn note(seq: u64) -> Note {
        Note { source: SourceId::new(1), generation: 0, start: seq * 10, end: seq * 10 + 10, seen_ms: 5, names: None }
    }

    fn cursor(seq: u64) -> Cursor {
        Cursor::File { generation: 0, offset: seq * 10 + 10, guard: 0 }
    }

    fn one() -> Counts {
        Counts { read: 1, ..Counts::default() }
    }

    #[test]
    fn a_hole_holds_the_watermark_back() {
        let mut watermark = Watermark::default();
        for seq in 0..3 {
            assert_eq!(watermark.begin(note(seq), cursor(seq), one()), seq);
        }
        assert_eq!(watermark.settle(1, one()), None);
        assert_eq!(watermark.settle(2, one()), None);
        let passed = watermark.settle(0, one()).unwrap();
        assert_eq!(passed.cursor, cursor(2));
        assert_eq!(passed.counts.read, 3);
        assert_eq!(watermark.notes().count(), 0);
        assert_eq!(watermark.settle(2, one()), None, "settling twice counts once");
    }

    proptest! {
        /// Against the plainest model: the watermark is the longest settled prefix.
        #[test]
        fn any_order_of_answers_moves_it_to_the_end_of_the_settled_prefix(
            order in Just((0..20_u64).collect::<Vec<_>>()).prop_shuffle()
        ) {
            let mut watermark = Watermark::default();
            for seq in 0..20 {
                watermark.begin(note(seq), cursor(seq), one());
            }
            let (mut settled, mut safe, mut read) = (std::collections::BTreeSet::new(), None, 0);
            for seq in order {
                settled.insert(seq);
                let prefix = (0..20).take_while(|seq| settled.contains(seq)).count() as u64;
                let passed = watermark.settle(seq, one());
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
