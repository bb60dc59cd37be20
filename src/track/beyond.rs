//! What a queue has of one file behind a hole: chunks that are sent though something before them must be read again. If
//! the file is found, they are read again with it, and count then; if not, what was delivered from the queue counts.
//! Pure: no disk, no clock.

use serde::{Deserialize, Serialize};

use crate::base::batch::Span;
use crate::base::counts::Counts;
use crate::base::source::Note;

/// The chunks of one file, by the order in which they were found.
#[derive(Debug, Default)]
pub struct Beyond(Vec<(Note, Fate)>);

#[derive(Debug)]
enum Fate {
    Queued,
    Settled(Counts),
    /// The file was found.
    ReadAgain,
}

/// A chunk that was delivered from a queue, behind a hole, and was not read again since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// Which chunk.
    pub note: Note,
    /// What became of its lines.
    pub counts: Counts,
}

impl Beyond {
    /// What an earlier run delivered.
    pub fn restore(settled: Vec<Settled>) -> Self {
        Self(settled.into_iter().map(|Settled { note, counts }| (note, Fate::Settled(counts))).collect())
    }

    /// Takes in a chunk that a queue has. Gives its sequence number, see [`Span::BEYOND`].
    pub fn take(&mut self, note: &Note) -> u64 {
        let index = self.0.iter().position(|(one, _)| one == note).unwrap_or(self.0.len());
        if index == self.0.len() {
            self.0.push((note.clone(), Fate::Queued));
        }
        Span::BEYOND + index as u64
    }

    /// Whether a chunk was delivered.
    pub fn has_settled(&self, note: &Note) -> bool {
        self.0.iter().any(|(one, fate)| one == note && matches!(fate, Fate::Settled(_)))
    }

    /// What became of a chunk is known. Said twice, it counts once.
    pub fn settle(&mut self, seq: u64, counts: Counts) {
        let index = seq.checked_sub(Span::BEYOND).and_then(|index| usize::try_from(index).ok());
        if let Some((_, fate @ Fate::Queued)) = index.and_then(|index| self.0.get_mut(index)) {
            *fate = Fate::Settled(counts);
        }
    }

    /// The file was found, with what it has of this generation.
    pub fn read_again(&mut self, generation: u32) {
        self.0
            .iter_mut()
            .filter(|(note, _)| note.generation == generation)
            .for_each(|(_, fate)| *fate = Fate::ReadAgain);
    }

    /// Whether a chunk was or will be delivered though nothing reads it again.
    pub fn has(&self, note: &Note) -> bool {
        self.0.iter().any(|(one, fate)| one == note && !matches!(fate, Fate::ReadAgain))
    }

    /// Bytes of such chunks, of one generation.
    pub fn bytes(&self, generation: u32) -> u64 {
        let of_it =
            self.0.iter().filter(|(note, fate)| note.generation == generation && !matches!(fate, Fate::ReadAgain));
        of_it.map(|(note, _)| note.end - note.start).sum()
    }

    /// Whether any of them waits in a queue.
    pub fn is_queued(&self) -> bool {
        self.0.iter().any(|(_, fate)| matches!(fate, Fate::Queued))
    }

    /// Those delivered.
    pub fn settled(&self) -> impl Iterator<Item = (&Note, &Counts)> {
        self.0.iter().filter_map(|(note, fate)| match fate {
            Fate::Settled(counts) => Some((note, counts)),
            Fate::Queued | Fate::ReadAgain => None,
        })
    }
}
