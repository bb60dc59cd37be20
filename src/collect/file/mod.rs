//! One followed file as a state machine: it grows, is renamed, truncated, deleted. Reads only when asked, spawns
//! nothing, saves nothing, and keeps no bytes of the file but the few before its offset: an unfinished last line is
//! read again at the next look.

mod before;
mod config;
mod content;
mod overlong;
mod quiet;
mod replay;
mod rest;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::mem;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use self::before::{Before, len_of_whole_characters, len_without_nul};
pub use self::config::{Config, Settings, Start};
use self::content::Content;
pub use self::content::{unpack, unpack_head};
use self::overlong::Passed;
use self::quiet::Quiet;
use self::replay::Replay;
use self::rest::Rest;
use super::discover::Found;
use super::identity::{self, FileKey};
use super::lines::{Cut, Cutting, Spare, skip_byte_order_mark};
use crate::base::chunk::Chunk;
use crate::base::source::{Cursor, GUARD_BYTES, HEAD_BYTES, Identity, Resume, Source};

/// One followed file. Lives on one worker.
#[derive(Debug)]
pub struct Follower {
    content: Content,
    path: PathBuf,
    key: FileKey,
    identity: Identity,
    /// The identity's head is shorter than it could be now, or of an earlier generation.
    is_head_stale: bool,
    source: Arc<Source>,
    settings: Settings,
    generation: u32,
    /// The next byte to read: all before it is in chunks.
    offset: u64,
    /// The bytes before `offset`.
    before: Before,
    /// The first bytes of this generation, as many as `before` has: its end alone may look like the old one's.
    first: Before,
    /// A line of this generation was taken, or is not wanted: NUL bytes are no longer a hole before the first.
    has_begun: bool,
    replay: Replay,
    /// How much of a line beyond the limit has been looked through already.
    passed: Passed,
    /// NUL bytes found after the offset, up to as far as was looked. Where they reach the file's end, it was laid out
    /// beforehand; kept, so that it is not looked through at each look.
    zeros: Range<u64>,
    /// The greatest size seen in this generation.
    size: u64,
    /// With [`Settings::once`]: where reading ends.
    once_end: u64,
    quiet: Quiet,
    rest: Rest,
    is_deleted: bool,
    losses: Losses,
}

/// What a look at a file gave.
#[derive(Debug)]
pub enum Read {
    /// Lines. There may be more.
    Chunk(Chunk),
    /// Part of a line beyond the limit was passed over: look again, other files first.
    Passing,
    /// Nothing more now.
    AtEnd,
    /// No longer at its path, read to its end, and quiet: let it go.
    Gone,
}

/// What could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// How often the file was found truncated.
    pub truncations: u32,
    /// Bytes known to have been there that were cut off before they were read, or before it was certain that they
    /// had been delivered. 0 where the file was truncated unseen, while no one looked.
    pub bytes: u64,
}

impl Follower {
    /// Follows a found file from where `resume` says. A file that no longer has what was read of it begins a new
    /// generation at its first byte; see [`Follower::take_losses`].
    ///
    /// # Errors
    /// As the file system gives them.
    pub fn new(found: Found, source: Arc<Source>, resume: &Resume, settings: Settings) -> io::Result<Self> {
        let Found { path, file, identity, begin, unpacked_len, .. } = found;
        let key = FileKey::of(&file.metadata()?);
        let content = Content::new(file, unpacked_len)?;
        let size = content.look()?.len;
        let mut follower = Self {
            key,
            // What is compressed has come to its end.
            settings: Settings { once: settings.once || content.plain().is_none(), ..settings },
            content,
            path,
            identity,
            is_head_stale: false,
            source,
            generation: resume.generation,
            offset: 0,
            before: Before::START,
            first: Before::START,
            has_begun: false,
            replay: Replay::default(),
            passed: Passed::default(),
            zeros: 0..0,
            size,
            once_end: size,
            quiet: Quiet::default(),
            rest: Rest::default(),
            is_deleted: false,
            losses: Losses::default(),
        };
        follower.resume(resume, begin)?;
        Ok(follower)
    }

