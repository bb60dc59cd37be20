//! When a batch is closed, and how small it gets. Knows neither formats nor destinations.

use std::time::Duration;

use serde::Deserialize;

use crate::base::batch::{Batch, Span};
use crate::base::quantity::{self, Size};

/// When a batch is closed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes before compression.
    pub max_bytes: Size,
    /// Records.
    pub max_records: u32,
    /// Age of its oldest line in the agent.
    pub max_age: quantity::Span,
    /// gzip level, 0 (not compressed) to 9.
    pub gzip_level: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: Size(2 << 20),
            max_records: 20_000,
            max_age: quantity::Span(Duration::from_secs(1)),
            gzip_level: 1,
        }
    }
}

impl Config {
    /// All that is wrong with it.
    #[must_use]
    pub fn check(&self) -> Vec<crate::base::fault::Fault> {
        Vec::new()
    }
}

/// One open batch and its compressor, which is reused. One a worker and output.
#[derive(Debug)]
pub struct Packer {}

impl Packer {
    /// A packer of bodies that begin with `head`, end with `tail`, and have `separator` between parts.
    #[must_use]
    pub fn new(config: &Config, head: &'static [u8], separator: &'static [u8], tail: &'static [u8]) -> Self {
        let _ = (config, head, separator, tail);
        Self {}
    }

    /// Adds one chunk's part (empty where it has no item), read at `seen_ms`. `now_ms` starts the batch's age.
    pub fn add(&mut self, part: &[u8], span: Span, seen_ms: i64, unsure: bool, now_ms: i64) {
        let _ = (part, span, seen_ms, unsure, now_ms, &self);
    }

    /// Whether the open batch must be closed now.
    #[must_use]
    pub fn is_due(&self, now_ms: i64) -> bool {
        let _ = now_ms;
        false
    }

    /// Whether there is anything in it, if only spans without items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        true
    }

    /// Closes it. `None` when empty.
    pub fn seal(&mut self) -> Option<Batch> {
        None
    }
}
