//! The agent's own standard input, cut into chunks until it ends. What is lost in a crash cannot be asked for again:
//! a pipe keeps nothing.

use std::io::{self, Read};
use std::sync::Arc;

use memchr::memchr;

use super::lines::{Cut, Cutting, skip_byte_order_mark};
use crate::base::chunk::{Chunk, Line, offset};
use crate::base::clock;
use crate::base::source::{Cursor, GUARD_BYTES, Position, Source, fingerprint};

/// Reads `input` to its end and gives its lines away, chunk by chunk. Blocks: give it a thread of its own. Also ends when
/// `give` says that no more is wanted. `max_line` is the longest text of a line, in bytes.
///
/// # Errors
/// As `input` gives them; the lines before were sent.
pub fn run(input: impl Read, source: Arc<Source>, max_line: usize, give: impl Fn(&Chunk) -> bool) -> io::Result<()> {
    let mut reader =
        Reader { input, source, max_line, at: 0, bytes: Vec::new(), overlong: None, has_unseen_lines: false };
    while let Some(chunk) = reader.next()? {
        if !give(&chunk) {
            break;
        }
    }
    Ok(())
}

/// What a Linux pipe holds by default (pipe(7)): no read gives more.
const READ_BYTES: usize = 64 << 10;

struct Reader<Input> {
    input: Input,
    source: Arc<Source>,
    max_line: usize,
    /// Where `bytes` begins in the input.
    at: u64,
    /// The unfinished line that was read last; with `overlong`, its first bytes only.
    bytes: Vec<u8>,
    /// How many bytes of an unfinished line beyond the limit were passed over after `bytes`.
    overlong: Option<u64>,
    /// `bytes` is what came after the end of a line beyond the limit: whole lines may be in it.
    has_unseen_lines: bool,
}

