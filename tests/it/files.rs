//! Files as they live on a host: rotated, truncated, long lines, odd ends of lines. The store is a file of NDJSON.

mod identity;

use std::fs;

use serde_json::Value;

use crate::checker::Checker;
use crate::generate::Generator;
use crate::harness::{Agent, Ground, append, now_ms, wait_until};

/// Follows `LOGS/*.log` into `FOLDER/out.ndjson`.
const CONFIGURATION: &str = r#"
[source.app]
type = "file"
include = ["LOGS/*.log"]
timezone = "UTC"
MORE
[output.store]
type = "file"
path = "FOLDER/out.ndjson"
"#;

fn ground(more: &str) -> Ground {
    let ground = Ground::new();
    ground.configure(&CONFIGURATION.replace("MORE", more));
    ground
}

/// The whole lines of the output: its last one may be under way.
fn delivered(ground: &Ground) -> String {
    let mut text = std::fs::read_to_string(ground.path("out.ndjson")).unwrap_or_default();
    text.truncate(text.rfind('\n').map_or(0, |at| at + 1));
    text
}

fn messages(ground: &Ground) -> Vec<String> {
    let message = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["message"].as_str().unwrap().to_owned()
    };
    delivered(ground).lines().map(message).collect()
}

/// Waits until `numbers` different lines are delivered.
#[track_caller]
fn wait_for_lines(ground: &Ground, numbers: u64) {
    wait_until(&format!("{numbers} lines"), || {
        let mut checker = Checker::new("a", numbers);
        checker.scan(&delivered(ground));
        (checker.found() as u64 == numbers).then_some(())
    });
}

#[track_caller]
fn finish(ground: &Ground, agent: Agent, numbers: u64) {
    wait_for_lines(ground, numbers);
    agent.terminate().expect_code(0);
    let mut checker = Checker::new("a", numbers);
    checker.scan(&delivered(ground));
    checker.assert_each_once();
}

fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.fold(String::new(), |mut text, number| {
        text += &format!("line seq-a-{number:07}\n");
        text
    })
}

/// A1: renamed and made anew, four times, while lines come; the writer goes on in the old file for a moment.
#[test]
fn rotation_by_rename_loses_nothing() {
    let ground = ground("");
    let agent = ground.start(&[]);
    for round in 0..4 {
        let first = round * 1000;
        append(&ground.log("app.log"), &lines(first..first + 100));
        // A file that nobody saw under a name that is asked for is nobody's.
        wait_for_lines(&ground, first + 100);
        append(&ground.log("app.log"), &lines(first + 100..first + 800));
        fs::rename(ground.log("app.log"), ground.log(&format!("app.log.{round}"))).unwrap();
        append(&ground.log(&format!("app.log.{round}")), &lines(first + 800..first + 900));
        append(&ground.log("app.log"), &lines(first + 900..first + 1000));
        wait_for_lines(&ground, first + 1000);
    }
    finish(&ground, agent, 4000);
}

/// A4: copied and truncated. Each time once it was read: what is truncated unread is gone for everyone.
#[test]
fn copy_and_truncate_loses_nothing_that_was_read() {
    let ground = ground("");
    let agent = ground.start(&[]);
    for round in 0..4 {
        append(&ground.log("app.log"), &lines(round * 1000..(round + 1) * 1000));
        wait_for_lines(&ground, (round + 1) * 1000);
        fs::copy(ground.log("app.log"), ground.path("copy")).unwrap();
        fs::File::options().write(true).open(ground.log("app.log")).unwrap().set_len(0).unwrap();
    }
    finish(&ground, agent, 4000);
}

/// A5, the hard one: truncated while the agent is away, and longer than before when it is back.
#[test]
fn a_truncation_while_away_is_seen_though_the_file_has_grown_again() {
    let ground = ground("");
    append(&ground.log("app.log"), &lines(0..100));
    ground.run_once().expect_code(0);
    fs::write(ground.log("app.log"), lines(100..1000)).unwrap();
    ground.run_once().expect_code(0);
    let mut checker = Checker::new("a", 1000);
    checker.scan(&delivered(&ground));
    checker.assert_each_once();
}

/// A13: rotated while the agent is away: the rest of the old file and the new one, once each.
#[test]
fn a_rotation_while_away_repeats_nothing() {
    let ground = ground("");
    append(&ground.log("app.log"), &lines(0..100));
    ground.run_once().expect_code(0);
    append(&ground.log("app.log"), &lines(100..200));
    fs::rename(ground.log("app.log"), ground.log("app.1.log")).unwrap();
    append(&ground.log("app.log"), &lines(200..300));
    ground.run_once().expect_code(0);
    let mut checker = Checker::new("a", 300);
    checker.scan(&delivered(&ground));
    checker.assert_each_once();
}

