//! What became of everything that a run read.

use std::time::Duration;

use super::route::Route;
use crate::base::counts::Counts;
use crate::base::metrics::{Metric, Metrics};

/// What became of everything that was read, in this run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// By output, with its name.
    pub outputs: Vec<(String, Fate)>,
    /// A source could not be read.
    pub unread: bool,
    /// It was told to stop before all was read.
    pub interrupted: bool,
    /// With `once`: nothing moved for so long that it was not waited for any longer.
    pub gave_up: bool,
    /// How long it took.
    pub seconds: f64,
}

/// What became of it in one output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Lines read.
    pub read: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records that the store has.
    pub delivered: u64,
    /// Records set aside on disk.
    pub parked: u64,
    /// Records dropped, by reason.
    pub dropped: Vec<(String, u64)>,
    /// Records that masking could not process: they are in no store.
    pub held: u64,
    /// Bytes that vanished unread.
    pub lost_bytes: u64,
    /// Lines read that the output has not answered for.
    pub undelivered: u64,
    /// Bytes sent, compressed.
    pub wire_bytes: u64,
}

impl Summary {
    /// What the metrics of this run say.
    pub(super) fn of(routes: &[Route], took: Duration) -> Self {
        let outputs = routes.iter().map(|route| {
            let open = route.tracker.ledger().values().map(Counts::open).sum();
            (route.name.to_string(), Fate::of(&route.metrics, open))
        });
        Self { outputs: outputs.collect(), seconds: took.as_secs_f64(), ..Self::default() }
    }

    /// Whether every line of every output is delivered, or dropped by a rule.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.unread && !self.interrupted && !self.gave_up && self.outputs.iter().all(|(_, fate)| fate.left() == 0)
    }
}

impl Fate {
    fn of(metrics: &Metrics, undelivered: u64) -> Self {
        Self {
            read: metrics.total(Metric::ReadLines),
            bytes: metrics.total(Metric::ReadBytes),
            delivered: metrics.total(Metric::DeliveredRecords),
            parked: metrics.total(Metric::ParkedRecords),
            dropped: metrics.by_label(Metric::DroppedRecords),
            held: metrics.total(Metric::HeldRecords),
            lost_bytes: metrics.total(Metric::LostBytes),
            undelivered,
            wire_bytes: metrics.total(Metric::SentBytes),
        }
    }

    /// What is neither in the store nor dropped by a rule.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.parked + self.held + self.lost_bytes + self.undelivered
    }
}
