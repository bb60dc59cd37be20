//! One followed file on its worker: when it is looked at, and what of it `track` must know before its lines go on.

use std::path::PathBuf;
use std::sync::Arc;
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
    news: News,
    is_over: bool,
    deletion: Deletion,
    keeping: Keeping,
    /// The bytes in the file of which `track` was told.
    told_size: Option<u64>,
    /// Ends when the file is read to its end.
    once: bool,
    shared: Arc<Told>,
}

/// Whom the files of one route tell.
#[derive(Debug)]
pub struct Told {
    tracker: Arc<Tracker>,
    metrics: Arc<Metrics>,
    seldom: Arc<Seldom>,
    releases: Releases,
}

impl Told {
    /// Those of a route, and whoever finds its files.
    pub fn new(shared: &Shared, releases: Releases) -> Self {
        let Shared { tracker, metrics, seldom, .. } = shared.clone();
        Self { tracker, metrics, seldom, releases }
    }
}

/// Whether the kernel tells when lines come. It may tell nothing: of a network mount, or beyond the limit of watches.
#[derive(Debug)]
struct News {
    /// It has told since the file was last read to its end.
    has_come: bool,
    is_at_end: bool,
    /// It told of the last lines before they were looked for.
    is_reliable: bool,
}

impl News {
    fn found_lines(&mut self) {
        if self.is_at_end {
            self.is_reliable = self.has_come;
        }
        self.is_at_end = false;
    }

    fn found_end(&mut self) {
        (self.is_at_end, self.has_come) = (true, false);
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
    fn ask_again(&mut self) {
        self.asked_ms = 0;
    }

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

/// A file is looked at so often even when nothing says that it changed, at whole seconds: all at once wake the processor
/// less than each by itself.
pub const LOOK_EVERY_MS: i64 = 1_000;

/// While lines come of which the kernel does not tell, the next ones are looked for so soon.
const LOOK_SOON_MS: i64 = 100;

impl Follow {
    /// Follows from the next look on.
    pub fn new(follower: Follower, once: bool, shared: Arc<Told>) -> Self {
        Self {
            look_at_ms: 0,
            news: News { has_come: false, is_at_end: false, is_reliable: true },
            is_over: false,
            deletion: Deletion::default(),
            keeping: Keeping::default(),
            told_size: None,
            once: once || follower.is_packed(),
            follower,
            shared,
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

    /// Whether nothing more will come: it can be let go.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The kernel's name of the file.
    pub fn key(&self) -> FileKey {
        self.follower.key()
    }

    /// The bytes in the file, where `track` was not told of them.
    pub fn take_size(&mut self) -> Option<u64> {
        let size = Some(self.follower.size());
        if self.told_size == size {
            return None;
        }
        self.told_size = size;
        size
    }

    /// Looks at the next turn: the file is said to have changed, or to be gone from its path.
    pub fn look(&mut self) {
        self.news.has_come = true;
        self.deletion.ask_again();
        self.look_at_ms = 0;
    }

    /// When to look, in ms since 1970.
    pub fn look_at_ms(&self) -> i64 {
        self.look_at_ms
    }

    /// Whether the file still lies there: a deleted one is gone when it is closed, and takes its room until then. As it was
    /// half a second ago at most, or at the last look.
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
        let Told { tracker, releases, .. } = &*self.shared;
        tracker.saw(std::iter::once((self.source(), Some(self.follower.size()))), clock::now_ms());
        tracker.let_go(self.source());
        if self.follower.is_packed() {
            tracker.finish(self.source());
        }
        releases.release(self.follower.key(), self.follower.size());
    }

    /// The next chunk, if there is one, with the source's identity where that has changed: it must be noted before the
    /// chunk is.
    pub fn read(&mut self, now_ms: i64, spare: &mut Spare) -> Option<(Chunk, Option<Identity>)> {
        if self.is_over {
            return None;
        }
        let read = self.follower.read(now_ms, spare);
        self.deletion = Deletion { is_there: self.follower.was_deleted(), asked_ms: now_ms };
        self.tell_losses();
        match read {
            Ok(Read::Chunk(chunk)) => {
                self.news.found_lines();
                self.look_at_ms = 0;
                // What cannot be read of the identity now is noted with the next chunk.
                let identity = self.follower.take_identity().unwrap_or_default();
                return Some((chunk, identity));
            }
            Ok(Read::Passing) => self.look_at_ms = 0,
            Ok(Read::AtEnd) => {
                self.is_over = self.once;
                self.news.found_end();
                let is_lively = !self.news.is_reliable && self.follower.quiet_ms(now_ms) < LOOK_EVERY_MS;
                // Of a deleted one nobody tells that its writer goes on, and what it has must be kept in time.
                let is_soon = is_lively || self.follower.was_deleted();
                self.look_at_ms = if is_soon { now_ms + LOOK_SOON_MS } else { whole_second_after(now_ms) };
            }
            Ok(Read::Gone) => self.is_over = true,
            Err(error) => {
                let text = format!("cannot read {}: {error}; it is tried again", self.path());
                if let Some(text) = self.shared.seldom.told(text, Instant::now()) {
                    tracing::warn!("{text}");
                }
                self.is_over = self.once;
                self.look_at_ms = whole_second_after(now_ms);
            }
        }
        None
    }

    /// Says, and counts, what was cut off the file before it was read.
    fn tell_losses(&mut self) {
        let losses = self.follower.take_losses();
        if losses.bytes > 0 {
            self.shared.metrics.add(Metric::LostBytes, &self.follower.source().name, losses.bytes);
            self.shared.tracker.lose(self.source(), losses.bytes);
            tracing::error!("{} was truncated: {} bytes were lost before they were read", self.path(), losses.bytes);
        } else if losses.truncations > 0 {
            tracing::info!("{} was truncated; it is read from its beginning", self.path());
        }
    }

    fn path(&self) -> &str {
        self.follower.source().path.as_deref().unwrap_or_default()
    }
}

fn whole_second_after(now_ms: i64) -> i64 {
    now_ms - now_ms.rem_euclid(LOOK_EVERY_MS) + LOOK_EVERY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_relied_on_while_they_come_before_the_lines_are_found() {
        let mut news = News { has_come: false, is_at_end: false, is_reliable: true };
        // Whether news came before lines were found, and are relied on after.
        for (has_come, is_reliable) in [(false, true), (true, true), (false, false), (false, false), (true, true)] {
            news.has_come = has_come;
            news.found_lines();
            // More of the same lines.
            news.found_lines();
            news.found_end();
            assert_eq!(news.is_reliable, is_reliable, "{has_come}");
        }
    }

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
        let mut deletion = Deletion { is_there: false, asked_ms: 1_000 };
        deletion.ask_again();
        assert!(deletion.is_there(1_001, || true), "at once where something happened to it");
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
