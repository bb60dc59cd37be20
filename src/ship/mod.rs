//! Gets a sealed batch accepted: the HTTP client, credentials, retries, parked records, and the local writers. Does
//! not encode, does not read status codes (`output` does), and saves no checkpoint (`track` does).

mod append;
mod config;
mod credentials;
mod deliver;
mod elasticsearch;
mod held;
mod http;
mod lane;
mod local;
mod loki;
mod park;
mod piece;
mod readback;
mod replay;
mod retry;
mod standing;
mod store;
mod tls;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use tracing::warn;

pub use self::config::{Config, Urls};
pub use self::lane::lane;
use self::local::Writer;
pub use self::park::{Error as ParkError, Kept, Parked, ParkedRecord, Selection, outputs as parked_outputs};
pub use self::piece::Broken;
pub use self::replay::{Error as ReplayError, Replayed};
use self::standing::{Standing, Trouble};
use self::store::Store;
use crate::base::backoff::Backoff;
use crate::base::batch::Span;
use crate::base::clock;
use crate::base::failpoint;
use crate::base::fault::Fault;
use crate::base::metrics::{Metric, Metrics};
pub use crate::base::secret::{InFile, Written};
use crate::base::seldom::Seldom;
use crate::output::{self, Kind};

/// One `[output.NAME]` at work. Shared by its lanes.
#[derive(Debug)]
pub struct Destination {
    name: String,
    backoff: Backoff,
    metrics: Arc<Metrics>,
    standing: Standing,
    /// `None`: no state folder, so refused records are counted and said only.
    parked: Option<Arc<Parked>>,
    seldom: Seldom,
    lanes: AtomicU32,
    end: End,
}

/// Where no record can be set aside.
const PARK_HINT: &str = "logferry parked list shows the refused records: mend their cause, then replay or drop them";

/// A number that no lane has.
const NO_LANE: u32 = u32::MAX;

#[derive(Debug)]
enum End {
    Store(Box<Store>),
    /// One writes at a time, and settles before the next: lengths are told in order.
    Local(Arc<tokio::sync::Mutex<Writer>>),
}

impl End {
    fn local(writer: Writer) -> Self {
        Self::Local(Arc::new(writer.into()))
    }
}

/// What became of one span of a batch. Delivered, repeated and parked are its items, all of them.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which span.
    pub span: Span,
    /// Items that the store took.
    pub delivered: u32,
    /// Items that it had before.
    pub repeated: u32,
    /// Items set aside.
    pub parked: u32,
}

/// What became of one batch.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Of the batch in its lane.
    pub number: u64,
    /// One a span, in their order.
    pub outcomes: Vec<Outcome>,
    /// For `type = "file"`: bytes written in all, rotated files included, this batch included. What
    /// [`Destination::truncate_to`] takes.
    pub written: Option<u64>,
}

/// What a lane tells of its batches.
#[derive(Clone, Debug)]
pub enum Told {
    /// Some items of the batch with this number wait for their own index; later batches go on.
    PutBy(u64),
    /// All items have their fate.
    Settled(Settled),
}

/// Told of each batch.
pub type Tell = dyn Fn(Told) + Send + Sync;

/// Why a lane cannot go on. Nothing that it had is settled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Whoever read standard output is gone.
    #[error("cannot write to standard output: nobody reads it any more")]
    OutputClosed,
    /// Standard output or the file.
    #[error("cannot write to {target}: {source}")]
    Write {
        /// `standard output`, or the path.
        target: String,
        /// What the system says.
        source: io::Error,
    },
    /// A fault of the agent itself.
    #[error("cannot go on writing: {0}")]
    Panicked(tokio::task::JoinError),
    /// A fault of the agent itself.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl Destination {
    /// The destination `name`. Opens no connection and no file. `state_dir`: where refused records are set aside.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(
        name: &str,
        output: &output::Config,
        config: &Config,
        state_dir: Option<&Path>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = config.misplaced(output.kind);
        let end = match output.kind {
            Kind::Stdout => Ok(End::local(Writer::stdout())),
            Kind::File => Writer::file(config).map(End::local),
            Kind::Elasticsearch | Kind::Opensearch | Kind::Loki => {
                Store::new(output, config).map(|store| End::Store(Box::new(store)))
            }
        };
        let end = match end {
            Ok(end) if faults.is_empty() => end,
            Ok(_) => return Err(faults),
            Err(more) => {
                faults.extend(more);
                return Err(faults);
            }
        };
        Ok(Self {
            name: name.to_owned(),
            backoff: Backoff { first: config.retry_first.0, cap: config.retry_max.0 },
            standing: Standing::new(name, Arc::clone(&metrics)),
            metrics,
            parked: state_dir.map(|folder| Arc::new(Parked::new(name, folder, config.parked_bytes.0))),
            seldom: Seldom::default(),
            lanes: AtomicU32::new(0),
            end,
        })
    }

    /// Why it is held until somebody mends something, if it is.
    #[must_use]
    pub fn is_held(&self) -> Option<String> {
        self.standing.held()
    }

    /// For a file: the bytes written so far in all, as [`Settled::written`] tells them.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub async fn written(&self) -> Result<Option<u64>, Error> {
        match &self.end {
            End::Local(writer) => writer.lock().await.written(),
            End::Store(_) => Ok(None),
        }
    }

    /// Cuts the file back to what was settled before a crash: `length` is the last saved [`Settled::written`]. To be
    /// called before the first lane starts; does nothing for other kinds.
    ///
    /// # Errors
    /// The file cannot be opened, read or cut.
    pub async fn truncate_to(&self, length: u64) -> Result<(), Error> {
        match &self.end {
            End::Local(writer) => writer.lock().await.truncate_to(length),
            End::Store(_) => Ok(()),
        }
    }

    /// The name of its `[output.NAME]`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The records that it set aside. `None`: there is no state folder to keep any.
    #[must_use]
    pub fn parked(&self) -> Option<&Arc<Parked>> {
        self.parked.as_ref()
    }

    /// The same for whoever has no lane: while it fails, the output is held.
    ///
    /// # Errors
    /// As [`Destination::park`].
    pub fn park_or_hold(&self, refused: &[ParkedRecord]) -> Result<(), ParkError> {
        let parked = self.park(refused);
        match &parked {
            Ok(()) => self.standing.fine(NO_LANE),
            Err(error) => {
                self.standing.trouble(NO_LANE, Trouble { reason: error.to_string(), hint: Some(PARK_HINT) });
            }
        }
        parked
    }

    /// Sets records aside, durable when it returns. Without a state folder they are counted and said only.
    ///
    /// # Errors
    /// They cannot be written: they are not set aside.
    pub fn park(&self, refused: &[ParkedRecord]) -> Result<(), ParkError> {
        let count = refused.len() as u64;
        let fate = match &self.parked {
            Some(parked) => {
                parked.append(refused, clock::now_ms())?;
                failpoint::hit("parked");
                "records were refused and are set aside: logferry parked list"
            }
            None => "records were refused and are not kept",
        };
        self.metrics.add(Metric::ParkedRecords, &self.name, count);
        let Some(first) = refused.first() else { return Ok(()) };
        // Reasons and counts differ each time: only what does not may tell whether it was said.
        if let Some(text) = self.seldom.told(fate.to_owned(), Instant::now()) {
            warn!(output = self.name, count, reason = first.reason, "{text}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
