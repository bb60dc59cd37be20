//! How a run ends: the signals that ask for it, the word that goes out, and whether waiting still makes sense. Stops
//! nothing itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::Options;
use super::route::Route;
use crate::base::metrics::Metric;

/// "Read no more", as tasks and as threads hear it.
#[derive(Clone, Debug)]
pub struct Stop {
    /// For tasks.
    pub tasks: watch::Sender<bool>,
    /// For threads.
    pub threads: Arc<AtomicBool>,
}

impl Stop {
    /// Not said yet.
    pub fn new() -> Self {
        Self { tasks: watch::channel(false).0, threads: Arc::default() }
    }

    /// Says it.
    pub fn now(&self) {
        self.threads.store(true, Ordering::Relaxed);
        self.tasks.send_replace(true);
    }
}

/// SIGTERM and SIGINT.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they are told here, and no longer end the process.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Whether waiting still makes sense.
pub struct Progress {
    options: Options,
    deadline: Option<Instant>,
    seen: (u64, u64),
    since: Instant,
    has_given_up: bool,
}

impl Progress {
    /// A run that has just begun.
    pub fn new(options: Options) -> Self {
        Self { options, deadline: None, seen: (0, 0), since: Instant::now(), has_given_up: false }
    }

    /// Whether a stop was asked for.
    pub fn is_stopping(&self) -> bool {
        self.deadline.is_some()
    }

    /// A stop is asked for. Only the first deadline counts.
    pub fn stop_by(&mut self, deadline: Instant) {
        self.deadline.get_or_insert(deadline);
    }

    /// The deadline of a stop has passed, or, once, nothing was read and nothing settled for too long.
    pub fn is_over(&mut self, routes: &[Route]) -> bool {
        let settled = routes.iter().map(|route| route.tracker.settled()).sum();
        let now = (settled, routes.iter().map(|route| route.metrics.total(Metric::ReadLines)).sum());
        if now != self.seen {
            (self.seen, self.since) = (now, Instant::now());
        }
        let is_late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        self.has_given_up |= self.options.once && self.since.elapsed() > self.options.wait;
        is_late || self.has_given_up
    }

    /// Whether it ended because nothing moved any more.
    pub fn has_given_up(&self) -> bool {
        self.has_given_up
    }
}
