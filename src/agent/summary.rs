//! What became of everything that a run read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::metrics::{Metric, Metrics};
use crate::track::Tracker;

/// What became of everything that was read, in this run.
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
    /// Bytes that vanished unread.
    pub lost_bytes: u64,
    /// Chunks that not every output has answered for.
    pub undelivered: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes sent, compressed.
    pub wire_bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Summary {
    /// What the ledger of this run says.
    pub(super) fn of(tracker: &Tracker, metrics: &Metrics, took: Duration) -> Self {
        Self {
            read: metrics.total(Metric::ReadLines),
            delivered: metrics.total(Metric::DeliveredRecords),
            parked: metrics.total(Metric::ParkedRecords),
            dropped: dropped(metrics),
            lost_bytes: metrics.total(Metric::LostBytes),
            undelivered: tracker.in_flight() as u64,
            bytes: metrics.total(Metric::ReadBytes),
            wire_bytes: metrics.total(Metric::SentBytes),
            seconds: took.as_secs_f64(),
        }
    }
}

/// Records dropped by rules, and those that masking held back.
fn dropped(metrics: &Metrics) -> Vec<(String, u64)> {
    let mut dropped: BTreeMap<_, _> = metrics.by_label(Metric::DroppedRecords).into_iter().collect();
    let held = metrics.total(Metric::HeldRecords);
    if held > 0 {
        dropped.insert(crate::pipeline::HELD_BACK.to_owned(), held);
    }
    dropped.into_iter().collect()
}
