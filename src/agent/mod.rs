//! The wiring: what is started, in which order, and how it ends. Knows every room; decides nothing that a room could.
//!
//! Each output has a route of its own from the sources to its store. Start: state, routes, workers,
//! sources. Stop: sources, workers (which hand over what they have), lanes (which have until the deadline), and last the
//! checkpoints. What is not delivered by then is read again by the next run.

mod changes;
mod finder;
mod follow;
mod follows;
mod machine;
mod outlet;
mod patience;
mod queues;
mod route;
mod sources;
mod stop;
mod summary;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinSet};

use crate::admin;
use crate::base::fault::Fault;
use crate::base::metrics::{self, Metric, Metrics};
use crate::config::Config;
use crate::filter::Filter;
use crate::mask::Masker;
use crate::pipeline::Rules;
use crate::{queue, ship, track};

use self::route::{Common, Route, Share, Tasks};
use self::stop::{Progress, Signals, Stop};
pub use self::summary::{Fate, Summary};

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
    /// A queue on disk cannot be used.
    #[error(transparent)]
    Queue(#[from] queue::Error),
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

impl Error {
    /// What the operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::State(error) => error.hint(),
            Self::Queue(queue::Error::Newer { .. }) => Some(
                "run that agent, or a newer one; or move this folder away: then all that the sources still have is read again",
            ),
            Self::Configuration(_) => Some("logferry check tells where it is written"),
            Self::Source(sources::Error::Docker { .. }) => Some(
                "is the engine running, and may this user use its socket (group docker)? `host` in the source says where it is",
            ),
            _ => None,
        }
    }
}

impl From<Vec<Fault>> for Error {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Configuration(faults)
    }
}

/// How long writes under way may take at the very end.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// How often checkpoints are saved at most.
const SAVE_EVERY: Duration = Duration::from_millis(if cfg!(feature = "failpoints") { 50 } else { 500 });

/// With fewer batches settled since the last checkpoint, the next comes so many ticks after it.
const FEW_BATCHES: u64 = 4;
const TICKS_FOR_FEW: u32 = 4;

/// So many sources more put a checkpoint off by one tick, up to five seconds.
const SOURCES_A_TICK: usize = 1_000;
const MOST_TICKS: u32 = 9;

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
    /// No other agent uses the state folder meanwhile. `None`: nothing is saved.
    _hold: Option<track::Hold>,
    common: Common,
    routes: Arc<[Route]>,
    tasks: Tasks,
    began: Instant,
    /// The admin endpoint, while the agent runs.
    admin: JoinSet<()>,
    /// Checkpoints on their way to the disk.
    saving: JoinSet<()>,
    saved: Saved,
    /// The first for which the agent ends.
    fault: Option<Error>,
    /// A source could not be read, or not to its end.
    unread: bool,
}

/// The last round of checkpoints.
#[derive(Debug)]
struct Saved {
    at: Instant,
    /// See [`track::Tracker::settled`], all routes together.
    settled: u64,
}

impl Agent {
    async fn start(config: &Config, options: Options) -> Result<Self, Error> {
        let state_dir = config.agent.state_dir.as_deref();
        let hold = state_dir.map(track::hold).transpose()?;
        if let Some(state_dir) = state_dir {
            changes::tell(state_dir, config)?;
        }
        let rules = Rules {
            filter: Filter::new(&config.filters)?,
            masker: Arc::new(Masker::new(&config.mask)?),
            host_name: config.agent.host_name(),
        };
        let common = Common {
            rules: Arc::new(rules),
            seldom: Arc::default(),
            stop: Stop::new(),
            give_up: tokio::sync::watch::channel(false).0,
            once: options.once,
            share: Share::of(config),
        };
        let mut routes = Vec::new();
        for (name, output) in &config.outputs {
            routes.push(Route::new(name, output, state_dir, &common).await?);
        }
        let mut agent = Self {
            options,
            stop_within: config.agent.stop_within.0,
            _hold: hold,
            common,
            routes: routes.into(),
            tasks: Tasks::default(),
            began: Instant::now(),
            admin: JoinSet::new(),
            saving: JoinSet::new(),
            saved: Saved { at: Instant::now(), settled: 0 },
            fault: None,
            unread: false,
        };
        let ready = Arc::new(AtomicBool::new(false));
        agent.serve_admin(config, Arc::clone(&ready)).await;
        agent.serve_control(config);
        agent.start_routes(config)?;
        ready.store(true, Ordering::Relaxed);
        let Share { workers, batch_bytes } = agent.common.share;
        tracing::info!(outputs = agent.routes.len(), workers, batch_bytes, "started");
        Ok(agent)
    }

