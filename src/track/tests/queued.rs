//! What lies in a queue when the agent comes back, once and again, while the store is away.

use super::*;
use crate::base::batch::Span;

/// A chunk of a container at `at`, as a queue has it.
fn queued(chunk: &Chunk) -> Queued {
    let (source, generation) = (chunk.source.id, chunk.generation);
    let note = Note { source, generation, start: chunk.start, end: chunk.end, seen_ms: chunk.seen_ms, names: None };
    Queued { note, cursor: chunk.cursor.clone(), lines: 1, bytes: 10 }
}

/// A chunk of one line that a container wrote at `at` seconds.
fn said(at: u64, seen_ms: i64) -> Chunk {
    let at = at * 1_000_000_000;
    let mut chunk = piece(at, seen_ms);
    chunk.end = at;
    chunk.cursor = Cursor::Docker { time_ns: at, recent: vec![Position { at, tie: u32::try_from(seen_ms).unwrap() }] };
    chunk
}

/// A run that reads a container's lines at these seconds and delivers the first `settled`. The notes stay, as they do
/// where they are not long yet.
fn run_that_read(folder: &Path, at: &[u64], settled: usize) -> Vec<Queued> {
    let tracker = open(folder);
    resume_container(&tracker);
    let chunks: Vec<_> = (1..).zip(at).map(|(seen_ms, at)| said(*at, seen_ms)).collect();
    for chunk in &chunks {
        tracker.begin(chunk).unwrap();
    }
    tracker.make_durable().unwrap();
    (0..settled).for_each(|seq| settle(&tracker, seq as u64));
    tracker.save_with(false).unwrap();
    chunks.iter().map(queued).collect()
}

fn open_with(folder: &Path, queued: &[Queued]) -> (Tracker, Vec<Option<u64>>) {
    Tracker::open_with(Some(folder), queued).unwrap()
}

#[test]
fn what_a_container_wrote_just_before_holds_up_nothing_that_is_queued() {
    let rows: [(&str, &[u64]); 4] = [
        ("its clock rises", &[1, 2, 3, 4]),
        ("its clock stands", &[1, 2, 2, 2]),
        ("its clock was set back before", &[5, 2, 3, 4]),
        ("its clock was set back after", &[3, 5, 2, 4]),
    ];
    for (what, at) in rows {
        let folder = tempfile::tempdir().unwrap();
        let queued = run_that_read(folder.path(), at, 2);
        for start in 1..=3 {
            // A crash between checkpoint and queue leaves what is settled in it: that is not counted again.
            let (tracker, seqs) = open_with(folder.path(), &queued);
            assert!(
                seqs[..2].iter().all(|seq| seq.is_none_or(|seq| seq == Span::SETTLED)),
                "{what}, start {start}: {seqs:?}"
            );
            assert_eq!(seqs[2..], [Some(0), Some(1)], "{what}, start {start}");
            let resumed = resume_container(&tracker);
            assert_eq!(resumed.cursor.as_ref(), Some(&queued[3].cursor), "{what}: nothing is read again");
            assert_eq!(delivered(&tracker), 2);
        }
        let (tracker, _) = open_with(folder.path(), &queued);
        (0..2).for_each(|seq| settle(&tracker, seq));
        assert_eq!(delivered(&tracker), 4, "{what}");
    }
}

/// A crash between checkpoint and queue, of a container whose clock stands: what is settled is not counted again.
#[test]
fn of_chunks_of_one_moment_the_one_with_the_cursor_is_the_last_that_is_settled() {
    for settled in 0..=3 {
        let folder = tempfile::tempdir().unwrap();
        let queued = run_that_read(folder.path(), &[2, 2, 2], settled);
        let expected: Vec<_> = (0..3).map(|index: usize| index.checked_sub(settled).map(|seq| seq as u64)).collect();
        assert_eq!(open_with(folder.path(), &queued).1, expected, "{settled} settled");
    }
}

#[test]
fn what_is_queued_of_a_container_that_was_removed_waits_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let queued = run_that_read(folder.path(), &[1, 2, 3, 4], 2);
    for start in 1..=3 {
        let (tracker, seqs) = open_with(folder.path(), &queued[2..]);
        assert_eq!(seqs, [Some(0), Some(1)], "start {start}");
        assert!(tracker.forget_containers("app", |_| false).is_empty(), "all of it is queued");
        tracker.save().unwrap();
    }
    let (tracker, _) = open_with(folder.path(), &queued[2..]);
    tracker.forget_containers("app", |_| false);
    (0..2).for_each(|seq| settle(&tracker, seq));
    save_twice(&tracker);
    assert_eq!(delivered(&tracker), 4);
    let text = std::fs::read_to_string(folder.path().join("checkpoint.json")).unwrap();
    assert!(!text.contains("\"c1\""), "let go when all is settled: {text}");
}

