//! Containers of a real engine: short-lived ones, long lines, two streams, and agents and engines that come and go.
//! The store is a file of NDJSON. What the engine itself was told is what must arrive.

mod away;
mod clock;
mod lives;
mod restarts;
mod script;

use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::checker::Checker;
use crate::harness::{Agent, Ground, unique, wait_until};
use crate::store::address;

/// A Docker Engine, and the label that the containers of one test carry.
struct Engine {
    host: String,
    label: String,
}

impl Engine {
    fn at(host: &str) -> Self {
        Self { host: host.to_owned(), label: format!("logferry.test={}", unique("docker")) }
    }

    fn given() -> Self {
        Self::at(&address("LOGFERRY_TEST_DOCKER"))
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker").args(["-H", &self.host]).args(arguments).output().unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts a container that runs a shell script; its id.
    fn run(&self, options: &[&str], script: &str) -> String {
        let mut arguments = vec!["run", "-d", "--network", "none", "--label", &self.label];
        arguments.extend(options);
        arguments.extend(["busybox:1", "sh", "-c", script]);
        self.docker(&arguments)
    }

    fn is_running(&self, id: &str) -> bool {
        self.docker(&["inspect", "-f", "{{.State.Running}}", id]) == "true"
    }

    /// A ground whose agent follows this test's containers into a file.
    fn ground(&self) -> Ground {
        self.ground_by("auto")
    }

    /// The same, by one way.
    fn ground_by(&self, way: &str) -> Ground {
        ground(&self.host, way, &format!("labels = [\"{}\"]", self.label))
    }

    fn remove_containers(&self) {
        let filter = format!("label={}", self.label);
        let list = Command::new("docker").args(["-H", &self.host, "ps", "-aq", "--filter", &filter]).output().unwrap();
        for id in String::from_utf8_lossy(&list.stdout).split_whitespace() {
            let _ = Command::new("docker").args(["-H", &self.host, "rm", "-f", id]).stdout(Stdio::null()).status();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.remove_containers();
    }
}

/// A ground whose agent follows the containers of an engine by this way into a file.
fn ground(host: &str, way: &str, more: &str) -> Ground {
    let ground = Ground::new();
    ground.configure(&format!(
        "[source.box]\ntype = \"docker\"\nhost = \"{host}\"\nread = \"{way}\"\n{more}\n\n\
         [output.store]\ntype = \"file\"\npath = \"FOLDER/out.ndjson\"\nrotate_bytes = \"1 GiB\"\n"
    ));
    ground
}

/// Prints these numbers, one a line, to standard output.
fn print(numbers: Range<u64>) -> String {
    let Range { start, end } = numbers;
    format!("i={start}; while [ $i -lt {end} ]; do printf 'line seq-a-%07d\\n' $i; i=$((i+1)); done")
}

/// The whole lines of the output: its last one may be under way.
fn delivered(ground: &Ground) -> String {
    let mut text = std::fs::read_to_string(ground.path("out.ndjson")).unwrap_or_default();
    text.truncate(text.rfind('\n').map_or(0, |at| at + 1));
    text
}

/// The end of the output, which may be large.
fn tail(ground: &Ground, most: u64) -> String {
    let mut file = std::fs::File::open(ground.path("out.ndjson")).unwrap();
    let length = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(length.saturating_sub(most))).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn records(ground: &Ground) -> Vec<Value> {
    delivered(ground).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

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
    assert_each_once(ground, numbers);
}

#[track_caller]
fn assert_each_once(ground: &Ground, numbers: u64) {
    let mut checker = Checker::new("a", numbers);
    checker.scan(&delivered(ground));
    checker.assert_each_once();
}

/// C5: 200 that live for a moment, half of them while the agent is away.
#[test]
fn short_lived_containers_have_their_say() {
    let engine = Engine::given();
    let ground = engine.ground();
    let start = |containers: Range<u64>| {
        std::thread::scope(|scope| {
            for lane in 0..4 {
                let (engine, containers) = (&engine, containers.clone());
                scope.spawn(move || {
                    for container in containers.filter(|container| container % 4 == lane) {
                        engine.run(&[], &print(container * 5..container * 5 + 5));
                    }
                });
            }
        });
    };
    let agent = ground.start(&[]);
    start(0..100);
    wait_for_lines(&ground, 500);
    agent.terminate().expect_code(0);
    start(100..150);
    let agent = ground.start(&[]);
    start(150..200);
    finish(&ground, agent, 1000);
}

/// C1: longer than the engine's frames of 16 KB, on both streams at once; each comes out whole.
#[test]
fn a_long_line_is_joined_from_its_frames() {
    let engine = Engine::given();
    let ground = engine.ground();
    let long = |byte: char, number: u64| {
        format!("printf '%s seq-a-{number:07}\\n' $(head -c 40000 /dev/zero | tr '\\0' {byte})")
    };
    engine.run(&[], &format!("{} & {} >&2; wait", long('x', 0), long('y', 1)));
    let agent = ground.start(&[]);
    finish(&ground, agent, 2);
    for record in records(&ground) {
        let (byte, number) = if record["stream"] == "stdout" { ("x", 0) } else { ("y", 1) };
        let expected = format!("{} seq-a-{number:07}", byte.repeat(40_000));
        assert!(record["message"].as_str() == Some(&expected), "{} is not whole", record["stream"]);
    }
}

/// C3: two streams of one container, written at the same time; each knows which it is, and its order.
#[test]
fn interleaved_streams_are_kept_apart_and_in_order() {
    let engine = Engine::given();
    let ground = engine.ground();
    let agent = ground.start(&[]);
    let both = "i=0; while [ $i -lt 4000 ]; do printf 'seq-a-%07d\\n' $i; printf 'seq-a-%07d\\n' $((i+1)) >&2; i=$((i+2)); done";
    let id = engine.run(&["--name", &unique("both")], both);
    finish(&ground, agent, 4000);
    let name = engine.docker(&["inspect", "-f", "{{.Name}}", &id]);
    for (stream, rest) in [("stdout", 0), ("stderr", 1)] {
        let records = records(&ground);
        let texts = records.iter().filter(|record| record["stream"] == stream).map(|record| &record["message"]);
        let texts: Vec<&str> = texts.map(|text| text.as_str().unwrap()).collect();
        let expected: Vec<String> = (0..2000).map(|number| format!("seq-a-{:07}", number * 2 + rest)).collect();
        assert!(texts == expected, "{stream} is out of order, or holds lines of the other");
        assert!(records.iter().all(|record| record["container_name"] == name.trim_start_matches('/')));
    }
}

/// C2: what was written while the agent was stopped, or dead, is there afterwards.
#[test]
fn an_agent_that_was_away_catches_up() {
    let engine = Engine::given();
    let ground = engine.ground();
    let script =
        "i=0; while [ $i -lt 6000 ]; do printf 'seq-a-%07d\\n' $i; i=$((i+1)); [ $((i%20)) = 0 ] && sleep 0.02; done";
    let id = engine.run(&[], script);
    for stop in [Agent::kill_9 as fn(Agent), |agent| drop(agent.terminate().expect_code(0)), Agent::kill_9] {
        let before = records(&ground).len();
        let agent = ground.start(&[]);
        wait_until("more lines", || (records_at_least(&ground, before + 300) || !engine.is_running(&id)).then_some(()));
        stop(agent);
    }
    let agent = ground.start(&[]);
    finish(&ground, agent, 6000);
}

/// Writes to both streams, 2 MB/s, lines of 40 KB among them, until it is told to end; then it says how many. No signals
/// and no children that end: a shell's writes are cut short by them.
const LOAD: &str = r#"x=$(seq -s ' ' 10000 16665 | tr 0-9 a-j); i=0
while [ ! -e /end ]; do
  printf 'seq-a-%07d\n' $i; printf 'seq-a-%07d\n' $((i+1)) >&2; i=$((i+2))
  [ $((i%40)) = 0 ] || continue
  printf '%s seq-a-%07d\n' "$x" $i; printf '%s seq-a-%07d\n' "$x" $((i+1)) >&2; i=$((i+2)); sleep 0.03
done; echo end $i"#;

/// Ends a load and waits until its last words are there; how many lines it wrote before.
#[track_caller]
fn end_load(engine: &Engine, id: &str, ground: &Ground) -> u64 {
    engine.docker(&["exec", id, "sh", "-c", ": >/end"]);
    wait_until("the end of the load", || {
        let text = tail(ground, 1 << 20);
        let (_, rest) = text.rsplit_once("\"end ")?;
        rest.split('"').next()?.parse().ok()
    })
}

/// Each line of a load once, and no part of one as a line.
#[track_caller]
fn assert_load_is_whole(ground: &Ground, numbers: u64) {
    assert_each_once(ground, numbers);
    let text = delivered(ground);
    let lengths =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].as_str().unwrap().len());
    let mut count = 0;
    for length in lengths {
        assert!(length < 20 || length == 40_009, "a line of {length} bytes was never written");
        count += 1;
    }
    assert_eq!(count, numbers + 1);
}

