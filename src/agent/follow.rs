//! One followed file on its worker: when it is looked at, and what of it `track` must know before its lines go on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::chunk::Chunk;
use crate::base::clock;
use crate::base::metrics::{Metric, Metrics};
use crate::base::seldom::Seldom;
use crate::base::source::{Identity, SourceId};
use crate::collect::discover::Releases;
use crate::collect::file::{Follower, Read};
use crate::collect::identity::FileKey;
use crate::collect::lines::Spare;
use crate::track::Tracker;

use super::sources::Shared;

/// One followed file.
#[derive(Debug)]
pub struct Follow {
    follower: Follower,
    /// When to look, in ms since 1970. Earlier when the file is said to have changed.
    look_at_ms: i64,
    is_over: bool,
    deletion: Deletion,
    keeping: Keeping,
    /// Ends when the file is read to its end.
    once: bool,
    tracker: Arc<Tracker>,
    metrics: Arc<Metrics>,
    seldom: Arc<Seldom>,
    releases: Releases,
}

/// Files that wait until their worker takes them. They are open, so none is lost while it is busy, and there are no more
/// of them than may be open.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<Mutex<Vec<Follow>>>);

impl Waiting {
    /// Adds one.
    pub fn add(&self, follow: Follow) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(follow);
    }

    /// Moves all to `follows`.
    pub fn move_to(&self, follows: &mut Vec<Follow>) {
        follows.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Whether a file was deleted. The kernel is asked seldom, for there may be thousands of files.
#[derive(Debug, Default)]
struct Deletion {
    is_there: bool,
    asked_ms: i64,
}

const ASK_EVERY_MS: i64 = 500;

impl Deletion {
    fn is_there(&mut self, now_ms: i64, ask: impl FnOnce() -> bool) -> bool {
        // A clock that was set back asks at once.
        if !self.is_there && !(0..ASK_EVERY_MS).contains(&(now_ms - self.asked_ms)) {
            (self.is_there, self.asked_ms) = (ask(), now_ms);
        }
        self.is_there
    }
}

/// When what was read of a deleted file is made durable: nobody can read it again. A second is for a store that answers;
/// what it has by then needs no more.
#[derive(Debug, Default)]
struct Keeping {
    /// It was found deleted, or was last due.
    since: Option<Instant>,
}

const KEEP_EVERY: Duration = Duration::from_secs(1);

impl Keeping {
    fn is_due(&mut self, is_deleted: bool, now: Instant) -> bool {
        if !is_deleted {
            return false;
        }
        let since = self.since.get_or_insert(now);
        let is_due = now.duration_since(*since) >= KEEP_EVERY;
        if is_due {
            *since = now;
        }
        is_due
    }
}

/// A file is looked at so often even when nothing says that it changed.
const LOOK_EVERY_MS: i64 = 1_000;

/// While lines come, the next ones are looked for so soon: what the kernel tells may come late or be lost.
const LOOK_SOON_MS: i64 = 100;

impl Follow {
    /// Follows from the next look on.
    pub fn new(follower: Follower, shared: &Shared, releases: Releases) -> Self {
        let Shared { once, tracker, metrics, seldom, .. } = shared;
        Self {
            look_at_ms: 0,
            is_over: false,
            deletion: Deletion::default(),
            keeping: Keeping::default(),
            once: *once || follower.is_packed(),
            follower,
            tracker: Arc::clone(tracker),
            metrics: Arc::clone(metrics),
            seldom: Arc::clone(seldom),
            releases,
        }
    }

    /// Whose lines it reads.
    pub fn source(&self) -> SourceId {
        self.follower.source().id
    }

    /// The name of the `[source.NAME]` and the bytes that wait in the file.
    pub fn lag(&self) -> (&Arc<str>, u64) {
        (&self.follower.source().name, self.follower.lag_bytes())
    }

    /// Bytes in the file.
    pub fn size(&self) -> u64 {
        self.follower.size()
    }

    /// Whether nothing more will come: it can be let go.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The kernel's name of the file.
    pub fn key(&self) -> FileKey {
        self.follower.key()
    }

    /// Looks at the next turn: the file is said to have changed.
    pub fn look(&mut self) {
        self.look_at_ms = 0;
    }

    /// Whether the file still lies there: a deleted one is gone when it is closed, and takes its room until then. As it was
    /// half a second ago at most.
    pub fn can_wait(&mut self, now_ms: i64) -> bool {
        !self.deletion.is_there(now_ms, || self.follower.is_deleted())
    }

    /// Whether the file has no name any more, as it is now.
    pub fn is_deleted(&self) -> bool {
        self.follower.is_deleted()
    }

    /// Whether what was read of it and is not settled must be made durable now. Tells so once a second.
    pub fn is_to_be_kept(&mut self, now_ms: i64) -> bool {
        let is_deleted = !self.can_wait(now_ms);
        self.keeping.is_due(is_deleted, Instant::now())
    }

    /// Takes note of a new path. Records keep the path under which the file was first seen.
    pub fn renamed(&mut self, path: PathBuf) {
        let source = Arc::clone(self.follower.source());
        self.follower.renamed(path, source);
    }

    /// Lets the file go, and tells whoever finds files. One that was compressed never has more.
    pub fn release(self) {
        self.tracker.saw(std::iter::once((self.source(), Some(self.size()))), clock::now_ms());
        self.tracker.let_go(self.source());
        if self.follower.is_packed() {
            self.tracker.finish(self.source());
        }
        self.releases.release(self.follower.key(), self.follower.size());
    }

    /// The next chunk, if it is time to look and there is one, with the source's identity where that has changed: it
    /// must be noted before the chunk is.
    pub fn read(&mut self, now_ms: i64, spare: &mut Spare) -> Option<(Chunk, Option<Identity>)> {
        let is_early = now_ms < self.look_at_ms && self.look_at_ms - now_ms <= LOOK_EVERY_MS;
        if self.is_over || is_early {
            return None;
        }
        let read = self.follower.read(now_ms, spare);
        self.tell_losses();
        match read {
            Ok(Read::Chunk(chunk)) => {
                self.look_at_ms = 0;
                // What cannot be read of the identity now is noted with the next chunk.
                let identity = self.follower.take_identity().unwrap_or_default();
                return Some((chunk, identity));
            }
            Ok(Read::Passing) => self.look_at_ms = 0,
            Ok(Read::AtEnd) => {
                self.is_over = self.once;
                let is_lively = self.follower.quiet_ms(now_ms) < LOOK_EVERY_MS;
                self.look_at_ms = now_ms + if is_lively { LOOK_SOON_MS } else { LOOK_EVERY_MS };
            }
            Ok(Read::Gone) => self.is_over = true,
            Err(error) => {
                let text = format!("cannot read {}: {error}; it is tried again", self.path());
                if let Some(text) = self.seldom.told(text, Instant::now()) {
                    tracing::warn!("{text}");
                }
                self.is_over = self.once;
                self.look_at_ms = now_ms + LOOK_EVERY_MS;
            }
        }
        None
    }

    /// Says, and counts, what was cut off the file before it was read.
    fn tell_losses(&mut self) {
        let losses = self.follower.take_losses();
        if losses.bytes > 0 {
            self.metrics.add(Metric::LostBytes, &self.follower.source().name, losses.bytes);
            self.tracker.lose(self.source(), losses.bytes);
            tracing::error!("{} was truncated: {} bytes were lost before they were read", self.path(), losses.bytes);
        } else if losses.truncations > 0 {
            tracing::info!("{} was truncated; it is read from its beginning", self.path());
        }
    }

    fn path(&self) -> &str {
        self.follower.source().path.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_a_file_is_deleted_is_asked_twice_a_second_until_it_is() {
        let mut deletion = Deletion::default();
        let rows = [(1_000, false), (1_499, true), (1_500, false), (900, false), (1_400, true), (9_000, false)];
        let told = rows.map(|(now_ms, answer)| {
            let mut was_asked = false;
            let is_there = deletion.is_there(now_ms, || {
                was_asked = true;
                answer
            });
            (is_there, was_asked)
        });
        let (no, yes) = ((false, true), (true, true));
        assert_eq!(told, [no, (false, false), no, no, yes, (true, false)]);
    }

    #[test]
    fn a_deleted_file_is_kept_once_a_second_and_no_other() {
        let began = Instant::now();
        let mut keeping = Keeping::default();
        let rows =
            [(0, false), (5_000, false), (5_000, true), (5_900, true), (6_000, true), (6_900, true), (7_100, true)];
        let due = rows.map(|(ms, is_deleted)| keeping.is_due(is_deleted, began + Duration::from_millis(ms)));
        assert_eq!(due, [false, false, false, false, true, false, true]);
    }
}
