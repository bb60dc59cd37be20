//! Rules as users write them, through the room's door.

use super::*;
use crate::base::records::{Keys, Level, Origin, Record, Shape, Time};
use crate::base::source::{Kind, Position, SourceId};

fn source() -> Source {
    Source {
        id: SourceId::new(1),
        kind: Kind::Docker,
        name: "shop".into(),
        container_name: "web-1".into(),
        service_name: "web".into(),
        stream: None,
        path: None,
        mask: None,
        timezone: "utc".into(),
    }
}

/// The records of these lines and their text.
fn records(lines: &[(&str, Option<Level>)]) -> (String, Records) {
    let (mut text, mut records) = (String::new(), Records::default());
    for (line, level) in lines {
        let start = u32::try_from(text.len()).unwrap();
        text.push_str(line);
        records.items.push(Record {
            line: u32::try_from(records.items.len()).unwrap(),
            position: Position::default(),
            start,
            end: u32::try_from(text.len()).unwrap(),
            shape: if line.starts_with('{') { Shape::Object } else { Shape::Text },
            time: Time { ns: 0, digits: 0, origin: Origin::Read },
            level: *level,
            own: Keys::NONE,
            clash: Keys::NONE,
            cut: false,
        });
        text.push('\n');
    }
    (text, records)
}

#[derive(Deserialize)]
struct File {
    filter: Vec<Config>,
}

fn configs(toml: &str) -> Vec<Config> {
    toml::from_str::<File>(toml).unwrap().filter
}

/// Which of the lines pass the rules, and the drops by rule.
fn check(toml: &str, lines: &[(&str, Option<Level>)], kept: &[u32], drops: &[(&str, u64)]) {
    let filter = Filter::new(&configs(toml)).unwrap();
    let (text, mut records) = records(lines);
    let mut counted = Vec::new();
    filter.apply(&source(), &text, &mut records, &mut |name, count| counted.push((name.to_owned(), count)));
    let seen: Vec<u32> = records.items.iter().map(|record| record.line).collect();
    assert_eq!(seen, kept, "{toml}");
    let counted: Vec<(&str, u64)> = counted.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counted, drops, "{toml}");
}

/// For which of the lines the condition holds.
fn holds(when: &str, lines: &[(&str, Option<Level>)]) -> Vec<u32> {
    let condition = Condition::new(&toml::from_str(when).unwrap()).unwrap();
    let (text, records) = records(lines);
    let source = source();
    let here = condition.at(&source);
    let held =
        records.items.iter().filter(|record| here.holds(&text[record.start as usize..record.end as usize], record));
    held.map(|record| record.line).collect()
}

