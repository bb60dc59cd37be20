//! The wall clock. The pure middle takes time as an argument; only the two ends ask here.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, UTC. Negative before it.
#[must_use]
pub fn now_ns() -> i64 {
    let since = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let now = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => since(after),
        Err(before) => -since(before.duration()),
    };
    now.saturating_add(wrong_by_ns())
}

#[cfg(not(feature = "failpoints"))]
fn wrong_by_ns() -> i64 {
    0
}

/// For tests of a clock that steps, never in a release: `LOGFERRY_CLOCK` names a file with the seconds to add.
#[cfg(feature = "failpoints")]
fn wrong_by_ns() -> i64 {
    static FILE: std::sync::LazyLock<Option<std::ffi::OsString>> =
        std::sync::LazyLock::new(|| std::env::var_os("LOGFERRY_CLOCK"));
    let Some(text) = FILE.as_ref().and_then(|path| std::fs::read_to_string(path).ok()) else { return 0 };
    text.trim().parse::<i64>().unwrap_or(0) * 1_000_000_000
}

/// Milliseconds since 1970, UTC.
#[must_use]
pub fn now_ms() -> i64 {
    now_ns().div_euclid(1_000_000)
}