/// B3 to B5: ends of lines, empty lines, a byte order mark, bytes that are no UTF-8, NUL and control bytes, a last line
/// without end.
#[test]
fn odd_lines_arrive_as_they_are() {
    let ground = ground("");
    let lines: [(&[u8], &str); 12] = [
        (b"\xef\xbb\xbfmark\n", "mark"),
        (b"dos\r\n", "dos"),
        (b"\r\n", ""),
        (b"\n", ""),
        (b"  two  \n", "  two  "),
        (b"bad \xff byte\n", "bad \u{fffd} byte"),
        (
            b"overlong \xc0\xaf, surrogate \xed\xa0\x80\n",
            "overlong \u{fffd}\u{fffd}, surrogate \u{fffd}\u{fffd}\u{fffd}",
        ),
        (b"nul \0 bell \x07 escape \x1b[1m\n", "nul \0 bell \u{7} escape \u{1b}[1m"),
        (b"\xef\xbb\xbfno mark here\n", "\u{feff}no mark here"),
        (b"\xd1\x82\xd1\x80\xd0\xb8\n", "три"),
        (b"a\rb\n", "a\rb"),
        (b"last", "last"),
    ];
    fs::write(ground.log("app.log"), lines.map(|(bytes, _)| bytes).concat()).unwrap();
    ground.run_once().expect_code(0);
    assert_eq!(messages(&ground), lines.map(|(_, text)| text));
    ground.run_once().expect_code(0);
    assert_eq!(messages(&ground).len(), lines.len(), "a second run adds nothing");
}