    fn resume(&mut self, resume: &Resume, begin: u64) -> io::Result<()> {
        let known = match resume.cursor {
            Some(Cursor::File { generation, offset, guard }) => Some((generation, offset, guard)),
            _ => None,
        };
        let (offset, guard) = match known {
            Some((generation, ..)) if generation != resume.generation => (0, None),
            Some((_, offset, guard)) => (offset, Some(guard)),
            None if resume.generation == 0 => (begin, None),
            None => (0, None),
        };
        let before = Before::read(&mut self.content, offset)?;
        let mut unread_here = 0;
        match before.filter(|before| guard.is_none_or(|guard| guard == before.guard())) {
            Some(before) => {
                (self.offset, self.before) = (offset, before);
                unread_here = guard.map_or(0, |_| self.size.saturating_sub(offset));
            }
            None => {
                self.generation += 1;
                self.losses.truncations += 1;
            }
        }
        self.has_begun = self.offset > 0;
        self.first = Before::read(&mut self.content, self.offset.min(GUARD_BYTES as u64))?.unwrap_or(Before::START);
        let (replay, lost_bytes) = Replay::new(&resume.replay, self.generation, self.offset, self.size);
        self.replay = replay;
        self.losses.bytes += lost_bytes.max(resume.unread.saturating_sub(unread_here));
        Ok(())
    }

    /// Looks once: the next lines, or why there are none. `now_ms` is the time of reading. Look when the file is
    /// said to have changed, and at least once a second.
    ///
    /// # Errors
    /// As the file system gives them; nothing is skipped, so it can be tried again.
    pub fn read(&mut self, now_ms: i64, spare: &mut Spare) -> io::Result<Read> {
        let look = self.content.look()?;
        self.is_deleted = look.is_deleted;
        if self.rest.is_at(look, now_ms) {
            return Ok(self.wait_at_rest(now_ms));
        }
        let size = look.len;
        let longest_line = self.settings.max_line.saturating_add(b"\r\n".len());
        let mut room = self.settings.chunk_bytes;
        self.look_back_into_hole()?;
        loop {
            if self.settings.once && self.offset >= self.once_end {
                return Ok(Read::AtEnd);
            }
            let edge = self.replay.edge(self.offset);
            let want = edge.within(room);
            if !self.read_on(want, &mut spare.bytes)? {
                self.truncated(size);
                continue;
            }
            let from = self.before.as_slice().len();
            let is_full = spare.bytes.len() == from + want;
            self.saw(size.max(self.offset + (spare.bytes.len() - from) as u64));
            let blank = self.blank(&spare.bytes[from..], is_full);
            if blank > 0 {
                self.advance(blank as u64, Before::end_of(&spare.bytes[..from + blank]), &spare.bytes[..from + blank]);
                continue;
            }
            if let Some(chunk) = self.whole_lines(from, is_full && edge.is_within(want as u64), now_ms, spare) {
                return Ok(Read::Chunk(chunk));
            }
            if !is_full || self.is_known_laid_out(&spare.bytes[from..]) {
                if self.offset == size && (self.has_begun || size == 0) {
                    self.rest.come_to(look, now_ms);
                }
                return Ok(self.at_end(from, now_ms, spare));
            }
            if room >= longest_line {
                return self.pass_over(edge, now_ms, spare);
            }
            room = longest_line;
        }
    }