    async fn serve_admin(&mut self, config: &Config, ready: Arc<AtomicBool>) {
        let Some(listener) = admin::http::listen(&config.admin).await else { return };
        let (routes, process) = (Arc::clone(&self.routes), Metrics::default());
        let metrics = move || {
            routes.iter().for_each(Route::measure);
            if let Some(bytes) = admin::memory::resident_bytes() {
                process.set(Metric::ResidentBytes, "", bytes);
            }
            let parts = routes.iter().map(|route| (&*route.name, &*route.metrics));
            metrics::render(&parts.chain([("", &process)]).collect::<Vec<_>>())
        };
        let (routes, stalled_after) = (Arc::clone(&self.routes), config.admin.stalled_after);
        let health = move || admin::Health {
            ready: ready.load(Ordering::Relaxed),
            reasons: routes.iter().flat_map(|route| route.troubles(stalled_after)).collect(),
        };
        let routes = Arc::clone(&self.routes);
        let ledger = move || routes.iter().map(|route| (route.name.to_string(), route.tracker.ledger())).collect();
        let face = admin::Face { metrics: Arc::new(metrics), health: Arc::new(health), ledger: Arc::new(ledger) };
        self.admin.spawn(admin::http::serve(listener, face));
    }

    /// Lets `logferry parked` change what is parked while the agent runs.
    fn serve_control(&mut self, config: &Config) {
        let Some(folder) = &config.agent.state_dir else { return };
        let Some(listener) = admin::control::listen(folder) else { return };
        let destinations = self.routes.iter().map(|route| Arc::clone(&route.destination)).collect();
        let clerk = admin::clerk::Clerk::new(folder, destinations, Arc::clone(&self.common.rules.masker));
        self.admin.spawn(admin::control::serve(listener, clerk));
    }

    /// Starts all workers, then what they are given to read.
    fn start_routes(&mut self, config: &Config) -> Result<(), Error> {
        let (own_files, machine) = (own_files(config), Arc::from(machine::id()));
        let mut starts = Vec::new();
        for route in self.routes.iter() {
            let workers = route.start(&self.common, &mut self.tasks)?;
            let shared = sources::Shared::new(route, &self.common, Arc::clone(&machine));
            starts.push(sources::start(config, &own_files, &shared, &workers, &mut self.tasks.sources)?);
        }
        sources::start_stdin(config, starts, &mut self.tasks.sources)
    }

    /// Waits for the end, however it comes.
    async fn run(mut self) -> Result<Summary, Error> {
        let mut signals = Signals::new()?;
        let mut ticks = tokio::time::interval(SAVE_EVERY);
        let mut progress = Progress::new(self.options);
        while !(self.tasks.workers.is_empty() && self.tasks.lanes.is_empty()) {
            tokio::select! {
                Some(ended) = self.tasks.workers.join_next() => self.end_task(worker_fault(ended)),
                Some(ended) = self.tasks.lanes.join_next() => self.end_task(lane_fault(ended)),
                Some(ended) = self.tasks.sources.join_next() => self.end_source(ended),
                () = signals.next() => {
                    if progress.is_stopping() {
                        self.common.give_up.send_replace(true);
                    }
                    tracing::info!("stopping; a second signal stops at once");
                    self.common.stop.now();
                    progress.stop_by(Instant::now() + self.stop_within);
                }
                _ = ticks.tick() => {
                    self.save_in_background();
                    if let Some(progress) = self.options.progress {
                        progress(&self.summary());
                    }
                    if progress.is_over(&self.routes) {
                        self.common.stop.now();
                        self.common.give_up.send_replace(true);
                    }
                }
            }
        }
        self.common.stop.now();
        while self.saving.join_next().await.is_some() {}
        for route in self.routes.iter() {
            route.save()?;
            if route.tracker.is_dirty() && !route.has_queued() {
                // What was over at the first is let go with the second, unless a queue may bring it back.
                route.save()?;
            }
        }
        let (interrupted, gave_up) = (progress.is_stopping(), progress.has_given_up());
        let summary = Summary { unread: self.unread, interrupted, gave_up, ..self.summary() };
        self.fault.map_or(Ok(summary), Err)
    }

