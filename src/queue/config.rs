//! What the user says of a queue.

use std::time::Duration;

use serde::Deserialize;

use super::Limits;
use crate::base::quantity::{self, Size};

/// The part of an `[output.NAME]` that is about its queue.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes on disk of all queues of the output, compressed as they are sent. 0: no queue.
    pub queue_bytes: Size,
    /// How old its oldest batch may grow. 0: as old as it gets.
    pub queue_age: quantity::Span,
    /// What happens when a limit is reached.
    pub queue_full: Full,
}

/// What happens when a queue takes no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Full {
    /// Reading pauses until there is room: the sources are the queue.
    #[default]
    Pause,
    /// The oldest batch is dropped, and counted.
    DropOldest,
    /// The batch at hand is dropped, and counted.
    DropNewest,
}

impl Default for Config {
    fn default() -> Self {
        Self { queue_bytes: Size(1 << 30), queue_age: quantity::Span(Duration::ZERO), queue_full: Full::default() }
    }
}

impl Config {
    /// The limits, as numbers. `None`: there is to be no queue.
    #[must_use]
    pub fn limits(&self) -> Option<Limits> {
        let age_ms = i64::try_from(self.queue_age.0.as_millis()).unwrap_or(i64::MAX);
        let bytes = self.queue_bytes.0;
        (bytes > 0).then_some(Limits { bytes, age_ms: (age_ms > 0).then_some(age_ms) })
    }
}
