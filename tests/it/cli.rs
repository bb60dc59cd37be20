//! The program as a person meets it: pipes, exit codes, messages.

use std::fs::File;
use std::io::Seek as _;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Ground, append, wait_until};

/// An address of this machine on which nothing listens.
fn closed_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// No file and no engine: standard input comes out as masked records.
#[test]
fn a_pipe_without_configuration_prints_masked_records() {
    let ground = Ground::new();
    let input = "mail from ann@mail.example\n{\"user\":\"ann@mail.example\",\"id\":9007199254740993}\n";
    let finished = ground.run_with_input(&["run", "--once"], input.as_bytes()).expect_code(0);
    // The machine's own /var/log is printed as well: ours are those of standard input.
    let ours: Vec<&str> = finished.stdout.lines().filter(|line| line.contains("\"source_name\":\"stdin\"")).collect();
    assert_eq!(ours.len(), 2, "{}", finished.stderr);
    assert!(!finished.stdout.contains("ann@mail.example"));
    let first: serde_json::Value = serde_json::from_str(ours[0]).unwrap();
    assert!(first["message"].as_str().unwrap().starts_with("mail from ["), "{first}");
    assert!(ours[1].contains("\"id\":9007199254740993"), "{}", ours[1]);
}

/// Arguments, configuration, code, what standard error says.
#[test]
fn exit_codes_tell_scripts_what_happened() {
    const STDOUT: &str = "[source.app]\ntype = \"stdin\"\n[output.store]\ntype = \"stdout\"\n";
    let rows: [(&[&str], &str, i32, &str); 10] = [
        (&["--version"], "", 0, ""),
        (&["--help"], "", 0, ""),
        (&["nonsense"], "", 1, "nonsense"),
        (&["run", "--onec"], "", 1, "--once"),
        (&["run", "-c", "absent.toml"], "", 1, "absent.toml"),
        (&["check", "-c", "agent.toml"], STDOUT, 0, ""),
        (&["check", "-c", "agent.toml"], "[output.store]\ntyp = \"stdout\"\n", 1, "type"),
        (&["check", "-c", "agent.toml"], "[source.app]\ntype = \"file\"\n", 1, "output"),
        (&["run", "--once", "-c", "agent.toml"], "[output.store]\ntype = \"nonsense\"\n", 1, "nonsense"),
        (&["run", "--once", "-c", "agent.toml"], STDOUT, 0, ""),
    ];
    for (arguments, configuration, code, said) in rows {
        let ground = Ground::new();
        ground.configure(configuration);
        let finished = ground.run_with_input(arguments, b"a line\n");
        assert_eq!(finished.status.code(), Some(code), "{arguments:?} {configuration}: {}", finished.stderr);
        let all = finished.stdout + &finished.stderr;
        assert!(all.contains(said), "{arguments:?} should say {said}: {all}");
    }
}

/// Exit code 2: nothing answers, and `--wait` is over. Nothing is lost: a later run delivers.
#[test]
fn an_unreachable_store_ends_once_with_code_2() {
    let ground = Ground::new();
    let closed = closed_address();
    let source = "[source.app]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\n\n";
    std::fs::write(ground.log("a.log"), "one\ntwo\n").unwrap();
    ground.configure(&format!("{source}[output.store]\ntype = \"elasticsearch\"\nurl = \"http://{closed}\"\n"));
    let finished = ground.start(&["--once", "--wait", "1s"]).wait().expect_code(2);
    assert!(finished.stderr.contains(&closed.to_string()), "{}", finished.stderr);
    ground.configure(&format!("{source}[output.store]\ntype = \"file\"\npath = \"FOLDER/out\"\n"));
    ground.run_once().expect_code(0);
    assert_eq!(std::fs::read_to_string(ground.path("out")).unwrap().lines().count(), 2);
}

