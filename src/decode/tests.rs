//! Whole chunks through the room's door.

use proptest::prelude::*;

use super::*;
use crate::base::chunk::tests::chunk;
use crate::base::records::{Key, Level};

fn decode(chunk: &Chunk) -> Records {
    let mut records = Records::default();
    Decoder::default().decode(chunk, chunk.text(), &mut records);
    records
}

/// What the line is, as the text of its record.
fn check(line: &str, shape: Shape, text: &str) {
    let chunk = chunk(&[b"before", line.as_bytes(), b"{}"]);
    let records = decode(&chunk);
    let record = records.items[1];
    assert_eq!(records.items.len(), 3);
    assert_eq!(record.shape, shape, "{line}");
    assert_eq!(&chunk.text()[record.start as usize..record.end as usize], text, "{line}");
    assert_eq!((record.line, record.position), (1, chunk.lines[1].position));
}

/// B6.
#[test]
fn objects_are_told_from_text() {
    for object in [r"{}", r#"{"a":1}"#, r#"{"id":18446744073709551615,"x":1e999,"s":"\ud800"}"#, r#"{"a":1,"a":2}"#] {
        check(object, Shape::Object, object);
        check(&format!("  {object}\t\r"), Shape::Object, object);
    }
    for text in ["", " ", "[]", "[{}]", "1", "\"{}\"", "null", "{", "{a}", "{} {}", "x {}", "{}.", "{\"a\":1,}"] {
        check(text, Shape::Text, text);
    }
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    check(&deep(126), Shape::Object, &deep(126));
    check(&deep(127), Shape::Text, &deep(127));
}

#[test]
fn the_time_is_the_lines_own_else_the_engines_else_that_of_reading() {
    // 2026-03-10T12:00:00Z
    const ENGINE_NS: i64 = 1_773_144_000_000_000_000;
    let own = |ms: i64| (ms * 1_000_000, Origin::Line);
    let rows = [
        ("x", None, "utc", (1_763_800_000_000_000_000, Origin::Read)),
        ("x", Some(ENGINE_NS), "utc", (ENGINE_NS, Origin::Engine)),
        ("2026-03-10 11:55:00 x", Some(ENGINE_NS), "utc", own(1_773_143_700_000)),
        ("2026-03-10 14:55:00 x", Some(ENGINE_NS), "utc", (ENGINE_NS, Origin::Engine)),
        ("2026-03-10 14:55:00 x", Some(ENGINE_NS), "Europe/Moscow", own(1_773_143_700_000)),
        ("2026-03-10 14:55:00+03:00 x", Some(ENGINE_NS), "utc", own(1_773_143_700_000)),
        ("2020-01-01T00:00:00Z x", Some(ENGINE_NS), "utc", own(1_577_836_800_000)),
        ("2020-01-01 00:00:00 x", None, "utc", own(1_577_836_800_000)),
        ("2020-07-01 02:00:00 x", None, "Europe/Berlin", own(1_593_561_600_000)),
        ("Mar 10 11:55:00 host x", Some(ENGINE_NS), "utc", own(1_773_143_700_000)),
        (r#"{"asctime":"2026-03-10 14:55:00,000"}"#, Some(ENGINE_NS), "utc", (ENGINE_NS, Origin::Engine)),
        (r#"{"time":1577836800000}"#, Some(ENGINE_NS), "utc", own(1_577_836_800_000)),
        (r#"{"time":"soon"}"#, None, "utc", (1_763_800_000_000_000_000, Origin::Read)),
    ];
    for (line, engine_ns, zone, wanted) in rows {
        let mut chunk = chunk(&[line.as_bytes()]);
        chunk.lines[0].engine_ns = engine_ns;
        std::sync::Arc::get_mut(&mut chunk.source).unwrap().timezone = zone.into();
        let time = decode(&chunk).items[0].time;
        assert_eq!((time.ns, time.origin), wanted, "{line} in {zone}");
    }
}

#[test]
fn a_record_carries_all_that_was_seen() {
    let mut chunk = chunk(&[br#" {"time":1749112947148,"level":"warn","stream":7} "#, b"ERROR: \xff", b""]);
    chunk.repair();
    chunk.lines[1].cut = true;
    let records = decode(&chunk);
    let [object, text, empty] = records.items[..] else { panic!("three lines") };
    assert_eq!((object.time.ms(), object.time.digits, object.level), (1_749_112_947_148, 3, Some(Level::Warning)));
    assert!(object.own.contains(Key::Time) && !object.clash.contains(Key::Time));
    assert!(object.clash.contains(Key::Level) && object.clash.contains(Key::Stream));
    assert_eq!((text.level, text.cut, text.own), (Some(Level::Error), true, Keys::NONE));
    assert_eq!((empty.shape, empty.start, empty.level), (Shape::Text, empty.end, None));
}

#[test]
fn the_buffer_is_reused() {
    let chunk = chunk(&[b"one", b"{}"]);
    let (mut decoder, mut records) = (Decoder::default(), Records::default());
    decoder.decode(&chunk, chunk.text(), &mut records);
    let (first, place) = (records.items.clone(), records.items.as_ptr());
    decoder.decode(&chunk, chunk.text(), &mut records);
    assert_eq!(records.items.as_ptr(), place);
    assert_eq!(records.items, first);
}

proptest! {
    #[test]
    fn any_bytes_make_a_record_a_line(lines in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let mut chunk = chunk(&lines);
        chunk.repair();
        prop_assert_eq!(decode(&chunk).items.len(), lines.len());
    }
}
