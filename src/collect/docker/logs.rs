//! A container's messages to lines, and lines to chunks: one log a stream, and where reading goes on. The same whether
//! they come through the API (`frames`) or from the engine's file (`entries`). No I/O but a look at the clock when a
//! chunk begins.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entries::{self, Walked};
use super::frames::{Broken, Frames, MESSAGE_BYTES, Step};
use super::seen::Seen;
use crate::base::chunk::{Chunk, Line, offset};
use crate::base::clock;
use crate::base::source::{Cursor, Names, Note, Position, Resume, Source, fingerprint};

/// A chunk is closed at this size. Also how much of one stream may pass before the other, silent one is noted to be as
/// far: so much is read again in vain at most, when the agent starts anew.
const CHUNK_BYTES: usize = 256 * 1024;

/// How much earlier than the last message reading begins again: the engine leaves out a rotated file when its last time
/// is before `since`, and times in it need not rise.
const MARGIN_NS: u64 = 2_000_000_000;

/// All logs of one container, read from one body after the other, or from the engine's file.
#[derive(Debug)]
pub struct Logs {
    tty: bool,
    frames: Frames,
    /// Standard output, and standard error unless there is a TTY.
    streams: Vec<StreamLog>,
    /// Index of the stream whose message is being read.
    now: usize,
    /// Time of the last message in the order of the engine's log. `None`: begin at the beginning.
    point_ns: Option<u64>,
    /// The same when the body began.
    begun_ns: Option<u64>,
    /// The body passed over lines on a belief that did not prove true.
    has_lost_place: bool,
}

/// One stream: the lines not handed on yet, and an unfinished one behind them.
#[derive(Debug)]
struct StreamLog {
    source: Arc<Source>,
    generation: u32,
    seen: Seen,
    /// Pieces read before a crash, oldest first, that reading has not passed yet.
    notes: VecDeque<Note>,
    /// The unfinished line's bytes, if any, come last.
    bytes: Vec<u8>,
    lines: Vec<Line>,
    unfinished: Option<Unfinished>,
    begun: Begun,
    cut_bytes: u64,
    input_bytes: u64,
    /// Bytes of the other stream since this one's last cursor.
    passed_bytes: usize,
    /// Time of a message, of either stream, up to which all lines of this one are known to have been read. `None`: none
    /// was read yet.
    read_to_ns: Option<u64>,
    ready: Vec<Chunk>,
}

/// What a chunk is given with its first line.
#[derive(Clone, Debug, Default)]
struct Begun {
    seen_ms: i64,
    replayed: bool,
    /// End of the note that it belongs to.
    note_end: Option<u64>,
    /// The container's names then.
    names: Option<Names>,
}

/// A line whose end has not come.
#[derive(Clone, Copy, Debug)]
struct Unfinished {
    /// Time of its first message.
    ns: u64,
    /// First byte in `StreamLog::bytes`.
    start: usize,
    cut_bytes: u64,
    /// Text bytes of its last message so far.
    message_bytes: usize,
    /// It was read from an earlier body. It goes when anything of its stream comes again, and stays when nothing does.
    is_earlier: bool,
}

impl Logs {
    /// The logs of a container with what is known of each of its streams.
    pub fn new(tty: bool, streams: Vec<(Arc<Source>, Resume)>) -> Self {
        let cursors = streams.iter().map(|(_, resume)| match &resume.cursor {
            Some(Cursor::Docker { time_ns, .. }) => Some(*time_ns),
            _ => None,
        });
        let point_ns = cursors.min().flatten();
        let streams = streams.into_iter().map(|(source, resume)| StreamLog::new(source, resume)).collect();
        Self { tty, frames: Frames::new(tty), streams, now: 0, point_ns, begun_ns: point_ns, has_lost_place: false }
    }

    /// A new body begins: returns from when on to ask for it, in ns since 1970 (`None`: from the beginning). An unfinished
    /// line comes again, unless its container is gone, and so do lines that the last body passed over on a belief that did
    /// not prove true.
    pub fn begin_body(&mut self) -> Option<u64> {
        let is_in_vain = std::mem::take(&mut self.has_lost_place);
        if self.streams.iter().any(|log| log.seen.is_waiting()) {
            self.point_ns = self.begun_ns;
        }
        let unfinished = self.streams.iter().filter_map(|log| Some(log.unfinished?.ns));
        self.point_ns = self.point_ns.map(|point_ns| unfinished.fold(point_ns, u64::min));
        self.begun_ns = self.point_ns;
        self.frames = Frames::new(self.tty);
        for log in &mut self.streams {
            log.unfinished.iter_mut().for_each(|line| line.is_earlier = true);
            log.seen.begin_repeat(is_in_vain);
        }
        self.begun_ns.map(|ns| ns.saturating_sub(MARGIN_NS))
    }

