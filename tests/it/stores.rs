//! The main job against each real store: every line once, found by what it says, and refusals that hurt no neighbour.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::checker::Checker;
use crate::generate::{Generator, Kind, SECRETS};
use crate::harness::{Ground, append, now_ms, random_below, real_logs, unique, wait_until};
use crate::store::Store;

const LINES: u64 = 20_000;
/// What masking leaves in place of what it takes.
const TAGS: [&str; 5] = ["[secret]", "[password]", "[credential]", "[email]", "[card]"];

/// A ground with a file source of that name over all its logs.
fn ground(store: &Store, service: &str, more: &str) -> Ground {
    let ground = Ground::new();
    let source = format!("[source.{service}]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\ntimezone = \"UTC\"\n\n");
    ground.configure(&format!("{source}{}{more}", store.output()));
    ground
}

/// 20,000 mixed lines arrive once each, whole, masked, and are found by field, level and time; a second run adds
/// nothing.
fn arrive_once(store: &Store) {
    let service = unique("once");
    let ground = ground(store, &service, "");
    let generator = Generator::until(now_ms(), LINES, 1, "a");
    generator.write_file(&ground.log("a.log"), 0..LINES).unwrap();

    ground.run_once().expect_code(0);
    let records = check_all(store, &service, LINES);
    check_records(&generator, &records);
    check_search(store, &service, &generator);

    ground.run_once().expect_code(0);
    check_all(store, &service, LINES);
    check_books(&ground, &service);
}

/// All lines of all files are in the agent's books as delivered.
#[track_caller]
fn check_books(ground: &Ground, service: &str) {
    let files =
        std::fs::read_dir(ground.path("logs")).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let lines = files.map(|bytes| bytes.split_inclusive(|&byte| byte == b'\n').count() as u64).sum();
    ground.assert_books_say_delivered(service, lines);
}

fn check_all(store: &Store, service: &str, count: u64) -> HashMap<u64, Value> {
    let mut checker = Checker::new("a", count);
    let mut by_number = HashMap::new();
    for record in store.records(service) {
        let text = record.to_string();
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} came out: {text}");
        }
        checker.scan(&text);
        let number = text.split("seq-a-").nth(1).and_then(|rest| rest[..7].parse().ok());
        by_number.insert(number.expect("a number in each record"), record);
    }
    checker.assert_each_once();
    by_number
}

/// Nothing of the application's JSON is changed but what is masked; text becomes a message; both get our fields.
fn check_records(generator: &Generator, records: &HashMap<u64, Value>) {
    let mut line = String::new();
    for (number, record) in records {
        line.clear();
        generator.line(*number, &mut line);
        assert_eq!(record["host_name"].as_str().map(str::is_empty), Some(false), "{record}");
        if generator.kind(*number) == Kind::Json {
            let Value::Object(sent) = serde_json::from_str(&line).unwrap() else { panic!("{line}") };
            for (key, value) in sent.iter().filter(|(key, _)| *key != "user_login") {
                assert_eq!(record.get(key), Some(value), "{key} of {line}");
            }
        } else {
            let same_end = line.split(' ').next_back().unwrap();
            assert!(record["message"].as_str().unwrap().ends_with(same_end), "{record}");
            if let Some(level) = generator.level(*number) {
                assert_eq!(record["level"], level, "{line}");
            }
            if generator.kind(*number) != Kind::Trace {
                let difference = record["time"].as_i64().unwrap() - generator.time_ms(*number);
                assert!((-999..=0).contains(&difference), "time of {line}: {record}");
            }
        }
    }
}

fn check_search(store: &Store, service: &str, generator: &Generator) {
    let expected = |wanted: &dyn Fn(u64) -> bool| (0..LINES).filter(|number| wanted(*number)).count() as u64;
    let mut line = String::new();
    let opens = (0..LINES).filter(|number| {
        line.clear();
        generator.line(*number, &mut line);
        line.contains("\"command_name\":\"project.open\"")
    });
    assert_eq!(store.count_field(service, "command_name", "project.open"), opens.count() as u64);
    let errors = expected(&|number| generator.level(number) == Some("ERROR"));
    assert_eq!(store.count_field(service, "level", "ERROR"), errors);
    // Some kinds write no fraction, so whole seconds are asked for; a trace has the time of reading, which is later.
    let (from, to) = (seconds_up(generator.time_ms(2000)), seconds_up(generator.time_ms(12_000)));
    let inside =
        expected(&|number| generator.kind(number) != Kind::Trace && (from..to).contains(&generator.time_ms(number)));
    assert_eq!(store.count_time(service, from, to), inside);
}

