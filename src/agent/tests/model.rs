//! Whatever happens to an agent, each line that it has read comes to its store, and its books say so.
//!
//! The pieces are the real ones: tracker, queues, ways out, the drains that empty the queues, opened again as at a start
//! of the agent. The world about them is small: sources of ten-byte lines with numbers ([`World`]), and a store that is a
//! map. The model is what is told of each source by sets of line numbers ([`Facts`]):
//!
//! - after each step: the ledger counts as read and as delivered what the model does;
//! - what comes to the store a second time is marked as perhaps sent, and is the same line with the same time of reading;
//! - what a checkpoint has as settled does not come again, but beside something in its batch that is not;
//! - after a start: what is settled or taken from the queue is all before the place where reading goes on, without a hole,
//!   and every line of a frame that is there is settled or waits to be sent;
//! - at the end: every line that a source still has, or that ever was in a queue, is in the store, and nothing is in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::world::{LINE, World};
use crate::agent::outlet::{self, Outlet};
use crate::agent::queues;
use crate::base::batch::{Batch, Span};
use crate::base::counts::Counts;
use crate::base::source::{Kind, SourceId};
use crate::queue::{Full, Limits, Queue, Report};
use crate::track::{Seen, Settlement, Tracker};

/// What can happen. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Action {
    /// One chunk of a source, found first if nothing reads it: so many lines, if it is new.
    Read(usize, u64),
    /// A worker's open batch is due.
    Seal(usize),
    /// A batch comes to the store.
    Send(usize),
    /// Its answer comes: of the batch last sent, or of one that was put by.
    Answer(usize, usize),
    /// The batch last sent waits for an index of its own.
    PutBy(usize),
    Checkpoint,
    /// A checkpoint, and the agent ends before its queues have forgotten what it covers.
    CheckpointOnly,
    /// A file is let go, and comes again by another path.
    LetGo(usize),
    /// A file is read to its end and deleted, a container removed, an input ends.
    Remove(usize),
    /// `kill -9`, and a start with so many workers.
    Kill(usize),
    /// The same after a loss of power.
    LosePower(usize),
    /// What becomes of the containers while no agent runs.
    RemoveAway(usize),
}

fn action() -> impl Strategy<Value = Action> {
    let any_of = || 0_usize..8;
    prop_oneof![
        12 => (any_of(), 1_u64..4).prop_map(|(source, new)| Action::Read(source, new)),
        8 => any_of().prop_map(Action::Seal),
        8 => any_of().prop_map(Action::Send),
        8 => (any_of(), any_of()).prop_map(|(worker, which)| Action::Answer(worker, which)),
        1 => any_of().prop_map(Action::PutBy),
        3 => Just(Action::Checkpoint),
        1 => Just(Action::CheckpointOnly),
        1 => any_of().prop_map(Action::LetGo),
        1 => any_of().prop_map(Action::Remove),
        3 => (1_usize..3).prop_map(Action::Kill),
        1 => (1_usize..3).prop_map(Action::LosePower),
        1 => (1_usize..3).prop_map(Action::RemoveAway),
    ]
}

/// How clocks of containers go, in seconds from line to line: they rise, stand still, are set back.
const CLOCKS: [&[i64]; 4] = [&[1], &[0, 0, 4], &[3, -1], &[6, 0, -4, 0]];

const ENDLESS: Limits = Limits { bytes: u64::MAX, age_ms: None };

/// What is true of one source's lines.
#[derive(Debug, Default)]
struct Facts {
    /// Read by this run, or taken over by it.
    read: BTreeSet<u64>,
    /// Answered for, of those.
    settled: BTreeSet<u64>,
    /// Of those, what a checkpoint covers.
    saved: BTreeSet<u64>,
    /// Noted, and what of that outlives a loss of power.
    noted: BTreeSet<u64>,
    durable: BTreeSet<u64>,
    /// Its end was told, if it has one.
    is_told: bool,
    /// Once in a queue on disk: never to be lost.
    queued: BTreeSet<u64>,
}

/// One worker, its lane, and the store's end of it.
struct Worker {
    outlet: Outlet,
    lane: mpsc::Receiver<Batch>,
    open: Option<Batch>,
    is_urgent: bool,
    /// Handed over while there was room.
    direct: Vec<(SourceId, u64)>,
    sending: Option<Batch>,
    put_by: Vec<Batch>,
}

