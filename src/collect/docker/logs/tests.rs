//! Messages to chunks: joins, cuts, cursors, repeats, pieces read before a crash.

use proptest::prelude::*;

use super::*;
use crate::base::source::{Kind, SourceId, Stream};

const BASE: u64 = 1_700_000_000_000_000_000;

fn known(stream: Stream, cursor: Option<Cursor>, replay: Vec<Note>) -> (Arc<Source>, Resume) {
    let id = SourceId::new(stream as u64);
    let source = Source {
        id,
        kind: Kind::Docker,
        name: "containers".into(),
        container_name: "c".into(),
        service_name: "c".into(),
        stream: Some(stream),
        path: None,
        mask: None,
        timezone: "utc".into(),
    };
    (Arc::new(source), Resume { id, generation: 0, cursor, path: None, replay, unread: 0 })
}

fn both(cursors: [Option<Cursor>; 2]) -> Logs {
    let [out, err] = cursors;
    Logs::new(false, vec![known(Stream::Stdout, out, Vec::new()), known(Stream::Stderr, err, Vec::new())])
}

/// One frame at so many ns after the base.
fn frame(kind: u8, ns: u64, text: &[u8]) -> Vec<u8> {
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(BASE + ns)).unwrap();
    let payload = [format!("{stamp:.9} ").as_bytes(), text].concat();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 0, 0, 0], &length[..], &payload].concat()
}

/// Lines as (stream, ns after the base, text), chunk by chunk.
fn lines(logs: &mut Logs) -> Vec<(Stream, u64, String)> {
    logs.seal();
    let told = |chunk: Chunk| {
        let stream = chunk.source.stream.unwrap();
        chunk.lines.iter().for_each(|line| assert_eq!(line.engine_ns, i64::try_from(line.position.at).ok()));
        let text = |line: &Line| String::from_utf8_lossy(&chunk.bytes[line.start as usize..line.end as usize]).into();
        chunk.lines.iter().map(|line| (stream, line.position.at - BASE, text(line))).collect::<Vec<_>>()
    };
    logs.ready().flat_map(told).collect()
}

fn read(body: &[u8]) -> Logs {
    let mut logs = both([None, None]);
    assert_eq!(logs.begin_body(), None);
    logs.push(body, 1 << 20).unwrap();
    logs
}

#[test]
fn parts_are_joined_by_stream_and_a_dead_process_leaves_a_line() {
    let part = vec![b'p'; MESSAGE_BYTES];
    let body = [
        frame(1, 1, &part),
        frame(2, 2, b"between\r\n"),
        frame(1, 1, b"rest\n"),
        frame(1, 3, &part),
        frame(1, 4, b"an older engine's rest\n"),
        frame(1, 5, b"unfini"),
        frame(1, 6, b"another run\n"),
        frame(1, 7, b"two\nin one\n"),
        frame(1, 8, b"open"),
    ]
    .concat();
    let mut logs = read(&body);
    let long = String::from_utf8(part).unwrap();
    let told = lines(&mut logs);
    let wanted = [
        (Stream::Stdout, 1, format!("{long}rest")),
        (Stream::Stdout, 3, format!("{long}an older engine's rest")),
        (Stream::Stdout, 5, "unfini".to_owned()),
        (Stream::Stdout, 6, "another run".to_owned()),
        (Stream::Stdout, 7, "two".to_owned()),
        (Stream::Stdout, 7, "in one".to_owned()),
        (Stream::Stderr, 2, "between".to_owned()),
    ];
    assert_eq!(told, wanted);
    logs.finish_lines();
    assert_eq!(lines(&mut logs), [(Stream::Stdout, 8, "open".to_owned())]);
}

/// Last words without a newline, of a container that is removed before its log can be asked for again.
#[test]
fn an_unfinished_line_is_kept_until_it_comes_again() {
    let last_words = frame(2, 9, b"last words");
    for bodies in [&[][..], &[&b""[..]], &[&last_words[..], &b""[..]]] {
        let mut logs = read(&[frame(1, 8, b"one\n"), last_words.clone()].concat());
        assert_eq!(lines(&mut logs), [(Stream::Stdout, 8, "one".to_owned())]);
        for body in bodies {
            logs.begin_body();
            logs.push(body, 100).unwrap();
            assert_eq!(lines(&mut logs), []);
        }
        logs.finish_lines();
        assert_eq!(lines(&mut logs), [(Stream::Stderr, 9, "last words".to_owned())]);
    }
}

#[test]
fn a_line_above_the_limit_is_cut_marked_and_counted() {
    let mut logs = both([None, None]);
    logs.begin_body();
    logs.push(&[frame(1, 1, b"123456789\n"), frame(1, 2, b"12345\n")].concat(), 5).unwrap();
    logs.seal();
    let chunk = logs.ready().next().unwrap();
    assert_eq!(
        chunk.lines.iter().map(|line| (line.start, line.end, line.cut)).collect::<Vec<_>>(),
        [(0, 5, true), (6, 11, false)]
    );
    assert!(chunk.lines_are_apart());
    assert_eq!((chunk.cut_bytes, chunk.input_bytes), (4, 16));
    assert_eq!((chunk.start, chunk.end), (BASE + 1, BASE + 2));
}

