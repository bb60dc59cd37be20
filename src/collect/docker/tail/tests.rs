//! A json-file written as the engine writes it, without an engine: rotated, compressed, truncated, removed.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::base::source::{Cursor, Kind, Position, Resume, Source, SourceId, Stream};

const BASE: u64 = 1_795_355_249_000_000_000;

/// An engine's log file.
struct Engine {
    folder: TempDir,
    file: File,
    len: u64,
    /// By how many ns the next message is later than `BASE`.
    ns: u64,
    options: Options,
    /// Unfinished compression: of `.1`.
    is_compressing: bool,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    max_bytes: u64,
    max_files: u32,
    is_compressed: bool,
    /// As older engines do with one file.
    truncates: bool,
}

const PLAIN: Options = Options { max_bytes: 2000, max_files: 5, is_compressed: false, truncates: true };

impl Engine {
    fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("log")).unwrap();
        Self { folder, file, len: 0, ns: 0, options, is_compressing: false }
    }

    fn path(&self, end: &str) -> PathBuf {
        self.folder.path().join(format!("log{end}"))
    }

    fn log(&self) -> Log {
        Log { path: self.path(""), max_bytes: Some(self.options.max_bytes) }
    }

    /// Writes one message; its time.
    fn write(&mut self, stream: Stream, text: &str) -> u64 {
        self.ns += 1000;
        self.write_at(stream, text, BASE + self.ns);
        BASE + self.ns
    }

    fn write_at(&mut self, stream: Stream, text: &str, ns: u64) {
        if self.len >= self.options.max_bytes {
            self.rotate();
        }
        let time = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap();
        let log = serde_json::to_string(text).unwrap();
        let line = format!("{{\"log\":{log},\"stream\":\"{}\",\"time\":\"{time}\"}}\n", stream.name());
        self.file.write_all(line.as_bytes()).unwrap();
        self.len += line.len() as u64;
    }

    fn rotate(&mut self) {
        self.compress();
        let end = if self.options.is_compressed { ".gz" } else { "" };
        let remove = |path: PathBuf| std::fs::remove_file(path).unwrap_or_default();
        if self.options.max_files > 1 {
            remove(self.path(&format!(".{}{end}", self.options.max_files - 1)));
            for number in (2..self.options.max_files).rev() {
                let (from, to) = (format!(".{}{end}", number - 1), format!(".{number}{end}"));
                let _ = std::fs::rename(self.path(&from), self.path(&to));
            }
            std::fs::rename(self.path(""), self.path(".1")).unwrap();
            self.is_compressing = self.options.is_compressed;
        } else if !self.options.truncates {
            remove(self.path(""));
        }
        self.file = File::create(self.path("")).unwrap();
        self.len = 0;
    }

    /// What the engine does beside its writing, and before it rotates again.
    fn compress(&mut self) {
        if std::mem::take(&mut self.is_compressing) {
            let text = std::fs::read(self.path(".1")).unwrap();
            let zipped = File::create(self.path(".1.gz")).unwrap();
            let mut zip = flate2::write::GzEncoder::new(zipped, flate2::Compression::fast());
            zip.write_all(&text).unwrap();
            zip.finish().unwrap();
            std::fs::remove_file(self.path(".1")).unwrap();
        }
    }
}

/// An agent that reads it.
struct Agent {
    logs: Logs,
    tail: Tail,
    scratch: Scratch,
    told: Vec<(Stream, Position, String)>,
    losses: Losses,
    cursors: [Option<Cursor>; 2],
}

fn logs(cursors: &[Option<Cursor>; 2]) -> Logs {
    let known = |(stream, cursor): (Stream, &Option<Cursor>)| {
        let id = SourceId::new(stream as u64);
        let source = Source {
            id,
            kind: Kind::Docker,
            name: "containers".into(),
            container_name: "c".into(),
            service_name: "c".into(),
            stream: Some(stream),
            path: None,
            mask: None,
            timezone: "utc".into(),
        };
        (
            Arc::new(source),
            Resume { id, generation: 0, cursor: cursor.clone(), path: None, replay: Vec::new(), unread: 0 },
        )
    };
    Logs::new(false, [Stream::Stdout, Stream::Stderr].into_iter().zip(cursors).map(known).collect())
}

impl Agent {
    fn start(log: Log) -> Self {
        let cursors = [None, None];
        let (mut logs, mut scratch) = (logs(&cursors), Scratch { buffer: vec![0; 700], text: String::new() });
        let tail = Tail::open(log, &mut logs, &mut scratch).unwrap();
        Self { logs, tail, scratch, told: Vec::new(), losses: Losses::default(), cursors }
    }

