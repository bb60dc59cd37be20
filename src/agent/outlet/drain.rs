//! What takes the queue's batches out again, in their order, and sends them through the lane. Puts nothing into it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, watch};

use super::{DISK_RETRY, LOOK_AGAIN, Shared};
use crate::base::batch::{Batch, Span};
use crate::base::metrics::Metric;
use crate::base::source::{Source, SourceId};
use crate::queue::{self, Queue, Sealed, Taken};
use crate::track::Damage;

/// Sends what waits in the queue through the lane, one frame at a time. Ends when told to stop, or when the worker has
/// ended and nothing is left.
pub async fn drain(shared: Arc<Shared>, lane: mpsc::Sender<Batch>, mut stop: watch::Receiver<bool>) {
    let work = async {
        while let Some(taken) = next(&shared).await {
            pass(&shared, &lane, taken).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = async { let _ = stop.wait_for(|stop| *stop).await; } => {}
    }
}

/// The oldest frame, once there is one.
async fn next(shared: &Arc<Shared>) -> Option<Taken> {
    loop {
        let head = shared.queue.as_ref().and_then(Queue::head);
        let is_known = head.is_some_and(|head| head < shared.state().known);
        if is_known {
            let asked = Arc::clone(shared);
            let take = move || asked.queue.as_ref().map_or(Ok(None), Queue::take);
            match tokio::task::spawn_blocking(take).await {
                Ok(Ok(Some(taken))) => return Some(taken),
                Ok(Ok(None)) | Err(_) => {}
                Ok(Err(error)) => {
                    shared.say(format!("{error}; it is tried again"));
                    tokio::time::sleep(DISK_RETRY).await;
                }
            }
        } else if shared.has_worker_ended.load(Ordering::Acquire) && head.is_none() {
            return None;
        } else {
            shared.changed.notified().await;
        }
    }
}

/// Sees one frame through: sends it unless the lane has or had it, and waits until it is settled or waits for an index
/// of its own.
async fn pass(shared: &Shared, lane: &mpsc::Sender<Batch>, taken: Taken) {
    let number = match taken {
        Taken::Good(frame) => {
            let number = frame.number;
            let chunks = shared.state().waiting.remove(&number);
            if let Some(chunks) = chunks {
                let is_own = number >= shared.state().first_own;
                while is_own && shared.order.is_inherited_left() {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                let mut batch = batch_of(frame, &chunks);
                shared.enter(&mut batch, Some(number));
                if lane.send(batch).await.is_err() {
                    return std::future::pending().await;
                }
            }
            number
        }
        Taken::Damaged(unsent) => {
            let chunks = shared.state().waiting.remove(&unsent.number);
            // Else a lane has the batch, or had it.
            if let Some(chunks) = chunks {
                shared.damage(&chunks, unsent.spans.unwrap_or_default());
            }
            unsent.number
        }
    };
    while shared.queue.as_ref().is_some_and(|queue| !shared.is_passed(queue, number)) {
        shared.changed.notified().await;
    }
    shared.pass_inherited(number);
}

impl Shared {
    /// A frame that was to be sent is damaged. Its lines are left to the next run where it can read them again; the others are
    /// lost.
    fn damage(&self, chunks: &[(SourceId, u64)], spans: Vec<queue::Span>) {
        let mut known = spans.into_iter().map(|span| span.counts);
        let mut is_left = false;
        for (source, seq) in chunks {
            match self.tracker.damage(*source, *seq, known.next()) {
                Some(Damage { name, lost_bytes: Some(bytes) }) => {
                    self.metrics.add(Metric::LostBytes, &name, bytes);
                    tracing::error!(
                        "cannot send a batch of the queue: it is damaged on disk; {bytes} bytes of source {name} are lost, \
                         which cannot be read again"
                    );
                }
                Some(Damage { lost_bytes: None, .. }) => is_left = true,
                None => {}
            }
        }
        if is_left {
            self.damaged.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                "cannot send a batch of the queue: it is damaged on disk; its lines are read again at the next start\n\
                 hint: restart the agent soon, while their sources still have them; and look after the disk"
            );
        }
    }
}

/// A frame as a batch of this run.
fn batch_of(frame: queue::Frame, chunks: &[(SourceId, u64)]) -> Batch {
    let Sealed { body, gzip, raw_len, items, spans, unsure } = frame.sealed;
    let spans = spans.into_iter().zip(chunks).map(|(span, (_, seq))| Span {
        source: Arc::new(Source::known_by_name(span.note.source, span.kind, &span.name)),
        seq: *seq,
        items: span.items,
        counts: span.counts,
    });
    Batch {
        number: 0,
        body: body.into(),
        gzip,
        raw_len,
        items,
        spans: spans.collect(),
        unsure: unsure || frame.perhaps_sent,
    }
}
