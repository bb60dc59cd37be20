//! One container's log from the engine's own file: opened where that is possible, read by turns, looked at again and
//! again. `tail` knows what happens to files; here is when to read, and what is said of losses.
//!
//! There is no thread and no timer a container beyond its task: a look at a file that has not changed is two calls of
//! the system, made at longer and longer intervals; reads run on at most [`READS`] threads at a time.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Way;
use super::api::{Error, short};
use super::facts::State;
use super::follow::{Ended, Follower, GATHER, Next};
use super::logs::Logs;
use super::tail::{Losses, Scratch, Step, Tail};
use crate::base::metrics::Metric;

/// How many files are read at once. Each needs a buffer.
pub const READS: usize = 4;

/// Between looks at a file that grows fast: the engine may rotate it away soon.
const FAST_LOOK: Duration = Duration::from_millis(10);

/// That is, by so much between two looks, in bytes.
const FAST_BYTES: usize = 16 << 10;

/// Between looks at a file that grows.
const LOOK: Duration = Duration::from_millis(100);

/// Between looks at one that does not, at most; unless the engine keeps so few bytes that a burst of lines may come and
/// be rotated away within that time.
const SLOW_LOOK: Duration = Duration::from_secs(1);

/// That is, if it rotates files of less than so many bytes.
const SMALL_FILE: u64 = 10_000_000;

/// Between looks for the file of a container that was created: it may live for a moment only.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// One that is not started within this time is waited for without looks.
const UNTIL_START: Duration = Duration::from_secs(30);

/// When to look again.
#[derive(Debug)]
struct Pace {
    /// Between looks.
    length: Duration,
    /// It grows up to this while there is nothing.
    longest: Duration,
    /// Bytes read since the last pause.
    bytes: usize,
    /// The lines that wait for others go then.
    seal_at: Option<Instant>,
}

impl Pace {
    fn new(max_bytes: Option<u64>) -> Self {
        let is_small = max_bytes.is_some_and(|bytes| bytes < SMALL_FILE);
        Self { length: LOOK, longest: if is_small { LOOK } else { SLOW_LOOK }, bytes: 0, seal_at: None }
    }

    /// The next pause, by what the last one brought.
    fn begin_pause(&mut self) {
        self.length = match std::mem::take(&mut self.bytes) {
            0 => self.length,
            FAST_BYTES.. => FAST_LOOK,
            _ => LOOK,
        };
    }

    /// There was nothing.
    fn slow_down(&mut self) {
        self.length = (self.length * 5 / 4).min(self.longest);
    }
}

impl Follower {
    /// Opens the engine's file, unless it is open. `false`: the log is to be read through the API.
    ///
    /// # Errors
    /// When it cannot be opened, and only it may be read.
    pub(super) async fn open_file(&mut self) -> Result<bool, Error> {
        if self.tail.is_some() {
            return Ok(true);
        }
        let Some(facts) = self.facts.as_ref().filter(|_| self.shared.read != Way::Api) else { return Ok(false) };
        let is_only_way = self.shared.read == Way::File;
        let Some(log) = facts.log.clone() else {
            self.say_why_api(format!("log driver {}: it writes no file that can be read", facts.driver));
            return if is_only_way { Err(Error::Unreadable(short(&self.id))) } else { Ok(false) };
        };
        if self.is_file_bad {
            return Ok(false);
        }
        let path = log.path.clone();
        self.logs.get_or_insert_with(|| self.shared.logs(facts));
        let opened = self.lend(move |tail, logs, scratch| {
            *tail = Some(Tail::open(log, logs, scratch)?);
            Ok(())
        });
        let Err(error) = opened.await else { return Ok(true) };
        let cause = why_not(&path, &error);
        if is_only_way {
            return Err(self.cannot_read(cause.unwrap_or_else(|| error.to_string())));
        }
        cause.into_iter().for_each(|cause| self.say_why_api(cause));
        Ok(false)
    }

