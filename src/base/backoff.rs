//! Checked delays between attempts: exponential, capped, with jitter. Pure: the caller brings randomness and waits.

use std::time::Duration;

/// How long to wait before each next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the second attempt.
    pub first: Duration,
    /// Never longer.
    pub cap: Duration,
}

impl Backoff {
    /// The delay after `attempt` failures (1 is the first): `first * 2^(attempt-1)`, at most `cap`, of which the
    /// upper half is spread by `random` (any number), so that many agents do not come back at once.
    #[must_use]
    pub fn delay(self, attempt: u32, random: u64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        let full = self.first.saturating_mul(1 << doublings).min(self.cap);
        let half = full / 2;
        let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_millis(random % spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_are_spread_over_their_upper_half() {
        let backoff = Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(30) };
        for (attempt, full_ms) in [(1, 200), (2, 400), (3, 800), (8, 25_600), (9, 30_000), (4_000_000_000, 30_000)] {
            let low = backoff.delay(attempt, 0).as_millis();
            assert_eq!(low, full_ms / 2, "attempt {attempt}");
            for random in [1, 99, u64::MAX] {
                assert!((low..=full_ms).contains(&backoff.delay(attempt, random).as_millis()));
            }
        }
    }
}
