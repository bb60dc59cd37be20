//! The tracker through its door: crash after each step, and what the next run is told.

use std::path::Path;

use super::*;
use crate::base::chunk::tests::chunk;
use crate::base::source::{Position, Stream, fingerprint};

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

#[test]
fn a_truncation_seen_while_reading_is_known_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    settle(&tracker, 0);
    tracker.save().unwrap();
    tracker.identify(SourceId::new(7), &identity(b"other"), 1).unwrap();
    let mut after = piece(0, 2);
    after.generation = 1;
    tracker.begin(&after).unwrap();
    drop(tracker);

    let resumed = find(&open(folder.path()), &identity(b"other"), b"other", 7);
    assert_eq!((resumed.generation, resumed.replay.len()), (1, 1));
    assert_eq!(resumed.replay[0].generation, 1);
}

const DAY_MS: i64 = 24 * 3600 * 1000;

/// The files of the source `app` that are missing, in a run in which none rests.
fn absent(tracker: &Tracker, now_ms: i64) -> Vec<Absent> {
    tracker.absent(&BTreeSet::new(), |name| name == "app", now_ms)
}

/// A run that settled 10 bytes of a file in which it saw 1000.
fn run_that_read_a_little(folder: &Path) {
    let tracker = open(folder);
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    settle(&tracker, 0);
    tracker.save().unwrap();
}

/// A6 and A13: what is missing is told with all that it can be known by; what was unread of it is counted once, and not
/// at all if it turns up.
#[test]
fn a_missing_file_is_told_and_counted_once_over_all_runs() {
    let folder = tempfile::tempdir().unwrap();
    run_that_read_a_little(folder.path());
    let lost = |tracker: &Tracker| tracker.ledger()["app"].lost_bytes;

    let tracker = open(folder.path());
    let missing = absent(&tracker, 2);
    let told: Vec<_> = missing.iter().map(|one| (one.id, one.offset, one.identity.clone())).collect();
    assert_eq!(told, [(SourceId::new(7), 10, identity(HEAD))]);
    assert_eq!((tracker.miss(missing[0].id), lost(&tracker)), (990, 990));
    assert_eq!(absent(&tracker, 3), [], "sought once a run");
    tracker.save().unwrap();
    drop(tracker);

    let tracker = open(folder.path());
    assert_eq!(tracker.miss(absent(&tracker, 2)[0].id), 0, "counted before");
    tracker.save().unwrap();
    drop(tracker);

    let tracker = open(folder.path());
    assert_eq!(lost(&tracker), 990);
    assert_eq!(resume(&tracker).unread, 990);
    assert_eq!(lost(&tracker), 0, "found after all");
}

/// D5: only what is gone, sought and long unseen is forgotten; what it counted stays.
#[test]
fn a_file_is_forgotten_when_it_is_long_gone_and_settled() {
    let later = 8 * DAY_MS;
    /// What happens in the next run, and whether the file is known at its end.
    type Row = (&'static str, fn(&Tracker, i64), bool);
    let rows: [Row; 6] = [
        ("not sought yet", |tracker, now_ms| assert_eq!(absent(tracker, now_ms).len(), 1), true),
        ("sought in vain", |tracker, _| assert_eq!(tracker.miss(SourceId::new(7)), 990), false),
        ("seen lately", |tracker, now_ms| tracker.saw(std::iter::once((SourceId::new(7), None)), now_ms), true),
        ("followed", |tracker, _| drop(resume(tracker)), true),
        (
            "let go long ago",
            |tracker, _| {
                resume(tracker);
                tracker.let_go(SourceId::new(7));
            },
            false,
        ),
        (
            "at rest",
            |tracker, now_ms| {
                assert_eq!(tracker.miss(SourceId::new(7)), 990);
                assert_eq!(tracker.absent(&BTreeSet::from([(2, Some(3))]), |_| true, now_ms), []);
            },
            true,
        ),
    ];
    for (name, happen, is_known) in rows {
        let folder = tempfile::tempdir().unwrap();
        run_that_read_a_little(folder.path());
        let tracker = open(folder.path());
        happen(&tracker, later);
        tracker.forget(|name| (name == "app").then_some(7 * DAY_MS), later);
        tracker.settle(Vec::new(), None);
        tracker.save().unwrap();
        assert_eq!(delivered(&tracker), 1, "{name}");
        drop(tracker);
        assert_eq!(absent(&open(folder.path()), later).len(), usize::from(is_known), "{name}");
    }
}

/// A6: of a file that was truncated while nobody looked, what is known to have been unread is told.
#[test]
fn what_was_unread_of_a_truncated_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    run_that_read_a_little(folder.path());
    let resumed = find(&open(folder.path()), &identity(b"other"), b"other", 7);
    assert_eq!((resumed.generation, resumed.cursor, resumed.unread), (1, None, 990));
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
    tracker.save().unwrap();
    assert_eq!(said(&tracker.ledger()), (3, 2, 1, 0, 5));
    assert_eq!(said(&saved_ledger(state_dir.path()).unwrap()["store"]), (3, 2, 1, 0, 5), "the source is let go");
    assert_eq!(saved_ledger(&state_dir.path().join("none")).unwrap(), Ledger::new());
}