    /// Reads until the container has ended, or with `follow` false until there is nothing more now.
    pub(super) async fn read_file(&mut self, follow: bool) -> Result<Ended, Error> {
        let log = self.facts.as_ref().and_then(|facts| facts.log.as_ref());
        let mut pace = Pace::new(log.and_then(|log| log.max_bytes));
        loop {
            if *self.stop.borrow() {
                return Ok(Ended::Stopped);
            }
            // Asked before the step: what was written before it ended is then read.
            let is_last = !follow || self.is_over();
            let step = self.step().await?;
            if !self.deliver().await {
                return Ok(Ended::Stopped);
            }
            match step {
                Step::Read(bytes) => pace.bytes += bytes,
                Step::AtEnd if is_last => return Ok(if self.seal().await { Ended::Whole } else { Ended::Stopped }),
                Step::AtEnd => {
                    pace.begin_pause();
                    if !self.await_change(&mut pace).await {
                        return Ok(Ended::Stopped);
                    }
                }
            }
        }
    }

    /// Waits for the first start of a container that was created. Its file is opened as soon as it is there: it may be
    /// gone again before the start is told.
    pub(super) async fn await_file(&mut self) -> Result<Next, Error> {
        let log = self.facts.as_ref().and_then(|facts| facts.log.clone());
        let Some(log) = log.filter(|_| self.shared.read != Way::Api) else { return Ok(Next::Park) };
        let began = Instant::now();
        while began.elapsed() < UNTIL_START {
            match log.path.metadata() {
                Ok(_) if self.open_file().await? => {
                    self.facts.iter_mut().for_each(|facts| facts.state = State::Running);
                    return Ok(Next::Again);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => return Ok(Next::Park),
            }
            tokio::select! {
                () = sleep_until(Instant::now() + FIRST_LOOK) => {}
                _ = self.news.changed() => return Ok(Next::Again),
                _ = self.stop.changed() => return Ok(Next::End),
            }
        }
        Ok(Next::Park)
    }

    /// Whether nothing more will be written, as far as is known.
    fn is_over(&self) -> bool {
        let news = self.news.borrow();
        news.is_removed || self.has_ended || news.ends != self.ends
    }

    /// Waits until the file may have something, or the container has ended. Lines that wait go in time. `false`: the
    /// agent stops.
    async fn await_change(&mut self, pace: &mut Pace) -> bool {
        let mut look_at = Instant::now() + pace.length;
        loop {
            if pace.seal_at.is_none() && self.logs.as_ref().is_some_and(Logs::has_open_lines) {
                pace.seal_at = Some(Instant::now() + GATHER);
            }
            tokio::select! {
                _ = self.stop.changed() => return false,
                changed = self.news.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                    self.hear();
                    if self.is_over() {
                        return true;
                    }
                }
                () = sleep_until(pace.seal_at.map_or(look_at, |seal_at| seal_at.min(look_at))) => {}
            }
            let now = Instant::now();
            if pace.seal_at.is_some_and(|seal_at| seal_at <= now) {
                pace.seal_at = None;
                if !self.seal().await {
                    return false;
                }
            }
            if look_at <= now {
                if self.tail.as_ref().is_some_and(Tail::has_changed) {
                    return true;
                }
                pace.slow_down();
                look_at = now + pace.length;
            }
        }
    }

    /// One step, on a thread that may block.
    async fn step(&mut self) -> Result<Step, Error> {
        let max_line = self.shared.max_line;
        let stepped = self.lend(move |tail, logs, scratch| {
            let Some(tail) = tail else { return Ok((Step::AtEnd, Losses::default())) };
            let step = tail.step(logs, scratch, max_line)?;
            Ok((step, tail.take_losses()))
        });
        match stepped.await {
            Ok((step, losses)) => {
                self.tell(losses);
                Ok(step)
            }
            Err(error) => {
                self.tail = None;
                self.is_file_bad = self.shared.read != Way::File;
                Err(self.cannot_read(error.to_string()))
            }
        }
    }

