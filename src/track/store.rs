//! The state folder: who may write it, the checkpoint, and the notes. Does not decide what is safe; `watermark` does.
//!
//! ```text
//! state_dir/
//!   lock              held (flock) while an agent runs
//! state_dir/outputs/NAME/
//!   checkpoint.json   one JSON object, replaced whole; see [`Checkpoint`]
//!   notes.N           one JSON object a line, appended: sources found and chunks read since the checkpoint that
//!                     names N; see [`Entry`]. A line without its LF is a write that did not end: ignored, nothing
//!                     of it was sent.
//!   *.new             what is to be either of them, not whole yet
//!   url, queue-*      not of this room: see `agent/changes.rs` and `queue`
//! ```

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::beyond::SavedChunk;
use crate::base::counts::Counts;
use crate::base::durable;
use crate::base::failpoint;
use crate::base::source::{Cursor, Identity, Note, SourceId};

/// The layout that this program writes. Readers know all older ones.
pub const VERSION: u32 = 1;

/// What is safely delivered, by one output. `S`: a list of [`SavedSource`]s.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint<S = Vec<SavedSource>> {
    /// Of the layout.
    pub version: u32,
    /// The first `notes.N` that still counts.
    pub notes: u64,
    /// Every source that may have more, or of which something is in flight.
    pub sources: S,
    /// Length of the file that the output writes, for a file output: what is longer was not settled.
    pub written: Option<u64>,
    /// What became of the lines of sources that were let go, by the `[source.NAME]` that they came from.
    #[serde(default)]
    pub gone: BTreeMap<String, Counts>,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSource {
    /// Its id.
    pub id: SourceId,
    /// The `[source.NAME]` that it comes from.
    pub name: String,
    /// How to know it again.
    pub identity: Identity,
    /// Counts the truncations seen.
    pub generation: u32,
    /// When it was last found, in ms since 1970.
    pub seen_ms: i64,
    /// All before it is settled.
    pub cursor: Option<Cursor>,
    /// What became of its lines up to there.
    pub counts: Counts,
    /// Bytes that a file had when it was last looked at.
    #[serde(default)]
    pub size: u64,
    /// A file that could not be found again, and how many bytes of it were counted as lost for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
    /// What queues have, or had and delivered, of a file behind something that must be read again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<SavedChunk>,
}

impl SavedSource {
    /// What became of all lines that are settled.
    pub fn all_counts(&self) -> Counts {
        Counts::sum(std::iter::once(&self.counts).chain(self.beyond.iter().filter_map(|chunk| chunk.counts.as_ref())))
    }
}

/// One line of the notes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// A source found for the first time, or truncated since.
    Source(Box<SavedSource>),
    /// A chunk read.
    Chunk(Note),
}

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or a file in it.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another agent has it.
    #[error("cannot lock {}: another agent is using this state folder", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The checkpoint is not one.
    #[error("cannot read {}: {reason}", path.display())]
    Damaged {
        /// The checkpoint file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint that this version cannot read.
    #[error("cannot read {}: it was written by a newer agent (layout {version})", path.display())]
    Newer {
        /// The checkpoint file.
        path: PathBuf,
        /// The version of its layout.
        version: u64,
    },
}

impl Error {
    /// What the operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                "run it as a user who may write there, or set `state_dir` in [agent] to a folder that this one may write",
            ),
            Self::Io { .. } => None,
            Self::Locked { .. } => Some("stop that one, or give each agent a `state_dir` of its own"),
            Self::Newer { .. } => Some(
                "run that agent, or a newer one; or move its folder away: then all that the sources still have is read again",
            ),
            Self::Damaged { .. } => Some(
                "put back a copy of it; or move its folder away: then all that the sources still have is read again",
            ),
        }
    }
}

/// The state folder, held: no other agent may use it while this lives.
#[derive(Debug)]
pub struct Hold {
    /// Dropping it lets another agent in.
    _lock: File,
}

/// The open folder of one output's state.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    notes: File,
    notes_number: u64,
    notes_len: u64,
    /// How long the current notes file was when it was begun.
    notes_first_len: u64,
    unsynced: bool,
}

