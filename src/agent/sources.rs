//! The sources of a route: finds out where each goes on, and brings what they read to the workers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::base::chunk::Chunk;
use crate::base::clock;
use crate::base::fault::Fault;
use crate::base::metrics::Metrics;
use crate::base::seldom::Seldom;
use crate::base::source::{Cursor, Identity, Resume, SourceId};
use crate::collect::discover::{Discover, Event, Found, Releases};
use crate::collect::file::{self, Follower, Settings};
use crate::collect::identity::{FileKey, first_line, head_of, mint};
use crate::collect::{docker, stdin};
use crate::config::{Config, Source};
use crate::track::{Seen, Tracker};

use super::follow::Follow;
use super::route::{Common, Route};
use super::worker::Input;

/// The way to the workers.
#[derive(Clone, Debug)]
pub struct Workers(pub Vec<mpsc::Sender<Input>>);

impl Workers {
    /// The worker of a source that is read elsewhere.
    fn of_source(&self, id: SourceId) -> usize {
        usize::try_from(id.bits() % self.0.len() as u64).unwrap_or_default()
    }

    /// A worker that has ended takes no more: its lines are read again by the next run.
    async fn hand(&self, chunk: Chunk) {
        let _ = self.0[self.of_source(chunk.source.id)].send(Input::Chunk(Box::new(chunk))).await;
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
    machine: Arc<str>,
    /// Read what is there, then end.
    pub once: bool,
    /// Told to threads: read no more.
    stop: Arc<AtomicBool>,
    /// The same, told to tasks.
    stop_tasks: watch::Receiver<bool>,
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

/// How long to wait for files to be closed, where no more can be opened.
const UNTIL_CLOSED: Duration = Duration::from_millis(20);

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
        follow_files(files, own_files, shared.clone(), workers.clone())?;
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
type Finished = Arc<Mutex<Vec<SourceId>>>;

/// How long after a stop the last chunks may take to come.
const LAST_CHUNK: Duration = Duration::from_millis(100);

/// How soon a worker is told that a source is finished.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// Brings chunks to the worker of their source.
async fn hand_over(
    mut chunks: mpsc::Receiver<Chunk>,
    finished: Finished,
    workers: Workers,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(FINISH_WITHIN);
    let mut open = true;
    while open {
        tokio::select! {
            chunk = chunks.recv() => match chunk {
                Some(chunk) => workers.hand(chunk).await,
                None => open = false,
            },
            _ = ticks.tick() => {}
            () = stopped(&mut stop) => {
                // What was read before the stop may not come again.
                while let Ok(Some(chunk)) = timeout(LAST_CHUNK, chunks.recv()).await {
                    workers.hand(chunk).await;
                }
                open = false;
            }
        }
        let ids = std::mem::take(&mut *finished.lock().unwrap_or_else(PoisonError::into_inner));
        if ids.is_empty() {
            continue;
        }
        // What was read of them before they were finished is in the channel by now.
        while let Ok(chunk) = chunks.try_recv() {
            workers.hand(chunk).await;
        }
        for id in ids {
            let _ = workers.0[workers.of_source(id)].send(Input::Finished(id)).await;
        }
    }
    Ok(())
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Nobody is left who could ask for it: then it is over too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn finish(finished: &Finished, id: SourceId) {
    finished.lock().unwrap_or_else(PoisonError::into_inner).push(id);
}

async fn containers(
    source: docker::Docker,
    name: Arc<str>,
    shared: Shared,
    chunks: mpsc::Sender<Chunk>,
    finished: Finished,
) -> Result<(), Error> {
    let (once, metrics, stop_tasks) = (shared.once, Arc::clone(&shared.metrics), shared.stop_tasks.clone());
    let source_name = Arc::clone(&name);
    let resume = move |identity: &Identity| {
        let seen = Seen { identity, len: 0, head_of: &|_| None };
        resume(&shared, &source_name, &seen, mint(identity, None, &shared.machine))
    };
    let hooks = docker::Hooks {
        resume: Arc::new(resume),
        chunks,
        metrics,
        finished: Arc::new(move |id| finish(&finished, id)),
    };
    source.run(once, hooks, stop_tasks).await.map_err(|source| Error::Docker { name, source })
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
fn resume(shared: &Shared, name: &str, seen: &Seen<'_>, minted: SourceId) -> Resume {
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

/// Files have a thread that looks for them; the workers read them.
fn follow_files(
    sources: Vec<(Arc<str>, file::Config)>,
    own_files: &[PathBuf],
    shared: Shared,
    workers: Workers,
) -> Result<(), super::Error> {
    let mut discover =
        Discover::new(&sources, own_files).map_err(|error| vec![Fault::new("include", error.to_string())])?;
    let mut finder = Finder {
        configs: sources.into_iter().collect(),
        releases: discover.releases(),
        shared,
        workers,
        placed: HashMap::new(),
        paths: HashMap::new(),
        next: 0,
    };
    std::thread::Builder::new().name("discover".to_owned()).spawn(move || {
        let stop = Arc::clone(&finder.shared.stop);
        if finder.shared.once {
            finder.follow_once(&mut discover, &stop);
        } else {
            discover.run(&stop, &mut |event| finder.take(event));
        }
    })?;
    Ok(())
}

/// Turns what discovery tells into inputs of workers.
struct Finder {
    configs: HashMap<Arc<str>, file::Config>,
    releases: Releases,
    shared: Shared,
    workers: Workers,
    /// Which worker has which file.
    placed: HashMap<FileKey, usize>,
    /// Which worker has the files first seen at a path: a file and the one that replaces it share a lane.
    paths: HashMap<String, usize>,
    /// The worker of the next path: each gets its turn.
    next: usize,
}

impl Finder {
    /// All files that there are now. More than one turn only where they are more than may be open at once: then the
    /// next ones are opened as the workers end with the first.
    fn follow_once(&mut self, discover: &mut Discover, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let found = discover.scan_once();
            if found.is_empty() {
                if !discover.is_full() {
                    break;
                }
                std::thread::sleep(UNTIL_CLOSED);
            }
            found.into_iter().for_each(|found| self.follow(found));
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Found(found) => self.follow(found),
            Event::Changed(key) => self.tell(key, Input::Look(key)),
            Event::Renamed(key, path) => self.tell(key, Input::Renamed(key, path)),
        }
    }

    fn tell(&self, key: FileKey, input: Input) {
        if let Some(worker) = self.placed.get(&key) {
            let _ = self.workers.0[*worker].blocking_send(input);
        }
    }

    fn follow(&mut self, found: Found) {
        let path = found.path.to_string_lossy().into_owned();
        let Some(config) = self.configs.get(&found.source_name).cloned() else { return };
        let resume = {
            let head_of = |len: usize| head_of(&found.file, len).ok().flatten();
            let len = found.file.metadata().map_or(0, |metadata| metadata.len());
            let seen = Seen { identity: &found.identity, len, head_of: &head_of };
            // What cannot be read now cannot be read by its follower either, which says so.
            let first_line = first_line(&found.file).ok().flatten();
            let minted = mint(&found.identity, first_line.as_deref(), &self.shared.machine);
            resume(&self.shared, &found.source_name, &seen, minted)
        };
        let source = Arc::new(config.source(
            &found.source_name,
            resume.id,
            Some(resume.path.clone().unwrap_or_else(|| path.clone())),
        ));
        let worker = self.worker_of(source.path.as_deref().unwrap_or(&path).to_owned());
        match Follower::new(found, source, &resume, Settings::new(&config, self.shared.once)) {
            Ok(follower) => {
                if resume.cursor.is_none() && begins_later(&follower.cursor()) {
                    self.note_begin(resume.id, &follower.cursor());
                }
                self.placed.insert(follower.key(), worker);
                let follow = Follow::new(follower, &self.shared, self.releases.clone());
                let _ = self.workers.0[worker].blocking_send(Input::Follow(Box::new(follow)));
            }
            Err(error) => tracing::warn!("cannot read {path}: {error}; it is tried again when it changes"),
        }
    }

    fn worker_of(&mut self, path: String) -> usize {
        let Self { next, workers, .. } = self;
        *self.paths.entry(path).or_insert_with(|| {
            *next = (*next + 1) % workers.0.len();
            *next
        })
    }

    /// Where a file is not read from its beginning must be known after a crash.
    fn note_begin(&self, id: SourceId, cursor: &Cursor) {
        if let Err(error) = self.shared.tracker.begin_at(id, cursor) {
            tracing::warn!("{error}; a crash before the next checkpoint would pass over more of this file");
        }
    }
}

fn begins_later(cursor: &Cursor) -> bool {
    matches!(cursor, Cursor::File { offset: 1.., .. })
}
