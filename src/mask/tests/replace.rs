//! What is written instead, by mode; and that nothing of it is found again.

use proptest::prelude::*;
use serde_json::Value;

use super::{mask, mask_with};
use crate::mask::{Config, Masker, Scratch};

const KEY: &str = "pseudonym = { key = '0123456789abcdef' }\n";

fn masker(toml: &str) -> Masker {
    let config: Config = toml::from_str(&format!("detect = ['all']\n{KEY}{toml}")).unwrap();
    Masker::new(&config).unwrap()
}

#[track_caller]
fn check(toml: &str, rows: &[(&str, &str)]) {
    let masker = masker(toml);
    for (from, to) in rows {
        assert_eq!(mask(&masker, &[from]), [*to], "{toml}: {from}");
        assert_eq!(mask(&masker, &[to]), [*to], "twice, {toml}: {from}");
    }
}

#[test]
fn texts_are_written_as_they_are() {
    for text in ["***", "[gone]", "<redacted>", "hidden", "x-1_y", "4111111111111111"] {
        let toml = format!("replace.all = {{ text = '{text}' }}");
        let masked = |pattern: &str| pattern.replace('~', text);
        check(
            &toml,
            &[
                ("from bob@example.com.", &masked("from ~.")),
                ("password=hunter2 x", &masked("password=~ x")),
                (r#"{"password":"hunter2","n":5500005555555559}"#, &masked(r#"{"password":"~","n":"~"}"#)),
                ("(password=hunter2)", &masked("(password=~)")),
            ],
        );
    }
}

#[test]
fn a_part_is_shown_where_enough_stays_hidden() {
    check(
        "replace.all = 'partial'",
        &[
            ("from ivan@example.com.", "from i***@example.com."),
            ("?a=ivan%40example.com&b", "?a=i***%40example.com&b"),
            ("me@example.com", "***@example.com"),
            ("bob@12345678.example.com", "[email]"),
            ("bob@[192.168.0.1]", "[email]"),
            ("4111 1111 1111 1111", "****1111"),
            (r#"{"n":4111111111111111}"#, r#"{"n":"****1111"}"#),
            ("INN 7707083893", "INN [ru_inn]"),
            ("INN 500100732259", "INN ****2259"),
            ("password=hunter2", "password=[secret]"),
            ("password=hunter2hunter2", "password=****ter2"),
            (r#"{"password":"hunter2hunter2"}"#, r#"{"password":"****ter2"}"#),
            (r#"{"password":["hunter2hunter2"]}"#, r#"{"password":"[secret]"}"#),
            ("postgres://bob:hunter2hunter2@db.example.com/x", "postgres://bob:****ter2@db.example.com/x"),
            (r#"{"m":"{\"token\":\"hunter2\\u0068unter2\"}"}"#, r#"{"m":"{\"token\":\"****ter2\"}"}"#),
            ("10.20.30.40", "[ipv4]"),
        ],
    );
}

#[test]
fn numbers_stay_numbers_where_that_is_wanted() {
    check("types = 'keep'\nreplace.card = 'partial'", &[(r#"{"n":-4111111111111111}"#, r#"{"n":-1111}"#)]);
    check("types = 'keep'\nreplace.card = 'tag'", &[(r#"{"n":4111111111111111}"#, r#"{"n":"[card]"}"#)]);
    let output = mask(&masker("types = 'keep'\nreplace.card = 'format'"), &[r#"{"n":4111111111111111}"#]).concat();
    let value: Value = serde_json::from_str(&output).unwrap();
    assert!(value["n"].is_number() && value["n"].to_string().len() == 16, "{output}");
}

/// The first: `printf email:ivan@example.com | openssl dgst -sha256 -hmac 0123456789abcdef`.
#[test]
fn the_same_value_has_the_same_pseudonym_however_it_is_written() {
    let masker = masker("replace = { people = 'pseudonym', money = 'pseudonym', secret = 'pseudonym' }");
    let token = mask(&masker, &["ivan@example.com"]).concat();
    let digits = token.strip_prefix("email:").unwrap();
    assert!(digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
    for from in ["IVAN@Example.com", r#"{"m":"iv\u0061n@example.com"}"#, "a=ivan%40example.com&", "<ivan@example.com>"]
    {
        let output = mask(&masker, &[from]).concat();
        assert!(output.contains(&token), "{output}");
        assert_eq!(mask(&masker, &[&output]), [output.as_str()], "twice");
    }
    let cards = ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"].map(|one| mask(&masker, &[one]));
    assert!(cards[0] == cards[1] && cards[1] == cards[2] && cards[0][0].starts_with("card:"), "{cards:?}");
    for from in ["password=ivan", r#"{"password":"ivan","token":{"a":1}}"#, "cookie: a=b; c=d"] {
        let output = mask(&masker, &[from]).concat();
        assert!(output.contains("secret:") && !output.contains("ivan"), "{output}");
        assert_eq!(mask(&masker, &[&output]), [output.as_str()], "twice");
    }
    let toml = "detect = ['all']\nreplace.email = 'pseudonym'\npseudonym = { key = '0123456789abcdef', id = 'k2' }";
    let config: Config = toml::from_str(toml).unwrap();
    let with_id = mask(&Masker::new(&config).unwrap(), &["ivan@example.com"]).concat();
    assert_eq!(with_id, token.replace("email:", "email:k2:"));
}

#[test]
fn what_is_shorter_when_masked_brings_no_word_nearer() {
    let line = r#"{"v":["phone-----BEGIN PRIVATE KEY-----",[4111111111111111,"7707083893=password"]]}"#;
    for masker in MODES.iter().chain([crate::mask::tests::default_masker()]) {
        let output = mask(masker, &[line]).concat();
        assert_eq!(mask(masker, &[&output]), [output.as_str()], "twice");
    }
}

#[test]
fn a_pseudonym_tells_nothing_of_its_neighbours() {
    let masker = masker("replace.all = 'pseudonym'");
    for (from, rest) in [
        ("call +79161234567 Bob", " Bob"),
        (r#"{"a":["+79161234567","9161234567"]}"#, r#"","9161234567"]}"#),
        ("inn 7707083893 7707083893, 7707083893", ""),
        ("swift DEUTDEFF DEUTDEFF", ""),
        ("тел 9161234567 9161234568", ""),
    ] {
        let output = mask(&masker, &[from]).concat();
        assert!(output.ends_with(rest) && output != from, "{output}");
        assert_eq!(mask(&masker, &[&output]), [output.as_str()], "twice");
    }
}

#[test]
fn wrapped_values_are_replaced_as_what_they_mean() {
    let masker = masker("base64 = true\nreplace = { people = 'pseudonym', secrets = 'partial', card = 'format' }");
    let token = mask(&masker, &["ivan@example.com"]).concat();
    for from in ["ivan&#64;example.com", "iv%61n%2540example.com", "ivan＠example.com", r"ivan\x40example.com"] {
        assert_eq!(mask(&masker, &[from]), [token.as_str()], "{from}");
    }
    for (from, to) in [
        // Words in Base64 hold more than the value.
        ("x aXZhbkBleGFtcGxlLmNvbQ== y", "x [email] y"),
        ("password=hunter2hunt%65r2", "password=****ter2"),
        ("ФИО: Иванов Иван", "ФИО: personal:"),
        (r#"{"phone":"+7 916 123-45-67"}"#, r#"{"phone":"phone:"#),
    ] {
        let output = mask(&masker, &[from]).concat();
        assert!(output.starts_with(to), "{output}");
        assert_eq!(mask(&masker, &[&output]), [output.as_str()], "twice");
    }
    let output = mask(&masker, &[r#"{"card_number":"4111111111111111"}"#]).concat();
    assert_eq!(mask(&masker, &[&output]), [output.as_str()], "twice");
}

#[test]
fn names_and_keys_are_never_shown_in_part() {
    check(
        "replace.all = 'partial'",
        &[
            ("ФИО: Константинопольский Константин", "ФИО: [personal]"),
            (r#"{"full_name":"Maximilianus Anna"}"#, r#"{"full_name":"[personal]"}"#),
            ("EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00", "[private_key]"),
            ("DE89370400440532013000", "****3000"),
            (r#"{"phone":"+442079460958"}"#, r#"{"phone":"****0958"}"#),
        ],
    );
}

#[test]
fn a_keys_last_line_is_replaced_as_its_others_are() {
    let lines = [
        "EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00",
        "EXAMPLEexample==",
        "-----END PRIVATE KEY-----",
    ];
    let text = masker("replace.private_key = { text = '***' }");
    assert_eq!(mask(&text, &lines), ["***", "***", lines[2]]);
    let mut scratch = Scratch::tracing();
    assert_eq!(mask_with(&masker("replace.private_key = 'drop-record'"), &lines, &mut scratch), [lines[2]]);
    assert_eq!(mask_with(&text, &lines, &mut scratch).len(), 3);
    assert_eq!(scratch.buffers.trace.hits().len(), 2);
    assert_eq!(scratch.buffers.trace.hits()[1].source, 0..lines[1].len());
    let left = masker("except = ['regex:EXAMPLEexample==']");
    assert_eq!(mask(&left, &lines)[1], lines[1]);
}

#[test]
fn forms_are_kept_and_checks_fail() {
    let masker = masker("replace = { money = 'format', ids = 'format', ipv4 = 'prefix', ipv6 = 'prefix' }");
    for from in ["pay 4111-1111-1111-1111 now", "INN 7707083893", "INN 500100732259", r#"{"c":"4111111111111111"}"#] {
        let output = mask(&masker, &[from]).concat();
        let form = |text: &str| text.replace(|one: char| one.is_ascii_digit(), "0");
        assert_eq!(form(&output), form(from));
        assert_ne!(output, from);
        assert_eq!(mask(&masker, &[&output]), [output.as_str()], "twice");
    }
    let lines = ["from 10.1.2.3", "to 10.1.2.4:80", "from [2001:db8::1]", r#"{"ip":"2001:db8::2"}"#];
    let output = mask(&masker, &lines);
    assert_eq!(mask(&masker, &output.iter().map(String::as_str).collect::<Vec<_>>()), output, "twice");
    let net = |text: &str| text.rsplit_once('.').unwrap().0.rsplit_once(' ').unwrap().1.to_owned();
    assert_eq!(net(&output[0]), net(&output[1]));
    assert!(output[0] != lines[0] && output[2].contains("[3fff:"), "{output:?}");
}

#[test]
fn fields_and_records_go() {
    let rows = [
        (r#"{"a":1,"mail":"ann@x.io","b":[1]}"#, r#"{"a":1,"b":[1]}"#),
        (r#"{"mail":["x","ann@x.io"], "u":{"mail":"ann@x.io","n":1}}"#, r#"{ "u":{"n":1}}"#),
        (r#"{"password":{"a":[1,{"b":2}]},"n":1}"#, r#"{"n":1}"#),
        (r#"{"ann@x.io":1,"c":4111111111111111,"m":"10.0.0.1"}"#, r#"{"c":"[card]","m":"[ipv4]"}"#),
        (r#"{"m":"{\"mail\":\"ann@x.io\"}","n":1}"#, r#"{"n":1}"#),
        (r#"{"a":"ann@x.io"}"#, "{}"),
        ("ann@x.io password=x", "[email] password=[secret]"),
    ];
    check("replace = { people = 'drop-field', secrets = 'drop-field' }", &rows);
    let masker = masker("replace.card = 'drop-record'");
    let mut scratch = Scratch::default();
    let lines = ["a", "4111111111111111", r#"{"n":4111111111111111,"m":"a@b.io"}"#, r#"{"m":"a@b.io"}"#];
    assert_eq!(mask_with(&masker, &lines, &mut scratch), ["a", r#"{"m":"[email]"}"#]);
    assert_eq!((scratch.dropped.iter().sum::<u64>(), scratch.held), (2, 0));
    assert_eq!(scratch.hits.iter().sum::<u64>(), 1, "what was dropped is not counted as masked");
    assert_eq!(masker.text("4111111111111111"), "[card]", "a fixed field cannot go");
}

#[test]
fn faults_have_their_keys_and_remedies() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "short\n").unwrap();
    let short = format!("pseudonym.key = {{ file = '{}' }}", folder.path().join("key").display());
    for (toml, key, hint) in [
        ("replace.emial = 'tag'", "replace.emial", "did you mean \"email\""),
        ("replace.email = 'pseudonym'", "replace", "[mask.pseudonym]"),
        ("pseudonym.key = 'short'", "pseudonym.key", "/dev/urandom"),
        (short.as_str(), "pseudonym.key", "/dev/urandom"),
        ("pseudonym.id = 'K 2'", "pseudonym.id", "k2"),
        ("replace.card = { text = 'a b' }", "replace.card", "***"),
        ("replace.card = { text = '[a[b]' }", "replace.card", "***"),
        ("replace.card = { text = '' }", "replace.card", "***"),
        ("pseudonym.key = '0123456789abcdef'\nreplace.email = 'format'", "replace.email", "pseudonym"),
        ("pseudonym.key = '0123456789abcdef'\nreplace.card = 'prefix'", "replace.card", "ipv4"),
    ] {
        let faults = Masker::new(&toml::from_str(toml).unwrap()).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].key, key, "{toml}");
        assert!(faults[0].hint.as_ref().unwrap().contains(hint), "{faults:?}");
        assert!(!format!("{faults:?}").contains("short"));
    }
    let error = toml::from_str::<Config>("replace.email = 'partal'").unwrap_err();
    assert!(error.message().contains("\"partial\""), "{error}");
}

#[test]
fn the_most_special_word_counts() {
    check(
        "replace = { all = { text = 'A' }, ids = { text = 'B' }, ru = { text = 'C' }, card = { text = 'D' }, secrets = 'tag' }",
        &[("ann@x.io INN 7707083893 4111111111111111 pwd=x", "A INN C D pwd=[secret]")],
    );
}

/// All that can be written, in all places.
fn modes() -> Vec<Masker> {
    [
        "replace.all = 'partial'",
        "replace.all = 'pseudonym'",
        "types = 'keep'\nreplace = { all = 'partial', money = 'format', ids = 'format', ipv4 = 'prefix', ipv6 = 'prefix' }",
        "replace = { all = { text = '<x>' }, email = 'pseudonym', card = 'drop-field', url_password = 'partial' }",
        "replace = { all = 'pseudonym', email = 'drop-field', secret = 'partial' }",
        "base64 = true\nreplace = { all = 'tag', people = 'pseudonym', phone = 'partial', card = 'format', random = { text = '***' } }",
        "replace = { people = 'partial', personal = 'tag', money = 'format', ids = 'format', secrets = 'pseudonym' }",
    ]
    .map(masker)
    .into()
}

static MODES: std::sync::LazyLock<Vec<Masker>> = std::sync::LazyLock::new(modes);

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_every_mode_masking_twice_changes_nothing(text in super::properties::dense()) {
        for (mode, masker) in MODES.iter().enumerate() {
            let once = masker.text(&text).into_owned();
            prop_assert_eq!(masker.text(&once), once.as_str(), "mode {} of {:?}", mode, text);
        }
    }

    #[test]
    fn in_every_mode_json_stays_json(value in super::properties::json(super::properties::dense()), which in any::<u64>()) {
        let line = super::properties::escape_some(&value.to_string(), which);
        for (mode, masker) in MODES.iter().enumerate() {
            let mut scratch = Scratch::default();
            let output = mask_with(masker, &[&line], &mut scratch);
            prop_assert_eq!(scratch.held, 0, "mode {}", mode);
            prop_assert!(serde_json::from_str::<Value>(&output[0]).is_ok(), "mode {}: {} of {}", mode, output[0], line);
            prop_assert_eq!(mask(masker, &[&output[0]]), [output[0].as_str()], "mode {} twice, of {}", mode, line);
        }
    }
}
