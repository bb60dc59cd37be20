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

mod start;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::world::World;
use crate::agent::outlet::{self, Outlet};
use crate::base::batch::Batch;
use crate::base::source::{Kind, SourceId};
use crate::track::Tracker;

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
        4 => any_of().prop_map(Action::PutBy),
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

/// What is true of one source's lines.
#[derive(Debug, Default)]
struct Facts {
    /// Read by this run, or taken over by it.
    read: BTreeSet<u64>,
    /// Answered for, of those.
    settled: BTreeSet<u64>,
    /// Of those, what a checkpoint covers.
    saved: BTreeSet<u64>,
    /// Answered for, of what a queue has of a file behind a hole; and of those, what a checkpoint covers.
    beyond: BTreeSet<u64>,
    saved_beyond: BTreeSet<u64>,
    /// Noted, and what of that outlives a loss of power.
    noted: BTreeSet<u64>,
    durable: BTreeSet<u64>,
    /// Its end was told, if it has one.
    is_told: bool,
    /// Once in a queue on disk: never to be lost.
    queued: BTreeSet<u64>,
}

impl Facts {
    fn has_saved(&self, line: u64) -> bool {
        self.saved.contains(&line) || self.saved_beyond.contains(&line)
    }
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

    fn check_ledger(&self) {
        let ledger = self.run.as_ref().unwrap().tracker.ledger();
        for name in ["files", "boxes", "pipe"] {
            let facts = || self.sources.iter().filter(|world| world.name() == name).map(|world| &self.facts[&world.id]);
            let expected = (
                facts().map(|facts| (facts.read.len() + facts.beyond.len()) as u64).sum::<u64>(),
                facts().map(|facts| (facts.settled.len() + facts.beyond.len()) as u64).sum::<u64>(),
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
