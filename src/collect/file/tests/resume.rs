//! After a restart: where reading goes on, and that it gives again what it gave.

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn resume(generation: u32, cursor: Option<Cursor>, replay: Vec<Note>) -> Resume {
    Resume { id: SourceId::new(1), generation, cursor, path: None, replay, unread: 0 }
}

fn note(chunk: &Chunk) -> Note {
    let Chunk { source, generation, start, end, seen_ms, .. } = chunk;
    Note { source: source.id, generation: *generation, start: *start, end: *end, seen_ms: *seen_ms, names: None }
}

/// A4 and A5, across a restart.
#[test]
fn reading_goes_on_at_the_cursor_if_the_file_is_still_the_same() {
    /// What the file holds at the restart, and what is read of it then: lines, and whether a truncation is told.
    type Row = (&'static str, &'static str, Vec<Seen>, u32);
    let rows: [Row; 5] = [
        ("grown", "one\ntwo\nthree\n", vec![at(0, 8, 6, "three")], 0),
        ("unchanged", "one\ntwo\n", vec![], 0),
        ("shorter", "one\n", vec![at(1, 0, 4, "one")], 1),
        ("regrown", "ONE\nTWO\nTHREE\n", vec![at(1, 0, 4, "ONE"), at(1, 4, 4, "TWO"), at(1, 8, 6, "THREE")], 1),
        ("empty", "", vec![], 1),
    ];
    for (name, content, expected, truncations) in rows {
        let mut scene = Scene::new("one\ntwo\n");
        assert_eq!(scene.texts(), ["one", "two"]);
        let cursor = scene.follower().cursor();
        fs::write(scene.path(), content).unwrap();
        scene.follow(SETTINGS, &resume(0, Some(cursor), vec![]), 0);
        assert_eq!(scene.lines(), expected, "{name}");
        assert_eq!(scene.follower().take_losses().truncations, truncations, "{name}");
    }
}

#[test]
fn a_cursor_of_an_earlier_generation_does_not_count() {
    let mut scene = Scene::new("one\ntwo\n");
    scene.texts();
    let cursor = scene.follower().cursor();
    scene.follow(SETTINGS, &resume(4, Some(cursor), vec![]), 0);
    assert_eq!(scene.lines(), [at(4, 0, 4, "one"), at(4, 4, 4, "two")]);
}

#[test]
fn a_start_at_the_end_is_only_for_files_never_seen() {
    let settings = SETTINGS;
    let mut scene = Scene::with("old\nhal", settings, &first_sight(), 7);
    assert!(scene.texts().is_empty());
    scene.append("f\nnew\n");
    assert_eq!(scene.lines(), [at(0, 7, 2, "f"), at(0, 9, 4, "new")]);
    let cursor = Cursor::File { generation: 0, offset: 4, guard: crate::base::source::fingerprint(b"old\n") };
    scene.follow(settings, &resume(0, Some(cursor), vec![]), 7);
    assert_eq!(scene.texts(), ["half", "new"]);
}

/// B1.
#[test]
fn a_line_cut_in_the_middle_goes_on_after_a_restart() {
    let mut scene = Scene::new("prompt> ");
    scene.texts();
    assert_eq!(scene.wait(5_000).texts(), ["prompt> "]);
    let cursor = scene.follower().cursor();
    scene.append("\nnext\n");
    scene.follow(SETTINGS, &resume(0, Some(cursor), vec![]), 0);
    assert_eq!(scene.lines(), [at(0, 9, 5, "next")]);
}

