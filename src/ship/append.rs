//! One batch to a local writer, as often as it takes: a full disk is waited for, as a store would be. Does not write:
//! `local` does.

use std::sync::Arc;

use rustix::io::Errno;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::sleep;

use super::deliver::random;
use super::local::Writer;
use super::standing::Trouble;
use super::{Destination, Error};
use crate::base::batch::Batch;
use crate::base::metrics::Metric;

/// What a person can mend while the agent waits, and how. Any other fault of a file ends the agent.
const HOLDS: [(Errno, &str); 4] = [
    (Errno::NOSPC, "free space on that disk: the agent goes on by itself"),
    (Errno::DQUOT, "raise the quota of the agent's user, or free some of it: the agent goes on by itself"),
    (Errno::ROFS, "mount that file system writable again: the agent goes on by itself"),
    (Errno::IO, "look at the disk and the kernel's log: the agent goes on by itself when it can write again"),
];

/// Writes a batch, however long that takes. Returns it, with the bytes written so far in all, for a file, and with the
/// writer still locked: lengths are told in order.
///
/// # Errors
/// What nobody can mend while the agent runs.
pub(super) async fn append(
    destination: &Destination,
    lane: u32,
    writer: &Arc<Mutex<Writer>>,
    mut batch: Batch,
) -> Result<(Batch, Option<u64>, OwnedMutexGuard<Writer>), Error> {
    let mut writer = Arc::clone(writer).lock_owned().await;
    let mut failures = 0;
    loop {
        // A pipe that nobody reads, or a slow disk, must not stop the other destinations.
        let write = move || (writer.write(&batch), writer, batch);
        let (written, locked, same) = tokio::task::spawn_blocking(write).await.map_err(Error::Panicked)?;
        (writer, batch) = (locked, same);
        let error = match written {
            Ok(written) => {
                destination.metrics.add(Metric::SentBytes, &destination.name, batch.body.len() as u64);
                destination.standing.fine(lane);
                return Ok((batch, written, writer));
            }
            Err(error) => error,
        };
        let Some(hint) = hint(&error) else { return Err(error) };
        failures += 1;
        destination.metrics.add(Metric::Retries, &destination.name, 1);
        destination.standing.trouble(lane, Trouble { reason: error.to_string(), hint: Some(hint) });
        sleep(destination.backoff.delay(failures, random())).await;
    }
}

/// How to mend it, where waiting makes sense.
fn hint(error: &Error) -> Option<&'static str> {
    let Error::Write { source, .. } = error else { return None };
    let code = Errno::from_io_error(source)?;
    HOLDS.iter().find(|(errno, _)| *errno == code).map(|(_, hint)| *hint)
}
