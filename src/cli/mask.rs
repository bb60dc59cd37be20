//! `logferry mask`: lines in, the same lines masked out. Knows no source and no store.

mod lines;
mod show;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Read, StderrLock, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};

use self::lines::{Lines, Piece};
use self::show::Tally;
use super::{ConfigFile, Exit, print, refused, say};
use crate::base::chunk::{Chunk, Line, offset};
use crate::base::json;
use crate::base::records::{Keys, Origin, Record, Records, Shape, Time};
use crate::base::source::{Cursor, Kind, Position, Source, SourceId};
use crate::config::{self, Extent};
use crate::mask::{self, HELD, Masked, MaskedFields, Masker, Scratch};

pub const EXAMPLES: &str = "\
Examples:
  logferry mask app.log                      every line as it would leave the host
  journalctl -o cat | logferry mask          the same for a pipe
  logferry mask --detect all app.log         with every detector, also those that are off
  logferry mask --explain app.log >masked    which detector took what, and what was nearly taken
  logferry mask --check src/testlogs/*.log   for a build: where anything is found; code 3 if so
  logferry mask --list                       all detectors, and which are on

One line out for each line in. JSON objects are masked as JSON, all else as text. Rules and detectors
are those of [mask] in the configuration, where there is one.

Exit codes: 0 fine; 1 the configuration, the arguments or the input are wrong; 3 with --check,
something was found; 4 the output cannot be written.
";

#[derive(Debug, Args)]
pub struct Mask {
    #[command(flatten)]
    file: ConfigFile,
    /// These detectors instead of the configured ones: names, groups, countries, `default`, `all`;
    /// `-email` takes one away
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    detect: Vec<String>,
    /// As lines of this source, where `[mask.source.NAME]` has something of its own for it
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Say on standard error what was taken, where, by which detector and why, and what nearly was.
    /// Never the value itself
    #[arg(long, conflicts_with_all = ["check", "list"])]
    explain: bool,
    /// Print only the places where something is found; exit 3 if there are any
    #[arg(long, conflicts_with = "list")]
    check: bool,
    /// Print the table of detectors
    #[arg(long, conflicts_with = "input")]
    list: bool,
    /// Colour what was written instead, by group
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto")]
    color: When,
    /// Files; `-` or none is standard input
    #[arg(value_name = "FILE")]
    input: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// Why it ends early.
enum Stop {
    /// Nobody wants the output any more.
    Closed,
    Said(Exit, String),
}

/// The whole command.
pub fn execute(arguments: &Mask) -> Exit {
    let masker = match masker(arguments) {
        Ok(masker) => masker,
        Err(exit) => return exit,
    };
    let masker = arguments.source.as_deref().map_or(&masker, |source| masker.of(source));
    if arguments.list {
        print(&show::table(masker));
        return Exit::Fine;
    }
    if !masker.is_enabled() {
        say("warning: masking is off: [mask] has enabled = false\n");
    }
    let mut run = Run::new(masker, arguments);
    match run.all(&arguments.input) {
        Ok(()) => run.finish(arguments.check),
        Err(Stop::Closed) if arguments.check => Exit::Found,
        Err(Stop::Closed) => Exit::Fine,
        Err(Stop::Said(exit, text)) => {
            say(&format!("error: {text}\n"));
            exit
        }
    }
}

fn masker(arguments: &Mask) -> Result<Masker, Exit> {
    let mut config = match config::find(arguments.file.config.as_deref()) {
        None => mask::Config::default(),
        Some(path) => config::load(&path, Extent::Text).map_err(|error| refused(&error))?.config.mask,
    };
    if !arguments.detect.is_empty() {
        config.detect.clone_from(&arguments.detect);
        config.source.values_mut().for_each(|own| own.detect = None);
    }
    Masker::new(&config).map_err(|faults| {
        for fault in faults {
            let key = fault.key.replace("detect[", "--detect[");
            say(&format!("error: {key}: {}\n", fault.message));
            fault.hint.iter().for_each(|hint| say(&format!("hint: {hint}\n")));
        }
        Exit::Wrong
    })
}

/// All inputs of one call.
struct Run<'a> {
    masker: &'a Masker,
    out: BufWriter<StdoutLock<'static>>,
    err: BufWriter<StderrLock<'static>>,
    is_colored: bool,
    is_explained: bool,
    is_check: bool,
    chunk: Chunk,
    records: Records,
    scratch: Scratch,
    ends: Vec<&'static [u8]>,
    tally: Tally,
    began: Instant,
    /// For messages: which input, and how many lines of it there were before the piece at hand.
    name: String,
    before: u64,
}

impl<'a> Run<'a> {
    fn new(masker: &'a Masker, arguments: &Mask) -> Self {
        let stdout = io::stdout();
        let is_colored = match arguments.color {
            When::Always => true,
            When::Never => false,
            When::Auto => stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let wants_trace = is_colored || arguments.explain || arguments.check;
        Self {
            masker,
            out: BufWriter::with_capacity(64 << 10, stdout.lock()),
            err: BufWriter::new(io::stderr().lock()),
            is_colored,
            is_explained: arguments.explain,
            is_check: arguments.check,
            chunk: chunk(),
            records: Records::default(),
            scratch: if wants_trace { Scratch::tracing() } else { Scratch::default() },
            ends: Vec::new(),
            tally: Tally::default(),
            began: Instant::now(),
            name: String::new(),
            before: 0,
        }
    }

    fn all(&mut self, inputs: &[PathBuf]) -> Result<(), Stop> {
        let standard = [PathBuf::from("-")];
        for path in if inputs.is_empty() { &standard } else { inputs } {
            self.name = path.display().to_string();
            self.before = 0;
            if path.as_os_str() == "-" {
                let stdin = io::stdin();
                if stdin.is_terminal() {
                    say("reading what you type; Ctrl-D ends it\n");
                }
                self.one(stdin.lock())?;
            } else {
                self.one(open(path)?)?;
            }
        }
        self.flush()
    }

    fn one(&mut self, input: impl Read) -> Result<(), Stop> {
        let mut lines = Lines::new(input);
        let mut is_first = true;
        loop {
            let piece = lines.next().map_err(|error| {
                Stop::Said(Exit::Wrong, format!("cannot read {}: {error}; what was read before is printed", self.name))
            });
            match piece? {
                None => break,
                Some(Piece::Lines(piece)) => {
                    let mark = if is_first && piece.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK } else { b"" };
                    self.write(mark)?;
                    self.piece(&piece[mark.len()..])?;
                }
                Some(Piece::TooLong(end)) => {
                    self.held(0)?;
                    self.write(end)?;
                    self.before += 1;
                }
            }
            is_first = false;
            self.flush()?;
        }
        self.tally.lines += self.before;
        self.tally.bytes += lines.total;
        Ok(())
    }

    /// Masks whole lines.
    fn piece(&mut self, piece: &[u8]) -> Result<(), Stop> {
        self.take(piece);
        // The text is borrowed while the rest of `self` writes.
        let chunk = std::mem::replace(&mut self.chunk, chunk());
        let (records, mut scratch) = (std::mem::take(&mut self.records), std::mem::take(&mut self.scratch));
        let (text, fields) = (chunk.text(), MaskedFields::default());
        let origin = mask::Origin { source: SourceId::new(0), generation: 0, seen_ms: 0 };
        let masked = self.masker.mask(text, &records, origin, &fields, &mut scratch);
        let result = self.lines(text, &chunk.lines, &records, &masked);
        self.before += chunk.lines.len() as u64;
        self.tally.count(&masked);
        (self.chunk, self.records, self.scratch) = (chunk, records, scratch);
        result
    }

    /// Makes a chunk of a piece, and its records, as a decoder would.
    fn take(&mut self, piece: &[u8]) {
        let Self { chunk, records, ends, .. } = self;
        chunk.bytes.clear();
        chunk.bytes.extend_from_slice(piece);
        chunk.lines.clear();
        ends.clear();
        for (start, end, mark) in lines::split(piece) {
            let (start, end) = (offset(start), offset(end));
            chunk.lines.push(Line { start, end, position: Position::default(), engine_ns: None, cut: false });
            ends.push(mark);
        }
        chunk.repair();
        let text = chunk.text();
        records.items.clear();
        records.items.extend(chunk.lines.iter().zip(0..).map(|(line, index)| record(text, line, index)));
    }

    fn lines(&mut self, text: &str, lines: &[Line], records: &Records, masked: &Masked<'_>) -> Result<(), Stop> {
        let mut kept = masked.records().peekable();
        let mut hits = masked.trace();
        for ((line, record), index) in lines.iter().zip(&records.items).zip(0..) {
            let own = hits.iter().take_while(|hit| hit.line == index).count();
            let (of_line, rest) = hits.split_at(own);
            hits = rest;
            let written = kept.next_if(|one| one.record.line == index);
            let (start, end) = (record.start as usize, record.end as usize);
            self.write_line(&text[line.start as usize..start])?;
            match written {
                None => match masked.gone().binary_search_by_key(&index, |(line, _)| *line) {
                    Ok(at) => self.dropped(u64::from(index), masked.gone()[at].1)?,
                    Err(_) => self.held(u64::from(index))?,
                },
                Some(one) => self.record(one.text, &text[start..end], record, of_line)?,
            }
            self.write_line(&text[end..line.end as usize])?;
            self.write(self.ends[index as usize])?;
        }
        Ok(())
    }

    /// One line that is kept; `source` is its text before.
    fn record(&mut self, text: &str, source: &str, record: &Record, hits: &[mask::Hit]) -> Result<(), Stop> {
        self.tally.lines_hit += u64::from(!hits.is_empty());
        let number = self.before + u64::from(record.line) + 1;
        let is_object = record.shape == Shape::Object;
        for hit in hits {
            let place = show::place(self.masker, text, source, is_object, hit);
            if self.is_check {
                let line = format!("{}:{number}: {}, {place}\n", self.name, self.masker.name(hit.by));
                self.out.write_all(line.as_bytes()).map_err(unwritten)?;
            } else if self.is_explained {
                let line = show::explained(self.masker, number, &place, hit);
                self.err.write_all(line.as_bytes()).map_err(unwritten)?;
            }
        }
        if self.is_explained {
            let mut said = String::new();
            self.masker.misses(source, &mut |miss| show::missed(&mut said, source, number, &miss, hits));
            self.err.write_all(said.as_bytes()).map_err(unwritten)?;
        }
        if self.is_colored && !self.is_check {
            return show::colored(&mut self.out, self.masker, text, hits).map_err(unwritten);
        }
        self.write_line(text)
    }

    /// A line that cannot be examined; `index` of the piece at hand.
    fn held(&mut self, index: u64) -> Result<(), Stop> {
        self.tally.held += 1;
        if self.is_check {
            let line = format!("{}:{}: cannot be examined\n", self.name, self.before + index + 1);
            return self.out.write_all(line.as_bytes()).map_err(unwritten);
        }
        self.write_line(HELD)
    }

    /// A line whose record is not to leave the host at all, for what detector `by` found.
    fn dropped(&mut self, index: u64, by: usize) -> Result<(), Stop> {
        self.tally.dropped += 1;
        let (number, name) = (self.before + index + 1, self.masker.name(by));
        if self.is_check {
            let line = format!("{}:{number}: {name}, the record is dropped\n", self.name);
            return self.out.write_all(line.as_bytes()).map_err(unwritten);
        }
        if self.is_explained {
            let line = format!("{number}: {name}: the record is dropped, as [mask.replace] says\n");
            self.err.write_all(line.as_bytes()).map_err(unwritten)?;
        }
        self.write_line(DROPPED)
    }

    fn write_line(&mut self, text: &str) -> Result<(), Stop> {
        self.write(text.as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.is_check { Ok(()) } else { self.out.write_all(bytes).map_err(unwritten) }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        self.out.flush().and_then(|()| self.err.flush()).map_err(unwritten)
    }

    /// The summary, where someone watches, and the code.
    fn finish(mut self, is_check: bool) -> Exit {
        let is_watched = io::stderr().is_terminal() || self.is_explained;
        let mut text = String::new();
        if is_watched && !is_check {
            text = show::summary(&self.tally, self.began.elapsed().as_secs_f64());
        } else if self.tally.held > 0 && !is_check {
            text = format!("warning: {} lines could not be examined; {HELD} is printed for each\n", self.tally.held);
        }
        // Whoever closed it did not want it.
        let _ = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
        if is_check && self.tally.has_found() { Exit::Found } else { Exit::Fine }
    }
}

/// Printed for a record that would be dropped.
const DROPPED: &str = "[dropped]";

/// The byte order mark that some writers put before UTF-8: no part of the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn open(path: &Path) -> Result<File, Stop> {
    let wrong = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => "\nhint: run this as a user that may read it",
            io::ErrorKind::NotFound => "\nhint: `-` is standard input",
            _ => "",
        };
        Stop::Said(Exit::Wrong, format!("cannot read {}: {error}{hint}", path.display()))
    };
    File::open(path).map_err(wrong)
}

fn unwritten(error: io::Error) -> Stop {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Stop::Closed;
    }
    Stop::Said(Exit::Internal, format!("cannot write the output: {error}\nhint: is there room where it goes?"))
}

/// What a line is, as masking must know it.
fn record(text: &str, line: &Line, index: u32) -> Record {
    let written = &text[line.start as usize..line.end as usize];
    let inner = written.trim_ascii();
    let is_object = inner.starts_with('{') && inner.ends_with('}') && json::is_object(inner);
    let start = if is_object { written.len() - written.trim_ascii_start().len() } else { 0 };
    let end = if is_object { start + inner.len() } else { written.len() };
    Record {
        line: index,
        position: Position::default(),
        start: line.start + offset(start),
        end: line.start + offset(end),
        shape: if is_object { Shape::Object } else { Shape::Text },
        time: Time { ns: 0, digits: 0, origin: Origin::Read },
        level: None,
        own: Keys::NONE,
        clash: Keys::NONE,
        cut: false,
    }
}

/// An empty one, of no source.
fn chunk() -> Chunk {
    let source = Source::known_by_name(SourceId::new(0), Kind::Stdin, "");
    Chunk {
        source: Arc::new(source),
        generation: 0,
        bytes: Vec::new(),
        lines: Vec::new(),
        seen_ms: 0,
        start: 0,
        end: 0,
        cursor: Cursor::File { generation: 0, offset: 0, guard: 0 },
        input_bytes: 0,
        cut_bytes: 0,
        replayed: false,
    }
}