    /// Steps at most so often; whether the end was reached.
    fn step(&mut self, steps: usize) -> bool {
        for _ in 0..steps {
            let step = self.tail.step(&mut self.logs, &mut self.scratch, 1 << 20).unwrap();
            let Losses { bytes, gaps } = self.tail.take_losses();
            self.losses.bytes += bytes;
            self.losses.gaps += gaps;
            if step == Step::AtEnd {
                return true;
            }
        }
        false
    }

    fn read(&mut self) {
        assert!(self.step(10_000), "it comes to an end");
        assert!(!self.tail.has_changed());
        self.take();
    }

    /// Takes what is whole, as the outputs would.
    fn take(&mut self) {
        self.logs.seal();
        for chunk in self.logs.ready() {
            let stream = chunk.source.stream.unwrap();
            for line in &chunk.lines {
                let text = &chunk.bytes[line.start as usize..line.end as usize];
                self.told.push((stream, line.position, String::from_utf8_lossy(text).into_owned()));
            }
            self.cursors[usize::from(stream == Stream::Stderr)] = Some(chunk.cursor);
        }
    }

    /// Another run of the agent.
    fn restart(&mut self) {
        let log = self.tail.log.clone();
        self.logs = logs(&self.cursors);
        self.tail = Tail::open(log, &mut self.logs, &mut self.scratch).unwrap();
        let Losses { bytes, gaps } = self.tail.take_losses();
        self.losses.bytes += bytes;
        self.losses.gaps += gaps;
    }

    /// The numbers of the lines that came, by stream.
    fn numbers(&self, stream: Stream) -> Vec<usize> {
        let told = self.told.iter().filter(|(one, ..)| *one == stream);
        told.map(|(_, _, text)| text.trim_start_matches('p').parse().unwrap()).collect()
    }
}

fn count(engine: &mut Engine, numbers: std::ops::Range<usize>) {
    for number in numbers {
        engine.write(Stream::Stdout, &format!("{number}\n"));
    }
}

#[track_caller]
fn assert_all(agent: &Agent, numbers: std::ops::Range<usize>) {
    assert_eq!(agent.numbers(Stream::Stdout), numbers.collect::<Vec<_>>());
    assert_eq!(agent.losses, Losses::default());
}

#[test]
fn a_file_that_grows_is_read_as_it_grows() {
    let mut engine = Engine::new(PLAIN);
    let mut agent = Agent::start(engine.log());
    agent.read();
    for round in 0..10 {
        count(&mut engine, round..round + 1);
        assert!(agent.tail.has_changed());
        agent.read();
    }
    assert_all(&agent, 0..10);
}

/// Several rotations between two looks, also while the agent is away; up to the one that takes the file away that was
/// read last, which is held open.
#[test]
fn rotations_between_two_looks_lose_nothing() {
    for (max_files, is_compressed) in [(2, false), (3, false), (5, false), (2, true), (3, true), (5, true)] {
        let options = Options { max_files, is_compressed, ..PLAIN };
        for away in 1..max_files as usize {
            for is_settled in [false, true] {
                let mut engine = Engine::new(options);
                count(&mut engine, 0..10);
                let mut agent = Agent::start(engine.log());
                agent.read();
                // About 28 lines fill a file.
                count(&mut engine, 10..10 + 28 * away);
                if is_settled {
                    engine.compress();
                }
                agent.read();
                assert_eq!(agent.losses, Losses::default(), "{options:?} {away} {is_settled}");
                agent.restart();
                count(&mut engine, 10 + 28 * away..20 + 28 * away);
                agent.read();
                assert_all(&agent, 0..20 + 28 * away);
            }
        }
    }
}

/// Compressed files are told apart by the time of their first line, though its text is the same in all.
#[test]
fn files_that_begin_with_the_same_text_are_told_apart() {
    let mut engine = Engine::new(Options { is_compressed: true, max_files: 50, ..PLAIN });
    let mut agent = Agent::start(engine.log());
    agent.scratch.buffer.resize(2000, 0);
    for number in 0..40 {
        engine.write(Stream::Stdout, &format!("{}{number:03}\n", "p".repeat(700)));
        engine.write(Stream::Stdout, &"p".repeat(700));
        engine.write_at(Stream::Stdout, "\n", BASE + engine.ns);
        if number % 7 == 0 {
            engine.compress();
            agent.read();
        }
    }
    agent.read();
    let long: Vec<_> = agent.told.iter().filter(|(_, _, text)| text.len() == 703).collect();
    assert_eq!((long.len(), agent.told.len(), agent.losses), (40, 80, Losses::default()));
}

