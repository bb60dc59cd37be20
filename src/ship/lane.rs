//! One worker's way out: its batches one after the other, oldest first. What only some indices refuse is put by and
//! tried again on a clock of its own, while the rest goes on. Sends nothing itself: `deliver` and `append` do.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, watch};

use super::append::append;
use super::deliver::Delivery;
use super::held::{Held, Next};
use super::{Destination, End, Error, Outcome, Settled, Tell, Told};
use crate::base::batch::{Batch, Span};

/// Delivers batches one after the other, oldest first. Returns when the channel is closed and all is settled, or at
/// once when `stop` becomes true: what is not settled then is read again later. Batches of which an index refuses some
/// items may settle after later ones.
///
/// # Errors
/// The agent must stop: see [`Error`]. A store that refuses or is away is no error, nor is a full disk.
pub async fn lane(
    destination: Arc<Destination>,
    batches: mpsc::Receiver<Batch>,
    tell: Arc<Tell>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let number = destination.lanes.fetch_add(1, Ordering::Relaxed);
    let lane = Lane { destination: &destination, number, tell: &*tell, held: Held::default() };
    let result = tokio::select! {
        biased;
        () = stopped(&mut stop) => Ok(()),
        result = lane.run(batches) => result,
    };
    destination.standing.ended(number);
    result
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could ask for it.
        std::future::pending::<()>().await;
    }
}

struct Lane<'a> {
    destination: &'a Destination,
    number: u32,
    tell: &'a Tell,
    held: Held<'a>,
}

impl Lane<'_> {
    async fn run(mut self, mut batches: mpsc::Receiver<Batch>) -> Result<(), Error> {
        while let Some(next) = self.held.next(&mut batches).await {
            match next {
                Next::Batch(batch) => self.deliver(batch).await?,
                Next::Again(delivery) => self.go_on(*delivery).await?,
            }
        }
        Ok(())
    }
}

impl<'a> Lane<'a> {
    async fn deliver(&mut self, mut batch: Batch) -> Result<(), Error> {
        if batch.items == 0 {
            (self.tell)(all_delivered(&batch, None));
            return Ok(());
        }
        match &self.destination.end {
            End::Store(store) => self.go_on(Delivery::new(self.destination, store, self.number, &mut batch)).await,
            End::Local(writer) => {
                let (batch, written, _locked) = append(self.destination, self.number, writer, batch).await?;
                (self.tell)(all_delivered(&batch, written));
                Ok(())
            }
        }
    }

    async fn go_on(&mut self, mut delivery: Delivery<'a>) -> Result<(), Error> {
        delivery.settle_all().await?;
        if delivery.is_settled() {
            let settled = Settled { number: delivery.number(), outcomes: delivery.outcomes(), written: None };
            (self.tell)(Told::Settled(settled));
        } else {
            (self.tell)(Told::PutBy(delivery.number()));
            self.held.put(delivery);
        }
        let standing = &self.destination.standing;
        standing.indices(self.number, self.held.troubles());
        standing.fine(self.number);
        Ok(())
    }
}

fn all_delivered(batch: &Batch, written: Option<u64>) -> Told {
    let delivered = |span: &Span| Outcome { span: span.clone(), delivered: span.items, repeated: 0, parked: 0 };
    Told::Settled(Settled { number: batch.number, outcomes: batch.spans.iter().map(delivered).collect(), written })
}
