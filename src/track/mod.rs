//! What one output has safely delivered: spans in flight, the watermark of each source, the checkpoint. The only writer
//! of checkpoints. Does not read sources, does not talk to stores, and knows of no other output.
//!
//! The order that keeps the promise: a chunk is [begun](Tracker::begin) (its note written), the notes are made
//! [durable](Tracker::make_durable), its batch is sent, [settled](Tracker::settle) after the store's answer, and only then
//! a [checkpoint](Tracker::save) moves past it. A crash between any two steps reads the
//! chunk again in the same pieces, with the same time of reading, and so with the same ids.

mod beyond;
mod known;
mod store;
mod tracked;
mod watermark;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::{Checkpoint, Encoded, Entry, Store, VERSION};
pub use store::{Error, Hold, check, hold};

use crate::base::chunk::Chunk;
use crate::base::counts::{Counts, Ledger};
use crate::base::identity::{Absent, Inode};
use crate::base::source::{Cursor, Identity, Note, Resume, SourceId};
pub use known::Seen;
use known::{Saved, Sources};
pub use tracked::Queued;

/// Tracks all sources of one output. Shared; touched per chunk and per batch.
#[derive(Debug)]
pub struct Tracker {
    state: Mutex<State>,
    /// Held while a checkpoint is written.
    saving: Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// `None`: nothing is saved.
    store: Option<Store>,
    sources: Sources,
    /// The settled length of a file output.
    written: Option<u64>,
    /// What became of the lines of sources that were let go, by the name of their `[source.NAME]`.
    gone: BTreeMap<String, Counts>,
    /// No checkpoint of this run was saved yet.
    is_opening: bool,
    /// Something changed since the last checkpoint.
    dirty: bool,
    /// A note could not be written, or not be made durable: all are written anew before anything more is sent.
    is_doubtful: bool,
    /// There are notes that were told and must not be told to the next run.
    has_told_notes: bool,
    /// Counts what moved a watermark: a sign of progress.
    settled: u64,
    /// Why the last checkpoint could not be written.
    trouble: Option<String>,
}

/// What became of one chunk.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Whose chunk.
    pub source: SourceId,
    /// Which.
    pub seq: u64,
    /// What became of its lines.
    pub counts: Counts,
}

/// A chunk that was damaged in a queue.
#[derive(Debug, PartialEq, Eq)]
pub struct Damage {
    /// The `[source.NAME]` that it comes from.
    pub name: String,
    /// Its bytes, where no run can read it again. `None`: the next one does.
    pub lost_bytes: Option<u64>,
}

impl Tracker {
    /// Opens the state in `folder`, which must be [held](hold); `None` keeps it in memory only.
    ///
    /// # Errors
    /// When the folder cannot be written, or the checkpoint is damaged.
    pub fn open(folder: Option<&Path>) -> Result<Self, Error> {
        Self::open_with(folder, &[]).map(|(tracker, _)| tracker)
    }

    /// The same with what lies in the output's queue, oldest first: it need not be read again. Also gives the sequence
    /// number of each: one from [`Span::BEYOND`] on where something before it must be read again, [`Span::SETTLED`] where
    /// its source is not known: it is sent all the same; `None` where it is settled already.
    ///
    /// [`Span::BEYOND`]: crate::base::batch::Span::BEYOND
    /// [`Span::SETTLED`]: crate::base::batch::Span::SETTLED
    ///
    /// # Errors
    /// As [`Tracker::open`].
    pub fn open_with(folder: Option<&Path>, queued: &[Queued]) -> Result<(Self, Vec<Option<u64>>), Error> {
        let mut state = State {
            store: None,
            sources: Sources::default(),
            written: None,
            gone: BTreeMap::new(),
            is_opening: true,
            dirty: true,
            is_doubtful: false,
            has_told_notes: false,
            settled: 0,
            trouble: None,
        };
        if let Some(folder) = folder {
            let (store, checkpoint, entries) = Store::open(folder)?;
            state.store = Some(store);
            if let Some(checkpoint) = checkpoint {
                state.written = checkpoint.written;
                state.gone = checkpoint.gone;
                checkpoint.sources.into_iter().for_each(|saved| state.sources.restore(saved));
            }
            entries.into_iter().for_each(|entry| state.sources.remember(entry));
        }
        let seqs = state.sources.take_queued(queued);
        let tracker = Self { state: Mutex::new(state), saving: Mutex::new(()) };
        tracker.save_with(true)?;
        tracker.lock().is_opening = false;
        Ok((tracker, seqs))
    }

