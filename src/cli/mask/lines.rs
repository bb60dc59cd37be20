//! Cuts what is read into whole lines, a buffer at a time, and keeps how each of them ended. Judges no line.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

/// How much is read at once, in bytes.
const READ_BYTES: usize = 256 << 10;

/// A line of more bytes is not examined: memory stays bounded whatever comes.
const LONGEST: usize = 16 << 20;

/// Lines of one input.
#[derive(Debug)]
pub struct Lines<Input> {
    input: Input,
    bytes: Vec<u8>,
    /// How many of `bytes` were given away.
    given: usize,
    /// The rest of a line that is too long is being passed over.
    is_passing: bool,
    /// Bytes read so far.
    pub total: u64,
}

/// What is read next.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Whole lines, or the last one without its end.
    Lines(&'a [u8]),
    /// A line that is too long, and how it ended.
    TooLong(&'static [u8]),
}

impl<Input: Read> Lines<Input> {
    pub const fn new(input: Input) -> Self {
        Self { input, bytes: Vec::new(), given: 0, is_passing: false, total: 0 }
    }

    /// `None`: the input has ended.
    pub fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.bytes.drain(..std::mem::take(&mut self.given));
        let mut known = 0;
        loop {
            if self.is_passing {
                if let Some(end) = memchr(b'\n', &self.bytes) {
                    let has_return = end > 0 && self.bytes[end - 1] == b'\r';
                    self.is_passing = false;
                    self.given = end + 1;
                    return Ok(Some(Piece::TooLong(if has_return { b"\r\n" } else { b"\n" })));
                }
                self.bytes.drain(..self.bytes.len().saturating_sub(1));
            } else if let Some(end) = memrchr(b'\n', &self.bytes[known..]) {
                self.given = known + end + 1;
                return Ok(Some(Piece::Lines(&self.bytes[..self.given])));
            } else if self.bytes.len() > LONGEST {
                self.is_passing = true;
                continue;
            }
            known = self.bytes.len();
            if self.fill()? == 0 {
                return Ok(self.last());
            }
        }
    }

    fn last(&mut self) -> Option<Piece<'_>> {
        self.given = self.bytes.len();
        if std::mem::take(&mut self.is_passing) {
            return Some(Piece::TooLong(b""));
        }
        (!self.bytes.is_empty()).then_some(Piece::Lines(&self.bytes))
    }

    fn fill(&mut self) -> io::Result<usize> {
        let known = self.bytes.len();
        self.bytes.resize(known + READ_BYTES, 0);
        let result = loop {
            match self.input.read(&mut self.bytes[known..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let read = *result.as_ref().unwrap_or(&0);
        self.bytes.truncate(known + read);
        self.total += read as u64;
        result
    }
}

/// Where each line of a piece lies, without its end, and that end.
pub fn split(bytes: &[u8]) -> impl Iterator<Item = (usize, usize, &'static [u8])> + '_ {
    let mut start = 0;
    let whole = memchr_iter(b'\n', bytes).map(Some);
    whole.chain(std::iter::once(None)).filter_map(move |newline| {
        let from = start;
        let Some(at) = newline else {
            return (from < bytes.len()).then_some((from, bytes.len(), b"".as_slice()));
        };
        start = at + 1;
        let has_return = at > from && bytes[at - 1] == b'\r';
        Some(if has_return { (from, at - 1, b"\r\n".as_slice()) } else { (from, at, b"\n".as_slice()) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes a read.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn check(text: &[u8], expected: &[&[u8]]) {
        for step in [1, 2, 3, 7, usize::MAX] {
            let mut lines = Lines::new(Slow(text, step));
            let mut found: Vec<Vec<u8>> = Vec::new();
            while let Some(Piece::Lines(piece)) = lines.next().unwrap() {
                found.extend(split(piece).map(|(start, end, mark)| [&piece[start..end], mark].concat()));
            }
            assert_eq!(found, expected, "{step}");
            assert_eq!(lines.total, text.len() as u64);
        }
    }

    #[test]
    fn lines_keep_their_ends_however_they_come() {
        check(b"", &[]);
        check(b"a", &[b"a"]);
        check(b"a\n\r\nb\r\n\n", &[b"a\n", b"\r\n", b"b\r\n", b"\n"]);
        check(b"a\r", &[b"a\r"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_one_piece_and_takes_bounded_memory() {
        for end in ["\n", "\r\n", ""] {
            let text = format!("a\n{}{end}b", "x".repeat(LONGEST + 3 * READ_BYTES));
            let mut lines = Lines::new(Slow(text.as_bytes(), READ_BYTES));
            assert_eq!(lines.next().unwrap(), Some(Piece::Lines(b"a\n")));
            assert_eq!(lines.next().unwrap(), Some(Piece::TooLong(end.as_bytes())));
            let rest: Option<Piece<'_>> = if end.is_empty() { None } else { Some(Piece::Lines(b"b")) };
            assert_eq!(lines.next().unwrap(), rest);
            assert!(lines.bytes.capacity() < 3 * LONGEST);
        }
    }
}
