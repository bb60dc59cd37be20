//! Where the system gives less than the agent would take: open files, watches. The store is a file of NDJSON.

use std::process::Command;
use std::time::Duration;

use crate::checker::Checker;
use crate::harness::{Agent, Ground, append, wait_until, wait_until_within};

/// Follows `LOGS/**/*.log` into `FOLDER/out.ndjson`.
const CONFIGURATION: &str = r#"
[source.app]
type = "file"
include = ["LOGS/**/*.log"]
poll = "POLL"

[output.store]
type = "file"
path = "FOLDER/out.ndjson"
"#;

/// A ground with `files` files of one line each, each in a folder of its own.
fn ground(files: u64, poll: &str) -> Ground {
    let ground = Ground::new();
    ground.configure(&CONFIGURATION.replace("POLL", poll));
    for number in 0..files {
        std::fs::create_dir(ground.log(&format!("{number}"))).unwrap();
        append(&ground.log(&format!("{number}/a.log")), &line(number));
    }
    ground
}

fn line(number: u64) -> String {
    format!("line seq-a-{number:07}\n")
}

fn checked(ground: &Ground, numbers: u64) -> Checker {
    let mut checker = Checker::new("a", numbers);
    let text = std::fs::read_to_string(ground.path("out.ndjson")).unwrap_or_default();
    checker.scan(&text[..text.rfind('\n').map_or(0, |at| at + 1)]);
    checker
}

#[track_caller]
fn wait_for_lines(ground: &Ground, agent: &Agent, numbers: u64) {
    wait_until(&format!("{numbers} lines: {}", agent.messages()), || {
        (checked(ground, numbers).found() as u64 == numbers).then_some(())
    });
}

/// A16. More files than may be open: they take turns. Each is long enough that no worker is done with it before the next
/// look for files; at the lower limit fewer may be open than wait for the workers.
#[test]
fn with_few_open_files_all_are_read() {
    const LINES: u64 = 300;
    for (files, limit) in [(200, 64), (40, 40)] {
        let ground = ground(0, "10s");
        for file in 0..files {
            let text: String = (file * LINES..(file + 1) * LINES).map(line).collect();
            append(&ground.log(&format!("{file}.log")), &text);
        }
        let limit = format!("ulimit -n {limit}");
        let agent = ground.start_after(&["env"], &limit, &["--once"]);
        let finished = agent.wait().expect_code(0);
        assert_eq!(finished.stderr.matches("cannot read more files").count(), 1, "{limit}: {}", finished.stderr);
        assert!(!finished.stderr.contains("ERROR"), "{limit}: {}", finished.stderr);
        checked(&ground, files * LINES).assert_each_once();
    }
}

/// The soft limit is the one that a user's shell gives; the agent takes what the hard one allows.
#[test]
fn a_low_soft_limit_of_open_files_is_raised() {
    let ground = ground(200, "10s");
    let finished = ground.start_after(&["env"], "ulimit -Sn 64", &["--once"]).wait().expect_code(0);
    assert!(!finished.stderr.contains("cannot read"), "{}", finished.stderr);
    checked(&ground, 200).assert_each_once();
}

/// A16. Two watches for many folders: the rest is polled, which is said once.
#[test]
fn beyond_the_limit_of_watches_files_are_polled() {
    const FILES: u64 = 20;
    // The kernel counts watches by user namespace; in a new one its root may set the limit.
    let launcher = ["unshare", "--user", "--map-root-user"];
    if !Command::new(launcher[0]).args(&launcher[1..]).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("not tested: no user namespaces here");
        return;
    }
    let ground = ground(FILES, "500ms");
    let agent = ground.start_after(&launcher, "echo 2 > /proc/sys/user/max_inotify_watches", &[]);
    wait_for_lines(&ground, &agent, FILES);
    for number in FILES..FILES * 2 {
        append(&ground.log(&format!("{}/b.log", number - FILES)), &line(number));
    }
    wait_for_lines(&ground, &agent, FILES * 2);
    // A new folder, after several scans that asked for watches again.
    std::fs::create_dir(ground.log("late")).unwrap();
    append(&ground.log("late/a.log"), &line(FILES * 2));
    wait_for_lines(&ground, &agent, FILES * 2 + 1);
    let finished = agent.terminate().expect_code(0);
    assert_eq!(finished.stderr.matches("max_user_watches is reached").count(), 1, "{}", finished.stderr);
    checked(&ground, FILES * 2 + 1).assert_each_once();
}

/// The kernel's news make the agent look at once, not only when it polls.
#[test]
fn a_new_file_is_read_long_before_the_next_poll() {
    let ground = ground(1, "1h");
    let agent = ground.start(&[]);
    wait_for_lines(&ground, &agent, 1);
    append(&ground.log("0/b.log"), &line(1));
    wait_until_within(Duration::from_secs(60), "the new file's line", || {
        (checked(&ground, 2).found() == 2).then_some(())
    });
    agent.terminate().expect_code(0);
}

/// What the store would refuse cannot be written down, and the agent is stopped: the checkpoint does not pass it, and
/// the next run, which may write, has it.
#[test]
fn a_stop_while_refused_records_cannot_be_written_down_passes_none_of_them() {
    const CONFIGURATION: &str = r#"
[source.app]
type = "file"
include = ["LOGS/*.log"]

[output.store]
type = "loki"
url = ["http://127.0.0.1:1"]
parked_bytes = "PARKED"
"#;
    let ground = Ground::new();
    ground.configure(&CONFIGURATION.replace("PARKED", "1 KiB"));
    append(&ground.log("app.log"), &format!("{}\n", "longer than loki takes ".repeat(20_000)));
    let agent = ground.start(&[]);
    wait_until("it to say so", || agent.messages().contains("has reached parked_bytes").then_some(()));
    agent.terminate();
    let books = ground.books("store", "app");
    assert_eq!((books.parked, books.delivered), (0, 0));

    ground.configure(&CONFIGURATION.replace("PARKED", "10 MiB"));
    let agent = ground.start(&[]);
    let list = || ground.run_with_input(&["parked", "list", "-c", "agent.toml"], b"").stdout;
    wait_until("the record to be set aside", || list().contains("longer than the 262144 bytes").then_some(()));
    agent.terminate();
    let books = ground.books("store", "app");
    assert_eq!((books.read, books.parked), (1, 1));
}
