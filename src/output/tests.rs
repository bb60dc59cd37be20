//! The encoder through its door: the records on the wire, whatever the store.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::base::records::{Fields, Key, Keys, Level, Origin, Record, Records, Shape, Time};
use crate::base::source::{Position, SourceId};
use crate::mask::{self, Masker, Scratch};

/// 2025-11-22T13:47:34.123Z, the time of reading in these tests.
pub(super) const SEEN_MS: i64 = 1_763_819_254_123;

/// One line as a decoder would have understood it.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) time: Time,
    pub(super) level: Option<Level>,
    pub(super) own: Vec<Key>,
    pub(super) clash: Vec<Key>,
    pub(super) cut: bool,
    pub(super) position: Position,
}

pub(super) fn given(text: &str) -> Given {
    Given {
        text: text.to_owned(),
        time: Time { ns: SEEN_MS * 1_000_000, digits: 3, origin: Origin::Line },
        level: Some(Level::Info),
        own: Vec::new(),
        clash: Vec::new(),
        cut: false,
        position: Position { at: 42, tie: 7 },
    }
}

pub(super) fn web() -> Fields {
    let fields = [
        (Key::ContainerName, "web"),
        (Key::ServiceName, "Shop"),
        (Key::HostName, "h1"),
        (Key::SourceName, "docker"),
        (Key::Stream, "stdout"),
    ];
    Fields(fields.map(|(key, value)| (key, value.to_owned())).to_vec())
}

fn keys(list: &[Key]) -> Keys {
    let mut keys = Keys::NONE;
    list.iter().for_each(|key| keys.insert(*key));
    keys
}

/// Encodes one chunk of the given lines. What it wrote, and how many items.
pub(super) fn encode(encoder: &mut Encoder, fields: &Fields, lines: &[Given]) -> (String, u32) {
    let mut text = String::new();
    let mut records = Records::default();
    for (line, given) in (0..).zip(lines) {
        let start = text.len() as u32;
        text.push_str(&given.text);
        records.items.push(Record {
            line,
            position: given.position,
            start,
            end: text.len() as u32,
            shape: if given.text.starts_with('{') { Shape::Object } else { Shape::Text },
            time: given.time,
            level: given.level,
            own: keys(&given.own),
            clash: keys(&given.clash),
            cut: given.cut,
        });
    }
    let masker = Masker::new(&mask::Config { enabled: false, ..mask::Config::default() }).unwrap();
    let fields = masker.fields(fields);
    let origin = mask::Origin { source: SourceId::new(0x1_2345_6789), generation: 0, seen_ms: SEEN_MS };
    let mut scratch = Scratch::default();
    let masked = masker.mask(&text, &records, origin, &fields, &mut scratch);
    let mut out = Vec::new();
    let items = encoder.encode(&masked, &mut |_| true, &mut out);
    (String::from_utf8(out).unwrap(), items)
}

pub(super) fn encoder(config: &str) -> Encoder {
    Encoder::new(&toml::from_str(config).unwrap()).unwrap()
}

fn line(format: &str, given: Given) -> String {
    let config = format!("type = \"file\"\nformat = \"{format}\"");
    let (out, items) = encode(&mut encoder(&config), &web(), &[given]);
    assert_eq!(items, 1);
    let line = out.strip_suffix('\n').expect("one line").to_owned();
    assert!(!line.contains('\n'), "{line}");
    line
}

const OURS: &str = r#""time":1763819254123,"level":"INFO","container_name":"web","service_name":"Shop","host_name":"h1","source_name":"docker","stream":"stdout""#;

