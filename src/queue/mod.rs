//! Sealed batches on disk, first in, first out: one lane's queue, in a folder of its own. Does not send, does not
//! decide what to do when it is full, and knows neither sources nor checkpoints.
//!
//! One thread pushes and one takes; a third may [forget](Queue::forget). A batch is durable when [`Queue::push`]
//! returns. What was sent stays until the caller says that a checkpoint covers it, so a crash brings back batches that
//! were sent already, and never loses one: document ids make that harmless, and a store without them is asked.
//!
//! # On disk
//!
//! Numbers are little-endian; checks are XXH3 (64 bits). Frames are numbered without holes from 0, over all runs. A
//! segment holds about 8 MiB of whole frames, and is named for the number of its first: `00000000000000000042.segment`.
//! It ends where the next one's name says: frames there with that number or a higher one were given up. A segment is
//! written by one run only; the next run begins another. Files of other names are left alone.
//!
//! ```text
//! segment     0  "lf-queue"           8 bytes
//!             8  version              u32, 1
//!            12  number               u64, of its first frame
//!            20  check                u64, of bytes 0..20
//!            28  frames, one after the other
//!
//! frame       0  check                u64, of bytes 8..24+H
//!             8  check of the body    u64
//!            16  H, header's length   u32, not 0
//!            20  B, body's length     u32
//!            24  header               H bytes of JSON: number, queued_ms, gzip, raw_len, items, unsure, spans
//!          24+H  body                 B bytes, as sent
//!
//! position    0  "lf-place"           8 bytes; a file of 28 bytes, replaced whole
//!             8  version              u32, 1
//!            12  number               u64, of the oldest frame that may still be needed
//!            20  check                u64, of bytes 0..20
//! ```
//!
//! What has no good check is damaged. The next frame is then looked for where the lengths say; if they lead out of the
//! file, the rest of the segment is damaged. Damage at the very end is taken for the torn tail of a push that never
//! returned, and cut off.

mod config;
mod error;
mod frame;
mod head;
mod index;
mod open;
mod position;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use config::{Config, Full};
pub use error::Error;
pub use frame::{Sealed, Span};
use index::{Index, Place};
pub use open::{Found, Report};
use segment::Segment;

use crate::base::failpoint;

/// A segment is closed before it grows longer, in bytes.
const SEGMENT_BYTES: u64 = match (cfg!(test), cfg!(feature = "failpoints")) {
    (true, _) => 2_000,
    (_, true) => 16 << 10,
    _ => 8 << 20,
};

/// When a queue takes no more.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the frames that are not settled, in all queues that [share](Queue::sharing) the limit. An empty queue takes
    /// one frame of any size. On disk there is more: what is settled and not forgotten (as much again, where a frame was put by), and
    /// up to one segment each.
    pub bytes: u64,
    /// Age of its oldest frame, in ms.
    pub age_ms: Option<i64>,
}

/// The answer to a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// It is on disk, durable, as the frame of this number.
    Queued(u64),
    /// It is not taken.
    Full(Limit),
}

/// Which of the [`Limits`] is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::bytes`].
    Bytes,
    /// [`Limits::age_ms`].
    Age,
}

/// The next frame to send.
#[derive(Debug)]
pub enum Taken {
    /// Whole.
    Good(Frame),
    /// No longer what was pushed: never to be sent. It is to be [settled](Queue::done) as well.
    Damaged(Unsent),
}

/// One batch out of the queue.
#[derive(Debug)]
pub struct Frame {
    /// Its number.
    pub number: u64,
    /// When it was pushed, in ms since 1970.
    pub queued_ms: i64,
    /// It was there when the queue was opened: an earlier run may have sent it. Frames are sent in order, so those
    /// after one of which the store certainly has nothing were not sent.
    pub perhaps_sent: bool,
    /// The batch as it was pushed.
    pub sealed: Sealed,
}

/// A frame that the queue will not give out.
#[derive(Debug, PartialEq)]
pub struct Unsent {
    /// Its number.
    pub number: u64,
    /// The input that it covers. `None`: its header cannot be read.
    pub spans: Option<Vec<Span>>,
}