/// The same lines in the same order, stream by stream, as in the engine's files. `docker logs` is not asked: an engine
/// that was killed leaves a torn line, and shows nothing behind it.
#[track_caller]
fn assert_as_the_files_have_it(engine: &Engine, id: &str, ground: &Ground) {
    let path = engine.docker(&["inspect", "-f", "{{.LogPath}}", id]);
    let records = records(ground);
    for stream in ["stdout", "stderr"] {
        let of_stream = records.iter().filter(|record| record["stream"] == stream);
        let told: Vec<&str> = of_stream.map(|record| record["message"].as_str().unwrap()).collect();
        let held = held(&path, stream);
        let held: Vec<&str> = held.lines().collect();
        let first = told.iter().zip(&held).position(|(one, other)| one != other);
        assert!(told == held, "{stream}: {} of {} lines, the first other is {first:?}", told.len(), held.len());
    }
}

/// The text of one stream in the json-file at `path` and in those that it was rotated to, oldest first. An engine that is
/// killed while it renames them leaves a gap in their numbers.
fn held(path: &str, stream: &str) -> String {
    let rotated = (1..1000).rev().map(|number| format!("{path}.{number}"));
    let paths = rotated.filter(|path| std::fs::exists(path).unwrap()).chain([path.to_owned()]);
    let mut held = String::new();
    for path in paths {
        let text = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
        let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.filter(|entry| entry["stream"] == stream).for_each(|entry| held += entry["log"].as_str().unwrap());
    }
    held
}

