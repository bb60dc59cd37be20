//! What happens to a file while it is followed.

use super::*;

fn losses(truncations: u32, bytes: u64) -> Losses {
    Losses { truncations, bytes }
}

/// A1.
#[test]
fn a_renamed_file_is_read_to_its_end_while_its_writer_goes_on() {
    let mut scene = Scene::new("one\n");
    let old = scene.folder.path().join("a.log.1");
    let writer = OpenOptions::new().append(true).open(scene.path()).unwrap();
    fs::rename(scene.path(), &old).unwrap();
    fs::write(scene.path(), "other file\n").unwrap();
    (&writer).write_all(b"two\n").unwrap();
    assert_eq!(scene.texts(), ["one", "two"]);
    assert!(matches!(scene.wait(9_999).chunks().1, Read::AtEnd));
    (&writer).write_all(b"three\nhalf").unwrap();
    assert_eq!(scene.texts(), ["three"]);
    assert!(matches!(scene.wait(4_999).chunks().1, Read::AtEnd), "growth begins the wait anew");
    assert_eq!(scene.wait(1).texts(), ["half"], "the unfinished line first");
    assert!(matches!(scene.wait(4_999).chunks().1, Read::AtEnd));
    assert!(matches!(scene.wait(1).chunks().1, Read::Gone));
}

/// D7.
#[test]
fn a_clock_that_is_set_ahead_lets_no_file_go_and_cuts_no_line() {
    let mut scene = Scene::new("one\nhalf");
    let writer = OpenOptions::new().append(true).open(scene.path()).unwrap();
    fs::rename(scene.path(), scene.folder.path().join("a.log.1")).unwrap();
    assert_eq!(scene.texts(), ["one"]);
    assert!(matches!(scene.wait(3_600_000).chunks().1, Read::AtEnd), "the line is not as old as it seems");
    (&writer).write_all(b" and half\n").unwrap();
    assert_eq!(scene.wait(4_999).texts(), ["half and half"]);
    assert!(matches!(scene.wait(86_400_000).chunks().1, Read::AtEnd), "nor is the file");
    (&writer).write_all(b"late\n").unwrap();
    assert_eq!(scene.texts(), ["late"]);
    assert!(matches!(scene.wait(10_000).chunks().1, Read::Gone));
}

#[test]
fn a_file_under_a_new_path_that_is_followed_there_stays() {
    let mut scene = Scene::new("one\n");
    let moved = scene.folder.path().join("b.log");
    fs::rename(scene.path(), &moved).unwrap();
    let source = Config::default().source(&"app".into(), SourceId::new(1), Some("b.log".into()));
    scene.follower().renamed(moved.clone(), Arc::new(source));
    append(&moved, "two\n");
    assert_eq!(scene.texts(), ["one", "two"]);
    for _ in 0..3 {
        assert!(matches!(scene.wait(50_000).chunks().1, Read::AtEnd));
    }
    let Some(Identity::File { path, .. }) = scene.follower().take_identity().unwrap() else { panic!("no identity") };
    assert_eq!(path, moved.display().to_string());
}

/// A12.
#[test]
fn a_deleted_file_is_read_to_its_end_then_let_go() {
    for recreate in [false, true] {
        let mut scene = Scene::new("one\ntwo\n");
        fs::remove_file(scene.path()).unwrap();
        if recreate {
            fs::write(scene.path(), "another\n").unwrap();
        }
        assert_eq!(scene.texts(), ["one", "two"]);
        assert!(matches!(scene.wait(10_000).chunks().1, Read::Gone), "recreated: {recreate}");
        assert_eq!(scene.follower().take_losses(), Losses::default());
    }
}

/// A4 and A5.
#[test]
fn a_truncated_file_begins_a_new_generation() {
    for after in ["", "new\n", "new one\nnew two\nnew three\nnew four\n"] {
        let mut scene = Scene::new("old one\nold two\n");
        assert_eq!(scene.lines(), [at(0, 0, 8, "old one"), at(0, 8, 8, "old two")]);
        fs::write(scene.path(), after).unwrap();
        let lines = scene.lines();
        let texts: Vec<_> = lines.iter().map(|line| line.3.as_str()).collect();
        assert_eq!(texts, after.lines().collect::<Vec<_>>());
        assert!(lines.iter().all(|line| line.0 == 1), "{lines:?}");
        assert_eq!(scene.follower().take_losses(), losses(1, 0));
        assert_eq!(scene.follower().take_losses(), Losses::default(), "told once");
        assert!(scene.follower().take_identity().unwrap().is_some());
    }
}

