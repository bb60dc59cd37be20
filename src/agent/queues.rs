//! The queues of one output: found on disk, opened, and made known to its tracker. Fills and empties none.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::Error;
use super::outlet::{Opened, Order, Shared};
use crate::base::batch::Span;
use crate::base::metrics::Metrics;
use crate::base::seldom::Seldom;
use crate::config::Output;
use crate::output::Kind;
use crate::queue::{Full, Limits, Queue, Report};
use crate::track::{Queued, Tracker};

/// The queues of an output below `folder`: one a worker, and those that an earlier run with more workers left. None where
/// there is no state, or the output is local.
///
/// # Errors
/// When one cannot be opened.
pub fn open(folder: Option<&Path>, config: &Output, workers: usize) -> Result<Vec<Option<(Queue, Report)>>, Error> {
    let none = || Ok((0..workers).map(|_| None).collect());
    let (Some(folder), Some(language)) = (folder, language(config.output.kind)) else { return none() };
    let Some(limits) = config.queue.limits() else { return none() };
    // Bodies are kept as they are sent: those of another language are of no use.
    let folder = folder.join(format!("queue-{language}"));
    let count = workers.max(left(&folder));
    let used = Arc::default();
    (0..count).map(|index| open_one(folder.join(index.to_string()), limits, &used).map(Some)).collect()
}

const fn language(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Elasticsearch | Kind::Opensearch => Some("bulk"),
        Kind::Loki => Some("push"),
        Kind::Stdout | Kind::File => None,
    }
}

/// How many queues there are.
fn left(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse::<usize>().ok()).max().map_or(0, |last| last + 1)
}

fn open_one(folder: PathBuf, limits: Limits, used: &Arc<AtomicU64>) -> Result<(Queue, Report), Error> {
    let (queue, report) = Queue::open(&folder, limits)?;
    if report.damaged_frames > 0 {
        tracing::error!(
            "{} batches of the queue in {} are damaged: their lines are read again where their sources still have them",
            report.damaged_frames,
            folder.display()
        );
    }
    if queue.frames() > 0 {
        tracing::info!("{} batches wait in {}: they are sent first", queue.frames(), folder.display());
    }
    Ok((queue.sharing(used), report))
}

/// Opens the tracker, which learns what is queued and so need not be read again.
///
/// # Errors
/// When the state cannot be used.
pub fn track(
    folder: Option<&Path>,
    queues: Vec<Option<(Queue, Report)>>,
) -> Result<(Tracker, Vec<Option<Opened>>), Error> {
    let frames = queues.iter().flatten().flat_map(|(_, report)| &report.frames);
    let queued: Vec<Queued> = frames.flat_map(|frame| &frame.spans).map(queued).collect();
    let (tracker, seqs) = Tracker::open_with(folder, &queued)?;
    let mut seqs = seqs.into_iter();
    let mut opened = |(queue, report): (Queue, Report)| {
        let mut waiting = HashMap::new();
        for frame in &report.frames {
            let of_frame: Vec<Option<u64>> = seqs.by_ref().take(frame.spans.len()).collect();
            if of_frame.iter().any(Option::is_some) {
                let chunk =
                    |(span, seq): (&crate::queue::Span, Option<u64>)| (span.note.source, seq.unwrap_or(Span::SETTLED));
                waiting.insert(frame.number, frame.spans.iter().zip(of_frame).map(chunk).collect());
            }
        }
        let first_own = report.frames.last().map_or(0, |last| last.number + 1);
        Opened { queue, waiting, frames: report.frames.len(), first_own }
    };
    Ok((tracker, queues.into_iter().map(|one| one.map(&mut opened)).collect()))
}

fn queued(span: &crate::queue::Span) -> Queued {
    Queued { note: span.note.clone(), cursor: span.cursor.clone(), lines: span.lines, bytes: span.counts.bytes }
}

/// The outlets in front of them.
pub fn outlets(
    queues: Vec<Option<Opened>>,
    full: Full,
    tracker: &Arc<Tracker>,
    metrics: &Arc<Metrics>,
    seldom: &Arc<Seldom>,
) -> Arc<[Arc<Shared>]> {
    let order = Arc::new(Order::default());
    let outlet = |queue| {
        let (tracker, metrics, seldom) = (Arc::clone(tracker), Arc::clone(metrics), Arc::clone(seldom));
        Arc::new(Shared::new(queue, full, tracker, metrics, Arc::clone(&order), seldom))
    };
    queues.into_iter().map(outlet).collect()
}
