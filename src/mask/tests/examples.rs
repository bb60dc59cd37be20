//! Every row's own examples, in every place where they can stand; and whole objects.

use super::{default_masker, everything, hits, mask, mask_with};
use crate::mask::Scratch;
use crate::mask::detect::{DETECTORS, SECRET};

/// Input and output of every example of every row.
fn examples() -> Vec<(&'static str, &'static str, &'static str)> {
    let masked = DETECTORS.iter().flat_map(|row| row.masked.iter().map(|(from, to)| (row.name, *from, *to)));
    let spared = DETECTORS.iter().flat_map(|row| row.spared.iter().map(|same| (row.name, *same, *same)));
    masked.chain(spared).collect()
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn all_escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}

#[test]
fn each_row_does_what_its_examples_say_in_text() {
    let masker = everything();
    for (row, from, to) in examples() {
        assert_eq!(masker.text(from), to, "{row}: {from}");
        assert_eq!(mask(masker, &[from]), [to], "{row}, by the look: {from}");
    }
}

#[test]
fn each_row_does_it_in_json_strings_keys_and_escapes() {
    let masker = everything();
    for (row, from, to) in examples() {
        for string in [quoted(from), all_escaped(from), quoted(from).replace('/', "\\/"), quoted(&format!("\n{from}"))]
        {
            let line = format!(r#"{{"n": 1.50,"m":{string} ,"x":[{string}],"é":"\u00e9"}}"#);
            let output = mask(masker, &[&line]).remove(0);
            let value: serde_json::Value = serde_json::from_str(&output).unwrap();
            let text = value["m"].as_str().unwrap().trim_start_matches('\n');
            assert_eq!(text, to, "{row}: {line}");
            assert_eq!(value["x"][0], value["m"]);
            assert!(output.starts_with(r#"{"n": 1.50,"m":"#) && output.ends_with(r#"],"é":"\u00e9"}"#), "{output}");
        }
    }
}

#[test]
fn no_hit_spans_two_lines_and_neighbours_change_nothing() {
    let masker = everything();
    let mut scratch = Scratch::default();
    for (row, from, _) in examples() {
        for at in (0..=from.len()).filter(|at| from.is_char_boundary(*at)) {
            let (left, right) = from.split_at(at);
            let together = mask_with(masker, &[left, right, from, ""], &mut scratch);
            let alone = [left, right, from, ""].map(|line| masker.text(line).into_owned());
            assert_eq!(together, alone, "{row}: {left} | {right}");
        }
    }
}

#[test]
fn masking_twice_changes_nothing() {
    let masker = everything();
    for (row, _, to) in examples() {
        assert_eq!(masker.text(to), to, "{row}");
    }
}

#[test]
fn objects_keep_their_bytes_but_for_what_is_masked() {
    let masker = default_masker();
    for (from, to) in [
        (r#"{"a":1e999,"b":"x\/y","a":"\u00e9"}"#, r#"{"a":1e999,"b":"x\/y","a":"\u00e9"}"#),
        (r#"{"password":"x","a":1}"#, r#"{"password":"[secret]","a":1}"#),
        (r#"{ "userPassword" : 12 , "a":true}"#, r#"{ "userPassword" : "[secret]" , "a":true}"#),
        (
            r#"{"token":true,"pwd":null,"secret":"","jwt":{}}"#,
            r#"{"token":"[secret]","pwd":null,"secret":"","jwt":{}}"#,
        ),
        (r#"{"a":{"api_key":{"x":["}",{}]}},"b":[]}"#, r#"{"a":{"api_key":"[secret]"},"b":[]}"#),
        (r#"{"pass\u0077ord":"x"}"#, r#"{"pass\u0077ord":"[secret]"}"#),
        (
            r#"{"пароль":"x","\u041f\u0430\u0440\u043e\u043b\u044c":"x"}"#,
            r#"{"пароль":"[secret]","\u041f\u0430\u0440\u043e\u043b\u044c":"[secret]"}"#,
        ),
        (r#"{"card":4111111111111111,"t":1749112947148}"#, r#"{"card":"[card]","t":1749112947148}"#),
        (r#"{"card":-4111111111111111,"f":4.111111111111111e15}"#, r#"{"card":"-[card]","f":4.111111111111111e15}"#),
        (r#"{"bob@example.com":{"a@b.io":1}}"#, r#"{"[email]":{"[email]":1}}"#),
        (r#"{"m":"bob\u0040example.com\n\"q\""}"#, r#"{"m":"[email]\n\"q\""}"#),
        (r#"{"m":"{\"password\":5,\"a\":\"b\"}"}"#, r#"{"m":"{\"password\":\"[secret]\",\"a\":\"b\"}"}"#),
        (
            r#"{"m":"{\"m\":\"{\\\"token\\\":\\\"a b\\\"}\"}"}"#,
            r#"{"m":"{\"m\":\"{\\\"token\\\":\\\"[secret]\\\"}\"}"}"#,
        ),
        (
            r#"{"@timestamp":"2025-06-05T09:02:27.148Z","m":"ok"}"#,
            r#"{"@timestamp":"2025-06-05T09:02:27.148Z","m":"ok"}"#,
        ),
        (
            r#"{"headers":{"Set-Cookie":["a=b; c"],"X-Api-Key":"k"}}"#,
            r#"{"headers":{"Set-Cookie":"[secret]","X-Api-Key":"[secret]"}}"#,
        ),
        (r#"{"m":"\tpwd=x"}"#, r#"{"m":"\tpwd=[secret]"}"#),
        (r#"{"token":"\n"}"#, r#"{"token":"[secret]"}"#),
        (r#"{"password":"[secret]","pass":"***"}"#, r#"{"password":"[secret]","pass":"***"}"#),
    ] {
        let once = mask(masker, &[from]);
        assert_eq!(once, [to]);
        assert_eq!(mask(masker, &[to]), [to], "twice");
    }
}

#[test]
fn escapes_of_json_within_strings_hide_nothing() {
    let masker = default_masker();
    for (from, to) in [
        (r#"{"m":"{\"x\":\"bob\\u0040example.com\"}"}"#, r#"{"m":"{\"x\":\"[email]\"}"}"#),
        (r#"{"m":"{\"x\":\"\\u0062ob@example.com\"}"}"#, r#"{"m":"{\"x\":\"[email]\"}"}"#),
        (r#"{"m":"{\"pass\\u0077ord\":\"hunter2\"}"}"#, r#"{"m":"{\"pass\\u0077ord\":\"[secret]\"}"}"#),
        (
            r#"{"m":"{\"pass\\u0077ord\":\"a\\u0022 hunter2\",\"n\":1}"}"#,
            r#"{"m":"{\"pass\\u0077ord\":\"[secret]\",\"n\":1}"}"#,
        ),
        (r#"{"m":"{\"pass\\u0077ord\":5,\"n\":1}"}"#, r#"{"m":"{\"pass\\u0077ord\":\"[secret]\",\"n\":1}"}"#),
        (
            r#"{"m":"{\"m\":\"{\\\"x\\\":\\\"bob\\\\u0040example.com\\\"}\"}"}"#,
            r#"{"m":"{\"m\":\"{\\\"x\\\":\\\"[email]\\\"}\"}"}"#,
        ),
        (
            r#"{"m":"{\"m\":\"{\\\"pass\\\\u0077ord\\\":\\\"hunter2\\\"}\"}"}"#,
            r#"{"m":"{\"m\":\"{\\\"pass\\\\u0077ord\\\":\\\"[secret]\\\"}\"}"}"#,
        ),
        (r#"text {"m":"bob\u0040example.com"}"#, r#"text {"m":"[email]"}"#),
        (r#"text {"m":"\u0062ob@example.com","n":1}"#, r#"text {"m":"[email]","n":1}"#),
        (r#"text {"pass\u0077ord":"hunter2","n":1}"#, r#"text {"pass\u0077ord":"[secret]","n":1}"#),
        (r#"text {"m":"{\"x\":\"bob\\u0040example.com\"}"}"#, r#"text {"m":"{\"x\":\"[email]\"}"}"#),
        (r#"{"a":1,"m":"{\"x\":\"bob\\u005cu0040example.com\"}"}"#, r#"{"a":1,"m":"[email]"}"#),
        (r#"{"m":"{\"x\":\"caf\\u00e9 \\u0022q\\u0022\"}"}"#, r#"{"m":"{\"x\":\"caf\\u00e9 \\u0022q\\u0022\"}"}"#),
        (r"C:\u0041\user \u12 \u", r"C:\u0041\user \u12 \u"),
    ] {
        assert_eq!(mask(masker, &[from]), [to]);
        assert_eq!(mask(masker, &[to]), [to], "twice");
    }
}

#[test]
fn escapes_of_escapes_hide_nothing_at_any_depth() {
    let masker = default_masker();
    for seed in ["bob@example.com", "{\"password\":\"hunter2\"}"] {
        let mut text = seed.to_owned();
        for depth in 0..4 {
            text = all_escaped(&text).trim_matches('"').to_owned();
            let output = mask(masker, &[&format!(r#"{{"m":"{text}"}}"#)]).concat();
            let value: serde_json::Value = serde_json::from_str(&output).unwrap();
            let shown = value["m"].as_str().unwrap();
            let expected = if seed.starts_with('{') && depth == 0 { "{\"password\":\"[secret]\"}" } else { shown };
            assert_eq!(shown, expected);
            assert!(shown.contains("[email]") || shown.contains("[secret]"), "{depth}: {shown}");
            assert!(!shown.contains("u0032"), "{depth}: {shown}");
            assert_eq!(mask(masker, &[&output]), [output.as_str()], "twice");
        }
    }
    let deepest = format!(r#"{{"m":"x{}u0041"}}"#, "\\u005c".repeat(1 << 12));
    let mut scratch = Scratch::default();
    assert!(mask_with(masker, &[&deepest], &mut scratch).is_empty());
    assert_eq!(scratch.held, 1);
}

#[test]
fn hits_are_counted_by_detector() {
    let lines = ["a@x.io and b@x.io", r#"{"password":1,"m":"token=5 a@x.io"}"#, "clean", "4111 1111 1111 1111"];
    let expected = [("secret", 2), ("email", 3), ("card", 1)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(hits(default_masker(), &lines), expected);
}

#[test]
fn the_row_of_secret_keys_is_where_the_walk_looks_for_it() {
    assert_eq!(DETECTORS[SECRET].name, "secret");
    assert!(DETECTORS.len() <= 128, "a set has 128 bits");
}
