//! What holds for any input: no panic, no leak, valid JSON stays valid, masking twice changes nothing.

use proptest::prelude::*;
use serde_json::Value;

use super::{default_masker, everything, mask, mask_with};
use crate::mask::Scratch;

/// What detectors look at.
const DENSE: &[&str] = &[
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
    "%22",
    "%5C",
    "%2525",
    "&#64;",
    "&quot;",
    "&amp;",
    "\\x22",
    "\\x40",
    "\\/",
    "\u{200b}",
    "\u{ad}",
    "＠",
    "＂",
    "４",
    "eyJhbGciOiJIUzI1NiJ9.",
    "ghp_",
    "ключ",
    "ФИО",
    "Иванов",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "EXAMPLEexample00",
    "mysql ",
    "[secret]",
    "[email]",
    "inn",
    "7707083893",
    "phone",
    "+79161234567",
    "2025550101",
    "DE89370400440532013000",
    "swift",
    "DEUTDEFF",
    "***",
    "null",
    "(",
    ")",
];

/// Text that is dense with what detectors look at.
pub(super) fn dense() -> BoxedStrategy<String> {
    let pieces = prop::sample::select(DENSE);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces: Vec<&str>| pieces.concat()).boxed()
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

type Wrap = fn(char) -> String;

/// Each wraps every character by itself.
const WRAPPINGS: [(&str, Wrap); 10] = [
    ("json", |one| one.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()),
    ("percent", |one| one.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect()),
    ("percent marks", |one| {
        let mut bytes = [0; 4];
        let bytes = one.encode_utf8(&mut bytes).bytes();
        if one.is_ascii_alphanumeric() { one.to_string() } else { bytes.map(|byte| format!("%{byte:02x}")).collect() }
    }),
    ("percent twice", |one| one.to_string().bytes().map(|byte| format!("%25{byte:02X}")).collect()),
    ("decimal", |one| format!("&#{};", u32::from(one))),
    ("hexadecimal", |one| format!("&#x{:x};", u32::from(one))),
    ("named", |one| match one {
        '@' => "&commat;".to_owned(),
        '"' => "&quot;".to_owned(),
        '&' => "&amp;".to_owned(),
        '=' => "&equals;".to_owned(),
        _ => one.to_string(),
    }),
    ("invisible", |one| if one.is_whitespace() { one.to_string() } else { format!("{one}\u{200b}") }),
    ("full width", |one| {
        if one.is_ascii_graphic() {
            char::from_u32(u32::from(one) + 0xfee0).unwrap().to_string()
        } else {
            one.to_string()
        }
    }),
    ("bytes", |one| one.to_string().bytes().map(|byte| format!("\\x{byte:02x}")).collect()),
];

#[test]
fn no_combination_of_wrappings_hides_anything() {
    let masker = everything();
    let seeds = [
        ("bob@example.com", "to bob@example.com now"),
        ("hunter2x", "the password=hunter2x is"),
        ("hunter2x", "got {\"token\": \"hunter2x\"} back"),
        ("4111111111111111", "card 4111111111111111 is"),
        ("ghp_0123456789abcdefABCDEF0123456789abcd", "by ghp_0123456789abcdefABCDEF0123456789abcd now"),
        ("hunter2x", "at amqp://bob:hunter2x@host now"),
    ];
    let wrap = |text: &str, by: &[usize]| {
        by.iter().fold(text.to_owned(), |text, index| text.chars().map(WRAPPINGS[*index].1).collect())
    };
    let count = WRAPPINGS.len();
    let one = (0..count).map(|a| vec![a]);
    let two = (0..count).flat_map(|a| (0..count).map(move |b| vec![a, b]));
    let three = (0..count * count * count).map(|n| vec![n % count, n / count % count, n / count / count]);
    let mut wrong = Vec::new();
    for (index, by) in one.chain(two).chain(three).enumerate() {
        // Of three wrappings there are a thousand combinations: one seed for each.
        let some = if by.len() < 3 { &seeds[..] } else { &seeds[index % seeds.len()..][..1] };
        for (secret, seed) in some {
            let (text, hidden) = (wrap(seed, &by), wrap(secret, &by));
            let object = serde_json::json!({ "m": text }).to_string();
            let output = mask(masker, &[&text, &object]);
            let shown = output.last().and_then(|line| serde_json::from_str::<Value>(line).ok());
            let shown = shown.as_ref().and_then(|value| value["m"].as_str()).unwrap_or_default();
            let half = wrap(&secret[..secret.len() / 2], &by);
            let leaks = [output[0].as_str(), shown].iter().any(|one| one.contains(&hidden) || one.contains(&half));
            if output.len() < 2 || leaks || mask(masker, &[&output[0]]) != [output[0].as_str()] {
                let names: Vec<&str> = by.iter().map(|index| WRAPPINGS[*index].0).collect();
                wrong.push(format!("{names:?} of {seed:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong: {}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

/// CPU time of this thread: other work on the machine does not count.
fn busy_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// What makes detectors look again and again.
const STRESSING: &[&str] = &[
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
    "12 ",
    "(1",
    "+7 (9",
    "8 (916) 12",
    "0x1",
    "1A1z",
    "bc1q",
    "DE89 3704 ",
    "de11",
    "swift ",
    "swift aA",
    "BIC DEUTDEF ",
    "тел 1234567890 ",
    "inn[",
    "снилс ",
    "AB12CD34EF56G789H",
    "ghp_",
    "xoxb-",
    "sk-",
    "sk-proj-",
    "eyJ-",
    "eyJhbGciOiJIUzI1NiJ9.",
    "glpat-",
    "npm_A",
    "pypi-AgE-",
    "hooks.slack.com/a/",
    "1:AA",
    "SecretAccessKey ",
    "sig=",
    "8Q~",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "-----BEGIN ",
    "-",
    "A1b",
    "A1b\n",
    "mysql ",
    "mysql -p",
    "curl -u \"",
    "ФИО: А ",
    "key=a1",
    "00:1b:",
    "001b.",
    "%",
    "%25",
    "%2525",
    "%4",
    "%41",
    "&",
    "&amp;",
    "&#",
    "&#64;",
    "&am",
    "\\x4",
    "\\x41",
    "\\/",
    "\\u0041",
    "\\\\\\x41",
    "\\ud835",
    "\u{200b}",
    "Ａ",
    "٤",
    "п",
];

#[test]
fn time_grows_with_the_length_of_the_text_and_not_faster() {
    for piece in STRESSING {
        let text = piece.repeat(300_000 / piece.len());
        let line = serde_json::json!({ "m": text }).to_string();
        let start = busy_ns();
        let _ = everything().text(&text);
        assert_eq!(mask(everything(), &[&line, &text]).len(), 2, "{piece:?}");
        let seconds = (busy_ns() - start) / 1_000_000_000;
        assert!(seconds < 10, "{piece:?} took {seconds} s of CPU time");
    }
}
