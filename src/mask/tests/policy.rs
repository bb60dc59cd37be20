//! What the user can set, and what is said of mistakes.

use super::{chunk, default_masker, hits, mask, mask_with};
use crate::base::records::{Fields, Key, Shape};
use crate::base::source::SourceId;
use crate::mask::{Config, MaskedFields, Masker, Miss, Origin, Scratch};

fn config(toml: &str) -> Config {
    toml::from_str(toml).unwrap()
}

fn masker(toml: &str) -> Masker {
    Masker::new(&config(toml)).unwrap()
}

#[test]
fn all_faults_are_told_at_once_with_their_keys() {
    let config = config(
        r#"
        detect = ["email", "emial"]
        keys = ["x", "__"]
        rule = [
            { name = "a", regex = "(" },
            { name = "email", regex = "x*" },
            { name = "b c", regex = "x", replace = "$1 $$ ${n}" },
        ]
        "#,
    );
    let faults = Masker::new(&config).unwrap_err();
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    let expected = [
        "detect[1]",
        "keys",
        "keys[1]",
        "rule[0].regex",
        "rule[1].regex",
        "rule[2].name",
        "rule[2].replace",
        "rule[2].replace",
        "rule[1].name",
    ];
    assert_eq!(keys, expected);
    assert!(faults[0].hint.as_ref().unwrap().contains("did you mean \"email\""));
    assert_eq!(faults[3].message, "cannot compile the pattern: unclosed group");
    assert!(toml::from_str::<Config>("detekt = []").is_err());
}

