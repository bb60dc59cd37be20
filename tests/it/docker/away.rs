//! Agents that are away while containers write, and what becomes of the files and of the containers meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use super::{
    Engine, LOAD, assert_as_the_files_have_it, assert_each_once, assert_load_is_whole, delivered, end_load, finish,
    print, records_at_least, wait_for_lines,
};
use crate::harness::wait_until;

/// The agent is killed under load and comes back after a while.
fn is_away_under_load(way: &str, options: &[&str], length: Duration) {
    let engine = Engine::given();
    let ground = engine.ground_by(way);
    let agent = ground.start(&[]);
    let id = engine.run(options, LOAD);
    wait_until("some lines", || records_at_least(&ground, 1000).then_some(()));
    agent.kill_9();
    let before = delivered(&ground).lines().count();
    std::thread::sleep(length);
    let agent = ground.start(&[]);
    wait_until("more lines", || records_at_least(&ground, before + 1000).then_some(()));
    let numbers = end_load(&engine, &id, &ground);
    agent.terminate().expect_code(0);
    ground.run_once().expect_code(0);
    let bytes = ground.path("out.ndjson").metadata().unwrap().len();
    println!("docker: {way}, away for {length:?}: {numbers} lines in {bytes} bytes, {before} before");
    assert_as_the_files_have_it(&engine, &id, &ground);
    assert_load_is_whole(&ground, numbers);
}

/// By file while it is rotated, and through the API from one long file.
const WAYS: [(&str, &[&str]); 2] =
    [("file", &["--log-opt", "max-size=200k", "--log-opt", "max-file=3000"]), ("api", &[])];

/// C1, C2, C3, C7: for ten seconds.
#[test]
fn an_agent_that_is_away_under_load_catches_up() {
    WAYS.iter().for_each(|(way, options)| is_away_under_load(way, options, Duration::from_secs(10)));
}

/// The same for a minute.
#[test]
fn an_agent_that_is_away_for_a_minute_catches_up() {
    WAYS.iter().for_each(|(way, options)| is_away_under_load(way, options, Duration::from_secs(60)));
}

/// C7: somebody copies and truncates the engine's file (`logrotate` with `copytruncate`), while the agent follows and while
/// it is away. The lines that were not read are in the copy.
#[test]
fn a_log_that_is_copied_and_truncated_is_read_on() {
    let engine = Engine::given();
    let ground = engine.ground_by("file");
    let agent = ground.start(&[]);
    let go_on = |name: &str| format!("while [ ! -e /{name} ]; do sleep 0.02; done");
    let script = format!(
        "{}; {}; {}; {}; {}; {}; {}; exec sleep 600",
        print(0..500),
        go_on("a"),
        print(500..1000),
        go_on("b"),
        print(1000..1500),
        go_on("c"),
        print(1500..2000)
    );
    let id = engine.run(&[], &script);
    let path = PathBuf::from(engine.docker(&["inspect", "-f", "{{.LogPath}}", &id]));
    let rotate = || {
        std::fs::copy(&path, path.with_extension("log.1")).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    };
    let say = |name: &str| engine.docker(&["exec", &id, "sh", "-c", &format!(": >/{name}")]);
    let wait_for_file = |number: u64| {
        let line = format!("seq-a-{number:07}");
        wait_until("the engine to write", || std::fs::read_to_string(&path).unwrap().contains(&line).then_some(()));
    };
    wait_for_lines(&ground, 500);
    rotate();
    say("a");
    wait_for_lines(&ground, 1000);
    agent.kill_9();
    say("b");
    wait_for_file(1499);
    rotate();
    say("c");
    wait_for_file(1999);
    let agent = ground.start(&[]);
    finish(&ground, agent, 2000);
}

/// C9: what the engine has no more when the agent comes back is no longer in the checkpoint; what was counted of it is. An
/// engine that does not answer has told nothing.
#[test]
fn a_container_that_was_removed_while_the_agent_was_away_is_forgotten() {
    let engine = Engine::given();
    let ground = engine.ground();
    let gone = engine.run(&[], &print(0..10));
    let kept = engine.run(&[], &print(10..20));
    let agent = ground.start(&[]);
    finish(&ground, agent, 20);
    let saved = || std::fs::read_to_string(ground.path("state/outputs/store/checkpoint.json")).unwrap();
    assert!(saved().contains(&gone) && saved().contains(&kept));
    engine.docker(&["rm", "-f", &gone]);

    let configuration = std::fs::read_to_string(ground.path("agent.toml")).unwrap();
    let nowhere = configuration.replace(&engine.host, "unix:///nowhere.sock");
    std::fs::write(ground.path("agent.toml"), nowhere).unwrap();
    ground.run_once().expect_code(2);
    assert!(saved().contains(&gone), "nobody said that it is gone");
    std::fs::write(ground.path("agent.toml"), configuration).unwrap();

    let agent = ground.start(&[]);
    wait_until("it to be forgotten", || (!saved().contains(&gone)).then_some(()));
    agent.terminate().expect_code(0);
    assert!(saved().contains(&kept));
    assert_each_once(&ground, 20);
    assert_eq!(ground.books("store", "box").delivered, 20);
}
