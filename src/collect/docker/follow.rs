//! One container's life: wait for its start, follow its log, drain it, wait again, until it is removed. Finds no
//! containers; `watch` tells what happens to them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::api::{Engine, Error, Wanted, short};
use super::facts::{Facts, Selection, State};
use super::logs::Logs;
use super::{Docker, Hooks};
use crate::base::backoff::Backoff;
use crate::base::clock;
use crate::base::metrics::Metric;
use crate::base::source::{Identity, Kind, Resume, Source, Stream};

/// Lines wait so long for others before their chunk goes.
const GATHER: Duration = Duration::from_millis(100);

/// A follow that is silent for so long is checked against the end of the log, then after twice as long, and so on.
const SILENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

/// The longest time between two such checks.
const LONG_SILENCE: Duration = Duration::from_secs(480);

/// When so much time brings nothing more, lines that were expected to come again do not.
const STILL: Duration = Duration::from_secs(2);

/// Between attempts at one container's log.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_secs(10) };

/// How many ended containers are read at once.
const DRAINS: usize = 8;

/// What all followers share.
#[derive(Debug)]
pub struct Shared {
    pub engine: Engine,
    pub hooks: Hooks,
    selection: Selection,
    source_name: Arc<str>,
    timezone: Arc<str>,
    max_line: usize,
    drains: Semaphore,
}

/// What `watch` tells a follower.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Counts its starts.
    pub starts: u64,
    /// It was removed.
    pub is_removed: bool,
    /// Its new name, once it has had another.
    pub name: Option<String>,
}

/// The reader of one container.
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    id: String,
    news: watch::Receiver<News>,
    stop: watch::Receiver<bool>,
    facts: Option<Facts>,
    logs: Option<Logs>,
    /// How many of its starts are known.
    starts: u64,
    /// It may have lines since its last start that were not read yet.
    is_unread: bool,
    /// Lines were read since it was started.
    has_lines: bool,
}

/// What to do after a pass over a container's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
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

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The engine closed it: all was sent.
    Whole,
    /// It does not hold what it should, or hangs: read another.
    Left,
    /// The agent stops.
    Stopped,
}

