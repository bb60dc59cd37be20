//! What became of lines: the numbers that a checkpoint adds up, and so the ledger. Knows no source and no output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What became of everything that was read, by output and `[source.NAME]`, over all runs.
pub type Ledger = BTreeMap<String, BTreeMap<String, Counts>>;

/// What became of the lines of a chunk, or of all chunks so far, in one output. Of what is settled,
/// `read = delivered + parked + dropped`; the rest is in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Lines read.
    pub read: u64,
    /// Bytes read, ends of lines included.
    pub bytes: u64,
    /// The store has them.
    pub delivered: u64,
    /// Set aside on disk with the store's reason.
    pub parked: u64,
    /// Dropped, by the rule that the configuration states.
    pub dropped: BTreeMap<String, u64>,
    /// Bytes of text cut away at the limit of a line's length.
    pub cut_bytes: u64,
    /// Bytes that vanished from the source before they were read, or from the queue before they were sent.
    pub lost_bytes: u64,
}

impl Counts {
    /// Lines read whose fate is not known.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.read.saturating_sub(self.delivered + self.parked + self.dropped.values().sum::<u64>())
    }

    /// Of several.
    #[must_use]
    pub fn sum<'c>(all: impl IntoIterator<Item = &'c Self>) -> Self {
        let mut sum = Self::default();
        all.into_iter().for_each(|one| sum.add(one));
        sum
    }

    /// Adds another's numbers.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.bytes += other.bytes;
        self.delivered += other.delivered;
        self.parked += other.parked;
        self.cut_bytes += other.cut_bytes;
        self.lost_bytes += other.lost_bytes;
        for (rule, count) in &other.dropped {
            *self.dropped.entry(rule.clone()).or_default() += count;
        }
    }
}
