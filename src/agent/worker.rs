//! One worker thread of one output: reads the files that it was given, takes every chunk through the pure middle, and
//! hands sealed batches to its outlet. A source stays on one worker, so its order is kept. While the store is away, files
//! that still lie there are not read; what cannot wait is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::base::batch::Span;
use crate::base::chunk::Chunk;
use crate::base::clock;
use crate::base::failpoint;
use crate::base::metrics::{Metric, Metrics};
use crate::base::seldom::Seldom;
use crate::base::source::{Source, SourceId};
use crate::collect::identity::FileKey;
use crate::collect::lines::Spare;
use crate::output::Refused;
use crate::pack::Packer;
use crate::pipeline::{HELD_BACK, Part, Pipeline};
use crate::ship::{Destination, ParkedRecord};
use crate::track::{self, Tracker};

use super::follow::{Follow, Waiting};
use super::outlet::Outlet;

/// What a worker is given.
#[derive(Debug)]
pub enum Input {
    /// A file has changed, or waits to be followed.
    Look(FileKey),
    /// A file has another path now.
    Renamed(FileKey, PathBuf),
    /// Lines that were read elsewhere.
    Chunk(Box<Chunk>),
    /// Nothing more will come of a source that is read elsewhere.
    Finished(SourceId),
}

/// One worker.
#[derive(Debug)]
pub struct Worker {
    /// For waiting with a limit of time.
    pub runtime: Handle,
    /// What it is given. Closed when nothing more can come.
    pub inputs: mpsc::Receiver<Input>,
    /// The files to follow from now on.
    pub waiting: Waiting,
    /// The pure middle.
    pub pipeline: Pipeline,
    /// What came of the chunk at hand.
    pub part: Part,
    /// The open batch.
    pub packer: Packer,
    /// A chunk is in it whose source cannot wait.
    pub is_urgent: bool,
    /// Something could not be written before a stop: nothing more is taken, so that no checkpoint passes it.
    pub has_given_up: bool,
    /// Where sealed ones go.
    pub outlet: Outlet,
    /// Where records are set aside that its store would refuse.
    pub destination: Arc<Destination>,
    /// What is safely delivered.
    pub tracker: Arc<Tracker>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// For messages that repeat.
    pub seldom: Arc<Seldom>,
    /// Stop reading, hand over what there is, and end.
    pub stop: Arc<AtomicBool>,
    /// The files that it follows.
    pub follows: Vec<Follow>,
    /// Buffers used again for each chunk of a file.
    pub spare: Spare,
    /// Bytes that waited in its files when last measured, by source.
    pub lag: BTreeMap<Arc<str>, u64>,
    /// When that was.
    pub measured: Option<Instant>,
    /// Ends when all files are read to their end and no input can come.
    pub once: bool,
}

/// How long a worker sleeps at most when there is nothing to read.
const IDLE: Duration = Duration::from_millis(100);

/// How long after a stop the last chunks may take to come.
const LAST_INPUT: Duration = Duration::from_millis(300);

/// How often the lag is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// How long it waits before it tries again to write state.
const STATE_RETRY: Duration = Duration::from_secs(1);

impl Worker {
    /// Works until told to stop, or, once, until all is read. What was read is handed over either way.
    pub fn run(mut self) {
        let mut open = true;
        while !self.stop.load(Ordering::Relaxed) {
            let mut busy = false;
            while let Ok(input) = self.inputs.try_recv() {
                self.take(input);
                busy = true;
            }
            self.waiting.move_to(&mut self.follows);
            busy |= self.read_files();
            self.measure_files();
            self.seal_if_due();
            if busy {
                continue;
            }
            if self.once && !open && self.follows.is_empty() {
                break;
            }
            open = self.wait(open);
        }
        self.take_last_chunks();
        self.keep_deleted();
        self.seal();
        self.measured = None;
        self.measure_files();
    }

    /// After a stop: what was read elsewhere by then is still taken, since it may not come again. No file is read.
    fn take_last_chunks(&mut self) {
        let next =
            |worker: &mut Self| worker.runtime.block_on(async { timeout(LAST_INPUT, worker.inputs.recv()).await });
        while let Ok(Some(input)) = next(self) {
            if let Input::Chunk(chunk) = input {
                self.process(*chunk, !self.once);
            }
        }
    }

