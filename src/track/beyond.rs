//! What a queue has of one file behind a hole: chunks that are sent though something before them must be read again.
//! Those that are read again count then; what is delivered and never read again counts here. Pure: no disk, no clock.

use std::collections::HashSet;

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
    /// It is read again, or damaged: of no consequence here.
    Over,
}

/// A chunk as a checkpoint has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedChunk {
    /// Which.
    pub note: Note,
    /// What became of its lines. `None`: a queue has it.
    pub counts: Option<Counts>,
}

impl Beyond {
    /// Takes those of a checkpoint.
    pub fn restore(saved: Vec<SavedChunk>) -> Self {
        let fate = |counts: Option<Counts>| counts.map_or(Fate::Queued, Fate::Settled);
        Self(saved.into_iter().map(|SavedChunk { note, counts }| (note, fate(counts))).collect())
    }

    /// What a checkpoint holds of them.
    pub fn saved(&self) -> Vec<SavedChunk> {
        let saved = self.0.iter().filter_map(|(note, fate)| {
            let counts = match fate {
                Fate::Queued => None,
                Fate::Settled(counts) => Some(counts.clone()),
                Fate::Over => return None,
            };
            Some(SavedChunk { note: note.clone(), counts })
        });
        saved.collect()
    }

    /// Lets go of those that wait in no queue, though they did: before any has a sequence number.
    pub fn keep_queued(&mut self, queued: &HashSet<&Note>) {
        self.0.retain(|(note, fate)| !matches!(fate, Fate::Queued) || queued.contains(note));
    }

    /// Lets go of one that is behind no hole any more: before any has a sequence number.
    pub fn forget(&mut self, note: &Note) {
        self.0.retain(|(one, _)| one != note);
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
        if let Some((_, fate @ Fate::Queued)) = self.at(seq) {
            *fate = Fate::Settled(counts);
        }
    }

    /// A chunk cannot be sent. Gives its bytes, if it was still to be.
    pub fn damage(&mut self, seq: u64) -> Option<u64> {
        match self.at(seq)? {
            (note, fate @ Fate::Queued) => {
                *fate = Fate::Over;
                Some(note.end - note.start)
            }
            _ => None,
        }
    }

    /// These bytes are read again.
    pub fn read_again(&mut self, read: &Note) {
        let is_read =
            |note: &Note| note.generation == read.generation && note.start < read.end && read.start < note.end;
        self.0.iter_mut().filter(|(note, _)| is_read(note)).for_each(|(_, fate)| *fate = Fate::Over);
    }

    /// Whether a chunk was or will be delivered though nothing has read it again.
    pub fn has(&self, note: &Note) -> bool {
        self.0.iter().any(|(one, fate)| one == note && !matches!(fate, Fate::Over))
    }

    /// Bytes of such chunks, of one generation.
    pub fn bytes(&self, generation: u32) -> u64 {
        let of_it = self.0.iter().filter(|(note, fate)| note.generation == generation && !matches!(fate, Fate::Over));
        of_it.map(|(note, _)| note.end - note.start).sum()
    }

    /// Whether any of them waits in a queue.
    pub fn is_queued(&self) -> bool {
        self.0.iter().any(|(_, fate)| matches!(fate, Fate::Queued))
    }

    /// What became of those delivered.
    pub fn settled(&self) -> impl Iterator<Item = &Counts> {
        self.0.iter().filter_map(|(_, fate)| match fate {
            Fate::Settled(counts) => Some(counts),
            Fate::Queued | Fate::Over => None,
        })
    }

    fn at(&mut self, seq: u64) -> Option<&mut (Note, Fate)> {
        self.0.get_mut(usize::try_from(seq.checked_sub(Span::BEYOND)?).ok()?)
    }
}
