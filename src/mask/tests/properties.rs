//! What holds for any input: no panic, no leak, valid JSON stays valid, masking twice changes nothing.

use proptest::prelude::*;
use serde_json::Value;

use super::{default_masker, everything, mask, mask_with};
use crate::mask::Scratch;

/// Text that is dense with what detectors look at.
pub(super) fn dense() -> BoxedStrategy<String> {
    let pieces = prop::sample::select(vec![
        "password",
        "token",
        "Cookie",
        "Authorization",
        "=",
        ":",
        " ",
        "\"",
        "\\",
        "\\u0040",
        "\\\\u0062",
        "u005c",
        "\\u0022",
        "'",
        "{",
        "}",
        "[",
        "]",
        ",",
        ";",
        "&",
        "@",
        ".",
        "com",
        "a",
        "bob",
        "x.io",
        "://",
        "/",
        "--",
        "Bearer ",
        "basic ",
        "4111111111111111",
        "4111",
        "-",
        "1",
        "1111",
        "::",
        "fe80",
        "10.0.0.1",
        "\n",
        "\t",
        "é",
        "пароль",
        "%40",
        "[secret]",
        "[email]",
        "***",
        "null",
        "(",
        ")",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat()).boxed()
}

pub(super) fn json(text: BoxedStrategy<String>) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        Just(Value::from(4_111_111_111_111_111_u64)),
        text.clone().prop_map(Value::from),
    ];
    let key = prop_oneof![text, Just("password".to_owned()), Just("a".to_owned())].boxed();
    let tree = leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(Value::from_iter),
        ]
    });
    tree.prop_map(|value| serde_json::json!({ "v": value }))
}

/// Some of a JSON text's ASCII characters as `\u00…`.
pub(super) fn escape_some(json: &str, which: u64) -> String {
    let is_escaped = |at: usize| which >> (at % 64) & 1 == 1;
    json.char_indices()
        .map(|(at, one)| if one == '@' && is_escaped(at) { "\\u0040".to_owned() } else { one.to_string() })
        .collect()
}

/// A JSON string of `text`, some of its characters as `\u00…`.
fn escaped_string(text: &str, which: u64) -> String {
    let is_escaped = |at: usize| which >> (at * 7 % 64) & 1 == 1;
    let escape = |(at, one): (usize, char)| match one {
        _ if is_escaped(at) => format!("\\u{:04x}", u32::from(one)),
        '"' | '\\' => format!("\\{one}"),
        _ => one.to_string(),
    };
    format!("\"{}\"", text.char_indices().map(escape).collect::<String>())
}

/// All that a text says when the escapes in it are undone again and again.
fn undone(text: &str) -> String {
    let (mut all, mut level) = (text.to_owned(), text.to_owned());
    let mut deeper = String::new();
    while crate::mask::escapes::undo_level(&level, &mut deeper) {
        all.push_str(&deeper);
        std::mem::swap(&mut level, &mut deeper);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_masked_alike_alone_and_in_a_chunk_and_only_once(text in prop_oneof![any::<String>(), dense()]) {
        let masker = everything();
        let once = masker.text(&text).into_owned();
        prop_assert_eq!(&masker.text(&once), &once, "of {:?}", text);
        if serde_json::from_str::<Value>(&text).is_err() {
            prop_assert_eq!(mask(masker, &["bob@x.io", &text, "x"]), ["[email]", once.as_str(), "x"]);
        }
    }

    #[test]
    fn json_stays_json_and_strings_become_what_they_would_as_text(value in json(dense()), which in any::<u64>()) {
        let masker = everything();
        let line = escape_some(&value.to_string(), which);
        let mut scratch = Scratch::default();
        let output = mask_with(masker, &[&line], &mut scratch);
        prop_assert_eq!(scratch.held, 0);
        let parsed: Value = serde_json::from_str(&output[0]).expect(&output[0]);
        prop_assert_eq!(mask(masker, &[&output[0]]), [output[0].as_str()], "twice");
        if let Some(text) = value["v"].as_str() {
            prop_assert_eq!(&parsed["v"], &Value::from(masker.text(text)));
        }
    }

    #[test]
    fn no_address_and_no_secret_survives_anywhere(
        name in "[a-z][a-z0-9._+-]{0,12}[a-z0-9]", domain in "[a-z]{2,8}\\.(com|org|io)", secret in "[a-z0-9]{6,12}Q",
        before in "[a-zа-я ]{0,8}[ <(,:|]", after in "([ >),;:|]|\\. )[a-zа-я ]{0,8}", depth in 0..4_usize, which in any::<u64>(),
    ) {
        let address = format!("{name}@{domain}");
        let mut text = format!("{before}{address}{after} password={secret} {{\"token\":\"{secret} x\"}}");
        for _ in 0..depth {
            text = serde_json::json!({ "m": text, "access_token": secret, address.as_str(): 1 }).to_string();
        }
        let output = mask(default_masker(), &[&escape_some(&text, if depth == 0 { 0 } else { which })]).concat();
        prop_assert!(!output.contains(&address) && !output.contains(&secret), "{} from {}", output, text);
    }

    #[test]
    fn no_escape_hides_anything_at_any_depth(
        which in prop::collection::vec(prop_oneof![Just(0), Just(u64::MAX), any::<u64>()], 1..5),
        prefix in prop::sample::select(vec!["", "text "]),
    ) {
        let (key, secret, address) = ("password", "hunter2\" \\ rest7391", "bob@example.com");
        let string = |text: &str| escaped_string(text, which[0]);
        let mut text = format!("{{{}:{},{}:{}}}", string(key), string(secret), string("a"), string(address));
        for which in &which[1..] {
            text = format!("{{\"m\":{},\"n\":1}}", escaped_string(&text, *which));
        }
        let output = mask(default_masker(), &[&format!("{prefix}{text}")]).concat();
        let said = undone(&output);
        prop_assert!(!["hunter2", "rest7391", address].iter().any(|one| said.contains(one)), "{} from {}", output, text);
        let object = output.strip_prefix(prefix).unwrap_or("{}");
        prop_assert!(serde_json::from_str::<Value>(object).is_ok(), "{} from {}", output, text);
        prop_assert_eq!(mask(default_masker(), &[&output]), [output.as_str()]);
    }
}

#[test]
fn time_grows_with_the_length_of_the_text_and_not_faster() {
    let pieces = [
        "4111 1111 1111 1111 ",
        "1234 ",
        "1",
        "a@",
        "a@[",
        "a%40",
        "a@b.io,",
        "://",
        "x://a:b@",
        "x://a:",
        "token=a ",
        "token=[",
        "token=\"",
        "token=\\\"",
        "token='a,",
        "pwd=a,b",
        "d-",
        "--token ",
        "--a",
        "\\",
        "cookie: a; ",
        "bearer ",
        "::1",
        "1.",
        "1:",
    ];
    for piece in pieces {
        let text = piece.repeat(300_000 / piece.len());
        let line = serde_json::json!({ "m": text }).to_string();
        let start = std::time::Instant::now();
        let _ = everything().text(&text);
        assert_eq!(mask(everything(), &[&line, &text]).len(), 2, "{piece:?}");
        assert!(start.elapsed().as_secs() < 10, "{piece:?} took {:?}", start.elapsed());
    }
}
