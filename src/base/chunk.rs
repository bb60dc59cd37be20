//! The unit of work: many whole lines of one source. Does not know how lines are read or what they mean.

use std::sync::Arc;

use super::source::{Cursor, Position, Source};

/// Many whole lines of one source, in its order, with where each came from.
///
/// Everything before the output works on chunks, so that no lock, channel, clock or acknowledgement is paid per line.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Whose lines. The facts as they were when the lines were read.
    pub source: Arc<Source>,
    /// Counts the truncations of the source.
    pub generation: u32,
    /// The lines' bytes. May hold other bytes between them, and always holds at least a line feed: whoever searches
    /// over all of them must not see the end of one line beside the beginning of the next. Invalid UTF-8 until
    /// [`Chunk::repair`].
    pub bytes: Vec<u8>,
    /// The lines, in order; ranges into `bytes` that do not overlap.
    pub lines: Vec<Line>,
    /// When it was first read, in ms since 1970. A chunk that is read again after a crash keeps its first time.
    pub seen_ms: i64,
    /// First byte in the source, or ns of the first message.
    pub start: u64,
    /// One past the last byte in the source, or ns of the last message.
    pub end: u64,
    /// Where reading goes on after this chunk.
    pub cursor: Cursor,
    /// Bytes of input that it stands for, ends of lines and cut text included.
    pub input_bytes: u64,
    /// Bytes of text that were cut away because a line was longer than the limit. Part of `input_bytes`.
    pub cut_bytes: u64,
    /// Perhaps sent before a crash: a store that cannot tell repeats must be asked.
    pub replayed: bool,
}

/// One line of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// First byte in [`Chunk::bytes`].
    pub start: u32,
    /// One past its last byte, without the end of line (LF or CR LF).
    pub end: u32,
    /// Where it lies in the source.
    pub position: Position,
    /// The engine's own time of the line, in ns since 1970.
    pub engine_ns: Option<i64>,
    /// Text was cut away at the limit of a line's length.
    pub cut: bool,
}

impl Chunk {
    /// Makes `bytes` valid UTF-8: invalid sequences become U+FFFD, nothing is dropped. Costs one fast pass when all
    /// is valid already.
    pub fn repair(&mut self) {
        if simdutf8::basic::from_utf8(&self.bytes).is_ok() && self.lines_lie_on_boundaries() {
            return;
        }
        let mut repaired = String::with_capacity(self.bytes.len() + self.bytes.len() / 8);
        for line in &mut self.lines {
            let start = repaired.len();
            repaired.push_str(&String::from_utf8_lossy(&self.bytes[line.start as usize..line.end as usize]));
            line.start = offset(start);
            line.end = offset(repaired.len());
            repaired.push('\n');
        }
        self.bytes = repaired.into_bytes();
    }

    /// The text of all lines. Empty before [`Chunk::repair`] when the bytes are not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        simdutf8::basic::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// Whether something stands between any two lines: see [`Chunk::bytes`].
    #[must_use]
    pub fn lines_are_apart(&self) -> bool {
        let between = |pair: &[Line]| &self.bytes[pair[0].end as usize..pair[1].start as usize];
        self.lines.windows(2).all(|pair| !between(pair).is_empty())
    }

    /// A line cut at its limit may end inside a character while the whole is valid.
    fn lines_lie_on_boundaries(&self) -> bool {
        let is_boundary = |at: u32| self.bytes.get(at as usize).is_none_or(|byte| byte & 0xC0 != 0x80);
        self.lines.iter().filter(|line| line.cut).all(|line| is_boundary(line.start) && is_boundary(line.end))
    }
}

/// A range's end within a chunk. Chunks stay far below 4 GiB: the line limit and the memory budget see to it.
///
/// # Panics
/// If a chunk is larger than 4 GiB.
#[must_use]
pub fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a chunk is below 4 GiB: its readers bound it")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::base::source::{Kind, SourceId};

    /// A chunk of the given lines, as a file reader would make it.
    pub(crate) fn chunk(lines: &[&[u8]]) -> Chunk {
        let source = Source {
            id: SourceId::new(7),
            kind: Kind::File,
            name: "app".into(),
            container_name: "app".into(),
            service_name: "app".into(),
            stream: None,
            path: Some("/var/log/app.log".into()),
            mask: None,
            timezone: "utc".into(),
        };
        let mut chunk = Chunk {
            source: Arc::new(source),
            generation: 0,
            bytes: Vec::new(),
            lines: Vec::new(),
            seen_ms: 1_763_800_000_000,
            start: 0,
            end: 0,
            cursor: Cursor::File { generation: 0, offset: 0, guard: 0 },
            input_bytes: 0,
            cut_bytes: 0,
            replayed: false,
        };
        for line in lines {
            let start = chunk.bytes.len();
            chunk.bytes.extend_from_slice(line);
            let position = Position { at: start as u64, tie: offset(line.len() + 1) };
            chunk.lines.push(Line {
                start: offset(start),
                end: offset(chunk.bytes.len()),
                position,
                engine_ns: None,
                cut: false,
            });
            chunk.bytes.push(b'\n');
        }
        chunk.end = chunk.bytes.len() as u64;
        chunk.input_bytes = chunk.end;
        chunk
    }

    fn texts(chunk: &Chunk) -> Vec<&str> {
        chunk.lines.iter().map(|line| &chunk.text()[line.start as usize..line.end as usize]).collect()
    }

    /// B4.
    #[test]
    fn invalid_bytes_are_replaced_and_their_neighbours_kept() {
        let mut chunk = chunk(&[b"one", b"t\xffwo \xc3", "три".as_bytes()]);
        chunk.repair();
        assert_eq!(texts(&chunk), ["one", "t\u{fffd}wo \u{fffd}", "три"]);
        assert!(chunk.lines_are_apart());
    }

    /// B7.
    #[test]
    fn a_line_cut_inside_a_character_is_repaired() {
        let mut chunk = chunk(&["три".as_bytes()]);
        chunk.lines[0].end = 5;
        chunk.lines[0].cut = true;
        chunk.repair();
        assert_eq!(texts(&chunk), ["тр\u{fffd}"]);
    }
}
