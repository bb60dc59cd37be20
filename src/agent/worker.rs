//! One worker thread of one output: reads the files that it was given, takes every chunk through the pure middle, and
//! hands sealed batches to its outlet. A source stays on one worker, so its order is kept. While the store is away, files
//! that still lie there are not read; what cannot wait is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::base::batch::Span;
use crate::base::chunk::Chunk;
use crate::base::clock;
use crate::base::failpoint;
use crate::base::fault::Fault;
use crate::base::metrics::{Metric, Metrics};
use crate::base::seldom::Seldom;
use crate::base::source::{Source, SourceId};
use crate::collect::lines::Spare;
use crate::output::Refused;
use crate::pack::Packer;
use crate::pipeline::{HELD_BACK, Part, Pipeline};
use crate::ship::{Destination, ParkedRecord};
use crate::track::{self, Tracker};

use super::follow::{Follow, LOOK_EVERY_MS};
use super::follows::{Follows, Waiting};
use super::outlet::Outlet;
use super::patience::wait_for;

/// What a worker is given.
#[derive(Debug)]
pub enum Input {
    /// Lines that were read elsewhere.
    Chunk(Box<Chunk>),
    /// Nothing more will come of a source that is read elsewhere.
    Finished(SourceId),
}

/// One worker.
#[derive(Debug)]
pub struct Worker {
    /// What it is given. Closed when nothing more can come.
    pub inputs: mpsc::Receiver<Input>,
    /// The files to follow from now on, and what is told of them.
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
    /// The same, to be waited for.
    pub stop_tasks: watch::Receiver<bool>,
    /// The files that it follows.
    pub follows: Follows,
    /// Buffers used again for each chunk of a file.
    pub spare: Spare,
    /// Bytes that waited in its files when last measured, by source.
    pub lag: BTreeMap<Arc<str>, u64>,
    /// In which second since 1970 that was.
    pub measured: Option<i64>,
    /// Ends when all files are read to their end and no input can come.
    pub once: bool,
}

/// How long a worker waits at most where files may be deleted that it does not read.
const HELD_UP: Duration = Duration::from_millis(100);

/// How long it waits at most.
const IDLE: Duration = Duration::from_secs(10);

/// How long after a stop the last chunks may take to come.
const LAST_INPUT: Duration = Duration::from_millis(300);

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
            self.follows.take(&self.waiting);
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
        while let Some(Some(input)) = wait_for(self.inputs.recv(), LAST_INPUT) {
            if let Input::Chunk(chunk) = input {
                self.process(*chunk, !self.once);
            }
        }
    }

    /// Waits for an input, or until there is something to do. `false`: no input can come any more.
    fn wait(&mut self, open: bool) -> bool {
        let (patience, is_held_up) = (self.patience(), self.is_held_up());
        let Self { inputs, outlet, waiting, stop_tasks, .. } = self;
        let input = wait_for(
            async {
                tokio::select! {
                    input = inputs.recv(), if open => Some(input),
                    () = waiting.come() => None,
                    () = outlet.room(), if is_held_up => None,
                    _ = stop_tasks.wait_for(|stop| *stop) => None,
                }
            },
            patience,
        );
        match input.flatten() {
            Some(Some(input)) => self.take(input),
            Some(None) => return false,
            None => {}
        }
        open
    }

    /// How long there is nothing to do, unless something comes.
    fn patience(&self) -> Duration {
        if self.is_held_up() {
            return HELD_UP;
        }
        let now_ms = clock::now_ms();
        let batch = self.packer.is_due_in_ms(now_ms);
        let next = self.follows.next_in_ms(now_ms).into_iter().chain(batch).min();
        // A ms begins before it is over.
        next.map_or(IDLE, |ms| Duration::from_millis(ms.max(1))).min(IDLE)
    }

    /// The open batch is full, and there is no room for it: what can wait is not read.
    fn is_held_up(&self) -> bool {
        self.packer.is_due(clock::now_ms()) && !self.outlet.has_room()
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Chunk(chunk) => self.process(*chunk, !self.once),
            Input::Finished(id) => {
                self.pipeline.forget(id);
                self.tracker.finish(id);
            }
        }
    }

    /// One chunk of each file that has any: a quiet file is not starved by a loud one. Whether there was any.
    fn read_files(&mut self) -> bool {
        let now_ms = clock::now_ms();
        let mut busy = false;
        let mut next = 0;
        while let Some(index) = self.follows.due_from(next, now_ms) {
            next = index + 1;
            if self.is_held_up() && self.follows.change(index, |follow| follow.can_wait(now_ms)) {
                continue;
            }
            let read = self.follows.change(index, |follow| follow.read(now_ms, &mut self.spare));
            let can_wait = self.follows.change(index, |follow| follow.can_wait(now_ms));
            if let Some((chunk, identity)) = read {
                let (id, generation) = (chunk.source.id, chunk.generation);
                if let Some(identity) = identity {
                    self.until_written(|tracker| tracker.identify(id, &identity, generation));
                }
                self.process(chunk, !can_wait);
                busy = true;
            }
            let (source, is_over, is_to_be_kept) =
                self.follows.change(index, |follow| (follow.source(), follow.is_over(), follow.is_to_be_kept(now_ms)));
            if is_over || is_to_be_kept {
                self.keep(source);
            }
            if is_over {
                self.pipeline.forget(source);
                self.follows.remove(index).release();
                next = index;
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
        for Fault { message, hint, .. } in &part.label_faults {
            let hint = hint.as_ref().map_or(String::new(), |hint| format!("\nhint: {hint}"));
            let text = format!("label logferry.mask of {}: {message}{hint}", chunk.source.container_name);
            self.seldom.told(text, Instant::now()).into_iter().for_each(|text| tracing::warn!("{text}"));
        }
        for (detector, path) in &part.places {
            let place = if path.is_empty() { "lines of text" } else { path };
            let text = format!("masked {detector} in {place} of source {name}");
            self.seldom.told(text, Instant::now()).into_iter().for_each(|text| tracing::info!("{text}"));
        }
    }

    /// Tells how many bytes this worker's files have, and how many wait in them, by source.
    fn measure_files(&mut self) {
        let now_ms = clock::now_ms();
        let second = now_ms.div_euclid(LOOK_EVERY_MS);
        if self.measured == Some(second) {
            return;
        }
        self.measured = Some(second);
        let sizes = self.follows.iter_mut().filter_map(|follow| {
            let size = follow.take_size();
            size.map(|size| (follow.source(), Some(size)))
        });
        self.tracker.saw(sizes, now_ms);
        let mut now: BTreeMap<Arc<str>, u64> = self.lag.keys().map(|name| (Arc::clone(name), 0)).collect();
        for follow in self.follows.iter() {
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