/// One lane's queue.
///
/// Two locks: `disk` is held by whoever changes files, over writing and syncing; `index` for a look at what is in
/// memory, never over I/O. So taking, and asking for numbers, waits for no disk but its own reading.
#[derive(Debug)]
pub struct Queue {
    folder: PathBuf,
    limits: Limits,
    /// Bytes of all queues that share the limit, this one's included.
    used: Arc<AtomicU64>,
    /// The first number of this run.
    first_own: u64,
    disk: Mutex<Disk>,
    index: Mutex<Index>,
}

/// The files.
#[derive(Debug)]
struct Disk {
    /// First numbers of the segments that hold frames, ascending.
    segments: VecDeque<u64>,
    /// The segment that is being filled: the last of them.
    tail: Option<Segment>,
    /// The number in the position file.
    saved: u64,
}

impl Queue {
    /// Opens the queue in `folder`, made if absent. Reads and checks all of it, one frame's header at a time. Settled
    /// segments are removed, a torn tail is cut off.
    ///
    /// # Errors
    /// As the file system gives them; when a file is of a newer format. Nothing is changed then.
    pub fn open(folder: &Path, limits: Limits) -> Result<(Self, Report), Error> {
        let open::Opened { index, segments, saved, report } = open::open(folder)?;
        let queue = Self {
            folder: folder.to_owned(),
            limits,
            used: Arc::new(AtomicU64::new(index.bytes())),
            first_own: index.next,
            disk: Mutex::new(Disk { segments, tail: None, saved }),
            index: Mutex::new(index),
        };
        Ok((queue, report))
    }

    /// The same queue, with one limit of bytes for all that are given the same `used`, which counts them.
    #[must_use]
    pub fn sharing(self, used: &Arc<AtomicU64>) -> Self {
        used.fetch_add(self.bytes(), Ordering::Relaxed);
        Self { used: Arc::clone(used), ..self }
    }

    /// Adds a batch at the end, durable when this returns.
    ///
    /// # Errors
    /// As the file system gives them. The batch is then not in the queue, and nothing of it is in the way of the next.
    pub fn push(&self, sealed: &Sealed, now_ms: i64) -> Result<Push, Error> {
        let mut disk = lock(&self.disk);
        let number = lock(&self.index).next;
        let start = frame::encode(number, now_ms, sealed).map_err(Error::io("encode a frame for", &self.folder))?;
        let len = (start.len() + sealed.body.len()) as u64;
        if let Some(limit) = self.limit_reached(len, now_ms) {
            return Ok(Push::Full(limit));
        }
        let (segment, offset) = disk.append(&self.folder, number, &start, &sealed.body)?;
        self.change(|index| index.push(Place { number, segment, offset, len, queued_ms: now_ms }));
        Ok(Push::Queued(number))
    }

    /// The oldest frame that is not put by; the same again until it is [done](Queue::done) or [put by](Queue::put_by).
    ///
    /// # Errors
    /// As the file system gives them. The next call tries the same frame again; to give it up, it can be settled: its
    /// number is what [`Queue::settled`] says.
    pub fn take(&self) -> Result<Option<Taken>, Error> {
        let Some(place) = lock(&self.index).take() else { return Ok(None) };
        let (header, body) = segment::read(&self.folder, &place)?;
        Ok(Some(match (header, body) {
            (Some(header), Some(body)) => Taken::Good(Frame {
                number: place.number,
                queued_ms: header.queued_ms,
                perhaps_sent: place.number < self.first_own,
                sealed: header.sealed(body),
            }),
            (header, _) => Taken::Damaged(unsent(place.number, header)),
        }))
    }

    /// The frame that was taken waits for something that others do not wait for: the next one can be taken. It stays
    /// unsettled, and is not forgotten, nor is what comes after it. `false`: so much lies there by now that it must be
    /// waited for.
    pub fn put_by(&self, number: u64) -> bool {
        let mut index = lock(&self.index);
        let has_room = index.kept() < self.limits.bytes;
        if has_room {
            index.put_by(number);
        }
        has_room
    }

    /// The number of the frame that [`Queue::take`] would give. `None`: what there is was put by.
    #[must_use]
    pub fn head(&self) -> Option<u64> {
        lock(&self.index).head()
    }

    /// A frame that was taken, or put by, is settled, whatever became of it. Another number changes nothing.
    pub fn done(&self, number: u64) {
        self.change(|index| index.done(number));
    }

