//! The outputs: one destination each, one lane a worker and output, and the way back from an answer to `track`.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::base::batch::Batch;
use crate::base::fault::Fault;
use crate::base::metrics::{Metric, Metrics};
use crate::config::Output;
use crate::filter::Condition;
use crate::output::{Encoder, Kind};
use crate::pack::Packer;
use crate::pipeline::Lane;
use crate::ship::{self, Destination, Settled};
use crate::track::{Settlement, Tracker};

use super::worker::Exit;

/// Batches that wait in a lane while one is sent.
const LANE_DEPTH: usize = 1;

/// How many batches a worker and output have at once: one open, one waiting, one being sent.
pub const BATCHES_A_LANE: u64 = 2 + LANE_DEPTH as u64;

/// One output, ready.
#[derive(Debug)]
pub struct Ready {
    /// Its place among the outputs.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// What the user wrote.
    pub config: Output,
    /// Its store.
    pub destination: Arc<Destination>,
}

impl Ready {
    /// Prepares an output. A file is cut back to what was settled.
    ///
    /// # Errors
    /// All faults of its configuration at once; a file that cannot be cut back.
    pub async fn new(
        index: usize,
        name: &str,
        config: &Output,
        state_dir: Option<&Path>,
        tracker: &Tracker,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, super::Error> {
        let destination = Destination::new(name, &config.output, &config.ship, state_dir, Arc::clone(metrics))?;
        match tracker.written(name) {
            Some(written) => destination.truncate_to(written).await?,
            None => {
                if let Some(written) = destination.written().await? {
                    tracker.found_written(name, written)?;
                }
            }
        }
        Ok(Self { index, name: name.to_owned(), config: config.clone(), destination: Arc::new(destination) })
    }

    /// One worker's lane to this output: what the worker fills, and the task that empties it.
    ///
    /// # Errors
    /// All faults at once.
    pub fn lane(
        &self,
        batch_bytes: u64,
        tasks: &mut JoinSet<Result<(), ship::Error>>,
        tracker: &Arc<Tracker>,
        metrics: &Arc<Metrics>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(Lane, Exit), Vec<Fault>> {
        let when = self.config.when.as_ref().map(Condition::new).transpose()?;
        let encoder = self.encoder()?;
        let mut pack = self.config.pack.clone();
        if matches!(self.config.output.kind, Kind::Stdout | Kind::File) {
            pack.gzip_level = 0;
        }
        pack.max_bytes.0 = pack.max_bytes.0.min(batch_bytes);
        let packer = Packer::new(&pack, encoder.head(), encoder.separator(), encoder.tail());
        let (batches, lane) = mpsc::channel::<Batch>(LANE_DEPTH);
        let settle = settle(self.index, self.name.clone(), Arc::clone(tracker), Arc::clone(metrics));
        tasks.spawn(ship::lane(Arc::clone(&self.destination), lane, settle, stop.clone()));
        Ok((Lane::new(encoder, when), Exit { packer, batches, destination: Arc::clone(&self.destination) }))
    }

    /// The encoder of its language; for people where standard output is a terminal.
    fn encoder(&self) -> Result<Encoder, Vec<Fault>> {
        if self.config.output.kind == Kind::Stdout && std::io::stdout().is_terminal() {
            return Ok(Encoder::terminal(jiff::tz::TimeZone::system(), std::env::var_os("NO_COLOR").is_none()));
        }
        Encoder::new(&self.config.output)
    }
}

/// From what became of a batch to what became of its lines.
fn settle(
    output: usize,
    name: String,
    tracker: Arc<Tracker>,
    metrics: Arc<Metrics>,
) -> Arc<dyn Fn(Settled) + Send + Sync> {
    Arc::new(move |settled: Settled| {
        let settlements = settled.outcomes.into_iter().map(|outcome| {
            let mut counts = outcome.span.counts;
            counts.delivered = u64::from(outcome.delivered + outcome.repeated);
            counts.parked += u64::from(outcome.parked);
            metrics.add(Metric::DeliveredRecords, &name, counts.delivered);
            Settlement { source: outcome.span.source.id, seq: outcome.span.seq, counts }
        });
        tracker.settle(output, settlements.collect(), settled.written);
    })
}
