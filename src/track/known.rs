//! The sources known: how one is found again, and when it is forgotten. What is known of one is next door, in `tracked`.
//! Pure: no disk, no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Serialize, Serializer};

use super::beyond::Beyond;
use super::store::{Entry, SavedSource};
use super::tracked::{Queued, Tracked};
use crate::base::batch::Span;
use crate::base::counts::Counts;
use crate::base::identity::{Absent, Inode, Likeness, compare};
use crate::base::source::{Cursor, Identity, Note, SourceId, fingerprint};

/// All sources, by id and by what they are found again by.
#[derive(Debug, Default)]
pub struct Sources {
    by_id: HashMap<SourceId, Box<Tracked>>,
    by_trait: HashMap<u64, Vec<SourceId>>,
}

/// What a checkpoint holds of them. Made one by one while it is written: there may be thousands.
#[derive(Debug)]
pub struct Saved<'a>(pub &'a Sources);

impl Serialize for Saved<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.by_id.iter().map(|(id, tracked)| tracked.saved(*id)))
    }
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
        self.by_id.get(&id).map(|tracked| &**tracked)
    }

    /// The same, to be changed.
    pub fn find_mut(&mut self, id: SourceId) -> Option<&mut Tracked> {
        self.by_id.get_mut(&id).map(|tracked| &mut **tracked)
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
        self.by_id.values_mut().for_each(|tracked| tracked.beyond.keep_queued(&notes));
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
        for (seq, one) in seqs.iter_mut().zip(queued).filter(|(seq, _)| **seq == Some(Span::SETTLED)) {
            let file = self.by_id.get_mut(&one.note.source).filter(|tracked| tracked.is_file());
            *seq = file.map(|file| file.beyond.take(&one.note)).or(*seq);
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
        for tracked in self.by_id.values_mut().filter(|tracked| tracked.is_file()) {
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
        let bytes = tracked.unread();
        tracked.counts.lost_bytes += bytes;
        tracked.missing = Some(bytes);
        bytes
    }

    /// Lets go of finished sources of which nothing is in flight, and adds what became of their lines to `gone`, by name. One
    /// checkpoint later than it could: only then have the queues forgotten what they held of them, and a crash does not
    /// bring it back as if it were of an unknown source. Whether the next checkpoint has any to let go.
    pub fn retire(&mut self, gone: &mut BTreeMap<String, Counts>) -> bool {
        let is_flying = |tracked: &Tracked| tracked.watermark.notes().next().is_some() || tracked.beyond.is_queued();
        let is_over = |tracked: &Tracked| tracked.is_finished && !is_flying(tracked);
        for (id, tracked) in self.by_id.extract_if(|_, tracked| tracked.was_over && is_over(tracked)) {
            gone.entry(tracked.name.clone()).or_default().add(&tracked.all_counts());
            if let Some(ids) = self.by_trait.get_mut(&trait_of(&tracked.identity)) {
                ids.retain(|one| *one != id);
            }
        }
        self.by_trait.retain(|_, ids| !ids.is_empty());
        self.by_id.values_mut().for_each(|tracked| tracked.was_over = is_over(tracked));
        self.by_id.values().any(|tracked| tracked.was_over)
    }

    /// All of them.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &Tracked> {
        self.by_id.values().map(|tracked| &**tracked)
    }

    /// The notes of all chunks that are not settled. Those of a source in its order, or they could not be used.
    pub fn flying(&self) -> impl Iterator<Item = &Note> {
        self.all().flat_map(Tracked::flying)
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
            beyond: Beyond::restore(saved.beyond),
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

    /// What the notes hold of all of them.
    pub fn noted(&self) -> impl Iterator<Item = Entry> {
        self.by_id.iter().map(|(id, tracked)| Entry::Source(Box::new(tracked.noted(*id))))
    }

    fn insert(&mut self, id: SourceId, tracked: Tracked) {
        self.by_trait.entry(trait_of(&tracked.identity)).or_default().push(id);
        self.by_id.insert(id, Box::new(tracked));
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
