//! Files that are taken away while the agent may need them, and which of their lines may be missing for that: those that
//! lay neither settled nor queued on its disk when it died. Of all others nothing may be. Takes nothing away itself.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::harness::now_ms;
use crate::state::{FileKey, State};

/// An agent that had a file open when it was deleted, and lived on for so long, has made all of it durable: it looks at
/// each file once a second, and what it read then is on its way to the queue.
const KEPT_WITHIN: Duration = Duration::from_millis(2_500);

/// A file, and where its lines lie in it, by number.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// In their order. The last bytes of a line may be left out.
    pub lines: Vec<(u64, Range<u64>)>,
}

/// How a file is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It has no name any more.
    Deleted,
    /// It has a name in another folder, where nobody looks for it.
    Elsewhere,
    /// It has a name that the globs do not want, in its folder: whoever knows it looks for it there.
    Aside,
}

/// What may be missing of one output's lines.
#[derive(Clone, Debug, Default)]
pub struct Doubt {
    /// By number, with the bytes that the agent knows to be lost where they are.
    pub lines: BTreeMap<u64, u64>,
    /// Files that were deleted long before the agent died, and not all durable when it did.
    pub late: u64,
    /// Lines read by an agent of files that were made and deleted before it was asked to stop, and not durable when it had
    /// stopped. What an earlier one read of older files it perhaps did not read again.
    pub dropped: u64,
}

/// All files that were taken away, and the agent's process.
#[derive(Debug)]
pub struct Gone {
    /// How many outputs there are: each opens a file for itself.
    outputs: usize,
    pending: Mutex<Vec<Missing>>,
    /// 0: there is none.
    process: AtomicU32,
    /// When it was started, in ms since 1970.
    started_ms: AtomicI64,
    /// It is asked to stop.
    is_stopping: AtomicBool,
}

#[derive(Debug)]
struct Missing {
    file: FileKey,
    trace: Trace,
    way: Way,
    since: Instant,
    was_open: bool,
    /// It was made after the agent was started, and taken before that was asked to stop.
    is_of_one_run: bool,
}

impl Gone {
    /// Nothing yet, with so many outputs.
    pub fn new(outputs: usize) -> Self {
        Self {
            outputs,
            pending: Mutex::default(),
            process: AtomicU32::new(0),
            started_ms: AtomicI64::new(0),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// The agent runs as this process.
    pub fn started(&self, process: u32) {
        self.is_stopping.store(false, Ordering::SeqCst);
        self.started_ms.store(now_ms(), Ordering::SeqCst);
        self.process.store(process, Ordering::SeqCst);
    }

    /// It is asked to stop now.
    pub fn stopping(&self) {
        let _no_file_is_being_taken = self.pending();
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Whether the agent has the file open for each output.
    pub fn is_open(&self, file: FileKey) -> bool {
        let folder = format!("/proc/{}/fd", self.process.load(Ordering::SeqCst));
        let open = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let open = open.filter_map(|link| std::fs::metadata(link.path()).ok());
        open.filter(|metadata| FileKey::of(metadata) == file).count() >= self.outputs
    }

    /// Takes a file away, so that the agent does not end unseen meanwhile.
    ///
    /// # Errors
    /// As `take` gives them.
    pub fn take(&self, file: FileKey, trace: Trace, way: Way, take: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut pending = self.pending();
        let was_open = self.is_open(file);
        let is_of_one_run =
            file.is_made_after(self.started_ms.load(Ordering::SeqCst)) && !self.is_stopping.load(Ordering::SeqCst);
        take()?;
        pending.push(Missing { file, trace, way, since: Instant::now(), was_open, is_of_one_run });
        Ok(())
    }

    /// The agent has ended: what its state lacks of the files that were taken away may be missing from now on. Gives the
    /// states, by output, whose `doubts` grow.
    ///
    /// # Errors
    /// A state cannot be read.
    pub fn ended(&self, end: &str, state: &Path, doubts: &mut BTreeMap<String, Doubt>) -> io::Result<Vec<State>> {
        let mut pending = self.pending();
        self.process.store(0, Ordering::SeqCst);
        let mut states = Vec::new();
        for (output, doubt) in doubts {
            let state = State::read(state, output)?;
            pending.iter().for_each(|missing| doubt.add(missing, &state, end == "stopped"));
            states.push(state);
        }
        pending.clear();
        Ok(states)
    }

    fn pending(&self) -> MutexGuard<'_, Vec<Missing>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doubt {
    fn add(&mut self, missing: &Missing, state: &State, has_stopped: bool) {
        let Missing { file, trace, way, since, was_open, is_of_one_run } = missing;
        if *way == Way::Aside && state.knows(*file) {
            return;
        }
        // One that an output has not taken note of it has not opened either, though another may have.
        let is_deleted = *way == Way::Deleted && *was_open && state.knows(*file);
        let unsettled: Vec<_> = trace.lines.iter().filter(|(_, bytes)| !state.holds(*file, bytes)).collect();
        self.late += u64::from(is_deleted && since.elapsed() > KEPT_WITHIN && !unsettled.is_empty());
        for (number, bytes) in unsettled {
            let was_read = state.has_noted(*file, bytes);
            self.dropped += u64::from(is_deleted && has_stopped && *is_of_one_run && was_read);
            self.lines.insert(*number, if was_read { bytes.end - bytes.start } else { 0 });
        }
    }
}
