//! Reads the engine's json-file of one container, whatever becomes of it: growing, rotated, truncated, removed. Waits for
//! nothing: each step takes at most one buffer. Lines are made by `logs`.
//!
//! ```text
//!            ┌───────────── more bytes: push them ─────────────┐
//! held: [ .2 , .1 , json.log ]   the first is read to its end, and let go if another follows
//!                     └ at its end, the last: another file at its path? hold that, and all between
//!                                             shorter, or other bytes before the offset? find the place again
//! ```

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::entries::size_of_broken;
use super::files::{LogFile, key_at, open_all};
use super::logs::Logs;
use super::place;
use crate::base::source::GUARD_BYTES;

/// How much is read at once. A message of 16 KiB has at most six times as much when each byte is escaped.
const BUFFER_BYTES: usize = 256 << 10;

/// A rotation removes the oldest file and renames the others within this time, and the clock of a file system is this
/// coarse: what happened closer together happened in one rotation.
const ONE_ROTATION: Duration = Duration::from_millis(5);

/// No engine writes more bytes a millisecond.
const FASTEST: u64 = 20_000;

/// What reading needs room for; lent, so that one serves many containers.
#[derive(Debug)]
pub struct Scratch {
    buffer: Vec<u8>,
    text: String,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES], text: String::new() }
    }
}

/// Where the log of a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The file that the engine writes.
    pub path: PathBuf,
    /// It is rotated by the first message that comes when it has so many bytes. `None`: never.
    pub max_bytes: Option<u64>,
}

/// A log being read.
#[derive(Debug)]
pub struct Tail {
    log: Log,
    /// From the file that is read to the newest that is known.
    held: VecDeque<Held>,
    losses: Losses,
}

/// One file of it.
#[derive(Debug)]
struct Held {
    file: LogFile,
    /// The next byte to read: always the first of a line.
    offset: u64,
    /// How long it was at the last read.
    len: u64,
    /// When that was.
    looked: Instant,
    /// The bytes before `offset`: others stand there when the file was truncated and has grown again.
    guard: Vec<u8>,
    /// From where on a stream has new lines; the furthest first.
    marks: Vec<(u64, usize)>,
}

/// What was not to be had. Taken, said and counted by the follower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Bytes of the log that were cut away before they were read, and of lines that are no message.
    pub bytes: u64,
    /// Places where files may have been removed before they were read.
    pub gaps: u64,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many bytes were done with, and there may be more.
    Read(usize),
    /// There is nothing more now.
    AtEnd,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// So many bytes of whole lines.
    Lines(usize),
    /// So many bytes of an unfinished line, or none.
    Rest(usize),
    /// The file was truncated.
    Cut,
}

impl Tail {
    /// Opens the log and finds where its streams go on.
    ///
    /// # Errors
    /// When a file cannot be opened or read.
    pub fn open(log: Log, logs: &mut Logs, scratch: &mut Scratch) -> io::Result<Self> {
        let mut tail = Self { log, held: VecDeque::new(), losses: Losses::default() };
        if !tail.find_place(logs, scratch)? {
            tail.losses.gaps += 1;
        }
        Ok(tail)
    }

    /// Whether a step may find something. Two looks at the file system, no read.
    pub fn has_changed(&self) -> bool {
        let Some(newest) = self.held.back() else { return true };
        let is_grown = newest.file.len().is_ok_and(|len| len != newest.len);
        self.held.len() > 1 || is_grown || key_at(&self.log.path).is_ok_and(|key| key != newest.file.key)
    }

    /// What was lost since this was last asked.
    pub fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }

    /// Reads at most one buffer.
    ///
    /// # Errors
    /// When a file cannot be opened or read.
    pub fn step(&mut self, logs: &mut Logs, scratch: &mut Scratch, max_line: usize) -> io::Result<Step> {
        let is_last = self.held.len() <= 1;
        let Some(first) = self.held.front_mut() else { return Ok(Step::AtEnd) };
        match first.read(logs, scratch, max_line, &mut self.losses)? {
            Found::Lines(bytes) => Ok(Step::Read(bytes)),
            Found::Cut => self.begin_again(logs, scratch),
            Found::Rest(_) if is_last => Ok(if self.hold_newer(scratch)? { Step::Read(0) } else { Step::AtEnd }),
            Found::Rest(torn) => {
                self.losses.bytes += torn as u64;
                self.held.pop_front();
                Ok(Step::Read(0))
            }
        }
    }

    /// Opens all files from where reading goes on to the newest. Whether there is nothing between what was read last and
    /// what is read next.
    fn find_place(&mut self, logs: &mut Logs, scratch: &mut Scratch) -> io::Result<bool> {
        let mut files = open_all(&self.log.path)?;
        let times = logs.marks();
        let places = place::find(&mut files, &times, &mut scratch.buffer)?;
        let first = places.iter().min().copied().flatten();
        logs.begin_file(&places.iter().map(Option::is_some).collect::<Vec<_>>());
        self.held = files.into_iter().map(Held::new).collect();
        for (stream, place) in places.iter().enumerate() {
            if let Some(place) = place {
                self.held[place.file].marks.push((place.offset, stream));
            }
        }
        self.held.iter_mut().for_each(|held| held.marks.sort_unstable_by(|one, other| other.cmp(one)));
        if let Some(first) = first {
            self.held.drain(..first.file);
            self.held[0].offset = first.offset;
        }
        Ok(times.iter().zip(&places).all(|(time, place)| time.is_none() || place.is_some()))
    }

    /// The file was truncated: by an older engine with `max-file=1`, or by somebody who may have copied it to
    /// `.1` before.
    fn begin_again(&mut self, logs: &mut Logs, scratch: &mut Scratch) -> io::Result<Step> {
        let before = self.held.pop_front();
        if !self.find_place(logs, scratch)?
            && let Some(Held { offset, len, looked, .. }) = before
        {
            // The engine truncates a file only when it has its full length.
            let full = self.log.max_bytes.map(|max_bytes| len.max(max_bytes));
            self.losses.bytes += full.unwrap_or(len).saturating_sub(offset);
            self.losses.gaps += u64::from(full.is_none_or(|full| may_have_been_full_again(full, looked.elapsed())));
        }
        Ok(Step::Read(0))
    }

    /// Holds the files that are newer than the last one. Whether there are any.
    fn hold_newer(&mut self, scratch: &mut Scratch) -> io::Result<bool> {
        let Some(last) = self.held.back_mut() else { return Ok(false) };
        let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match key_at(&self.log.path) {
            Ok(key) if key != last.file.key => {}
            // The container was removed, or the engine is between two steps of a rotation.
            Err(error) if !is_gone(&error) => return Err(error),
            _ => return Ok(false),
        }
        let files = match open_all(&self.log.path) {
            Err(error) if is_gone(&error) => return Ok(false),
            files => files?,
        };
        let (newer, is_gap) = newer_than(&mut last.file, files, &mut scratch.buffer)?;
        self.losses.gaps += u64::from(is_gap);
        self.held.extend(newer.into_iter().map(Held::new));
        Ok(true)
    }
}

