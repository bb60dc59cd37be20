//! The tracker through its door: crash after each step, and what the next run is told.

mod disk;
mod fixture;
mod gone;
mod queued;

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::base::chunk::tests::chunk;
use crate::base::source::{Kind, Names, Position, Source, Stream, fingerprint};

const HEAD: &[u8] = b"first line\n";

fn identity(head: &[u8]) -> Identity {
    Identity::File {
        device: 1,
        inode: 2,
        birth_ns: Some(3),
        head_len: u32::try_from(head.len()).unwrap(),
        head: fingerprint(head),
        path: "/var/log/app.log".into(),
    }
}

fn open(folder: &Path) -> Tracker {
    Tracker::open(Some(folder)).unwrap()
}

fn resume(tracker: &Tracker) -> Resume {
    find(tracker, &identity(HEAD), HEAD, 7)
}

/// Finds a file whose content, so far, is `head` and enough more.
fn find(tracker: &Tracker, identity: &Identity, head: &[u8], minted: u64) -> Resume {
    let head_of = |len: usize| head.get(..len).map(fingerprint);
    let seen = Seen { identity, len: 1000, head_of: &head_of };
    tracker.resume("app", &seen, SourceId::new(minted), 1).unwrap()
}

/// A chunk of one line of ten bytes at `start`.
fn piece(start: u64, seen_ms: i64) -> Chunk {
    let mut chunk = chunk(&[b"ten bytes"]);
    chunk.start = start;
    chunk.end = start + 10;
    chunk.lines[0].position.at = start;
    chunk.cursor = Cursor::File { generation: 0, offset: start + 10, guard: 0 };
    chunk.seen_ms = seen_ms;
    chunk
}

fn settle(tracker: &Tracker, seq: u64) {
    let counts = Counts { read: 1, delivered: 1, ..Counts::default() };
    tracker.settle(vec![Settlement { source: SourceId::new(7), seq, counts }], None);
}

/// A source that is over is let go with the second checkpoint.
fn save_twice(tracker: &Tracker) {
    (0..2).for_each(|_| tracker.save().unwrap());
}

/// Records delivered, over all sources and runs.
fn delivered(tracker: &Tracker) -> u64 {
    tracker.ledger().values().map(|counts| counts.delivered).sum()
}

fn offset(cursor: Option<&Cursor>) -> Option<u64> {
    match cursor? {
        Cursor::File { offset, .. } => Some(*offset),
        Cursor::Docker { .. } => None,
    }
}

#[test]
fn what_was_read_and_perhaps_sent_is_read_again_in_the_same_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    assert_eq!(resume(&tracker).cursor, None);
    for (index, seen_ms) in [(0, 100), (1, 200), (2, 300)] {
        tracker.begin(&piece(index * 10, seen_ms)).unwrap();
    }
    tracker.make_durable().unwrap();
    settle(&tracker, 0);
    tracker.save().unwrap();
    drop(tracker);

    let tracker = open(folder.path());
    let resumed = resume(&tracker);
    assert_eq!(offset(resumed.cursor.as_ref()), Some(10));
    let pieces: Vec<_> = resumed.replay.iter().map(|note| (note.start, note.end, note.seen_ms)).collect();
    assert_eq!(pieces, [(10, 20, 200), (20, 30, 300)]);
    assert_eq!(delivered(&tracker), 1);

    tracker.begin(&piece(10, 200)).unwrap();
    settle(&tracker, 0);
    drop(tracker);
    let pieces = resume(&open(folder.path())).replay.len();
    assert_eq!(pieces, 2, "settled but not saved is read again");
}

