//! The sources known: how one is found again, and how far it is settled. Pure: no disk, no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::store::{Entry, SavedSource};
use super::watermark::Watermark;
use crate::base::batch::Span;
use crate::base::counts::Counts;
use crate::base::identity::{Absent, Inode, Likeness, compare};
use crate::base::source::{Cursor, Identity, Note, Resume, SourceId, fingerprint};

/// All sources, by id and by what they are found again by.
#[derive(Debug, Default)]
pub struct Sources {
    by_id: HashMap<SourceId, Tracked>,
    by_trait: HashMap<u64, Vec<SourceId>>,
}

/// One source.
#[derive(Debug)]
pub struct Tracked {
    /// The `[source.NAME]` that it comes from.
    pub name: String,
    identity: Identity,
    /// Counts the truncations seen.
    pub generation: u32,
    seen_ms: i64,
    /// All before it is settled.
    pub cursor: Option<Cursor>,
    /// What became of the lines up to there.
    pub counts: Counts,
    /// Its chunks in flight.
    pub watermark: Watermark,
    /// How far this run has read.
    pub read_to: Option<Cursor>,
    /// Nothing more will be read of it.
    is_finished: bool,
    /// It was finished and all of it settled at the last checkpoint.
    was_over: bool,
    /// Chunks noted by an earlier run beyond the cursor, oldest first; those read again are taken out.
    replay: Vec<Note>,
    /// Those of them that a queue has, and that it sends though something before them must be read again.
    queued: Vec<Note>,
    /// How many of the first are settled, where a queue has the very one that the cursor comes from.
    settled: Option<usize>,
    /// Bytes in a file when it was last looked at.
    size: u64,
    /// See [`Resume::unread`].
    unread: u64,
    /// Whether this run has found it, or looked for it in vain.
    is_sought: bool,
    /// Whether something reads it now.
    is_followed: bool,
    /// See [`SavedSource::missing`].
    missing: Option<u64>,
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

/// A source as it is found.
pub struct Seen<'a> {
    /// How to know it again.
    pub identity: &'a Identity,
    /// Bytes in it now, for a file.
    pub len: u64,
    /// The fingerprint of its first bytes, `None` where it has fewer, for a file.
    pub head_of: &'a dyn Fn(usize) -> Option<u64>,
}

/// The reason under which lines are counted that were damaged in a queue and cannot be read again.
const DAMAGED: &str = "queue_damaged";

/// How far back a container's stream may repeat itself by its clock, in ns: beyond it nothing is skipped.
const REPEATS_WITHIN_NS: u64 = 10_000_000_000;

impl Sources {
    /// One that was resumed before.
    ///
    /// # Panics
    /// If it was not.
    pub fn get_mut(&mut self, id: SourceId) -> &mut Tracked {
        self.by_id.get_mut(&id).expect("a chunk's source is resumed before it is read")
    }

    /// One that may have been let go.
    pub fn get(&self, id: SourceId) -> Option<&Tracked> {
        self.by_id.get(&id)
    }

    /// The same, to be changed.
    pub fn find_mut(&mut self, id: SourceId) -> Option<&mut Tracked> {
        self.by_id.get_mut(&id)
    }

    /// Takes in what lies in queues, as [`Tracked::take_queued`] says. Of a source that more than one queue has something
    /// of, what is older may come later: so what must be read again is not certain before none fits any more. What is
    /// queued of a source that is not known is sent: nothing says that it was delivered.
    pub fn take_queued(&mut self, queued: &[Queued]) -> Vec<Option<u64>> {
        let notes: HashSet<_> = queued.iter().map(|one| &one.note).collect();
        // What a pipe gave and no queue has cannot be read again: nothing waits for it.
        for tracked in self.by_id.values_mut().filter(|tracked| tracked.is_finished) {
            tracked.replay.retain(|note| notes.contains(note));
        }
        for one in queued {
            self.by_id.get_mut(&one.note.source).into_iter().for_each(|tracked| tracked.find_cursor(one));
        }
        let mut take = |one: &Queued| match self.by_id.get_mut(&one.note.source) {
            Some(tracked) => tracked.take_queued(one),
            None => Some(Span::SETTLED),
        };
        let mut seqs: Vec<_> = queued.iter().map(&mut take).collect();
        loop {
            let mut is_over = true;
            for (seq, one) in seqs.iter_mut().zip(queued).filter(|(seq, _)| **seq == Some(Span::SETTLED)) {
                *seq = take(one);
                is_over &= *seq == Some(Span::SETTLED);
            }
            if is_over {
                break;
            }
        }
        for (one, _) in queued.iter().zip(&seqs).filter(|(_, seq)| **seq == Some(Span::SETTLED)) {
            self.by_id.get_mut(&one.note.source).into_iter().for_each(|tracked| tracked.queued.push(one.note.clone()));
        }
        seqs
    }

