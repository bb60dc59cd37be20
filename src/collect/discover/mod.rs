//! Which files there are to read: finds what the globs match, each file once however many paths it has, tells when
//! one changes or moves; looks for those that were followed and went where no glob leads. Opens files, and reads of
//! them only what tells one from another.

mod globs;
mod own;
mod rest;
mod seek;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tracing::{info, warn};

use self::globs::Globs;
use self::own::Own;
pub use self::rest::Releases;
use self::rest::Rest;
pub use self::seek::{Whereabouts, seek};
use self::watch::{Told, Watch};
use super::file::{Config, Start};
use super::identity::{self, FileKey};
use crate::base::identity::Inode;
use crate::base::source::Identity;

/// What discovery tells.
#[derive(Debug)]
pub enum Event {
    /// A file to follow.
    Found(Found),
    /// A followed file was written to, or is gone from its path. Not told for all: each must be looked at now and then all
    /// the same.
    Changed(FileKey),
    /// A followed file has another path now, which the globs match too.
    Renamed(FileKey, PathBuf),
    /// All files that the globs match were told of: it is time to see whether any is missing. Told after the first whole
    /// look and every [`ROLL_CALL_EVERY`]. With the files that are there and not followed now.
    RollCall(BTreeSet<Inode>),
}

/// A file to follow, open.
#[derive(Debug)]
pub struct Found {
    /// The name of the `[source.NAME]` table whose globs match it: the first, where several do.
    pub source_name: Arc<str>,
    /// Where it was found.
    pub path: PathBuf,
    /// The file.
    pub file: File,
    /// What makes it itself.
    pub identity: Identity,
    /// Where to begin if it was never seen before: its first byte, or what was its end when the agent started.
    pub begin: u64,
    /// Where the file is compressed: how many bytes it unpacks to. Its identity is then that of the file it was made of.
    pub unpacked_len: Option<u64>,
}

impl Found {
    /// Bytes in it now.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.unpacked_len.unwrap_or_else(|| self.file.metadata().map_or(0, |metadata| metadata.len()))
    }

    /// The fingerprint of its first `len` bytes, `None` where it has fewer.
    #[must_use]
    pub fn head_of(&self, len: usize) -> Option<u64> {
        match &self.identity {
            Identity::File { head_len, head, .. } if self.unpacked_len.is_some() => {
                (*head_len as usize == len).then_some(*head)
            }
            // What cannot be read now cannot be read by its follower either, which says so.
            _ => identity::head_of(&self.file, len).ok().flatten(),
        }
    }
}

/// Finds the files of all file sources. Works on the thread that calls it.
#[derive(Debug)]
pub struct Discover {
    sources: Arc<[Sought]>,
    own: Own,
    poll: Duration,
    scans: u64,
    roll_called: Option<Instant>,
    /// Sources for which it was said that compressed files are left alone.
    has_packed: BTreeSet<usize>,
    known: HashMap<FileKey, Known>,
    /// The last scan left files because no more may be open.
    is_full: bool,
    /// What was said of each path that cannot be read.
    complaints: HashMap<PathBuf, String>,
    releases: Releases,
    told: Arc<Told>,
}

/// Ends a [`Discover::run`].
#[derive(Clone, Debug)]
pub struct Alarm(Arc<Told>);

impl Alarm {
    /// Now.
    pub fn stop(&self) {
        self.0.stop();
    }
}

#[derive(Debug)]
struct Sought {
    name: Arc<str>,
    globs: Globs,
    start: Start,
    ignore_older: Option<Duration>,
}

/// A file that was reported, or that is too old to be.
#[derive(Debug)]
struct Known {
    path: PathBuf,
    /// When it was made, in ns since 1970: with the inode, what is never used again.
    birth_ns: Option<u64>,
    /// The last scan that saw it.
    scan: u64,
    /// The last scan that saw it at `path`.
    scan_at_path: u64,
    /// Another path at which a scan saw it.
    other_path: Option<PathBuf>,
    /// Not followed now, until this changes.
    rest: Option<Rest>,
}

/// A path that a walk gave.
struct Candidate<'a> {
    sought: &'a Sought,
    path: PathBuf,
    metadata: Metadata,
}

/// How long news gather before they are told, but for the first: a file that is written to all the time is told of so
/// often.
const GATHER: Duration = Duration::from_millis(50);

