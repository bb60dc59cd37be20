//! Sources that are gone: what is told of them, counted and forgotten.

use super::*;

/// The files of the source `app` that are missing, in a run in which none rests.
fn absent(tracker: &Tracker, now_ms: i64) -> Vec<Absent> {
    tracker.absent(&BTreeSet::new(), keep_ms, now_ms)
}

/// For how long files are known that are not seen.
fn keep_ms(name: &str) -> Option<i64> {
    (name == "app").then_some(7 * DAY_MS)
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
    let rows: [Row; 8] = [
        ("not sought yet", |tracker, now_ms| assert_eq!(absent(tracker, now_ms).len(), 1), true),
        ("sought in vain", |tracker, _| assert_eq!(tracker.miss(SourceId::new(7)), 990), false),
        ("seen lately", |tracker, now_ms| tracker.saw(std::iter::once((SourceId::new(7), None)), now_ms), true),
        ("followed", |tracker, _| drop(resume(tracker)), true),
        (
            "let go long ago, and not sought since",
            |tracker, now_ms| {
                resume(tracker);
                tracker.let_go(SourceId::new(7));
                assert_eq!(absent(tracker, now_ms).len(), 1);
            },
            true,
        ),
        (
            "let go long ago, and sought in vain",
            |tracker, now_ms| {
                resume(tracker);
                tracker.let_go(SourceId::new(7));
                assert_eq!(absent(tracker, now_ms).iter().map(|one| tracker.miss(one.id)).sum::<u64>(), 990);
            },
            false,
        ),
        (
            "let go long ago, and found where no glob leads",
            |tracker, now_ms| {
                resume(tracker);
                tracker.let_go(SourceId::new(7));
                tracker.saw(absent(tracker, now_ms).iter().map(|one| (one.id, None)), now_ms);
            },
            true,
        ),
        (
            "at rest",
            |tracker, now_ms| {
                assert_eq!(tracker.miss(SourceId::new(7)), 990);
                assert_eq!(tracker.absent(&BTreeSet::from([(2, Some(3))]), keep_ms, now_ms), []);
            },
            true,
        ),
    ];
    for (name, happen, is_known) in rows {
        let folder = tempfile::tempdir().unwrap();
        run_that_read_a_little(folder.path());
        let tracker = open(folder.path());
        happen(&tracker, later);
        tracker.forget(keep_ms, later);
        tracker.settle(Vec::new(), None);
        save_twice(&tracker);
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
    assert!(text().contains("app.log"), "nor before the queues have forgotten it");
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
    save_twice(&tracker);
    let is_saved = names.map(|name| text().contains(&format!("\"{name}\"")));
    assert_eq!(is_saved, [false, false, true], "{}", text());
    assert_eq!(delivered(&open(folder.path())), 2);
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
