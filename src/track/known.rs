//! The sources known: how one is found again, and where each output stands in it. Pure: no disk, no clock.

use std::collections::{BTreeMap, HashMap};

use super::store::{Entry, SavedSource};
use super::watermark::Watermark;
use crate::base::counts::Counts;
use crate::base::identity::{Likeness, compare};
use crate::base::source::{Cursor, Identity, Note, Position, Resume, SourceId, fingerprint};

/// All sources, by id and by what they are found again by.
#[derive(Debug, Default)]
pub struct Sources {
    by_id: HashMap<SourceId, Tracked>,
    by_trait: HashMap<u64, Vec<SourceId>>,
}

/// One source.
#[derive(Debug)]
pub struct Tracked {
    name: String,
    identity: Identity,
    /// Counts the truncations seen.
    pub generation: u32,
    seen_ms: i64,
    /// By output.
    pub outputs: Vec<Standing>,
    /// Its chunks in flight.
    pub watermark: Watermark,
    /// How far this run has read.
    pub read_to: Option<Cursor>,
    /// Nothing more will be read of it.
    is_finished: bool,
    /// Chunks noted by an earlier run beyond the least advanced cursor, oldest first; those read again are taken out.
    replay: Vec<Note>,
}

/// Where one output stands in one source.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What is safe.
    pub cursor: Option<Cursor>,
    /// What became of the lines up to there.
    pub counts: Counts,
    /// This run has read past the cursor that it began with: nothing needs to be skipped any more.
    pub caught_up: bool,
    /// The first so many chunks of this run lie before the cursor that it began with: settling them moves nothing.
    pub behind: u64,
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
    pub fn find_mut(&mut self, id: SourceId) -> Option<&mut Tracked> {
        self.by_id.get_mut(&id)
    }

    /// Nothing more will be read of a source.
    pub fn finish(&mut self, id: SourceId) {
        if let Some(tracked) = self.by_id.get_mut(&id) {
            tracked.is_finished = true;
        }
    }

    /// Lets go of finished sources that every output has settled, and gives what became of their lines, by output.
    pub fn retire(&mut self, outputs: usize) -> Vec<Counts> {
        let mut sums = vec![Counts::default(); outputs];
        let is_over = |tracked: &Tracked| tracked.is_finished && tracked.watermark.notes().next().is_none();
        for (id, tracked) in self.by_id.extract_if(|_, tracked| is_over(tracked)) {
            sums.iter_mut().zip(&tracked.outputs).for_each(|(sum, standing)| sum.add(&standing.counts));
            if let Some(ids) = self.by_trait.get_mut(&trait_of(&tracked.identity)) {
                ids.retain(|one| *one != id);
            }
        }
        self.by_trait.retain(|_, ids| !ids.is_empty());
        sums
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Tracked> {
        self.by_id.values()
    }

    /// The notes of all chunks that some output has not settled. Those of a source in its order, or they could not be
    /// used: what was read again comes before what is still to be.
    pub fn flying(&self) -> impl Iterator<Item = &Note> {
        self.all().flat_map(|tracked| tracked.watermark.notes().chain(&tracked.replay))
    }

    /// Takes a source from a checkpoint.
    pub fn restore(&mut self, saved: SavedSource, outputs: &[String]) {
        let standing = |output: &String| Standing {
            cursor: saved.cursors.get(output).cloned(),
            counts: saved.counts.get(output).cloned().unwrap_or_default(),
            caught_up: false,
            behind: 0,
        };
        let tracked = Tracked {
            outputs: outputs.iter().map(standing).collect(),
            generation: saved.generation,
            seen_ms: saved.seen_ms,
            // What a pipe gave is gone with the run that read it.
            is_finished: matches!(saved.identity, Identity::Stdin { .. }),
            ..Tracked::new(&saved.name, &saved.identity, outputs.len())
        };
        self.insert(saved.id, tracked);
    }

    /// Takes a line of the notes, which come oldest first after the checkpoint.
    pub fn remember(&mut self, entry: Entry, outputs: &[String]) {
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
                    for (output, standing) in outputs.iter().zip(&mut tracked.outputs) {
                        standing.cursor = standing.cursor.take().or_else(|| saved.cursors.get(output).cloned());
                    }
                }
                Some(_) => {}
                None => self.restore(saved, outputs),
            },
        }
    }

    /// The id of a source seen, and whether the id or the generation is new.
    pub fn find_or_take(&mut self, name: &str, seen: &Seen<'_>, minted: SourceId, outputs: usize) -> (SourceId, bool) {
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
        self.insert(id, Tracked::new(name, seen.identity, outputs));
        (id, true)
    }

    /// What a checkpoint holds.
    pub fn saved(&self, outputs: &[String]) -> Vec<SavedSource> {
        self.by_id.iter().map(|(id, tracked)| tracked.saved(*id, outputs)).collect()
    }

    fn insert(&mut self, id: SourceId, tracked: Tracked) {
        self.by_trait.entry(trait_of(&tracked.identity)).or_default().push(id);
        self.by_id.insert(id, tracked);
    }
}