fn seconds_up(ms: i64) -> i64 {
    (ms + 999) / 1000 * 1000
}

/// The given real files: as many records as lines, and those that masking leaves alone are there word for word.
fn real_files_arrive(store: &Store) {
    let Some(folder) = real_logs() else { return };
    let service = unique("real");
    // Lines of years ago: Loki refuses them, so they get the time of reading there.
    let old = if store.kind == "loki" { "old = \"restamp\"\n" } else { "" };
    let ground = ground(store, &service, old);
    let mut expected: HashMap<String, i64> = HashMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|extension| extension == "log") {
            std::fs::copy(&entry, ground.log(entry.file_name().unwrap().to_str().unwrap())).unwrap();
            count_lines(&entry, &mut expected);
        }
    }
    let total: i64 = expected.values().sum();
    assert!(total > 0, "no *.log in the folder of real logs");

    ground.run_once().expect_code(0);
    ground.run_once().expect_code(0);
    let records = store.records(&service);
    assert_eq!(records.len(), usize::try_from(total).unwrap(), "records and lines");
    check_books(&ground, &service);
    for record in &records {
        *expected.entry(record["message"].as_str().unwrap().to_owned()).or_default() -= 1;
    }
    // What is left is masked: as many lines changed as records hold a tag in their place.
    let (missing, fresh): (Vec<_>, Vec<_>) = expected.iter().filter(|(_, n)| **n != 0).partition(|(_, n)| **n > 0);
    assert_eq!(sum(&missing), -sum(&fresh), "{missing:?}");
    for (text, _) in &fresh {
        assert!(TAGS.iter().any(|tag| text.contains(tag)), "changed, yet not masked: {text}");
    }
    assert!(sum(&missing) * 4 < total, "{} of {total} lines were changed", sum(&missing));
}

fn count_lines(path: &Path, into: &mut HashMap<String, i64>) {
    let bytes = std::fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for line in text.lines() {
        *into.entry(line.to_owned()).or_default() += 1;
    }
}

fn sum(rows: &[(&String, &i64)]) -> i64 {
    rows.iter().map(|(_, count)| **count).sum()
}

/// Documents that the mapping refuses are stored as text, marked; their neighbours as they are. Nothing is lost.
fn refused_are_rewrapped(store: &Store) {
    let service = unique("refused");
    let ground = ground(store, &service, "");
    for number in 0..300 {
        // Of these two changes of mind each store refuses at least one.
        let [mut user, mut item] = ["\"plain\"", "{\"at\":1}"];
        if number % 30 == 7 {
            std::mem::swap(&mut user, &mut item);
        }
        let line = format!("{{\"user\":{user},\"item\":{item},\"sequence\":\"seq-a-{number:07}\"}}\n");
        append(&ground.log("a.log"), &line);
    }
    ground.run_once().expect_code(0);
    let records = check_all(store, &service, 300);
    let marked = records.values().filter(|record| record.get("logferry_refused").is_some()).count();
    assert!(marked == 10 || store.kind == "loki", "{marked} marked as refused");
    ground.run_once().expect_code(0);
    check_all(store, &service, 300);
    check_books(&ground, &service);
}

/// `kill -9` ten times while it reads and sends, then one run to the end: nothing missing, nothing twice.
fn survive_kills(store: &Store) {
    const FILE_LINES: u64 = 60_000;
    let service = unique("killed");
    let ground = ground(store, &service, "");
    let labels = ["a", "b"];
    for (seed, label) in (7..).zip(labels) {
        let generator = Generator::until(now_ms(), FILE_LINES, seed, label);
        generator.write_file(&ground.log(&format!("{label}.log")), 0..FILE_LINES).unwrap();
    }
    let mut ended_early = 0;
    for round in 0..10_u64 {
        let mut agent = ground.start(&["--once"]);
        // Moments that differ from run to run, most of them while requests are under way.
        std::thread::sleep(Duration::from_millis(60 + random_below(340) + round * 10));
        ended_early += u32::from(agent.has_ended());
        agent.kill_9();
    }
    ground.run_once().expect_code(0);
    check_labels(store, &service, &labels, 0..FILE_LINES);
    check_books(&ground, &service);
    assert!(ended_early < 8, "{ended_early} of 10 runs had ended before they were killed: too few lines");
}

