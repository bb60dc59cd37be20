//! One container's life: wait for its start, follow its log, drain it, wait again, until it is removed. Finds no
//! containers: `watch` tells what happens to them. Reads no line: `by_file` and `by_api` do.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use super::api::{Engine, Error, short};
use super::by_api::Hang;
use super::by_file::READS;
use super::facts::{Facts, Selection, State};
use super::logs::Logs;
use super::tail::{Scratch, Tail};
use super::{Docker, Hooks, Way};
use crate::base::backoff::Backoff;
use crate::base::clock;
use crate::base::metrics::Metric;
use crate::base::seldom::Seldom;
use crate::base::source::{Identity, Kind, Resume, Source, Stream};

/// Lines wait so long for others before their chunk goes.
pub const GATHER: Duration = Duration::from_millis(100);

/// Between attempts at one container's log.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_secs(10) };

/// How many ended containers are read at once.
const DRAINS: usize = 8;

/// A log that cannot be read so often in a row is said.
const SAID_AFTER: u32 = 4;

/// What all followers share.
#[derive(Debug)]
pub struct Shared {
    pub engine: Engine,
    pub hooks: Hooks,
    pub read: Way,
    pub source_name: Arc<str>,
    pub max_line: usize,
    /// A turn to read a file.
    pub reads: Semaphore,
    /// Room for that.
    pub scratches: Mutex<Vec<Scratch>>,
    selection: Selection,
    timezone: Arc<str>,
    drains: Semaphore,
    /// For messages that repeat.
    pub seldom: Seldom,
    /// What is not said again.
    said: Mutex<HashSet<String>>,
}

/// What `watch` tells a follower.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Counts its starts.
    pub starts: u64,
    /// Grows when it has ended.
    pub ends: u64,
    /// It was removed.
    pub is_removed: bool,
    /// Its new name, once it has had another.
    pub name: Option<String>,
}

/// The reader of one container.
#[derive(Debug)]
pub struct Follower {
    pub(super) shared: Arc<Shared>,
    pub(super) id: String,
    pub(super) news: watch::Receiver<News>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) facts: Option<Facts>,
    pub(super) logs: Option<Logs>,
    /// The engine's file, while it is read. `None`: through the API, or nothing is read now.
    pub(super) tail: Option<Tail>,
    /// The engine's file could be opened and not be read: the API is asked.
    pub(super) is_file_bad: bool,
    pub(super) hang: Hang,
    /// How many of its ends are known.
    pub(super) ends: u64,
    /// It has ended, if the engine has not started it again.
    pub(super) has_ended: bool,
    /// How many of its starts are known.
    starts: u64,
    /// It may have lines since its last start that were not read yet.
    is_unread: bool,
    /// The last body through the API held anything.
    pub(super) has_answer: bool,
}

/// What to do after a pass over a container's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look again at once.
    Again,
    /// Wait until it is started, renamed or removed.
    Park,
    /// Wait until it is renamed or removed: it is not wanted.
    ParkUnwanted,
    /// Wait until it is removed: it cannot be read.
    ParkUnreadable,
    /// Nothing more, ever.
    End,
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All there is was read: the engine closed the body, or the container has ended.
    Whole,
    /// It does not hold what it should, or hangs: read another.
    Left,
    /// The agent stops.
    Stopped,
}

impl Shared {
    pub fn new(docker: Docker, hooks: Hooks) -> Arc<Self> {
        let Docker { engine, selection, source_name, timezone, max_line, read } = docker;
        Arc::new(Self {
            engine,
            hooks,
            read,
            source_name,
            max_line,
            reads: Semaphore::new(READS),
            scratches: Mutex::default(),
            selection,
            timezone,
            drains: Semaphore::new(DRAINS),
            seldom: Seldom::default(),
            said: Mutex::default(),
        })
    }

    /// Whether this is said for the first time.
    pub fn is_first(&self, text: &str) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned())
    }

    fn source(&self, facts: &Facts, stream: Stream, resume: &Resume) -> Source {
        Source {
            id: resume.id,
            kind: Kind::Docker,
            name: Arc::clone(&self.source_name),
            container_name: facts.name.clone(),
            service_name: facts.service_name().to_owned(),
            stream: Some(stream),
            path: None,
            mask: facts.mask(),
            timezone: Arc::clone(&self.timezone),
        }
    }

    pub fn logs(&self, facts: &Facts) -> Logs {
        let streams: &[Stream] = if facts.tty { &[Stream::Stdout] } else { &[Stream::Stdout, Stream::Stderr] };
        let known = streams.iter().map(|stream| {
            let identity = Identity::Docker { container: facts.id.clone(), stream: *stream, name: facts.name.clone() };
            let resume = (self.hooks.resume)(&identity);
            (Arc::new(self.source(facts, *stream, &resume)), resume)
        });
        Logs::new(facts.tty, known.collect())
    }
}