    /// Takes bytes of the body. `max_line` is the most bytes that a line keeps.
    ///
    /// # Errors
    /// When the body is no log.
    pub fn push(&mut self, bytes: &[u8], max_line: usize) -> Result<(), Broken> {
        let Self { frames, streams, now, point_ns, .. } = self;
        frames.push(bytes, &mut |step| take(streams, now, point_ns, step, max_line))
    }

    /// For each stream the time of the message from which on the engine's file must be read. `None`: from the beginning.
    pub fn marks(&self) -> Vec<Option<u64>> {
        self.streams.iter().map(|log| log.unfinished.map(|line| line.ns).or(log.read_to_ns)).collect()
    }

    /// Reading of the engine's file begins, at or before the first of the marks, of which these were found. The stream
    /// of one that was found says nothing until [`pass_mark`](Self::pass_mark). One whose mark is gone has only new
    /// lines, and an unfinished one of it can only be taken as it is.
    pub fn begin_file(&mut self, found: &[bool]) {
        for (log, is_found) in self.streams.iter_mut().zip(found) {
            if *is_found {
                log.drop_unfinished();
                log.seen.begin_known();
            } else {
                log.seen.begin_new();
                log.finish_line();
            }
        }
    }

    /// What comes now of a stream is new, but for the message at its mark.
    pub fn pass_mark(&mut self, stream: usize) {
        self.streams[stream].drop_unfinished();
        self.streams[stream].seen.begin_new();
    }

    /// Takes whole lines of the engine's file. `text` is a buffer to unescape in.
    pub fn push_entries(&mut self, bytes: &[u8], text: &mut String, max_line: usize) -> Walked {
        let Self { streams, now, point_ns, .. } = self;
        entries::walk(bytes, text, &mut |step| take(streams, now, point_ns, step, max_line))
    }

    /// Closes the chunks that are open. Unfinished lines stay.
    pub fn seal(&mut self) {
        self.streams.iter_mut().for_each(StreamLog::seal);
    }

    /// The container has ended and all was read: unfinished lines are lines.
    pub fn finish_lines(&mut self) {
        for log in &mut self.streams {
            log.finish_line();
            log.seal();
        }
    }

    /// The closed chunks, in the order of each stream.
    pub fn ready(&mut self) -> impl Iterator<Item = Chunk> {
        self.streams.iter_mut().flat_map(|log| log.ready.drain(..))
    }

    /// Whether lines wait for their chunk to be closed.
    pub fn has_open_lines(&self) -> bool {
        self.streams.iter().any(|log| !log.lines.is_empty())
    }

    /// Whether the lines that were read last did not come again, while others were passed over. Then another body must
    /// be read, which passes over nothing. `idle`: nothing more comes now.
    pub fn has_lost_place(&mut self, idle: bool) -> bool {
        self.has_lost_place = self.streams.iter().any(|log| log.seen.is_lost() || (idle && log.seen.is_waiting()));
        self.has_lost_place
    }

    /// Whether the engine's last message, as a probe body gives it, was read.
    pub fn knows(&self, probe: &[u8]) -> bool {
        let mut known = true;
        let mut frames = Frames::new(self.tty);
        let told = frames.push(probe, &mut |step| {
            if let Step::Begin(stream, Some(ns)) = step {
                let log = self.streams.iter().find(|log| log.source.stream == Some(stream));
                known &= self.point_ns == Some(ns) || log.is_none_or(|log| log.seen.has_time(ns));
            }
        });
        told.is_err() || known
    }

    /// The container has another name: lines from now on carry it.
    pub fn rename(&mut self, facts: impl Fn(&Source) -> Source) {
        for log in &mut self.streams {
            log.seal();
            log.source = Arc::new(facts(&log.source));
        }
    }

    /// The sources, one a stream.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.streams.iter().map(|log| &log.source)
    }
}