/// B6: what is nearly JSON arrives whole, as an object where it is one, else as text; each record is valid JSON.
#[test]
fn almost_json_arrives_whole() {
    let ground = ground("");
    let deep = format!("{{\"seq\":{}", "[".repeat(100_000));
    let objects = [r#"{"a":1,"a":2}"#, r#"{"n":1e999,"big":18446744073709551616}"#, r#"{"s":"\ud800"}"#];
    let texts = ["[1,2]", "42", "\"text\"", r#"{"a":1} and more"#, r#"{"a":"#, "{]", &deep];
    let lines: Vec<&str> = objects.into_iter().chain(texts).collect();
    fs::write(ground.log("app.log"), lines.join("\n") + "\n").unwrap();
    ground.run_once().expect_code(0);
    let delivered = delivered(&ground);
    let records: Vec<&str> = delivered.lines().collect();
    assert_eq!(records.len(), lines.len());
    for (object, record) in objects.iter().zip(&records) {
        assert!(record.starts_with(object.trim_end_matches('}')), "{record}");
    }
    for (text, record) in texts.iter().zip(&records[objects.len()..]) {
        let record: Value = serde_json::from_str(record).unwrap();
        assert_eq!(record["message"].as_str(), Some(*text));
    }
}

/// B7: a line that is cut inside a character is still text.
#[test]
fn a_cut_inside_a_character_leaves_whole_characters() {
    let ground = ground("max_line = \"101 B\"\n");
    fs::write(ground.log("app.log"), "é".repeat(80) + "\nnext\n").unwrap();
    ground.run_once().expect_code(0);
    assert_eq!(messages(&ground), ["é".repeat(50) + "\u{fffd}", "next".to_owned()]);
}

/// B2: cut at the limit, marked, and the file goes on.
#[test]
fn a_long_line_is_cut_and_does_not_stop_the_file() {
    let ground = ground("max_line = \"64 KiB\"\n");
    let long = "x".repeat(5 << 20);
    append(&ground.log("app.log"), &format!("before\n{long}\nafter\n"));
    ground.run_once().expect_code(0);
    let text = delivered(&ground);
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lengths: Vec<usize> = records.iter().map(|record| record["message"].as_str().unwrap().len()).collect();
    assert_eq!(lengths, [6, 64 << 10, 5]);
    let cut: Vec<bool> = records.iter().map(|record| record.get("logferry_cut").is_some()).collect();
    assert_eq!(cut, [false, true, false]);
}

/// B1: a line that is not finished waits for its end, also over a restart.
#[test]
fn half_a_line_waits_for_the_other_half() {
    let ground = ground("unfinished_after = \"60s\"\n");
    append(&ground.log("app.log"), "first\nhalf ");
    let agent = ground.start(&[]);
    wait_until("the first line", || (messages(&ground) == ["first"]).then_some(()));
    append(&ground.log("app.log"), "a line\nno ");
    wait_until("the second", || (messages(&ground) == ["first", "half a line"]).then_some(()));
    agent.terminate().expect_code(0);
    append(&ground.log("app.log"), "third of it");
    let agent = ground.start(&[]);
    append(&ground.log("app.log"), " is missing\n");
    let expected = ["first", "half a line", "no third of it is missing"];
    wait_until("the third", || (messages(&ground) == expected).then_some(()));
    agent.terminate().expect_code(0);
}

/// A9: many files with the same beginning are not taken for one.
#[test]
fn files_with_equal_headers_are_kept_apart() {
    let ground = ground("");
    for number in 0..40 {
        let header = "# a header that all files share\n".repeat(20);
        append(&ground.log(&format!("{number}.log")), &format!("{header}seq-a-{number:07}\n"));
    }
    ground.run_once().expect_code(0);
    ground.run_once().expect_code(0);
    let mut checker = Checker::new("a", 40);
    checker.scan(&delivered(&ground));
    checker.assert_each_once();
    assert_eq!(messages(&ground).len(), 40 * 21);
}

/// Killed at random while it follows; the output's file holds each line once.
#[test]
fn kills_while_following_lose_and_repeat_nothing() {
    let ground = ground("");
    let generator = Generator::until(now_ms(), 30_000, 5, "a");
    let mut line = String::new();
    for round in 0..10 {
        let agent = ground.start(&[]);
        for number in round * 3000..(round + 1) * 3000 {
            line.clear();
            generator.line(number, &mut line);
            line.push('\n');
            append(&ground.log("app.log"), &line);
        }
        // Most rounds are killed with lines under way, some when all is still.
        if round % 3 == 0 {
            wait_for_lines(&ground, (round + 1) * 3000);
        }
        agent.kill_9();
    }
    ground.run_once().expect_code(0);
    let mut checker = Checker::new("a", 30_000);
    checker.scan(&delivered(&ground));
    checker.assert_each_once();
}

/// Everything to one output, errors to another, noise to none; each drop is told. A second run adds nothing to either.
#[test]
fn outputs_and_filters_take_what_is_theirs() {
    let ground = ground(
        "[[filter]]\nname = \"noise\"\naction = \"drop\"\nwhen.level = [\"DEBUG\"]\n\n\
         [output.errors]\ntype = \"file\"\npath = \"FOLDER/errors.ndjson\"\nformat = \"nested\"\n\
         when.level_at_least = \"ERROR\"\n",
    );
    let generator = Generator::until(now_ms(), 5000, 9, "a");
    generator.write_file(&ground.log("app.log"), 0..5000).unwrap();
    let count = |level| (0..5000).filter(|number| generator.level(*number) == Some(level)).count();
    for round in 0..2 {
        let finished = ground.run_once().expect_code(0);
        assert_eq!(finished.stderr.contains("dropped by noise"), round == 0, "{}", finished.stderr);
        assert_eq!(delivered(&ground).lines().count(), 5000 - count("DEBUG"));
        let errors = fs::read_to_string(ground.path("errors.ndjson")).unwrap();
        let errors: Vec<Value> = errors.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(errors.len(), count("ERROR"));
        assert!(errors.iter().all(|record| record["log"]["message"].is_string() && record["node"] == "app"));
    }
}

/// Two outputs, one of them away: the other has everything at once. What the one that was away has not got, it gets
/// when it is back, from its own place; and the ledger of each adds up.
#[test]
fn an_output_that_is_down_holds_up_no_other() {
    const LINES: u64 = 200_000;
    let ground = Ground::new();
    let with = |away: &str| {
        let both = format!("{CONFIGURATION}\n[output.away]\n{away}\n").replace("MORE", "");
        ground.configure(&both);
    };
    with("type = \"elasticsearch\"\nurl = \"http://127.0.0.1:1\"");
    let agent = ground.start(&[]);
    append(&ground.log("app.log"), &lines(0..LINES));
    wait_for_lines(&ground, LINES);
    agent.terminate().expect_code(0);
    let counted = |output: &str| {
        let books = ground.books(output, "app");
        [books.read, books.delivered]
    };
    assert_eq!(counted("store"), [LINES, LINES]);
    assert_eq!(counted("away"), [0, 0]);

    with("type = \"file\"\npath = \"FOLDER/late.ndjson\"");
    ground.run_once().expect_code(0);
    for (output, name) in [("store", "out.ndjson"), ("away", "late.ndjson")] {
        let mut checker = Checker::new("a", LINES);
        checker.scan(&fs::read_to_string(ground.path(name)).unwrap());
        checker.assert_each_once();
        assert_eq!(counted(output), [LINES, LINES]);
    }
}
