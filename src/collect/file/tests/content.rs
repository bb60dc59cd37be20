//! What stands in a file, and how it becomes lines.

use super::*;

/// A file with `content` gives lines of these lengths (with their ends) and texts, the first at `from`.
fn check(content: impl AsRef<[u8]>, from: u64, expected: &[(u32, &str)]) {
    let content = content.as_ref();
    for chunk_bytes in [1, 2, 3, 7, 64, 1 << 20] {
        let mut scene = Scene::with(content, Settings { chunk_bytes, ..SETTINGS }, &first_sight(), 0);
        let mut next = from;
        let mut wanted = Vec::new();
        for (tie, text) in expected {
            wanted.push((0, next, *tie, (*text).to_owned(), *tie as usize > text.len() + 5));
            next += u64::from(*tie);
        }
        let shown = content[..content.len().min(200)].escape_ascii();
        assert_eq!(scene.lines(), wanted, "{shown} in reads of {chunk_bytes}");
        assert_eq!(scene.follower().lag_bytes(), content.len() as u64 - next, "{shown}");
    }
}

/// B1, B3 to B5.
#[test]
fn lines_are_read_whatever_the_size_of_a_read() {
    check("", 0, &[]);
    check("a", 0, &[]);
    check("a\n", 0, &[(2, "a")]);
    check("one\r\ntwo\n\n\r\nthree\nunfinished", 0, &[(5, "one"), (4, "two"), (1, ""), (2, ""), (6, "three")]);
    check("\n\n\n", 0, &[(1, ""), (1, ""), (1, "")]);
    check("\u{feff}first\nsecond\n", 0, &[(9, "first"), (7, "second")]);
    check("a\rb\r\n", 0, &[(5, "a\rb")]);
    check(b"bad \xff\xfe bytes\n", 0, &[(13, "bad \u{fffd}\u{fffd} bytes")]);
    check("é\nж\n", 0, &[(3, "é"), (3, "ж")]);
}

/// A7 and B5.
#[test]
fn nul_bytes_that_a_truncation_left_at_the_start_are_no_line() {
    check([&[0; 300][..], b"one\n\0two\n"].concat(), 300, &[(4, "one"), (5, "\0two")]);
    check([&[0; 64][..], b"\none\n"].concat(), 65, &[(4, "one")]);
}

#[test]
fn nul_bytes_from_start_to_end_are_read_again_once_they_are_written_to() {
    for chunk_bytes in [7, 64, 1_000] {
        let mut scene = Scene::with([0; 500], Settings { chunk_bytes, ..SETTINGS }, &first_sight(), 0);
        assert!(scene.wait(60_000).texts().is_empty());
        assert!(matches!(scene.follower().cursor(), Cursor::File { offset: 0, .. }));
        let file = OpenOptions::new().write(true).open(scene.path()).unwrap();
        std::os::unix::fs::FileExt::write_at(&file, b"one\n", 0).unwrap();
        assert_eq!(scene.lines(), [at(0, 0, 4, "one")]);
    }
}

#[test]
fn space_that_is_laid_out_and_not_yet_written_is_waited_for() {
    let mut scene = Scene::new([b"one\n".as_slice(), &[0; 996]].concat());
    assert_eq!(scene.texts(), ["one"]);
    assert!(scene.wait(60_000).texts().is_empty());
    let file = OpenOptions::new().write(true).open(scene.path()).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"two\n", 4).unwrap();
    assert_eq!(scene.lines(), [at(0, 4, 4, "two")]);
}

#[test]
fn nul_bytes_that_do_not_reach_the_end_are_part_of_a_line() {
    let lines = |hole: usize, chunk_bytes| {
        let content = [b"one\nx".as_slice(), &vec![0; hole], b"two\nthree\n"].concat();
        let mut scene = Scene::with(content, Settings { chunk_bytes, ..SETTINGS }, &first_sight(), 0);
        scene.lines()
    };
    for hole in [1, 63, 64, 65, 90, 97, 500, 70_000] {
        for chunk_bytes in [1, 7, 64, 1 << 20] {
            let text = format!("x{}two", "\0".repeat(hole));
            let shown = text[..text.len().min(SETTINGS.max_line)].to_owned();
            let tie = text.len() as u32 + 1;
            let expected = [
                at(0, 0, 4, "one"),
                (0, 4, tie, shown, text.len() > SETTINGS.max_line),
                at(0, 4 + u64::from(tie), 6, "three"),
            ];
            assert_eq!(lines(hole, chunk_bytes), expected, "a hole of {hole} in reads of {chunk_bytes}");
        }
    }
}