    /// What a restart needs to go on from here.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        let (offset, before) = if self.has_begun { (self.offset, self.before) } else { (0, Before::START) };
        Cursor::File { generation: self.generation, offset, guard: before.guard() }
    }

    /// The identity, where it has changed since it was found or last taken: its head has grown, its path is new, or
    /// it was truncated. To be saved no later than a cursor taken afterwards.
    ///
    /// # Errors
    /// As the file system gives them.
    pub fn take_identity(&mut self) -> io::Result<Option<Identity>> {
        // What makes a compressed file itself is that of the file it was made of.
        let Some(file) = self.content.plain().filter(|_| self.is_head_stale) else { return Ok(None) };
        let identity = identity::of(file, &self.path)?;
        self.is_head_stale = false;
        let is_new = identity != self.identity;
        self.identity = identity;
        Ok(is_new.then(|| self.identity.clone()))
    }

    /// Takes a new path after a rename, with the facts that follow from it.
    pub fn renamed(&mut self, path: PathBuf, source: Arc<Source>) {
        self.path = path;
        self.rest.found_at_path(false, 0);
        self.source = source;
        self.is_head_stale = true;
    }

    /// What was lost since it was last asked.
    pub fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }

    /// Bytes in the file that are not in chunks yet, as of the last look.
    #[must_use]
    pub fn lag_bytes(&self) -> u64 {
        self.size.saturating_sub(self.offset)
    }

    /// Bytes in the file, as of the last look.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// For how many ms the file has not grown, as of the last look that found its end.
    #[must_use]
    pub fn quiet_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.quiet.since_ms).max(0)
    }

    /// Whether it is compressed, and so never grows.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.content.plain().is_none()
    }

    /// The kernel's name of the file.
    #[must_use]
    pub const fn key(&self) -> FileKey {
        self.key
    }

    /// Whose lines it reads.
    #[must_use]
    pub const fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Whether the file had no name any more at the last look.
    #[must_use]
    pub const fn was_deleted(&self) -> bool {
        self.is_deleted
    }

    /// Whether the file has no name any more now.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.content.look().is_ok_and(|look| look.is_deleted)
    }

    /// Reads the bytes before the offset and up to `want` after it. `false`: it is no longer the file it was. Its
    /// first bytes are looked at last, so that what was read before them is of the same generation.
    fn read_on(&mut self, want: usize, bytes: &mut Vec<u8>) -> io::Result<bool> {
        if !self.before.read_on(&mut self.content, self.offset, want, bytes)? {
            return Ok(false);
        }
        let first_len = self.first.as_slice().len() as u64;
        Ok(Before::read(&mut self.content, first_len)? == Some(self.first))
    }

    /// How many bytes at the offset are no line: NUL bytes at the start of a file, which a writer leaves that was not
    /// told of a truncation; and the end of a line whose text was taken before it was finished.
    fn blank(&self, data: &[u8], is_full: bool) -> usize {
        if !self.has_begun {
            let zeros = data.iter().take_while(|byte| **byte == 0).count();
            if zeros > 0 {
                return if zeros < data.len() || is_full { zeros } else { 0 };
            }
        }
        match data {
            _ if !self.before.is_mid_line() => 0,
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        }
    }

    /// Goes back to the first byte where NUL bytes were passed over that have been written to since: space that was
    /// laid out beforehand, not a hole.
    fn look_back_into_hole(&mut self) -> io::Result<()> {
        let is_in_hole = !self.has_begun && self.offset > 0;
        if is_in_hole
            && !Before::read(&mut self.content, self.offset.min(GUARD_BYTES as u64))?.is_some_and(Before::is_zero)
        {
            (self.offset, self.before, self.first) = (0, Before::START, Before::START);
        }
        Ok(())
    }

    /// A chunk of the lines that end within what was read; `is_cut_off`: what is left after them is a line too.
    fn whole_lines(&mut self, from: usize, is_cut_off: bool, now_ms: i64, spare: &mut Spare) -> Option<Chunk> {
        spare.lines.clear();
        let cutting = self.cutting(from);
        let mut cut = cutting.whole_lines(&spare.bytes, &mut spare.lines);
        if is_cut_off {
            let rest = cutting.rest(&spare.bytes, cut.end, &mut spare.lines);
            cut = Cut { end: rest.end, cut_bytes: cut.cut_bytes + rest.cut_bytes };
        }
        (cut.end > from).then(|| self.chunk(Piece::of(cut, from, &spare.bytes), now_ms, spare))
    }

    /// There is nothing: waits, or lets the file go.
    fn wait(&mut self, now_ms: i64) -> Read {
        if self.may_let_go(now_ms) { Read::Gone } else { Read::AtEnd }
    }

    /// The same of a file at rest.
    fn wait_at_rest(&mut self, now_ms: i64) -> Read {
        if !self.rest.is_at_path(now_ms) {
            return self.wait(now_ms);
        }
        self.quiet.at(self.offset, now_ms);
        Read::AtEnd
    }

    /// Nothing but an unfinished line, or nothing: waits, takes the line as it is, or lets the file go.
    fn at_end(&mut self, from: usize, now_ms: i64, spare: &mut Spare) -> Read {
        let len = len_without_nul(&spare.bytes[from..]);
        spare.bytes.truncate(from + len);
        if !self.may_take(len as u64, now_ms) {
            return if len == 0 { self.wait(now_ms) } else { Read::AtEnd };
        }
        let whole = len_of_whole_characters(&spare.bytes[from..]);
        if !self.settings.once && whole > 0 && whole < len {
            spare.bytes.truncate(from + whole);
            self.quiet.since_ms = now_ms;
        }
        let cut = self.cutting(from).rest(&spare.bytes, from, &mut spare.lines);
        Read::Chunk(self.chunk(Piece::of(cut, from, &spare.bytes), now_ms, spare))
    }

    /// Whether the `len` bytes between the offset and the file's end are to be taken as a line.
    fn may_take(&mut self, len: u64, now_ms: i64) -> bool {
        let quiet_ms = self.quiet.at(self.offset + len, now_ms);
        len > 0 && (self.settings.once || quiet_ms >= self.settings.unfinished_after_ms)
    }

    /// Whether the file, read to its end, has left its path and been quiet for long enough.
    fn may_let_go(&mut self, now_ms: i64) -> bool {
        if self.settings.once || self.quiet.at(self.offset, now_ms) < self.settings.gone_after_ms {
            return false;
        }
        let is_gone = match fs::metadata(&self.path) {
            Ok(metadata) => FileKey::of(&metadata) != self.key,
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        };
        self.rest.found_at_path(!is_gone, now_ms);
        is_gone
    }

    fn cutting(&self, from: usize) -> Cutting {
        Cutting { from, at: self.offset, limit: self.settings.max_line }
    }

    /// Makes the chunk and goes on behind it.
    fn chunk(&mut self, piece: Piece, now_ms: i64, spare: &mut Spare) -> Chunk {
        let mut bytes = mem::take(&mut spare.bytes);
        let mut lines = mem::take(&mut spare.lines);
        bytes.truncate(piece.end);
        let start = self.offset;
        let noted_ms = self.replay.seen_ms(start);
        self.advance(piece.input_bytes, piece.before, &bytes);
        self.has_begun = true;
        // They may begin inside a character, and are no part of the chunk.
        bytes[..piece.from].fill(b'\n');
        skip_byte_order_mark(&bytes, &mut lines);
        Chunk {
            source: Arc::clone(&self.source),
            generation: self.generation,
            bytes,
            lines,
            seen_ms: noted_ms.unwrap_or(now_ms),
            start,
            end: self.offset,
            cursor: self.cursor(),
            input_bytes: piece.input_bytes,
            cut_bytes: piece.cut_bytes,
            replayed: noted_ms.is_some(),
        }
    }

    /// Goes on by `bytes`. `read` is what was read of them, and the bytes before the offset in front of it.
    fn advance(&mut self, bytes: u64, before: Before, read: &[u8]) {
        if self.offset < GUARD_BYTES as u64 {
            self.first = Before::end_of(&read[..read.len().min(GUARD_BYTES)]);
        }
        self.is_head_stale |= self.offset < HEAD_BYTES as u64;
        self.offset += bytes;
        self.before = before;
        self.passed = Passed::default();
        self.replay.forget_before(self.offset);
    }

    /// Notes the size of a file that is still the one it was. Unread bytes may have been cut off all the same.
    fn saw(&mut self, size: u64) {
        self.losses.bytes += self.size.saturating_sub(size);
        self.size = size;
        if size < self.zeros.end {
            self.zeros = 0..0;
        }
    }

    /// Begins a new generation of a file that no longer has what was read of it and has `size` bytes now.
    fn truncated(&mut self, size: u64) {
        self.losses.truncations += 1;
        self.losses.bytes += self.lag_bytes();
        self.generation += 1;
        self.offset = 0;
        self.before = Before::START;
        self.first = Before::START;
        self.has_begun = false;
        self.passed = Passed::default();
        self.zeros = 0..0;
        self.replay = Replay::default();
        self.is_head_stale = true;
        self.size = size;
        self.once_end = size;
    }
}

/// The part of what was read that becomes a chunk.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Its first byte in the buffer.
    from: usize,
    /// One past its last byte in the buffer.
    end: usize,
    /// How many bytes of the file it stands for.
    input_bytes: u64,
    cut_bytes: u64,
    /// The bytes before its end in the file.
    before: Before,
}

impl Piece {
    /// One that lies in the buffer whole.
    fn of(cut: Cut, from: usize, bytes: &[u8]) -> Self {
        Self {
            from,
            end: cut.end,
            input_bytes: (cut.end - from) as u64,
            cut_bytes: cut.cut_bytes,
            before: Before::end_of(&bytes[..cut.end]),
        }
    }
}
