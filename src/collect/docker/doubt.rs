//! Whether to believe what the engine's follow sends. Knows times only, no lines.
//!
//! At a rotation of its json-file an engine sends again what the new file begins with (seen with 20.10). Whole lines are
//! told by their positions, but not the rest of a long line that began in the file before, nor a part that comes twice
//! within its line. What may be such is not taken: the log is read once more, by a body that does not follow, which gives
//! what the files hold. What is strange there, too, is so.

/// After so many false alarms a log is taken as it comes: the engine's clock is coarse, or its lines are strange; and
/// each costs the engine a reading of the log.
const FALSE_ALARMS: usize = 10;

/// The doubt about one stream.
#[derive(Debug, Default)]
pub struct Doubt {
    is_checking: bool,
    /// A message was not believed.
    is_raised: bool,
    /// Its time, until the log was read once more.
    doubted_ns: Option<u64>,
    false_alarms: usize,
}

impl Doubt {
    /// A new body begins. One that does not follow is what the log holds.
    pub fn begin_body(&mut self, follow: bool) {
        self.is_checking = follow && self.false_alarms < FALSE_ALARMS;
        self.is_raised = false;
        if follow {
            self.doubted_ns = None;
        }
    }

    /// All is believed from now on.
    pub const fn stop(&mut self) {
        (self.is_checking, self.is_raised, self.doubted_ns) = (false, false, None);
    }

    /// A message at this time is strange. Whether it is not to be taken.
    pub fn raise(&mut self, ns: u64) -> bool {
        if self.is_checking {
            (self.is_raised, self.doubted_ns) = (true, Some(ns));
        } else if self.doubted_ns == Some(ns) {
            self.false_alarms += 1;
            self.doubted_ns = None;
        }
        self.is_raised
    }

    /// Whether anything is looked for.
    pub const fn is_looking(&self) -> bool {
        self.is_checking || self.doubted_ns.is_some()
    }

    /// Whether another body is to be read, and no more of this.
    pub const fn is_raised(&self) -> bool {
        self.is_raised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_log_holds_is_so() {
        let mut doubt = Doubt::default();
        assert!(!doubt.raise(1), "nothing is asked of a file");
        for _ in 0..2 * FALSE_ALARMS as u64 {
            doubt.begin_body(true);
            assert!(doubt.raise(1) && doubt.is_raised());
            doubt.begin_body(false);
            assert!(!doubt.raise(2) && !doubt.is_raised(), "another one");
        }
    }

    #[test]
    fn an_engine_that_is_always_strange_is_believed() {
        let mut doubt = Doubt::default();
        for ns in 0..FALSE_ALARMS as u64 {
            doubt.begin_body(true);
            assert!(doubt.raise(ns));
            doubt.begin_body(false);
            assert!(!doubt.raise(ns));
        }
        doubt.begin_body(true);
        assert!(!doubt.raise(u64::MAX));
    }
}
