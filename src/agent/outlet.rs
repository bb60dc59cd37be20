//! The way from one worker to its lane, and the queue on disk beside it: there waits what cannot wait in its source while
//! the store is away; `drain` takes it out again. Reads no source and sends nothing itself.
//!
//! Batches leave in the order in which they were read. The lane has a few in memory; only when it is full does a batch go
//! to the queue, after a copy of each of those: so the queue, once it holds anything, holds all that is not settled, and
//! a crash reads nothing of it again. While it holds anything every batch goes through it, but for frames that wait for
//! an index of their own: those are put by, and all others go on.
//!
//! A frame of the queue is one of three: a copy of a batch that is still in the lane; a copy of one that is settled by
//! now; or a batch that was in no lane yet, which alone has entries in `waiting`.

mod drain;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use drain::drain;
use tokio::sync::{Notify, mpsc};

use crate::base::batch::{Batch, Span};
use crate::base::clock;
use crate::base::counts::Counts;
use crate::base::failpoint;
use crate::base::metrics::Metrics;
use crate::base::seldom::Seldom;
use crate::base::source::SourceId;
use crate::queue::{self, Full, Push, Queue, Sealed};
use crate::track::{Settlement, Tracker};

/// The reason under which records are counted that a full queue dropped.
pub const QUEUE_FULL: &str = "queue_full";

/// How soon a batch that found no room tries again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long to wait before a disk that refuses is tried again.
const DISK_RETRY: Duration = Duration::from_secs(1);

/// What the outlets of one route have in common.
#[derive(Debug, Default)]
pub struct Order {
    /// The number of the next batch.
    next: AtomicU64,
    /// Frames that an earlier run left: they go before everything new, whichever worker that comes from.
    inherited: AtomicUsize,
}

/// What a worker, its lane and those who look on share.
#[derive(Debug)]
pub struct Shared {
    queue: Option<Queue>,
    full: Full,
    tracker: Arc<Tracker>,
    metrics: Arc<Metrics>,
    order: Arc<Order>,
    seldom: Arc<Seldom>,
    state: Mutex<State>,
    /// Something changed that the drain may wait for.
    changed: Notify,
    has_worker_ended: AtomicBool,
    /// Reading waits for room in the queue.
    is_paused: AtomicBool,
    /// Frames that were damaged, and whose lines the next run reads again.
    damaged: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// What is in the lane and not settled, by number.
    in_lane: BTreeMap<u64, InLane>,
    /// Frames that were in no lane yet.
    waiting: Waiting,
    /// Frames below this number are entered above, where they belong there.
    known: u64,
    /// Frames below this number were there before this run.
    first_own: u64,
}

#[derive(Debug)]
struct InLane {
    /// To be copied to the queue; `None` where it came from there.
    batch: Option<Batch>,
    frame: Option<u64>,
    /// Some of it waits for its own index, while others go on.
    is_put_by: bool,
}

/// A worker's end.
#[derive(Debug)]
pub struct Outlet {
    lane: mpsc::Sender<Batch>,
    shared: Arc<Shared>,
}

impl Order {
    fn is_inherited_left(&self) -> bool {
        self.inherited.load(Ordering::Acquire) > 0
    }
}

/// Frames by number: the source and the sequence number of each of their spans.
pub type Waiting = HashMap<u64, Vec<(SourceId, u64)>>;

/// A queue as it is opened.
#[derive(Debug)]
pub struct Opened {
    /// The queue.
    pub queue: Queue,
    /// The frames that are to be sent.
    pub waiting: Waiting,
    /// How many frames there are, settled ones included.
    pub frames: usize,
    /// The number after the last of them.
    pub first_own: u64,
}

impl Shared {
    /// With a queue, if there is to be one.
    pub fn new(
        opened: Option<Opened>,
        full: Full,
        tracker: Arc<Tracker>,
        metrics: Arc<Metrics>,
        order: Arc<Order>,
        seldom: Arc<Seldom>,
    ) -> Self {
        let mut state = State::default();
        let queue = opened.map(|Opened { queue, waiting, frames, first_own }| {
            order.inherited.fetch_add(frames, Ordering::AcqRel);
            (state.waiting, state.known, state.first_own) = (waiting, first_own, first_own);
            queue
        });
        Self {
            queue,
            full,
            tracker,
            metrics,
            order,
            seldom,
            state: Mutex::new(state),
            changed: Notify::new(),
            has_worker_ended: AtomicBool::new(false),
            is_paused: AtomicBool::new(false),
            damaged: AtomicU64::new(0),
        }
    }

    /// How many batches were damaged in the queue that only the next run can read again.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// The queue, to be measured and to forget what a checkpoint covers.
    pub fn queue(&self) -> Option<&Queue> {
        self.queue.as_ref()
    }