    /// A chunk in flight: its note, and where reading goes on after it. `None`: it is settled.
    #[must_use]
    pub fn flight(&self, source: SourceId, seq: u64) -> Option<(Note, Cursor)> {
        let state = self.lock();
        state.sources.get(source)?.watermark.flight(seq).map(|(note, cursor)| (note.clone(), cursor.clone()))
    }

    /// Finds a source again, or takes it in under the id `minted`.
    ///
    /// # Errors
    /// When its id cannot be noted.
    pub fn resume(&self, name: &str, seen: &Seen<'_>, minted: SourceId, now_ms: i64) -> Result<Resume, Error> {
        let mut state = self.lock();
        let state = &mut *state;
        let (id, is_news) = state.sources.find_or_take(name, seen, minted);
        let tracked = state.sources.get_mut(id);
        tracked.refresh(name, seen, now_ms);
        if is_news {
            let entry = Entry::Source(Box::new(state.sources.get_mut(id).noted(id)));
            state.note(entry)?;
        }
        state.dirty = true;
        let resume = state.sources.get_mut(id).resume(id);
        state.has_told_notes |= resume.replay.iter().any(|note| note.generation < resume.generation);
        Ok(resume)
    }

    /// Takes a new identity of a source that is being read: its head has grown, it was renamed, or truncated. To be
    /// called before its next chunk is begun.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub fn identify(&self, id: SourceId, identity: &Identity, generation: u32) -> Result<(), Error> {
        let mut state = self.lock();
        state.sources.get_mut(id).identify(identity, generation);
        state.dirty = true;
        let entry = Entry::Source(Box::new(state.sources.get_mut(id).noted(id)));
        state.note(entry)
    }

    /// Takes note that a source seen for the first time is not read from its beginning.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub fn begin_at(&self, id: SourceId, cursor: &Cursor) -> Result<(), Error> {
        let mut state = self.lock();
        let tracked = state.sources.get_mut(id);
        tracked.cursor.get_or_insert_with(|| cursor.clone());
        let entry = Entry::Source(Box::new(tracked.saved(id)));
        state.dirty = true;
        state.note(entry)
    }

    /// Takes a chunk in: notes it and gives its sequence number.
    ///
    /// # Errors
    /// When the note cannot be written.
    ///
    /// # Panics
    /// If its source was never [resumed](Tracker::resume).
    pub fn begin(&self, chunk: &Chunk) -> Result<u64, Error> {
        let note = Note {
            source: chunk.source.id,
            generation: chunk.generation,
            start: chunk.start,
            end: chunk.end,
            seen_ms: chunk.seen_ms,
            names: chunk.source.names(),
        };
        let mut state = self.lock();
        let state = &mut *state;
        let tracked = state.sources.get_mut(note.source);
        tracked.generation = chunk.generation;
        tracked.read_on(chunk.cursor.clone());
        let is_noted = tracked.take_replayed(&note);
        if !is_noted {
            state.note(Entry::Chunk(note.clone()))?;
        }
        let counts = Counts { read: chunk.lines.len() as u64, bytes: chunk.input_bytes, ..Counts::default() };
        Ok(state.sources.get_mut(note.source).watermark.begin(note, chunk.cursor.clone(), counts))
    }

    /// Bytes of a source vanished before they were read.
    pub fn lose(&self, id: SourceId, bytes: u64) {
        let mut state = self.lock();
        state.sources.get_mut(id).counts.lost_bytes += bytes;
        state.dirty = true;
    }

    /// Takes note of files that are there, with their bytes where they were looked at: what is unread of one can be told
    /// when it is gone.
    pub fn saw(&self, files: impl Iterator<Item = (SourceId, Option<u64>)>, now_ms: i64) {
        let mut state = self.lock();
        files.for_each(|(id, size)| state.sources.saw(id, size, now_ms));
    }

    /// A file is no longer read. It may be found again.
    pub fn let_go(&self, id: SourceId) {
        self.lock().sources.let_go(id);
    }

    /// The files that are to be sought: those that this run has neither found nor sought, and those that were not seen for
    /// longer than `keep_ms` says for their `[source.NAME]` (`None`: not sought). `resting`: files that are there and need
    /// not be read.
    #[must_use]
    pub fn absent(&self, resting: &BTreeSet<Inode>, keep_ms: impl Fn(&str) -> Option<i64>, now_ms: i64) -> Vec<Absent> {
        self.lock().sources.absent(resting, keep_ms, now_ms)
    }

    /// Lets go of the files that were not seen for longer than `keep_ms` says for their `[source.NAME]` (`None`: for ever),
    /// as soon as all of them is settled.
    pub fn forget(&self, keep_ms: impl Fn(&str) -> Option<i64>, now_ms: i64) {
        let mut state = self.lock();
        let is_news = state.sources.forget(keep_ms, now_ms);
        state.dirty |= is_news;
    }

    /// Lets go of the containers of one `[source.NAME]` that are not there any more and that this run has not begun to
    /// read, as soon as all of them is settled. Gives those of which something was read before that cannot be read again.
    pub fn forget_containers(&self, name: &str, is_there: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut state = self.lock();
        let (is_news, unread) = state.sources.forget_containers(name, is_there);
        state.dirty |= is_news;
        unread
    }

    /// A file that is gone cannot be found. Gives the bytes of it that are lost, as far as is known: once, over all runs.
    #[must_use]
    pub fn miss(&self, id: SourceId) -> u64 {
        let mut state = self.lock();
        state.dirty = true;
        state.sources.miss(id)
    }

    /// Makes all notes so far durable: before a batch is first sent.
    ///
    /// # Errors
    /// As the file system gives them.
    pub fn make_durable(&self) -> Result<(), Error> {
        let mut state = self.lock();
        if state.is_doubtful {
            return state.roll_notes();
        }
        let synced = state.store.as_mut().map_or(Ok(()), Store::sync);
        state.doubt(synced)
    }

    /// What became of some chunks is known. `written` is the length of the output's file after them, for a file output.
    pub fn settle(&self, settlements: Vec<Settlement>, written: Option<u64>) {
        let mut state = self.lock();
        for settlement in settlements {
            let Some(tracked) = state.sources.find_mut(settlement.source) else { continue };
            tracked.settle(settlement.seq, settlement.counts);
        }
        state.written = written.or(state.written);
        state.dirty = true;
        state.settled += 1;
    }

    /// A chunk was damaged in a queue, before it was sent. It holds the watermark, and so the next run reads it again; what
    /// no run can read again is settled as lost, and counted. `known`: what became of its lines before they were items, if
    /// that can still be read. `None`: it is settled already.
    pub fn damage(&self, id: SourceId, seq: u64, known: Option<Counts>) -> Option<Damage> {
        let mut state = self.lock();
        state.dirty = true;
        state.sources.find_mut(id)?.damage(seq, known)
    }

    /// What is known of the lines of a chunk in flight before the store's answer.
    #[must_use]
    pub fn counts(&self, id: SourceId, seq: u64) -> Option<Counts> {
        self.lock().sources.get(id)?.watermark.counts(seq).cloned()
    }

    /// Whether anything changed since the last checkpoint.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.lock().dirty
    }

    /// How many sources a checkpoint has.
    #[must_use]
    pub fn known(&self) -> usize {
        self.lock().sources.all().len()
    }

    /// Writes a checkpoint if anything changed.
    ///
    /// # Errors
    /// As the file system gives them; the old checkpoint then still holds.
    pub fn save(&self) -> Result<(), Error> {
        let state = self.lock();
        let roll = state.has_told_notes || state.is_doubtful || state.store.as_ref().is_some_and(Store::notes_are_long);
        drop(state);
        self.save_with(roll)
    }

    /// The same; with `roll`, new notes of only what is still in flight are begun.
    fn save_with(&self, roll: bool) -> Result<(), Error> {
        let _one_at_a_time = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.lock().checkpoint(roll);
        // Written without the lock: reading and settling go on meanwhile.
        let written = wanted.and_then(|wanted| wanted.map_or(Ok(()), |encoded| store::save(&encoded)));
        let mut state = self.lock();
        state.trouble = written.as_ref().err().map(ToString::to_string);
        state.dirty |= written.is_err();
        written
    }

    /// Why the last checkpoint could not be written. `None`: it was.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    /// The saved length of a file output.
    #[must_use]
    pub fn written(&self) -> Option<u64> {
        self.lock().written
    }

    /// Saves the length that a file output had before anything was written to it: to be cut back to after a crash.
    ///
    /// # Errors
    /// As the file system gives them.
    pub fn found_written(&self, written: u64) -> Result<(), Error> {
        let mut state = self.lock();
        state.written = Some(written);
        state.dirty = true;
        drop(state);
        self.save()
    }

    /// Lets go of a source that will never have more, once all of it is settled.
    pub fn finish(&self, id: SourceId) {
        let mut state = self.lock();
        state.sources.finish(id);
        state.dirty = true;
    }

    /// How many sources this run has read from.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.lock().sources.all().filter(|tracked| tracked.read_to.is_some()).count()
    }

    /// What became of everything read, in all runs, by the `[source.NAME]` that it came from; what is in flight counts as
    /// read only.
    #[must_use]
    pub fn ledger(&self) -> BTreeMap<String, Counts> {
        let state = self.lock();
        let mut ledger = state.gone.clone();
        for tracked in state.sources.all() {
            let sum = ledger.entry(tracked.name.clone()).or_default();
            sum.add(&tracked.all_counts());
            sum.add(&tracked.watermark.in_flight());
        }
        ledger
    }

    /// Whether anything of a source is read and not settled.
    #[must_use]
    pub fn is_in_flight(&self, id: SourceId) -> bool {
        self.lock().sources.get(id).is_some_and(|tracked| tracked.watermark.notes().next().is_some())
    }

    /// How many chunks are not settled.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lock().sources.all().map(|tracked| tracked.watermark.notes().count()).sum()
    }

    /// The oldest time of reading in flight, in ms since 1970.
    #[must_use]
    pub fn oldest_ms(&self) -> Option<i64> {
        self.lock().sources.all().filter_map(|tracked| tracked.watermark.oldest_ms()).min()
    }

    /// Grows whenever something settles: a sign of progress.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.lock().settled
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of everything read in the runs so far, by output, as the last checkpoints below `state_dir` say it.
///
/// # Errors
/// When the folder or a checkpoint cannot be read.
pub fn saved_ledger(state_dir: &Path) -> Result<Ledger, Error> {
    let mut ledger = Ledger::new();
    for (output, checkpoint) in store::checkpoints(state_dir)? {
        let sources: &mut BTreeMap<String, Counts> = ledger.entry(output).or_default();
        for saved in checkpoint.sources {
            sources.entry(saved.name.clone()).or_default().add(&saved.all_counts());
        }
        for (name, counts) in checkpoint.gone {
            sources.entry(name).or_default().add(&counts);
        }
    }
    Ok(ledger)
}

