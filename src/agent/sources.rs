//! The sources of a route: finds out where each goes on, and brings what they read to the workers.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::base::chunk::Chunk;
use crate::base::clock;
use crate::base::metrics::{Metric, Metrics};
use crate::base::seldom::Seldom;
use crate::base::source::{Identity, Resume, SourceId};
use crate::collect::identity::mint;
use crate::collect::{docker, file, stdin};
use crate::config::{Config, Source};
use crate::track::{Seen, Tracker};

use super::finder;
use super::follows::Waiting;
use super::route::{Common, Route};
use super::worker::Input;

/// The ways to the workers.
#[derive(Clone, Debug)]
pub struct Workers(pub Vec<Way>);

/// The way to one worker.
#[derive(Clone, Debug)]
pub struct Way {
    /// For what can wait with its sender.
    pub inputs: mpsc::Sender<Input>,
    /// For files, which are open already, and what is told of them.
    pub files: Waiting,
}

impl Workers {
    /// The worker of a source that is read elsewhere.
    fn of_source(&self, id: SourceId) -> usize {
        usize::try_from(id.bits() % self.0.len() as u64).unwrap_or_default()
    }

    /// A worker that has ended takes no more: its lines are read again by the next run.
    async fn hand(&self, chunk: Chunk) {
        let _ = self.0[self.of_source(chunk.source.id)].inputs.send(Input::Chunk(Box::new(chunk))).await;
    }
}

/// Why a source ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine.
    #[error("cannot read containers of source {name}: {source}")]
    Docker {
        /// Of the source's table.
        name: Arc<str>,
        /// What the engine or the system says.
        source: docker::Error,
    },
    /// Standard input.
    #[error("cannot read standard input: {0}")]
    Stdin(std::io::Error),
}

/// What all sources of one route need.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where each source goes on.
    pub tracker: Arc<Tracker>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// For messages that repeat.
    pub seldom: Arc<Seldom>,
    /// The machine's id, or nothing.
    pub machine: Arc<str>,
    /// Read what is there, then end.
    pub once: bool,
    /// Told to threads: read no more.
    pub stop: Arc<AtomicBool>,
    /// The same, told to tasks.
    pub stop_tasks: watch::Receiver<bool>,
}

impl Shared {
    /// For a route.
    pub fn new(route: &Route, common: &Common, machine: Arc<str>) -> Self {
        Self {
            tracker: Arc::clone(&route.tracker),
            metrics: Arc::clone(&route.metrics),
            seldom: Arc::clone(&common.seldom),
            machine,
            once: common.once,
            stop: Arc::clone(&common.stop.threads),
            stop_tasks: common.stop.tasks.subscribe(),
        }
    }
}

/// Chunks that wait between a source that reads by itself and the workers.
const CHUNKS: usize = 2;

/// How long a source waits before it tries again to write its id.
const STATE_RETRY: Duration = Duration::from_secs(1);

/// The way of one route for what is read once for all routes.
#[derive(Debug)]
pub struct Entrance {
    shared: Shared,
    chunks: mpsc::Sender<Chunk>,
    finished: Finished,
}

/// Starts a route's own sources: all but standard input, which can be read only once. They end by themselves once, else
/// when told to.
///
/// # Errors
/// All faults of their configuration at once; what the system refuses.
pub fn start(
    config: &Config,
    own_files: &[PathBuf],
    shared: &Shared,
    workers: &Workers,
    tasks: &mut JoinSet<Result<(), Error>>,
) -> Result<Entrance, super::Error> {
    let (chunks, from_sources) = mpsc::channel::<Chunk>(CHUNKS);
    let finished = Finished::default();
    let mut files = Vec::new();
    for (name, source) in &config.sources {
        let name: Arc<str> = name.as_str().into();
        match source {
            Source::File(config) => files.push((name, config.clone())),
            Source::Docker(config) => {
                tasks.spawn(containers(
                    docker::Docker::new(config, Arc::clone(&name))?,
                    name,
                    shared.clone(),
                    chunks.clone(),
                    Arc::clone(&finished),
                ));
            }
            Source::Stdin(_) => {}
        }
    }
    if !files.is_empty() {
        finder::start(files, own_files, shared.clone(), workers.clone())?;
    }
    let stop = shared.stop_tasks.clone();
    tasks.spawn(hand_over(from_sources, Arc::clone(&finished), workers.clone(), stop));
    Ok(Entrance { shared: shared.clone(), chunks, finished })
}

/// Starts standard input, for all routes: each chunk goes to every one of them.
///
/// # Errors
/// What the system refuses.
pub fn start_stdin(
    config: &Config,
    entrances: Vec<Entrance>,
    tasks: &mut JoinSet<Result<(), Error>>,
) -> Result<(), super::Error> {
    for (name, source) in &config.sources {
        if let Source::Stdin(config) = source {
            tasks.spawn(standard_input(config.clone(), &name.as_str().into(), entrances)?);
            break;
        }
    }
    Ok(())
}

/// Sources that will never have more. Each is told to its worker, after its last chunk.
#[derive(Debug, Default)]
struct FinishedSources {
    ids: Mutex<Vec<SourceId>>,
    has_come: Notify,
}