impl<Input: Read> Reader<Input> {
    /// The next lines. `None`: the input has ended.
    fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if std::mem::take(&mut self.has_unseen_lines)
                && let Some(chunk) = self.whole_lines()
            {
                return Ok(Some(chunk));
            }
            let known = self.bytes.len();
            if self.fill()? == 0 {
                return Ok(self.last());
            }
            if let Some(passed) = self.overlong {
                let Some(newline) = memchr(b'\n', &self.bytes[known..]) else {
                    self.overlong = Some(passed + (self.bytes.len() - known) as u64);
                    self.bytes.truncate(known);
                    continue;
                };
                self.bytes.drain(known..=known + newline);
                self.has_unseen_lines = true;
                return Ok(Some(self.overlong_line(known, passed + newline as u64, 1)));
            }
            if let Some(chunk) = self.whole_lines() {
                return Ok(Some(chunk));
            }
            if self.bytes.len() > self.max_line.saturating_add(1) {
                let beyond = self.bytes.len() - self.max_line;
                self.bytes.truncate(self.max_line);
                self.overlong = Some(beyond as u64);
            }
        }
    }

    /// Appends what the input has now to `bytes`, waiting for at least one byte. 0: it has ended.
    fn fill(&mut self) -> io::Result<usize> {
        let known = self.bytes.len();
        self.bytes.resize(known + READ_BYTES, 0);
        let result = loop {
            match self.input.read(&mut self.bytes[known..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.bytes.truncate(known + *result.as_ref().unwrap_or(&0));
        result
    }

    /// The lines that end within what was read, if any.
    fn whole_lines(&mut self) -> Option<Chunk> {
        let mut lines = Vec::new();
        let cut = self.cutting().whole_lines(&self.bytes, &mut lines);
        (cut.end > 0).then(|| self.chunk(lines, cut))
    }

    /// The line that the input's end left unfinished, if any.
    fn last(&mut self) -> Option<Chunk> {
        if let Some(passed) = self.overlong {
            return Some(self.overlong_line(self.bytes.len(), passed, 0));
        }
        let mut lines = Vec::new();
        let cut = self.cutting().rest(&self.bytes, 0, &mut lines);
        (cut.end > 0).then(|| self.chunk(lines, cut))
    }

    fn cutting(&self) -> Cutting {
        Cutting { from: 0, at: self.at, limit: self.max_line }
    }

    /// The chunk of lines that lie in `bytes` whole; what is left after them begins the next.
    fn chunk(&mut self, lines: Vec<Line>, cut: Cut) -> Chunk {
        self.send(lines, cut.end, cut.end as u64, cut.cut_bytes)
    }

    /// The chunk of the one line whose first `len` bytes begin `bytes`; `passed` bytes of its text are gone, and its
    /// end has `end_len` bytes.
    fn overlong_line(&mut self, len: usize, passed: u64, end_len: u64) -> Chunk {
        self.overlong = None;
        let input_bytes = len as u64 + passed + end_len;
        let position = Position { at: self.at, tie: u32::try_from(input_bytes).unwrap_or(u32::MAX) };
        let line = Line { start: 0, end: offset(len), position, engine_ns: None, cut: true };
        self.send(vec![line], len, input_bytes, passed)
    }

    /// Takes the first `len` bytes out of `bytes`. A copy, so that a few lines do not hold a whole buffer.
    fn send(&mut self, mut lines: Vec<Line>, len: usize, input_bytes: u64, cut_bytes: u64) -> Chunk {
        let bytes = self.bytes[..len].to_vec();
        self.bytes.drain(..len);
        skip_byte_order_mark(&bytes, &mut lines);
        let start = self.at;
        self.at += input_bytes;
        let guard = fingerprint(&bytes[bytes.len().saturating_sub(GUARD_BYTES)..]);
        Chunk {
            source: Arc::clone(&self.source),
            generation: 0,
            bytes,
            lines,
            seen_ms: clock::now_ms(),
            start,
            end: self.at,
            cursor: Cursor::File { generation: 0, offset: self.at, guard },
            input_bytes,
            cut_bytes,
            replayed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::SourceId;
    use crate::collect::file::Config;

    /// Gives its pieces one a read, as a pipe does.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            into[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn check(pieces: &[&str], expected: &[(&str, u64, u32, bool)]) {
        let source = Config::default().source(&"pipe".into(), SourceId::new(1), None);
        let chunks = std::cell::RefCell::new(Vec::new());
        let input = Pieces(pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect());
        let give = |chunk: &Chunk| {
            chunks.borrow_mut().push(chunk.clone());
            true
        };
        run(input, Arc::new(source), 5, give).unwrap();
        let mut found = Vec::new();
        let mut at = 0;
        for chunk in chunks.into_inner() {
            assert_eq!((chunk.start, chunk.end), (at, at + chunk.input_bytes));
            at = chunk.end;
            for line in &chunk.lines {
                let text = chunk.text()[line.start as usize..line.end as usize].to_owned();
                found.push((text, line.position.at, line.position.tie, line.cut));
            }
        }
        let found: Vec<_> = found.iter().map(|(text, at, tie, cut)| (text.as_str(), *at, *tie, *cut)).collect();
        assert_eq!(found, expected, "{pieces:?}");
        assert_eq!(at, pieces.concat().len() as u64, "{pieces:?}");
    }

    #[test]
    fn standard_input_becomes_lines_however_it_comes() {
        check(&[], &[]);
        check(&["a\n\r\nb"], &[("a", 0, 2, false), ("", 2, 2, false), ("b", 4, 1, false)]);
        check(&["a", "b\r", "\nc\n"], &[("ab", 0, 4, false), ("c", 4, 2, false)]);
        check(&["\u{feff}a\n"], &[("a", 0, 5, false)]);
        check(&["12345\r\n", "x"], &[("12345", 0, 7, false), ("x", 7, 1, false)]);
        check(&["12345", "\r", "\n", "x\n"], &[("12345", 0, 7, false), ("x", 7, 2, false)]);
        check(&["123456\nx\n"], &[("12345", 0, 7, true), ("x", 7, 2, false)]);
        check(&["1234", "5678", "9\nx\n", "y"], &[("12345", 0, 10, true), ("x", 10, 2, false), ("y", 12, 1, false)]);
        check(&["1234567", "8\na\nb\n"], &[("12345", 0, 9, true), ("a", 9, 2, false), ("b", 11, 2, false)]);
        check(&["1234567", "8\na\nb", "c"], &[("12345", 0, 9, true), ("a", 9, 2, false), ("bc", 11, 2, false)]);
        check(&["1234567", "8\n1234567", "\nx"], &[("12345", 0, 9, true), ("12345", 9, 8, true), ("x", 17, 1, false)]);
        check(&["1234567", "89"], &[("12345", 0, 9, true)]);
    }
}