/// Where the state of one output lies.
#[must_use]
pub fn folder_of(state_dir: &Path, output: &str) -> PathBuf {
    store::outputs(state_dir).join(output)
}

/// The outputs that have state below `state_dir`.
///
/// # Errors
/// When the folder cannot be read.
pub fn known_outputs(state_dir: &Path) -> Result<Vec<String>, Error> {
    store::known_outputs(state_dir)
}

impl State {
    fn note(&mut self, entry: Entry) -> Result<(), Error> {
        let noted = self.store.as_mut().map_or(Ok(()), |store| store.append(&entry));
        self.doubt(noted)
    }

    /// After an error new notes are begun before anything is sent, or with the next checkpoint.
    fn doubt(&mut self, noted: Result<(), Error>) -> Result<(), Error> {
        self.is_doubtful |= noted.is_err();
        self.dirty |= noted.is_err();
        noted
    }

    /// Begins new notes, durable, of what is in flight; and of the sources, where a note of one may be missing.
    fn roll_notes(&mut self) -> Result<(), Error> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let sources = self.is_doubtful.then(|| self.sources.noted()).into_iter().flatten();
        let rolled = store.roll_notes(sources.chain(self.sources.flying().cloned().map(Entry::Chunk)));
        if rolled.is_ok() {
            (self.is_doubtful, self.has_told_notes) = (false, false);
        }
        self.doubt(rolled)
    }

    /// What to save and where, if anything changed.
    fn checkpoint(&mut self, roll: bool) -> Result<Option<Encoded>, Error> {
        if self.store.is_none() || !self.dirty {
            return Ok(None);
        }
        if roll {
            self.roll_notes()?;
        }
        let Some(store) = &self.store else { return Ok(None) };
        // Nothing is let go while it opens: the queues have forgotten nothing since the last run.
        self.dirty = !self.is_opening && self.sources.retire(&mut self.gone);
        let checkpoint = Checkpoint {
            version: VERSION,
            notes: store.notes_number(),
            sources: Saved(&self.sources),
            written: self.written,
            gone: self.gone.clone(),
        };
        Encoded::of(store.folder(), &checkpoint).map(Some)
    }
}

#[cfg(test)]
mod tests;