/// Killed again while it reads them again, after new notes were begun in the middle of it.
#[test]
fn notes_keep_their_order_when_they_are_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume(&tracker);
    for (index, seen_ms) in [(0, 100), (1, 200), (2, 300)] {
        tracker.begin(&piece(index * 10, seen_ms)).unwrap();
    }
    drop(tracker);
    let tracker = open(folder.path());
    resume(&tracker);
    tracker.begin(&piece(0, 100)).unwrap();
    tracker.save_with(true).unwrap();
    drop(tracker);
    let replay = resume(&open(folder.path())).replay;
    let pieces: Vec<_> = replay.iter().map(|note| (note.start, note.seen_ms)).collect();
    assert_eq!(pieces, [(0, 100), (10, 200), (20, 300)]);
}

#[test]
fn ids_are_durable_before_the_first_checkpoint_after_them() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    let id = resume(&tracker).id;
    tracker.make_durable().unwrap();
    drop(tracker);
    let tracker = open(folder.path());
    let again = find(&tracker, &identity(HEAD), HEAD, 99);
    assert_eq!(again.id, id);
}

#[test]
fn a_file_is_known_again_or_not() {
    let longer = b"first line\nsecond line\n";
    let born_later = |head: &[u8]| match identity(head) {
        Identity::File { device, inode, head_len, head, path, .. } => {
            Identity::File { device, inode, birth_ns: Some(4), head_len, head, path }
        }
        other => other,
    };
    let moved = |head: &[u8]| match identity(head) {
        Identity::File { inode, birth_ns, head_len, head, .. } => {
            Identity::File { device: 9, inode, birth_ns, head_len, head, path: "/var/log/app.log.1".into() }
        }
        other => other,
    };
    for (what, seen, head, same_id, generation) in [
        ("as it was", identity(HEAD), HEAD, true, 0),
        ("grown", identity(longer), &longer[..], true, 0),
        ("renamed, on a renumbered device", moved(HEAD), HEAD, true, 0),
        ("truncated and written anew", identity(b"other"), &b"other"[..], true, 1),
        ("its inode used again", born_later(HEAD), HEAD, false, 0),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let tracker = open(folder.path());
        resume(&tracker);
        tracker.begin(&piece(0, 1)).unwrap();
        settle(&tracker, 0);
        tracker.save().unwrap();
        drop(tracker);
        let tracker = open(folder.path());
        let resumed = find(&tracker, &seen, head, 7);
        assert_eq!((resumed.id == SourceId::new(7), resumed.generation), (same_id, generation), "{what}");
        assert_eq!(resumed.cursor.is_some(), same_id && generation == 0, "{what}");
    }
}

/// Two of them, and no checkpoint between.
#[test]
fn truncations_seen_while_reading_are_known_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    settle(&tracker, 0);
    tracker.save().unwrap();
    tracker.identify(SourceId::new(7), &identity(b"other"), 1).unwrap();
    tracker.begin(&Chunk { generation: 1, ..piece(0, 2) }).unwrap();
    tracker.identify(SourceId::new(7), &identity(b"third"), 2).unwrap();
    tracker.begin(&Chunk { generation: 2, ..piece(0, 3) }).unwrap();
    drop(tracker);

    let resumed = find(&open(folder.path()), &identity(b"third"), b"third", 7);
    // The first of them is to be counted as lost.
    let replay: Vec<_> = resumed.replay.iter().map(|note| note.generation).collect();
    assert_eq!((resumed.generation, replay), (2, vec![1, 2]));
}

const DAY_MS: i64 = 24 * 3600 * 1000;

/// A run that settled 10 bytes of a file in which it saw 1000.
fn run_that_read_a_little(folder: &Path) {
    let tracker = open(folder);
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    settle(&tracker, 0);
    tracker.save().unwrap();
}

#[test]
fn a_file_begun_at_its_end_goes_on_from_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume(&tracker);
    tracker.begin_at(SourceId::new(7), &Cursor::File { generation: 0, offset: 500, guard: 1 }).unwrap();
    drop(tracker);
    assert_eq!(offset(resume(&open(folder.path())).cursor.as_ref()), Some(500));
}