impl Shared {
    pub fn new(docker: Docker, hooks: Hooks) -> Arc<Self> {
        let Docker { engine, selection, source_name, timezone, max_line } = docker;
        let drains = Semaphore::new(DRAINS);
        Arc::new(Self { engine, hooks, selection, source_name, timezone, max_line, drains })
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
            timezone: Arc::clone(&self.timezone),
        }
    }

    fn logs(&self, facts: &Facts) -> Logs {
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
    pub const fn new(
        shared: Arc<Shared>,
        id: String,
        news: watch::Receiver<News>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { shared, id, news, stop, facts: None, logs: None, starts: 0, is_unread: false, has_lines: false }
    }

    /// Reads until the container is removed or the agent stops.
    pub async fn run(mut self) {
        let mut attempt = 0;
        while !*self.stop.borrow() {
            let now = self.news.borrow_and_update().clone();
            if now.starts != self.starts {
                self.starts = now.starts;
                self.is_unread = true;
                self.has_lines = false;
                self.facts.iter_mut().for_each(|facts| facts.state = State::Running);
            }
            let next = match self.pass(&now).await {
                Ok(next) => {
                    attempt = 0;
                    next
                }
                Err(error) => {
                    attempt += 1;
                    tracing::debug!(container = short(&self.id), "{error}; trying again");
                    self.facts = None;
                    self.pause(BACKOFF.delay(attempt, clock::now_ns().unsigned_abs())).await;
                    Next::Again
                }
            };
            match next {
                Next::Again => {}
                Next::End => return,
                parked => self.wait(parked, &now).await,
            }
        }
    }

    /// Reads all that an ended or running container has now, once.
    pub async fn read_once(mut self) -> Result<(), Error> {
        match self.look().await {
            Ok(facts) if !self.shared.selection.wants(&facts) => return Ok(()),
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
            State::New => Ok(Next::Park),
            State::Running => self.follow().await,
            State::Ended => self.drain().await,
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
                timezone: Arc::clone(&source.timezone),
            });
        }
        self.facts = Some(facts);
    }

    async fn follow(&mut self) -> Result<Next, Error> {
        let began = Instant::now();
        let ended = self.read(true).await?;
        match ended {
            Ended::Stopped => return Ok(Next::End),
            // An engine answers with an empty log, too, when the container is just being removed.
            Ended::Whole => self.is_unread = !self.has_lines && began.elapsed() < BACKOFF.first,
            Ended::Left => {}
        }
        self.facts = None;
        if ended == Ended::Whole && began.elapsed() < BACKOFF.first {
            self.pause(BACKOFF.first).await;
        }
        Ok(Next::Again)
    }

    /// Reads what there is, to the end.
    async fn drain(&mut self) -> Result<Next, Error> {
        let shared = Arc::clone(&self.shared);
        let _turn = shared.drains.acquire().await;
        let mut ended = Ended::Left;
        while ended == Ended::Left {
            ended = self.read(false).await?;
        }
        if ended == Ended::Stopped {
            return Ok(Next::End);
        }
        self.is_unread = false;
        if self.facts.as_ref().is_some_and(|facts| facts.state == State::Ended) {
            self.finish_lines().await;
        }
        Ok(Next::Park)
    }

    /// Reads one body to its end.
    async fn read(&mut self, follow: bool) -> Result<Ended, Error> {
        let shared = Arc::clone(&self.shared);
        if self.logs.is_none() {
            self.logs = self.facts.as_ref().map(|facts| shared.logs(facts));
        }
        let Some(logs) = &mut self.logs else { return Ok(Ended::Whole) };
        let since_ns = logs.begin_body();
        let body = shared.engine.logs(&self.id, Wanted { follow, since_ns, tail: None }).await?;
        let ended = self.read_body(body, since_ns, follow).await;
        if let Some(logs) = &mut self.logs {
            logs.seal();
        }
        let is_taken = self.deliver().await;
        if is_taken { ended } else { Ok(Ended::Stopped) }
    }

    async fn read_body(&mut self, mut body: Incoming, since_ns: Option<u64>, follow: bool) -> Result<Ended, Error> {
        let mut gather = pin!(sleep(Duration::ZERO));
        let mut is_gathering = false;
        let mut still = pin!(sleep(STILL));
        let mut silence = SILENCE;
        let mut checked = Instant::now();
        let mut is_quiet = true;
        loop {
            tokio::select! {
                biased;
                _ = self.stop.changed() => return Ok(Ended::Stopped),
                () = &mut gather, if is_gathering => {
                    is_gathering = false;
                    if !self.seal().await {
                        return Ok(Ended::Stopped);
                    }
                }
                frame = body.frame() => {
                    is_quiet = false;
                    let Some(frame) = frame else { return Ok(self.end_of_body()) };
                    let frame = frame.map_err(|error| broken(&error))?;
                    let Some(data) = frame.data_ref() else { continue };
                    let has_lines = self.push(data)?;
                    if !self.deliver().await {
                        return Ok(Ended::Stopped);
                    }
                    if has_lines && !is_gathering {
                        is_gathering = true;
                        gather.as_mut().reset(Instant::now() + GATHER);
                    }
                    if self.has_lost_place(false) {
                        return Ok(Ended::Left);
                    }
                }
                () = &mut still => {
                    still.as_mut().reset(Instant::now() + STILL);
                    if !std::mem::replace(&mut is_quiet, true) {
                        (silence, checked) = (SILENCE, Instant::now());
                        continue;
                    }
                    if self.has_lost_place(true) {
                        return Ok(Ended::Left);
                    }
                    if follow && checked.elapsed() >= silence {
                        if self.is_behind(since_ns).await? {
                            return Ok(Ended::Left);
                        }
                        (silence, checked) = ((silence * 2).min(LONG_SILENCE), Instant::now());
                    }
                }
                changed = self.news.changed() => {
                    if changed.is_ok() {
                        self.hear();
                    } else {
                        return Ok(Ended::Stopped);
                    }
                }
            }
        }
    }

    /// Takes bytes; whether lines wait to be handed on.
    fn push(&mut self, data: &[u8]) -> Result<bool, Error> {
        let Some(logs) = &mut self.logs else { return Ok(false) };
        logs.push(data, self.shared.max_line).map_err(|error| broken(&error))?;
        Ok(logs.has_open_lines())
    }

    fn end_of_body(&self) -> Ended {
        if self.has_lost_place(true) { Ended::Left } else { Ended::Whole }
    }

    fn has_lost_place(&self, idle: bool) -> bool {
        self.logs.as_ref().is_some_and(|logs| logs.has_lost_place(idle))
    }

    /// Asks for the log's last message: a follow may hang, or pass over lines, when the engine rotates a file.
    async fn is_behind(&self, since_ns: Option<u64>) -> Result<bool, Error> {
        let last = self.shared.engine.last_message(&self.id, since_ns).await?;
        let is_behind = self.logs.as_ref().is_some_and(|logs| !logs.knows(&last));
        if is_behind {
            tracing::warn!(container = short(&self.id), "the engine's log stream hangs; reading on from the last line");
        }
        Ok(is_behind)
    }

    /// A start while following changes nothing; a new name does.
    fn hear(&mut self) {
        let News { starts, name, .. } = self.news.borrow_and_update().clone();
        self.starts = starts;
        if let Some(name) = name
            && let Some(facts) = self.facts.take()
        {
            self.rename(Facts { name, ..facts });
        }
    }

    async fn seal(&mut self) -> bool {
        if let Some(logs) = &mut self.logs {
            logs.seal();
        }
        self.deliver().await
    }

    /// Hands on the closed chunks, waiting for room. `false`: nobody takes them any more.
    async fn deliver(&mut self) -> bool {
        let Some(logs) = &mut self.logs else { return true };
        for chunk in logs.ready() {
            self.has_lines |= !chunk.lines.is_empty();
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
        self.finish_lines().await;
        if std::mem::take(&mut self.is_unread) {
            self.shared.hooks.metrics.add(Metric::MissedContainers, &self.shared.source_name, 1);
            tracing::warn!(
                container = short(&self.id),
                "cannot read the log of a container: it was removed before it could be asked for; lines of it may be lost"
            );
        }
        for source in self.logs.iter().flat_map(Logs::sources) {
            (self.shared.hooks.finished)(source.id);
        }
        Next::End
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

    async fn pause(&mut self, length: Duration) {
        tokio::select! {
            () = sleep_until(Instant::now() + length) => {}
            _ = self.stop.changed() => {}
        }
    }
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::Refused { verb: "read a container's log on", cause: error.to_string() }
}