fn records_at_least(ground: &Ground, count: usize) -> bool {
    delivered(ground).lines().count() >= count
}

/// All that there is, then an end; a second run adds nothing.
#[test]
fn once_reads_containers_up_to_now() {
    let engine = Engine::given();
    let ground = engine.ground();
    let ended = engine.run(&[], &print(0..500));
    let running = engine.run(&[], &format!("{}; sleep 600", print(500..1000)));
    wait_until("the containers to have written", || {
        let said = engine.docker(&["logs", "--tail", "1", &running]);
        (!engine.is_running(&ended) && said.ends_with("seq-a-0000999")).then_some(())
    });
    ground.run_once().expect_code(0);
    assert_each_once(&ground, 1000);
    ground.run_once().expect_code(0);
    assert_each_once(&ground, 1000);
}

/// C7: at 2 MB/s and more the engine rotates its file ten times a second.
#[test]
fn a_log_that_is_rotated_at_speed_is_read_once() {
    let engine = Engine::given();
    let ground = engine.ground_by("file");
    let agent = ground.start(&[]);
    let pad = "x".repeat(130);
    let script = format!(
        "i=0; while [ $i -lt 100000 ]; do printf '{pad} seq-a-%07d\\n' $i; i=$((i+1)); [ $((i%400)) = 0 ] && sleep 0.01; done"
    );
    engine.run(&["--log-opt", "max-size=200k", "--log-opt", "max-file=20"], &script);
    finish(&ground, agent, 100_000);
}

