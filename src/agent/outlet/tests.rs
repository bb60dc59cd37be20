//! What is durable when a file is let go.

use super::*;
use crate::base::chunk::tests::chunk;
use crate::base::source::Identity;
use crate::queue::Limits;
use crate::track::Seen;

/// A batch of one line that the tracker knows as read.
fn batch(tracker: &Tracker) -> Batch {
    let chunk = chunk(&[b"one"]);
    let seen = Seen { identity: &Identity::Stdin { began_ns: 1 }, len: 0, head_of: &|_| None };
    tracker.resume("app", &seen, chunk.source.id, 1).unwrap();
    let seq = tracker.begin(&chunk).unwrap();
    let span = Span { source: Arc::clone(&chunk.source), seq, items: 1, counts: Counts::default() };
    Batch { number: 0, body: "{}".into(), gzip: false, raw_len: 2, items: 1, spans: vec![span], unsure: false }
}

fn outlet(queue: Queue, tracker: &Arc<Tracker>) -> (Outlet, mpsc::Receiver<Batch>) {
    let opened = Opened { queue, waiting: HashMap::new(), frames: 0, first_own: 0 };
    let shared = Shared::new(Some(opened), Full::Pause, Arc::clone(tracker), Arc::default(), Arc::default());
    let (lane, batches) = mpsc::channel(1);
    (Outlet::new(lane, Arc::new(shared)), batches)
}

#[test]
fn what_is_under_way_is_in_the_queue_when_a_file_is_let_go() {
    let (folder, tracker) = (tempfile::tempdir().unwrap(), Arc::new(Tracker::open(None).unwrap()));
    let (queue, _) = Queue::open(folder.path(), Limits { bytes: u64::MAX, age_ms: None }).unwrap();
    let (outlet, _batches) = outlet(queue, &tracker);
    outlet.hand_over(batch(&tracker), true);
    assert!(!outlet.shared.is_queued());
    outlet.keep(None);
    assert_eq!(outlet.shared.queue().unwrap().frames(), 1);
}

#[test]
fn while_the_queue_is_full_no_file_is_let_go() {
    let (folder, tracker) = (tempfile::tempdir().unwrap(), Arc::new(Tracker::open(None).unwrap()));
    let (queue, _) = Queue::open(folder.path(), Limits { bytes: 1, age_ms: None }).unwrap();
    let (outlet, _batches) = outlet(queue, &tracker);
    outlet.hand_over(batch(&tracker), true);
    let shared = Arc::clone(&outlet.shared);
    let filler = outlet.sealed(&batch(&tracker), false).unwrap();
    shared.queue().unwrap().push(&filler, 0).unwrap();
    let letting_go = std::thread::spawn(move || outlet.keep(None));
    while !shared.is_paused() {
        assert!(!letting_go.is_finished(), "it is let go, and what was read of it nowhere");
        std::thread::yield_now();
    }
    shared.settled(0);
    letting_go.join().unwrap();
}

/// E5: what one index does not take stays in the queue, and what comes after it is sent.
#[tokio::test]
async fn a_frame_that_waits_for_its_index_holds_up_no_other() {
    let (folder, tracker) = (tempfile::tempdir().unwrap(), Arc::new(Tracker::open(None).unwrap()));
    let (queue, _) = Queue::open(folder.path(), Limits { bytes: u64::MAX, age_ms: None }).unwrap();
    let (outlet, mut batches) = outlet(queue, &tracker);
    let (outlet, shared) = {
        let (three, shared) = ([(); 3].map(|()| batch(&tracker)), Arc::clone(&outlet.shared));
        let filling = tokio::task::spawn_blocking(move || {
            three.into_iter().for_each(|batch| outlet.hand_over(batch, false));
            outlet
        });
        (filling.await.unwrap(), shared)
    };
    let (queue, (_stop, stopped)) = (shared.queue().unwrap(), watch::channel(false));
    assert_eq!(queue.frames(), 3, "the one in the lane too");
    tokio::spawn(drain(Arc::clone(&shared), outlet.lane.clone(), stopped));
    let in_lane = batches.recv().await.unwrap().number;
    shared.put_by(in_lane);
    for _ in 0..2 {
        let next = tokio::time::timeout(Duration::from_secs(20), batches.recv()).await;
        shared.settled(next.expect("the next one is sent").unwrap().number);
    }
    while queue.frames() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(queue.settled(), 0, "and a crash brings it back");
    assert!(outlet.has_room(), "nothing new goes through the queue for its sake");
    shared.settled(in_lane);
    assert_eq!((queue.frames(), queue.settled()), (0, 3));
}

/// What an earlier run queued is sent also where its source is not known any more.
#[tokio::test]
async fn what_is_queued_of_a_source_that_was_let_go_is_sent() {
    let (folder, limits) = (tempfile::tempdir().unwrap(), Limits { bytes: u64::MAX, age_ms: None });
    let earlier = Arc::new(Tracker::open(None).unwrap());
    let (first, _batches) = outlet(Queue::open(folder.path(), limits).unwrap().0, &earlier);
    let sealed = first.sealed(&batch(&earlier), false).unwrap();
    first.shared.queue().unwrap().push(&sealed, 0).unwrap();
    drop(first);

    let queue = Queue::open(folder.path(), limits).unwrap();
    let (tracker, mut opened) = crate::agent::queues::track(None, vec![Some(queue)]).unwrap();
    let opened = opened.pop().unwrap();
    let shared = Arc::new(Shared::new(opened, Full::Pause, Arc::new(tracker), Arc::default(), Arc::default()));
    let ((lane, mut batches), (_stop, stopped)) = (mpsc::channel(1), watch::channel(false));
    tokio::spawn(drain(Arc::clone(&shared), lane, stopped));
    let sent = tokio::time::timeout(Duration::from_secs(20), batches.recv()).await;
    shared.settled(sent.expect("it is sent").unwrap().number);
    while shared.queue().unwrap().frames() > 0 {
        tokio::task::yield_now().await;
    }
}