/// C9: what was delivered just before is not missed.
#[test]
fn of_a_container_that_was_removed_only_what_is_neither_delivered_nor_queued_is_missed() {
    for (settled, queue, is_missed) in [(2, 2..2, false), (1, 1..2, false), (1, 1..1, true)] {
        let folder = tempfile::tempdir().unwrap();
        let queued = run_that_read(folder.path(), &[1, 2], settled);
        let (tracker, _) = open_with(folder.path(), &queued[queue]);
        assert_eq!(!tracker.forget_containers("app", |_| false).is_empty(), is_missed, "{settled} settled");
    }
}

/// A crash after the checkpoint that settles it, before its queue has forgotten it; and again.
#[test]
fn what_is_settled_of_a_source_that_has_ended_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    find(&tracker, &Identity::Stdin { began_ns: 1 }, HEAD, 7);
    let queued = queued_of(&tracker)(&piece(0, 1));
    tracker.finish(SourceId::new(7));
    settle(&tracker, 0);
    tracker.save().unwrap();
    drop(tracker);
    for start in 1..=3 {
        assert_eq!(open_with(folder.path(), std::slice::from_ref(&queued)).1, [None], "start {start}");
    }
}

#[test]
fn what_is_queued_of_a_source_that_is_not_known_is_sent() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let queued = run_that_read(other.path(), &[1, 2], 1);
    assert_eq!(open_with(folder.path(), &queued).1, [Some(Span::SETTLED); 2]);
}

/// What is damaged in the queue is read again, and so is what comes after it; of standard input nothing can be.
#[test]
fn a_damaged_batch_holds_up_its_neighbours_only_where_it_can_be_read_again() {
    for (identity, seqs) in [
        (identity(HEAD), [Some(0), Some(Span::BEYOND), Some(Span::BEYOND + 1)]),
        (Identity::Stdin { began_ns: 1 }, [Some(0), Some(1), Some(2)]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let tracker = open(folder.path());
        find(&tracker, &identity, HEAD, 7);
        let mut batches: Vec<_> =
            [0, 10, 20, 30].map(|start| piece(start, 1)).iter().map(queued_of(&tracker)).collect();
        tracker.save().unwrap();
        drop(tracker);
        batches.remove(1);
        for _ in 0..3 {
            assert_eq!(open_with(folder.path(), &batches).1, seqs, "{identity:?}");
        }
    }
}

/// Reads a chunk that goes to the queue.
fn queued_of(tracker: &Tracker) -> impl Fn(&Chunk) -> Queued {
    |chunk| {
        tracker.begin(chunk).unwrap();
        queued(chunk)
    }
}

/// A run that reads pieces of ten bytes of a file, which all go to the queue.
fn queued_of_file(folder: &Path, pieces: u64) -> Vec<Queued> {
    let tracker = open(folder);
    find(&tracker, &identity(HEAD), HEAD, 7);
    tracker.saw(std::iter::once((SourceId::new(7), Some(10 * pieces))), 1);
    let queued = (0..pieces).map(|index| queued_of(&tracker)(&piece(10 * index, 1))).collect();
    tracker.save().unwrap();
    queued
}

/// What was read again because of a damaged batch is in the queue twice.
#[test]
fn what_is_in_the_queue_twice_is_sent_once() {
    let folder = tempfile::tempdir().unwrap();
    let queued = run_that_read(folder.path(), &[1, 2, 3], 0);
    let twice = [&queued[1..], &queued[..]].concat();
    assert_eq!(open_with(folder.path(), &twice).1, [None, None, Some(0), Some(1), Some(2)]);
}

/// Of a file that is gone, what the queue has behind a hole is sent and counted, once over all runs: only the hole is
/// lost. If the file is found after all, it is read again from the hole on, and counts then.
#[test]
fn of_a_file_that_is_gone_what_is_queued_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let batches = queued_of_file(folder.path(), 4);
    let (tracker, seqs) = open_with(folder.path(), &[&batches[..1], &batches[2..3]].concat());
    assert_eq!(seqs, [Some(0), Some(Span::BEYOND)]);
    assert_eq!(tracker.miss(SourceId::new(7)), 20);
    for _ in 0..2 {
        seqs.iter().flatten().for_each(|seq| settle(&tracker, *seq));
        assert_eq!(delivered(&tracker), 2, "said twice, counted once");
    }
    tracker.save().unwrap();
    drop(tracker);

    let (tracker, seqs) = open_with(folder.path(), &batches[2..3]);
    assert_eq!((seqs, delivered(&tracker)), (vec![None], 2), "a crash before the queue forgot it");
    assert_eq!(tracker.miss(SourceId::new(7)), 0, "told already");
    let resumed = find(&tracker, &identity(HEAD), HEAD, 8);
    assert_eq!((offset(resumed.cursor.as_ref()), resumed.replay.len()), (Some(10), 3));
    assert_eq!((delivered(&tracker), tracker.ledger()["app"].lost_bytes), (2, 0));
    tracker.begin(&piece(10, 1)).unwrap();
    assert_eq!(delivered(&tracker), 2, "the hole is read again, and not yet what is behind it");
    tracker.begin(&piece(20, 1)).unwrap();
    assert_eq!(delivered(&tracker), 1);
    (0..2).for_each(|seq| settle(&tracker, seq));
    assert_eq!(delivered(&tracker), 3);
}

