//! A line longer than the limit that does not fit into a read: looked through for its end in bounded memory, whatever
//! its length. Its first bytes are kept, the rest is counted.

use std::io;

use memchr::memchr;

use super::before::{Before, read_up_to};
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
        let known = &spare.bytes[self.before.as_slice().len()..];
        let mark = fingerprint(&known[..known.len().min(GUARD_BYTES)]);
        if self.passed.mark != mark || self.passed.len > self.lag_bytes() {
            self.passed = Passed { len: known.len() as u64, mark };
        }
        for _ in 0..READS_AT_ONCE {
            let want = edge.after(self.passed.len).within(self.settings.chunk_bytes);
            read_up_to(&self.file, self.offset + self.passed.len, want, &mut spare.scan)?;
            if let Some(newline) = memchr(b'\n', &spare.scan) {
                let text_len = self.passed.len + newline as u64;
                return self.overlong(text_len, text_len + 1, now_ms, spare);
            }
            self.passed.len += spare.scan.len() as u64;
            self.size = self.size.max(self.offset + self.passed.len);
            let is_at_end = spare.scan.len() < want;
            if edge.is_within(self.passed.len) || is_at_end && self.may_take(self.passed.len, now_ms) {
                return self.overlong(self.passed.len, self.passed.len, now_ms, spare);
            }
            if is_at_end {
                return Ok(Read::AtEnd);
            }
        }
        Ok(Read::Passing)
    }

    /// The chunk of one line whose text has `text_len` bytes, `input_bytes` with its end.
    fn overlong(&mut self, text_len: u64, input_bytes: u64, now_ms: i64, spare: &mut Spare) -> io::Result<Read> {
        let Some(before) = Before::read(&self.file, self.offset + input_bytes)? else {
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