#[test]
fn holes_of_any_size_stop_no_file() {
    let settings = Settings { max_line: 1 << 20, chunk_bytes: 256 << 10, ..SETTINGS };
    for once in [false, true] {
        for (begin, hole_end) in [("seq=2\n", 1 << 20), ("seq=2\nx", 1_u64 << 25)] {
            let mut scene = Scene::with(begin, Settings { once, ..settings }, &first_sight(), 0);
            OpenOptions::new().write(true).open(scene.path()).unwrap().set_len(hole_end).unwrap();
            scene.append("seq=3\nseq=4\n");
            scene.follow(Settings { once, ..settings }, &first_sight(), 0);
            let lines = scene.lines();
            let is_cut: Vec<_> = lines.iter().map(|line| line.4).collect();
            assert_eq!(is_cut, [false, hole_end > 1 << 20, false], "a hole up to {hole_end}");
            assert_eq!((lines[0].3.as_str(), lines[1].1), ("seq=2", 6));
            assert_eq!(lines[2], at(0, hole_end + 6, 6, "seq=4"));
            assert!(scene.spare.scan.capacity() <= 256 << 10);
        }
    }
}

#[test]
fn space_laid_out_beyond_a_read_is_filled_line_by_line() {
    use std::os::unix::fs::FileExt;
    for chunk_bytes in [1, 7, 64, 150] {
        let settings = Settings { chunk_bytes, ..SETTINGS };
        let mut scene = Scene::with([b"one\n".as_slice(), &[0; 9_996]].concat(), settings, &first_sight(), 0);
        assert_eq!(scene.texts(), ["one"]);
        let file = OpenOptions::new().write(true).open(scene.path()).unwrap();
        let mut end = 4;
        for len in [1, 50, 80, 99, 100, 101, 250, 600, 3] {
            let line = format!("{}\n", "y".repeat(len));
            for part in line.as_bytes().chunks(90) {
                assert!(scene.texts().is_empty(), "{len} in reads of {chunk_bytes}");
                file.write_at(part, end).unwrap();
                end += part.len() as u64;
            }
            let start = end - line.len() as u64;
            let expected = (0, start, len as u32 + 1, "y".repeat(len.min(100)), len > 100);
            assert_eq!(scene.lines(), [expected], "in reads of {chunk_bytes}");
        }
        file.write_at("z".repeat(300).as_bytes(), end).unwrap();
        assert!(scene.texts().is_empty());
        let unfinished = scene.wait(5_000).lines();
        assert_eq!(unfinished, [(0, end, 300, "z".repeat(100), true)], "in reads of {chunk_bytes}");
        file.set_len(20_000).unwrap();
        file.write_at(b"\nlast\n", end + 300).unwrap();
        assert_eq!(scene.lines(), [at(0, end + 301, 5, "last")]);
    }
}

/// B2: one below the limit, at it, one above, three times; the next line is whole and at its place.
#[test]
fn long_lines_are_cut_and_their_neighbours_are_whole() {
    let limit = SETTINGS.max_line;
    for (len, end) in [(limit - 1, "\n"), (limit, "\n"), (limit, "\r\n"), (limit + 1, "\n"), (3 * limit, "\n")] {
        for chunk_bytes in [1, 64, 99, 100, 101, 102, 103, 1 << 20] {
            let content = format!("before\n{}{end}after\n", "x".repeat(len));
            let mut scene = Scene::with(&content, Settings { chunk_bytes, ..SETTINGS }, &first_sight(), 0);
            let (chunks, _) = scene.chunks();
            let lines: Vec<_> = chunks.iter().flat_map(seen).collect();
            let text = "x".repeat(len.min(limit));
            let tie = u32::try_from(len + end.len()).unwrap();
            let after = at(0, content.len() as u64 - 6, 6, "after");
            let case = format!("{len} bytes, {end:?}, in reads of {chunk_bytes}");
            assert_eq!(lines, [at(0, 0, 7, "before"), (0, 7, tie, text, len > limit), after], "{case}");
            let cut_bytes: u64 = chunks.iter().map(|chunk| chunk.cut_bytes).sum();
            assert_eq!(cut_bytes as usize, len - len.min(limit), "{case}");
        }
    }
}

