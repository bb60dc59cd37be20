//! Records that a store will never take, kept on disk with the store's reason until somebody replays or drops them.
//! Sends nothing; `replay` does.
//!
//! One file an output, `parked/<output>.ndjson` in the state folder, one JSON object a line ([`Kept`]), only ever
//! appended to. A record that is refused again after a crash has a second line with the same id: the last one counts.
//! Records leave the file, or change, when what stays is written aside to `parked/<output>.new`, made durable, and
//! renamed over it: a crash in between leaves the old file, and a leftover that the next time begins anew. A last line
//! without its LF is a write that did not end: ignored, and cut before the next one is appended.

mod kept;
mod pages;
mod selection;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::base::durable;
use crate::output::Place;

pub use self::kept::Kept;
pub(super) use self::pages::Queue;
use self::pages::{Line, Pages};
pub use self::selection::Selection;

/// A record to be set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRecord {
    /// What tells it from all others of its output: the document id; for Loki the time with a fingerprint of stream
    /// and line.
    pub id: String,
    /// The `[source.NAME]` that it comes from.
    pub source: String,
    /// The store's words, cut short.
    pub reason: String,
    /// Where it belongs in the store.
    pub place: Place,
    /// The masked document, or line, as it was first sent.
    pub document: Vec<u8>,
}

