//! Containers that live for a moment.

use std::collections::BTreeMap;

use super::{Engine, delivered, records};
use crate::harness::{Ground, wait_until};

/// Starts so many that live for 50 to 300 ms and say something at their beginning and at their end, four at a time. The
/// last words of every other one have no newline: the engine writes them when it has ended.
fn live(engine: &Engine, count: u64, options: &[&str]) {
    std::thread::scope(|scope| {
        for lane in 0..4 {
            scope.spawn(move || {
                for number in (lane..count).step_by(4) {
                    let end = ["", "\\n"][usize::from(number % 2 == 0)];
                    let script = format!(
                        "printf 'first seq-a-%07d\\n' {number}; sleep 0.{:03}; printf 'last seq-b-%07d{end}' {number} >&2",
                        50 + number * 7 % 250
                    );
                    engine.run(options, &script);
                }
            });
        }
    });
}

/// How many had their last words, and the messages of each kind that are missing or too many.
fn words(ground: &Ground, count: u64) -> (u64, u64) {
    let mut said: BTreeMap<String, u64> = BTreeMap::new();
    for record in records(ground) {
        *said.entry(record["message"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let is_once = |message: String| said.get(&message) == Some(&1);
    let last = (0..count).filter(|number| is_once(format!("last seq-b-{number:07}"))).count() as u64;
    let first = (0..count).filter(|number| is_once(format!("first seq-a-{number:07}"))).count() as u64;
    assert_eq!(said.values().sum::<u64>(), first + last, "something came twice, or was never said");
    (first, last)
}

fn all_have_their_say(count: u64) {
    let engine = Engine::given();
    let ground = engine.ground();
    let agent = ground.start(&[]);
    live(&engine, count, &[]);
    wait_until("all words", || (delivered(&ground).lines().count() as u64 >= 2 * count).then_some(()));
    agent.terminate().expect_code(0);
    assert_eq!(words(&ground, count), (count, count));
}

/// C5: without `--rm` all of them.
#[test]
fn a_hundred_short_lives_have_their_last_words() {
    all_have_their_say(100);
}

#[test]
fn a_thousand_short_lives_have_their_last_words() {
    all_have_their_say(1000);
}

/// With `--rm`, by this way: whoever was not read to the end is counted.
fn who_is_missing_is_counted(count: u64, way: &str) -> u64 {
    let engine = Engine::given();
    let ground = engine.ground_by(way);
    let configuration = std::fs::read_to_string(ground.path("agent.toml")).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let open = format!("[admin]\nlisten = \"{port}\"");
    std::fs::write(ground.path("agent.toml"), configuration.replace("[admin]\nlisten = \"off\"", &open)).unwrap();
    let agent = ground.start(&[]);
    let missed = || missed(&format!("http://{port}/metrics"));
    wait_until("the agent to answer", missed);
    live(&engine, count, &["--rm"]);
    wait_until("each to be read or counted", || {
        let (first, last) = words(&ground, count);
        (first.min(last) + missed()? >= count).then_some(())
    });
    let missed = missed().unwrap();
    agent.terminate().expect_code(0);
    let (first, last) = words(&ground, count);
    println!("docker: by {way}, of {count} with --rm {first} first and {last} last words, {missed} counted as missed");
    assert!(first >= last && count - last <= missed && missed <= count, "{first} {last} {missed}");
    missed
}

/// What `logferry_missed_containers_total` says, summed.
fn missed(url: &str) -> Option<u64> {
    let answer = std::process::Command::new("curl").args(["-sf", url]).output().unwrap();
    let text = String::from_utf8(answer.stdout).ok().filter(|_| answer.status.success())?;
    let lines = text.lines().filter(|line| line.starts_with("logferry_missed_containers_total"));
    Some(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64)
}

/// C5: with `--rm` and through the API some are gone before anyone can ask.
#[test]
fn a_hundred_that_are_removed_at_once_are_read_or_counted() {
    who_is_missing_is_counted(100, "api");
}

#[test]
fn a_thousand_that_are_removed_at_once_are_read_or_counted() {
    who_is_missing_is_counted(1000, "api");
}

/// C5: where the engine's file can be opened, nobody is missing.
#[test]
fn a_thousand_that_are_removed_at_once_have_their_last_words_in_the_file() {
    assert_eq!(who_is_missing_is_counted(1000, "file"), 0, "the file of each can be opened before its first start");
}