#[test]
fn a_file_that_was_removed_is_read_to_its_end_and_its_successor_at_once() {
    let options = Options { max_files: 1, truncates: false, ..PLAIN };
    let mut engine = Engine::new(options);
    let mut agent = Agent::start(engine.log());
    count(&mut engine, 0..5);
    agent.read();
    // Up to the first rotation, and some lines.
    count(&mut engine, 5..40);
    agent.read();
    assert_all(&agent, 0..40);
    std::fs::remove_file(engine.path("")).unwrap();
    count(&mut engine, 40..42);
    agent.read();
    assert_all(&agent, 0..42);
}

#[test]
fn files_that_were_rotated_away_unread_are_a_gap_that_is_told() {
    for is_compressed in [false, true] {
        let mut engine = Engine::new(Options { max_files: 2, is_compressed, ..PLAIN });
        count(&mut engine, 0..5);
        let mut agent = Agent::start(engine.log());
        agent.read();
        for numbers in [5..40, 40..80, 80..150] {
            count(&mut engine, numbers);
            std::thread::sleep(ONE_ROTATION * 2);
        }
        agent.read();
        assert_eq!(agent.losses, Losses { bytes: 0, gaps: 1 });
        let numbers = agent.numbers(Stream::Stdout);
        assert!(numbers.is_sorted() && numbers.last() == Some(&149) && numbers.len() < 150, "{numbers:?}");
        // And while the agent is away.
        count(&mut engine, 150..300);
        agent.restart();
        agent.read();
        assert_eq!(agent.losses.gaps, 2);
        assert_eq!(agent.numbers(Stream::Stdout).last(), Some(&299));
    }
}

#[test]
fn of_a_truncated_file_the_bytes_that_were_cut_away_are_counted() {
    let mut engine = Engine::new(Options { max_files: 1, ..PLAIN });
    let mut agent = Agent::start(engine.log());
    // All that was written until the truncation was read: nothing is lost.
    let mut number = 0;
    while engine.len < engine.options.max_bytes {
        count(&mut engine, number..number + 1);
        number += 1;
    }
    agent.read();
    count(&mut engine, number..number + 1);
    agent.read();
    assert_eq!(agent.losses.bytes, 0);
    assert_eq!(agent.numbers(Stream::Stdout), (0..number + 1).collect::<Vec<_>>());
    // Truncated, and grown again beyond where reading was.
    let read = engine.len;
    count(&mut engine, number + 1..number + 50);
    agent.read();
    assert_eq!(agent.losses.bytes, engine.options.max_bytes - read);
    assert_eq!(agent.numbers(Stream::Stdout).last(), Some(&(number + 49)));
}

#[test]
fn a_full_file_cannot_have_been_missed_in_no_time() {
    for (full, ms, may_have_been) in
        [(50_000, 1, false), (50_000, 10, true), (10_000_000, 100, false), (10_000_000, 1000, true), (1, 0, false)]
    {
        assert_eq!(may_have_been_full_again(full, Duration::from_millis(ms)), may_have_been, "{full} in {ms} ms");
    }
}

/// C7: as `logrotate` does it with `copytruncate`: the copy has what was not read, and the engine, which does not know, goes
/// on writing behind a hole.
#[test]
fn a_file_that_was_copied_and_truncated_is_read_on_in_the_copy() {
    let mut engine = Engine::new(Options { max_bytes: u64::MAX, ..PLAIN });
    count(&mut engine, 0..10);
    let mut agent = Agent::start(engine.log());
    agent.read();
    engine.write(Stream::Stderr, "7\n");
    count(&mut engine, 10..20);
    std::fs::copy(engine.path(""), engine.path(".1")).unwrap();
    engine.file.set_len(0).unwrap();
    count(&mut engine, 20..30);
    agent.read();
    assert_all(&agent, 0..30);
    assert_eq!(agent.numbers(Stream::Stderr), [7]);
}

#[test]
fn long_lines_are_joined_over_rotations_and_restarts() {
    let mut engine = Engine::new(PLAIN);
    let mut agent = Agent::start(engine.log());
    for number in 0..20 {
        let part = "p".repeat(400);
        let ns = engine.write(Stream::Stdout, &part);
        (0..4).for_each(|_| engine.write_at(Stream::Stdout, &part, ns));
        if number % 3 == 0 {
            agent.step(3);
            agent.take();
            agent.restart();
        }
        engine.write_at(Stream::Stdout, &format!("{number}\n"), ns);
        agent.read();
    }
    assert_all(&agent, 0..20);
    assert!(agent.told.iter().all(|(_, _, text)| text.len() > 2000), "no part is a line");
}

#[test]
fn what_is_no_line_is_passed_over_and_counted() {
    let mut engine = Engine::new(Options { max_bytes: u64::MAX, ..PLAIN });
    count(&mut engine, 0..3);
    engine.file.write_all(&[b'x'; 3000]).unwrap();
    engine.file.write_all(b"\n").unwrap();
    count(&mut engine, 3..6);
    let mut agent = Agent::start(engine.log());
    agent.read();
    assert_eq!(agent.numbers(Stream::Stdout), (0..6).collect::<Vec<_>>());
    assert_eq!(agent.losses, Losses { bytes: 3000, gaps: 0 });
}