impl Store {
    /// Opens the folder, made if absent, and reads what is there. The notes come oldest first.
    ///
    /// # Errors
    /// When the folder cannot be written, or the checkpoint is damaged.
    pub fn open(folder: &Path) -> Result<(Self, Option<Checkpoint>, Vec<Entry>), Error> {
        durable::create_folder(folder).map_err(|source| Error::Io {
            verb: "create",
            path: folder.to_owned(),
            source,
        })?;
        let checkpoint = read_checkpoint(&folder.join("checkpoint.json"))?;
        let first = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.notes);
        let (notes, last) = read_notes(folder, first)?;
        let (file, number) = (open_notes(folder, last + 1)?, last + 1);
        let store = Self {
            folder: folder.to_owned(),
            notes: file,
            notes_number: number,
            notes_len: 0,
            notes_first_len: 0,
            unsynced: false,
        };
        Ok((store, checkpoint, notes))
    }

    /// Appends a note. It is durable after [`Store::sync`].
    ///
    /// # Errors
    /// As the file system gives them. Half of it may be there: new notes must be [begun](Store::roll_notes) before
    /// anything relies on them.
    pub fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let line = lines(std::iter::once(entry)).map_err(|error| self.notes_error("encode", error))?;
        self.notes.write_all(&line).map_err(|error| self.notes_error("write", error))?;
        self.notes_len += line.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    /// Makes the notes appended so far durable.
    ///
    /// # Errors
    /// As the file system gives them. The next call may succeed and what is there be lost all the same: new notes must
    /// be [begun](Store::roll_notes) before anything relies on them.
    pub fn sync(&mut self) -> Result<(), Error> {
        if self.unsynced {
            self.notes.sync_data().map_err(|error| self.notes_error("sync", error))?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Whether so much was noted that a new file should be begun: what is still in flight then is copied, so it must be the
    /// smaller part.
    #[must_use]
    pub fn notes_are_long(&self) -> bool {
        let long = if cfg!(any(test, feature = "failpoints")) { 200 } else { 1 << 20 };
        self.notes_len > long.max(2 * self.notes_first_len)
    }

    /// Begins a new notes file that holds only `still_flying`. The old ones count until a checkpoint names the new.
    ///
    /// # Errors
    /// As the file system gives them.
    pub fn roll_notes(&mut self, still_flying: impl Iterator<Item = Entry>) -> Result<(), Error> {
        self.sync()?;
        let number = self.notes_number + 1;
        let path = self.folder.join(format!("notes.{number}"));
        let fault = |source| Error::Io { verb: "write", path: path.clone(), source };
        let lines = lines(still_flying).map_err(fault)?;
        durable::replace(&path, &lines).map_err(fault)?;
        self.notes = open_notes(&self.folder, number)?;
        self.notes_number = number;
        self.notes_len = lines.len() as u64;
        self.notes_first_len = self.notes_len;
        failpoint::hit("rolled");
        Ok(())
    }

    /// The number of the current notes file.
    #[must_use]
    pub fn notes_number(&self) -> u64 {
        self.notes_number
    }

    /// Where the state lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn notes_error(&self, verb: &'static str, source: io::Error) -> Error {
        Error::Io { verb, path: self.folder.join(format!("notes.{}", self.notes_number)), source }
    }
}

fn lines<E: Borrow<Entry>>(entries: impl Iterator<Item = E>) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut lines, entry.borrow())?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Where all outputs have their folders.
pub fn outputs(state_dir: &Path) -> PathBuf {
    state_dir.join("outputs")
}

