//! `logferry mask` as a person and a build meet it.

use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::harness::{Finished, Ground};

fn mask(arguments: &[&str], input: &[u8]) -> Finished {
    let arguments = [&["mask"], arguments].concat();
    Ground::new().run_with_input(&arguments, input)
}

/// Input and output, byte by byte.
#[test]
fn one_line_comes_out_for_each_line_that_goes_in() {
    let long = format!("{}\nann@mail.example\n", "x".repeat((16 << 20) + (1 << 20)));
    let rows: [(&[u8], &str); 9] = [
        (b"", ""),
        (b"\n\n", "\n\n"),
        (b"from ann@mail.example\r\nclean\n", "from [email]\r\nclean\n"),
        (b"no end ann@mail.example", "no end [email]"),
        (b" {\"a\":\"ann@mail.example\",\"password\":5} \n", " {\"a\":\"[email]\",\"password\":\"[secret]\"} \n"),
        (b"{\"a\":1e999,\"b\":\"\\u00e9\"}\n", "{\"a\":1e999,\"b\":\"\\u00e9\"}\n"),
        (b"bad \xff ann@mail.example\n\xc3\n", "bad \u{fffd} [email]\n\u{fffd}\n"),
        (b"\xEF\xBB\xBF{\"pwd\":\"x\"}\n", "\u{feff}{\"pwd\":\"[secret]\"}\n"),
        (long.as_bytes(), "[held]\n[email]\n"),
    ];
    for (input, expected) in rows {
        let finished = mask(&[], input).expect_code(0);
        assert_eq!(finished.stdout, expected, "{}", finished.stderr);
        assert_eq!(finished.stderr.contains("could not be examined"), expected.starts_with("[held]"));
    }
}

#[test]
fn the_configuration_and_detect_choose_what_is_masked() {
    let ground = Ground::new();
    let input = b"ann@mail.example 10.0.0.1 ORD-12345678\n";
    ground.configure(
        "[mask]\ndetect = [\"ipv4\"]\n[[mask.rule]]\nname = \"order\"\nregex = \"ORD-[0-9]{8}\"\n\
         [output.print]\ntype = \"stdout\"\n",
    );
    for (arguments, expected) in [
        (vec!["mask", "-c", "agent.toml"], "ann@mail.example [ipv4] [order]\n"),
        (vec!["mask"], "ann@mail.example [ipv4] [order]\n"),
        (vec!["mask", "--detect", "all,-ipv4"], "[email] 10.0.0.1 [order]\n"),
        (vec!["mask", "--detect", "-email"], "ann@mail.example 10.0.0.1 [order]\n"),
    ] {
        assert_eq!(ground.run_with_input(&arguments, input).expect_code(0).stdout, expected, "{arguments:?}");
    }
    let wrong = ground.run_with_input(&["mask", "--detect", "emial"], input).expect_code(1).stderr;
    assert!(wrong.contains("no detector `emial`") && wrong.contains("did you mean \"email\""), "{wrong}");
    let absent = ground.run_with_input(&["mask", "absent.log"], b"").expect_code(1).stderr;
    assert!(absent.contains("cannot read absent.log") && absent.contains("hint: "), "{absent}");
}

#[test]
fn explain_says_what_was_taken_and_left_and_never_the_value() {
    let input = "paid by ann@mail.example with 4111111111111111\n\
                 {\"user\":{\"mails\":[\"x\",\"ann@mail.example\"]},\"token\":\"t0ps3cret\"}\n\
                 \u{437} 4111 1111 1111 1112, INN 7707083894\n\
                 order 7707083893\n";
    let finished = mask(&["--detect", "all", "--explain"], input.as_bytes()).expect_code(0);
    assert_eq!(finished.stdout.lines().next(), Some("paid by [email] with [card]"));
    for words in [
        "1: column 9: email (people), proved by ",
        "1: column 31: card (money), proved by issuer, length, check digit",
        "2: user.mails[1]: email (people)",
        "2: token: secret (secrets), proved by the name before it",
        "3: column 3: left, though it looks like card: its check digit is wrong",
        "3: column 28: left, though it looks like ru_inn: its check digit is wrong",
        "4: column 7: left, though it looks like ru_inn: no word before it says what it is",
        "lines     4, ",
    ] {
        assert!(finished.stderr.contains(words), "{words}: {}", finished.stderr);
    }
    for value in ["ann@", "4111", "t0ps3cret", "77070"] {
        assert!(!finished.stderr.contains(value), "{value}: {}", finished.stderr);
    }
}

#[test]
fn check_names_places_and_ends_with_3() {
    let ground = Ground::new();
    std::fs::write(ground.path("a.log"), "clean\nann@mail.example and pwd=x\n").unwrap();
    std::fs::write(ground.path("b.log"), "{\"m\":{\"n\":\"ann@mail.example\"}}").unwrap();
    std::fs::write(ground.path("c.log"), "clean\n").unwrap();
    let found = ground.run_with_input(&["mask", "--check", "a.log", "b.log", "c.log"], b"").expect_code(3);
    assert_eq!(found.stdout, "a.log:2: email, column 1\na.log:2: secret, column 26\nb.log:1: email, m.n\n");
    assert_eq!(found.stderr, "");
    let clean = ground.run_with_input(&["mask", "--check", "c.log"], b"").expect_code(0);
    assert_eq!(clean.stdout + &clean.stderr, "");
    assert_eq!(mask(&["--check"], b"x\nann@mail.example\n").expect_code(3).stdout, "-:2: email, column 1\n");
}

#[test]
fn hits_are_coloured_by_group_and_only_they() {
    let input = b"a ann@mail.example pwd=x [email]\n{\"k\":\"q\\\"\\u0061nn@mail.example\\n\"}\n";
    let finished = mask(&["--color", "always"], input).expect_code(0);
    let expected = "a \u{1b}[33m[email]\u{1b}[0m pwd=\u{1b}[31m[secret]\u{1b}[0m [email]\n\
                    {\"k\":\"q\\\"\u{1b}[33m[email]\u{1b}[0m\\n\"}\n";
    assert_eq!(finished.stdout, expected);
    assert!(!mask(&[], input).stdout.contains('\u{1b}'), "not a terminal");
}

#[test]
fn the_list_says_what_is_on() {
    let list = mask(&["--list", "--detect", "ipv4"], b"").expect_code(0).stdout;
    let row = |name: &str| list.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap().to_owned();
    assert!(row("ipv4").contains(" on ") && row("ipv4").contains("[ipv4]") && row("ipv4").contains("RFC 791"));
    assert!(row("email").contains(" off "));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let ground = Ground::new();
    std::fs::write(ground.path("big.log"), "ann@mail.example\n".repeat(1 << 20)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_logferry"))
        .current_dir(ground.path(""))
        .args(["mask", "big.log"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let finished = child.wait_with_output().unwrap();
    assert_eq!((&first, finished.status.code(), finished.stderr.len()), (b"[email]\n", Some(0), 0));
}

#[test]
fn large_inputs_take_little_memory() {
    let ground = Ground::new();
    let line = format!("INFO ann@mail.example {}\n", "did it ".repeat(100));
    std::fs::write(ground.path("big.log"), line.repeat(1 << 16)).unwrap();
    let finished = ground.start_with(&["mask", "big.log"], Stdio::null()).wait().expect_code(0);
    assert_eq!(finished.stdout.lines().count(), 1 << 16);
    assert!(finished.peak_kib < 32 << 10, "{} KiB", finished.peak_kib);
}