    /// Whether reading waits because the queue is full.
    pub fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    /// No worker has this queue any more: only what is in it is sent.
    pub fn leave(&self) {
        self.has_worker_ended.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// A batch of a lane is settled.
    pub fn settled(&self, number: u64) {
        if let Some(one) = self.state().in_lane.remove(&number) {
            // Whoever drains the queue does not wait for one that was put by.
            if let (true, Some(frame), Some(queue)) = (one.is_put_by, one.frame, &self.queue) {
                queue.done(frame);
            }
            self.changed.notify_one();
        }
    }

    /// A batch of a lane waits for an index, and others go on.
    pub fn put_by(&self, number: u64) {
        if let Some(one) = self.state().in_lane.get_mut(&number) {
            one.is_put_by = true;
            self.changed.notify_one();
        }
    }

    /// Whether nobody needs to wait for a frame any more. One that its batch leaves behind is put by in the queue too.
    fn is_passed(&self, queue: &Queue, frame: u64) -> bool {
        let state = self.state();
        let Some(one) = state.in_lane.values().find(|one| one.frame == Some(frame)) else {
            queue.done(frame);
            failpoint::hit("passed");
            return true;
        };
        one.is_put_by && queue.put_by(frame)
    }

    /// Enters a batch that goes into the lane now, under its number.
    fn enter(&self, batch: &mut Batch, frame: Option<u64>) {
        batch.number = self.order.next.fetch_add(1, Ordering::Relaxed);
        let copy = (self.queue.is_some() && frame.is_none()).then(|| batch.clone());
        self.state().in_lane.insert(batch.number, InLane { batch: copy, frame, is_put_by: false });
    }

    /// A frame is through: one less, if an earlier run left it.
    fn pass_inherited(&self, frame: u64) {
        if frame < self.state().first_own {
            self.order.inherited.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn is_queued(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.head().is_some())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, text: String) {
        if let Some(text) = self.seldom.told(text, Instant::now()) {
            tracing::error!("{text}");
        }
    }
}

impl Outlet {
    /// Before a lane.
    pub fn new(lane: mpsc::Sender<Batch>, shared: Arc<Shared>) -> Self {
        Self { lane, shared }
    }

    /// Whether a batch would go straight into the lane.
    pub fn has_room(&self) -> bool {
        self.lane.capacity() > 0 && !self.shared.is_queued() && !self.shared.order.is_inherited_left()
    }

    /// Waits until there is room, or for as long as that makes no sense.
    pub async fn room(&self) {
        if self.shared.is_queued() || self.shared.order.is_inherited_left() {
            return std::future::pending().await;
        }
        // A lane that has ended has room for nothing.
        drop(self.lane.reserve().await);
    }

    /// Makes all that is not settled durable, with the batch at hand: a file that it was read from is let go.
    pub fn keep(&self, batch: Option<Batch>) {
        match (&self.shared.queue, batch) {
            (Some(queue), Some(batch)) => self.until_done(true, || self.spill(queue, &batch)),
            (Some(queue), None) => {
                // Whoever wants the newest to be dropped wants no pause.
                let may_drop = self.shared.full == Full::DropNewest;
                self.until_done(true, || Ok(self.copy_lane(queue)? || may_drop));
            }
            (None, Some(batch)) => self.hand_over(batch, true),
            (None, None) => {}
        }
    }

    /// Hands a batch over. Where there is no room, one that cannot wait goes to the queue; any other waits here, and so
    /// does one that a full queue does not take. A lane that has ended takes no more: the batch is read again.
    pub fn hand_over(&self, batch: Batch, can_wait: bool) {
        let queue = self.shared.queue.as_ref().filter(|_| !can_wait);
        let mut batch = Some(batch);
        self.until_done(queue.is_some(), || {
            if self.has_room()
                && let Some(mut batch) = batch.take()
            {
                self.shared.enter(&mut batch, None);
                let _ = self.lane.blocking_send(batch);
            }
            match (&batch, queue) {
                (Some(batch), Some(queue)) => self.spill(queue, batch),
                (batch, _) => Ok(batch.is_none()),
            }
        });
    }

    /// Tries again and again until it is done (`true`), or the lane has ended. `by_queue`: what it waits for is the queue.
    fn until_done(&self, by_queue: bool, mut attempt: impl FnMut() -> Result<bool, queue::Error>) {
        loop {
            let pause = match attempt() {
                Ok(true) => return,
                Ok(false) => LOOK_AGAIN,
                Err(error) => {
                    self.shared.say(format!("{error}; reading pauses until it can be written"));
                    DISK_RETRY
                }
            };
            if self.lane.is_closed() {
                return;
            }
            self.shared.is_paused.store(by_queue, Ordering::Relaxed);
            std::thread::sleep(pause);
            self.shared.is_paused.store(false, Ordering::Relaxed);
        }
    }

    /// Puts a batch into the queue, after copies of those in the lane. `false`: the queue is full.
    fn spill(&self, queue: &Queue, batch: &Batch) -> Result<bool, queue::Error> {
        if !self.copy_lane(queue)? {
            return Ok(false);
        }
        let Some(sealed) = self.sealed(batch, batch.unsure) else { return Ok(true) };
        let Some(frame) = self.push(queue, &sealed)? else {
            self.shared.changed.notify_one();
            return Ok(self.shared.full == Full::DropNewest && self.drop_batch(batch));
        };
        let mut state = self.shared.state();
        state.waiting.insert(frame, batch.spans.iter().map(|span| (span.source.id, span.seq)).collect());
        state.known = frame + 1;
        drop(state);
        failpoint::hit("waiting");
        self.shared.changed.notify_one();
        Ok(true)
    }

    /// Puts copies of what the lane has into the queue. `false`: the queue is full.
    fn copy_lane(&self, queue: &Queue) -> Result<bool, queue::Error> {
        let copies: Vec<_> =
            self.shared.state().in_lane.iter().filter_map(|(number, one)| copy(*number, one)).collect();
        for (number, copied) in copies {
            let Some(sealed) = self.sealed(&copied, true) else { continue };
            let Some(frame) = self.push(queue, &sealed)? else { return Ok(false) };
            let mut state = self.shared.state();
            if let Some(one) = state.in_lane.get_mut(&number) {
                (one.frame, one.batch) = (Some(frame), None);
            }
            state.known = frame + 1;
            drop(state);
            self.shared.changed.notify_one();
        }
        Ok(true)
    }

    /// The number of the frame that a sealed batch became. `None`: the queue is full.
    fn push(&self, queue: &Queue, sealed: &Sealed) -> Result<Option<u64>, queue::Error> {
        loop {
            match queue.push(sealed, clock::now_ms())? {
                Push::Queued(frame) => {
                    failpoint::hit("pushed");
                    return Ok(Some(frame));
                }
                Push::Full(_) if self.shared.full == Full::DropOldest && self.drop_oldest(queue)? => {}
                Push::Full(_) => return Ok(None),
            }
        }
    }

    /// A batch as the queue keeps it. `None`: it is settled by now.
    fn sealed(&self, batch: &Batch, unsure: bool) -> Option<Sealed> {
        let spans = batch.spans.iter().map(|span| self.queued(span)).collect::<Option<_>>()?;
        let Batch { body, gzip, raw_len, items, .. } = batch;
        Some(Sealed { body: body.to_vec(), gzip: *gzip, raw_len: *raw_len, items: *items, spans, unsure })
    }

    /// What the next run must know of a span. Nothing, where it is settled.
    fn queued(&self, span: &Span) -> Option<queue::Span> {
        let (note, cursor) = self.shared.tracker.flight(span.source.id, span.seq)?;
        Some(queue::Span {
            kind: span.source.kind,
            name: span.source.name.to_string(),
            note,
            cursor,
            lines: span.counts.read,
            items: span.items,
            counts: span.counts.clone(),
        })
    }

    /// Drops the oldest frame that waits, and counts it. `false`: there is none.
    fn drop_oldest(&self, queue: &Queue) -> Result<bool, queue::Error> {
        let Some(dropped) = queue.drop_oldest()? else { return Ok(false) };
        let chunks = self.shared.state().waiting.remove(&dropped.number).unwrap_or_default();
        let mut spans = dropped.spans.unwrap_or_default().into_iter();
        let settlements = chunks.into_iter().map(|(source, seq)| {
            let known = spans.next().map(|span| (span.items, span.counts));
            // A damaged header does not say it.
            let counts = || self.shared.tracker.counts(source, seq).unwrap_or_default();
            let (items, counts) = known.unwrap_or_else(|| (counts().read as u32, counts()));
            dropped_by_queue(source, seq, items, counts)
        });
        self.shared.tracker.settle(settlements.collect(), None);
        self.shared.pass_inherited(dropped.number);
        Ok(true)
    }

    fn drop_batch(&self, batch: &Batch) -> bool {
        let dropped = |span: &Span| dropped_by_queue(span.source.id, span.seq, span.items, span.counts.clone());
        self.shared.tracker.settle(batch.spans.iter().map(dropped).collect(), None);
        true
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

fn copy(number: u64, one: &InLane) -> Option<(u64, Batch)> {
    one.batch.clone().map(|batch| (number, batch))
}

fn dropped_by_queue(source: SourceId, seq: u64, items: u32, mut counts: Counts) -> Settlement {
    if items > 0 {
        *counts.dropped.entry(QUEUE_FULL.to_owned()).or_default() += u64::from(items);
    }
    Settlement { source, seq, counts }
}

#[cfg(test)]
mod tests;