    /// Gives the file, the lines and a buffer to a thread that may block, and takes them back.
    async fn lend<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Option<Tail>, &mut Logs, &mut Scratch) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let shared = Arc::clone(&self.shared);
        let _turn = shared.reads.acquire().await;
        let Some(mut logs) = self.logs.take() else { return Err(io::ErrorKind::NotFound.into()) };
        let mut tail = self.tail.take();
        let mut scratch = shared.scratches.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let working = tokio::task::spawn_blocking(move || {
            let result = work(&mut tail, &mut logs, &mut scratch);
            (tail, logs, scratch, result)
        });
        let (tail, logs, scratch, result) = match working.await {
            Ok(done) => done,
            // A panic there is the agent's.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        (self.tail, self.logs) = (tail, Some(logs));
        shared.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        result
    }

    /// Says, and counts, what was not to be had.
    fn tell(&self, losses: Losses) {
        let (metrics, name) = (&self.shared.hooks.metrics, &self.shared.source_name);
        metrics.add(Metric::LostBytes, name, losses.bytes);
        metrics.add(Metric::Gaps, name, losses.gaps);
        let say = |text: String| {
            if let Some(text) = self.shared.seldom.told(text, std::time::Instant::now()) {
                tracing::error!("{text}\nhint: raise max-size and max-file of its log");
            }
        };
        let container = short(&self.id);
        if losses.bytes > 0 {
            say(format!(
                "cannot read some of container {container}'s log: it was cut away or torn; the bytes are counted"
            ));
        }
        if losses.gaps > 0 {
            say(format!(
                "cannot find where container {container}'s log was left: it was rotated away; going on with the oldest \
                 lines that are there, and lines may be lost between"
            ));
        }
    }

    fn cannot_read(&self, cause: String) -> Error {
        let error = Error::Refused { verb: "read the engine's file of a container's log", cause };
        if self.shared.is_first(&error.to_string()) {
            tracing::warn!(container = short(&self.id), "{error}; it is tried again");
        }
        error
    }

    fn say_why_api(&self, cause: String) {
        if self.shared.is_first(&cause) {
            tracing::info!(
                source = &*self.shared.source_name,
                "reading through the engine's API where it must be: {cause}"
            );
        }
    }
}

/// What is to be said of a file that cannot be opened. Nothing when it is just not there, as that of a container that is
/// being removed.
fn why_not(path: &Path, error: &io::Error) -> Option<String> {
    let folder = path.parent().and_then(Path::parent).unwrap_or(path);
    if error.kind() == io::ErrorKind::NotFound && folder.is_dir() {
        return None;
    }
    Some(format!("cannot open the engine's files in {}: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_often_while_lines_do() {
        let mut pace = Pace::new(None);
        for (bytes, length) in [(FAST_BYTES, FAST_LOOK), (1, LOOK), (0, LOOK)] {
            pace.bytes = bytes;
            pace.begin_pause();
            assert_eq!(pace.length, length, "{bytes}");
        }
        (0..20).for_each(|_| pace.slow_down());
        assert_eq!(pace.length, SLOW_LOOK);
        let mut pace = Pace::new(Some(SMALL_FILE - 1));
        pace.slow_down();
        assert_eq!(pace.length, LOOK);
    }

    #[test]
    fn of_a_file_that_is_just_gone_nothing_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let gone = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(why_not(&folder.path().join("id/id-json.log"), &gone), None);
        let elsewhere = why_not(Path::new("/nowhere/containers/id/id-json.log"), &gone);
        assert!(
            elsewhere.is_some_and(|text| text.starts_with("cannot open the engine's files in /nowhere/containers: "))
        );
        let denied = why_not(&folder.path().join("id/id-json.log"), &io::ErrorKind::PermissionDenied.into());
        assert!(denied.is_some_and(|text| text.ends_with(": permission denied")));
    }
}