/// Why parked records cannot be kept, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made.
    #[error("cannot make the folder {path}: {source}")]
    Folder {
        /// Of the folder.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write refused records to {path}: {source}")]
    Write {
        /// Of the file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read refused records from {path}: {source}")]
    Read {
        /// Of the file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// The file is as large as is allowed.
    #[error("cannot write refused records to {path}: it has reached parked_bytes")]
    Full {
        /// Of the file.
        path: PathBuf,
    },
    /// An edited record that none of the parked ones can be.
    #[error("cannot take the edited record {id}: {cause}")]
    Edit {
        /// Its id.
        id: String,
        /// Why not. Nothing of its content.
        cause: &'static str,
    },
}

/// The parked records of one output. Shared by its lanes and by whoever changes what is there.
#[derive(Debug)]
pub struct Parked {
    output: String,
    path: PathBuf,
    limit: u64,
    /// Open for appending. Held while a line is written, and while the file is replaced.
    file: Mutex<Option<File>>,
}

/// What becomes of a record when its file is rewritten.
enum Change {
    Keep,
    Remove,
    Put(Box<Kept>),
}

/// The outputs that have a file of parked records in `state_dir`, by name.
///
/// # Errors
/// The folder cannot be read; that it is not there is no error.
pub fn outputs(state_dir: &Path) -> Result<Vec<String>, Error> {
    let folder = state_dir.join("parked");
    let fault = |source| Error::Read { path: folder.clone(), source };
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fault)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(fault)?.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(".ndjson")).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

impl Parked {
    /// The store of `output` below `state_dir`, at most `limit` bytes. Touches no disk.
    #[must_use]
    pub fn new(output: &str, state_dir: &Path, limit: u64) -> Self {
        let path = state_dir.join("parked").join(format!("{output}.ndjson"));
        Self { output: output.to_owned(), path, limit, file: Mutex::default() }
    }

    /// Of which output.
    #[must_use]
    pub fn output(&self) -> &str {
        &self.output
    }

    /// Writes records down, durable when it returns. All of them or, after an error, perhaps some: they may be given
    /// again.
    pub(super) fn append(&self, refused: &[ParkedRecord], now_ms: i64) -> Result<(), Error> {
        let mut lines = Vec::new();
        refused.iter().for_each(|one| Kept::new(&self.output, one, now_ms).push(&mut lines));
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match open.take() {
            Some(file) if is_at(&file, &self.path) => open.insert(file),
            _ => open.insert(self.open()?),
        };
        let cannot_write = |source| Error::Write { path: self.path.clone(), source };
        let before = file.metadata().map_err(cannot_write)?.len();
        if before + lines.len() as u64 > self.limit {
            return Err(Error::Full { path: self.path.clone() });
        }
        if let Err(error) = file.write_all(&lines).and_then(|()| file.sync_data()) {
            // A torn line must not begin the next record's: it is cut off now, or when the file is opened again.
            let _ = file.set_len(before);
            *open = None;
            return Err(cannot_write(error));
        }
        Ok(())
    }

    /// Shows every record to `visit`, each id once, as it was when this began. Returns how many lines are no parked
    /// records; they are left alone.
    ///
    /// # Errors
    /// The file cannot be read; that it is not there is no error.
    pub fn each(&self, visit: &mut dyn FnMut(Kept)) -> Result<u64, Error> {
        let cannot_read = |source| Error::Read { path: self.path.clone(), source };
        let Some(pages) = Pages::open(&self.path).map_err(cannot_read)? else { return Ok(0) };
        let mut foreign = 0;
        let mut look = |line: Line<'_>| {
            match line {
                Line::Record(kept, _) => visit(*kept),
                Line::Foreign(_) => foreign += 1,
                Line::Superseded => {}
            }
            Ok(())
        };
        pages.each(&mut look).map_err(cannot_read)?;
        Ok(foreign)
    }

    /// Removes records. Returns how many.
    ///
    /// # Errors
    /// The file cannot be read or written: all of them are still there.
    pub fn remove(&self, selection: &Selection) -> Result<u64, Error> {
        let mut removed = 0;
        self.rewrite(u64::MAX, &mut |kept| {
            if !selection.selects(kept) {
                return Change::Keep;
            }
            removed += 1;
            Change::Remove
        })?;
        Ok(removed)
    }

    /// Puts edited documents in the place of those with the same ids. All of them, or none. They must be masked.
    ///
    /// # Errors
    /// One of them is not parked, or more than its document was edited; the file would grow above its limit; it cannot
    /// be read or written.
    pub fn edit(&self, edited: &[Kept]) -> Result<(), Error> {
        let mut missing: BTreeMap<&str, &Kept> = edited.iter().map(|one| (one.id.as_str(), one)).collect();
        let edits: HashMap<&str, &Kept> = missing.iter().map(|(id, one)| (*id, *one)).collect();
        let mut moved = None;
        self.each(&mut |kept| {
            let is_moved = missing.remove(kept.id.as_str()).is_some_and(|edit| !edit.is_same_place(&kept));
            moved = moved.take().or(is_moved.then_some(kept.id));
        })?;
        if let Some((id, _)) = missing.pop_first() {
            return Err(Error::Edit { id: id.to_owned(), cause: "no record with this id is parked" });
        }
        if let Some(id) = moved {
            return Err(Error::Edit { id, cause: "only its document can be edited" });
        }
        self.rewrite(self.limit, &mut |kept| match edits.get(kept.id.as_str()) {
            Some(edit) => Change::Put(Kept { document: edit.document.clone(), ..kept.clone() }.into()),
            None => Change::Keep,
        })
    }

    /// The records to be sent again.
    pub(super) fn queue(&self, selection: &Selection) -> Result<Queue, Error> {
        let cannot_read = |source| Error::Read { path: self.path.clone(), source };
        let Some(pages) = Pages::open(&self.path).map_err(cannot_read)? else { return Ok(Queue::default()) };
        pages.queue(selection).map_err(cannot_read)
    }

    /// Writes down what became of records that were sent again, by id: `None` takes one away, for the store has it;
    /// words are the new reason of one that stays.
    pub(super) fn settle(&self, fates: &HashMap<String, Option<String>>) -> Result<(), Error> {
        if fates.is_empty() {
            return Ok(());
        }
        self.rewrite(u64::MAX, &mut |kept| match fates.get(&kept.id) {
            None => Change::Keep,
            Some(None) => Change::Remove,
            Some(Some(reason)) if *reason == kept.reason => Change::Keep,
            Some(Some(reason)) => Change::Put(Kept { reason: reason.clone(), ..kept.clone() }.into()),
        })
    }

    /// Replaces the file by one that `change` was applied to. It may not grow above `limit` bytes by that. What is
    /// appended meanwhile is kept, and so is every line that is no parked record.
    fn rewrite(&self, limit: u64, change: &mut dyn FnMut(&Kept) -> Change) -> Result<(), Error> {
        let alone = self.lock().map_err(|source| Error::Read { path: self.path.clone(), source })?;
        if alone.is_none() {
            return Ok(());
        }
        let aside = self.path.with_extension("new");
        let written = self.write_aside(&aside, limit, change);
        if !matches!(written, Ok(true)) {
            // Not there, or begun anew by the next one.
            let _ = fs::remove_file(&aside);
        }
        written.map(drop)
    }

    /// The file, for this one to write anew until it is dropped. An agent that is ending may still be at that when a
    /// command has the state folder already. `None`: there is no file.
    fn lock(&self) -> io::Result<Option<File>> {
        loop {
            let file = match File::open(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                file => file?,
            };
            file.lock()?;
            if is_at(&file, &self.path) {
                return Ok(Some(file));
            }
        }
    }

    /// `false`: nothing changes.
    fn write_aside(&self, aside: &Path, limit: u64, change: &mut dyn FnMut(&Kept) -> Change) -> Result<bool, Error> {
        let cannot_read = |source| Error::Read { path: self.path.clone(), source };
        let cannot_write = |source| Error::Write { path: aside.to_owned(), source };
        let Some(pages) = Pages::open(&self.path).map_err(cannot_read)? else { return Ok(false) };
        let mut fresh = BufWriter::new(self.create(aside).map_err(cannot_write)?);
        let is_changed = pages.copy(&mut fresh, change).map_err(cannot_write)?;
        if !is_changed {
            return Ok(false);
        }
        let fresh = fresh.into_inner().map_err(|error| cannot_write(error.into_error()))?;
        let length = fresh.metadata().map_err(cannot_write)?.len();
        if length > limit && length > pages.length() {
            return Err(Error::Full { path: self.path.clone() });
        }
        fresh.sync_data().map_err(cannot_write)?;
        self.put_in_place(fresh, aside, pages.length()).map_err(cannot_write)?;
        Ok(true)
    }

    /// A file of the same owner: whoever changes it may be root, and the agent another user.
    fn create(&self, aside: &Path) -> io::Result<File> {
        let file = durable::create(aside)?;
        let (old, new) = (fs::metadata(&self.path)?, file.metadata()?);
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        Ok(file)
    }

    /// Adds what was appended behind `from` meanwhile, and renames. Nothing is appended until it is done.
    fn put_in_place(&self, mut fresh: File, aside: &Path, from: u64) -> io::Result<()> {
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = File::open(&self.path)?;
        old.seek(SeekFrom::Start(from))?;
        io::copy(&mut old, &mut fresh)?;
        cut_torn_line(aside, &fresh)?;
        fresh.sync_all()?;
        fs::rename(aside, &self.path)?;
        *open = None;
        durable::sync_parent(&self.path)
    }

    fn open(&self) -> Result<File, Error> {
        let folder = self.path.parent().unwrap_or(&self.path);
        durable::create_folder(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
        let cannot_write = |source| Error::Write { path: self.path.clone(), source };
        let file = durable::append(&self.path).map_err(cannot_write)?;
        cut_torn_line(&self.path, &file).map_err(cannot_write)?;
        Ok(file)
    }
}

/// Whether the open file is still the one of that path: it may have been replaced, or moved away.
fn is_at(file: &File, path: &Path) -> bool {
    let place = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(one), Ok(other)) if place(&one) == place(&other))
}

/// A loss of power may leave half a line at the end; it was not counted, so its record comes again.
fn cut_torn_line(path: &Path, file: &File) -> io::Result<()> {
    let reader = File::open(path)?;
    let length = reader.metadata()?.len();
    let mut whole = length;
    let mut block = [0; 8192];
    while whole > 0 {
        let start = whole.saturating_sub(block.len() as u64);
        let part = &mut block[..usize::try_from(whole - start).unwrap_or(0)];
        reader.read_exact_at(part, start)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            whole = start + at as u64 + 1;
            break;
        }
        whole = start;
    }
    if whole < length { file.set_len(whole) } else { Ok(()) }
}