/// News make scans take at most one part in so many of the time, however often names come and go. They never put off
/// the regular scan.
const SCAN_SHARE: u32 = 10;

/// The regular scans take at most one part in so many of the time, where there are thousands of files.
const POLL_SHARE: u32 = 100;

/// But not more than so many of them are left out for that.
const MOST_POLLS: u32 = 10;

/// Open files that are left to the rest of the agent: state, outputs, connections.
const KEPT_FREE: u64 = 32;

/// How often the files that are there are compared with those that are known.
pub const ROLL_CALL_EVERY: Duration = Duration::from_secs(60);

impl Discover {
    /// Looks for the files of `sources`, never for those that the agent writes itself: `own` are folders, and files
    /// with those that are made of them (`out.ndjson` also means `out.ndjson.1.gz`); besides them, where its own standard
    /// output and error go.
    ///
    /// # Errors
    /// A glob that cannot be compiled; see [`Config::faults`].
    pub fn new(sources: &[(Arc<str>, Config)], own: &[PathBuf]) -> Result<Self, globset::Error> {
        let sought = |(name, config): &(Arc<str>, Config)| {
            Ok(Sought {
                name: Arc::clone(name),
                globs: Globs::new(config)?,
                start: config.start,
                ignore_older: config.ignore_older.map(|span| span.0),
            })
        };
        let poll = sources.iter().map(|(_, config)| config.poll.0).min();
        Ok(Self {
            sources: sources.iter().map(sought).collect::<Result<Vec<_>, _>>()?.into(),
            own: Own::new(own),
            roll_called: None,
            has_packed: BTreeSet::new(),
            poll: poll.unwrap_or(Config::default().poll.0),
            scans: 0,
            known: HashMap::new(),
            is_full: false,
            complaints: HashMap::new(),
            releases: Releases::default(),
            told: Arc::default(),
        })
    }

    /// What ends [`Discover::run`].
    #[must_use]
    pub fn alarm(&self) -> Alarm {
        Alarm(Arc::clone(&self.told))
    }

    /// Where to tell of files that are no longer followed.
    #[must_use]
    pub fn releases(&self) -> Releases {
        self.releases.clone()
    }

    /// Reports to `report` until its [alarm](Self::alarm) says stop: at once what there is, then what comes. Blocks.
    pub fn run(&mut self, report: &mut dyn FnMut(Event)) {
        let mut watch = Watch::new(Arc::clone(&self.told));
        let (mut is_scan_due, mut next_scan, mut next_poll) = (true, Instant::now(), Instant::now());
        let mut last_news: Option<Instant> = None;
        while !self.told.is_stopped() {
            let next = if is_scan_due { next_scan } else { next_poll };
            let until_scan = next.saturating_duration_since(Instant::now());
            if until_scan.is_zero() {
                let began = Instant::now();
                self.scan(report);
                let now = Instant::now();
                next_scan = now + ((now - began) * SCAN_SHARE).min(self.poll);
                // Files that wait for others to be closed are opened soon.
                let most_polls = if self.is_full { 1 } else { MOST_POLLS };
                next_poll = now + ((now - began) * POLL_SHARE).clamp(self.poll, self.poll * most_polls);
                is_scan_due = watch.set(&self.folders());
            } else if watch.wait(until_scan) {
                if let Some(since) = last_news.map(|at| at.elapsed()).filter(|since| *since < GATHER) {
                    watch.gather(GATHER - since);
                }
                last_news = Some(Instant::now());
            }
            let news = watch.news();
            is_scan_due |= news.is_scan_due;
            is_scan_due |= self.tell_touched(&news.touched, report);
        }
    }

    /// All files that there are now and that are not followed yet. Where the limit of open files is reached it is
    /// only part of them: release those, and ask again until there are none and it [is not full](Self::is_full).
    pub fn scan_once(&mut self) -> Vec<Found> {
        let mut all = Vec::new();
        self.scan(&mut |event| {
            if let Event::Found(found) = event {
                all.push(found);
            }
        });
        all
    }

