//! What is on disk: damaged, of other versions, long, torn, or another agent's.

use super::*;

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
    let newer = [r#"{"version":2,"notes":0,"sources":[]}"#, r#"{"version":5000000000,"all":"other"}"#];
    let others = ["", "{", "\0\0\0", "{}", "[]", "null", r#"{"version":"1"}"#, newer[0], newer[1]];
    for content in others.map(str::to_owned).into_iter().chain(cut_short).chain([zeros_at_its_end]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.json");
        std::fs::write(&path, &content).unwrap();
        let refused = Tracker::open(Some(folder.path()));
        let error = refused.unwrap_err();
        match newer.contains(&content.as_str()) {
            true => assert!(matches!(error, Error::Newer { version: 2 | 5_000_000_000, .. }), "{content:?}"),
            false => assert!(matches!(error, Error::Damaged { .. }), "{content:?}"),
        }
        assert!(error.hint().is_some_and(|hint| hint.contains("move its folder away")));
        assert!(check(folder.path()).is_err());
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