#[test]
fn a_container_goes_on_right_after_its_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let container = Identity::Docker { container: "c1".into(), stream: Stream::Stdout, name: "web".into() };
    let find = |tracker: &Tracker| {
        let seen = Seen { identity: &container, len: 0, head_of: &|_| None };
        tracker.resume("containers", &seen, SourceId::new(7), 1).unwrap()
    };
    let tracker = open(folder.path());
    find(&tracker);
    for at in 1..=3 {
        let mut chunk = piece(at, 1);
        chunk.cursor = Cursor::Docker { time_ns: at, recent: vec![Position { at, tie: 5 }] };
        tracker.begin(&chunk).unwrap();
    }
    settle(&tracker, 0);
    tracker.save().unwrap();
    drop(tracker);
    let resumed = find(&open(folder.path()));
    assert!(matches!(resumed.cursor, Some(Cursor::Docker { time_ns: 1, .. })));
    assert_eq!(resumed.replay.len(), 2);
}

#[test]
fn found_again_in_one_run_it_goes_on_where_reading_stopped() {
    let tracker = Tracker::open(None).unwrap();
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    assert_eq!(offset(resume(&tracker).cursor.as_ref()), Some(10));
}

#[test]
fn a_finished_source_is_let_go_when_settled_and_its_counts_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    tracker.finish(SourceId::new(7));
    tracker.save().unwrap();
    let text = || std::fs::read_to_string(folder.path().join("checkpoint.json")).unwrap();
    assert!(text().contains("app.log"), "not while a chunk is in flight");
    settle(&tracker, 0);
    tracker.save().unwrap();
    assert!(!text().contains("app.log"));
    drop(tracker);
    assert_eq!(delivered(&open(folder.path())), 1);
}

/// C9: containers that the engine has no more when the agent comes back.
#[test]
fn a_container_that_is_gone_is_forgotten_when_settled_and_its_counts_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    let names = ["settled", "unsettled", "here"];
    let resume = |tracker: &Tracker, number: usize| {
        let identity = Identity::Docker { container: names[number].into(), stream: Stream::Stdout, name: "web".into() };
        let seen = Seen { identity: &identity, len: 0, head_of: &|_| None };
        tracker.resume("boxes", &seen, SourceId::new(number as u64), 1).unwrap()
    };
    for (number, name) in names.into_iter().enumerate() {
        resume(&tracker, number);
        let mut chunk = piece(0, 1);
        std::sync::Arc::get_mut(&mut chunk.source).unwrap().id = SourceId::new(number as u64);
        chunk.cursor = Cursor::Docker { time_ns: 10, recent: Vec::new() };
        let seq = tracker.begin(&chunk).unwrap();
        if name != "unsettled" {
            let counts = Counts { read: 1, delivered: 1, ..Counts::default() };
            tracker.settle(vec![Settlement { source: SourceId::new(number as u64), seq, counts }], None);
        }
    }
    assert!(tracker.forget_containers("boxes", |_| false).is_empty(), "what is being read is not forgotten");
    tracker.save().unwrap();
    drop(tracker);

    let tracker = open(folder.path());
    let text = || std::fs::read_to_string(folder.path().join("checkpoint.json")).unwrap();
    tracker.forget_containers("other", |_| false);
    tracker.save().unwrap();
    assert!(names.iter().all(|name| text().contains(&format!("\"{name}\""))), "those of another source");
    let unread = tracker.forget_containers("boxes", |id| id == "here");
    assert_eq!(unread.into_iter().collect::<Vec<_>>(), ["unsettled"]);
    assert!(tracker.forget_containers("boxes", |id| id == "here").is_empty(), "told once");
    tracker.save().unwrap();
    let is_saved = names.map(|name| text().contains(&format!("\"{name}\"")));
    assert_eq!(is_saved, [false, false, true], "{}", text());
    assert_eq!(delivered(&open(folder.path())), 2);
}

#[test]
fn a_file_output_is_cut_back_to_its_first_length_if_nothing_was_settled() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).found_written(42).unwrap();
    assert_eq!(open(folder.path()).written(), Some(42));
}