#[test]
fn a_log_that_is_not_there_cannot_be_opened() {
    let log = Log { path: Path::new("/nowhere/log").into(), max_bytes: None };
    let error = Tail::open(log, &mut logs(&[None, None]), &mut Scratch::default()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

/// One frame of the API's body.
fn frame(stream: Stream, ns: u64, text: &str) -> Vec<u8> {
    let time = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap();
    let payload = format!("{time:.9} {text}");
    let kind = if stream == Stream::Stdout { 1 } else { 2 };
    [&[kind, 0, 0, 0], &u32::try_from(payload.len()).unwrap().to_be_bytes()[..], payload.as_bytes()].concat()
}

/// A message: its stream, and its text.
fn message() -> impl Strategy<Value = (Stream, String)> {
    let text = prop_oneof!["[a-z]{0,30}\n", "[\\PC\"\\\\\t\u{2028}<>&\u{fffd}]{0,40}\r?\n", "[a-z]{1,60}"];
    (prop_oneof![3 => Just(Stream::Stdout), 1 => Just(Stream::Stderr)], text)
}

proptest! {
    /// The same log read through the API and from the file: the same lines at the same places, so that whoever changes
    /// from one to the other anywhere gets nothing twice and misses nothing.
    #[test]
    fn both_ways_give_the_same_positions_and_text(
        messages in prop::collection::vec(message(), 1..150),
        switch in 0.0..1.0_f64,
    ) {
        let mut engine = Engine::new(Options { max_files: 100, ..PLAIN });
        let mut agent = Agent::start(engine.log());
        let mut bodies = Vec::new();
        for (stream, text) in &messages {
            let ns = engine.write(*stream, text);
            bodies.push(frame(*stream, ns, text));
        }
        agent.read();
        let mut api = Agent::start(engine.log());
        api.logs.begin_body();
        api.logs.push(&bodies.concat(), 1 << 20).unwrap();
        api.take();
        let by_stream = |agent: &Agent, stream| {
            agent.told.iter().filter(|line| line.0 == stream).cloned().collect::<Vec<_>>()
        };
        for stream in [Stream::Stdout, Stream::Stderr] {
            prop_assert_eq!(by_stream(&agent, stream), by_stream(&api, stream));
        }
        // API, then file, then API; each goes on by the cursors of the one before.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let (first, last) = ((bodies.len() as f64 * switch * 0.5) as usize, (bodies.len() as f64 * switch) as usize);
        let mut mixed = Agent::start(engine.log());
        mixed.logs.begin_body();
        mixed.logs.push(&bodies[..first].concat(), 1 << 20).unwrap();
        mixed.take();
        mixed.restart();
        mixed.step(last - first);
        mixed.take();
        mixed.logs = logs(&mixed.cursors);
        mixed.logs.begin_body();
        mixed.logs.push(&bodies.concat(), 1 << 20).unwrap();
        if mixed.logs.has_lost_place(true) {
            mixed.logs.begin_body();
            mixed.logs.push(&bodies.concat(), 1 << 20).unwrap();
        }
        mixed.take();
        for stream in [Stream::Stdout, Stream::Stderr] {
            prop_assert_eq!(by_stream(&mixed, stream), by_stream(&api, stream));
        }
    }

    /// Whatever comes between two steps of an agent, each line comes once and in order.
    #[test]
    fn no_line_is_lost_or_repeated_whatever_happens(
        acts in prop::collection::vec((0_u8..10, 1_usize..25), 1..40),
        is_compressed in any::<bool>(),
    ) {
        let mut engine = Engine::new(Options { max_files: 40, is_compressed, ..PLAIN });
        let mut agent = Agent::start(engine.log());
        let mut written = [0, 0];
        for (act, amount) in acts {
            match act {
                0 => agent.restart(),
                1 => engine.compress(),
                2 => agent.read(),
                3 | 4 => drop(agent.step(amount)),
                5 => agent.take(),
                _ => (0..amount).for_each(|index| {
                    let stream = usize::from(index % 3 == 0 && act < 9);
                    let name = [Stream::Stdout, Stream::Stderr][stream];
                    engine.write(name, &format!("{}\n", written[stream]));
                    written[stream] += 1;
                }),
            }
        }
        agent.read();
        prop_assert_eq!(agent.numbers(Stream::Stdout), (0..written[0]).collect::<Vec<_>>());
        prop_assert_eq!(agent.numbers(Stream::Stderr), (0..written[1]).collect::<Vec<_>>());
        prop_assert_eq!(agent.losses, Losses::default());
    }
}
