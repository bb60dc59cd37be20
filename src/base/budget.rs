//! A share of the memory budget, in bytes. When it is spent, whoever fills it waits, and so reading pauses.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Bytes that may be in flight at once. One filler (a worker thread), one drainer (the task that ships).
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: Mutex<u64>,
    freed: Condvar,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { limit, used: Mutex::new(0), freed: Condvar::new() }
    }

    /// Takes `bytes`, waiting at most `patience` for room. One request above the whole limit passes when nothing
    /// else is in flight: it could never pass otherwise. `false`: no room yet.
    #[must_use]
    pub fn take(&self, bytes: u64, patience: Duration) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |used: &mut u64| *used > 0 && *used + bytes > self.limit;
        let (mut used, _) = self.freed.wait_timeout_while(used, patience, full).unwrap_or_else(PoisonError::into_inner);
        if full(&mut used) {
            return false;
        }
        *used += bytes;
        true
    }

    /// Gives `bytes` back.
    pub fn give(&self, bytes: u64) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(bytes);
        self.freed.notify_all();
    }

    /// Bytes in flight.
    #[must_use]
    pub fn used(&self) -> u64 {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_refuses_until_something_is_given_back() {
        let budget = Budget::new(10);
        let at_once = Duration::ZERO;
        assert!(budget.take(6, at_once));
        assert!(!budget.take(5, at_once));
        assert!(budget.take(4, at_once));
        budget.give(10);
        assert!(budget.take(100, at_once), "one too large passes alone");
        assert!(!budget.take(1, at_once));
        assert_eq!(budget.used(), 100);
    }
}