/// One step through a log.
fn take(streams: &mut [StreamLog], now: &mut usize, point_ns: &mut Option<u64>, step: Step<'_>, max_line: usize) {
    match step {
        Step::Begin(stream, ns) => {
            *now = streams.iter().position(|log| log.source.stream == Some(stream)).unwrap_or(0);
            *point_ns = ns.or(*point_ns);
            for log in streams.iter_mut().filter(|log| log.seen.is_over()) {
                log.read_to_ns = *point_ns;
            }
            streams[*now].begin(ns, point_ns.unwrap_or_default());
        }
        Step::Text(text) => {
            streams[*now].text(text, max_line);
            if let [one, other] = streams {
                let silent = if *now == 0 { other } else { one };
                silent.pass(text.len(), point_ns.unwrap_or_default());
            }
        }
        Step::End => {}
    }
}

impl StreamLog {
    fn new(source: Arc<Source>, resume: Resume) -> Self {
        let (read_to_ns, recent) = match resume.cursor {
            Some(Cursor::Docker { time_ns, recent }) => (Some(time_ns), recent),
            _ => (None, Vec::new()),
        };
        Self {
            source,
            generation: resume.generation,
            seen: Seen::resume(&recent),
            notes: resume.replay.into(),
            bytes: Vec::new(),
            lines: Vec::new(),
            unfinished: None,
            begun: Begun::default(),
            cut_bytes: 0,
            input_bytes: 0,
            passed_bytes: 0,
            read_to_ns,
            ready: Vec::new(),
        }
    }

    /// A message begins. It goes on with the unfinished line if it has its time (the engine gives all parts the first
    /// one's) or follows a full one (engines before 18.09 give each part its own). Else that line ended unfinished, with
    /// its process.
    fn begin(&mut self, ns: Option<u64>, point_ns: u64) {
        if self.unfinished.is_some_and(|line| line.is_earlier) {
            self.drop_unfinished();
        }
        if let Some(unfinished) = &mut self.unfinished {
            if ns.is_none_or(|ns| ns == unfinished.ns) || unfinished.message_bytes >= MESSAGE_BYTES {
                unfinished.message_bytes = 0;
                return;
            }
            self.finish_line();
        }
        self.begin_line(ns.unwrap_or(point_ns));
    }

    const fn begin_line(&mut self, ns: u64) {
        let start = self.bytes.len();
        self.unfinished = Some(Unfinished { ns, start, cut_bytes: 0, message_bytes: 0, is_earlier: false });
    }

    /// More text of the message. As a rule it ends with the one newline.
    fn text(&mut self, mut text: &[u8], max_line: usize) {
        while let Some(newline) = memchr::memchr(b'\n', text) {
            self.keep(&text[..newline], max_line);
            let ns = self.unfinished.map(|line| line.ns);
            self.finish_line();
            text = &text[newline + 1..];
            if let Some(ns) = ns.filter(|_| !text.is_empty()) {
                self.begin_line(ns);
            }
        }
        self.keep(text, max_line);
    }

    fn keep(&mut self, text: &[u8], max_line: usize) {
        let Some(line) = &mut self.unfinished else { return };
        let room = max_line.saturating_sub(self.bytes.len() - line.start);
        let kept = &text[..text.len().min(room)];
        self.bytes.extend_from_slice(kept);
        line.cut_bytes += (text.len() - kept.len()) as u64;
        line.message_bytes += text.len();
    }

    fn finish_line(&mut self) {
        let Some(line) = self.unfinished.take() else { return };
        let is_cut = line.cut_bytes > 0;
        let has_return = !is_cut && self.bytes.len() > line.start && self.bytes.last() == Some(&b'\r');
        let end = self.bytes.len() - usize::from(has_return);
        let position = Position { at: line.ns, tie: low_half(fingerprint(&self.bytes[line.start..end])) };
        let last_ns = self.seen.last_ns();
        if !self.seen.admit(position) {
            self.bytes.truncate(line.start);
            return;
        }
        let is_set_back = last_ns.is_some_and(|last_ns| self.pass_set_back(last_ns, line.ns));
        let begun = self.note_at(line.ns);
        let start = self.place(line.start, begun.as_ref(), is_set_back);
        self.read_to_ns = Some(line.ns);
        if self.lines.is_empty() {
            self.begun = begun.unwrap_or_else(|| Begun { seen_ms: clock::now_ms(), ..Begun::default() });
        }
        let end = start + (end - line.start);
        self.lines.push(Line {
            start: offset(start),
            end: offset(end),
            position,
            engine_ns: i64::try_from(line.ns).ok(),
            cut: is_cut,
        });
        self.bytes.push(b'\n');
        self.input_bytes += (end - start) as u64 + line.cut_bytes + 1;
        self.cut_bytes += line.cut_bytes;
        if self.bytes.len() >= CHUNK_BYTES {
            self.seal();
        }
    }

