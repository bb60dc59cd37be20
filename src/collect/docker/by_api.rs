//! One container's log through the engine's API: a body at a time, and a watchdog over it, because the engine's follow
//! may hang when it rotates a file. Joins no lines and asks for nothing else; `follow` decides when.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use tokio::time::{Instant, sleep};

use super::api::{Error, Wanted, short};
use super::follow::{Ended, Follower, GATHER};
use crate::base::metrics::Metric;

/// A follow that is silent for so long is checked against the end of the log, then after twice as long, and so on.
const SILENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

/// The longest time between two such checks.
const LONG_SILENCE: Duration = Duration::from_secs(480);

/// When so much time brings nothing more, lines that were expected to come again do not.
const STILL: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 2000 });

/// Whether the engine's stream of one container hangs.
#[derive(Debug, Default)]
pub struct Hang {
    /// How often in a row, without a line between.
    times: u32,
    /// Said once a container.
    is_said: bool,
}

/// When a silent follow was checked, and is to be checked again.
#[derive(Debug)]
struct Watchdog {
    silence: Duration,
    checked: Instant,
    /// The engine had something newer at the last check.
    is_behind: bool,
}

impl Watchdog {
    fn new() -> Self {
        Self { silence: SILENCE, checked: Instant::now(), is_behind: false }
    }
}

impl Follower {
    /// Reads one body to its end.
    pub(super) async fn read_body(&mut self, follow: bool) -> Result<Ended, Error> {
        let shared = Arc::clone(&self.shared);
        if self.logs.is_none() {
            self.logs = self.facts.as_ref().map(|facts| shared.logs(facts));
        }
        let Some(logs) = &mut self.logs else { return Ok(Ended::Whole) };
        let since_ns = logs.begin_body();
        self.has_answer = false;
        let body = shared.engine.logs(&self.id, Wanted { follow, since_ns, tail: None }).await?;
        let ended = self.read_frames(body, since_ns, follow).await;
        if self.seal().await { ended } else { Ok(Ended::Stopped) }
    }

    async fn read_frames(&mut self, mut body: Incoming, since_ns: Option<u64>, follow: bool) -> Result<Ended, Error> {
        let mut gather = pin!(sleep(Duration::ZERO));
        let mut is_gathering = false;
        let mut still = pin!(sleep(STILL));
        let mut watchdog = Watchdog::new();
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
                    match self.take(frame).await? {
                        ControlFlow::Break(ended) => return Ok(ended),
                        ControlFlow::Continue(has_lines) if has_lines && !is_gathering => {
                            is_gathering = true;
                            gather.as_mut().reset(Instant::now() + GATHER);
                        }
                        ControlFlow::Continue(_) => {}
                    }
                }
                () = &mut still => {
                    still.as_mut().reset(Instant::now() + STILL);
                    if !std::mem::replace(&mut is_quiet, true) {
                        watchdog = Watchdog::new();
                    } else if self.has_lost_place(true) || (follow && self.hangs(&mut watchdog, since_ns).await?) {
                        return Ok(Ended::Left);
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

    /// Takes a frame of the body, or its end. Goes on: whether lines wait to be handed on.
    async fn take(&mut self, frame: Option<hyper::Result<Frame<Bytes>>>) -> Result<ControlFlow<Ended, bool>, Error> {
        let Some(frame) = frame else { return Ok(ControlFlow::Break(self.end_of_body())) };
        let frame = frame.map_err(|error| broken(&error))?;
        let Some(data) = frame.data_ref() else { return Ok(ControlFlow::Continue(false)) };
        let has_lines = self.push(data)?;
        Ok(if !self.deliver().await {
            ControlFlow::Break(Ended::Stopped)
        } else if self.has_lost_place(false) {
            ControlFlow::Break(Ended::Left)
        } else {
            ControlFlow::Continue(has_lines)
        })
    }

    /// Takes bytes; whether lines wait to be handed on.
    fn push(&mut self, data: &[u8]) -> Result<bool, Error> {
        let Some(logs) = &mut self.logs else { return Ok(false) };
        self.has_answer |= !data.is_empty();
        logs.push(data, self.shared.max_line).map_err(|error| broken(&error))?;
        let has_lines = logs.has_open_lines();
        if has_lines {
            self.clear_hang();
        }
        Ok(has_lines)
    }

    fn end_of_body(&mut self) -> Ended {
        if self.has_lost_place(true) { Ended::Left } else { Ended::Whole }
    }

    fn has_lost_place(&mut self, idle: bool) -> bool {
        self.logs.as_mut().is_some_and(|logs| logs.has_lost_place(idle))
    }

    /// Whether a silent follow hangs: the engine had a newer message a while ago, and it has still not come.
    async fn hangs(&mut self, watchdog: &mut Watchdog, since_ns: Option<u64>) -> Result<bool, Error> {
        if watchdog.is_behind {
            self.note_hang();
            return Ok(true);
        }
        if watchdog.checked.elapsed() < watchdog.silence {
            return Ok(false);
        }
        let last = self.shared.engine.last_message(&self.id, since_ns).await?;
        let is_behind = self.logs.as_ref().is_some_and(|logs| !logs.knows(&last));
        let silence = (watchdog.silence * 2).min(LONG_SILENCE);
        *watchdog = Watchdog { silence, checked: Instant::now(), is_behind };
        if !is_behind {
            self.clear_hang();
        }
        Ok(false)
    }

    /// Counts a hang, says the first, and shows one that stays though the stream was opened again.
    fn note_hang(&mut self) {
        let (metrics, name) = (&self.shared.hooks.metrics, &self.shared.source_name);
        self.hang.times += 1;
        metrics.add(Metric::HungFollows, name, 1);
        if self.hang.times == 2 {
            metrics.shift(Metric::StalledFollows, name, 0, 1);
        }
        if !std::mem::replace(&mut self.hang.is_said, true) {
            tracing::warn!(
                container = short(&self.id),
                "the engine's log stream hangs; reading on from the last line, now and whenever it hangs again"
            );
        }
    }

    /// Lines come again, or there are none, or nobody reads them any more.
    pub(super) fn clear_hang(&mut self) {
        if std::mem::take(&mut self.hang.times) >= 2 {
            self.shared.hooks.metrics.shift(Metric::StalledFollows, &self.shared.source_name, 1, 0);
        }
    }
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::Refused { verb: "read a container's log on", cause: error.to_string() }
}

#[cfg(test)]
mod tests;
