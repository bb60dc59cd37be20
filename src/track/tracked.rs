//! One source that is known: how far it is settled, what of it is in flight, in a queue, or to be read again. Pure: no
//! disk, no clock.

use super::Damage;
use super::beyond::Beyond;
use super::known::Seen;
use super::store::SavedSource;
use super::watermark::Watermark;
use crate::base::batch::Span;
use crate::base::counts::Counts;
use crate::base::identity::Absent;
use crate::base::source::{Cursor, Identity, Note, Resume, SourceId, fingerprint};

/// The reason under which lines are counted that were damaged in a queue and cannot be read again.
const DAMAGED: &str = "queue_damaged";

/// How far back a container's stream may repeat itself by its clock, in ns: beyond it nothing is skipped.
const REPEATS_WITHIN_NS: u64 = 10_000_000_000;

/// One source.
#[derive(Debug)]
pub struct Tracked {
    /// The `[source.NAME]` that it comes from.
    pub name: String,
    pub(super) identity: Identity,
    /// Counts the truncations seen.
    pub generation: u32,
    pub(super) seen_ms: i64,
    /// All before it is settled.
    pub cursor: Option<Cursor>,
    /// What became of the lines up to there.
    pub counts: Counts,
    /// Its chunks in flight.
    pub watermark: Watermark,
    /// How far this run has read.
    pub read_to: Option<Cursor>,
    /// Nothing more will be read of it.
    pub(super) is_finished: bool,
    /// It was finished and all of it settled at the last checkpoint.
    pub(super) was_over: bool,
    /// Chunks noted by an earlier run beyond the cursor, oldest first; those read again are taken out.
    pub(super) replay: Vec<Note>,
    /// Those of them that a queue has, and that it sends though something before them must be read again.
    pub beyond: Beyond,
    /// How many of the first come before all that this run has in flight: they are settled, or were passed over.
    pub(super) passed: usize,
    /// How many of the first are settled, where a queue has the very one that the cursor comes from.
    pub(super) settled: Option<usize>,
    /// Bytes in a file when it was last looked at.
    pub(super) size: u64,
    /// See [`Resume::unread`].
    pub(super) unread: u64,
    /// Whether this run has found it, or looked for it in vain.
    pub(super) is_sought: bool,
    /// Whether something reads it now.
    pub(super) is_followed: bool,
    /// See [`SavedSource::missing`].
    pub(super) missing: Option<u64>,
}

/// A chunk that lies in a queue on disk.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Which chunk.
    pub note: Note,
    /// Where reading goes on after it.
    pub cursor: Cursor,
    /// Its lines.
    pub lines: u64,
    /// The bytes that it was read from.
    pub bytes: u64,
}

impl Tracked {
    pub(super) fn new(name: &str, identity: &Identity) -> Self {
        Self {
            name: name.to_owned(),
            identity: identity.clone(),
            generation: 0,
            seen_ms: 0,
            cursor: None,
            counts: Counts::default(),
            watermark: Watermark::default(),
            read_to: None,
            is_finished: false,
            was_over: false,
            replay: Vec::new(),
            beyond: Beyond::default(),
            passed: 0,
            settled: None,
            size: 0,
            unread: 0,
            is_sought: false,
            is_followed: false,
            missing: None,
        }
    }

    /// Takes in what may have changed since it was last seen: its name, its path, a longer head, its size. One that was
    /// counted as missing is not lost after all.
    pub fn refresh(&mut self, name: &str, seen: &Seen<'_>, now_ms: i64) {
        name.clone_into(&mut self.name);
        self.take_identity(seen.identity);
        self.counts.lost_bytes = self.counts.lost_bytes.saturating_sub(self.missing.take().unwrap_or(0));
        if self.position().is_some() {
            self.unread = self.size.saturating_sub(self.offset());
        }
        (self.size, self.seen_ms, self.is_sought) = (seen.len, now_ms, true);
        (self.is_followed, self.is_finished) = (true, false);
    }

    /// Where reading goes on in this generation of a file: the offset and the guard before it.
    fn position(&self) -> Option<(u64, u64)> {
        match self.read_to.as_ref().or(self.cursor.as_ref()) {
            Some(Cursor::File { generation, offset, guard }) if *generation == self.generation => {
                Some((*offset, *guard))
            }
            _ => None,
        }
    }

    /// What became of all lines that are settled.
    pub fn all_counts(&self) -> Counts {
        Counts::sum(std::iter::once(&self.counts).chain(self.beyond.settled()))
    }

    fn offset(&self) -> u64 {
        self.position().map_or(0, |(offset, _)| offset)
    }