#[test]
fn notes_hold_no_position_beyond_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    settle(&tracker, 0);
    tracker.identify(SourceId::new(7), &identity(HEAD), 0).unwrap();
    drop(tracker);
    let resumed = resume(&open(folder.path()));
    assert_eq!((resumed.cursor, resumed.replay.len()), (None, 1), "settled, but no checkpoint says so");
}

#[test]
fn pieces_of_a_file_truncated_meanwhile_are_told_once_to_be_counted_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    drop(tracker);
    let tracker = open(folder.path());
    let lost = |resumed: &Resume| resumed.replay.iter().filter(|note| note.generation < resumed.generation).count();
    assert_eq!(lost(&find(&tracker, &identity(b"other"), b"other", 7)), 1);
    assert_eq!(lost(&find(&tracker, &identity(b"other"), b"other", 7)), 0);
    tracker.save().unwrap();
    drop(tracker);
    assert_eq!(lost(&find(&open(folder.path()), &identity(b"other"), b"other", 7)), 0, "nor by the next run");
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_a_trouble_until_one_can() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let tracker = open(&state);
    std::fs::remove_dir_all(&state).unwrap();
    // The notes go on in a file that has no name any more.
    resume(&tracker);
    assert!(tracker.save().is_err());
    assert!(tracker.trouble().unwrap().starts_with("cannot "));
    std::fs::create_dir(&state).unwrap();
    tracker.save().unwrap();
    assert_eq!(tracker.trouble(), None);
}

#[test]
fn a_second_agent_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = hold(folder.path()).unwrap();
    assert!(matches!(hold(folder.path()), Err(Error::Locked { .. })));
    drop(first);
    hold(folder.path()).unwrap();
}

/// D2: empty, cut short, zeros, other JSON, of a newer agent.
#[test]
fn a_damaged_or_newer_checkpoint_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    run_that_read_a_little(folder.path());
    let whole = std::fs::read_to_string(folder.path().join("checkpoint.json")).unwrap();
    let cut_short = (0..whole.len()).step_by(7).map(|len| whole[..len].to_owned());
    let zeros_at_its_end = format!("{}{}", &whole[..whole.len() / 2], "\0".repeat(whole.len() / 2));
    let others =
        ["", "{", "\0\0\0", "{}", "[]", "null", r#"{"version":"1"}"#, r#"{"version":2,"notes":0,"sources":[]}"#];
    for content in others.map(str::to_owned).into_iter().chain(cut_short).chain([zeros_at_its_end]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.json");
        std::fs::write(&path, &content).unwrap();
        let refused = Tracker::open(Some(folder.path()));
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{content:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is begun beside it");
    }
}

/// D2: as the first agents wrote it, without what came to it later.
#[test]
fn a_checkpoint_of_the_oldest_layout_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.json");
    run_that_read_a_little(folder.path());
    let mut oldest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (parent, later) in [("", "gone"), ("/sources/0", "size"), ("/sources/0/counts", "cut_bytes")] {
        let parent = oldest.pointer_mut(parent).and_then(serde_json::Value::as_object_mut).unwrap();
        assert!(parent.remove(later).is_some(), "{later}");
    }
    std::fs::write(&path, oldest.to_string()).unwrap();
    let tracker = open(folder.path());
    assert_eq!((offset(resume(&tracker).cursor.as_ref()), delivered(&tracker)), (Some(10), 1));
}

#[test]
fn notes_that_grow_long_are_rolled_and_lose_nothing_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume(&tracker);
    for index in 0..20 {
        tracker.begin(&piece(index * 10, 1)).unwrap();
        if index < 18 {
            settle(&tracker, index);
        }
        tracker.save().unwrap();
    }
    drop(tracker);
    let files = std::fs::read_dir(folder.path()).unwrap();
    let notes = files.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("notes"));
    assert_eq!(notes.count(), 1);
    let resumed = resume(&open(folder.path()));
    assert_eq!(offset(resumed.cursor.as_ref()), Some(180));
    assert_eq!(resumed.replay.len(), 2);
}

#[test]
fn a_torn_last_note_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = open(folder.path());
    resume(&tracker);
    tracker.begin(&piece(0, 1)).unwrap();
    tracker.begin(&piece(10, 1)).unwrap();
    drop(tracker);
    let newest = newest_notes(folder.path());
    let whole = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &whole[..whole.len() - 5]).unwrap();
    assert_eq!(resume(&open(folder.path())).replay.len(), 1);
}

fn newest_notes(folder: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_string_lossy().contains("notes.")).max().unwrap()
}
