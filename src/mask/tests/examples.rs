//! Every row's own examples, in every place where they can stand; and whole objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{default_masker, everything, hits, mask, mask_with};
use crate::base::source::SourceId;
use crate::mask::detect::{DETECTORS, SECRET};
use crate::mask::{Config, MaskedFields, Masker, Origin, Scratch};

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
    let mut wrong = Vec::new();
    for (row, from, to) in examples() {
        let alone = masker.text(from);
        if alone != to {
            wrong.push(format!("{row}: {from:?} became {alone:?}"));
        }
        if mask(masker, &[from]) != [alone] {
            wrong.push(format!("{row}: {from:?} is another by the look"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_row_does_it_in_json_strings_keys_and_escapes() {
    let masker = everything();
    let mut wrong = Vec::new();
    for (row, from, to) in examples() {
        for string in [quoted(from), all_escaped(from), quoted(from).replace('/', "\\/"), quoted(&format!("\n{from}"))]
        {
            let line = format!(r#"{{"n": 1.50,"m":{string} ,"x":[{string}],"é":"\u00e9"}}"#);
            let output = mask(masker, &[&line]).remove(0);
            let value: serde_json::Value = serde_json::from_str(&output).unwrap();
            let text = value["m"].as_str().unwrap().trim_start_matches('\n');
            if text != to {
                wrong.push(format!("{row}: {line} has {text:?}"));
            }
            assert_eq!(value["x"][0], value["m"]);
            assert!(output.starts_with(r#"{"n": 1.50,"m":"#) && output.ends_with(r#"],"é":"\u00e9"}"#), "{output}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn numbers_are_masked_wherever_they_stand_in_json() {
    let masker = everything();
    let mut numbers = examples();
    numbers.retain(|(_, from, to)| from != to && from.parse::<u64>().is_ok_and(|number| number.to_string() == *from));
    numbers.push(("card", "4111111111111111", "[card]"));
    for (row, number, _) in numbers {
        for line in [
            format!(r#"{{"n": {number}}}"#),
            format!(r#"{{"n":[7,{number}, {number} ,{number}]}}"#),
            format!("{{\"n\" :\t{number} , \"a\":-1}}"),
        ] {
            let output = mask(masker, &[&line]).remove(0);
            assert!(!output.contains(number), "{row}: {line} became {output}");
        }
    }
}

#[test]
fn a_line_of_a_key_is_hidden_wherever_its_chunk_has_it() {
    let masker = default_masker();
    let bytes: Vec<u8> = (0..46_u32).map(|number| (number * number * 37 + number * 11) as u8).collect();
    let line = STANDARD.encode(bytes);
    assert!(line.len() == 64 && line.ends_with("=="));
    for before in 0..130 {
        assert_eq!(mask(masker, &[&"-".repeat(before), &line, "x"])[1], "[private_key]", "behind {before} bytes");
    }
}

/// The agent leaves it in the chunk, before the first line.
#[test]
fn a_byte_order_mark_hides_nothing_of_the_first_line() {
    let masker = default_masker();
    for line in [
        "ghp_0123456789abcdefABCDEF0123456789abcd",
        "pwd=hunter2",
        "4111111111111111",
        "a@b.io",
        "bearer 0123456789abcdef",
    ] {
        let (text, mut records) = super::chunk(&[&format!("\u{feff}{line}")]);
        records.items[0].start += 3;
        let (fields, mut scratch) = (MaskedFields::default(), Scratch::default());
        let origin = Origin { source: SourceId::new(1), generation: 0, seen_ms: 0 };
        let masked = masker.mask(&text, &records, origin, &fields, &mut scratch);
        assert_eq!(masked.records().next().unwrap().text, masker.text(line));
        assert_ne!(masker.text(line), line);
    }
}

#[test]
fn a_string_becomes_what_it_would_as_text_whatever_stands_before() {
    let masker = everything();
    let mut wrong = Vec::new();
    for (row, from, _) in examples() {
        for before in ["x\n", "x\n-", "x\t.", "x\r-", "x\u{c}.", "\u{8}-", "a\\", "7, ", "- "] {
            let text = format!("{before}{from}");
            let line = format!(r#"{{"m":{}}}"#, quoted(&text));
            let value: serde_json::Value = serde_json::from_str(&mask(masker, &[&line]).remove(0)).unwrap();
            let (string, as_text) = (value["m"].as_str().unwrap(), masker.text(&text));
            if string != as_text {
                wrong.push(format!("{row}: {line} has {string:?}, not {as_text:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
    let twice = |(row, _, to): (&str, _, &str)| (masker.text(to) != to).then(|| format!("{row}: {to}"));
    let wrong: Vec<String> = examples().into_iter().filter_map(twice).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
        (r#"{"a":1,"m":"{\"x\":\"bob\\u005cu0040example.com\"}"}"#, r#"{"a":1,"m":"{\"x\":\"[email]\"}"}"#),
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
fn wrappings_hide_nothing_and_are_taken_whole() {
    let masker = everything();
    for (from, to) in [
        ("?q=bob%2540example.com&x=1", "?q=[email]&x=1"),
        ("?q=b%6Fb%40ex%61mple.com&x=%20", "?q=[email]&x=%20"),
        ("?q=%D0%B8%D0%B2%D0%B0%D0%BD%40%D0%BF%D0%BE%D1%87%D1%82%D0%B0.%D1%80%D1%84", "?q=[email]"),
        ("p%61ssword=hunter2 x", "p%61ssword=[secret] x"),
        ("%7B%22password%22%3A%22hunter2%22%7D", "%7B%22password%22%3A%22[secret]%22%7D"),
        ("<a>bob&#64;example.com</a>", "<a>[email]</a>"),
        ("bob&#x40;example&period;com &lt;b&gt;", "[email] &lt;b&gt;"),
        ("bob&amp;commat;example.com", "[email]"),
        (
            "{&quot;token&quot;:&quot;a b&quot;,&quot;n&quot;:1}",
            "{&quot;token&quot;:&quot;[secret]&quot;,&quot;n&quot;:1}",
        ),
        ("bob\u{200b}@exa\u{ad}mple.com", "[email]"),
        ("4111\u{2060}1111\u{feff}11111111", "[card]"),
        ("４１１１１１１１１１１１１１１１ ＯＫ", "[card] ＯＫ"),
        ("٤١١١١١١١١١١١١١١١", "[card]"),
        ("𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏", "[card]"),
        ("bob＠example．com", "[email]"),
        (r"{\x22password\x22:\x22hunter2\x22}", r"{\x22password\x22:\x22[secret]\x22}"),
        (r"bob\x40example.com\x0a", r"[email]\x0a"),
        (r#"text {"u":"https:\/\/bob:hunter2@h\/x"}"#, r#"text {"u":"https:\/\/bob:[password]@h\/x"}"#),
        ("bob%26%2364%3Bexample.com", "[email]"),
        (r#"{"a%62":"x","pass%77ord":"x","m":"%41%"}"#, r#"{"a%62":"x","pass%77ord":"[secret]","m":"%41%"}"#),
        ("100% %zz &nbsp; &unknown; a&b — «x» ✔️ %", "100% %zz &nbsp; &unknown; a&b — «x» ✔️ %"),
    ] {
        assert_eq!(mask(masker, &[from]), [to]);
        assert_eq!(mask(masker, &[to]), [to], "twice");
    }
}

#[test]
fn base64_is_looked_into_when_the_user_wants_it() {
    let config = Config { base64: true, ..Config::default() };
    let masker = Masker::new(&config).unwrap();
    let wrap = |text: &str| STANDARD.encode(text);
    let (once, harmless) = (wrap("to bob@example.com"), wrap("nothing is in here"));
    let deep = wrap(&wrap("password=hunter2 and more"));
    for (from, to) in [
        (format!("a {once} b"), "a [email] b".to_owned()),
        (format!("/x/{once}/{harmless}"), format!("/x/[email]/{harmless}")),
        (format!(r#"{{"m":"{deep}"}}"#), r#"{"m":"[secret]"}"#.to_owned()),
        (format!("x={}", once.replace('=', "%3D")), "x=[email]".to_owned()),
    ] {
        assert_eq!(mask(&masker, &[&from]).concat(), to);
        assert_eq!(mask(&masker, &[&to]).concat(), to, "twice");
        assert_eq!(mask(default_masker(), &[&from]).concat(), from, "off");
    }
}

#[test]
fn a_private_key_that_is_logged_line_by_line_is_hidden() {
    let body = "EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00";
    let (begin, end) = ("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----");
    let tag = "[private_key]";
    for (from, to) in [
        ([begin, body, "EXAMPLEexample00", end], [begin, tag, tag, end]),
        ([body, body, "AB==", "ready"], [tag, tag, tag, "ready"]),
        (["EXAMPLEexample00", end, "EXAMPLEexample00", "x"], [tag, end, "EXAMPLEexample00", "x"]),
        (
            [body, "started 12", "EXAMPLEexample00", "-----END CERTIFICATE-----"],
            [tag, "started 12", "EXAMPLEexample00", "-----END CERTIFICATE-----"],
        ),
    ] {
        assert_eq!(mask(default_masker(), &from), to);
        assert_eq!(mask(default_masker(), &to), to, "twice");
    }
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