fn check_labels(store: &Store, service: &str, labels: &[&str], numbers: Range<u64>) {
    let mut checkers: Vec<Checker> = labels.iter().map(|label| Checker::new(label, numbers.end)).collect();
    store.each_page(service, &mut |text| checkers.iter_mut().for_each(|checker| checker.scan(text)));
    checkers.iter().for_each(Checker::assert_each_once);
}

/// A daemon: lines that are written while it runs are in the store within seconds, without a run's end.
fn follow_live(store: &Store) {
    let service = unique("live");
    let ground = ground(store, &service, "");
    let agent = ground.start(&[]);
    let generator = Generator::until(now_ms(), 500, 3, "a");
    let mut line = String::new();
    for number in 0..500 {
        line.clear();
        generator.line(number, &mut line);
        line.push('\n');
        append(&ground.log("a.log"), &line);
    }
    wait_until("all lines in the store", || {
        let mut checker = Checker::new("a", 500);
        store.each_page(&service, &mut |text| checker.scan(text));
        (checker.found() == 500).then_some(())
    });
    agent.terminate().expect_code(0);
    check_all(store, &service, 500);
    check_books(&ground, &service);
}

/// These tests see every record, over several pages, and a repetition among them.
fn client_sees_all(store: &Store) {
    let service = unique("client");
    let mut texts: Vec<String> = (0..11_000).map(|number| format!("seq-a-{number:07}")).collect();
    store.fill(&service, &texts);
    check_all(store, &service, 11_000);
    texts.truncate(1);
    store.fill(&service, &texts);
    let mut checker = Checker::new("a", 11_000);
    store.each_page(&service, &mut |text| checker.scan(text));
    assert_eq!(checker.repeated(), [0]);
}

/// The same for each store, in a module of its name.
macro_rules! each_store {
    ($($name:ident: $kind:literal at $variable:literal;)*) => {$(
        mod $name {
            use super::*;

            fn store() -> Store {
                Store::from_environment($kind, $variable)
            }

            #[test]
            fn the_client_sees_all() {
                client_sees_all(&store());
            }

            #[test]
            fn lines_arrive_once() {
                arrive_once(&store());
            }

            #[test]
            fn real_files() {
                real_files_arrive(&store());
            }

            #[test]
            fn refused_documents() {
                refused_are_rewrapped(&store());
            }

            #[test]
            fn killed_ten_times() {
                survive_kills(&store());
            }

            #[test]
            fn followed_live() {
                follow_live(&store());
            }
        }
    )*};
}

each_store! {
    es8: "elasticsearch" at "LOGFERRY_TEST_ES8";
    es7: "elasticsearch" at "LOGFERRY_TEST_ES7";
    opensearch: "opensearch" at "LOGFERRY_TEST_OPENSEARCH";
    loki: "loki" at "LOGFERRY_TEST_LOKI";
}

mod only_loki {
    use super::*;

    /// Loki drops an entry that it has; what tells these apart is the agent's own count of ns.
    #[test]
    fn equal_lines_of_one_moment_are_all_there() {
        const EQUAL: u64 = 100_000;
        let (store, service, now) = (Store::from_environment("loki", "LOGFERRY_TEST_LOKI"), unique("equal"), now_ms());
        let ground = ground(&store, &service, "");
        let line = format!("{{\"time\":{now},\"message\":\"again and again\"}}\n");
        append(&ground.log("equal.log"), &line.repeat(usize::try_from(EQUAL).unwrap()));
        ground.run_once().expect_code(0);
        assert_eq!(store.count_field(&service, "message", "again and again"), EQUAL);
        assert_eq!(store.count_time(&service, now, now + 1_000), EQUAL, "in the second in which they were written");
    }
}
