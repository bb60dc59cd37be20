//! Masked records to one destination's language, and its answers back. No sockets and no files: `ship` writes.

pub mod elasticsearch;
pub mod loki;

use std::time::Duration;

use serde::Deserialize;

use crate::base::fault::Fault;
use crate::mask::{Masked, MaskedRecord};

/// One `[output.NAME]` as the user writes it, without what `pack` and `ship` own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which language it speaks.
    #[serde(rename = "type")]
    pub kind: Kind,
}

impl Default for Config {
    fn default() -> Self {
        Self { kind: Kind::Stdout }
    }
}

/// The kinds of destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Elasticsearch 7, 8, 9.
    Elasticsearch,
    /// OpenSearch 1 to 3.
    Opensearch,
    /// Loki 3.
    Loki,
    /// Standard output.
    Stdout,
    /// A file, rotated.
    File,
}

/// Turns masked records into a request body. One a worker and output.
#[derive(Debug)]
pub struct Encoder {}

impl Encoder {
    /// An encoder for one destination.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(config: &Config) -> Result<Self, Vec<Fault>> {
        let _ = config;
        Ok(Self {})
    }

    /// What a body begins with.
    #[must_use]
    pub fn head(&self) -> &'static [u8] {
        b""
    }

    /// What stands between two chunks' parts of a body.
    #[must_use]
    pub fn separator(&self) -> &'static [u8] {
        b""
    }

    /// What a body ends with.
    #[must_use]
    pub fn tail(&self) -> &'static [u8] {
        b""
    }

    /// Appends one chunk's records, those that `keep` wants, to `out`. Returns how many items it wrote; 0 writes
    /// nothing.
    pub fn encode(
        &mut self,
        masked: &Masked<'_>,
        keep: &mut dyn FnMut(&MaskedRecord<'_>) -> bool,
        out: &mut Vec<u8>,
    ) -> u32 {
        let _ = (masked, keep, out, self);
        0
    }
}

/// What a store's answer means for an item or a whole request. The only reading of status codes is below this door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The store has it.
    Delivered,
    /// The store had it before.
    Repeated,
    /// Not now: send it again, not before `after` where the store asks for that.
    Retry {
        /// From `Retry-After`.
        after: Option<Duration>,
        /// The store's words, cut short.
        reason: String,
    },
    /// Too large: send it in halves.
    Split,
    /// An operator must mend something: keep all, try seldom, say so.
    Hold {
        /// The store's words, cut short.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// The document does not fit: send it once more with its payload as one text field, then park it.
    Rewrap {
        /// The store's words, cut short.
        reason: String,
    },
    /// The document can never be stored: set it aside.
    Park {
        /// The store's words, cut short.
        reason: String,
    },
}

/// An answer, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The same for every item.
    Whole(Verdict),
    /// One verdict an item, in order, exactly as many as were sent.
    Items(Vec<Verdict>),
    /// Some were stored and some refused, and the answer does not say which: ask the store.
    Partly {
        /// The store's words, cut short.
        reason: String,
    },
}