    /// Lets go of the oldest frame that is not taken, so that there is room. `None`: there is none.
    ///
    /// # Errors
    /// As the file system gives them; the frame is then still there.
    pub fn drop_oldest(&self) -> Result<Option<Unsent>, Error> {
        loop {
            let Some(place) = lock(&self.index).oldest_waiting() else { return Ok(None) };
            // Read before it is let go: what is let go may be forgotten, and its segment removed.
            let header = segment::read_header(&self.folder, &place)?;
            if self.change(|index| index.drop_waiting(place.number)) {
                return Ok(Some(unsent(place.number, header)));
            }
        }
    }

    /// All frames below this number are settled. To be asked *before* the checkpoint that will cover them is made.
    #[must_use]
    pub fn settled(&self) -> u64 {
        lock(&self.index).settled()
    }

    /// Forgets the frames below `settled`, which a checkpoint covers now: they do not come again. Their segments are
    /// removed. One `fsync` when anything changed; meant to be called with each checkpoint, not with each frame.
    ///
    /// # Errors
    /// As the file system gives them. The next call makes good for it.
    pub fn forget(&self, settled: u64) -> Result<(), Error> {
        let mut disk = lock(&self.disk);
        let (settled, next) = {
            let index = lock(&self.index);
            (settled.min(index.settled()), index.next)
        };
        disk.forget(&self.folder, settled, next)
    }

    /// Bytes of the frames that are not settled.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        lock(&self.index).bytes()
    }

    /// Frames that are not settled.
    #[must_use]
    pub fn frames(&self) -> usize {
        lock(&self.index).frames()
    }

    /// When the oldest frame that is not settled was pushed, in ms since 1970.
    #[must_use]
    pub fn oldest_ms(&self) -> Option<i64> {
        lock(&self.index).oldest_ms()
    }

    /// Changes what is in memory, and counts it for all that share the limit.
    fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        let mut index = lock(&self.index);
        let before = index.bytes();
        let changed = change(&mut index);
        // Wraps around where it is less: then so does the sum.
        self.used.fetch_add(index.bytes().wrapping_sub(before), Ordering::Relaxed);
        changed
    }

    fn limit_reached(&self, len: u64, now_ms: i64) -> Option<Limit> {
        let index = lock(&self.index);
        let oldest_ms = index.oldest_ms()?;
        if self.used.load(Ordering::Relaxed) + len > self.limits.bytes {
            return Some(Limit::Bytes);
        }
        self.limits.age_ms.filter(|limit| now_ms.saturating_sub(oldest_ms) >= *limit).map(|_| Limit::Age)
    }
}

impl Disk {
    /// Writes a frame. Where it lies: its segment and offset.
    fn append(&mut self, folder: &Path, number: u64, start: &[u8], body: &[u8]) -> Result<(u64, u64), Error> {
        let len = (start.len() + body.len()) as u64;
        // Taken out: after an error nothing more goes into this segment, whatever state it was left in.
        let mut tail = match self.tail.take() {
            Some(tail) if tail.len + len <= SEGMENT_BYTES => tail,
            _ => Segment::create(folder, number)?,
        };
        let offset = tail.append(start, body)?;
        let first = tail.first;
        if self.segments.back() != Some(&first) {
            self.segments.push_back(first);
        }
        self.tail = Some(tail);
        Ok((first, offset))
    }

    /// Saves the position first: a segment that is gone before it would look like a loss.
    fn forget(&mut self, folder: &Path, settled: u64, next: u64) -> Result<(), Error> {
        if settled > self.saved {
            position::save(folder, settled)?;
            self.saved = settled;
            failpoint::hit("forgotten");
        }
        while let Some(first) = self.segments.front() {
            let end = self.segments.get(1).copied().unwrap_or(next);
            if end > self.saved {
                break;
            }
            segment::remove(folder, *first)?;
            failpoint::hit("unlinked");
            self.segments.pop_front();
        }
        if self.segments.is_empty() {
            self.tail = None;
        }
        Ok(())
    }
}

fn unsent(number: u64, header: Option<frame::Header<'_>>) -> Unsent {
    Unsent { number, spans: header.map(|header| header.spans.into_owned()) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
