//! Stand-in for the wiring, which is written elsewhere.

use std::time::Duration;

use crate::config::Config;

/// What the arguments ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Read what is there, deliver it, end.
    pub once: bool,
    /// With `once`: how long to wait without progress.
    pub wait: Duration,
}

/// What became of everything that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Lines read.
    pub read: u64,
    /// Records that the stores have, all outputs together.
    pub delivered: u64,
    /// Records set aside on disk.
    pub parked: u64,
    /// Records dropped, by reason.
    pub dropped: Vec<(String, u64)>,
    /// Lines lost, and told.
    pub lost: u64,
    /// Records that no store has answered for.
    pub undelivered: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes sent, compressed.
    pub wire_bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

/// Why the agent could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A worker or task ended by itself.
    #[error("cannot go on: {0} ended by itself")]
    Died(&'static str),
}

/// Runs until it is told to stop, or with `once` until all is delivered.
///
/// # Errors
/// An internal fault.
pub fn run(config: Config, options: Options) -> Result<Summary, Error> {
    let _ = (config, options);
    Ok(Summary::default())
}
