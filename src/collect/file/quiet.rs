//! For how long nothing has come to a file, whatever the clock does.

/// Where the file's end was when it last moved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet {
    end: u64,
    pub(super) since_ms: i64,
    /// When it was last looked at.
    looked_ms: i64,
}

/// Followed files are looked at every second, unless reading pauses. What is longer is a pause, a clock that was set, or a
/// process that was suspended, as their writers may have been: the wait begins anew.
const LONGEST_LOOK_MS: i64 = 60_000;

impl Quiet {
    /// For how many ms the end has been at `end`. A clock set back, or far ahead, starts anew.
    pub(super) fn at(&mut self, end: u64, now_ms: i64) -> i64 {
        let is_set = now_ms < self.since_ms || now_ms - self.looked_ms > LONGEST_LOOK_MS;
        if end != self.end || is_set {
            *self = Self { end, since_ms: now_ms, looked_ms: now_ms };
        }
        self.looked_ms = now_ms;
        now_ms - self.since_ms
    }
}
