//! One index that takes nothing, beside others that do: what is held, what goes on, and where that ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::super::{Destination, Error, Settled, Told, lane};
use super::bulk::{Documents, take};
use super::server::{Server, say};
use super::{batch, destination};
use crate::base::batch::Batch;
use crate::base::metrics::Metric;

/// Documents `first` and `first + 1`, each to its index.
fn pair(first: u32, indices: [&str; 2]) -> Batch {
    let line = |(id, index): (u32, &str)| {
        format!("{{\"create\":{{\"_index\":\"{index}\",\"_id\":\"{id}\"}}}}\n{{\"m\":\"for {index}\"}}\n")
    };
    batch(&(first..).zip(indices).map(line).collect::<String>(), 2)
}

/// A store of which the index `shut` takes nothing while it is shut.
struct Store {
    server: Server,
    documents: Documents,
    is_shut: Arc<AtomicBool>,
}

async fn store(refusal: Value) -> Store {
    let documents = Documents::default();
    let is_shut = Arc::new(AtomicBool::new(true));
    let (kept, shut) = (Arc::clone(&documents), Arc::clone(&is_shut));
    let server = Server::start(move |seen| {
        let is_shut = shut.load(Ordering::Relaxed);
        say(200, take(&kept, &seen.body, |_, text| (is_shut && text.contains("for shut")).then(|| refusal.clone())))
    });
    Store { server: server.await, documents, is_shut }
}

impl Store {
    fn ids(&self) -> Vec<String> {
        self.documents.lock().unwrap().keys().cloned().collect()
    }
}

fn blocked() -> Value {
    let reason = "index [shut] blocked by: [FORBIDDEN/8/index write (api)];";
    json!({"status": 403, "error": {"type": "cluster_block_exception", "reason": reason}})
}

/// A lane at work.
struct Running {
    give: mpsc::Sender<Batch>,
    settled: Arc<Mutex<Vec<Settled>>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Error>>,
}

fn start(destination: &Arc<Destination>) -> Running {
    let (give, take) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(false);
    let settled: Arc<Mutex<Vec<Settled>>> = Arc::default();
    let log = Arc::clone(&settled);
    let tell = Arc::new(move |told| {
        if let Told::Settled(one) = told {
            log.lock().unwrap().push(one);
        }
    });
    let task = tokio::spawn(lane(Arc::clone(destination), take, tell, stopped));
    Running { give, settled, stop, task }
}

impl Running {
    async fn give(&self, batch: Batch) {
        let given = tokio::time::timeout(Duration::from_secs(20), self.give.send(batch)).await;
        given.expect("the lane takes new batches").unwrap();
    }

    fn settled(&self) -> usize {
        self.settled.lock().unwrap().len()
    }

    /// Nothing more is given: waits until all is settled. How many items were delivered.
    async fn finish(self) -> u32 {
        drop(self.give);
        tokio::time::timeout(Duration::from_secs(20), self.task).await.expect("it ends").unwrap().unwrap();
        let settled = self.settled.lock().unwrap();
        settled.iter().flat_map(|one| &one.outcomes).map(|one| one.delivered).sum()
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// E5: the index that is blocked is held, and no other.
#[tokio::test]
async fn one_blocked_index_holds_no_other() {
    let store = store(blocked()).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) = destination("elasticsearch", &format!("'{}'", store.server.url), "", state.path());
    let running = start(&destination);
    for first in [0, 2] {
        running.give(pair(first, ["open", "shut"])).await;
    }
    running.give(pair(4, ["open", "other"])).await;
    until("what goes elsewhere to arrive", || store.ids() == ["0", "2", "4", "5"]).await;
    until("the batch without it to settle", || running.settled() == 1).await;
    let held = destination.is_held().unwrap();
    assert!(held.starts_with("index shut: cluster_block_exception"), "{held}");
    assert_eq!(metrics.by_label(Metric::Held), [(String::new(), 0), ("shut".to_owned(), 1)]);
    assert_eq!(running.settled.lock().unwrap()[0].outcomes[0].delivered, 1);

    store.is_shut.store(false, Ordering::Relaxed);
    assert_eq!(running.finish().await, 6);
    assert_eq!(store.ids(), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!((destination.is_held(), metrics.by_label(Metric::Held)), (None, vec![(String::new(), 0)]));
}

/// An index whose shard is not there refuses for now, again and again: it is no operator's matter, and waits alone too.
#[tokio::test]
async fn an_index_that_stays_busy_waits_alone() {
    let store = store(json!({"status": 503, "error": {"type": "unavailable_shards_exception", "reason": "r"}})).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, _) = destination("opensearch", &format!("'{}'", store.server.url), "", state.path());
    let running = start(&destination);
    running.give(pair(0, ["open", "shut"])).await;
    running.give(pair(2, ["open", "open"])).await;
    until("the second batch to settle", || running.settled() == 1).await;
    assert_eq!((store.ids(), destination.is_held()), (vec!["0".into(), "2".into(), "3".into()], None));
    store.is_shut.store(false, Ordering::Relaxed);
    assert_eq!(running.finish().await, 4);
}

/// What is put by is bounded: then no new batch is taken.
#[tokio::test]
async fn when_enough_is_put_by_the_lane_pauses() {
    let store = store(blocked()).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) = destination("elasticsearch", &format!("'{}'", store.server.url), "", state.path());
    let running = start(&destination);
    let give = running.give.clone();
    let giving = tokio::spawn(async move {
        for number in 0..8 {
            give.send(pair(number * 2, ["shut", "shut"])).await.unwrap();
        }
    });
    let requests = || metrics.total(Metric::Requests);
    until("four to be put by, and tried again", || requests() >= 12).await;
    let bodies: String = store.server.seen().iter().map(|seen| seen.body.as_str()).collect();
    assert!(bodies.contains("\"_id\":\"7\"") && !bodies.contains("\"_id\":\"8\""), "four batches of two");
    assert_eq!((running.settled(), store.ids().len()), (0, 0));

    store.is_shut.store(false, Ordering::Relaxed);
    until("the rest to be taken", || giving.is_finished()).await;
    assert_eq!(running.finish().await, 16);
    assert_eq!(store.ids().len(), 16);
}

#[tokio::test]
async fn a_lane_that_is_told_to_stop_leaves_what_is_put_by_unsettled() {
    let store = store(blocked()).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) = destination("elasticsearch", &format!("'{}'", store.server.url), "", state.path());
    let running = start(&destination);
    running.give(pair(0, ["open", "shut"])).await;
    until("it to be put by", || destination.is_held().is_some()).await;
    running.stop.send(true).unwrap();
    let settled = Arc::clone(&running.settled);
    running.task.await.unwrap().unwrap();
    assert!(settled.lock().unwrap().is_empty());
    assert_eq!((destination.is_held(), metrics.total(Metric::Held)), (None, 0));
}
