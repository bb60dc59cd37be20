//! The pieces of one output put together: tracker, queues, ways out, and the crash of all of them.

mod model;
mod world;

use std::time::Duration;

use super::{SAVE_EVERY, save_after};

#[test]
fn checkpoints_that_say_little_or_have_thousands_of_sources_come_more_seldom() {
    for (sources, settled, ticks) in
        [(10, 4, 1), (10, 3, 4), (999, 100, 1), (1_000, 100, 2), (1_000, 3, 4), (9_000, 100, 10), (1_000_000, 100, 10)]
    {
        assert!(save_after(sources, settled, true) < SAVE_EVERY, "a file is cut back to its checkpoint");
        let after = save_after(sources, settled, false);
        let expected = SAVE_EVERY * (ticks - 1)..SAVE_EVERY * ticks;
        assert!(expected.contains(&after), "{after:?} for {sources} sources, {settled} batches");
    }
    assert!(SAVE_EVERY * 10 <= Duration::from_secs(5));
}