type Finished = Arc<FinishedSources>;

/// How long after a stop the last chunks may take to come.
const LAST_CHUNK: Duration = Duration::from_millis(100);

/// Brings chunks to the worker of their source.
async fn hand_over(
    mut chunks: mpsc::Receiver<Chunk>,
    finished: Finished,
    workers: Workers,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut open = true;
    while open {
        tokio::select! {
            chunk = chunks.recv() => match chunk {
                Some(chunk) => workers.hand(chunk).await,
                None => open = false,
            },
            () = finished.has_come.notified() => {}
            () = stopped(&mut stop) => {
                // What was read before the stop may not come again.
                while let Ok(Some(chunk)) = timeout(LAST_CHUNK, chunks.recv()).await {
                    workers.hand(chunk).await;
                }
                open = false;
            }
        }
        let ids = std::mem::take(&mut *finished.ids.lock().unwrap_or_else(PoisonError::into_inner));
        if ids.is_empty() {
            continue;
        }
        // What was read of them before they were finished is in the channel by now.
        while let Ok(chunk) = chunks.try_recv() {
            workers.hand(chunk).await;
        }
        for id in ids {
            let _ = workers.0[workers.of_source(id)].inputs.send(Input::Finished(id)).await;
        }
    }
    Ok(())
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Nobody is left who could ask for it: then it is over too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn finish(finished: &Finished, id: SourceId) {
    finished.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    finished.has_come.notify_one();
}

async fn containers(
    source: docker::Docker,
    name: Arc<str>,
    shared: Shared,
    chunks: mpsc::Sender<Chunk>,
    finished: Finished,
) -> Result<(), Error> {
    let (once, metrics, stop_tasks) = (shared.once, Arc::clone(&shared.metrics), shared.stop_tasks.clone());
    let (lister, lister_name) = (shared.clone(), Arc::clone(&name));
    let source_name = Arc::clone(&name);
    let resume = move |identity: &Identity| {
        let seen = Seen { identity, len: 0, head_of: &|_| None };
        resume(&shared, &source_name, &seen, mint(identity, None, &shared.machine))
    };
    let hooks = docker::Hooks {
        resume: Arc::new(resume),
        chunks,
        metrics,
        listed: Arc::new(move |there| forget_removed(&lister, &lister_name, there)),
        finished: Arc::new(move |id| finish(&finished, id)),
    };
    source.run(once, hooks, stop_tasks).await.map_err(|source| Error::Docker { name, source })
}

/// Lets go of the containers of earlier runs that the engine has no more.
fn forget_removed(shared: &Shared, name: &str, there: &HashSet<String>) {
    for container in shared.tracker.forget_containers(name, |id| there.contains(id)) {
        shared.metrics.add(Metric::MissedContainers, name, 1);
        tracing::error!(
            "cannot read the last lines of container {container} again: it was removed while the agent was away, before \
             they were delivered"
        );
    }
}

/// Standard input has a thread of its own: reading it cannot be interrupted.
fn standard_input(
    config: file::Config,
    name: &Arc<str>,
    entrances: Vec<Entrance>,
) -> Result<impl Future<Output = Result<(), Error>> + use<>, std::io::Error> {
    let identity = Identity::Stdin { began_ns: clock::now_ns().unsigned_abs() };
    let seen = Seen { identity: &identity, len: 0, head_of: &|_| None };
    let mut ways = Vec::new();
    let stop = entrances.first().map(|entrance| Arc::clone(&entrance.shared.stop)).unwrap_or_default();
    for Entrance { shared, chunks, finished } in entrances {
        let id = resume(&shared, name, &seen, mint(&identity, None, &shared.machine)).id;
        ways.push((Arc::new(config.source(name, id, None)), chunks, finished));
    }
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let give = |chunk: &Chunk| {
            for (source, chunks, _) in &ways {
                // A route that has ended takes no more.
                let _ = chunks.blocking_send(Chunk { source: Arc::clone(source), ..chunk.clone() });
            }
            !stop.load(Ordering::Relaxed)
        };
        let Some((source, ..)) = ways.first() else { return };
        let result = stdin::run(std::io::stdin().lock(), Arc::clone(source), config.max_line.as_usize(), give);
        ways.iter().for_each(|(source, _, finished)| finish(finished, source.id));
        let _ = ended.send(result);
    })?;
    Ok(async { end.await.map_or(Ok(()), |result| result.map_err(Error::Stdin)) })
}

/// Where a source goes on. An id that cannot be noted now is noted with its first chunk or not at all: without a note
/// nothing of it is sent.
pub fn resume(shared: &Shared, name: &str, seen: &Seen<'_>, minted: SourceId) -> Resume {
    loop {
        match shared.tracker.resume(name, seen, minted, clock::now_ms()) {
            Ok(resume) => return resume,
            Err(error) => {
                let text = format!("{error}; source {name} waits until it can be written");
                if let Some(text) = shared.seldom.told(text, Instant::now()) {
                    tracing::error!("{text}");
                }
                std::thread::sleep(STATE_RETRY);
            }
        }
    }
}
