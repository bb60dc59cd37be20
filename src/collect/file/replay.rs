//! Which pieces of a file must be read again exactly as they were before a crash. Reads nothing itself.

use std::collections::VecDeque;

use crate::base::source::Note;

/// The notes that are still ahead, in order, without overlap.
#[derive(Debug, Default)]
pub(super) struct Replay {
    notes: VecDeque<Note>,
}

/// How far a read may go: up to where a chunk began or ended before the crash, if there is such a place ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge(Option<u64>);

impl Edge {
    /// `room` bytes, or fewer if the edge is nearer.
    pub(super) fn within(self, room: usize) -> usize {
        self.0.map_or(room, |distance| usize::try_from(distance).unwrap_or(usize::MAX).min(room))
    }

    /// Whether `len` bytes reach it.
    pub(super) fn is_within(self, len: u64) -> bool {
        self.0.is_some_and(|distance| distance <= len)
    }

    /// The same edge, seen from `len` bytes ahead.
    pub(super) fn after(self, len: u64) -> Self {
        Self(self.0.map(|distance| distance.saturating_sub(len)))
    }
}

impl Replay {
    /// Of `notes`, which are in order, those that can be read again in a file of `size` bytes from `offset` on. Also
    /// how many noted bytes cannot: of an earlier generation, or beyond the file's end.
    pub(super) fn new(notes: &[Note], generation: u32, offset: u64, size: u64) -> (Self, u64) {
        let mut replay = Self::default();
        let mut reached = offset;
        let mut lost = 0;
        for note in notes {
            if note.generation != generation {
                lost += note.end.saturating_sub(note.start);
            } else if note.end > size {
                lost += note.end - note.start.max(size);
            } else if note.start >= reached && note.end > note.start {
                reached = note.end;
                replay.notes.push_back(note.clone());
            }
        }
        (replay, lost)
    }

    /// The next edge ahead of `offset`.
    pub(super) fn edge(&self, offset: u64) -> Edge {
        Edge(self.notes.front().map(|note| if note.start > offset { note.start - offset } else { note.end - offset }))
    }

    /// When the piece that `offset` lies in was first read. `None`: it never was.
    pub(super) fn seen_ms(&self, offset: u64) -> Option<i64> {
        self.notes.front().filter(|note| note.start <= offset).map(|note| note.seen_ms)
    }

    /// Forgets the notes that end at or before `offset`.
    pub(super) fn forget_before(&mut self, offset: u64) {
        while self.notes.front().is_some_and(|note| note.end <= offset) {
            self.notes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::SourceId;

    #[test]
    fn only_notes_that_can_be_read_again_stay() {
        let note =
            |generation, start, end| Note { source: SourceId::new(1), generation, start, end, seen_ms: 7, names: None };
        let notes = [
            note(0, 0, 9),
            note(1, 0, 10),
            note(1, 10, 20),
            note(1, 15, 25),
            note(1, 20, 20),
            note(1, 30, 40),
            note(1, 40, 60),
        ];
        let (mut replay, lost) = Replay::new(&notes, 1, 10, 50);
        let kept: Vec<_> = replay.notes.iter().map(|note| (note.start, note.end)).collect();
        assert_eq!((kept.as_slice(), lost), (&[(10, 20), (30, 40)][..], 9 + 10));

        for (offset, edge, seen_ms) in [(10, Some(10), Some(7)), (15, Some(5), Some(7)), (20, Some(10), None)] {
            replay.forget_before(offset);
            assert_eq!((replay.edge(offset).0, replay.seen_ms(offset)), (edge, seen_ms), "at {offset}");
        }
        replay.forget_before(40);
        assert_eq!((replay.edge(40).0, replay.seen_ms(40)), (None, None));
    }

    #[test]
    fn an_edge_bounds_a_read() {
        let edge = Edge(Some(10));
        assert_eq!((edge.within(20), edge.within(5), Edge(None).within(5)), (10, 5, 5));
        assert!(edge.is_within(10) && !edge.is_within(9) && !Edge(None).is_within(u64::MAX));
        assert!(edge.after(4).is_within(6) && !edge.after(4).is_within(5));
    }
}