#[test]
fn a_cursor_never_covers_an_unfinished_line() {
    let mut logs = read(&[frame(1, 1, b"one\n"), frame(1, 9_000_000_000, b"half")].concat());
    logs.seal();
    let chunk = logs.ready().next().unwrap();
    let Cursor::Docker { time_ns, recent } = chunk.cursor else { panic!("a container's") };
    assert_eq!((time_ns, recent.len(), chunk.bytes.as_slice()), (BASE + 1, 1, &b"one\n"[..]));
    assert_eq!(logs.begin_body(), Some(BASE + 9_000_000_000 - MARGIN_NS));
    logs.push(&frame(1, 9_000_000_000, b"half and half\n"), 100).unwrap();
    assert_eq!(lines(&mut logs), [(Stream::Stdout, 9_000_000_000, "half and half".to_owned())]);
}

#[test]
fn a_silent_stream_is_moved_along_by_an_empty_chunk() {
    let mut body = frame(2, 0, b"banner\n");
    (1..20).for_each(|ns| body.extend(frame(1, ns * 1_000_000_000, &[vec![b'x'; 16_000], vec![b'\n']].concat())));
    let mut logs = read(&body);
    logs.seal();
    logs.ready().for_each(drop);
    (20..60).for_each(|ns| {
        let frame = frame(1, ns * 1_000_000_000, &[vec![b'x'; 16_000], vec![b'\n']].concat());
        logs.push(&frame, 1 << 20).unwrap();
    });
    let empty: Vec<_> = logs.ready().filter(|chunk| chunk.lines.is_empty()).collect();
    assert_eq!(empty.len(), 2);
    for chunk in empty {
        let Cursor::Docker { time_ns, recent } = chunk.cursor else { panic!("a container's") };
        assert_eq!(chunk.source.stream, Some(Stream::Stderr));
        assert!(time_ns > BASE + 20_000_000_000);
        assert_eq!((recent.len(), chunk.input_bytes, chunk.bytes.len()), (1, 0, 0));
    }
}

/// The engine goes away before the remembered lines came, among them, and when one stream has come to where it was.
#[test]
fn a_body_that_breaks_off_while_lines_come_again_is_read_again_without_repeats() {
    let body = |numbers: std::ops::Range<u64>| {
        let both = |ns| [frame(1, 2 * ns, b"out\n"), frame(2, 2 * ns + 1, b"err\n")].concat();
        numbers.flat_map(both).collect::<Vec<u8>>()
    };
    let mut logs = read(&body(0..300));
    assert_eq!(lines(&mut logs).len(), 600);
    for end in [200, 250, 299, 300, 301] {
        logs.begin_body();
        logs.push(&body(0..end), 100).unwrap();
        assert_eq!(lines(&mut logs).len(), if end > 300 { 2 } else { 0 });
    }
    logs.begin_body();
    logs.push(&body(0..310), 100).unwrap();
    assert_eq!(lines(&mut logs).len(), 18);
}

#[test]
fn pieces_read_before_a_crash_are_read_in_the_same_pieces() {
    let note = |start, end, seen_ms| Note {
        source: SourceId::new(1),
        generation: 0,
        start: BASE + start,
        end: BASE + end,
        seen_ms,
        names: None,
    };
    let replay = vec![note(1, 2, 11), note(3, 4, 22)];
    let mut logs = Logs::new(false, vec![known(Stream::Stdout, None, replay)]);
    logs.begin_body();
    let body: Vec<u8> = (1..8).flat_map(|ns| frame(1, ns, b"line\n")).collect();
    logs.push(&body, 100).unwrap();
    logs.seal();
    let told: Vec<_> =
        logs.ready().map(|chunk| (chunk.start - BASE, chunk.end - BASE, chunk.replayed, chunk.seen_ms)).collect();
    assert_eq!(told[..2], [(1, 2, true, 11), (3, 4, true, 22)]);
    assert_eq!((told[2].0, told[2].1, told[2].2), (5, 7, false));
    assert_eq!(told.len(), 3);
}

/// A container was renamed between a crash and the reading again: what was read before keeps the names that it was sent
/// with, so that it goes to the same index and has the same labels; what is new has the new ones.
#[test]
fn what_was_read_before_a_crash_keeps_its_names() {
    let names = Names { container: "old".to_owned(), service: "shop".to_owned() };
    let note = Note {
        source: SourceId::new(1),
        generation: 0,
        start: BASE + 1,
        end: BASE + 2,
        seen_ms: 7,
        names: Some(names.clone()),
    };
    let mut logs = Logs::new(false, vec![known(Stream::Stdout, None, vec![note])]);
    logs.begin_body();
    let body: Vec<u8> = (1..4).flat_map(|ns| frame(1, ns, b"a line\n")).collect();
    logs.push(&body, 100).unwrap();
    logs.seal();
    let told: Vec<_> = logs.ready().map(|chunk| (chunk.lines.len(), chunk.source.names())).collect();
    let now = known(Stream::Stdout, None, Vec::new()).0.names();
    assert_ne!(now, Some(names.clone()));
    assert_eq!(told, [(2, Some(names)), (1, now)]);
}