/// The agent of one run.
struct Run {
    tracker: Arc<Tracker>,
    outlets: Arc<[Arc<outlet::Shared>]>,
    workers: Vec<Worker>,
    /// Its clock goes on when all tasks wait: then they are quiet.
    tasks: Runtime,
    _stop: watch::Sender<bool>,
}

struct Model {
    folder: tempfile::TempDir,
    run: Option<Run>,
    sources: Vec<World>,
    facts: BTreeMap<SourceId, Facts>,
    /// The time of reading of each line there.
    store: BTreeMap<(SourceId, u64), i64>,
    /// The newest notes and how much of them a loss of power leaves.
    synced: (PathBuf, u64),
    now_ms: i64,
    clock: &'static [i64],
}

impl Model {
    fn new(clock: &'static [i64]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sources, facts, store) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut model =
            Self { folder, run: None, sources, facts, store, synced: (PathBuf::new(), 0), now_ms: 0, clock };
        [Kind::File, Kind::File, Kind::Docker, Kind::Stdin].into_iter().for_each(|kind| model.appear(kind));
        model.start(1);
        model
    }

    /// There is one more source.
    fn appear(&mut self, kind: Kind) {
        let world = World::new(kind, self.sources.len() as u64, self.clock);
        self.facts.insert(world.id, Facts::default());
        self.sources.push(world);
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Read(source, new) => self.read(self.source(source), new),
            Action::Seal(worker) => self.seal(self.worker(worker)),
            Action::Send(worker) => self.send(self.worker(worker)),
            Action::Answer(worker, which) => self.answer(self.worker(worker), which),
            Action::PutBy(worker) => self.put_by(self.worker(worker)),
            Action::Checkpoint => self.checkpoint(true),
            Action::CheckpointOnly => {
                self.checkpoint(false);
                self.crash(false, 1, false);
            }
            Action::LetGo(source) => self.let_go(self.source(source)),
            Action::Remove(source) => self.remove(self.source(source)),
            Action::Kill(workers) => self.crash(false, workers, false),
            Action::LosePower(workers) => self.crash(true, workers, false),
            Action::RemoveAway(workers) => self.crash(false, workers, true),
        }
        self.check_ledger();
    }

    /// One of the sources that are there.
    fn source(&self, which: usize) -> usize {
        let there: Vec<_> = (0..self.sources.len()).filter(|index| !self.sources[*index].is_gone).collect();
        there[which % there.len()]
    }

    fn worker(&self, which: usize) -> usize {
        which % self.run.as_ref().unwrap().workers.len()
    }

    /// A source stays on one worker.
    fn worker_of(&self, source: usize) -> usize {
        self.worker(source)
    }

    fn run(&mut self) -> &mut Run {
        self.run.as_mut().unwrap()
    }

    fn tracker(&self) -> Arc<Tracker> {
        Arc::clone(&self.run.as_ref().unwrap().tracker)
    }

    fn read(&mut self, source: usize, new: u64) {
        self.now_ms += 1;
        let (now_ms, tracker, worker) = (self.now_ms, self.tracker(), self.worker_of(source));
        self.find(source);
        let world = &mut self.sources[source];
        let chunk = world.read(new, now_ms);
        let (id, is_urgent) = (world.id, !world.can_wait());
        let end = World::line_at(Some(&chunk.cursor));
        let lines = end - chunk.lines.len() as u64..end;
        let seq = tracker.begin(&chunk).unwrap();
        let facts = self.facts.get_mut(&id).unwrap();
        facts.read.extend(lines.clone());
        facts.noted.extend(lines.clone());
        let (items, bytes) = (chunk.lines.len() as u32, chunk.input_bytes);
        let counts = Counts { read: u64::from(items), bytes, ..Counts::default() };
        let span = Span { source: Arc::clone(&chunk.source), seq, items, counts };
        let worker = &mut self.run().workers[worker];
        add(&mut worker.open, span, &body(id, lines, chunk.seen_ms), chunk.replayed);
        worker.is_urgent |= is_urgent;
    }

    /// Begins to read a source, where the tracker says. What is before that place is settled or taken from the queue.
    fn find(&mut self, source: usize) {
        let world = &mut self.sources[source];
        if world.is_read() {
            return;
        }
        let (identity, len) = (world.identity(), world.lines * LINE);
        let seen = Seen {
            identity: &identity,
            len,
            head_of: &|len| (len == 0).then(|| crate::base::source::fingerprint(b"")),
        };
        let tracker = &self.run.as_ref().unwrap().tracker;
        let resume = tracker.resume(world.name(), &seen, world.id, self.now_ms).unwrap();
        assert_eq!(resume.id, world.id, "taken for another");
        let at = World::line_at(resume.cursor.as_ref());
        let read: Vec<_> = self.facts[&world.id].read.iter().copied().collect();
        assert_eq!(read, (0..at).collect::<Vec<_>>(), "{}: before the place where reading goes on", world.name());
        world.open(resume);
    }

    /// As a worker does: notes first, then the batch.
    fn seal(&mut self, worker: usize) {
        let tracker = self.tracker();
        let ready = &mut self.run().workers[worker];
        let has_room = ready.outlet.has_room();
        if !has_room && !ready.is_urgent {
            return;
        }
        let (batch, can_wait) = (ready.open.take(), !std::mem::take(&mut ready.is_urgent));
        let Some(batch) = batch else { return };
        tracker.make_durable().unwrap();
        self.note_synced();
        let lines = lines_of(&batch);
        let ready = &mut self.run().workers[worker];
        ready.direct.extend(lines);
        ready.outlet.hand_over(batch, can_wait);
        if !has_room {
            self.is_durable(worker);
        }
        self.quiet();
    }

    /// All that a worker has handed over and that is not settled lies in its queue.
    fn is_durable(&mut self, worker: usize) {
        let direct = std::mem::take(&mut self.run().workers[worker].direct);
        for (id, line) in direct {
            self.facts.get_mut(&id).unwrap().queued.insert(line);
        }
    }

    /// Lets all tasks go on until each of them waits.
    fn quiet(&mut self) {
        self.run().tasks.block_on(async { tokio::time::sleep(Duration::from_secs(1)).await });
    }

    fn send(&mut self, worker: usize) {
        self.quiet();
        let lane = &mut self.run().workers[worker];
        if lane.sending.is_some() {
            return;
        }
        let Ok(batch) = lane.lane.try_recv() else { return };
        let lines = lines_with_time(&batch);
        let is_all_saved = lines.iter().all(|(id, line, _)| self.facts[id].saved.contains(line));
        assert!(!is_all_saved, "all of it is settled: {lines:?}");
        for (id, line, seen_ms) in lines {
            if let Some(first_seen_ms) = self.store.insert((id, line), seen_ms) {
                assert!(batch.unsure, "line {line} of {id} comes again, and nothing says so");
                let is_file = self.sources.iter().any(|world| world.id == id && world.name() == "files");
                assert!(!is_file || first_seen_ms == seen_ms, "line {line} of {id} has another time of reading");
            }
        }
        self.run().workers[worker].sending = Some(batch);
        self.quiet();
    }

    fn put_by(&mut self, worker: usize) {
        let Run { outlets, workers, .. } = self.run();
        let Some(batch) = workers[worker].sending.take() else { return };
        outlets.iter().for_each(|outlet| outlet.put_by(batch.number));
        workers[worker].put_by.push(batch);
    }

    fn answer(&mut self, worker: usize, which: usize) {
        let Run { tracker, outlets, workers, .. } = self.run.as_mut().unwrap();
        let lane = &mut workers[worker];
        let old = which.checked_sub(4).filter(|old| *old < lane.put_by.len());
        let batch = old.map(|old| lane.put_by.remove(old)).or_else(|| lane.sending.take());
        let Some(batch) = batch else { return };
        let mut lines = lines_of(&batch).into_iter();
        for span in &batch.spans {
            let of_span = lines.by_ref().take(span.items as usize).filter(|_| span.seq != Span::SETTLED);
            of_span.for_each(|(id, line)| self.facts.get_mut(&id).unwrap().settled.extend([line]));
        }
        let settlement = |span: Span| {
            let counts = Counts { delivered: u64::from(span.items), ..span.counts };
            Settlement { source: span.source.id, seq: span.seq, counts }
        };
        tracker.settle(batch.spans.into_iter().map(settlement).collect(), None);
        outlets.iter().for_each(|outlet| outlet.settled(batch.number));
        self.quiet();
    }

    /// As a route saves.
    fn checkpoint(&mut self, may_forget: bool) {
        let Run { tracker, outlets, .. } = self.run();
        let queues: Vec<_> = outlets.iter().filter_map(|outlet| outlet.queue()).collect();
        let settled: Vec<_> = queues.iter().map(|queue| queue.settled()).collect();
        tracker.save().unwrap();
        for (queue, settled) in queues.iter().zip(settled).filter(|_| may_forget) {
            queue.forget(settled).unwrap();
        }
        if self.newest_notes().0 != self.synced.0 {
            self.note_synced();
        }
        for Facts { read, settled, saved, .. } in self.facts.values_mut() {
            *saved = read.iter().copied().take_while(|line| settled.contains(line)).collect();
        }
    }

    fn let_go(&mut self, source: usize) {
        if !self.sources[source].can_wait() || !self.sources[source].is_read() {
            return;
        }
        self.keep(source);
        let (world, tracker) = (&mut self.sources[source], &self.run.as_ref().unwrap().tracker);
        world.close();
        world.renames += 1;
        tracker.saw(std::iter::once((world.id, Some(world.lines * LINE))), self.now_ms);
        tracker.let_go(world.id);
    }

    /// What was read of a file outlives it.
    fn keep(&mut self, source: usize) {
        let (worker, tracker) = (self.worker_of(source), self.tracker());
        if !tracker.is_in_flight(self.sources[source].id) {
            return;
        }
        tracker.make_durable().unwrap();
        self.note_synced();
        let ready = &mut self.run().workers[worker];
        let batch = ready.open.take();
        ready.is_urgent = false;
        ready.direct.extend(batch.iter().flat_map(lines_of));
        ready.outlet.keep(batch);
        self.is_durable(worker);
        self.quiet();
    }

    /// A source is read to its end, and then is no more. Another takes its place.
    fn remove(&mut self, source: usize) {
        self.find(source);
        for _ in 0..1000 {
            if !self.sources[source].is_behind() {
                break;
            }
            self.read(source, 1);
        }
        let kind = match self.sources[source].name() {
            "files" => Kind::File,
            "boxes" => Kind::Docker,
            _ => return self.finish(source),
        };
        if kind == Kind::File {
            self.let_go(source);
        } else {
            self.finish(source);
        }
        self.sources[source].is_gone = true;
        self.appear(kind);
    }

    fn finish(&mut self, source: usize) {
        let tracker = self.tracker();
        tracker.finish(self.sources[source].id);
        self.sources[source].close();
        self.sources[source].is_gone = true;
    }

    /// The newest notes, and their length.
    fn newest_notes(&self) -> (PathBuf, u64) {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let number = |path: &PathBuf| path.extension()?.to_str()?.parse::<u64>().ok();
        let newest = files.filter(|path| number(path).is_some()).max_by_key(number).unwrap();
        let len = std::fs::metadata(&newest).unwrap().len();
        (newest, len)
    }

    fn note_synced(&mut self) {
        self.synced = self.newest_notes();
        self.facts.values_mut().for_each(|facts| facts.durable.clone_from(&facts.noted));
    }

    fn crash(&mut self, power: bool, workers: usize, containers_go: bool) {
        self.quiet();
        self.run = None;
        if power {
            let (path, len) = &self.synced;
            std::fs::File::options().write(true).open(path).unwrap().set_len(*len).unwrap();
            self.facts.values_mut().for_each(|facts| facts.noted.clone_from(&facts.durable));
        }
        for index in 0..self.sources.len() {
            let world = &mut self.sources[index];
            world.close();
            let is_container_over = world.name() == "boxes" && containers_go && !world.is_gone;
            world.is_gone |= is_container_over || world.name() == "pipe";
            if is_container_over {
                self.appear(Kind::Docker);
            }
        }
        self.appear(Kind::Stdin);
        self.start(workers);
    }

    /// As a route starts.
    fn start(&mut self, workers: usize) {
        let queue = |index: usize| self.folder.path().join("queue").join(index.to_string());
        let count = (workers..8).take_while(|index| queue(*index).is_dir()).count() + workers;
        let queues: Vec<_> = (0..count).map(|index| Queue::open(&queue(index), ENDLESS).unwrap()).collect();
        let held: Vec<_> = queues.iter().map(|(_, report)| held(report)).collect();
        let (tracker, opened) =
            queues::track(Some(self.folder.path()), queues.into_iter().map(Some).collect()).unwrap();
        let waiting = opened.iter().map(|one| one.as_ref().unwrap().waiting.clone()).collect::<Vec<_>>();
        self.take_over(&held, &waiting);
        let tracker = Arc::new(tracker);
        let outlets = queues::outlets(opened, Full::Pause, &tracker, &Arc::default(), &Arc::default());
        let tasks = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (lanes, ends): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(1)).unzip();
        for (index, outlet) in outlets.iter().enumerate() {
            if index >= workers {
                outlet.leave();
            }
            tasks.spawn(outlet::drain(Arc::clone(outlet), lanes[index % workers].clone(), stopped.clone()));
        }
        let worker = |(index, lane): (usize, mpsc::Receiver<Batch>)| Worker {
            outlet: Outlet::new(lanes[index].clone(), Arc::clone(&outlets[index])),
            lane,
            open: None,
            is_urgent: false,
            direct: Vec::new(),
            sending: None,
            put_by: Vec::new(),
        };
        let workers = ends.into_iter().enumerate().map(worker).collect();
        self.run = Some(Run { tracker, outlets: Arc::clone(&outlets), workers, tasks, _stop: stop });
        self.note_synced();
        self.call_the_roll(&held);
        self.quiet();
    }

    /// What the new run knows: what is saved, and what it has taken from the queues.
    fn take_over(&mut self, held: &[Vec<Frame>], waiting: &[outlet::Waiting]) {
        for facts in self.facts.values_mut() {
            facts.settled.clone_from(&facts.saved);
            facts.read.clone_from(&facts.saved);
        }
        for (frames, waiting) in held.iter().zip(waiting) {
            for (number, spans) in frames {
                let Some(seqs) = waiting.get(number) else {
                    let mut lines = spans.iter().flat_map(|(id, lines)| lines.clone().map(move |line| (id, line)));
                    assert!(lines.all(|(id, line)| self.facts[id].saved.contains(&line)), "a frame is dropped unsent");
                    continue;
                };
                for ((id, lines), _) in spans.iter().zip(seqs).filter(|(_, (_, seq))| *seq != Span::SETTLED) {
                    self.facts.get_mut(id).unwrap().read.extend(lines.clone());
                }
            }
        }
    }

    /// What is gone is told, as far as it was neither settled nor queued.
    fn call_the_roll(&mut self, held: &[Vec<Frame>]) {
        let tracker = self.tracker();
        let of = |id: SourceId| {
            let spans = held.iter().flatten().flat_map(|(_, spans)| spans);
            let queued = spans.filter(move |(one, _)| *one == id).flat_map(|(_, lines)| lines.clone());
            queued.collect::<BTreeSet<_>>()
        };
        let there: Vec<_> = self.sources.iter().filter(|world| !world.is_gone).map(World::container).collect();
        let missed = tracker.forget_containers("boxes", |container| there.contains(&container.to_owned()));
        for world in self.sources.iter().filter(|world| world.is_gone) {
            let (facts, queued) = (self.facts.get_mut(&world.id).unwrap(), of(world.id));
            let is_lost = |line: &&u64| !facts.saved.contains(line) && !queued.contains(line);
            let lost = facts.noted.iter().filter(is_lost).count() as u64;
            // Told again where there was no checkpoint since.
            let is_told = std::mem::replace(&mut facts.is_told, true);
            match world.name() {
                // Of several chunks of one moment it is not known which is settled.
                "boxes" if is_told || self.clock.contains(&0) => {}
                "boxes" => assert_eq!(missed.contains(&world.container()), lost > 0, "{} is missed", world.container()),
                "files" => assert!(tracker.miss(world.id) <= lost * LINE),
                _ => {}
            }
        }
    }

    fn check_ledger(&self) {
        let ledger = self.run.as_ref().unwrap().tracker.ledger();
        for name in ["files", "boxes", "pipe"] {
            let facts = || self.sources.iter().filter(|world| world.name() == name).map(|world| &self.facts[&world.id]);
            let expected = (
                facts().map(|facts| facts.read.len() as u64).sum::<u64>(),
                facts().map(|facts| facts.settled.len() as u64).sum::<u64>(),
            );
            let counts = ledger.get(name).cloned().unwrap_or_default();
            assert_eq!((counts.read, counts.delivered), expected, "{name}: read and delivered, by the ledger");
        }
    }

    /// One more run, in which the store answers, until nothing is left to do.
    fn end(&mut self) {
        self.act(&Action::Kill(1));
        for source in 0..self.sources.len() {
            for _ in 0..1000 {
                if self.sources[source].is_gone {
                    break;
                }
                self.find(source);
                if !self.sources[source].is_behind() {
                    break;
                }
                self.act(&Action::Seal(0));
                self.read(source, 1);
            }
        }
        for _ in 0..2000 {
            if self.tracker().in_flight() == 0 && self.run().outlets[0].queue().unwrap().frames() == 0 {
                break;
            }
            for action in [Action::Seal(0), Action::Send(0), Action::Answer(0, 0)] {
                self.act(&action);
            }
        }
        self.act(&Action::Checkpoint);
        for outlet in self.run().outlets.iter() {
            assert_eq!(outlet.queue().unwrap().frames(), 0, "left in a queue");
        }
        assert_eq!(self.tracker().in_flight(), 0);
        for world in &self.sources {
            let Facts { read, settled, queued, .. } = &self.facts[&world.id];
            assert_eq!(read, settled);
            let all =
                (0..world.lines).filter(|line| !world.is_gone || world.name() == "files" || queued.contains(line));
            let lost: Vec<_> = all.filter(|line| !self.store.contains_key(&(world.id, *line))).collect();
            assert!(lost.is_empty(), "{} {:?}: {lost:?} are lost", world.name(), world.id);
        }
    }
}