#[test]
fn a_label_adds_and_takes_nothing_away() {
    let text = "a@b.io 10.0.0.1 pwd=x";
    for (toml, label, to, faults) in [
        ("", "ipv4", "[email] [ipv4] pwd=[secret]", &[][..]),
        ("", " network , ,", "[email] [ipv4] pwd=[secret]", &[]),
        ("", "-email,ipv4", "[email] [ipv4] pwd=[secret]", &["-email"]),
        ("", "-all", "[email] 10.0.0.1 pwd=[secret]", &["-all"]),
        ("", "ipv5,ipv4", "[email] [ipv4] pwd=[secret]", &["ipv5"]),
        (r#"labels = "change""#, "-email,ipv4", "a@b.io [ipv4] pwd=[secret]", &[]),
        (r#"labels = "change""#, "-all", text, &[]),
        (r#"detect = ["default", "-email"]"#, "email", "[email] 10.0.0.1 pwd=[secret]", &[]),
        ("enabled = false", "ipv4", "a@b.io [ipv4] pwd=x", &[]),
        ("enabled = false", "ipv5", text, &["ipv5"]),
        (r#"except = ["a@b.io"]"#, "ipv4", "a@b.io [ipv4] pwd=[secret]", &[]),
        (r#"replace = { email = "partial" }"#, "ipv4", "***@b.io [ipv4] pwd=[secret]", &[]),
        (r#"rule = [{ name = "b", regex = "pwd" }]"#, "ipv4", "[email] [ipv4] [b]=x", &[]),
        (r#"source.app.detect = ["email"]"#, "ipv4", "[email] [ipv4] pwd=x", &[]),
    ] {
        let labelled = masker(toml).of("app").labelled(label).unwrap();
        let words: Vec<_> = labelled.faults.iter().map(|fault| fault.key.as_str()).collect();
        let masked = mask(&labelled.masker, &[text]).remove(0);
        assert_eq!((masked, &words[..]), (to.to_owned(), faults), "{toml} {label}");
    }
    assert!(masker(r#"labels = "ignore""#).labelled("ipv4").is_none());
}

#[test]
fn of_a_long_label_little_is_said_and_nothing_as_it_is() {
    let label = format!("{},{}\n,ipv4", "x".repeat(100_000), "y".repeat(3));
    let labelled = masker("").labelled(&label).unwrap();
    let said: Vec<_> = labelled.faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(said, ["a word is too long for a detector", "there is no detector `yyy`"]);
    assert!(labelled.masker.is_on("ipv4"));
    let labelled = masker("").labelled(&"a\nb,".repeat(10_000)).unwrap();
    assert_eq!(labelled.faults.len(), 4);
    assert!(labelled.faults.iter().all(|fault| fault.message == "there is no detector `a\\nb`"));
}

#[test]
fn too_many_labels_turn_everything_on() {
    let masker = masker("");
    let mut faces = (0..64).map(|number| masker.labelled(&format!("ipv4,x{number}")).unwrap());
    assert!(faces.all(|labelled| !labelled.masker.is_on("phone")));
    let (one, other) = (masker.labelled("mac").unwrap(), masker.labelled("ipv6").unwrap());
    assert!(one.masker.is_on("phone") && std::sync::Arc::ptr_eq(&one, &other));
    assert!(!masker.labelled("ipv4,x3").unwrap().masker.is_on("phone"));
}

#[test]
fn settings_do_what_they_say() {
    let off = r#"{"password":"x","m":"a@b.io"}"#;
    for (toml, from, to) in [
        ("enabled = false", off, off),
        ("detect = []", off, off),
        (r#"detect = ["email"]"#, off, r#"{"password":"x","m":"[email]"}"#),
        (r#"detect = ["default", "ipv4", "-email"]"#, "10.0.0.1 a@b.io pwd=x", "[ipv4] a@b.io pwd=[secret]"),
        (r#"detect = ["people", "ru"]"#, "a@b.io pwd=x INN 7707083893", "[email] pwd=x INN [ru_inn]"),
        (r#"detect = ["all", "-secrets"]"#, "10.0.0.1 pwd=x", "[ipv4] pwd=x"),
        (r#"detect = ["ipv4"]"#, "from 10.0.0.1 a@b.io", "from [ipv4] a@b.io"),
        (
            r#"keys = ["card-number", "ФИО"]"#,
            r#"{"cardNumber":1,"Фио":"x"}"#,
            r#"{"cardNumber":"[secret]","Фио":"[secret]"}"#,
        ),
        (r#"keys = ["pin"]"#, "userPin=1 spin=2 PIN: 3", "userPin=[secret] spin=2 PIN: [secret]"),
        (r#"keys = ["x"]"#, "x=1 max=2 X=3", "x=[secret] max=2 X=[secret]"),
        (r#"except_keys = ["nextPageToken"]"#, "next_page_token=a token=b", "next_page_token=a token=[secret]"),
        (r#"except_keys = ["token"]"#, r#"{"token":"a","my_token":"b"}"#, r#"{"token":"a","my_token":"[secret]"}"#),
    ] {
        assert_eq!(mask(&masker(toml), &[from]), [to], "{toml}");
    }
}

#[test]
fn rules_see_messages_strings_keys_and_numbers_and_detectors_see_their_output() {
    let order = r#"rule = [{ name = "order", regex = '\bA(\d+)\b' }, { name = "tail", regex = '(\d{2})\d{4}', replace = "$1…" }]"#;
    let masker = masker(order);
    for (from, to) in [
        ("took A17", "took [order]"),
        (r#"{"A1":"\"A2\"","n":123456}"#, r#"{"[order]":"\"[order]\"","n":"12…"}"#),
        (r#"{"m":"\u00411"}"#, r#"{"m":"[order]"}"#),
        ("A1 a@b.io", "[order] [email]"),
        ("clean", "clean"),
    ] {
        assert_eq!(mask(&masker, &[from]), [to]);
    }
    assert_eq!(hits(&masker, &["A1 A2 333333"]), [("order".to_owned(), 2), ("tail".to_owned(), 1)]);
    let leak = r#"rule = [{ name = "r", regex = '<(\w+)>', replace = "$1@x.io" }]"#;
    assert_eq!(mask(&self::masker(leak), &["<bob>"]), ["[email]"]);
}

#[test]
fn what_grows_without_measure_is_held_back() {
    let doubling = r#"{ name = "NAME", regex = '\w+', replace = "$0 $0 $0 $0" }"#;
    let rules: Vec<String> = (0..12).map(|index| doubling.replace("NAME", &format!("r{index}"))).collect();
    let masker = masker(&format!("rule = [{}]", rules.join(",")));
    let mut scratch = Scratch::default();
    assert_eq!(mask_with(&masker, &["word", "", r#"{"a":1}"#], &mut scratch), [""]);
    assert_eq!(scratch.held, 2);
    assert_eq!(scratch.hits.iter().sum::<u64>(), 0, "what is held is not counted as masked");
    assert_eq!(masker.text("word"), "[held]");
    assert_eq!(mask_with(&masker, &[""], &mut scratch), [""]);
    assert_eq!(scratch.held, 0, "of this chunk only");
}

#[test]
fn an_object_that_is_none_is_held_back() {
    for broken in [r#"{"a":"x@y.io"#, r#"{"password":"#, r#"{"token":[1"#, r#"{"m":"\x x@y.io"}"#] {
        let (text, mut records) = chunk(&[broken, "x@y.io"]);
        records.items[0].shape = Shape::Object;
        let fields = MaskedFields::default();
        let origin = Origin { source: SourceId::new(1), generation: 0, seen_ms: 0 };
        let mut scratch = Scratch::default();
        let masked = default_masker().mask(&text, &records, origin, &fields, &mut scratch);
        assert_eq!((masked.held(), masked.records().len()), (1, 1), "{broken}");
        assert_eq!(masked.records().next().unwrap().text, "[email]");
    }
}

#[test]
fn fixed_fields_are_masked() {
    let fields =
        Fields(vec![(Key::ContainerName, "api".into()), (Key::Filename, "/home/bob@example.com/x.log".into())]);
    let masked = default_masker().fields(&fields);
    assert_eq!(masked.get(Key::ContainerName), Some("api"));
    assert_eq!(masked.get(Key::Filename), Some("/home/[email]/x.log"));
}

#[test]
fn what_is_excepted_is_left_and_nothing_else() {
    let masker = masker(
        r#"
        detect = ["all"]
        keys = ["pin"]
        except = ["Info@x.io", "*@own.io", "domain:corp.io", "cidr:10.0.0.0/8", "cidr:2001:db8::/32", "regex:test-\\d+", "path:user.mail"]
        "#,
    );
    for (from, to) in [
        ("info@x.io INFO@X.IO infos@x.io", "info@x.io INFO@X.IO [email]"),
        ("a@own.io a@sub.own.io a@notown.io", "a@own.io [email] [email]"),
        ("a@corp.io a%40sub.corp.io a@xcorp.io", "a@corp.io a%40sub.corp.io [email]"),
        ("4111111111111111@corp.io", "[card]@corp.io"),
        ("10.1.2.3 11.1.2.3 2001:db8::1 2001:db9::1", "10.1.2.3 [ipv4] 2001:db8::1 [ipv6]"),
        ("password=test-17 password=test-x", "password=test-17 password=[secret]"),
        (r#"{"password":"test-17","pin":"test-17x"}"#, r#"{"password":"test-17","pin":"[secret]"}"#),
        ("password=info@x.ios", "password=[secret]"),
        ("info%40x.io inf%6f&#64;x.io x@x.io%20", "info%40x.io inf%6f&#64;x.io [email]%20"),
        ("%40 password=test%2d17 10%2e1.2.3 11%2e1.2.3", "%40 password=test%2d17 10%2e1.2.3 [ipv4]"),
        (r#"{"phone":"test-17","fio":"test-x"}"#, r#"{"phone":"test-17","fio":"[personal]"}"#),
        (
            r#"{"user":{"mail":["a@b.io",{"n":4111111111111111,"pin":1}],"mails":"a@b.io"},"mail":"a@b.io"}"#,
            r#"{"user":{"mail":["a@b.io",{"n":4111111111111111,"pin":1}],"mails":"[email]"},"mail":"[email]"}"#,
        ),
    ] {
        assert_eq!(mask(&masker, &[from]), [to]);
        assert_eq!(mask(&masker, &[to]), [to], "twice");
    }
    let wrong = ["", "*@", "cidr:10.0.0.0/33", "cidr:x", "regex:(", "domian:x.io", "path:"];
    let faults = Masker::new(&Config { except: wrong.map(str::to_owned).into(), ..Config::default() }).unwrap_err();
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, (0..wrong.len()).map(|index| format!("except[{index}]")).collect::<Vec<_>>());
    assert!(faults[5].hint.as_ref().unwrap().contains("domain:"), "{faults:?}");
}

#[test]
fn a_source_may_have_its_own() {
    let masker = masker(
        r#"
        keys = ["pin"]
        replace.email = { text = "A" }
        [source.app]
        detect = ["default", "ipv4"]
        keys = ["nip"]
        replace.email = { text = "B" }
        except = ["domain:corp.io"]
        [source.raw]
        enabled = false
        "#,
    );
    let line = "a@b.io a@corp.io 10.0.0.1 pin=1 nip=2";
    for (source, to) in [
        ("other", "A A 10.0.0.1 pin=[secret] nip=2"),
        ("app", "B a@corp.io [ipv4] pin=[secret] nip=[secret]"),
        ("raw", line),
    ] {
        assert_eq!(mask(masker.of(source), &[line]), [to], "{source}");
    }
    let faults = Masker::new(&config("source.app.detect = ['emial']")).unwrap_err();
    assert_eq!(faults[0].key, "source.app.detect[0]");
}

#[test]
fn what_can_never_do_anything_is_odd() {
    let config = config(
        r#"
        except = ["cidr:10.0.0.0/8", "*@x.io", "x"]
        replace = { ipv4 = "partial", email = "partial" }
        rule = [
            { name = "a", regex = 'a(\n|\r\n)b' },
            { name = "b", regex = 'a\n?b' },
            { name = "c", regex = '[\n]+x' },
            { name = "d", regex = 'a\sb|\nx' },
        ]
        "#,
    );
    let keys: Vec<String> = config.oddities().into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["except[0]", "replace.ipv4", "rule[0].regex", "rule[2].regex"]);
    assert!(Config::default().oddities().is_empty());
}

#[test]
fn places_are_told_without_values() {
    let lines =
        ["clean", "a@b.io pwd=x", r#"{"u":{"m":["x","a@b.io","c@d.io"]},"c@d.io":{"pin":4111111111111111}}"#, "x"];
    let (text, records) = chunk(&lines);
    let (fields, mut scratch) = (MaskedFields::default(), Scratch::tracing());
    let origin = Origin { source: SourceId::new(1), generation: 0, seen_ms: 0 };
    let masked = default_masker().mask(&text, &records, origin, &fields, &mut scratch);
    let places: Vec<String> = masked.places().into_iter().map(|(name, path)| format!("{name}:{path}")).collect();
    assert_eq!(places, ["card:[email].pin", "email:", "email:[email]", "email:u.m", "secret:"]);
}

#[test]
fn near_misses_lack_their_word_or_their_check() {
    let masker = masker(r#"detect = ["all"]"#);
    let seen = |text: &str| {
        let mut all = std::collections::BTreeSet::new();
        masker.misses(text, &mut |miss: Miss| {
            all.insert(format!("{} {:?} {}", miss.name(), miss.why, &text[miss.at.clone()]));
        });
        all.into_iter().collect::<Vec<_>>()
    };
    for (text, miss) in [
        ("order 7707083893", "ru_inn Word 7707083893"),
        ("ИНН 7707083894", "ru_inn Check 7707083894"),
        ("СНИЛС 112-233-445 96", "ru_snils Check 112-233-445 96"),
        ("ref S1234567D", "sg_nric Word S1234567D"),
        ("to 9161234567", "phone Word 9161234567"),
        ("pay 4111111111111112", "card Check 4111111111111112"),
    ] {
        assert!(seen(text).iter().any(|one| one == miss), "{text}: {:?}", seen(text));
    }
    assert!(seen("ИНН 7707083893").iter().all(|one| !one.starts_with("ru_inn")));
    assert!(seen("nothing 12 of it").is_empty());
}

/// A line of a stranger must not stop the agent: each of its hits asks where it lies, and where its field begins.
#[test]
fn a_long_object_full_of_hits_is_gone_through_once() {
    let members: Vec<String> = (0..20_000).map(|number| format!("\"k{number}\":\"x@y.io\"")).collect();
    let line = format!("{{\"kept\":\"bob@x.io\",{}}}", members.join(","));
    let began = std::time::Instant::now();
    let masked = mask(&masker("except = [\"path:kept\"]"), &[&line]).concat();
    assert!(masked.starts_with(r#"{"kept":"bob@x.io","k0":"[email]""#) && !masked.contains("x@y.io"));
    let dropped = mask(&masker("except = [\"path:kept\"]\n[replace]\nemail = \"drop-field\""), &[&line]).concat();
    assert_eq!(dropped, r#"{"kept":"bob@x.io"}"#);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