#[test]
fn a_line_of_any_length_takes_little_memory_and_few_looks_are_long() {
    let settings = Settings { chunk_bytes: 1 << 10, max_line: 1 << 11, ..SETTINGS };
    let mut scene = Scene::with("", settings, &first_sight(), 0);
    let long = 1 << 20;
    scene.append("x".repeat(long));
    let mut looks = 0;
    while matches!(scene.read(), Read::Passing) {
        looks += 1;
    }
    assert!(looks > 10, "{looks}");
    assert!(scene.spare.bytes.capacity() < 1 << 13 && scene.spare.scan.capacity() < 1 << 13);
    scene.append("y\nnext\n");
    let lines = scene.lines();
    assert_eq!(lines[0], (0, 0, (long + 2) as u32, "x".repeat(1 << 11), true));
    assert_eq!(lines[1..], [at(0, long as u64 + 2, 5, "next")]);
}

/// B1.
#[test]
fn an_unfinished_line_is_taken_when_it_has_been_quiet_for_long_enough() {
    let mut scene = Scene::new("one\nprompt");
    assert_eq!(scene.texts(), ["one"]);
    assert!(scene.wait(4_999).texts().is_empty());
    scene.append("> ");
    assert!(scene.wait(1).texts().is_empty(), "it has grown");
    assert!(scene.wait(4_999).texts().is_empty());
    assert_eq!(scene.wait(1).lines(), [at(0, 4, 8, "prompt> ")]);
    scene.append("\nnext\n");
    assert_eq!(scene.lines(), [at(0, 13, 5, "next")], "the end of a line that was taken is no line");
    scene.append("half");
    scene.texts();
    assert_eq!(scene.wait(5_000).texts(), ["half"]);
    scene.append(" and half\r\n");
    assert_eq!(scene.lines(), [at(0, 22, 11, " and half")]);
}

/// B7.
#[test]
fn a_character_is_not_torn_by_the_timeout() {
    let mut scene = Scene::new(b"caf\xC3");
    scene.texts();
    assert_eq!(scene.wait(5_000).texts(), ["caf"]);
    scene.append(b"\xA9\n");
    assert_eq!(scene.texts(), ["é"]);
    scene.append(b"\xC3");
    scene.texts();
    assert_eq!(scene.wait(5_000).texts(), ["\u{fffd}"], "what stays torn is taken too");
}

#[test]
fn an_unfinished_line_beyond_the_limit_is_taken_too() {
    let mut scene = Scene::new("x".repeat(500));
    assert!(scene.texts().is_empty());
    assert_eq!(scene.wait(5_000).lines(), [(0, 0, 500, "x".repeat(100), true)]);
    scene.append("y\nz\n");
    assert_eq!(scene.lines(), [at(0, 500, 2, "y"), at(0, 502, 2, "z")]);
}

#[test]
fn a_clock_set_back_only_delays() {
    let mut scene = Scene::new("half");
    scene.texts();
    assert!(scene.wait(-1_000_000).texts().is_empty());
    assert!(scene.wait(4_999).texts().is_empty());
    assert_eq!(scene.wait(1).texts(), ["half"]);
}

#[test]
fn once_means_what_is_there_now_with_its_unfinished_line() {
    let mut scene = Scene::with("one\nhalf", Settings { once: true, ..SETTINGS }, &first_sight(), 0);
    assert_eq!(scene.texts(), ["one", "half"]);
    scene.append("\nlater\n");
    assert!(scene.texts().is_empty());

    let long = Settings { once: true, chunk_bytes: 16, ..SETTINGS };
    let mut scene = Scene::with("x".repeat(300), long, &first_sight(), 0);
    assert_eq!(scene.lines(), [(0, 0, 300, "x".repeat(100), true)]);
}

#[test]
fn chunks_are_whole_and_their_buffers_come_back() {
    let mut scene = Scene::new("é-line\n".repeat(100));
    let mut read = 0;
    let mut buffer = None;
    while let Read::Chunk(chunk) = scene.read() {
        assert!(std::str::from_utf8(&chunk.bytes).is_ok(), "also the bytes before the lines");
        assert_eq!((chunk.start, chunk.seen_ms, chunk.replayed), (read, 1_000, false));
        read = chunk.end;
        if read > 200 {
            assert_eq!(*buffer.get_or_insert(chunk.bytes.as_ptr()), chunk.bytes.as_ptr());
        }
        scene.spare.take_back(chunk);
    }
    assert_eq!(read, 800);
}
