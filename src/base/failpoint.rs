//! Places where a test can have the process killed: the steps of a line's way at which a crash must lose nothing and
//! repeat nothing. For `tests/chaos` alone, behind the cargo feature `failpoints`, which no release is built with:
//! without it [`hit`] is empty. Decides nothing, and changes nothing but that the process may end there.
//!
//! `LOGFERRY_FAILPOINT=sent:17` kills the process with SIGKILL when step `sent` is reached for the 17th time: nothing
//! is unwound, flushed or dropped.

/// The steps, in the order in which a line meets them. Each is reached when what its name says is done.
pub const STEPS: [&str; 22] = [
    // A chunk is read from its source.
    "read",      // Its note is written, not yet durable.
    "noted",     // A batch is closed, its notes perhaps not yet durable.
    "sealed",    // For want of room in its lane it goes to the queue on disk: a segment is begun,
    "begun",     // half of a frame is written,
    "half",      // all of it, durable, but nobody knows of it,
    "pushed",    // and it waits there.
    "waiting",   // The batch waits, in its lane or in the queue.
    "queued",    // The request is out, and the store has begun to answer.
    "sent",      // The answer is read; nothing is done about it yet.
    "answered",  // Refused records are set aside on disk, and not yet settled.
    "parked",    // A frame of the queue is settled, and no checkpoint covers it.
    "passed",    // New notes are begun, which no checkpoint names yet.
    "rolled",    // The next checkpoint, new notes, or the queue's position are written aside,
    "aside",     // are durable there,
    "fsynced",   // have taken their name,
    "renamed",   // and the name of the checkpoint is durable.
    "saved",     // The notes that it makes needless are removed.
    "removed",   // The queue's position passes the frames that it covers,
    "forgotten", // and a segment of them is removed.
    "unlinked",  // At the next start: the torn end of a queue is cut off,
    "cut",       // and the queue is open.
    "opened",
];

/// A step is reached.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn hit(_step: &str) {}

#[cfg(feature = "failpoints")]
pub use armed::hit;

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// Where the process is to end.
    #[derive(Debug, PartialEq, Eq)]
    struct End {
        step: String,
        /// The first time is 1.
        time: u64,
    }

    static END: LazyLock<Option<End>> = LazyLock::new(|| End::parse(&std::env::var("LOGFERRY_FAILPOINT").ok()?));
    static TIMES: AtomicU64 = AtomicU64::new(0);

    impl End {
        /// # Panics
        /// If it is none: a test that kills nothing must not pass.
        fn parse(text: &str) -> Option<Self> {
            let parts = text.split_once(':').and_then(|(step, time)| Some((step, time.parse().ok()?)));
            let known = parts.filter(|(step, time)| super::STEPS.contains(step) && *time > 0);
            let Some((step, time)) = known else { panic!("LOGFERRY_FAILPOINT={text} is not STEP:NUMBER") };
            Some(Self { step: step.to_owned(), time })
        }
    }

    /// A step is reached. The process may end here.
    pub fn hit(step: &str) {
        let Some(end) = END.as_ref().filter(|end| end.step == step) else { return };
        if TIMES.fetch_add(1, Ordering::Relaxed) + 1 >= end.time {
            // Nothing stops SIGKILL, and a process may send it to itself.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }

    #[test]
    fn a_step_and_a_number_are_read_and_nothing_else() {
        assert_eq!(End::parse("sent:17"), Some(End { step: "sent".to_owned(), time: 17 }));
        for text in ["sent", "sent:0", "sent:", "sent:x", "nowhere:1", ""] {
            assert!(std::panic::catch_unwind(|| End::parse(text)).is_err(), "{text}");
        }
    }
}