    /// Nothing more will be read of a source.
    pub fn finish(&mut self, id: SourceId) {
        if let Some(tracked) = self.by_id.get_mut(&id) {
            tracked.is_finished = true;
        }
    }

    /// Takes note of a file that is there, with its bytes where it was looked at.
    pub fn saw(&mut self, id: SourceId, size: Option<u64>, now_ms: i64) {
        if let Some(tracked) = self.by_id.get_mut(&id) {
            tracked.size = size.unwrap_or(tracked.size);
            (tracked.seen_ms, tracked.is_sought) = (now_ms, true);
        }
    }

    /// Nothing reads it any more. It may be found again.
    pub fn let_go(&mut self, id: SourceId) {
        if let Some(tracked) = self.by_id.get_mut(&id) {
            tracked.is_followed = false;
        }
    }

    /// The files that are to be sought, of the `[source.NAME]`s that `keep_ms` knows: those that this run has neither
    /// found nor sought, and those that were not seen for so long that they would be forgotten. Those `resting` are
    /// there and not read now.
    pub fn absent(
        &mut self,
        resting: &BTreeSet<Inode>,
        keep_ms: impl Fn(&str) -> Option<i64>,
        now_ms: i64,
    ) -> Vec<Absent> {
        let mut absent = Vec::new();
        for (id, tracked) in &mut self.by_id {
            let Identity::File { inode, birth_ns, .. } = &tracked.identity else { continue };
            if tracked.is_followed || resting.contains(&(*inode, *birth_ns)) {
                (tracked.seen_ms, tracked.is_sought) = (now_ms, true);
            } else if let Some(keep_ms) = keep_ms(&tracked.name).filter(|_| !tracked.is_finished) {
                tracked.is_sought &= !tracked.is_unseen(keep_ms, now_ms);
                if !tracked.is_sought {
                    absent.push(tracked.absent(*id));
                }
            }
        }
        absent
    }

    /// Lets go of the files that were not seen for longer than `keep_ms` says for their `[source.NAME]`, once they were
    /// sought. Whether there are any.
    pub fn forget(&mut self, keep_ms: impl Fn(&str) -> Option<i64>, now_ms: i64) -> bool {
        let mut is_news = false;
        for tracked in self.by_id.values_mut().filter(|tracked| matches!(tracked.identity, Identity::File { .. })) {
            let is_gone = tracked.is_sought && !tracked.is_followed && !tracked.is_finished;
            if is_gone && keep_ms(&tracked.name).is_some_and(|keep_ms| tracked.is_unseen(keep_ms, now_ms)) {
                tracked.is_finished = true;
                is_news = true;
            }
        }
        is_news
    }

    /// Lets go of the containers of `name` that are not there and that nothing reads. Whether there are any, and those of
    /// which unsettled notes are left, in no queue: they cannot be read again.
    pub fn forget_containers(&mut self, name: &str, is_there: impl Fn(&str) -> bool) -> (bool, BTreeSet<String>) {
        let (mut is_news, mut unread) = (false, BTreeSet::new());
        for tracked in self.by_id.values_mut().filter(|tracked| tracked.name == name && !tracked.is_followed) {
            let Identity::Docker { container, .. } = &tracked.identity else { continue };
            if !tracked.is_finished && !is_there(container) {
                tracked.is_finished = true;
                is_news = true;
                if tracked.replay.len() > tracked.settled_notes() {
                    unread.insert(container.clone());
                }
                tracked.replay.clear();
            }
        }
        (is_news, unread)
    }

    /// Counts what is known to have been unread of a file that cannot be found, and is in no queue, unless that was done
    /// already. Gives the bytes.
    pub fn miss(&mut self, id: SourceId) -> u64 {
        let Some(tracked) = self.by_id.get_mut(&id) else { return 0 };
        tracked.is_sought = true;
        if tracked.missing.is_some() {
            return 0;
        }
        let noted = || tracked.replay.iter().filter(|note| note.generation == tracked.generation);
        let end = noted().map(|note| note.end).fold(tracked.size, u64::max);
        let queued: u64 = noted().filter(|note| tracked.queued.contains(note)).map(|note| note.end - note.start).sum();
        let bytes = end.saturating_sub(tracked.offset() + queued);
        tracked.counts.lost_bytes += bytes;
        tracked.missing = Some(bytes);
        bytes
    }