    /// Whether the last scan left files for another one, because no more may be open.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    fn scan(&mut self, report: &mut dyn FnMut(Event)) {
        self.scans += 1;
        self.is_full = false;
        for (key, len) in self.releases.take() {
            if let Some(known) = self.known.get_mut(&key) {
                known.rest = Some(Rest { len, modified: None, begin: 0 });
            }
        }
        let mut complaints = HashMap::new();
        self.look_through(&mut complaints, report);
        self.settle(report);
        self.complain(complaints);
        if !self.is_full && self.roll_called.is_none_or(|at| at.elapsed() >= ROLL_CALL_EVERY) {
            self.roll_called = Some(Instant::now());
            report(Event::RollCall(self.resting()));
        }
    }

    /// The files that are there and not followed.
    #[must_use]
    pub fn resting(&self) -> BTreeSet<Inode> {
        let resting = self.known.iter().filter(|(_, known)| known.rest.is_some());
        resting.map(|(key, known)| (key.inode, known.birth_ns)).collect()
    }

    /// Opens the regular files whose paths match and that are to be followed. Notes what cannot be read.
    fn look_through(&mut self, complaints: &mut HashMap<PathBuf, String>, report: &mut dyn FnMut(Event)) {
        let sources = Arc::clone(&self.sources);
        for (index, sought) in sources.iter().enumerate() {
            for entry in sought.globs.walk() {
                let result = entry.and_then(|entry| {
                    let is_wanted = entry.file_type().is_file() && sought.globs.matches(entry.path());
                    if is_wanted && is_packed(entry.path()) {
                        self.tell_packed(index, entry.path());
                    } else if is_wanted {
                        let metadata = entry.metadata()?;
                        return Ok(Some(Candidate { sought, path: entry.into_path(), metadata }));
                    }
                    Ok(None)
                });
                match result {
                    Ok(Some(candidate)) => self.take(candidate, complaints, report),
                    Ok(None) => {}
                    Err(error) => note_fault(&error, complaints),
                }
                if self.is_full {
                    return;
                }
            }
        }
    }

    fn take(
        &mut self,
        candidate: Candidate<'_>,
        complaints: &mut HashMap<PathBuf, String>,
        report: &mut dyn FnMut(Event),
    ) {
        if !self.needs_opening(&candidate) {
            return;
        }
        match self.open(&candidate) {
            Ok(found) => report_found(found, report),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if is_limit_of_open_files(&error) => {
                self.is_full = true;
                complaints.insert(PathBuf::from("more files"), error.to_string());
            }
            Err(error) => {
                complaints.insert(candidate.path, error.to_string());
            }
        }
    }

    /// Says once that compressed files are not read as lines.
    fn tell_packed(&mut self, source: usize, path: &Path) {
        if self.has_packed.insert(source) {
            let name = &self.sources[source].name;
            info!(
                "compressed files of source {name}, such as {}, are left alone; only what one has of a file that was \
                 not read to its end before is read",
                path.display()
            );
        }
    }

    /// Notes that a path was seen. Whether its file is not followed and should be.
    fn needs_opening(&mut self, candidate: &Candidate<'_>) -> bool {
        let key = FileKey::of(&candidate.metadata);
        if let Some(known) = self.known.get_mut(&key) {
            known.scan = self.scans;
            if known.path == candidate.path {
                known.scan_at_path = self.scans;
            } else {
                known.other_path = Some(candidate.path.clone());
            }
            return known.rest.as_mut().is_some_and(|rest| rest.has_changed(&candidate.metadata));
        }
        if self.own.has(key, &candidate.path) {
            return false;
        }
        let sought = candidate.sought;
        let age = candidate.metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
        let is_old = age.zip(sought.ignore_older).is_some_and(|(age, limit)| age > limit);
        if is_old {
            let begin = self.begin(candidate);
            let len = candidate.metadata.len();
            let rest = Rest { len, modified: candidate.metadata.modified().ok(), begin };
            self.remember(&candidate.metadata, candidate.path.clone(), Some(rest));
        }
        !is_old
    }

    /// Opens a file that is to be followed. `None`: it was swapped for one that is followed already.
    fn open(&mut self, candidate: &Candidate<'_>) -> io::Result<Option<Found>> {
        let file = open_one(&candidate.path)?;
        let metadata = file.metadata()?;
        let key = FileKey::of(&metadata);
        let rest = match self.known.get(&key) {
            Some(Known { rest: None, .. }) => return Ok(None),
            Some(Known { rest, .. }) => *rest,
            None => None,
        };
        if !metadata.is_file() {
            return Ok(None);
        }
        let begin = rest.map_or_else(|| self.begin(candidate), |rest| rest.begin);
        let identity = identity::of(&file, &candidate.path)?;
        self.remember(&metadata, candidate.path.clone(), None);
        let source_name = Arc::clone(&candidate.sought.name);
        let path = candidate.path.clone();
        Ok(Some(Found { source_name, path, file, identity, begin, unpacked_len: None }))
    }

    fn begin(&self, candidate: &Candidate<'_>) -> u64 {
        let is_there_at_start = self.scans == 1;
        match candidate.sought.start {
            Start::End if is_there_at_start => candidate.metadata.len(),
            Start::End | Start::Beginning => 0,
        }
    }

    fn remember(&mut self, metadata: &Metadata, path: PathBuf, rest: Option<Rest>) {
        let (key, birth_ns) = (FileKey::of(metadata), identity::birth_ns(metadata));
        let known = Known { path, birth_ns, scan: self.scans, scan_at_path: self.scans, other_path: None, rest };
        self.known.insert(key, known);
    }

    /// After a scan: forgets what is gone and not followed, tells of what has moved.
    fn settle(&mut self, report: &mut dyn FnMut(Event)) {
        let scan = self.scans;
        self.known.retain(|_, known| known.scan == scan || known.rest.is_none());
        for (key, known) in &mut self.known {
            let other_path = known.other_path.take();
            if let Some(path) = other_path.filter(|_| known.scan_at_path != scan) {
                known.path.clone_from(&path);
                if known.rest.is_none() {
                    report(Event::Renamed(*key, path));
                }
            }
        }
    }

    /// Says what cannot be read, once, and again only when the cause is another.
    fn complain(&mut self, complaints: HashMap<PathBuf, String>) {
        for (path, cause) in &complaints {
            if self.complaints.get(path) != Some(cause) {
                warn!("cannot read {}: {cause}; it is tried again every {:?}", path.display(), self.poll);
            }
        }
        self.complaints = complaints;
    }

    /// Tells which followed files were touched. Whether one was that is not followed and may have to be.
    fn tell_touched(&self, touched: &HashSet<PathBuf>, report: &mut dyn FnMut(Event)) -> bool {
        if touched.is_empty() {
            return false;
        }
        let mut is_scan_due = false;
        for (key, known) in self.known.iter().filter(|(_, known)| touched.contains(&known.path)) {
            match known.rest {
                None => report(Event::Changed(*key)),
                Some(_) => is_scan_due = true,
            }
        }
        is_scan_due
    }

    /// The folders in which something matched: those worth watching. The rest is polled.
    fn folders(&self) -> BTreeSet<PathBuf> {
        let of_files: HashSet<&Path> = self.known.values().filter_map(|known| known.path.parent()).collect();
        let of_files = of_files.into_iter().map(Path::to_owned);
        of_files.chain(self.sources.iter().flat_map(|sought| sought.globs.folders())).collect()
    }
}