impl Tracked {
    fn new(name: &str, identity: &Identity, outputs: usize) -> Self {
        Self {
            name: name.to_owned(),
            identity: identity.clone(),
            generation: 0,
            seen_ms: 0,
            outputs: vec![Standing::default(); outputs],
            watermark: Watermark::new(outputs),
            read_to: None,
            is_finished: false,
            replay: Vec::new(),
        }
    }

    /// Takes in what may have changed since it was last seen: its name, its path, a longer head.
    pub fn refresh(&mut self, name: &str, seen: &Identity, now_ms: i64) {
        name.clone_into(&mut self.name);
        self.take_identity(seen);
        self.seen_ms = now_ms;
    }

    /// Where to go on: what this run has read already, else the least advanced output. The outputs that stand just
    /// there have nothing to skip.
    ///
    /// Pieces of an earlier generation are given once, to be counted as lost.
    pub fn resume(&mut self, id: SourceId) -> Resume {
        let cursor = self.read_to.as_ref().or_else(|| self.least()).cloned();
        for standing in &mut self.outputs {
            standing.caught_up |= standing.cursor == cursor;
        }
        let path = match &self.identity {
            Identity::File { path, .. } => Some(path.clone()),
            _ => None,
        };
        let replay = self.replay.clone();
        self.replay.retain(|note| note.generation >= self.generation);
        Resume { id, generation: self.generation, cursor, path, replay }
    }

    /// The cursor of the least advanced output.
    fn least(&self) -> Option<&Cursor> {
        self.outputs.iter().map(|standing| standing.cursor.as_ref()).min_by_key(|cursor| progress(*cursor)).flatten()
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

    /// Whether a chunk is one that an earlier run noted; it is then no longer waited for.
    pub fn take_replayed(&mut self, note: &Note) -> bool {
        let found = self.replay.iter().position(|one| one == note);
        found.map(|index| self.replay.remove(index)).is_some()
    }

    /// What the notes hold of it: who it is, not where anyone stands. A position goes with the checkpoint that also
    /// holds the lengths of files.
    pub fn noted(&self, id: SourceId) -> SavedSource {
        self.saved(id, &[])
    }

    /// What a checkpoint holds of it.
    pub fn saved(&self, id: SourceId, outputs: &[String]) -> SavedSource {
        let standings = || outputs.iter().zip(&self.outputs);
        let cursors = standings().filter_map(|(output, standing)| Some((output.clone(), standing.cursor.clone()?)));
        let counts: BTreeMap<_, _> =
            standings().map(|(output, standing)| (output.clone(), standing.counts.clone())).collect();
        SavedSource {
            id,
            name: self.name.clone(),
            identity: self.identity.clone(),
            generation: self.generation,
            seen_ms: self.seen_ms,
            cursors: cursors.collect(),
            counts,
        }
    }

    fn truncate(&mut self) {
        self.generation += 1;
        self.read_to = None;
        for standing in &mut self.outputs {
            standing.cursor = None;
        }
    }

    /// Keeps a note that lies beyond the least advanced output.
    fn remember(&mut self, note: Note) {
        self.generation = self.generation.max(note.generation);
        let is_settled = |standing: &Standing| match &standing.cursor {
            Some(Cursor::File { generation, offset, .. }) => (note.generation, note.end) <= (*generation, *offset),
            Some(Cursor::Docker { time_ns, .. }) => note.end.saturating_add(REPEATS_WITHIN_NS) < *time_ns,
            None => false,
        };
        if !self.outputs.iter().all(is_settled) && !self.replay.contains(&note) {
            self.replay.push(note);
        }
    }
}

impl Standing {
    /// Whether a line was settled in an earlier run. Asked in the order of reading.
    pub fn is_past(&mut self, generation: u32, position: Position) -> bool {
        if self.caught_up {
            return false;
        }
        let is_past = match &self.cursor {
            None => false,
            Some(Cursor::File { generation: settled, offset, .. }) => {
                (generation, position.at + u64::from(position.tie)) <= (*settled, *offset)
            }
            Some(Cursor::Docker { time_ns, recent }) => {
                if recent.last() == Some(&position) {
                    self.caught_up = true;
                    return true;
                }
                position.at <= time_ns.saturating_add(REPEATS_WITHIN_NS)
            }
        };
        self.caught_up = !is_past;
        is_past
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
            let offset = match known.least() {
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

/// Orders the cursors of one source by how far they are.
fn progress(cursor: Option<&Cursor>) -> (u32, u64) {
    match cursor {
        None => (0, 0),
        Some(Cursor::File { generation, offset, .. }) => (*generation, *offset),
        Some(Cursor::Docker { time_ns, .. }) => (0, *time_ns),
    }
}
