//! The sources of the model: what they have, and what a reader makes of it. Each line is ten bytes and has a number; that
//! is all there is to it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::chunk::Chunk;
use crate::base::chunk::tests::chunk;
use crate::base::source::{Cursor, Identity, Kind, Note, Position, Resume, Source, SourceId, Stream};

/// The length of a line in bytes.
pub const LINE: u64 = 10;

/// One source, whether anything reads it or not.
#[derive(Debug)]
pub struct World {
    /// Its id: every run would mint the same.
    pub id: SourceId,
    kind: Kind,
    /// How often it was renamed.
    pub renames: u32,
    /// Lines that it has: the numbers up to there.
    pub lines: u64,
    /// A file was deleted, a container removed, an input has ended.
    pub is_gone: bool,
    /// How a container's clock goes: seconds from line to line, again and again.
    clock: &'static [i64],
    reader: Option<Reader>,
}

/// Where reading is, and what of it must be as it was before a crash.
#[derive(Debug)]
struct Reader {
    at: u64,
    notes: VecDeque<Note>,
}

/// Lines to be read as one chunk.
struct Piece {
    lines: std::ops::Range<u64>,
    seen_ms: i64,
    replayed: bool,
}

impl World {
    pub fn new(kind: Kind, id: u64, clock: &'static [i64]) -> Self {
        Self { id: SourceId::new(id), kind, renames: 0, lines: 0, is_gone: false, clock, reader: None }
    }

    /// The `[source.NAME]`.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::File => "files",
            Kind::Docker => "boxes",
            Kind::Stdin => "pipe",
        }
    }

    /// Whether it waits for a store that is away.
    pub fn can_wait(&self) -> bool {
        self.kind == Kind::File && !self.is_gone
    }

    pub fn is_read(&self) -> bool {
        self.reader.is_some()
    }

    pub fn identity(&self) -> Identity {
        let bits = self.id.bits();
        match self.kind {
            Kind::File => Identity::File {
                device: 1,
                inode: bits,
                birth_ns: Some(bits),
                head_len: 0,
                head: crate::base::source::fingerprint(b""),
                path: format!("/var/log/{bits}.log.{}", self.renames),
            },
            Kind::Docker => {
                Identity::Docker { container: self.container(), stream: Stream::Stdout, name: "web".into() }
            }
            Kind::Stdin => Identity::Stdin { began_ns: bits },
        }
    }

    /// Of a container, its id at the engine.
    pub fn container(&self) -> String {
        format!("c{}", self.id.bits())
    }

    /// How many lines come before a cursor.
    pub fn line_at(cursor: Option<&Cursor>) -> u64 {
        match cursor {
            None => 0,
            Some(Cursor::File { offset, .. }) => offset / LINE,
            Some(Cursor::Docker { recent, .. }) => u64::from(recent.last().expect("each chunk has a line").tie) + 1,
        }
    }

    /// Begins to read.
    pub fn open(&mut self, resume: Resume) {
        self.reader = Some(Reader { at: Self::line_at(resume.cursor.as_ref()), notes: resume.replay.into() });
    }

    /// Ends it.
    pub fn close(&mut self) {
        self.reader = None;
    }

    /// Whether there are lines that were read before and must be read again.
    pub fn is_behind(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.at < self.lines)
    }

    /// The next chunk: what was read before, in the pieces noted, else `new` lines that were written meanwhile.
    pub fn read(&mut self, new: u64, now_ms: i64) -> Chunk {
        let mut reader = self.reader.take().expect("it is opened before it is read");
        let piece = match self.kind {
            Kind::Docker => self.piece_by_time(&mut reader, new, now_ms),
            Kind::File | Kind::Stdin => piece_by_offset(&mut reader, new, now_ms),
        };
        reader.at = piece.lines.end;
        self.reader = Some(reader);
        self.lines = self.lines.max(piece.lines.end);
        self.chunk(&piece)
    }

    /// As a container's stream is cut: by the time of each line, whatever its clock does.
    fn piece_by_time(&self, reader: &mut Reader, new: u64, now_ms: i64) -> Piece {
        let mut end = reader.at;
        if end > 0 && self.is_set_back(end) {
            let last_ns = self.time_ns(end - 1);
            let is_passed = reader.notes.front().is_some_and(|note| note.end == last_ns);
            reader.notes.drain(..usize::from(is_passed));
        }
        let first = note_at(&mut reader.notes, self.time_ns(end));
        end += 1;
        while (first.is_some() || end < reader.at + new) && !self.is_set_back(end) && end < reader.at + 20 {
            if note_at(&mut reader.notes, self.time_ns(end)) != first {
                break;
            }
            end += 1;
        }
        let seen_ms = first.and_then(|within| within).map_or(now_ms, |(_, seen_ms)| seen_ms);
        Piece { lines: reader.at..end, seen_ms, replayed: first.is_some() }
    }

    fn is_set_back(&self, line: u64) -> bool {
        self.time_ns(line) < self.time_ns(line - 1)
    }

    fn time_ns(&self, line: u64) -> u64 {
        let rounds = line as usize / self.clock.len();
        let (round, rest) = (self.clock.iter().sum::<i64>(), &self.clock[..line as usize % self.clock.len()]);
        (1000 + rounds as i64 * round + rest.iter().sum::<i64>()) as u64 * 1_000_000_000
    }

    fn chunk(&self, piece: &Piece) -> Chunk {
        let lines: Vec<_> = piece.lines.clone().map(|line| format!("{line:09}")).collect();
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        let (start, end) = (piece.lines.start, piece.lines.end);
        let (start_at, end_at) = match self.kind {
            Kind::Docker => (self.time_ns(start), self.time_ns(end - 1)),
            Kind::File | Kind::Stdin => (start * LINE, end * LINE),
        };
        let recent = |line: u64| Position { at: self.time_ns(line), tie: line as u32 };
        Chunk {
            source: Arc::new(Source::known_by_name(self.id, self.kind, self.name())),
            start: start_at,
            end: end_at,
            seen_ms: piece.seen_ms,
            cursor: match self.kind {
                Kind::Docker => {
                    Cursor::Docker { time_ns: end_at, recent: (end.saturating_sub(3)..end).map(recent).collect() }
                }
                Kind::File | Kind::Stdin => Cursor::File { generation: 0, offset: end_at, guard: 0 },
            },
            replayed: piece.replayed,
            ..chunk(&lines)
        }
    }
}

/// As a file is cut: a piece that was noted comes again as it was.
fn piece_by_offset(reader: &mut Reader, new: u64, now_ms: i64) -> Piece {
    let at = reader.at * LINE;
    reader.notes.retain(|note| note.end > at);
    match reader.notes.front() {
        Some(note) if note.start <= at => {
            Piece { lines: reader.at..note.end / LINE, seen_ms: note.seen_ms, replayed: true }
        }
        Some(note) => Piece { lines: reader.at..note.start / LINE, seen_ms: now_ms, replayed: true },
        None => Piece { lines: reader.at..reader.at + new, seen_ms: now_ms, replayed: false },
    }
}

/// What was noted of a line of this time: `None`, it is new; `Some(None)`, it lies before the next note; else where its
/// note ends, and the time of reading.
fn note_at(notes: &mut VecDeque<Note>, ns: u64) -> Option<Option<(u64, i64)>> {
    while notes.front().is_some_and(|note| note.end < ns) {
        notes.pop_front();
    }
    let note = notes.front()?;
    Some((note.start <= ns).then_some((note.end, note.seen_ms)))
}