    /// Bytes of this generation that were neither settled nor are in a queue, of those that are known to have been there.
    pub(super) fn unread(&self) -> u64 {
        let noted = self.replay.iter().filter(|note| note.generation == self.generation);
        let end = noted.map(|note| note.end).fold(self.size, u64::max);
        end.saturating_sub(self.offset() + self.beyond.bytes(self.generation))
    }

    /// Whether it was not seen for longer.
    pub(super) fn is_unseen(&self, for_ms: i64, now_ms: i64) -> bool {
        self.seen_ms.saturating_add(for_ms) < now_ms
    }

    pub(super) fn absent(&self, id: SourceId) -> Absent {
        let (offset, guard) = self.position().unwrap_or((0, fingerprint(b"")));
        Absent { id, name: self.name.clone(), identity: self.identity.clone(), offset, guard }
    }

    pub(super) const fn is_file(&self) -> bool {
        matches!(self.identity, Identity::File { .. })
    }

    /// Whether no run can read it again: a pipe, or a container that was removed.
    pub(super) fn is_gone(&self) -> bool {
        match &self.identity {
            Identity::File { .. } => false,
            Identity::Docker { .. } => self.is_finished,
            Identity::Stdin { .. } => true,
        }
    }

    /// Nobody has a chunk any more. Where no run can read it again it is settled as lost: gives its bytes. `known`: what
    /// became of its lines before they were items. `None`: it is settled already.
    pub fn damage(&mut self, seq: u64, known: Option<Counts>) -> Option<Damage> {
        let told = |name: &str, lost_bytes| Some(Damage { name: name.to_owned(), lost_bytes });
        if seq >= Span::BEYOND {
            let bytes = self.beyond.damage(seq)?;
            // Of a file that was not missed yet it is counted when that is.
            let lost = self.missing.as_mut().map(|missing| {
                *missing += bytes;
                bytes
            });
            self.counts.lost_bytes += lost.unwrap_or(0);
            return told(&self.name, lost);
        }
        let in_flight = self.watermark.counts(seq)?;
        let mut counts = known.unwrap_or_else(|| in_flight.clone());
        if !self.is_gone() {
            return told(&self.name, None);
        }
        let (bytes, lines) = (counts.bytes, counts.open());
        counts.lost_bytes += bytes;
        *counts.dropped.entry(DAMAGED.to_owned()).or_default() += lines;
        self.settle(seq, counts);
        told(&self.name, Some(bytes))
    }

    /// What became of a chunk is known.
    pub fn settle(&mut self, seq: u64, counts: Counts) {
        if seq >= Span::BEYOND {
            self.beyond.settle(seq, counts);
        } else if let Some(passed) = self.watermark.settle(seq, counts) {
            self.cursor = Some(passed.cursor);
            self.counts.add(&passed.counts);
        }
    }

    /// Where to go on: after what this run has read already, else after what is settled.
    ///
    /// Pieces of an earlier generation are given once, to be counted as lost.
    pub fn resume(&mut self, id: SourceId) -> Resume {
        let cursor = self.read_to.as_ref().or(self.cursor.as_ref()).cloned();
        let path = match &self.identity {
            Identity::File { path, .. } => Some(path.clone()),
            _ => None,
        };
        let is_told = |note: &&Note| note.generation >= self.generation || !self.beyond.has(note);
        let replay = self.replay.iter().filter(is_told).cloned().collect();
        self.replay.retain(|note| note.generation >= self.generation);
        Resume { id, generation: self.generation, cursor, path, replay, unread: std::mem::take(&mut self.unread) }
    }

    /// Takes a new identity: the head has grown, the file was renamed, or truncated.
    pub fn identify(&mut self, identity: &Identity, generation: u32) {
        self.take_identity(identity);
        self.generation = generation;
    }

    /// All of it but the path: that stays the one under which the file was first seen.
    fn take_identity(&mut self, seen: &Identity) {
        let first = std::mem::replace(&mut self.identity, seen.clone());
        if let (Identity::File { path, .. }, Identity::File { path: first_path, .. }) = (&mut self.identity, first) {
            *path = first_path;
        }
    }

    /// Takes in the oldest chunk that an earlier run noted and that is not settled, if it is this one, without reading it:
    /// it lies in a queue. Gives its sequence number; [`Span::SETTLED`] where another must be read again before it, or
    /// nothing is known of it; `None`: it is settled, or taken in already.
    pub fn take_queued(&mut self, queued: &Queued) -> Option<u64> {
        if self.beyond.has_settled(&queued.note) {
            return None;
        }
        let settled = self.settled_notes();
        // Of several that end at one time it is known only from a queue which one the cursor comes from.
        let is_known = self.settled.is_some();
        match self.replay.iter().position(|note| *note == queued.note) {
            Some(index) if index + 1 < settled || (index < settled && is_known) => return None,
            Some(index) if index > settled => return Some(Span::SETTLED),
            Some(index) => drop(self.replay.drain(..=index)),
            // Of a file that was truncated since, all before that is passed, but what is behind a hole in it.
            None if self.beyond.has(&queued.note) => return Some(Span::SETTLED),
            None => return (!self.is_passed(&queued.note)).then_some(Span::SETTLED),
        }
        self.beyond.forget(&queued.note);
        self.read_to = Some(queued.cursor.clone());
        let counts = Counts { read: queued.lines, bytes: queued.bytes, ..Counts::default() };
        Some(self.watermark.begin(queued.note.clone(), queued.cursor.clone(), counts))
    }