    /// One that failed ends the others.
    fn end_task(&mut self, fault: Option<Error>) {
        if let Some(fault) = fault {
            self.fault.get_or_insert(fault);
            self.common.stop.now();
        }
    }

    /// What the other sources have is delivered all the same.
    fn end_source(&mut self, ended: Result<Result<(), sources::Error>, JoinError>) {
        let Ok(Err(error)) = ended else { return };
        let error = Error::Source(error);
        let hint = error.hint().map(|hint| format!("\nhint: {hint}"));
        tracing::error!("{error}{}", hint.unwrap_or_default());
        self.unread = true;
        if !self.options.once {
            self.fault.get_or_insert(error);
        }
    }

    fn summary(&self) -> Summary {
        Summary::of(&self.routes, self.began.elapsed())
    }

    /// Saves checkpoints without holding up the tasks. One round at a time.
    fn save_in_background(&mut self) {
        while self.saving.try_join_next().is_some() {}
        let (mut sources, mut settled) = (0, 0);
        for route in self.routes.iter() {
            sources = route.tracker.known().max(sources);
            settled += route.tracker.settled();
        }
        let is_cut_back = self.routes.iter().any(Route::writes_file);
        let is_due = self.saved.at.elapsed() >= save_after(sources, settled - self.saved.settled, is_cut_back);
        if is_due && self.saving.is_empty() && self.routes.iter().any(Route::is_to_be_saved) {
            self.saved = Saved { at: Instant::now(), settled };
            let (routes, seldom) = (Arc::clone(&self.routes), Arc::clone(&self.common.seldom));
            self.saving.spawn_blocking(move || routes.iter().for_each(|route| route.save_or_say(&seldom)));
        }
    }
}

/// How long after the last checkpoints the next may come. Each is written whole and synced: where they say little new or
/// have thousands of sources, they are worth it more seldom. Half a tick less, for ticks are not exact. `is_cut_back`: an
/// output is a file, which a start cuts back to its checkpoint; what was written since must still be in its sources.
fn save_after(sources: usize, settled: u64, is_cut_back: bool) -> Duration {
    if is_cut_back {
        return SAVE_EVERY / 2;
    }
    let ticks_for_news = if settled < FEW_BATCHES { TICKS_FOR_FEW } else { 1 };
    let ticks_for_sources = 1 + u32::try_from(sources / SOURCES_A_TICK).unwrap_or(u32::MAX).min(MOST_TICKS);
    SAVE_EVERY * ticks_for_news.max(ticks_for_sources) - SAVE_EVERY / 2
}

/// What the agent writes itself: never read.
fn own_files(config: &Config) -> Vec<PathBuf> {
    let outputs = config.outputs.values().filter_map(|output| output.ship.path.clone());
    config.agent.state_dir.iter().cloned().chain(outputs).collect()
}

fn worker_fault<E>(ended: Result<Result<(), E>, JoinError>) -> Option<Error> {
    (!matches!(ended, Ok(Ok(())))).then_some(Error::Died("a worker"))
}

fn lane_fault(ended: Result<Result<(), ship::Error>, JoinError>) -> Option<Error> {
    match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Error::Ship(error)),
        Err(_) => Some(Error::Died("a lane")),
    }
}

#[cfg(test)]
mod tests;
