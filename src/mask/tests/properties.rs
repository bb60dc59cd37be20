//! What holds for any input: no panic, no leak, valid JSON stays valid, masking twice changes nothing.

use proptest::prelude::*;
use serde_json::Value;

use super::{default_masker, everything, mask, mask_with};
use crate::mask::Scratch;

/// Text that is dense with what detectors look at.
fn dense() -> BoxedStrategy<String> {
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

fn json(text: BoxedStrategy<String>) -> impl Strategy<Value = Value> {
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
fn escape_some(json: &str, which: u64) -> String {
    let is_escaped = |at: usize| which >> (at % 64) & 1 == 1;
    json.char_indices()
        .map(|(at, one)| if one == '@' && is_escaped(at) { "\\u0040".to_owned() } else { one.to_string() })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

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
