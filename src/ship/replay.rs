//! Parked records sent once more, in batches of their own beside those of the lanes. What the store takes, or has
//! already, leaves the file; what it refuses again stays, with the new reason. Never waits for a person: a store that
//! refuses everything ends the replay. Masks nothing: what is parked is masked.
//!
//! A record leaves the file only after the store's answer. A crash in between leaves it parked, and the store knows it
//! again by its id, or Loki by its time, stream and line.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::deliver::{Delivery, Fate, Resent};
use super::park::{Error as ParkError, Kept, Queue, Selection};
use super::piece::Language;
use super::store::Store;
use super::{Destination, End, Parked};
use crate::base::batch::Batch;
use crate::base::metrics::Metric;
use crate::base::quantity::Span;
use crate::output::loki::{Entry, Stream};
use crate::output::{Place, elasticsearch, loki};

/// A batch is closed at so many records, or so many bytes of documents: what waits in memory beside the lanes.
const BATCH_RECORDS: usize = if cfg!(test) { 12 } else { 500 };
const BATCH_BYTES: usize = 1 << 20;
/// So many fates are gathered before the file is written anew.
const WRITTEN_EVERY: usize = if cfg!(test) { 15 } else { 10_000 };

/// What became of the selected records of one output. Their sum is how many were selected.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Replayed {
    /// Which output.
    pub output: String,
    /// The store took them.
    pub delivered: u64,
    /// The store had them before.
    pub repeated: u64,
    /// The store refused them again: they stay parked, with the new reason.
    pub refused: u64,
    /// They could not be sent, or got no answer: they stay parked as they were.
    pub left: u64,
    /// Why some were left.
    pub trouble: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
}

/// Why a replay could not go on. What it could not write down is still parked, and recognised when it is sent again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of parked records.
    #[error(transparent)]
    Parked(#[from] ParkError),
    /// The file of parked records, on the way.
    #[error("cannot read the refused records of {output}: {source}")]
    Read {
        /// Whose.
        output: String,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A fault of the agent itself.
    #[error(transparent)]
    Broken(#[from] super::Error),
}

/// Some of the records, as one request.
struct Load {
    batch: Batch,
    /// In the order of its items.
    ids: Vec<String>,
}

/// The troubles of a replay end with it, however it ends.
struct Lane<'a> {
    destination: &'a Destination,
    number: u32,
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.destination.standing.ended(self.number);
    }
}

impl Destination {
    /// Sends the selected parked records again, oldest first. Stops where the store gives no answer to a batch for as
    /// long as `wait`, or takes nothing until a person acts.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub async fn replay(self: &Arc<Self>, selection: &Selection, wait: Duration) -> Result<Replayed, Error> {
        let mut replayed = Replayed { output: self.name.clone(), ..Replayed::default() };
        let Some(parked) = self.parked() else { return Ok(replayed) };
        let (file, wanted) = (Arc::clone(parked), selection.clone());
        let mut queue = blocking(move || file.queue(&wanted)).await??;
        let End::Store(store) = &self.end else {
            replayed.trouble = (queue.len() > 0).then(|| "the output has another type now".to_owned());
            replayed.left = queue.len() as u64;
            return Ok(replayed);
        };
        let lane = Lane { destination: self, number: self.lanes.fetch_add(1, Ordering::Relaxed) };
        let mut fates = HashMap::new();
        let mut goes_on = Ok(true);
        while matches!(goes_on, Ok(true)) && queue.len() > 0 {
            goes_on = self.replay_some(&mut queue, store, lane.number, wait, &mut replayed, &mut fates).await;
            if fates.len() >= WRITTEN_EVERY {
                settle(parked, std::mem::take(&mut fates)).await?;
            }
        }
        replayed.left += queue.len() as u64;
        settle(parked, fates).await?;
        goes_on.map(|_| replayed)
    }

    /// One batch. `false`: no further one makes sense now.
    async fn replay_some(
        &self,
        queue: &mut Queue,
        store: &Store,
        lane: u32,
        wait: Duration,
        replayed: &mut Replayed,
        fates: &mut HashMap<String, Option<String>>,
    ) -> Result<bool, Error> {
        let read = |source| Error::Read { output: self.name.clone(), source };
        let (mut load, unfit) = load(queue, store.language).map_err(read)?;
        if unfit > 0 {
            replayed.left += unfit;
            replayed.trouble = Some("some do not say where in a store of this type they belong".to_owned());
            replayed.hint = Some("export them, and drop them".to_owned());
        }
        if load.ids.is_empty() {
            return Ok(true);
        }
        let mut delivery = Delivery::again(self, store, lane, &mut load.batch);
        let ended = timeout(wait, delivery.settle_all()).await;
        let (settled, resent) = delivery.resent();
        note(&settled, &resent, load.ids, replayed, fates);
        let reached = settled.iter().filter(|fate| matches!(fate, Fate::Delivered | Fate::Repeated)).count();
        self.metrics.add(Metric::ReplayedRecords, &self.name, reached as u64);
        let (trouble, hint) = match (ended, resent.held) {
            (Ok(ended), None) => {
                self.standing.fine(lane);
                return ended.map(|()| true).map_err(Error::from);
            }
            (Ok(_), Some((reason, hint))) => (reason, hint.map(str::to_owned)),
            (Err(_), _) => {
                let reason = self.standing.reason(lane).unwrap_or_else(|| "no answer".to_owned());
                (format!("{reason}; given up after {}", Span(wait)), None)
            }
        };
        (replayed.trouble, replayed.hint) = (Some(trouble), hint);
        Ok(false)
    }
}

