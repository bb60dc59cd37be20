//! The wiring: what is started, in which order, and how it ends. Knows every room; decides nothing that a room could.
//!
//! Start: state, outputs, workers, sources. Stop: sources, workers (which hand over what they have), lanes (which have
//! until the deadline), and last a checkpoint. What is not delivered by then is read again by the next run.

mod follow;
mod lanes;
mod machine;
mod sources;
mod stop;
mod summary;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::admin;
use crate::base::clock;
use crate::base::fault::Fault;
use crate::base::metrics::{Metric, Metrics};
use crate::base::seldom::Seldom;
use crate::collect::lines::Spare;
use crate::config::Config;
use crate::filter::Filter;
use crate::mask::Masker;
use crate::pipeline::{Pipeline, Rules};
use crate::ship::{self, Destination};
use crate::track::{self, Tracker};

use self::lanes::{BATCHES_A_LANE, Ready};
use self::sources::Workers;
use self::stop::{Progress, Signals, Stop};
pub use self::summary::Summary;
use self::worker::{Input, Worker};

/// What the arguments ask for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Read what is there, deliver it, end.
    pub once: bool,
    /// With `once`: how long to wait without progress.
    pub wait: Duration,
    /// Told how far it is, twice a second.
    pub progress: Option<fn(&Summary)>,
}

