//! What became of everything that a run read.

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
    /// Records that masking could not process: they are in no store.
    pub held: u64,
    /// Bytes that vanished unread.
    pub lost_bytes: u64,
    /// Lines read that not every output has answered for.
    pub undelivered: u64,
    /// It was told to stop before all was read.
    pub interrupted: bool,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes sent, compressed.
    pub wire_bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Summary {
    /// What the metrics of this run say.
    pub(super) fn of(tracker: &Tracker, metrics: &Metrics, took: Duration) -> Self {
        Self {
            read: metrics.total(Metric::ReadLines),
            delivered: metrics.total(Metric::DeliveredRecords),
            parked: metrics.total(Metric::ParkedRecords),
            dropped: metrics.by_label(Metric::DroppedRecords),
            held: metrics.total(Metric::HeldRecords),
            lost_bytes: metrics.total(Metric::LostBytes),
            undelivered: tracker.lines_in_flight(),
            interrupted: false,
            bytes: metrics.total(Metric::ReadBytes),
            wire_bytes: metrics.total(Metric::SentBytes),
            seconds: took.as_secs_f64(),
        }
    }
}
