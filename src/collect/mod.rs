//! Bytes in: finds sources, reads them, and cuts what they say into chunks of whole lines. Does not look into lines
//! and saves nothing: where reading goes on is decided by `track`.

use serde::Deserialize;

pub mod discover;
pub mod docker;
pub mod file;
pub mod identity;
pub mod lines;
pub mod stdin;

/// What a `[source.NAME]` reads: its key `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Files, by globs.
    File,
    /// Containers, through the Docker API.
    Docker,
    /// The agent's own standard input.
    Stdin,
}
