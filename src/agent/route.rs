//! One output's own way from the sources to its store: its tracker, its readers, its workers with a lane each. Shares
//! with other outputs the rules, the start and the stop, and nothing that could hold it up: one that is down is no
//! matter to another.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::base::batch::Batch;
use crate::base::clock;
use crate::base::fault::Fault;
use crate::base::metrics::{Metric, Metrics};
use crate::base::quantity::Span;
use crate::base::seldom::Seldom;
use crate::collect::lines::Spare;
use crate::config::{Config, Output};
use crate::filter::Condition;
use crate::output::{Encoder, Kind};
use crate::pack::Packer;
use crate::pipeline::{Part, Pipeline, Rules};
use crate::queue::Queue;
use crate::ship::{self, Destination, Tell, Told};
use crate::track::{self, Settlement, Tracker};

use super::follows::{Follows, Waiting};
use super::outlet::{self, Outlet};
use super::sources::{Way, Workers};
use super::worker::{Input, Worker};
use super::{Error, changes, queues};

/// Batches that wait in a lane while one is sent.
const LANE_DEPTH: usize = 1;

/// How many batches a worker has at once: one open, one waiting, one being sent.
const BATCHES_A_WORKER: u64 = 2 + LANE_DEPTH as u64;

/// A worker's batches are not made smaller than this to fit the memory budget; there are fewer workers instead.
const SMALLEST_BATCH: u64 = 1 << 20;

/// Inputs that wait for a worker.
const INPUTS: usize = 4;

/// One output, ready.
#[derive(Debug)]
pub struct Route {
    /// Its name.
    pub name: Arc<str>,
    /// What it has safely delivered.
    pub tracker: Arc<Tracker>,
    /// Its own counters.
    pub metrics: Arc<Metrics>,
    /// Its store.
    pub destination: Arc<Destination>,
    config: Output,
    /// The last checkpoint could be saved, and its queues have forgotten what it covers.
    is_saved: AtomicBool,
    /// One a worker, and one for each queue that an earlier run with more workers left.
    outlets: Arc<[Arc<outlet::Shared>]>,
}

/// What all routes share.
#[derive(Debug)]
pub struct Common {
    /// The compiled configuration.
    pub rules: Arc<Rules>,
    /// For messages that repeat.
    pub seldom: Arc<Seldom>,
    /// "Read no more".
    pub stop: super::Stop,
    /// Told to lanes: what is not settled by now is left to the next run.
    pub give_up: watch::Sender<bool>,
    /// Read what is there, then end.
    pub once: bool,
    /// How many workers each route has, and how many bytes a batch of theirs.
    pub share: Share,
}

/// One route's part of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Threads.
    pub workers: usize,
    /// Bytes of one batch before compression, at most.
    pub batch_bytes: u64,
}

impl Share {
    /// Divides the memory budget among all batches that there may be at once.
    pub fn of(config: &Config) -> Self {
        let batches_for_one = config.outputs.len() as u64 * BATCHES_A_WORKER;
        let affordable = config.agent.memory.0 / (batches_for_one * SMALLEST_BATCH);
        let workers = config.agent.workers().get().min(usize::try_from(affordable).unwrap_or(1)).max(1);
        Self { workers, batch_bytes: config.agent.memory.0 / (batches_for_one * workers as u64) }
    }
}

/// What runs for the routes: an end with an error ends the agent.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Ends when its worker ends; an error when it died.
    pub workers: JoinSet<Result<(), oneshot::error::RecvError>>,
    /// The ways out.
    pub lanes: JoinSet<Result<(), ship::Error>>,
    /// The ways in.
    pub sources: JoinSet<Result<(), super::sources::Error>>,
}

