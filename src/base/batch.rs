//! One request body for one destination, and the input that it covers. Does not know how it was encoded or is sent.

use std::sync::Arc;

use bytes::Bytes;

use super::counts::Counts;
use super::source::Source;

/// A sealed request body. Its bytes never change: it is sent as often as needed. A clone shares them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Which batch of its lane; given when it is handed over.
    pub number: u64,
    /// The body, compressed if `gzip`.
    pub body: Bytes,
    /// Whether `body` is gzip.
    pub gzip: bool,
    /// Length of the body before compression, in bytes.
    pub raw_len: u64,
    /// How many items (documents, log lines) it has, all spans together.
    pub items: u32,
    /// What it covers, in the order of its items.
    pub spans: Vec<Span>,
    /// Some of it may have been sent before: a store that cannot tell repeats must be asked.
    pub unsure: bool,
}

/// One chunk's part of a batch. A chunk lies in one batch, whole.
#[derive(Clone, Debug)]
pub struct Span {
    /// Whose chunk.
    pub source: Arc<Source>,
    /// Which chunk: counts up in each source, output and run, without holes, from 0; those of a file that a queue has behind
    /// something that must be read again, from [`Span::BEYOND`]; [`Span::SETTLED`] for one that is settled already, or whose
    /// source is not known.
    pub seq: u64,
    /// Its items in the batch. 0 where all its lines were dropped: it then only moves the watermark.
    pub items: u32,
    /// What became of its lines before they were items: read, dropped, cut. Delivered and parked are for the store's
    /// answer to say.
    pub counts: Counts,
}

impl Span {
    /// A sequence number that no chunk has: what becomes of the span is of no consequence.
    pub const SETTLED: u64 = u64::MAX;

    /// The first sequence number of chunks that do not move the watermark. More than any run reads.
    pub const BEYOND: u64 = 1 << 63;
}
