//! What a lane has put by: batches of which some items wait for their own index, each on a clock of its own. Bounded:
//! when there is no room the lane takes no new batch. Sends nothing.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::deliver::Delivery;
use super::piece::Piece;
use super::standing::Trouble;
use crate::base::batch::Batch;

/// So many batches are put by at most, and so many bytes of them, as compressed: less than a lane's share of the memory
/// budget, which is counted before compression.
const MOST_BATCHES: usize = if cfg!(test) { 4 } else { 32 };
const MOST_BYTES: usize = 1 << 20;

/// Items of one batch that go to one index, which takes none of them now.
#[derive(Debug)]
pub(super) struct HeldPiece {
    pub(super) piece: Piece,
    pub(super) index: String,
    /// When they are tried again.
    pub(super) due: Instant,
    pub(super) trouble: Trouble,
}

/// The batches put by, in no order.
#[derive(Default)]
pub(super) struct Held<'a> {
    deliveries: Vec<Delivery<'a>>,
    /// No new batch will come.
    is_closed: bool,
}

/// What a lane is to do next.
pub(super) enum Next<'a> {
    /// A new batch.
    Batch(Batch),
    /// One that was put by, and is due.
    Again(Box<Delivery<'a>>),
}

impl<'a> Held<'a> {
    /// Waits for what is to be done next: what is due, else a new batch where there is room. `None`: no batch will come
    /// any more, and nothing is put by.
    pub(super) async fn next(&mut self, batches: &mut mpsc::Receiver<Batch>) -> Option<Next<'a>> {
        loop {
            let due = self.deliveries.iter().filter_map(Delivery::due).min();
            let takes_new = !self.is_closed && !self.is_full();
            tokio::select! {
                biased;
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => return self.take_due(),
                batch = batches.recv(), if takes_new => match batch {
                    Some(batch) => return Some(Next::Batch(batch)),
                    None => self.is_closed = true,
                },
                else => return None,
            }
        }
    }

    /// Puts a batch by.
    pub(super) fn put(&mut self, delivery: Delivery<'a>) {
        self.deliveries.push(delivery);
    }

    /// What keeps each index from taking records.
    pub(super) fn troubles(&self) -> BTreeMap<String, Trouble> {
        let held = self.deliveries.iter().flat_map(Delivery::held);
        held.map(|one| (one.index.clone(), one.trouble.clone())).collect()
    }

    fn is_full(&self) -> bool {
        self.deliveries.len() >= MOST_BATCHES
            || self.deliveries.iter().map(Delivery::bytes).sum::<usize>() >= MOST_BYTES
    }

    fn take_due(&mut self) -> Option<Next<'a>> {
        let first = (0..self.deliveries.len()).min_by_key(|at| self.deliveries[*at].due())?;
        let mut delivery = self.deliveries.swap_remove(first);
        delivery.resume(Instant::now());
        Some(Next::Again(Box::new(delivery)))
    }
}