    /// Waits for an input, a little. `false`: none can come any more.
    fn wait(&mut self, open: bool) -> bool {
        let is_held_up = self.is_held_up();
        let Self { runtime, inputs, outlet, .. } = self;
        let input = runtime.block_on(async {
            tokio::select! {
                input = inputs.recv(), if open => Some(input),
                () = outlet.room(), if is_held_up => None,
                () = tokio::time::sleep(IDLE) => None,
            }
        });
        match input {
            Some(Some(input)) => self.take(input),
            Some(None) => return false,
            None => {}
        }
        open
    }

    /// The open batch is full, and there is no room for it: what can wait is not read.
    fn is_held_up(&self) -> bool {
        self.packer.is_due(clock::now_ms()) && !self.outlet.has_room()
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Look(key) => self.followed(key).into_iter().for_each(Follow::look),
            Input::Renamed(key, path) => self.followed(key).into_iter().for_each(|follow| follow.renamed(path.clone())),
            Input::Chunk(chunk) => self.process(*chunk, !self.once),
            Input::Finished(id) => {
                self.pipeline.forget(id);
                self.tracker.finish(id);
            }
        }
    }

    fn followed(&mut self, key: FileKey) -> Option<&mut Follow> {
        self.follows.iter_mut().find(|follow| follow.key() == key)
    }

    /// One chunk of each file that has any: a quiet file is not starved by a loud one. Whether there was any.
    fn read_files(&mut self) -> bool {
        let now_ms = clock::now_ms();
        let mut busy = false;
        let mut index = 0;
        while index < self.follows.len() {
            let can_wait = self.follows[index].can_wait(now_ms);
            if can_wait && self.is_held_up() {
                index += 1;
                continue;
            }
            if let Some((chunk, identity)) = self.follows[index].read(now_ms, &mut self.spare) {
                let (id, generation) = (chunk.source.id, chunk.generation);
                if let Some(identity) = identity {
                    self.until_written(|tracker| tracker.identify(id, &identity, generation));
                }
                self.process(chunk, !can_wait);
                busy = true;
            }
            if self.follows[index].is_over() || self.follows[index].is_to_be_kept(now_ms) {
                self.keep(self.follows[index].source());
            }
            if self.follows[index].is_over() {
                let over = self.follows.swap_remove(index);
                self.pipeline.forget(over.source());
                over.release();
            } else {
                index += 1;
            }
        }
        busy
    }

    /// Takes a chunk through. `is_urgent`: its source cannot wait for a store that is away.
    fn process(&mut self, mut chunk: Chunk, is_urgent: bool) {
        if self.has_given_up {
            return;
        }
        failpoint::hit("read");
        self.pipeline.process(&mut chunk, &mut self.part);
        self.count(&chunk);
        let seq = self.until_written(|tracker| tracker.begin(&chunk));
        let Some(seq) = seq.filter(|_| self.park_refused(&chunk.source).is_some()) else {
            self.has_given_up = true;
            return;
        };
        failpoint::hit("noted");
        let Part { body, items, counts, .. } = &mut self.part;
        let span = Span { source: Arc::clone(&chunk.source), seq, items: *items, counts: std::mem::take(counts) };
        self.packer.add(body, span, chunk.replayed, clock::now_ms());
        self.is_urgent |= is_urgent;
        self.seal_if_due();
        self.spare.take_back(chunk);
    }

    fn count(&self, chunk: &Chunk) {
        let (metrics, part, name) = (&self.metrics, &self.part, &chunk.source.name);
        metrics.add(Metric::ReadBytes, name, chunk.input_bytes);
        metrics.add(Metric::ReadLines, name, chunk.lines.len() as u64);
        metrics.add(Metric::CutLines, name, chunk.lines.iter().filter(|line| line.cut).count() as u64);
        metrics.add(Metric::HeldRecords, name, part.held);
        let dropped = part.counts.dropped.iter().filter(|(rule, _)| *rule != HELD_BACK);
        dropped.for_each(|(rule, count)| metrics.add(Metric::DroppedRecords, rule, *count));
        for (detector, count) in &part.masked {
            metrics.add(Metric::MaskedValues, &format!("{detector},{name}"), *count);
        }
        for (detector, path) in &part.places {
            let place = if path.is_empty() { "lines of text" } else { path };
            let text = format!("masked {detector} in {place} of source {name}");
            self.seldom.told(text, Instant::now()).into_iter().for_each(|text| tracing::info!("{text}"));
        }
    }

    /// Tells how many bytes this worker's files have, and how many wait in them, by source.
    fn measure_files(&mut self) {
        if self.measured.is_some_and(|at| at.elapsed() < MEASURE_EVERY) {
            return;
        }
        self.measured = Some(Instant::now());
        self.tracker.saw(self.follows.iter().map(|follow| (follow.source(), Some(follow.size()))), clock::now_ms());
        let mut now: BTreeMap<Arc<str>, u64> = self.lag.keys().map(|name| (Arc::clone(name), 0)).collect();
        for follow in &self.follows {
            let (name, bytes) = follow.lag();
            *now.entry(Arc::clone(name)).or_default() += bytes;
        }
        for (name, bytes) in &now {
            let before = self.lag.get(name).copied().unwrap_or(0);
            self.metrics.shift(Metric::LagBytes, name, before, *bytes);
        }
        self.lag = now;
    }

    /// Sets aside what the store would refuse, again and again while the disk refuses that. `None`: told to stop before.
    fn park_refused(&mut self, source: &Source) -> Option<()> {
        let refused = std::mem::take(&mut self.part.refused);
        if refused.is_empty() {
            return Some(());
        }
        let parked: Vec<_> = refused.into_iter().map(|one| parked(one, source)).collect();
        self.until(|| self.destination.park_or_hold(&parked))
    }

    /// A batch whose sources can wait stays open until there is room for it.
    fn seal_if_due(&mut self) {
        if self.packer.is_due(clock::now_ms()) && (self.is_urgent || self.outlet.has_room()) {
            self.seal();
        }
    }

    /// A file that is let go may be deleted, or is: what was read of it must outlive a crash.
    fn keep(&mut self, source: SourceId) {
        if self.once || !self.tracker.is_in_flight(source) {
            return;
        }
        self.is_urgent = false;
        let batch = self.packer.seal();
        if self.until_written(Tracker::make_durable).is_some() {
            self.outlet.keep(batch);
        }
    }

    /// The next run cannot read them again.
    fn keep_deleted(&mut self) {
        let deleted: Vec<SourceId> =
            self.follows.iter().filter(|follow| follow.is_deleted()).map(Follow::source).collect();
        deleted.into_iter().for_each(|source| self.keep(source));
    }

    /// Closes the open batch and hands it over, when its notes are durable.
    fn seal(&mut self) {
        let can_wait = !std::mem::take(&mut self.is_urgent);
        let Some(batch) = self.packer.seal() else { return };
        failpoint::hit("sealed");
        if self.until_written(Tracker::make_durable).is_some() {
            self.outlet.hand_over(batch, can_wait);
            failpoint::hit("queued");
        }
    }

    /// Writes state, again and again while the disk refuses: nothing is sent that is not noted. `None`: told to stop
    /// before it could be written.
    fn until_written<T>(&self, write: impl Fn(&Tracker) -> Result<T, track::Error>) -> Option<T> {
        self.until(|| write(&self.tracker))
    }

    fn until<T, E: Display>(&self, write: impl Fn() -> Result<T, E>) -> Option<T> {
        loop {
            match write() {
                Ok(value) => return Some(value),
                Err(_) if self.stop.load(Ordering::Relaxed) => return None,
                Err(error) => {
                    let text = format!("{error}; reading pauses until it can be written");
                    if let Some(text) = self.seldom.told(text, Instant::now()) {
                        tracing::error!("{text}");
                    }
                }
            }
            std::thread::sleep(STATE_RETRY);
        }
    }
}

fn parked(refused: Refused, source: &Source) -> ParkedRecord {
    ParkedRecord {
        id: refused.id,
        source: source.name.to_string(),
        reason: refused.reason,
        place: refused.place,
        document: refused.document,
    }
}
