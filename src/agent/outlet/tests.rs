//! What is durable when a file is let go.

use tokio::sync::watch;

use super::*;
use crate::base::chunk::tests::chunk;
use crate::base::metrics::Metric;
use crate::base::source::{Cursor, Identity};
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
    let shared =
        Shared::new(Some(opened), Full::Pause, Arc::clone(tracker), Arc::default(), Arc::default(), Arc::default());
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
    let tracker = Arc::new(tracker);
    let shared = Shared::new(opened, Full::Pause, tracker, Arc::default(), Arc::default(), Arc::default());
    let shared = Arc::new(shared);
    let ((lane, mut batches), (_stop, stopped)) = (mpsc::channel(1), watch::channel(false));
    tokio::spawn(drain(Arc::clone(&shared), lane, stopped));
    let sent = tokio::time::timeout(Duration::from_secs(20), batches.recv()).await;
    shared.settled(sent.expect("it is sent").unwrap().number);
    while shared.queue().unwrap().frames() > 0 {
        tokio::task::yield_now().await;
    }
}

/// A batch of one line, the `index`th of the source that is known as `identity`.
fn nth(tracker: &Tracker, identity: &Identity, index: u64) -> Batch {
    let mut chunk = chunk(&[b"nine byte"]);
    (chunk.start, chunk.end) = (index * 10, index * 10 + 10);
    chunk.cursor = Cursor::File { generation: 0, offset: chunk.end, guard: 0 };
    let seen = Seen { identity, len: 30, head_of: &|_| Some(0) };
    tracker.resume("app", &seen, chunk.source.id, 1).unwrap();
    let seq = tracker.begin(&chunk).unwrap();
    let counts = Counts { read: 1, bytes: 10, ..Counts::default() };
    let span = Span { source: Arc::clone(&chunk.source), seq, items: 1, counts };
    let body = format!("body-{index}");
    Batch { number: 0, raw_len: 6, body: body.into(), gzip: false, items: 1, spans: vec![span], unsure: false }
}

/// A bit of the one segment turns over, in the first place that has these bytes.
fn flip(folder: &std::path::Path, bytes: &[u8]) {
    let mut paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.extension().is_some_and(|name| name == "segment")).unwrap();
    let mut content = std::fs::read(&path).unwrap();
    let at = content.windows(bytes.len()).position(|window| window == bytes).unwrap();
    content[at] ^= 1;
    std::fs::write(&path, content).unwrap();
}

/// The queue of a state folder, with what an earlier run left.
fn opened(state: &std::path::Path) -> (Arc<Tracker>, Option<Opened>) {
    let queue = Queue::open(&state.join("queue"), Limits { bytes: u64::MAX, age_ms: None }).unwrap();
    let (tracker, mut opened) = crate::agent::queues::track(Some(state), vec![Some(queue)]).unwrap();
    (Arc::new(tracker), opened.pop().unwrap())
}

/// A run during an outage that reads three batches, then sends what is whole. `damaged`: bytes of the second frame, which
/// are damaged before the store comes back.
async fn send_all_but_a_damaged_one(state: &std::path::Path, identity: &Identity, damaged: &[u8]) -> Arc<Shared> {
    let (tracker, opened) = opened(state);
    let (metrics, order, seldom) = Default::default();
    let shared = Arc::new(Shared::new(opened, Full::Pause, Arc::clone(&tracker), metrics, order, seldom));
    let (lane, mut batches) = mpsc::channel(1);
    let outlet = Outlet::new(lane.clone(), Arc::clone(&shared));
    let three = [0, 1, 2].map(|index| nth(&tracker, identity, index));
    tracker.make_durable().unwrap();
    let filling = move || three.into_iter().for_each(|batch| outlet.hand_over(batch, false));
    tokio::task::spawn_blocking(filling).await.unwrap();
    flip(&state.join("queue"), damaged);
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(drain(Arc::clone(&shared), lane, stopped));
    for body in ["body-0", "body-2"] {
        let batch = tokio::time::timeout(Duration::from_secs(20), batches.recv()).await.unwrap().unwrap();
        assert_eq!(batch.body, body);
        for span in &batch.spans {
            let counts = Counts { delivered: 1, ..span.counts.clone() };
            tracker.settle(vec![Settlement { source: span.source.id, seq: span.seq, counts }], None);
        }
        shared.settled(batch.number);
    }
    while shared.queue().unwrap().frames() > 0 {
        tokio::task::yield_now().await;
    }
    shared
}

/// D6: a file is read again by the next run, from the damaged batch on, in the same pieces; a pipe cannot be, and what was
/// damaged of it is counted as lost. The same where the header cannot be read that says what the batch covers.
#[tokio::test]
async fn a_batch_that_is_damaged_while_it_waits_is_left_to_the_next_run_or_lost() {
    let path = "/var/log/app.log".into();
    let file = Identity::File { device: 1, inode: 2, birth_ns: Some(3), head_len: 1, head: 0, path };
    for (identity, is_lost) in [(file, false), (Identity::Stdin { began_ns: 1 }, true)] {
        for damaged in ["body-1", "\"number\":1,"] {
            let state = tempfile::tempdir().unwrap();
            let shared = send_all_but_a_damaged_one(state.path(), &identity, damaged.as_bytes()).await;
            let (tracker, queue) = (&shared.tracker, shared.queue().unwrap());
            assert_eq!(shared.damaged(), u64::from(!is_lost), "{identity:?}, {damaged}");
            assert_eq!(shared.metrics.total(Metric::LostBytes), if is_lost { 10 } else { 0 });
            assert_eq!(tracker.in_flight(), if is_lost { 0 } else { 2 }, "held for the next run");
            let counts = tracker.ledger()["app"].clone();
            assert_eq!((counts.read, counts.delivered, counts.open()), (3, 2, u64::from(!is_lost)));
            assert_eq!(counts.dropped.values().sum::<u64>(), u64::from(is_lost));
            let settled = queue.settled();
            tracker.save().unwrap();
            queue.forget(settled).unwrap();
            drop(shared);

            let (tracker, opened) = opened(state.path());
            assert!(opened.unwrap().waiting.is_empty());
            if !is_lost {
                let seen = Seen { identity: &identity, len: 30, head_of: &|_| Some(0) };
                let resume = tracker.resume("app", &seen, SourceId::new(7), 1).unwrap();
                assert!(matches!(resume.cursor, Some(Cursor::File { offset: 10, .. })), "{resume:?}");
                let pieces: Vec<_> = resume.replay.iter().map(|note| (note.start, note.end)).collect();
                assert_eq!(pieces, [(10, 20), (20, 30)]);
            }
        }
    }
}

/// What a full queue drops is settled, also where it is damaged.
#[test]
fn a_damaged_batch_that_is_dropped_is_counted() {
    let state = tempfile::tempdir().unwrap();
    let (tracker, opened) = opened(state.path());
    let (outlet, _batches) = outlet(opened.unwrap().queue, &tracker);
    let identity = Identity::Stdin { began_ns: 1 };
    [0, 1, 2].map(|index| nth(&tracker, &identity, index)).into_iter().for_each(|batch| outlet.hand_over(batch, false));
    flip(&state.path().join("queue"), b"\"number\":1,");
    let queue = outlet.shared.queue().unwrap();
    // The first is a copy of what is in the lane.
    assert!(outlet.drop_oldest(queue).unwrap() && outlet.drop_oldest(queue).unwrap());
    let counts = tracker.ledger()["app"].clone();
    assert_eq!((counts.dropped[QUEUE_FULL], counts.open()), (1, 2));
}