/// Forgotten, it is not let go before the queue has sent what it has of it, and its counts are kept.
#[test]
fn of_a_file_that_is_forgotten_what_is_queued_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let batches = queued_of_file(folder.path(), 2);
    let (tracker, _) = open_with(folder.path(), &batches[1..]);
    assert_eq!(tracker.miss(SourceId::new(7)), 10);
    tracker.forget(|_| Some(0), 1000);
    save_twice(&tracker);
    assert_eq!((tracker.known(), delivered(&tracker)), (1, 0));
    settle(&tracker, Span::BEYOND);
    save_twice(&tracker);
    assert_eq!((tracker.known(), delivered(&tracker)), (0, 1));
    let saved = Tracker::open(Some(folder.path())).unwrap();
    assert_eq!(delivered(&saved), 1);
}

/// Of a file that was truncated while the queue had something of it behind a hole, that is sent and counted, whatever the
/// next runs read of it before.
#[test]
fn of_a_file_that_was_truncated_what_is_queued_is_sent_after_any_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut batches = queued_of_file(folder.path(), 2);
    let (tracker, seqs) = open_with(folder.path(), &batches[1..]);
    assert_eq!(seqs, [Some(Span::BEYOND)]);
    let head = b"another first line\n";
    let resumed = find(&tracker, &identity(head), head, 8);
    assert_eq!((resumed.id, resumed.generation), (SourceId::new(7), 1));
    let lost: Vec<_> = resumed.replay.iter().map(|note| note.start).collect();
    assert_eq!(lost, [0], "what is queued is not lost");
    let mut chunk = piece(0, 2);
    chunk.generation = 1;
    chunk.cursor = Cursor::File { generation: 1, offset: 10, guard: 0 };
    batches.push(queued_of(&tracker)(&chunk));
    tracker.save().unwrap();
    drop(tracker);
    for _ in 0..3 {
        let (_, seqs) = open_with(folder.path(), &batches[1..]);
        assert_eq!(seqs, [Some(Span::BEYOND), Some(0)]);
    }
    let (tracker, _) = open_with(folder.path(), &batches[1..]);
    settle(&tracker, 0);
    tracker.save().unwrap();
    drop(tracker);
    let (tracker, seqs) = open_with(folder.path(), &batches[1..]);
    assert_eq!(seqs, [Some(Span::BEYOND), None]);
    settle(&tracker, Span::BEYOND);
    assert_eq!(delivered(&tracker), 2);
}

/// Of a file that is gone, what is damaged in the queue behind a hole is lost, and counted with what was missed.
#[test]
fn what_is_damaged_behind_a_hole_of_a_file_that_is_gone_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let batches = queued_of_file(folder.path(), 3);
    let (tracker, _) = open_with(folder.path(), &batches[1..]);
    let damage = |seq: u64| tracker.damage(SourceId::new(7), Span::BEYOND + seq, None).map(|damage| damage.lost_bytes);
    assert_eq!(damage(0), Some(None), "perhaps the file is found");
    assert_eq!(tracker.miss(SourceId::new(7)), 20);
    assert_eq!((damage(1), damage(1)), (Some(Some(10)), None));
    assert_eq!(tracker.ledger()["app"].lost_bytes, 30);
    find(&tracker, &identity(HEAD), HEAD, 8);
    assert_eq!(tracker.ledger()["app"].lost_bytes, 0);
}

/// What was settled before an earlier start stays noted for a stream that repeats itself: in front of what was read since,
/// or that would be taken for settled after the next start.
#[test]
fn what_a_container_wrote_after_a_start_is_not_taken_for_settled_when_notes_are_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    run_that_read(folder.path(), &[1, 2], 2);
    let tracker = open(folder.path());
    resume_container(&tracker);
    let queued = queued_of(&tracker)(&said(3, 3));
    tracker.save_with(true).unwrap();
    drop(tracker);
    for start in 1..=3 {
        assert_eq!(open_with(folder.path(), std::slice::from_ref(&queued)).1, [Some(0)], "start {start}");
    }
}