impl Follower {
    pub fn new(shared: Arc<Shared>, id: String, news: watch::Receiver<News>, stop: watch::Receiver<bool>) -> Self {
        Self {
            shared,
            id,
            news,
            stop,
            facts: None,
            logs: None,
            tail: None,
            is_file_bad: false,
            hang: Hang::default(),
            ends: 0,
            has_ended: false,
            starts: 0,
            is_unread: false,
            has_answer: false,
        }
    }

    /// Reads until the container is removed or the agent stops.
    pub async fn run(mut self) {
        let mut attempt = 0;
        while !*self.stop.borrow() {
            let now = self.news.borrow_and_update().clone();
            self.take_note(&now);
            let next = match self.pass(&now).await {
                Ok(next) => {
                    attempt = 0;
                    next
                }
                Err(error) => {
                    attempt += 1;
                    self.tell_of_failure(attempt, &error);
                    self.facts = None;
                    self.pause(BACKOFF.delay(attempt, clock::now_ns().unsigned_abs())).await;
                    Next::Again
                }
            };
            match next {
                Next::Again => {}
                Next::End => break,
                parked => {
                    self.tail = None;
                    self.wait(parked, &now).await;
                }
            }
        }
        self.clear_hang();
    }

    /// An engine that restarts fails a few times: what goes on failing is said, once.
    fn tell_of_failure(&self, attempt: u32, error: &Error) {
        let container = short(&self.id);
        if attempt == SAID_AFTER {
            tracing::warn!(
                container,
                "cannot read its log: {error}; it is tried again and again\n\
                 hint: `docker logs` shows whether the engine can read it; label logferry.enable=false leaves it alone"
            );
        } else {
            tracing::debug!(container, "{error}; trying again");
        }
    }

    fn take_note(&mut self, now: &News) {
        if now.starts != self.starts {
            self.starts = now.starts;
            self.is_unread = true;
            self.facts.iter_mut().for_each(|facts| facts.state = State::Running);
        }
        if now.ends != self.ends {
            self.ends = now.ends;
            self.has_ended = true;
        }
    }