/// Reads `pieces`, each appended and then left to become old, from the start; then again by its notes.
fn check_replay(pieces: &[&str], settings: Settings) {
    let mut scene = Scene::with("", settings, &first_sight(), 0);
    let mut first = Vec::new();
    for piece in pieces {
        scene.append(piece);
        first.extend(scene.chunks().0);
        first.extend(scene.wait(5_000).chunks().0);
    }
    let notes: Vec<_> = first.iter().map(note).collect();
    scene.append("live\n");
    scene.wait(1_000_000).follow(settings, &resume(0, None, notes), 0);
    let mut again = scene.chunks().0;
    let live = again.pop().unwrap();
    assert_eq!((seen(&live).last().unwrap().3.as_str(), live.replayed), ("live", false));
    let facts = |chunk: &Chunk| (note(chunk), seen(chunk), chunk.cursor.clone(), chunk.cut_bytes, chunk.input_bytes);
    assert_eq!(again.iter().map(facts).collect::<Vec<_>>(), first.iter().map(facts).collect::<Vec<_>>());
    assert!(again.iter().all(|chunk| chunk.replayed));
}

#[test]
fn noted_chunks_are_read_again_exactly() {
    let lines = "a line of some length\nanother\n\n".repeat(20);
    let long = format!("short\n{}\nshort\n", "x".repeat(250));
    let longer = "y".repeat(1_000) + "\n";
    for chunk_bytes in [16, 64, 120, 4_096] {
        let settings = Settings { chunk_bytes, ..SETTINGS };
        check_replay(&["one\ntwo\n"], settings);
        check_replay(&[&lines, &lines], settings);
        check_replay(&["prompt> ", "\nanswer\nprompt> ", "and more", "\r\nend\n"], settings);
        check_replay(&[&long, &longer, "unfinished", &long], settings);
        check_replay(&[&"x".repeat(150), &"x".repeat(300), "\nnext\n"], settings);
        check_replay(&["\u{feff}first\n", "caf\u{e9}\n"], settings);
    }
}

#[test]
fn notes_that_do_not_fit_the_file_are_told_and_gaps_are_read_live() {
    let note =
        |generation, start, end| Note { source: SourceId::new(1), generation, start, end, seen_ms: 7, names: None };
    let notes = vec![note(0, 0, 8), note(1, 4, 8), note(1, 12, 16), note(1, 16, 99)];
    let cursor = Cursor::File { generation: 1, offset: 4, guard: crate::base::source::fingerprint(b"one\n") };
    let mut scene = Scene::with("one\ntwo\nsix\nten\nend\n", SETTINGS, &resume(1, Some(cursor), notes), 0);
    let chunks = scene.chunks().0;
    let facts: Vec<_> = chunks.iter().map(|chunk| (chunk.start, chunk.end, chunk.seen_ms, chunk.replayed)).collect();
    assert_eq!(facts, [(4, 8, 7, true), (8, 12, 1_000, false), (12, 16, 7, true), (16, 20, 1_000, false)]);
    assert_eq!(scene.follower().take_losses(), Losses { truncations: 0, bytes: 8 + (99 - 20) });
}

#[test]
fn a_truncation_ends_a_replay() {
    let mut scene = Scene::new("one\ntwo\n");
    let note = Note { source: SourceId::new(1), generation: 0, start: 4, end: 8, seen_ms: 7, names: None };
    let cursor = Cursor::File { generation: 0, offset: 4, guard: crate::base::source::fingerprint(b"one\n") };
    scene.follow(SETTINGS, &resume(0, Some(cursor), vec![note]), 0);
    fs::write(scene.path(), "a new content\n").unwrap();
    let chunks = scene.chunks().0;
    assert_eq!(chunks.iter().flat_map(seen).collect::<Vec<_>>(), [at(1, 0, 14, "a new content")]);
    assert!(!chunks[0].replayed);
    assert_eq!(scene.follower().take_losses(), Losses { truncations: 1, bytes: 4 });
}