/// The names of the outputs that have a folder; none where there is no state yet.
///
/// # Errors
/// As the file system gives them.
pub fn known_outputs(state_dir: &Path) -> Result<Vec<String>, Error> {
    let folder = outputs(state_dir);
    let fault = |source| Error::Io { verb: "list", path: folder.clone(), source };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(fault)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The checkpoint of every output that has one, with its name.
///
/// # Errors
/// When one cannot be read.
pub fn checkpoints(state_dir: &Path) -> Result<Vec<(String, Checkpoint)>, Error> {
    let mut found = Vec::new();
    for name in known_outputs(state_dir)? {
        let path = outputs(state_dir).join(&name).join("checkpoint.json");
        found.extend(read_checkpoint(&path)?.map(|checkpoint| (name, checkpoint)));
    }
    Ok(found)
}

/// A checkpoint as it is to be saved.
#[derive(Debug)]
pub struct Encoded {
    folder: PathBuf,
    notes: u64,
    json: Vec<u8>,
}

impl Encoded {
    /// For the state in `folder`.
    ///
    /// # Errors
    /// None that a checkpoint could have.
    pub fn of<S: Serialize>(folder: &Path, checkpoint: &Checkpoint<S>) -> Result<Self, Error> {
        let path = || folder.join("checkpoint.json");
        let json = serde_json::to_vec(checkpoint).map_err(|error| Error::Io {
            verb: "encode",
            path: path(),
            source: error.into(),
        })?;
        Ok(Self { folder: folder.to_owned(), notes: checkpoint.notes, json })
    }
}

/// Saves a checkpoint, then removes the notes that it makes needless.
///
/// # Errors
/// As the file system gives them; the old checkpoint then still holds.
pub fn save(Encoded { folder, notes, json }: &Encoded) -> Result<(), Error> {
    let path = folder.join("checkpoint.json");
    let fault = |source| Error::Io { verb: "write", path: path.clone(), source };
    durable::replace(&path, json).map_err(fault)?;
    failpoint::hit("saved");
    for number in notes_numbers(folder)?.into_iter().filter(|number| number < notes) {
        let path = folder.join(format!("notes.{number}"));
        fs::remove_file(&path).map_err(|source| Error::Io { verb: "remove", path, source })?;
        failpoint::hit("removed");
    }
    Ok(())
}

/// Holds the state folder, made if absent.
///
/// # Errors
/// When it cannot be written, or another agent holds it.
pub fn hold(folder: &Path) -> Result<Hold, Error> {
    durable::create_folder(folder).map_err(|source| Error::Io { verb: "create", path: folder.to_owned(), source })?;
    let path = folder.join("lock");
    let fault = |source: io::Error| Error::Io { verb: "open", path: path.clone(), source };
    let file = durable::append(&path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(Hold { _lock: file }),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Locked { path }),
        Err(fs::TryLockError::Error(source)) => Err(Error::Io { verb: "lock", path, source }),
    }
}

fn read_checkpoint(path: &Path) -> Result<Option<Checkpoint>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { verb: "read", path: path.to_owned(), source }),
    };
    let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
    // Looked at alone: what else a newer layout has cannot be known.
    let layout: Layout = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if layout.version > u64::from(VERSION) {
        return Err(Error::Newer { path: path.to_owned(), version: layout.version });
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
}

/// What every version of a checkpoint has.
#[derive(Deserialize)]
struct Layout {
    version: u64,
}

/// Whether the checkpoint in a folder can be read, if there is one. Changes nothing.
///
/// # Errors
/// When it is damaged, or of a newer agent.
pub fn check(folder: &Path) -> Result<(), Error> {
    read_checkpoint(&folder.join("checkpoint.json")).map(drop)
}

/// All notes from `notes.first` on, and the highest number found.
fn read_notes(folder: &Path, first: u64) -> Result<(Vec<Entry>, u64), Error> {
    let mut notes = Vec::new();
    let numbers = notes_numbers(folder)?;
    for number in numbers.iter().filter(|number| **number >= first) {
        let path = folder.join(format!("notes.{number}"));
        let bytes = fs::read(&path).map_err(|source| Error::Io { verb: "read", path, source })?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        notes.extend(bytes[..whole].split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()));
    }
    Ok((notes, numbers.last().copied().unwrap_or(first)))
}

/// The numbers of the notes files there, ascending.
fn notes_numbers(folder: &Path) -> Result<Vec<u64>, Error> {
    let fault = |source| Error::Io { verb: "list", path: folder.to_owned(), source };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix("notes.")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn open_notes(folder: &Path, number: u64) -> Result<File, Error> {
    let path = folder.join(format!("notes.{number}"));
    durable::append(&path).map_err(|source| Error::Io { verb: "open", path, source })
}