impl Route {
    /// Prepares an output. A file is cut back to what was settled.
    ///
    /// # Errors
    /// All faults of its configuration at once; state that cannot be used; a file that cannot be cut back.
    pub async fn new(name: &str, config: &Output, state_dir: Option<&Path>, common: &Common) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::default());
        let folder = state_dir.map(|state_dir| track::folder_of(state_dir, name));
        // Before the queues are opened, which repairs them.
        folder.as_deref().map_or(Ok(()), track::check)?;
        let queues = queues::open(folder.as_deref(), config, common.share.workers)?;
        let (tracker, queues) = queues::track(folder.as_deref(), queues)?;
        let tracker = Arc::new(tracker);
        if let Some(folder) = &folder {
            changes::note(folder, config.ship.url.all())?;
        }
        let destination = Destination::new(name, &config.output, &config.ship, state_dir, Arc::clone(&metrics))?;
        match tracker.written() {
            Some(written) => destination.truncate_to(written).await?,
            None => {
                if let Some(written) = destination.written().await? {
                    tracker.found_written(written)?;
                }
            }
        }
        Ok(Self {
            name: name.into(),
            outlets: queues::outlets(queues, config.queue.queue_full, &tracker, &metrics, &common.seldom),
            tracker,
            metrics,
            destination: Arc::new(destination),
            config: config.clone(),
            is_saved: AtomicBool::new(false),
        })
    }

    /// Starts its workers and the lanes between them and the store.
    ///
    /// # Errors
    /// All faults at once; what the system refuses.
    pub fn start(&self, common: &Common, tasks: &mut Tasks) -> Result<Workers, Error> {
        let (mut ways, mut lanes) = (Vec::new(), Vec::new());
        for index in 0..common.share.workers {
            let (sender, inputs) = mpsc::channel::<Input>(INPUTS);
            let way = Way { inputs: sender, files: Waiting::default() };
            let lane = self.lane(common, &mut tasks.lanes);
            let outlet = Outlet::new(lane.clone(), Arc::clone(&self.outlets[index]));
            let worker = self.worker(inputs, way.files.clone(), outlet, common)?;
            lanes.push(lane);
            let (ended, end) = oneshot::channel();
            std::thread::Builder::new().name(format!("{}-{index}", self.name)).spawn(move || {
                worker.run();
                // Not sent when the worker panics: that is how it is known.
                let _ = ended.send(());
            })?;
            tasks.workers.spawn(end);
            ways.push(way);
        }
        self.drain(&lanes, common, &mut tasks.lanes);
        Ok(Workers(ways))
    }

    /// Starts a lane.
    fn lane(&self, common: &Common, lanes: &mut JoinSet<Result<(), ship::Error>>) -> mpsc::Sender<Batch> {
        let (batches, lane) = mpsc::channel::<Batch>(LANE_DEPTH);
        let outlets = Arc::clone(&self.outlets);
        let tell = hear(Arc::clone(&self.name), Arc::clone(&self.tracker), Arc::clone(&self.metrics), outlets);
        lanes.spawn(ship::lane(Arc::clone(&self.destination), lane, tell, common.give_up.subscribe()));
        batches
    }

    /// Starts what empties the queues.
    fn drain(&self, lanes: &[mpsc::Sender<Batch>], common: &Common, tasks: &mut JoinSet<Result<(), ship::Error>>) {
        for (index, outlet) in self.outlets.iter().enumerate().filter(|(_, outlet)| outlet.queue().is_some()) {
            if index >= lanes.len() {
                outlet.leave();
            }
            let lane = lanes[index % lanes.len()].clone();
            let draining = outlet::drain(Arc::clone(outlet), lane, common.stop.tasks.subscribe());
            tasks.spawn(async {
                draining.await;
                Ok(())
            });
        }
    }

    fn worker(
        &self,
        inputs: mpsc::Receiver<Input>,
        waiting: Waiting,
        outlet: Outlet,
        common: &Common,
    ) -> Result<Worker, Error> {
        let when = self.config.when.as_ref().map(Condition::new).transpose()?;
        let encoder = self.encoder()?;
        let packer = self.packer(&encoder, common.share.batch_bytes);
        Ok(Worker {
            inputs,
            waiting,
            pipeline: Pipeline::new(Arc::clone(&common.rules), encoder, when),
            part: Part::default(),
            packer,
            is_urgent: false,
            has_given_up: false,
            outlet,
            destination: Arc::clone(&self.destination),
            tracker: Arc::clone(&self.tracker),
            metrics: Arc::clone(&self.metrics),
            seldom: Arc::clone(&common.seldom),
            stop: Arc::clone(&common.stop.threads),
            stop_tasks: common.stop.tasks.subscribe(),
            follows: Follows::default(),
            spare: Spare::default(),
            lag: BTreeMap::new(),
            measured: None,
            once: common.once,
        })
    }

    /// Local outputs are for people and programs that read lines: never compressed on the way.
    fn packer(&self, encoder: &Encoder, batch_bytes: u64) -> Packer {
        let mut pack = self.config.pack.clone();
        if matches!(self.config.output.kind, Kind::Stdout | Kind::File) {
            pack.gzip_level = 0;
        }
        pack.max_bytes.0 = pack.max_bytes.0.min(batch_bytes);
        Packer::new(&pack, encoder.head(), encoder.separator(), encoder.tail())
    }

    /// The encoder of its language; for people where standard output is a terminal.
    fn encoder(&self) -> Result<Encoder, Vec<Fault>> {
        if self.config.output.kind == Kind::Stdout && std::io::stdout().is_terminal() {
            return Ok(Encoder::terminal(jiff::tz::TimeZone::system(), std::env::var_os("NO_COLOR").is_none()));
        }
        Encoder::new(&self.config.output)
    }

    /// Why it is not well. Nothing: it is.
    pub fn troubles(&self, stalled_after: Span) -> impl Iterator<Item = String> {
        let waits = (self.oldest_age() > stalled_after.0).then(|| {
            let minutes = self.oldest_age().as_secs() / 60;
            format!("output {}: a line has waited for {minutes} min to be delivered", self.name)
        });
        let held = self.destination.is_held().map(|reason| format!("output {} is held: {reason}", self.name));
        let paused = self.outlets.iter().any(|outlet| outlet.is_paused());
        let paused = paused.then(|| format!("the queue of output {} is full: reading pauses", self.name));
        let stalled = self.metrics.by_label(Metric::StalledFollows).into_iter().filter(|(_, count)| *count > 0);
        let stalled = stalled.map(|(name, count)| {
            format!("source {name}: the container engine's log streams hang, of {count} containers")
        });
        let damaged: u64 = self.outlets.iter().map(|outlet| outlet.damaged()).sum();
        let damaged = (damaged > 0).then(|| {
            format!(
                "output {}: damaged batches in its queue, {damaged}: their lines are read again when the agent is restarted",
                self.name
            )
        });
        held.into_iter().chain(damaged).chain(waits).chain(self.tracker.trouble()).chain(paused).chain(stalled)
    }

    /// Whether anything waits in its queues, or is on its way from there.
    pub fn has_queued(&self) -> bool {
        self.outlets.iter().filter_map(|outlet| outlet.queue()).any(|queue| queue.frames() > 0)
    }

    /// Whether its output is a file of this host.
    pub const fn writes_file(&self) -> bool {
        matches!(self.config.output.kind, Kind::File)
    }

    /// Whether a checkpoint would say anything new.
    pub fn is_to_be_saved(&self) -> bool {
        self.tracker.is_dirty() || !self.is_saved.load(Ordering::Relaxed)
    }

    /// Writes a checkpoint if anything changed, and lets the queues forget what it covers.
    ///
    /// # Errors
    /// As the file system gives them; the last checkpoint then still holds.
    pub fn save(&self) -> Result<(), Error> {
        let queues: Vec<_> = self.outlets.iter().filter_map(|outlet| outlet.queue()).collect();
        let settled: Vec<_> = queues.iter().map(|queue| queue.settled()).collect();
        self.tracker.save()?;
        for (queue, settled) in queues.iter().zip(settled) {
            queue.forget(settled)?;
        }
        Ok(())
    }

    /// The same; what goes wrong is said, seldom.
    pub fn save_or_say(&self, seldom: &Seldom) {
        let saved = self.save();
        self.is_saved.store(saved.is_ok(), Ordering::Relaxed);
        let Err(error) = saved else { return };
        let text = format!("{error}; the last checkpoint still holds and it is tried again");
        if let Some(text) = seldom.told(text, Instant::now()) {
            tracing::warn!("{text}");
        }
    }

    /// How long ago the oldest line was read that is not delivered.
    fn oldest_age(&self) -> Duration {
        let waited_ms = self.tracker.oldest_ms().map_or(0, |oldest| clock::now_ms() - oldest);
        Duration::from_millis(u64::try_from(waited_ms).unwrap_or(0))
    }

    /// Sets its gauges.
    pub fn measure(&self) {
        self.metrics.set(Metric::LagSeconds, &self.name, self.oldest_age().as_secs());
        self.metrics.set(Metric::ChunksInFlight, &self.name, self.tracker.in_flight() as u64);
        self.metrics.set(Metric::Sources, &self.name, self.tracker.sources() as u64);
        let queues = || self.outlets.iter().filter_map(|outlet| outlet.queue());
        self.metrics.set(Metric::QueueBytes, &self.name, queues().map(Queue::bytes).sum());
        self.metrics.set(Metric::QueueBatches, &self.name, queues().map(|queue| queue.frames() as u64).sum());
    }
}

/// From what became of a batch to what became of its lines.
fn hear(
    name: Arc<str>,
    tracker: Arc<Tracker>,
    metrics: Arc<Metrics>,
    outlets: Arc<[Arc<outlet::Shared>]>,
) -> Arc<Tell> {
    Arc::new(move |told| match told {
        Told::PutBy(number) => outlets.iter().for_each(|outlet| outlet.put_by(number)),
        Told::Settled(settled) => {
            let settlements = settled.outcomes.into_iter().map(|outcome| {
                let mut counts = outcome.span.counts;
                counts.delivered = u64::from(outcome.delivered + outcome.repeated);
                counts.parked += u64::from(outcome.parked);
                metrics.add(Metric::DeliveredRecords, &name, counts.delivered);
                Settlement { source: outcome.span.source.id, seq: outcome.span.seq, counts }
            });
            tracker.settle(settlements.collect(), settled.written);
            outlets.iter().for_each(|outlet| outlet.settled(settled.number));
        }
    })
}