#[test]
fn the_ledger_adds_up_and_goes_on_after_a_crash() {
    let state_dir = tempfile::tempdir().unwrap();
    let folder = folder_of(state_dir.path(), "store");
    let tracker = open(&folder);
    resume(&tracker);
    for start in [0, 10, 20] {
        tracker.begin(&piece(start, 1)).unwrap();
    }
    let dropped = Counts { read: 1, bytes: 10, dropped: [("quiet".to_owned(), 1)].into(), ..Counts::default() };
    tracker.settle(vec![Settlement { source: SourceId::new(7), seq: 0, counts: dropped }], None);
    // Settled, though the one before is not: told as delivered, and not yet safe.
    settle(&tracker, 2);
    tracker.lose(SourceId::new(7), 5);
    let said = |ledger: &BTreeMap<String, Counts>| {
        let counts = &ledger["app"];
        (counts.read, counts.delivered, counts.dropped.values().sum::<u64>(), counts.open(), counts.lost_bytes)
    };
    assert_eq!(said(&tracker.ledger()), (3, 1, 1, 1, 5));
    tracker.save().unwrap();
    drop(tracker);

    let tracker = open(&folder);
    assert_eq!(said(&tracker.ledger()), (1, 0, 1, 0, 5), "what is read again is not counted twice");
    assert_eq!(said(&saved_ledger(state_dir.path()).unwrap()["store"]), (1, 0, 1, 0, 5));
    resume(&tracker);
    for (seq, start) in (0..).zip([10, 20]) {
        tracker.begin(&piece(start, 1)).unwrap();
        settle(&tracker, seq);
    }
    tracker.finish(SourceId::new(7));
    save_twice(&tracker);
    assert_eq!(said(&tracker.ledger()), (3, 2, 1, 0, 5));
    assert_eq!(said(&saved_ledger(state_dir.path()).unwrap()["store"]), (3, 2, 1, 0, 5), "the source is let go");
    assert_eq!(saved_ledger(&state_dir.path().join("none")).unwrap(), Ledger::new());
}

/// The standard output of a container.
fn resume_container(tracker: &Tracker) -> Resume {
    let identity = Identity::Docker { container: "c1".into(), stream: Stream::Stdout, name: "web".into() };
    let seen = Seen { identity: &identity, len: 0, head_of: &|_| None };
    tracker.resume("app", &seen, SourceId::new(7), 1).unwrap()
}

#[test]
fn a_container_goes_on_right_after_its_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume_container(&tracker);
    for at in 1..=3 {
        let mut chunk = piece(at, 1);
        chunk.cursor = Cursor::Docker { time_ns: at, recent: vec![Position { at, tie: 5 }] };
        tracker.begin(&chunk).unwrap();
    }
    settle(&tracker, 0);
    tracker.save().unwrap();
    drop(tracker);
    let resumed = resume_container(&open(folder.path()));
    assert!(matches!(resumed.cursor, Some(Cursor::Docker { time_ns: 1, .. })));
    assert_eq!(resumed.replay.len(), 2);
}

/// Each chunk of a container has the names that it was read under, also in notes that are written anew.
#[test]
fn names_of_a_container_are_noted_with_each_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume_container(&tracker);
    for (at, name) in (1..).zip(["one", "two", "three"]) {
        let mut chunk = piece(at, 1);
        let names = Names { container: name.into(), service: "shop".into() };
        chunk.source = Arc::new(Source { kind: Kind::Docker, ..chunk.source.named(&names) });
        chunk.cursor = Cursor::Docker { time_ns: at, recent: Vec::new() };
        tracker.begin(&chunk).unwrap();
    }
    for _ in 0..2 {
        let names = |note: &Note| note.names.clone().unwrap().container;
        let tracker = open(folder.path());
        assert_eq!(resume_container(&tracker).replay.iter().map(names).collect::<Vec<_>>(), ["one", "two", "three"]);
        tracker.save().unwrap();
    }
}

#[test]
fn found_again_in_one_run_it_goes_on_where_reading_stopped() {
    let tracker = Tracker::open(None).unwrap();
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    assert_eq!(offset(resume(&tracker).cursor.as_ref()), Some(10));
}