    /// Whether the clock was set back between two lines of these times. A piece ends there, so that the times of its first
    /// and last line say what lies in it; and so does the note of the one that was read before a crash.
    fn pass_set_back(&mut self, last_ns: u64, ns: u64) -> bool {
        let is_set_back = ns < last_ns;
        if is_set_back && self.notes.front().is_some_and(|note| note.end == last_ns) {
            self.notes.pop_front();
        }
        is_set_back
    }

    /// What a chunk begins with that was, or may have been, read before a crash. `None`: a new one.
    fn note_at(&mut self, ns: u64) -> Option<Begun> {
        while self.notes.front().is_some_and(|note| note.end < ns) {
            self.notes.pop_front();
        }
        let note = self.notes.front()?;
        let is_within = note.start <= ns;
        let seen_ms = if is_within { note.seen_ms } else { clock::now_ms() };
        let names = note.names.clone().filter(|_| is_within);
        Some(Begun { seen_ms, replayed: true, note_end: is_within.then_some(note.end), names })
    }

    /// Closes the open chunk before a line that belongs to another piece. Returns where the line starts now.
    fn place(&mut self, start: usize, begun: Option<&Begun>, is_set_back: bool) -> usize {
        let piece = |begun: &Begun| (begun.replayed, begun.note_end);
        let is_same = piece(&self.begun) == begun.map_or((false, None), piece);
        if self.lines.is_empty() || (is_same && !is_set_back) {
            return start;
        }
        let text = self.bytes.split_off(start);
        self.seal();
        self.bytes = text;
        0
    }

    /// The other stream went on by `bytes`, to `point_ns`. When that was much and this one was silent, an empty chunk
    /// moves its cursor along.
    fn pass(&mut self, bytes: usize, point_ns: u64) {
        self.passed_bytes += bytes;
        let silent = self.lines.is_empty() && self.unfinished.is_none() && self.seen.is_settled();
        if self.passed_bytes >= CHUNK_BYTES && silent {
            self.begun = Begun { seen_ms: clock::now_ms(), ..Begun::default() };
            self.close(point_ns, point_ns);
        }
    }

    fn seal(&mut self) {
        if let (Some(first), Some(last)) = (self.lines.first(), self.lines.last()) {
            self.close(first.position.at, last.position.at);
        }
    }

    fn close(&mut self, start: u64, end: u64) {
        let unfinished = self.unfinished.as_mut().map(|line| std::mem::take(&mut line.start));
        let rest = unfinished.map(|start| self.bytes.split_off(start)).unwrap_or_default();
        self.passed_bytes = 0;
        let names = self.begun.names.as_ref().filter(|names| self.source.names().as_ref() != Some(names));
        self.ready.push(Chunk {
            source: names.map_or_else(|| Arc::clone(&self.source), |names| Arc::new(self.source.named(names))),
            generation: self.generation,
            bytes: std::mem::replace(&mut self.bytes, rest),
            lines: std::mem::take(&mut self.lines),
            seen_ms: self.begun.seen_ms,
            start,
            end,
            cursor: Cursor::Docker { time_ns: end, recent: self.seen.recent() },
            input_bytes: std::mem::take(&mut self.input_bytes),
            cut_bytes: std::mem::take(&mut self.cut_bytes),
            replayed: self.begun.replayed,
        });
    }

    fn drop_unfinished(&mut self) {
        if let Some(line) = self.unfinished.take() {
            self.bytes.truncate(line.start);
        }
    }
}

fn low_half(hash: u64) -> u32 {
    u32::try_from(hash & u64::from(u32::MAX)).expect("the low 32 bits fit 32 bits")
}

#[cfg(test)]
mod tests;