/// Opens a file for reading, unless it would take one of the last places under the limit of open files.
fn open_one(path: &Path) -> io::Result<File> {
    // Not to wait for a writer, should a pipe have taken the file's place.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if is_kept_free(&file) { Err(Errno::MFILE.into()) } else { Ok(file) }
}

/// Whether a file is compressed, by its name: one that is being compressed has no content yet that would tell.
fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// Notes what cannot be read on the way to files.
fn note_fault(error: &walkdir::Error, complaints: &mut HashMap<PathBuf, String>) {
    let is_told = error.io_error().is_some_and(|cause| cause.kind() != io::ErrorKind::NotFound);
    if let (true, Some(path)) = (is_told, error.path()) {
        let cause = error.io_error().map(ToString::to_string).unwrap_or_default();
        complaints.insert(path.to_owned(), cause);
    }
}

fn report_found(found: Option<Found>, report: &mut dyn FnMut(Event)) {
    if let Some(found) = found {
        report(Event::Found(found));
    }
}

/// Whether `file` has one of the last places under the limit of open files. The lowest free number is given to each
/// (open(2)), so that a high one says how many are open.
fn is_kept_free(file: &File) -> bool {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return false };
    u64::try_from(file.as_raw_fd()).is_ok_and(|number| number >= limit - KEPT_FREE.min(limit / 2))
}

/// Whether no more files may be open.
#[must_use]
pub fn is_limit_of_open_files(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
