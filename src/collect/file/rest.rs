//! Which files need not be read, since nothing has happened to them. Asks the kernel nothing itself.

use super::content::Look;

/// Whether the file is as it was when all of it was read: then its bytes are not read again. A change may not show in what
/// the kernel says of it within one tick of the clock that files are stamped by, and the writes of a program that has
/// mapped it show late: so it is read until it was found the same for longer than any such tick, and now and then after.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    look: Look,
    /// When it was first read to its end as it looks now.
    since_ms: i64,
    /// When it was last read.
    read_ms: i64,
    /// When it was last found at its path, as it looks now.
    at_path_ms: Option<i64>,
}

/// FAT stamps every two seconds, all others more often.
const STAMPED_WITHIN_MS: i64 = 2_000;

/// How often a file at which nothing seems to happen is sought at its path: a folder above it may have been renamed, which
/// it does not show.
const SEEK_AT_REST_EVERY_MS: i64 = 10_000;

/// How often a file is read at which nothing seems to happen.
const READ_AT_REST_EVERY_MS: i64 = 60_000;

impl Rest {
    pub(super) fn is_at(&self, look: Look, now_ms: i64) -> bool {
        // A clock that was set shows in one of the two spans, or the file is read once more.
        let is_sure = self.read_ms - self.since_ms > STAMPED_WITHIN_MS;
        is_sure && self.look == look && (0..READ_AT_REST_EVERY_MS).contains(&(now_ms - self.read_ms))
    }

    /// All of the file was read as it is now.
    pub(super) fn come_to(&mut self, look: Look, now_ms: i64) {
        if self.look != look || now_ms < self.read_ms {
            *self = Self { look, since_ms: now_ms, ..Self::default() };
        }
        self.read_ms = now_ms;
    }

    /// Whether it need not be sought at its path again yet.
    pub(super) fn is_at_path(&self, now_ms: i64) -> bool {
        self.at_path_ms.is_some_and(|at_path_ms| (0..SEEK_AT_REST_EVERY_MS).contains(&(now_ms - at_path_ms)))
    }

    /// It was sought at its path.
    pub(super) fn found_at_path(&mut self, is_there: bool, now_ms: i64) {
        self.at_path_ms = is_there.then_some(now_ms);
    }
}
