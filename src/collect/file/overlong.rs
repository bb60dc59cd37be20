//! A line longer than the limit that does not fit into a read: looked through for its end in bounded memory, whatever
//! its length. Its first bytes are kept, the rest is counted.

use std::io;

use memchr::memchr;

use super::before::{Before, len_without_nul};
use super::replay::Edge;
use super::{Follower, Piece, Read};
use crate::base::chunk::{Line, offset};
use crate::base::source::{GUARD_BYTES, Position, fingerprint};
use crate::collect::lines::Spare;

/// How far the line at the offset has been looked through. Kept between looks, so that a line that grows slowly is
/// not read from its start each time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    /// Bytes from its start that have no end of line.
    len: u64,
    /// Fingerprint of its first bytes: the file may have been truncated meanwhile.
    mark: u64,
}

/// So many reads in one look, then it is another file's turn.
const READS_AT_ONCE: usize = 64;

impl Follower {
    /// `spare.bytes` ends with the first bytes of the line, more than the limit.
    pub(super) fn pass_over(&mut self, edge: Edge, now_ms: i64, spare: &mut Spare) -> io::Result<Read> {
        let from = self.before.as_slice().len();
        self.go_on_passing(&spare.bytes[from..])?;
        for _ in 0..READS_AT_ONCE {
            let want = edge.after(self.passed.len).within(self.settings.chunk_bytes);
            self.content.read_up_to(self.offset + self.passed.len, want, &mut spare.scan)?;
            if let Some(newline) = memchr(b'\n', &spare.scan) {
                let text_len = self.passed.len + newline as u64;
                return self.overlong(text_len, text_len + 1, now_ms, spare);
            }
            self.pass(&spare.scan);
            self.size = self.size.max(self.offset + self.passed.len);
            if edge.is_within(self.passed.len) {
                return self.overlong(self.passed.len, self.passed.len, now_ms, spare);
            }
            if spare.scan.len() == want {
                continue;
            }
            let text_len = self.passed.len - self.zeros_passed();
            if text_len <= self.settings.max_line as u64 {
                return Ok(self.at_end(from, now_ms, spare));
            }
            if self.may_take(text_len, now_ms) {
                return self.overlong(text_len, text_len, now_ms, spare);
            }
            return Ok(Read::AtEnd);
        }
        Ok(Read::Passing)
    }

    /// Whether the NUL bytes at the end of `known`, which was read at the offset, are known to reach the file's end.
    pub(super) fn is_known_laid_out(&self, known: &[u8]) -> bool {
        let text_len = len_without_nul(known);
        text_len < known.len() && self.zeros.contains(&(self.offset + text_len as u64)) && self.zeros.end >= self.size
    }

    /// Goes on where the last look left off, if that was in this line and nothing was written into it since.
    fn go_on_passing(&mut self, known: &[u8]) -> io::Result<()> {
        let mark = fingerprint(&known[..known.len().min(GUARD_BYTES)]);
        let is_same = self.passed.mark == mark && self.passed.len <= self.lag_bytes();
        if is_same && !self.were_zeros_written_to()? {
            return Ok(());
        }
        self.passed = Passed { len: 0, mark };
        let zeros = self.zeros.clone();
        self.pass(known);
        // A writer fills what was laid out from its start: the rest of it need not be looked through again.
        if self.zeros_passed() > 0 && zeros.contains(&self.zeros.start) {
            self.zeros.end = self.zeros.end.max(zeros.end);
            self.passed.len = self.zeros.end - self.offset;
        }
        Ok(())
    }

    /// Whether the NUL bytes that were passed last are text now.
    fn were_zeros_written_to(&mut self) -> io::Result<bool> {
        let len = self.zeros_passed().min(GUARD_BYTES as u64);
        Ok(len > 0
            && !Before::read(&mut self.content, self.zeros.start + len)?
                .is_some_and(|before| before.ends_in_zeros(len)))
    }

    /// How many NUL bytes end what was passed.
    fn zeros_passed(&self) -> u64 {
        if self.zeros.end == self.offset + self.passed.len { self.zeros.end - self.zeros.start } else { 0 }
    }

    /// Notes that `bytes`, which have no end of line, go on from what was passed.
    fn pass(&mut self, bytes: &[u8]) {
        let at = self.offset + self.passed.len;
        let end = at + bytes.len() as u64;
        let text_len = len_without_nul(bytes);
        let goes_on = text_len == 0 && self.zeros.end == at && self.zeros.start >= self.offset;
        self.zeros = if goes_on { self.zeros.start..end } else { at + text_len as u64..end };
        self.passed.len = end - self.offset;
    }

    /// The chunk of one line whose text has `text_len` bytes, `input_bytes` with its end.
    fn overlong(&mut self, text_len: u64, input_bytes: u64, now_ms: i64, spare: &mut Spare) -> io::Result<Read> {
        let Some(before) = Before::read(&mut self.content, self.offset + input_bytes)? else {
            // Truncated in this moment: the next look will see it.
            return Ok(Read::Passing);
        };
        let from = self.before.as_slice().len();
        let end = from + self.settings.max_line;
        let tie = u32::try_from(input_bytes).unwrap_or(u32::MAX);
        let position = Position { at: self.offset, tie };
        spare.lines.clear();
        spare.lines.push(Line { start: offset(from), end: offset(end), position, engine_ns: None, cut: true });
        let cut_bytes = text_len - self.settings.max_line as u64;
        let piece = Piece { from, end, input_bytes, cut_bytes, before };
        Ok(Read::Chunk(self.chunk(piece, now_ms, spare)))
    }
}