    /// Reads all that an ended or running container has now, once.
    pub async fn read_once(mut self) -> Result<(), Error> {
        match self.look().await {
            Ok(facts) if !self.shared.selection.wants(&facts) || facts.state == State::New => return Ok(()),
            Ok(facts) => self.facts = Some(facts),
            Err(Error::Gone(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
        match self.drain().await {
            Err(Error::Gone(_)) => Ok(()),
            Err(error @ Error::Unreadable(_)) => {
                tracing::warn!("{error}");
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// One look at the container and its log.
    async fn pass(&mut self, now: &News) -> Result<Next, Error> {
        match self.attempt(now).await {
            Err(Error::Gone(_)) => Ok(self.finish().await),
            Err(error @ Error::Unreadable(_)) => {
                tracing::warn!("{error}; its lines are not collected");
                Ok(Next::ParkUnreadable)
            }
            other => other,
        }
    }

    async fn attempt(&mut self, now: &News) -> Result<Next, Error> {
        if now.is_removed && !self.is_unread {
            return Ok(self.finish().await);
        }
        let facts = match self.facts.take() {
            Some(facts) if now.name.as_ref().is_none_or(|name| *name == facts.name) => facts,
            _ => self.look().await?,
        };
        let is_wanted = self.shared.selection.wants(&facts);
        let state = facts.state;
        self.rename(facts);
        match state {
            _ if !is_wanted => Ok(Next::ParkUnwanted),
            State::New => self.await_file().await,
            State::Running => self.follow().await,
            State::Ended | State::Removing => self.drain().await,
        }
    }

    async fn look(&self) -> Result<Facts, Error> {
        self.shared.engine.inspect(&self.id).await
    }

    /// Keeps the facts, and gives them to the lines that come from now on.
    fn rename(&mut self, facts: Facts) {
        if let Some(logs) = &mut self.logs
            && logs.sources().any(|source| source.container_name != facts.name)
        {
            logs.rename(|source| Source {
                id: source.id,
                kind: source.kind,
                name: Arc::clone(&source.name),
                container_name: facts.name.clone(),
                service_name: facts.service_name().to_owned(),
                stream: source.stream,
                path: None,
                mask: source.mask.clone(),
                timezone: Arc::clone(&source.timezone),
            });
        }
        self.facts = Some(facts);
    }

    async fn follow(&mut self) -> Result<Next, Error> {
        let began = Instant::now();
        let by_file = self.open_file().await?;
        let ended = if by_file { self.read_file(true).await? } else { self.read_body(true).await? };
        let is_short = ended == Ended::Whole && !by_file && began.elapsed() < BACKOFF.first;
        match ended {
            Ended::Stopped => return Ok(Next::End),
            // An engine ends a follow with the container, and leaves out what came just before: it is asked again.
            Ended::Whole => self.is_unread = !by_file,
            Ended::Left => {}
        }
        self.facts = None;
        self.has_ended = false;
        if is_short {
            self.pause(BACKOFF.first).await;
        }
        Ok(Next::Again)
    }

    /// Reads what there is, to the end.
    async fn drain(&mut self) -> Result<Next, Error> {
        let shared = Arc::clone(&self.shared);
        let _turn = shared.drains.acquire().await;
        let (mut ended, mut by_file) = (Ended::Left, false);
        while ended == Ended::Left {
            by_file = self.open_file().await?;
            ended = if by_file { self.read_file(false).await? } else { self.read_body(false).await? };
        }
        if ended == Ended::Stopped {
            return Ok(Next::End);
        }
        self.is_unread &= !by_file && self.is_going().await?;
        if self.facts.as_ref().is_some_and(|facts| facts.state == State::Ended) {
            self.finish_lines().await;
        }
        Ok(Next::Park)
    }

    /// Whether an ended container is being removed, and the engine has answered with an empty log for that alone.
    async fn is_going(&self) -> Result<bool, Error> {
        Ok(!self.has_answer && self.look().await?.state == State::Removing)
    }

    /// A start while following changes nothing; a new name does.
    pub(super) fn hear(&mut self) {
        let News { starts, name, .. } = self.news.borrow_and_update().clone();
        self.starts = starts;
        if let Some(name) = name
            && let Some(facts) = self.facts.take()
        {
            self.rename(Facts { name, ..facts });
        }
    }

    /// Closes the open chunks and hands them on. `false`: nobody takes them any more.
    pub(super) async fn seal(&mut self) -> bool {
        if let Some(logs) = &mut self.logs {
            logs.seal();
        }
        self.deliver().await
    }

    /// Hands on the closed chunks, waiting for room. `false`: nobody takes them any more.
    pub(super) async fn deliver(&mut self) -> bool {
        let Some(logs) = &mut self.logs else { return true };
        for chunk in logs.ready() {
            if self.shared.hooks.chunks.send(chunk).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn finish_lines(&mut self) {
        if let Some(logs) = &mut self.logs {
            logs.finish_lines();
        }
        self.deliver().await;
    }

    /// The container is gone.
    async fn finish(&mut self) -> Next {
        if self.tail.is_some() {
            // What was written last before it was removed; the file is held open.
            match self.read_file(false).await {
                Ok(Ended::Stopped) => return Next::End,
                Ok(_) => self.is_unread = false,
                Err(_) => {}
            }
        }
        self.finish_lines().await;
        if std::mem::take(&mut self.is_unread) {
            self.tell_of_miss();
        }
        for source in self.logs.iter().flat_map(Logs::sources) {
            (self.shared.hooks.finished)(source.id);
        }
        Next::End
    }

    fn tell_of_miss(&self) {
        self.shared.hooks.metrics.add(Metric::MissedContainers, &self.shared.source_name, 1);
        let text = "cannot read the log of a container to its end: it was removed before; its last lines may be lost";
        if let Some(text) = self.shared.seldom.told(text.to_owned(), std::time::Instant::now()) {
            tracing::warn!(
                container = short(&self.id),
                "{text}\nhint: where the engine's json-file can be opened (`read` in the source), nothing is lost this way"
            );
        }
    }

    /// Waits until there is a reason to look again.
    async fn wait(&mut self, parked: Next, since: &News) {
        loop {
            let now = self.news.borrow_and_update().clone();
            let is_started = now.starts != since.starts && parked == Next::Park;
            let is_renamed = now.name != since.name && parked != Next::ParkUnreadable;
            if is_started || is_renamed || now.is_removed != since.is_removed {
                return;
            }
            tokio::select! {
                changed = self.news.changed() => if changed.is_err() { return },
                _ = self.stop.changed() => return,
            }
        }
    }

    pub(super) async fn pause(&mut self, length: Duration) {
        tokio::select! {
            () = sleep_until(Instant::now() + length) => {}
            _ = self.stop.changed() => {}
        }
    }
}
