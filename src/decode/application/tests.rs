//! Which fields of an object count, and what they mean.

use super::*;

fn seen(text: &str) -> Scan<'_> {
    let mut seen = Scan::default();
    assert!(scan(text, &mut seen), "{text}");
    seen
}

fn names(keys: Keys) -> Vec<&'static str> {
    Key::ALL.into_iter().filter(|key| keys.contains(*key)).map(Key::name).collect()
}

#[test]
fn every_field_is_in_the_table_once_and_at_its_length() {
    let mut seen = [0; FIELDS];
    for (length, fields) in BY_LENGTH.iter().enumerate() {
        for (name, field) in *fields {
            assert_eq!(name.len(), length, "{name}");
            seen[*field] += 1;
        }
    }
    assert_eq!(seen, [1; FIELDS]);
    for key in Key::ALL {
        assert_eq!(named(key.name()), Some(key as usize));
    }
}

#[test]
fn our_names_are_seen_and_clashes_told() {
    let all = r#"{"time":1749112947148,"@timestamp":"2025-06-05T08:42:27Z","level":"INFO","container_name":"c","service_name":"s",
        "host_name":"h","source_name":"n","stream":"stdout","filename":"f"}"#;
    let every: Vec<_> = Key::ALL.into_iter().map(Key::name).collect();
    let rows: [(&str, &[&str], &[&str]); 14] = [
        ("{}", &[], &[]),
        (all, &every, &[]),
        (r#"{"a":{"time":1,"level":2}}"#, &[], &[]),
        (r#"{"time":"2024-05-01T12:30:45Z"}"#, &["time"], &["time"]),
        (r#"{"time":1749112947}"#, &["time"], &["time"]),
        (r#"{"time":1749112947148.5}"#, &["time"], &["time"]),
        (r#"{"@timestamp":"yesterday"}"#, &["@timestamp"], &["@timestamp"]),
        (r#"{"@timestamp":null}"#, &["@timestamp"], &["@timestamp"]),
        (r#"{"level":"info"}"#, &["level"], &["level"]),
        (r#"{"level":30}"#, &["level"], &["level"]),
        (r#"{"stream":{"id":1},"host_name":null}"#, &["host_name", "stream"], &["host_name", "stream"]),
        (r#"{"level":30,"level":"ERROR"}"#, &["level"], &[]),
        (r#"{"level":"ERROR","level":30}"#, &["level"], &["level"]),
        (r#"{"\u0074ime":1749112947148}"#, &["time"], &[]),
    ];
    for (text, own, clash) in rows {
        let (seen_own, seen_clash) = seen(text).keys();
        assert_eq!((&names(seen_own)[..], &names(seen_clash)[..]), (own, clash), "{text}");
    }
}

#[test]
fn times_are_found_in_order_of_their_names() {
    let rows = [
        (r#"{"time":1749112947148}"#, Some(1_749_112_947_148)),
        (r#"{"ts":1749112947.148}"#, Some(1_749_112_947_148)),
        (r#"{"ts":1.749112947148e9}"#, Some(1_749_112_947_148)),
        (r#"{"@timestamp":"2025-06-05T08:42:27.148Z","timestamp":"no"}"#, Some(1_749_112_947_148)),
        (r#"{"@timestamp":"2025-06-05T08:42:27.148Z","timestamp":1700000000}"#, Some(1_700_000_000_000)),
        (r#"{"time":12.5,"eventTime":"2025-06-05T11:42:27.148\u002B03:00"}"#, Some(1_749_112_947_148)),
        (r#"{"asctime":"2025-06-05 08:42:27,148"}"#, Some(1_749_112_947_148)),
        (r#"{"date":"2025\/06\/05 08:42:27.148"}"#, Some(1_749_112_947_148)),
        (r#"{"time":1749112947148,"time":"none"}"#, None),
        (r#"{"time":[1749112947148]}"#, None),
        (r#"{"log":{"time":1749112947148}}"#, None),
    ];
    for (text, wanted) in rows {
        let time = seen(text).time(0);
        assert_eq!(time.map(|stamp| stamp.ns / 1_000_000), wanted, "{text}");
    }
}

#[test]
fn levels_are_found_in_order_of_their_names() {
    let rows = [
        (r#"{"level":"warn","severity":"ERROR"}"#, Some(Level::Warning)),
        (r#"{"level":"high","severity":"ERROR"}"#, Some(Level::Error)),
        (r#"{"level":30,"msg":"pino"}"#, Some(Level::Info)),
        (r#"{"log.level":"error"}"#, Some(Level::Error)),
        (r#"{"log":{"level":"error","logger":"x"}}"#, Some(Level::Error)),
        (r#"{"log":{"logger":"x"},"levelname":"DEBUG"}"#, Some(Level::Debug)),
        (r#"{"log":"error"}"#, None),
        (r#"{"log":"error","lvl":4}"#, Some(Level::Warning)),
        (r#"{"@l":"Fatal","@t":"x"}"#, Some(Level::Critical)),
        (r#"{"message":"ERROR"}"#, None),
    ];
    for (text, wanted) in rows {
        assert_eq!(seen(text).level(), wanted, "{text}");
    }
}