/// Exit code 2: no engine answers. What the other sources have is delivered, and the table is printed.
#[test]
fn an_engine_that_is_away_ends_once_with_code_2() {
    let ground = Ground::new();
    std::fs::write(ground.log("a.log"), "one\ntwo\n").unwrap();
    ground.configure(
        "[source.app]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\n\n\
         [source.containers]\ntype = \"docker\"\nhost = \"unix://FOLDER/nobody.sock\"\n\n\
         [output.store]\ntype = \"file\"\npath = \"FOLDER/out\"\n",
    );
    let finished = ground.run_once().expect_code(2);
    for words in ["nobody.sock", "hint: ", "not read", "delivered  2"] {
        assert!(finished.stderr.contains(words), "{words}: {}", finished.stderr);
    }
    assert_eq!(std::fs::read_to_string(ground.path("out")).unwrap().lines().count(), 2);
}

/// The example that the program prints is one that it accepts.
#[test]
fn the_example_passes_check() {
    let ground = Ground::new();
    let example = ground.run_with_input(&["example"], b"").expect_code(0).stdout;
    let example = example.replace("/var/lib/logferry", ground.path("state").to_str().unwrap());
    std::fs::write(ground.path("agent.toml"), example).unwrap();
    ground.run_with_input(&["check"], b"").expect_code(0);
}

/// `docker stop` gives ten seconds: with a store that is gone, an agent stops in fewer, and its lines are not lost.
#[test]
fn a_stop_is_bounded_though_the_store_is_gone() {
    let ground = Ground::new();
    let source = "[source.app]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\n\n";
    let output = format!("[output.store]\ntype = \"loki\"\nurl = \"http://{}\"\n", closed_address());
    append(&ground.log("a.log"), "one\ntwo\n");
    ground.configure(&format!("{source}{output}"));
    let agent = ground.start(&[]);
    wait_until("a failed attempt", || agent.messages().contains("store").then_some(()));
    let began = Instant::now();
    agent.terminate().expect_code(0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    ground.configure(&format!("{source}[output.store]\ntype = \"file\"\npath = \"FOLDER/out\"\n"));
    ground.run_once().expect_code(0);
    assert_eq!(std::fs::read_to_string(ground.path("out")).unwrap().lines().count(), 2);
}

/// What a scraper and a container's health check see.
#[test]
fn metrics_and_health_are_served() {
    let ground = Ground::new();
    let admin = closed_address();
    append(&ground.log("a.log"), "one\ntwo\n");
    ground.configure(&format!(
        "[admin]\nlisten = \"{admin}\"\n[source.app]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\n\
         [output.store]\ntype = \"file\"\npath = \"FOLDER/out\"\n"
    ));
    let other = Ground::new();
    let ask = ["health", "--url", &format!("http://{admin}")];
    other.run_with_input(&ask, b"").expect_code(1);
    let agent = ground.start(&[]);
    wait_until("the lines in the metrics", || {
        let answer = Command::new("curl").args(["-s", &format!("http://{admin}/metrics")]).output().unwrap();
        let text = String::from_utf8(answer.stdout).unwrap();
        let has = |row: &str| text.lines().any(|line| line == row);
        let read = has("logferry_read_lines_total{output=\"store\",source=\"app\"} 2");
        (read && has("logferry_delivered_records_total{output=\"store\"} 2")).then_some(())
    });
    other.run_with_input(&ask, b"").expect_code(0);
    agent.terminate().expect_code(0);
}

/// A stop delivers what was taken from standard input: nobody else has it any more. The input is a file, so that how far
/// it was read can be seen.
#[test]
fn a_stop_delivers_what_was_read_from_standard_input() {
    const LINE: &str = "a line of twenty-nine bytes.\n";
    let ground = Ground::new();
    ground.configure("[source.pipe]\ntype = \"stdin\"\n[output.store]\ntype = \"file\"\npath = \"FOLDER/out\"\n");
    std::fs::write(ground.path("in"), LINE.repeat(2_000_000)).unwrap();
    let mut input = File::open(ground.path("in")).unwrap();
    let agent = ground.start_with(&["run", "-c", "agent.toml"], input.try_clone().unwrap().into());
    wait_until("lines", || (std::fs::metadata(ground.path("out")).ok()?.len() > 1_000_000).then_some(()));
    agent.terminate().expect_code(0);
    let read = input.stream_position().unwrap();
    assert!(read < 2_000_000 * LINE.len() as u64, "it ended before it was stopped");
    let delivered = std::fs::read_to_string(ground.path("out")).unwrap().lines().count() as u64;
    assert_eq!(delivered, read / LINE.len() as u64, "of {read} bytes read");
}