/// A piece ends where the clock is set back: else what follows would be taken for new, and Loki not be asked about it.
#[test]
fn pieces_are_the_same_again_though_the_clock_was_set_back() {
    let read = |replay| {
        let mut logs = Logs::new(false, vec![known(Stream::Stdout, None, replay)]);
        logs.begin_body();
        let texts = ["a\n", "b\n", "c\n", "d\n", "e\n", "f\n", "g\n"];
        let messages = [1, 3, 2, 4, 4, 1, 5].into_iter().zip(texts);
        let body: Vec<u8> = messages.flat_map(|(ns, text)| frame(1, ns, text.as_bytes())).collect();
        logs.push(&body, 100).unwrap();
        logs.seal();
        logs.ready().collect::<Vec<_>>()
    };
    let piece = |chunk: &Chunk| (chunk.start - BASE, chunk.end - BASE, chunk.lines.len());
    let before = read(Vec::new());
    assert_eq!(before.iter().map(piece).collect::<Vec<_>>(), [(1, 3, 2), (2, 4, 3), (1, 5, 2)]);
    let note = |(chunk, seen_ms): (&Chunk, i64)| Note {
        source: SourceId::new(1),
        generation: 0,
        start: chunk.start,
        end: chunk.end,
        seen_ms,
        names: None,
    };
    let again = read(before.iter().zip(11..).map(note).collect());
    let again: Vec<_> = again.iter().map(|chunk| (piece(chunk), chunk.seen_ms, chunk.replayed)).collect();
    assert_eq!(again, [((1, 3, 2), 11, true), ((2, 4, 3), 12, true), ((1, 5, 2), 13, true)]);
}

#[test]
fn a_probe_tells_whether_the_last_message_was_read() {
    let logs = read(&[frame(1, 1, b"one\n"), frame(2, 2, b"two\n"), frame(1, 3, b"half")].concat());
    for (probe, is_known) in [
        (frame(1, 3, b"half"), true),
        (frame(2, 2, b"two\n"), true),
        (frame(2, 4, b"new\n"), false),
        (Vec::new(), true),
    ] {
        assert_eq!(logs.knows(&probe), is_known);
    }
}

proptest! {
    /// An engine's log read in two bodies, stopped anywhere (also within a frame) and resumed by the saved cursors,
    /// gives every line once and in order.
    #[test]
    fn a_log_read_in_two_parts_is_whole(
        kinds in prop::collection::vec((1_u8..3, 0_u64..900_000_000, 0_usize..3), 1..200),
        stop in 0.0..1.0_f64,
        piece in 1_usize..300,
    ) {
        let mut ns = 0;
        let mut log = Vec::new();
        for (index, (kind, step, parts)) in kinds.iter().enumerate() {
            ns += step + 1;
            (0..*parts).for_each(|_| log.push((ns, frame(*kind, ns, &[b'p'; 100]))));
            log.push((ns, frame(*kind, ns, format!("{index}\n").as_bytes())));
        }
        let body: Vec<u8> = log.iter().flat_map(|(_, frame)| frame.clone()).collect();
        let wanted = lines(&mut read(&body));
        let mut first = both([None, None]);
        first.begin_body();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let stop = (body.len() as f64 * stop) as usize;
        body[..stop].chunks(piece).for_each(|piece| first.push(piece, 1 << 20).unwrap());
        first.seal();
        let mut cursors = [None, None];
        let mut told = Vec::new();
        for chunk in first.ready() {
            cursors[usize::from(chunk.source.stream == Some(Stream::Stderr))] = Some(chunk.cursor.clone());
            let stream = chunk.source.stream.unwrap();
            told.extend(chunk.lines.iter().map(|line| (stream, line.position)));
        }
        let mut second = both(cursors);
        let since = second.begin_body().unwrap_or(0);
        let rest: Vec<u8> = log.iter().skip_while(|(ns, _)| BASE + ns < since).flat_map(|(_, frame)| frame.clone()).collect();
        rest.chunks(piece).for_each(|piece| second.push(piece, 1 << 20).unwrap());
        prop_assert!(!second.has_lost_place(true));
        second.seal();
        for chunk in second.ready() {
            let stream = chunk.source.stream.unwrap();
            told.extend(chunk.lines.iter().map(|line| (stream, line.position)));
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            let position = |(_, ns, text): &(Stream, u64, String)| Position {
                at: BASE + ns,
                tie: low_half(fingerprint(text.as_bytes())),
            };
            let wanted: Vec<_> = wanted.iter().filter(|line| line.0 == stream).map(position).collect();
            let told: Vec<_> = told.iter().filter(|line| line.0 == stream).map(|line| line.1).collect();
            prop_assert_eq!(told, wanted);
        }
    }
}