const LINES: [(&str, Option<Level>); 6] = [
    ("GET /health 200", None),
    ("debugging", Some(Level::Debug)),
    (r#"{"status":200,"http":{"method":"GET"},"ok":true,"path":"\/a\u0062"}"#, Some(Level::Info)),
    (r#"{"status":"200","http.method":"POST","message":"x"}"#, Some(Level::Warning)),
    (r#"{"status":503,"none":null}"#, Some(Level::Error)),
    ("out of memory", Some(Level::Critical)),
];

#[test]
fn conditions_hold_for_what_they_say() {
    let rows: [(&str, &[u32]); 25] = [
        ("", &[0, 1, 2, 3, 4, 5]),
        (r#"level = ["debug", "ERROR"]"#, &[1, 4]),
        (r#"level_below = "WARNING""#, &[1, 2]),
        (r#"level_at_least = "ERROR""#, &[4, 5]),
        ("level_at_least = \"INFO\"\nlevel_below = \"ERROR\"", &[2, 3]),
        ("level_at_least = \"INFO\"\nnot = true", &[0, 1]),
        (r#"source = ["shop"]"#, &[0, 1, 2, 3, 4, 5]),
        (r#"source = ["other", "sh*"]"#, &[0, 1, 2, 3, 4, 5]),
        (r#"source = ["web-1"]"#, &[]),
        (r#"container = ["web-?"]"#, &[0, 1, 2, 3, 4, 5]),
        (r#"container = ["db-*"]"#, &[]),
        ("container = [\"db-*\"]\nnot = true", &[0, 1, 2, 3, 4, 5]),
        (r#"field = { status = "200" }"#, &[2, 3]),
        ("field = { status = 200 }", &[2, 3]),
        ("field = { ok = true }", &[2]),
        (r#"field = { none = "null" }"#, &[4]),
        (r#"field = { "http.method" = "GET" }"#, &[2]),
        (r#"field = { "http.method" = "POST" }"#, &[3]),
        (r#"field = { path = "/ab" }"#, &[2]),
        (r#"field = { status = 200, "http.method" = "GET" }"#, &[2]),
        (r#"field = { message = "debugging" }"#, &[1]),
        (r#"matches = { message = "^(GET /health|x)" }"#, &[0, 3]),
        (r#"matches = { status = "^5" }"#, &[4]),
        (r#"matches = { status = "" }"#, &[2, 3, 4]),
        (r#"matches = { nothing = "" }"#, &[]),
    ];
    for (when, lines) in rows {
        assert_eq!(holds(when, &LINES), lines, "{when}");
    }
}

#[test]
fn the_first_rule_that_decides_counts() {
    type Row<'a> = (&'a str, &'a [u32], &'a [(&'a str, u64)]);
    let rows: [Row<'_>; 5] = [
        ("filter = []", &[0, 1, 2, 3, 4, 5], &[]),
        (
            "[[filter]]\nname = 'noise'\naction = 'drop'\nwhen = { level_below = 'WARNING' }",
            &[0, 3, 4, 5],
            &[("noise", 2)],
        ),
        (
            "[[filter]]\naction = 'keep'\nwhen = { field = { status = 200 } }\n\
             [[filter]]\naction = 'drop'\nwhen = { level_at_least = 'INFO' }\n\
             [[filter]]\naction = 'drop'\nwhen = { matches = { message = 'health' } }",
            &[1, 2, 3],
            &[("filter[1]", 2), ("filter[2]", 1)],
        ),
        (
            "[[filter]]\naction = 'keep'\nwhen = { level = ['CRITICAL'] }\n\
             [[filter]]\nname = 'rest'\naction = 'drop'\nall = true",
            &[5],
            &[("rest", 5)],
        ),
        ("[[filter]]\naction = 'drop'\nwhen = { container = ['db'] }", &[0, 1, 2, 3, 4, 5], &[]),
    ];
    for (toml, kept, drops) in rows {
        check(toml, &LINES, kept, drops);
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let rules = configs(
        "[[filter]]\naction = 'drop'\n\
         [[filter]]\nwhen = { level = ['INFO', 'warn'], level_below = 'eror', source = ['a', '[z-'] }\n\
         [[filter]]\naction = 'keep'\nwhen = { matches = { 'a.b' = '(x' }, container = ['{'] }\n\
         [[filter]]\naction = 'drop'\nwhen = { level_below = 'DEBUG' }\n\
         [[filter]]\naction = 'drop'\nwhen = { not = true }\n\
         [[filter]]\naction = 'drop'\nall = true\nwhen = { level = ['INFO'] }",
    );
    let faults = Filter::new(&rules).unwrap_err();
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    let wanted = [
        "[0]",
        "[1].action",
        "[1].when.level[1]",
        "[1].when.level_below",
        "[1].when.source[1]",
        "[2].when.container[0]",
        "[2].when.matches.a.b",
        "[3].when.level_below",
        "[4].when.not",
        "[5].all",
    ];
    assert_eq!(keys, wanted);
    assert!(faults[2].hint.as_ref().is_some_and(|hint| hint.contains("did you mean \"WARNING\"")), "{:?}", faults[2]);
    assert!(faults[6].message.contains("unclosed group"), "{:?}", faults[6]);
}

#[test]
fn unknown_keys_are_refused() {
    for toml in ["colour = 1", "when = { levels = [] }", "action = 'mask'"] {
        assert!(toml::from_str::<Config>(toml).is_err(), "{toml}");
    }
}