#[test]
fn a_flat_record_is_the_lines_own_bytes_and_what_it_lacks() {
    let with =
        |text: &str, own: &[Key], clash: &[Key]| Given { own: own.to_vec(), clash: clash.to_vec(), ..given(text) };
    let rest = OURS.split_once(",\"level\"").unwrap().1;
    let rows = [
        (given("plain"), format!(r#"{{"message":"plain",{OURS}}}"#)),
        (given("a \"b\"\t\\ \u{1}é"), format!("{{\"message\":\"a \\\"b\\\"\\t\\\\ \\u0001é\",{OURS}}}")),
        (given(""), format!(r#"{{"message":"",{OURS}}}"#)),
        (given("{}"), format!("{{{OURS}}}")),
        (given("{ }"), format!("{{ {OURS}}}")),
        (
            given(r#"{"n":18446744073709551615,"x":1e999,"a":1,"a":2}"#),
            format!(r#"{{"n":18446744073709551615,"x":1e999,"a":1,"a":2,{OURS}}}"#),
        ),
        (given("{\"a\":\n1 }"), format!("{{\"a\": 1 ,{OURS}}}")),
        (with(r#"{"time":5}"#, &[Key::Time], &[]), format!(r#"{{"time":5,"level"{rest}}}"#)),
        (
            with(r#"{"level":30}"#, &[Key::Level], &[Key::Level]),
            format!(r#"{{"level":30,{}}}"#, OURS.replace("\"level\"", "\"logferry_level\"")),
        ),
        (
            with(r#"{"level":30,"logferry_level":"INFO"}"#, &[Key::Level], &[Key::Level]),
            format!(r#"{{"level":30,"logferry_level":"INFO",{}}}"#, OURS.replace("\"level\":\"INFO\",", "")),
        ),
        (
            with(r#"{"host_name":{"a":1}}"#, &[Key::HostName], &[Key::HostName]),
            format!(r#"{{"host_name":{{"a":1}},{}}}"#, OURS.replace("\"host_name\"", "\"logferry_host_name\"")),
        ),
        (
            with(r#"{"stream":"x"}"#, &[Key::Stream], &[]),
            format!(r#"{{"stream":"x",{}}}"#, OURS.replace(",\"stream\":\"stdout\"", "")),
        ),
        (Given { cut: true, ..given("half") }, format!(r#"{{"message":"half",{OURS},"logferry_cut":true}}"#)),
        (
            Given { level: None, ..given("x") },
            format!(r#"{{"message":"x",{}}}"#, OURS.replace("\"level\":\"INFO\",", "")),
        ),
    ];
    for (given, expected) in rows {
        assert_eq!(line("flat", given), expected);
    }
}

#[test]
fn a_nested_record_has_the_object_under_log_and_never_clashes() {
    let rest = OURS.replace("\"container_name\":\"web\",", "");
    let clash =
        Given { own: vec![Key::Level, Key::Time], clash: vec![Key::Level], ..given(r#"{"level":30,"time":1}"#) };
    let rows = [
        (given("plain"), format!(r#"{{"log":{{"message":"plain"}},"node":"web",{rest}}}"#)),
        (given("{}"), format!(r#"{{"log":{{}},"node":"web",{rest}}}"#)),
        (clash, format!(r#"{{"log":{{"level":30,"time":1}},"node":"web",{rest}}}"#)),
        (
            Given { cut: true, ..given("half") },
            format!(r#"{{"log":{{"message":"half"}},"node":"web",{rest},"logferry_cut":true}}"#),
        ),
    ];
    for (given, expected) in rows {
        assert_eq!(line("nested", given), expected);
    }
}

#[test]
fn only_wanted_records_are_written_and_none_writes_nothing() {
    let masker = Masker::new(&mask::Config { enabled: false, ..mask::Config::default() }).unwrap();
    let fields = masker.fields(&web());
    let (mut scratch, origin) =
        (Scratch::default(), mask::Origin { source: SourceId::new(1), generation: 0, seen_ms: 0 });
    let masked = masker.mask("", &Records::default(), origin, &fields, &mut scratch);
    for kind in ["elasticsearch", "opensearch", "loki", "stdout", "file"] {
        let mut encoder = encoder(&format!("type = \"{kind}\""));
        let mut out = Vec::new();
        assert_eq!(encoder.encode(&masked, &mut |_| true, &mut out), 0);
        assert!(out.is_empty(), "{kind}");
        let (out, items) = encode(&mut encoder, &web(), &[given("a"), given("b")]);
        assert_eq!(items, 2, "{kind}");
        assert!(out.contains('a') && out.contains('b'));
    }
}

/// Names and values that no decoder would call ours.
fn member() -> impl Strategy<Value = (String, Value)> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        Just(Value::Null),
    ];
    let value = scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((".{0,4}", inner), 0..4).prop_map(Value::from_iter),
        ]
    });
    (".{0,6}".prop_map(|name| format!("x{name}")), value)
}

proptest! {
    #[test]
    fn any_object_keeps_its_bytes_and_every_body_is_json(members in proptest::collection::vec(member(), 0..6)) {
        let object = Value::from_iter(members).to_string();
        let inner = &object[1..object.len() - 1];
        for kind in ["file", "elasticsearch", "loki"] {
            let mut encoder = encoder(&format!("type = \"{kind}\""));
            let (out, _) = encode(&mut encoder, &web(), &[given(&object)]);
            let document = match kind {
                "file" => out,
                "elasticsearch" => out.lines().nth(1).unwrap().to_owned(),
                _ => loki::entries(&framed(&encoder, &out)).unwrap()[0].entries[0].line.clone(),
            };
            prop_assert_eq!(&document[1..=inner.len()], inner);
            let parsed: Value = serde_json::from_str(&document).unwrap();
            prop_assert_eq!(&parsed["container_name"], &json!("web"));
        }
    }

    #[test]
    fn any_text_is_the_message(text in "[^{].*") {
        let parsed: Value = serde_json::from_str(&line("flat", given(&text))).unwrap();
        prop_assert_eq!(&parsed["message"], &json!(text));
    }
}

/// A whole body of one part.
pub(super) fn framed(encoder: &Encoder, part: &str) -> Vec<u8> {
    [encoder.head(), part.as_bytes(), encoder.tail()].concat()
}

#[test]
fn a_terminal_gets_one_readable_line_that_cannot_steer_it() {
    let level = |level: Option<Level>, text: &str| Given { level, ..given(text) };
    let rows = [
        (given("hello"), "13:47:34.123 INFO  web  hello\n"),
        (level(None, "hello"), "13:47:34.123       web  hello\n"),
        (level(Some(Level::Critical), "\x1b[2Jx\u{9b}y"), "13:47:34.123 CRIT  web  \u{FFFD}[2Jx\u{FFFD}y\n"),
        (given("a\nb"), "13:47:34.123 INFO  web  a\n    b\n"),
        (
            given(r#"{"level":"x","msg":"he\u001bllo","n":1e999,"s":"a b","t":"ab","o":{"a":1}}"#),
            "13:47:34.123 INFO  web  he\u{FFFD}llo level=x n=1e999 s=\"a b\" t=ab o={\"a\":1}\n",
        ),
        (given(r#"{"a":1}"#), "13:47:34.123 INFO  web   a=1\n"),
    ];
    for (given, expected) in rows {
        let mut plain = Encoder::terminal(TimeZone::UTC, false);
        assert_eq!(encode(&mut plain, &web(), &[given]).0, expected);
    }
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    let (out, _) = encode(&mut Encoder::terminal(zone, true), &web(), &[level(Some(Level::Error), "no")]);
    assert!(out.contains("15:47:34.123") && out.contains("\x1b[31mERROR\x1b[0m"), "{out:?}");
}

#[test]
fn faults_of_an_output_are_told_all_at_once() {
    let rows: &[(&str, &[&str])] = &[
        ("type = \"stdout\"", &[]),
        ("type = \"elasticsearch\"", &[]),
        ("type = \"opensearch\"\ndata_stream = true", &[]),
        ("type = \"loki\"\nline = \"message\"", &[]),
        ("type = \"stdout\"\nindex = \"a\"\nline = \"message\"", &["index", "line"]),
        ("type = \"loki\"\ntemplate = \"off\"", &["template"]),
        ("type = \"elasticsearch\"\nlabels = []\nold = \"restamp\"", &["labels", "old"]),
        ("type = \"elasticsearch\"\nindex = \"\"", &["index"]),
        ("type = \"elasticsearch\"\nindex = \"a{b}-{time:%S}-{\"", &["index", "index", "index"]),
        ("type = \"elasticsearch\"\nindex = \"_a b\"", &["index"]),
        ("type = \"elasticsearch\"\nindex = \"-a\"", &["index"]),
        ("type = \"elasticsearch\"\nindex = \"a-{time:%Y}\"\ndata_stream = true", &["index"]),
        ("type = \"loki\"\nlabels = [\"level\", \"nope\", \"stream\"]", &["labels[0]", "labels[1]"]),
        (
            "type = \"loki\"\nstatic_labels = { __x = \"a\", \"1a\" = \"b\", env = \"\", stream = \"c\" }",
            &["static_labels.1a", "static_labels.__x", "static_labels.env", "static_labels.stream"],
        ),
        ("type = \"loki\"\nline = \"message\"\nformat = \"nested\"", &["format"]),
    ];
    for (text, expected) in rows {
        let config: Config = toml::from_str(text).unwrap();
        let keys: Vec<_> = config.check().into_iter().map(|fault| fault.key).collect();
        assert_eq!(keys, *expected, "{text}");
        assert_eq!(Encoder::new(&config).is_ok(), expected.is_empty());
    }
    assert!(toml::from_str::<Config>("type = \"loki\"\nlabel = []").is_err(), "unknown keys are refused");
}