    /// Takes note if a chunk in a queue is the one that the cursor comes from.
    pub(super) fn find_cursor(&mut self, queued: &Queued) {
        if self.cursor.as_ref() == Some(&queued.cursor) {
            let found = self.replay.iter().position(|note| *note == queued.note);
            self.settled = found.map(|index| index + 1).or(self.settled);
        }
    }

    /// How many of the first notes to replay are settled: those of a container up to the one that the cursor comes from.
    /// They stay for a stream that repeats itself. In the order of the stream: its clock may have been set back.
    pub(super) fn settled_notes(&self) -> usize {
        match (&self.read_to, &self.cursor) {
            // The first of several with one time: that of the cursor may be a later one, and none is taken for settled.
            (None, Some(Cursor::Docker { time_ns, .. })) => {
                let first = || self.replay.iter().position(|note| note.end == *time_ns);
                self.settled.or_else(|| first().map(|index| index + 1)).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Whether a chunk of which there is no note to replay lies before what is settled or taken in.
    fn is_passed(&self, note: &Note) -> bool {
        match self.read_to.as_ref().or(self.cursor.as_ref()) {
            Some(Cursor::File { generation, offset, .. }) => (note.generation, note.end) <= (*generation, *offset),
            Some(Cursor::Docker { time_ns, .. }) => note.end <= *time_ns,
            None => false,
        }
    }

    /// Whether a chunk is one that an earlier run noted; it is then no longer waited for.
    pub fn take_replayed(&mut self, note: &Note) -> bool {
        self.beyond.read_again(note);
        let found = self.replay.iter().position(|one| one == note);
        match found {
            Some(index) => {
                self.passed -= usize::from(index < self.passed);
                self.replay.remove(index);
            }
            // What a container never said before comes after all that it did, though that was cut otherwise this time.
            None if !self.is_file() => self.passed = self.replay.len(),
            None => {}
        }
        found.is_some()
    }

    /// Takes note that this run reads on to `cursor`.
    pub fn read_on(&mut self, cursor: Cursor) {
        if self.read_to.is_none() {
            self.passed = self.settled_notes();
        }
        self.read_to = Some(cursor);
    }

    /// The notes of what is not settled, and of what a stream may repeat, in the order of the source: what was read again
    /// comes before what is still to be.
    pub fn flying(&self) -> impl Iterator<Item = &Note> {
        let (passed, left) = self.replay.split_at(self.passed.min(self.replay.len()));
        passed.iter().chain(self.watermark.notes()).chain(left)
    }

    /// What the notes hold of it: who it is, not how far it is settled. A position goes with the checkpoint that also
    /// holds the length of the file written.
    pub fn noted(&self, id: SourceId) -> SavedSource {
        let saved = self.saved(id);
        SavedSource { cursor: None, counts: Counts::default(), size: 0, missing: None, beyond: Vec::new(), ..saved }
    }

    /// What a checkpoint holds of it.
    pub fn saved(&self, id: SourceId) -> SavedSource {
        SavedSource {
            id,
            name: self.name.clone(),
            identity: self.identity.clone(),
            generation: self.generation,
            seen_ms: self.seen_ms,
            cursor: self.cursor.clone(),
            counts: self.counts.clone(),
            size: self.size,
            missing: self.missing,
            beyond: self.beyond.saved(),
        }
    }

    pub(super) fn truncate(&mut self) {
        self.unread = self.unread();
        self.size = 0;
        self.generation += 1;
        self.read_to = None;
        self.cursor = None;
    }

    /// Keeps a note that lies beyond the cursor.
    pub(super) fn remember(&mut self, note: Note) {
        self.generation = self.generation.max(note.generation);
        let is_settled = match &self.cursor {
            Some(Cursor::File { generation, offset, .. }) => (note.generation, note.end) <= (*generation, *offset),
            Some(Cursor::Docker { time_ns, .. }) => note.end.saturating_add(REPEATS_WITHIN_NS) < *time_ns,
            None => false,
        };
        if !is_settled && !self.replay.contains(&note) {
            self.replay.push(note);
        }
    }
}