/// Why the agent could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] track::Error),
    /// A room refused its configuration.
    #[error("cannot start: {}", .0.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("; "))]
    Configuration(Vec<Fault>),
    /// The system refused a thread or a runtime.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    /// A source could not be read.
    #[error(transparent)]
    Source(#[from] sources::Error),
    /// What was delivered could not be written down, or a local output not be written.
    #[error(transparent)]
    Ship(#[from] ship::Error),
    /// A worker or task ended by itself.
    #[error("cannot go on: {0} ended by itself; its lines are read again by the next run")]
    Died(&'static str),
}

impl From<Vec<Fault>> for Error {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Configuration(faults)
    }
}

/// Inputs that wait for a worker.
const INPUTS: usize = 4;

/// How long writes under way may take at the very end.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// How often a checkpoint is saved when something changed.
const SAVE_EVERY: Duration = Duration::from_millis(500);

/// A worker's batches are not made smaller than this to fit the memory budget; there are fewer workers instead.
const SMALLEST_BATCH: u64 = 1 << 20;

/// Runs until it is told to stop (SIGTERM, SIGINT), or with `once` until all is delivered.
///
/// # Errors
/// When it cannot start, or a part of it fails.
pub fn run(config: Config, options: Options) -> Result<Summary, Error> {
    machine::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let summary = runtime.block_on(async { Agent::start(&config, options).await?.run().await });
    // A write to a pipe that nobody reads would hold up the end for ever.
    runtime.shutdown_timeout(LAST_WRITES);
    summary
}

/// The running agent.
#[derive(Debug)]
struct Agent {
    options: Options,
    stop_within: Duration,
    tracker: Arc<Tracker>,
    metrics: Arc<Metrics>,
    seldom: Arc<Seldom>,
    /// All sources and outputs have been started.
    ready: Arc<AtomicBool>,
    began: Instant,
    /// Ends when its worker ends; an error when it died.
    workers: JoinSet<Result<(), oneshot::error::RecvError>>,
    lanes: JoinSet<Result<(), ship::Error>>,
    sources: JoinSet<Result<(), sources::Error>>,
    /// The admin endpoint, while the agent runs.
    admin: JoinSet<()>,
    /// A checkpoint on its way to the disk.
    saving: JoinSet<()>,
    /// Told to sources: read no more.
    stop: Stop,
    /// Told to lanes: what is not settled by now is left to the next run.
    give_up: watch::Sender<bool>,
}

impl Agent {
    async fn start(config: &Config, options: Options) -> Result<Self, Error> {
        let names = config.outputs.keys().cloned().collect();
        let metrics = Arc::new(Metrics::default());
        let tracker = Arc::new(Tracker::open(config.agent.state_dir.as_deref(), names)?);
        let rules = Arc::new(Rules {
            filter: Filter::new(&config.filters)?,
            masker: Masker::new(&config.mask)?,
            host_name: config.agent.host_name(),
        });
        let stop = Stop::new();
        let mut agent = Self {
            options,
            stop_within: config.agent.stop_within.0,
            tracker,
            metrics,
            seldom: Arc::default(),
            ready: Arc::default(),
            began: Instant::now(),
            workers: JoinSet::new(),
            lanes: JoinSet::new(),
            sources: JoinSet::new(),
            admin: JoinSet::new(),
            saving: JoinSet::new(),
            stop,
            give_up: watch::channel(false).0,
        };
        let outputs = agent.outputs(config).await?;
        agent.serve_admin(config, &outputs).await;
        let workers = agent.workers(config, &rules, &outputs)?;
        let shared = sources::Shared {
            tracker: Arc::clone(&agent.tracker),
            metrics: Arc::clone(&agent.metrics),
            seldom: Arc::clone(&agent.seldom),
            machine: machine::id().into(),
            once: options.once,
            stop: Arc::clone(&agent.stop.threads),
            stop_tasks: agent.stop.tasks.subscribe(),
        };
        agent.sources = sources::start(config, &own_files(config), &shared, &workers)?;
        agent.ready.store(true, Ordering::Relaxed);
        Ok(agent)
    }

    async fn outputs(&self, config: &Config) -> Result<Vec<Ready>, Error> {
        let state_dir = config.agent.state_dir.as_deref();
        let mut outputs = Vec::new();
        for (index, (name, output)) in config.outputs.iter().enumerate() {
            outputs.push(Ready::new(index, name, output, state_dir, &self.tracker, &self.metrics).await?);
        }
        Ok(outputs)
    }

    async fn serve_admin(&mut self, config: &Config, outputs: &[Ready]) {
        let Some(listener) = admin::http::listen(&config.admin).await else { return };
        let held: Vec<_> = outputs.iter().map(|one| (one.name.clone(), Arc::clone(&one.destination))).collect();
        let (ready, tracker, metrics) = (Arc::clone(&self.ready), Arc::clone(&self.tracker), Arc::clone(&self.metrics));
        let health = move || {
            let reason =
                |(name, one): &(String, Arc<Destination>)| Some(format!("output {name} is held: {}", one.is_held()?));
            let stalled = metrics.by_label(Metric::StalledFollows).into_iter().filter(|(_, count)| *count > 0);
            let stalled = stalled.map(|(name, count)| {
                format!("source {name}: the container engine's log streams hang, of {count} containers")
            });
            let reasons = held.iter().filter_map(reason).chain(tracker.trouble()).chain(stalled).collect();
            admin::Health { ready: ready.load(Ordering::Relaxed), reasons }
        };
        let face = admin::Face { metrics: Arc::clone(&self.metrics), health: Arc::new(health) };
        self.admin.spawn(admin::http::serve(listener, face));
    }

    /// Starts the worker threads and the lanes between them and the outputs.
    fn workers(&mut self, config: &Config, rules: &Arc<Rules>, outputs: &[Ready]) -> Result<Workers, Error> {
        let lanes_of_one = outputs.len() as u64 * BATCHES_A_LANE;
        let affordable = config.agent.memory.0 / (lanes_of_one * SMALLEST_BATCH);
        let count = config.agent.workers().get().min(usize::try_from(affordable).unwrap_or(1)).max(1);
        let batch_bytes = config.agent.memory.0 / (lanes_of_one * count as u64);
        let mut ways = Vec::new();
        for index in 0..count {
            let (way, inputs) = mpsc::channel::<Input>(INPUTS);
            let mut worker = Worker {
                runtime: tokio::runtime::Handle::current(),
                inputs,
                pipeline: Pipeline::new(Arc::clone(rules)),
                lanes: Vec::new(),
                exits: Vec::new(),
                tracker: Arc::clone(&self.tracker),
                metrics: Arc::clone(&self.metrics),
                seldom: Arc::clone(&self.seldom),
                stop: Arc::clone(&self.stop.threads),
                follows: Vec::new(),
                spare: Spare::default(),
                lag: BTreeMap::new(),
                measured: None,
                once: self.options.once,
            };
            for output in outputs {
                let (lane, exit) = output.lane(
                    batch_bytes,
                    &mut self.lanes,
                    &self.tracker,
                    &self.metrics,
                    &self.give_up.subscribe(),
                )?;
                worker.lanes.push(lane);
                worker.exits.push(exit);
            }
            let (ended, end) = oneshot::channel();
            std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                worker.run();
                // Not sent when the worker panics: that is how it is known.
                let _ = ended.send(());
            })?;
            self.workers.spawn(end);
            ways.push(way);
        }
        tracing::info!(workers = count, batch_bytes, "started");
        Ok(Workers(ways))
    }

    /// Waits for the end, however it comes.
    async fn run(mut self) -> Result<Summary, Error> {
        let mut signals = Signals::new()?;
        let mut ticks = tokio::time::interval(SAVE_EVERY);
        let mut progress = Progress::new(self.options);
        let mut fault = None;
        while !(self.workers.is_empty() && self.lanes.is_empty()) {
            tokio::select! {
                Some(ended) = self.workers.join_next() => {
                    if !matches!(ended, Ok(Ok(()))) {
                        fault.get_or_insert(Error::Died("a worker"));
                        self.stop.now();
                    }
                }
                Some(ended) = self.lanes.join_next() => {
                    if let Some(error) = lane_fault(ended) {
                        fault.get_or_insert(error);
                        self.stop.now();
                    }
                }
                Some(ended) = self.sources.join_next() => {
                    if let Ok(Err(error)) = ended {
                        tracing::error!("{error}");
                        fault.get_or_insert(Error::Source(error));
                    }
                }
                () = signals.next() => {
                    if progress.is_stopping() {
                        self.give_up.send_replace(true);
                    }
                    tracing::info!("stopping; a second signal stops at once");
                    self.stop.now();
                    progress.stop_by(Instant::now() + self.stop_within);
                }
                _ = ticks.tick() => {
                    self.save_in_background();
                    self.measure();
                    if progress.is_over(&self.tracker, &self.metrics) {
                        self.stop.now();
                        self.give_up.send_replace(true);
                    }
                }
            }
        }
        self.stop.now();
        while self.saving.join_next().await.is_some() {}
        self.tracker.save()?;
        let interrupted = progress.is_stopping();
        fault.map_or_else(|| Ok(Summary { interrupted, ..self.summary() }), Err)
    }

    fn summary(&self) -> Summary {
        Summary::of(&self.tracker, &self.metrics, self.began.elapsed())
    }

    /// Saves a checkpoint without holding up the tasks. One at a time.
    fn save_in_background(&mut self) {
        while self.saving.try_join_next().is_some() {}
        if self.saving.is_empty() {
            let (tracker, seldom) = (Arc::clone(&self.tracker), Arc::clone(&self.seldom));
            self.saving.spawn_blocking(move || {
                let Err(error) = tracker.save() else { return };
                let text = format!("{error}; the last checkpoint still holds and it is tried again");
                if let Some(text) = seldom.told(text, Instant::now()) {
                    tracing::warn!("{text}");
                }
            });
        }
    }

    fn measure(&self) {
        let waited_ms = self.tracker.oldest_ms().map_or(0, |oldest| clock::now_ms() - oldest);
        self.metrics.set(Metric::LagSeconds, "", u64::try_from(waited_ms / 1000).unwrap_or(0));
        self.metrics.set(Metric::ChunksInFlight, "", self.tracker.in_flight() as u64);
        self.metrics.set(Metric::Sources, "", self.tracker.sources() as u64);
        if let Some(bytes) = admin::memory::resident_bytes() {
            self.metrics.set(Metric::ResidentBytes, "", bytes);
        }
        if let Some(progress) = self.options.progress {
            progress(&self.summary());
        }
    }
}

/// What the agent writes itself: never read.
fn own_files(config: &Config) -> Vec<PathBuf> {
    let outputs = config.outputs.values().filter_map(|output| output.ship.path.clone());
    config.agent.state_dir.iter().cloned().chain(outputs).collect()
}

fn lane_fault(ended: Result<Result<(), ship::Error>, tokio::task::JoinError>) -> Option<Error> {
    match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Error::Ship(error)),
        Err(_) => Some(Error::Died("a lane")),
    }
}