/// A frame's number, and the lines of its spans.
type Frame = (u64, Vec<(SourceId, Range<u64>)>);

fn held(report: &Report) -> Vec<Frame> {
    let lines = |span: &crate::queue::Span| {
        let end = World::line_at(Some(&span.cursor));
        (span.note.source, end - span.lines..end)
    };
    report.frames.iter().map(|frame| (frame.number, frame.spans.iter().map(lines).collect())).collect()
}

fn body(id: SourceId, lines: Range<u64>, seen_ms: i64) -> String {
    lines.map(|line| format!("{id} {line} {seen_ms}\n")).collect()
}

fn lines_with_time(batch: &Batch) -> Vec<(SourceId, u64, i64)> {
    let text = std::str::from_utf8(&batch.body).unwrap();
    let line = |line: &str| {
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap();
        (SourceId::parse(next()).unwrap(), next().parse().unwrap(), next().parse().unwrap())
    };
    text.lines().map(line).collect()
}

fn lines_of(batch: &Batch) -> Vec<(SourceId, u64)> {
    lines_with_time(batch).into_iter().map(|(id, line, _)| (id, line)).collect()
}

/// As the packer does.
fn add(open: &mut Option<Batch>, span: Span, body: &str, unsure: bool) {
    let mut batch = open.take().unwrap_or_else(|| Batch {
        number: 0,
        body: "".into(),
        gzip: false,
        raw_len: 0,
        items: 0,
        spans: Vec::new(),
        unsure: false,
    });
    batch.body = [&batch.body[..], body.as_bytes()].concat().into();
    batch.raw_len = batch.body.len() as u64;
    batch.items += span.items;
    batch.spans.push(span);
    batch.unsure |= unsure;
    *open = Some(batch);
}

/// How many runs of the world there are, unless `PROPTEST_CASES` says so.
const CASES: u32 = 60;

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    ProptestConfig { cases, max_shrink_iters: 4000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_each_line_comes_and_the_books_are_right(
        clock in prop::sample::select(CLOCKS.to_vec()),
        actions in prop::collection::vec(action(), 1..60),
    ) {
        let mut model = Model::new(clock);
        for action in &actions {
            model.act(action);
        }
        model.end();
    }
}
