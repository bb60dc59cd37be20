//! The wall clock. The pure middle takes time as an argument; only the two ends ask here.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, UTC. Negative before it.
#[must_use]
pub fn now_ns() -> i64 {
    let since = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => since(after),
        Err(before) => -since(before.duration()),
    }
}

/// Milliseconds since 1970, UTC.
#[must_use]
pub fn now_ms() -> i64 {
    now_ns().div_euclid(1_000_000)
}
