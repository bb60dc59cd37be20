//! The scanner against tables, and against `serde_json`.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn nested(depth: usize) -> String {
    format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
}

#[test]
fn only_objects_to_the_last_byte_pass() {
    let pass = [
        r"{}",
        " {\t} \r\n",
        r#"{"a":1}"#,
        r#"{ "a" : [ 1 , { } , [ ] , "x" ] , "a" : null }"#,
        r#"{"":{"":{"":true}},"b":false}"#,
        r#"{"n":[0,-0,0.5,-1.25e+9,1E5,1e999,18446744073709551616,123456789012345678901234567890]}"#,
        r#"{"s":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00","half":"\ud800"}"#,
        "{\"s\":\"\u{7f}три\u{2028}\"}",
        &nested(127),
    ];
    let fail = [
        "",
        " ",
        "{",
        "}",
        "[]",
        "1",
        r#""a""#,
        "null",
        "{} {}",
        "{}x",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a":1 "b":2}"#,
        r"{a:1}",
        r"{'a':1}",
        r#"{"a":[1,]}"#,
        r#"{"a":[1}}"#,
        r#"{"a":{]}"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":.5}"#,
        r#"{"a":1.}"#,
        r#"{"a":1e}"#,
        r#"{"a":-}"#,
        r#"{"a":NaN}"#,
        r#"{"a":tru}"#,
        r#"{"a":True}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"x}"#,
        "{\"a\":\"tab\there, and eight more\"}",
        "{\"a\":1}\u{a0}",
        "\u{feff}{}",
        "{\"a\":1}//",
        &nested(128),
    ];
    for text in pass {
        assert!(is_object(text), "{text}");
    }
    for text in fail {
        assert!(!is_object(text), "{text}");
    }
}

#[test]
fn depth_is_what_serde_json_reads() {
    assert!(serde_json::from_str::<Value>(&nested(127)).is_ok());
    assert!(serde_json::from_str::<Value>(&nested(128)).is_err());
}

#[test]
fn members_come_as_written() {
    let text = r#" { "a" : "x\n" , "b\"":{"c":[1, 2]},"a":-1.50 }"#;
    let seen: Vec<_> = members(text).map(|member| (&text[member.key], &text[member.value])).collect();
    assert_eq!(seen, [("a", r#""x\n""#), (r#"b\""#, r#"{"c":[1, 2]}"#), ("a", "-1.50")]);
}

#[test]
fn fields_are_found_by_path() {
    let text =
        r#"{"a":{"b":{"c":1},"b.c":2},"a.b":{"d":3},"\u0065":4,"x":"s","x":"t","f":{"g":5},"f.g":6,"y":[{"z":1}]}"#;
    let rows = [
        ("a.b.c", Some("2")),
        ("a.b.d", Some("3")),
        ("e", Some("4")),
        ("x", Some("\"t\"")),
        ("f.g", Some("6")),
        ("x.y", None),
        ("y.z", None),
        ("a.", None),
        ("", None),
        ("nothing", None),
    ];
    for (path, value) in rows {
        assert_eq!(find(text, path), value, "{path}");
    }
    assert_eq!(find(r#"{"a":{"b":1},"a":2}"#, "a.b"), Some("1"));
    assert_eq!(string_inside(r#""a\"b""#), Some(r#"a\"b"#));
    assert_eq!(string_inside("12"), None);
}

#[test]
fn escapes_stand_for_characters() {
    let rows = [
        ("plain", "plain"),
        (r#"a\"\\\/\b\f\n\r\tz"#, "a\"\\/\u{8}\u{c}\n\r\tz"),
        (r"\u0441\u00E9x", "\u{441}\u{e9}x"),
        (r"\ud83d\ude00!", "\u{1f600}!"),
        (r"\ud83d", "\u{fffd}"),
        (r"\ud83dx", "\u{fffd}x"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83d\u0041", "\u{fffd}A"),
    ];
    for (inside, text) in rows {
        assert_eq!(unescape(inside), text, "{inside}");
    }
    assert!(matches!(unescape("plain"), Cow::Borrowed(_)));
    for broken in ["\\", "\\u", "\\u12", "\\u12\u{e9}", "\\\u{e9}"] {
        let _ = unescape(broken);
    }
}

/// Something like JSON, often valid, often nearly so.
fn almost_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        "\"([ -!#-\\[\\]-~а-я]|\\\\[\"\\\\/bfnrt]|\\\\u00[0-9a-f]{2}){0,20}\"",
    ];
    let value = scalar.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(" , "))),
            prop::collection::vec((any::<u8>(), inner), 0..4).prop_map(|all| {
                let members: Vec<_> = all.iter().map(|(key, value)| format!("\"k{key}\":{value}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    });
    value.prop_map(|value| format!("{{\"a\":{value}}}"))
}

/// Lone surrogates aside, which `serde_json` refuses.
fn serde_agrees(text: &str) -> bool {
    let theirs = matches!(serde_json::from_str::<Value>(text), Ok(Value::Object(_)));
    is_object(text) == theirs || text.contains("\\u")
}

proptest! {
    #[test]
    fn valid_objects_pass_as_with_serde(text in almost_json()) {
        prop_assert!(is_object(&text));
        prop_assert!(serde_agrees(&text));
    }

    /// Names, values and their order, and nothing between them.
    #[test]
    fn members_are_those_of_serde(
        values in prop::collection::vec((any::<String>(), almost_json(), "[ \t\n]{0,2}"), 0..6),
    ) {
        let written = |(name, value, space): &(String, String, String)| {
            format!("{space}{}{space}:{space}{value}{space}", serde_json::to_string(name).unwrap())
        };
        let text = format!(" {{{}}} ", values.iter().map(written).collect::<Vec<_>>().join(","));
        let mut walk = members(&text);
        let ours: Vec<_> = walk.by_ref().map(|one| (unescape(&text[one.key]).into_owned(), &text[one.value])).collect();
        prop_assert!(walk.is_whole());
        prop_assert_eq!(&ours, &values.iter().map(|(name, value, _)| (name.clone(), value.as_str())).collect::<Vec<_>>());
        let ours: serde_json::Map<_, _> =
            ours.into_iter().map(|(name, value)| (name, serde_json::from_str(value).unwrap())).collect();
        prop_assert_eq!(Value::Object(ours), serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn damaged_objects_fail_as_with_serde(
        text in almost_json(),
        at in any::<prop::sample::Index>(),
        byte in "[ \t\"\\\\{}\\[\\],:.eE+0-9a-z\u{1}\u{e9}-]{0,2}",
    ) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = places[at.index(places.len())];
        let mut rest = text[at..].chars();
        rest.next();
        let damaged = format!("{}{byte}{}", &text[..at], rest.as_str());
        prop_assert!(serde_agrees(&damaged), "{}", damaged);
    }

    #[test]
    fn strings_unescape_as_with_serde(text in any::<String>()) {
        let written = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(unescape(string_inside(&written).unwrap()), text);
    }

    #[test]
    fn nothing_panics(text in any::<String>(), path in any::<String>()) {
        let _ = (is_object(&text), find(&text, &path), unescape(&text));
    }
}
