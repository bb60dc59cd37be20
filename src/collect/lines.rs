//! Cuts bytes into lines. Knows neither files nor pipes, and keeps nothing between two calls but spare buffers.

use memchr::memchr_iter;

use crate::base::chunk::{Chunk, Line, offset};
use crate::base::source::Position;

/// How much a reader takes at once, in bytes.
pub const CHUNK_BYTES: usize = 256 << 10;

/// Empty buffers for the next chunk: one a worker, so that the steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Spare {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: Vec<Line>,
    pub(super) scan: Vec<u8>,
}

impl Spare {
    /// Takes back the buffers of a chunk that nobody needs any more. One that a long line made large is let go.
    pub fn take_back(&mut self, chunk: Chunk) {
        if chunk.bytes.capacity() <= 2 * CHUNK_BYTES && chunk.bytes.capacity() > self.bytes.capacity() {
            self.bytes = chunk.bytes;
        }
        if chunk.lines.capacity() > self.lines.capacity() {
            self.lines = chunk.lines;
        }
    }
}

/// Where the bytes lie that are to be cut, and how long a line's text may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cutting {
    /// First byte in the buffer.
    pub(super) from: usize,
    /// Where that byte lies in the source.
    pub(super) at: u64,
    /// The longest text of a line, in bytes; what is more is cut away.
    pub(super) limit: usize,
}

/// How far a cut came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// One past the last byte that belongs to a line, in the buffer.
    pub(super) end: usize,
    /// Bytes of text cut away.
    pub(super) cut_bytes: u64,
}

impl Cutting {
    /// Appends all lines that end within `bytes` to `lines`.
    pub(super) fn whole_lines(self, bytes: &[u8], lines: &mut Vec<Line>) -> Cut {
        let mut cut = Cut { end: self.from, cut_bytes: 0 };
        for newline in memchr_iter(b'\n', &bytes[self.from..]) {
            let newline = self.from + newline;
            cut.cut_bytes += self.push(bytes, cut.end, newline, newline + 1, lines);
            cut.end = newline + 1;
        }
        cut
    }

    /// Appends `bytes` from `start` to their end as one line, which has no end of line. Nothing where it is empty.
    pub(super) fn rest(self, bytes: &[u8], start: usize, lines: &mut Vec<Line>) -> Cut {
        let end = bytes.len();
        let cut_bytes = if start < end { self.push(bytes, start, end, end, lines) } else { 0 };
        Cut { end, cut_bytes }
    }

    /// Appends one line: its text is `start..text_end`, and the next begins at `next`. Returns how much was cut.
    #[inline]
    fn push(self, bytes: &[u8], start: usize, text_end: usize, next: usize, lines: &mut Vec<Line>) -> u64 {
        let has_return = next > text_end && text_end > start && bytes[text_end - 1] == b'\r';
        let end = if has_return { text_end - 1 } else { text_end };
        let is_cut = end - start > self.limit;
        lines.push(Line {
            start: offset(start),
            end: offset(if is_cut { start + self.limit } else { end }),
            position: Position { at: self.at + (start - self.from) as u64, tie: offset(next - start) },
            engine_ns: None,
            cut: is_cut,
        });
        if is_cut { (text_end - start - self.limit) as u64 } else { 0 }
    }
}

/// The byte order mark that some writers put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Takes a byte order mark off the text of the first line where that is the first of its source.
pub(super) fn skip_byte_order_mark(bytes: &[u8], lines: &mut [Line]) {
    let Some(first) = lines.first_mut().filter(|line| line.position.at == 0) else { return };
    if bytes[first.start as usize..first.end as usize].starts_with(BYTE_ORDER_MARK) {
        first.start += offset(BYTE_ORDER_MARK.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is expected of a line: its text, its place, its length with its end, whether it was cut.
    type Expected<'a> = (&'a str, u64, u32, bool);

    fn check(bytes: &[u8], expected: &[Expected<'_>], expected_cut: Cut) {
        let mut lines = Vec::new();
        let cut = Cutting { from: 2, at: 100, limit: 5 }.whole_lines(bytes, &mut lines);
        let found: Vec<_> = lines
            .iter()
            .map(|line| {
                let text = std::str::from_utf8(&bytes[line.start as usize..line.end as usize]).unwrap();
                (text, line.position.at, line.position.tie, line.cut)
            })
            .collect();
        assert_eq!((found.as_slice(), cut), (expected, expected_cut), "{}", bytes.escape_ascii());
    }

    #[test]
    fn lines_are_cut_at_line_feeds_and_limits() {
        let at = |end, cut_bytes| Cut { end, cut_bytes };
        check(b"\n\n", &[], at(2, 0));
        check(b"--abc", &[], at(2, 0));
        check(b"--abc\nde", &[("abc", 100, 4, false)], at(6, 0));
        check(b"--abc\r\n\r\n\n", &[("abc", 100, 5, false), ("", 105, 2, false), ("", 107, 1, false)], at(10, 0));
        check(b"--a\rb\n", &[("a\rb", 100, 4, false)], at(6, 0));
        check(b"--\n\na\n", &[("", 100, 1, false), ("", 101, 1, false), ("a", 102, 2, false)], at(6, 0));
        check(b"--12345\nx\n", &[("12345", 100, 6, false), ("x", 106, 2, false)], at(10, 0));
        check(b"--12345\r\n", &[("12345", 100, 7, false)], at(9, 0));
        check(b"--123456\nx\n", &[("12345", 100, 7, true), ("x", 107, 2, false)], at(11, 1));
        check(b"--123456789012345\nx\n", &[("12345", 100, 16, true), ("x", 116, 2, false)], at(20, 10));
    }

    #[test]
    fn a_rest_is_a_line_without_an_end() {
        let cutting = Cutting { from: 0, at: 7, limit: 3 };
        for (bytes, start, end, tie, cut_bytes) in
            [(&b"x\nab\r"[..], 2, 5, 3, 0), (b"x\nabcd", 2, 5, 4, 1), (b"abcdef", 0, 3, 6, 3)]
        {
            let mut lines = Vec::new();
            assert_eq!(cutting.rest(bytes, start, &mut lines), Cut { end: bytes.len(), cut_bytes });
            let position = Position { at: 7 + start as u64, tie };
            let cut = cut_bytes > 0;
            assert_eq!(lines, [Line { start: offset(start), end, position, engine_ns: None, cut }]);
        }
        let mut lines = Vec::new();
        assert_eq!(cutting.rest(b"x\n", 2, &mut lines), Cut { end: 2, cut_bytes: 0 });
        assert!(lines.is_empty());
    }

    #[test]
    fn spare_buffers_are_kept_unless_a_long_line_made_them_large() {
        let mut chunk = crate::base::chunk::tests::chunk(&[b"a"]);
        chunk.bytes.reserve(1000);
        let capacity = chunk.bytes.capacity();
        let mut spare = Spare::default();
        spare.take_back(chunk);
        assert_eq!(spare.bytes.capacity(), capacity);
        let mut chunk = crate::base::chunk::tests::chunk(&[b"a"]);
        chunk.bytes.reserve(2 * CHUNK_BYTES + 1);
        spare.take_back(chunk);
        assert_eq!(spare.bytes.capacity(), capacity);
    }
}