#[test]
fn each_truncation_counts() {
    let mut scene = Scene::new("");
    for generation in 0..4 {
        let text = format!("line of generation {generation}");
        fs::write(scene.path(), format!("{text}\n")).unwrap();
        assert_eq!(scene.lines(), [at(generation, 0, 21, &text)]);
    }
    assert_eq!(scene.follower().take_losses(), losses(3, 0));
}

/// A6.
#[test]
fn bytes_that_were_cut_off_unread_are_counted() {
    let mut scene = Scene::new("0123456789\n".repeat(10));
    let Read::Chunk(chunk) = scene.read() else { panic!("no chunk") };
    let unread = 110 - chunk.end;
    assert_eq!(scene.follower().lag_bytes(), unread);
    fs::write(scene.path(), "new\n").unwrap();
    assert_eq!(scene.lines(), [at(1, 0, 4, "new")]);
    assert_eq!(scene.follower().take_losses(), losses(1, unread));

    let mut scene = Scene::new("0123456789\n".repeat(10));
    let Read::Chunk(chunk) = scene.read() else { panic!("no chunk") };
    OpenOptions::new().write(true).open(scene.path()).unwrap().set_len(chunk.end + 11).unwrap();
    assert_eq!(scene.lines(), [at(0, chunk.end, 11, "0123456789")], "what was read is still there");
    assert_eq!(scene.follower().take_losses(), losses(0, 110 - chunk.end - 11));
}

/// A7.
#[test]
fn a_writer_not_told_of_a_truncation_leaves_a_hole_that_is_skipped() {
    let mut scene = Scene::new("");
    let mut writer = OpenOptions::new().write(true).open(scene.path()).unwrap();
    writer.write_all(&b"line\n".repeat(100)).unwrap();
    assert_eq!(scene.texts().len(), 100);
    OpenOptions::new().write(true).open(scene.path()).unwrap().set_len(0).unwrap();
    writer.write_all(b"after\n").unwrap();
    assert_eq!(scene.lines(), [at(1, 500, 6, "after")]);
}

#[test]
fn a_line_beyond_the_limit_may_be_truncated_while_it_is_passed_over() {
    let mut scene = Scene::new("x".repeat(500));
    assert!(scene.texts().is_empty());
    fs::write(scene.path(), "y".repeat(600) + "\nz\n").unwrap();
    assert_eq!(scene.lines(), [(0, 0, 601, "y".repeat(100), true), at(0, 601, 2, "z")]);
}

/// A10.
#[test]
fn the_identity_grows_with_the_file_and_then_stays() {
    let mut scene = Scene::new("");
    assert_eq!(scene.follower().take_identity().unwrap(), None);
    scene.append("one\n");
    scene.texts();
    let Some(Identity::File { head_len: 4, .. }) = scene.follower().take_identity().unwrap() else {
        panic!("no new head")
    };
    scene.append("x\n".repeat(HEAD_BYTES));
    scene.texts();
    assert!(scene.follower().take_identity().unwrap().is_some());
    scene.append("more\n");
    scene.texts();
    assert_eq!(scene.follower().take_identity().unwrap(), None);
}

/// A5 and A9.
#[test]
fn a_file_that_grew_again_to_the_same_last_bytes_is_told_by_its_first() {
    let tail = "=".repeat(80);
    let mut scene = Scene::new(format!("old{tail}\n"));
    scene.texts();
    fs::write(scene.path(), format!("new{tail}\nnext\n")).unwrap();
    assert_eq!(scene.lines(), [at(1, 0, 84, &format!("new{tail}")), at(1, 84, 5, "next")]);
}

/// A5.
#[test]
fn a_file_that_grew_again_to_the_same_size_is_told_too() {
    let mut scene = Scene::with("", Settings { chunk_bytes: 1, ..SETTINGS }, &first_sight(), 0);
    let tail = "=".repeat(70);
    scene.append(format!("old{tail}\n"));
    assert_eq!(scene.texts().len(), 1);
    fs::write(scene.path(), format!("new{tail}\n")).unwrap();
    assert_eq!(scene.lines(), [at(1, 0, 74, &format!("new{tail}"))]);
}