/// C1, C2, C7: the agent is away for a while under load: two streams, lines of 40 KB among them, files rotated meanwhile.
#[test]
fn rotations_while_the_agent_is_away_are_caught_up() {
    let engine = Engine::given();
    let ground = engine.ground_by("file");
    let agent = ground.start(&[]);
    let script = "x=$(head -c 40000 /dev/zero | tr '\\0' x); i=0; while [ $i -lt 12000 ]; do printf 'seq-a-%07d\\n' $i; \
                  printf 'seq-a-%07d\\n' $((i+1)) >&2; i=$((i+2)); \
                  [ $((i%40)) = 0 ] && printf '%s seq-a-%07d\\n' $x $i && i=$((i+1)) && \
                  printf '%s seq-a-%07d\\n' $x $i >&2 && i=$((i+1)) && sleep 0.02; done";
    engine.run(&["--log-opt", "max-size=1m", "--log-opt", "max-file=40", "--log-opt", "compress=true"], script);
    wait_until("some lines", || records_at_least(&ground, 500).then_some(()));
    agent.kill_9();
    std::thread::sleep(std::time::Duration::from_secs(5));
    let agent = ground.start(&[]);
    wait_for_lines(&ground, 12_002);
    agent.terminate().expect_code(0);
    let mut checker = Checker::new("a", 12_002);
    checker.scan(&delivered(&ground));
    checker.assert_each_once();
}

/// C8: with a terminal there are no frames, one stream, and lines end in CR LF.
#[test]
fn a_terminal_s_lines_are_clean() {
    let engine = Engine::given();
    let ground = engine.ground();
    engine.run(&["-t"], &format!("{}; echo plain", print(0..50)));
    let agent = ground.start(&[]);
    finish(&ground, agent, 50);
    let messages: Vec<String> =
        records(&ground).iter().map(|one| one["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(messages[0], "line seq-a-0000000");
    assert!(messages.iter().all(|message| !message.contains('\r')));
}

/// Labels of a container that speak to the agent.
#[test]
fn labels_choose_and_name() {
    let engine = Engine::given();
    let ground = engine.ground();
    engine.run(&["--label", "logferry.enable=false"], "echo hidden");
    engine.run(&["--label", "logferry.service=shop"], "echo seq-a-0000000");
    let agent = ground.start(&[]);
    finish(&ground, agent, 1);
    let records = records(&ground);
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["service_name"], "shop");
}

/// A label turns detectors on for its container alone, and none off.
#[test]
fn labels_add_to_what_is_masked() {
    let engine = Engine::given();
    let ground = engine.ground();
    let text = "echo seq-a-000000$N from 10.1.2.3 of a@example.com";
    let (both, plain) = (unique("both"), unique("plain"));
    engine.run(&["--name", &both, "--label", "logferry.mask=ipv4,-email", "-e", "N=0"], text);
    engine.run(&["--name", &plain, "-e", "N=1"], text);
    let agent = ground.start(&[]);
    wait_for_lines(&ground, 2);
    let said = agent.terminate().expect_code(0).stderr;
    assert_each_once(&ground, 2);
    for record in records(&ground) {
        let expected = if record["container_name"] == both.as_str() {
            "from [ipv4] of [email]"
        } else {
            "from 10.1.2.3 of [email]"
        };
        assert!(record["message"].as_str().unwrap().ends_with(expected), "{record}");
    }
    assert!(said.contains(&format!("label logferry.mask of {both}: a label may not turn `email` off")), "{said}");
}