/// Counts what became of a batch, and notes what the file must learn of it.
fn note(
    settled: &[Fate],
    resent: &Resent,
    ids: Vec<String>,
    replayed: &mut Replayed,
    fates: &mut HashMap<String, Option<String>>,
) {
    let reasons: HashMap<u32, &String> = resent.refused.iter().map(|(number, reason)| (*number, reason)).collect();
    for ((number, fate), id) in (0..).zip(settled).zip(ids) {
        let count = match fate {
            Fate::Delivered => &mut replayed.delivered,
            Fate::Repeated => &mut replayed.repeated,
            Fate::Parked => &mut replayed.refused,
            Fate::Open => &mut replayed.left,
        };
        *count += 1;
        match (fate, reasons.get(&number)) {
            (Fate::Delivered | Fate::Repeated, _) => drop(fates.insert(id, None)),
            (_, Some(reason)) => drop(fates.insert(id, Some((*reason).clone()))),
            _ => {}
        }
    }
}

/// Takes records off the queue for one request. Also how many there cannot be sent: they lack what this language needs.
fn load(queue: &mut Queue, language: Language) -> std::io::Result<(Load, u64)> {
    let (mut body, mut streams, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bytes, mut unfit) = (0, 0);
    while ids.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
        let Some(kept) = queue.next()? else { break };
        let Some((place, text)) = kept.place().zip(kept.text()) else {
            unfit += 1;
            continue;
        };
        bytes += text.len();
        match (language, place) {
            (Language::Bulk, Place::Index(index)) => {
                elasticsearch::push_create(&index, &kept.id, text.as_bytes(), &mut body);
            }
            (Language::Push, Place::Entry { labels, ns, metadata }) => {
                push_entry(labels, Entry { ns, line: text, metadata }, &mut streams);
            }
            _ => {
                unfit += 1;
                continue;
            }
        }
        let Kept { id, .. } = kept;
        ids.push(id);
    }
    if language == Language::Push {
        body = loki::push(&streams);
    }
    let items = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let raw_len = body.len() as u64;
    // Some of it may be there from an earlier attempt.
    Ok((
        Load {
            batch: Batch { number: 0, body: body.into(), gzip: false, raw_len, items, spans: Vec::new(), unsure: true },
            ids,
        },
        unfit,
    ))
}

/// Entries stay in their order, so that the n-th of all is the n-th item.
fn push_entry(labels: BTreeMap<String, String>, entry: Entry, streams: &mut Vec<Stream>) {
    match streams.last_mut() {
        Some(last) if last.labels == labels => last.entries.push(entry),
        _ => streams.push(Stream { labels, entries: vec![entry] }),
    }
}

async fn settle(parked: &Arc<Parked>, fates: HashMap<String, Option<String>>) -> Result<(), Error> {
    let parked = Arc::clone(parked);
    Ok(blocking(move || parked.settle(&fates)).await??)
}

/// Off the thread that talks to stores.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Broken(super::Error::Panicked(error)))
}