/// A6: what was unread and is not there any more is told, whether it was noted or only seen.
#[test]
fn bytes_that_vanished_while_nobody_looked_are_counted() {
    let guard = crate::base::source::fingerprint;
    let at = |offset, read: &str| Some(Cursor::File { generation: 0, offset, guard: guard(read.as_bytes()) });
    let note = Note { source: SourceId::new(1), generation: 0, start: 4, end: 12, seen_ms: 7, names: None };
    /// Name, what it was found to be by `track`, what it holds now, and what is lost of 20 bytes of which 4 were settled.
    type Row = (&'static str, (u32, Option<Cursor>), &'static str, u64);
    let rows: [Row; 5] = [
        ("still there", (0, at(4, "one\n")), "one\ntwo\n456789012345", 0),
        ("grown", (0, at(4, "one\n")), "one\ntwo\n456789012345\nmore\n", 0),
        ("cut short", (0, at(4, "one\n")), "one\ntwo\n", 12),
        ("other bytes before the offset", (0, at(4, "one\n")), "ONE\nTWO\n and many more bytes", 16),
        ("truncated", (1, None), "ONE\nTWO\n and many more bytes", 16),
    ];
    for (name, (generation, cursor), content, lost) in rows {
        let resume = Resume { unread: 16, ..resume(generation, cursor, vec![note.clone()]) };
        let mut scene = Scene::with(content, SETTINGS, &resume, 0);
        assert_eq!(scene.follower().take_losses().bytes, lost, "{name}");
    }
}

/// The lines of a compressed file, from `resume` on, with all that ids and times are made of.
fn packed_chunks(content: &str, settings: Settings, resume: &Resume) -> (Vec<Chunk>, u64) {
    let mut scene = Scene::with(content, settings, &first_sight(), 0);
    let mut encoder = GzEncoder::new(tempfile::tempfile().unwrap(), Compression::fast());
    encoder.write_all(content.as_bytes()).unwrap();
    let identity = identity::of(&File::open(scene.path()).unwrap(), &scene.path()).unwrap();
    let found = Found {
        source_name: "app".into(),
        path: scene.path(),
        file: encoder.finish().unwrap(),
        identity,
        begin: 0,
        unpacked_len: Some(content.len() as u64),
    };
    let source = Config::default().source(&"app".into(), resume.id, Some("a.log".into()));
    scene.follower = Some(Follower::new(found, Arc::new(source), resume, settings).unwrap());
    assert_eq!(scene.follower().take_identity().unwrap(), None);
    let chunks = scene.chunks().0;
    assert_eq!((scene.follower().take_identity().unwrap(), scene.follower().take_losses()), (None, Losses::default()));
    (chunks, scene.follower().lag_bytes())
}

/// Places, texts and cuts are those of the file that it was made of, from any line on, and after a crash in the same
/// pieces. Its last line is finished.
#[test]
fn a_compressed_file_is_read_as_the_one_it_was_made_of() {
    let long = format!("{}\n{}\n", "x".repeat(250), "é".repeat(700));
    let content = format!("\u{feff}one\ntwo\r\n\n{long}{}last", "a line like others\n".repeat(30));
    let once = |chunk_bytes| Settings { chunk_bytes, once: true, ..SETTINGS };
    for chunk_bytes in [7, 16, 64, 300, 4_096] {
        let plain = Scene::with(&content, once(chunk_bytes), &first_sight(), 0).chunks().0;
        let cursors = plain.iter().map(|chunk| Some(chunk.cursor.clone()));
        for (read, cursor) in std::iter::once(None).chain(cursors).enumerate() {
            for notes in [vec![], plain[read..].iter().map(note).collect::<Vec<_>>()] {
                let is_replay = !notes.is_empty();
                let settings = Settings { chunk_bytes: if is_replay { 4_096 } else { chunk_bytes }, ..SETTINGS };
                let resume = resume(0, cursor.clone(), notes);
                let (packed, lag_bytes) = packed_chunks(&content, settings, &resume);
                let facts = |chunk: &Chunk| (note(chunk), seen(chunk), chunk.cursor.clone(), chunk.cut_bytes);
                let expected: Vec<_> = plain[read..].iter().map(facts).collect();
                assert_eq!(packed.iter().map(facts).collect::<Vec<_>>(), expected, "{chunk_bytes}, {read} read");
                assert!(packed.iter().all(|chunk| chunk.replayed == is_replay));
                assert_eq!(lag_bytes, 0);
            }
        }
    }
}