    /// Lets go of finished sources of which nothing is in flight, and adds what became of their lines to `gone`, by name. One
    /// checkpoint later than it could: only then have the queues forgotten what they held of them, and a crash does not
    /// bring it back as if it were of an unknown source. Whether the next checkpoint has any to let go.
    pub fn retire(&mut self, gone: &mut BTreeMap<String, Counts>) -> bool {
        let is_over = |tracked: &Tracked| tracked.is_finished && tracked.watermark.notes().next().is_none();
        for (id, tracked) in self.by_id.extract_if(|_, tracked| tracked.was_over && is_over(tracked)) {
            gone.entry(tracked.name).or_default().add(&tracked.counts);
            if let Some(ids) = self.by_trait.get_mut(&trait_of(&tracked.identity)) {
                ids.retain(|one| *one != id);
            }
        }
        self.by_trait.retain(|_, ids| !ids.is_empty());
        self.by_id.values_mut().for_each(|tracked| tracked.was_over = is_over(tracked));
        self.by_id.values().any(|tracked| tracked.was_over)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Tracked> {
        self.by_id.values()
    }

    /// The notes of all chunks that are not settled. Those of a source in its order, or they could not be used: what was
    /// read again comes before what is still to be.
    pub fn flying(&self) -> impl Iterator<Item = &Note> {
        self.all().flat_map(|tracked| tracked.watermark.notes().chain(&tracked.replay))
    }

    /// Takes a source from a checkpoint.
    pub fn restore(&mut self, saved: SavedSource) {
        let tracked = Tracked {
            cursor: saved.cursor,
            counts: saved.counts,
            generation: saved.generation,
            seen_ms: saved.seen_ms,
            size: saved.size,
            missing: saved.missing,
            // What a pipe gave is gone with the run that read it.
            is_finished: matches!(saved.identity, Identity::Stdin { .. }),
            ..Tracked::new(&saved.name, &saved.identity)
        };
        self.insert(saved.id, tracked);
    }

    /// Takes a line of the notes, which come oldest first after the checkpoint.
    pub fn remember(&mut self, entry: Entry) {
        match entry {
            Entry::Chunk(note) => {
                if let Some(tracked) = self.by_id.get_mut(&note.source) {
                    tracked.remember(note);
                }
            }
            Entry::Source(saved) => match self.by_id.get_mut(&saved.id) {
                Some(tracked) if saved.generation >= tracked.generation => {
                    tracked.generation = saved.generation;
                    tracked.identity = saved.identity;
                    tracked.cursor = tracked.cursor.take().or(saved.cursor);
                }
                Some(_) => {}
                None => self.restore(*saved),
            },
        }
    }

    /// The id of a source seen, and whether the id or the generation is new.
    pub fn find_or_take(&mut self, name: &str, seen: &Seen<'_>, minted: SourceId) -> (SourceId, bool) {
        let candidates = self.by_trait.get(&trait_of(seen.identity)).map_or(&[][..], Vec::as_slice);
        let known: Vec<_> = candidates.iter().map(|id| (*id, likeness(&self.by_id[id], seen))).collect();
        let find = |wanted| known.iter().find(|(_, likeness)| *likeness == wanted).map(|(id, _)| *id);
        if let Some(id) = find(Likeness::Same) {
            return (id, false);
        }
        if let Some(id) = find(Likeness::Truncated) {
            self.get_mut(id).truncate();
            return (id, true);
        }
        let mut id = minted;
        while self.by_id.contains_key(&id) {
            id = SourceId::new(fingerprint(&id.bits().to_le_bytes()));
        }
        self.insert(id, Tracked::new(name, seen.identity));
        (id, true)
    }

    /// What a checkpoint holds.
    pub fn saved(&self) -> Vec<SavedSource> {
        self.by_id.iter().map(|(id, tracked)| tracked.saved(*id)).collect()
    }

    /// What the notes hold of all of them.
    pub fn noted(&self) -> impl Iterator<Item = Entry> {
        self.by_id.iter().map(|(id, tracked)| Entry::Source(Box::new(tracked.noted(*id))))
    }

    fn insert(&mut self, id: SourceId, tracked: Tracked) {
        self.by_trait.entry(trait_of(&tracked.identity)).or_default().push(id);
        self.by_id.insert(id, tracked);
    }
}

impl Tracked {
    fn new(name: &str, identity: &Identity) -> Self {
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
            queued: Vec::new(),
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

    fn offset(&self) -> u64 {
        self.position().map_or(0, |(offset, _)| offset)
    }

    /// Whether it was not seen for longer.
    fn is_unseen(&self, for_ms: i64, now_ms: i64) -> bool {
        self.seen_ms.saturating_add(for_ms) < now_ms
    }

    fn absent(&self, id: SourceId) -> Absent {
        let (offset, guard) = self.position().unwrap_or((0, fingerprint(b"")));
        Absent { id, name: self.name.clone(), identity: self.identity.clone(), offset, guard }
    }

    /// Whether no run can read it again: a pipe, or a container that was removed.
    fn is_gone(&self) -> bool {
        match &self.identity {
            Identity::File { .. } => false,
            Identity::Docker { .. } => self.is_finished,
            Identity::Stdin { .. } => true,
        }
    }

    /// Nobody has a chunk any more. Where no run can read it again it is settled as lost: gives its bytes.
    pub fn damage(&mut self, seq: u64, mut counts: Counts) -> Option<u64> {
        if !self.is_gone() {
            return None;
        }
        let (bytes, lines) = (counts.bytes, counts.open());
        counts.lost_bytes += bytes;
        *counts.dropped.entry(DAMAGED.to_owned()).or_default() += lines;
        self.settle(seq, counts);
        Some(bytes)
    }

    /// What became of a chunk is known.
    pub fn settle(&mut self, seq: u64, counts: Counts) {
        if let Some(passed) = self.watermark.settle(seq, counts) {
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
        let replay = self.replay.clone();
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
        let settled = self.settled_notes();
        // Of several that end at one time it is known only from a queue which one the cursor comes from.
        let is_known = self.settled.is_some();
        match self.replay.iter().position(|note| *note == queued.note) {
            Some(index) if index + 1 < settled || (index < settled && is_known) => return None,
            Some(index) if index > settled => return Some(Span::SETTLED),
            Some(index) => drop(self.replay.drain(..=index)),
            None => return (!self.is_passed(&queued.note)).then_some(Span::SETTLED),
        }
        self.read_to = Some(queued.cursor.clone());
        let counts = Counts { read: queued.lines, bytes: queued.bytes, ..Counts::default() };
        Some(self.watermark.begin(queued.note.clone(), queued.cursor.clone(), counts))
    }

    /// Takes note if a chunk in a queue is the one that the cursor comes from.
    fn find_cursor(&mut self, queued: &Queued) {
        if self.cursor.as_ref() == Some(&queued.cursor) {
            let found = self.replay.iter().position(|note| *note == queued.note);
            self.settled = found.map(|index| index + 1).or(self.settled);
        }
    }

    /// How many of the first notes to replay are settled: those of a container up to the one that the cursor comes from.
    /// They stay for a stream that repeats itself. In the order of the stream: its clock may have been set back.
    fn settled_notes(&self) -> usize {
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
        let found = self.replay.iter().position(|one| one == note);
        found.map(|index| self.replay.remove(index)).is_some()
    }

    /// What the notes hold of it: who it is, not how far it is settled. A position goes with the checkpoint that also
    /// holds the length of the file written.
    pub fn noted(&self, id: SourceId) -> SavedSource {
        SavedSource { cursor: None, counts: Counts::default(), size: 0, missing: None, ..self.saved(id) }
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
        }
    }

    fn truncate(&mut self) {
        self.unread = self.size.saturating_sub(self.offset());
        self.size = 0;
        self.generation += 1;
        self.read_to = None;
        self.cursor = None;
    }

    /// Keeps a note that lies beyond the cursor.
    fn remember(&mut self, note: Note) {
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

/// What a source is looked up by: never enough to tell that it is the same.
fn trait_of(identity: &Identity) -> u64 {
    match identity {
        Identity::File { inode, .. } => *inode,
        Identity::Docker { container, stream, .. } => fingerprint(format!("{container}/{}", stream.name()).as_bytes()),
        Identity::Stdin { began_ns } => *began_ns,
    }
}

/// What a source seen is to one that is known.
fn likeness(known: &Tracked, seen: &Seen<'_>) -> Likeness {
    match (&known.identity, seen.identity) {
        (Identity::File { .. }, Identity::File { .. }) => {
            let offset = match &known.cursor {
                Some(Cursor::File { generation, offset, .. }) if *generation == known.generation => *offset,
                _ => 0,
            };
            compare(&known.identity, seen.identity, seen.len, offset, seen.head_of)
        }
        (
            Identity::Docker { container, stream, .. },
            Identity::Docker { container: seen_container, stream: seen_stream, .. },
        ) if container == seen_container && stream == seen_stream => Likeness::Same,
        _ => Likeness::Other,
    }
}