/// A scene whose file was read to its end and is not read at each look any more.
fn at_rest(content: &str) -> Scene {
    let mut scene = Scene::new(content);
    scene.texts();
    for _ in 0..3 {
        assert!(scene.wait(1_500).texts().is_empty());
    }
    assert!(is_at_rest(&scene), "{content:?}");
    scene
}

fn is_at_rest(scene: &Scene) -> bool {
    let follower = scene.follower.as_ref().unwrap();
    follower.rest.is_at(follower.content.look().unwrap(), scene.now_ms)
}

/// A4, A5, A6.
#[test]
fn whatever_happens_to_a_file_at_rest_is_seen_at_the_next_look() {
    type Change = fn(&Path);
    let rows: [(&str, Change, &[Seen]); 5] = [
        ("appended", |path| append(path, "three\n"), &[at(0, 8, 6, "three")]),
        ("emptied and written again", |path| fs::write(path, "new\n").unwrap(), &[at(1, 0, 4, "new")]),
        (
            "to the same length",
            |path| fs::write(path, "1ne\n2wo\n").unwrap(),
            &[at(1, 0, 4, "1ne"), at(1, 4, 4, "2wo")],
        ),
        ("to the same length, with its old time", rewrite_with_old_time, &[at(1, 0, 4, "1ne"), at(1, 4, 4, "2wo")]),
        ("as it was", |path| fs::write(path, "one\ntwo\n").unwrap(), &[]),
    ];
    for (name, change, lines) in rows {
        let mut scene = at_rest("one\ntwo\n");
        change(&scene.path());
        assert_eq!(scene.wait(100).lines(), lines, "{name}");
    }
}

/// As `rsync --inplace --times` does.
fn rewrite_with_old_time(path: &Path) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, "1ne\n2wo\n").unwrap();
    File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

#[test]
fn a_file_deleted_at_rest_is_known_to_be_and_let_go() {
    let mut scene = at_rest("one\n");
    assert!(!scene.follower().was_deleted());
    fs::remove_file(scene.path()).unwrap();
    assert!(matches!(scene.wait(100).read(), Read::AtEnd));
    assert!(scene.follower().was_deleted());
    assert!(matches!(scene.wait(10_000).read(), Read::Gone));
}

/// Its folder is renamed, which it does not show.
#[test]
fn a_file_at_rest_that_has_left_its_path_is_let_go() {
    let mut scene = Scene::new("");
    let (folder, moved) = (scene.folder.path().join("logs"), scene.folder.path().join("old"));
    fs::create_dir(&folder).unwrap();
    let path = folder.join("b.log");
    fs::write(&path, "one\n").unwrap();
    scene.follower = Some(follower(&path, SETTINGS, &first_sight(), 0));
    scene.texts();
    for _ in 0..12 {
        assert!(matches!(scene.wait(1_000).read(), Read::AtEnd));
    }
    assert!(is_at_rest(&scene));
    fs::rename(&folder, &moved).unwrap();
    let reads = (0..11).map(|_| scene.wait(1_000).read());
    assert!(reads.into_iter().any(|read| matches!(read, Read::Gone)));
}

#[test]
fn a_file_is_at_rest_when_a_change_would_show_and_is_read_now_and_then_all_the_same() {
    let mut scene = Scene::new("one\n");
    scene.texts();
    for (wait_ms, rests) in [(0, false), (2_000, false), (1, false), (59_999, true), (1, false), (0, true)] {
        assert_eq!(is_at_rest(scene.wait(wait_ms)), rests, "{} ms", scene.now_ms);
        assert!(scene.texts().is_empty());
    }
}

/// What is not finished, or laid out beforehand, is read at each look.
#[test]
fn a_file_that_may_have_more_is_never_at_rest() {
    for content in ["one\nhalf", "one\n\0\0\0\0"] {
        let mut scene = Scene::new(content);
        for _ in 0..4 {
            scene.texts();
            assert!(!is_at_rest(scene.wait(1_000)), "{content:?}");
        }
    }
}