/// Those of `files` (oldest first) that were written after `last`, and whether some may have been removed between.
fn newer_than(last: &mut LogFile, mut files: Vec<LogFile>, buffer: &mut [u8]) -> io::Result<(Vec<LogFile>, bool)> {
    for index in 0..files.len() {
        if files[index].key == last.key || is_copy(&mut files[index], last, buffer)? {
            return Ok((files.split_off(index + 1), false));
        }
    }
    let gone = last.moments()?;
    let Some(next) = files.first() else { return Ok((files, true)) };
    let moments = next.moments()?;
    let has_zipped = files.iter().any(LogFile::is_zipped);
    // Made, or renamed, in the rotation that removed the last one.
    let moment = match next.number {
        0 => moments.made,
        _ => Some(moments.changed).filter(|_| !has_zipped),
    };
    let follows_at_once = gone.is_removed && moment.is_some_and(|moment| moment <= gone.changed + ONE_ROTATION);
    Ok((files, !follows_at_once))
}

/// Whether `zipped` is a compressed copy of `last`. Both begin with a line, which has its time in ns, but only behind its
/// text, which may be the same in many: half a buffer has all of it.
fn is_copy(zipped: &mut LogFile, last: &mut LogFile, buffer: &mut [u8]) -> io::Result<bool> {
    if !zipped.is_zipped() {
        return Ok(false);
    }
    let half = buffer.len() / 2;
    let (one, other) = buffer.split_at_mut(half);
    let (one_len, other_len) = (zipped.read(one, 0)?, last.read(&mut other[..half], 0)?);
    Ok(one_len > 0 && one[..one_len] == other[..other_len])
}

/// Whether an engine can have filled a file of this length once more since a look at it, unseen.
fn may_have_been_full_again(full: u64, since: Duration) -> bool {
    u128::from(full) <= since.as_millis() * u128::from(FASTEST)
}

impl Held {
    fn new(file: LogFile) -> Self {
        Self { file, offset: 0, len: 0, looked: Instant::now(), guard: Vec::new(), marks: Vec::new() }
    }

    /// Reads on, up to the next mark at most.
    fn read(
        &mut self,
        logs: &mut Logs,
        scratch: &mut Scratch,
        max_line: usize,
        losses: &mut Losses,
    ) -> io::Result<Found> {
        while let Some((_, stream)) = self.marks.pop_if(|(offset, _)| *offset <= self.offset) {
            logs.pass_mark(stream);
        }
        let Scratch { buffer, text } = scratch;
        let guarded = self.guard.len();
        let until_mark = self.marks.last().map_or(u64::MAX, |(offset, _)| offset - self.offset);
        let room = usize::try_from(until_mark).unwrap_or(usize::MAX).min(buffer.len() - guarded);
        let count = self.file.read(&mut buffer[..guarded + room], self.offset - guarded as u64)?;
        if count < guarded || buffer[..guarded] != self.guard {
            return Ok(Found::Cut);
        }
        let bytes = &buffer[guarded..count];
        (self.len, self.looked) = (self.offset + bytes.len() as u64, Instant::now());
        let walked = logs.push_entries(bytes, text, max_line);
        losses.bytes += walked.broken_bytes;
        let mut done = walked.bytes;
        if done == 0 {
            if count < buffer.len() {
                return Ok(Found::Rest(bytes.len()));
            }
            // No engine writes such a line: it is passed over piece by piece.
            losses.bytes += size_of_broken(bytes);
            done = bytes.len();
        }
        self.file.unread(&bytes[done..]);
        self.offset += done as u64;
        if !self.file.is_zipped() {
            let end = guarded + done;
            self.guard.clear();
            self.guard.extend_from_slice(&buffer[end.saturating_sub(GUARD_BYTES)..end]);
        }
        Ok(Found::Lines(done))
    }
}

#[cfg(test)]
mod tests;
