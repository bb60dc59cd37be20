//! A file is itself whatever it is called and wherever it lies: renamed, compressed, linked, replaced, while the agent
//! runs, waits or is away.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::{CONFIGURATION, delivered, finish, ground, lines, messages, wait_for_lines};
use crate::checker::Checker;
use crate::harness::{Ground, append, wait_until};

#[track_caller]
fn assert_each_once(ground: &Ground, numbers: u64) {
    let mut checker = Checker::new("a", numbers);
    checker.scan(&delivered(ground));
    checker.assert_each_once();
}

/// A ground whose files are included by these globs.
fn ground_of(include: &str) -> Ground {
    let ground = Ground::new();
    let globs = format!("include = [{include}]");
    ground.configure(&CONFIGURATION.replace("include = [\"LOGS/*.log\"]", &globs).replace("MORE", ""));
    ground
}

/// Replaces a file by a compressed one, as gzip(1) does.
fn compress(path: &Path, packed: &Path) {
    let mut encoder = GzEncoder::new(File::create(packed).unwrap(), Compression::fast());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    encoder.finish().unwrap();
    fs::remove_file(path).unwrap();
}

/// A13: renamed, while the agent is away, to a name that no glob matches: the rest is read, and what its writer still
/// adds. Small files (A10) are no exception.
#[test]
fn a_file_renamed_out_of_the_globs_while_away_is_read_to_its_end() {
    for read in [1, 100] {
        let ground = ground("");
        append(&ground.log("app.log"), &lines(0..read));
        ground.run_once().expect_code(0);
        append(&ground.log("app.log"), &lines(read..200));
        fs::rename(ground.log("app.log"), ground.log("app.log.1")).unwrap();
        append(&ground.log("app.log"), &lines(200..300));
        let agent = ground.start(&[]);
        wait_for_lines(&ground, 300);
        append(&ground.log("app.log.1"), &lines(300..310));
        finish(&ground, agent, 310);
        let text = delivered(&ground);
        let mut paths = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["filename"].take());
        assert!(paths.all(|path| path.as_str() == ground.log("app.log").to_str()), "the path first seen");
        ground.run_once().expect_code(0);
        assert_each_once(&ground, 310);
    }
}

/// Rotated twice while the agent is away, and compressed the second time, whatever the globs say of compressed files: the
/// rest is read from there, once. What was never followed is left alone.
#[test]
fn a_file_compressed_while_away_is_read_to_its_end() {
    for (include, name) in [
        ("\"LOGS/*.log\"", "app.log.2.gz"),
        ("\"LOGS/app.log*\"", "app.log.2.gz"),
        ("\"LOGS/*.log\"", "app.log-20261125.gz"),
        ("\"LOGS/app*\"", "app-20261125.log.gz"),
    ] {
        let ground = ground_of(include);
        append(&ground.log("app.log"), &lines(0..100));
        ground.run_once().expect_code(0);
        append(&ground.log("app.log"), &lines(100..50_000));
        compress(&ground.log("app.log"), &ground.log(name));
        append(&ground.path("strange"), "never followed\n");
        compress(&ground.path("strange"), &ground.log("app.log.9.gz"));
        append(&ground.log("app.log"), &lines(50_000..50_100));
        for _ in 0..2 {
            let finished = ground.run_once().expect_code(0);
            let is_told = finished.stderr.contains("are left alone");
            assert_eq!(is_told, !include.ends_with(".log\""), "{include}: {}", finished.stderr);
            assert_each_once(&ground, 50_100);
            assert!(!delivered(&ground).contains("never followed"));
        }
    }
}

/// A6: removed or truncated while the agent is away, before all of it was delivered: what is known to have been there is
/// counted and said, once.
#[test]
fn what_vanishes_unread_while_away_is_counted_once() {
    type Vanish = fn(&Path);
    let ways: [(&str, Vanish); 2] =
        [("removed", |path| fs::remove_file(path).unwrap()), ("truncated", |path| fs::write(path, "").unwrap())];
    for (way, vanish) in ways {
        let ground = Ground::new();
        let down = "type = \"elasticsearch\"\nurl = \"http://127.0.0.1:1\"";
        let store = "type = \"file\"\npath = \"FOLDER/out.ndjson\"";
        let configuration = CONFIGURATION.replace("MORE", "");
        ground.configure(&configuration.replace(store, down));
        let text = lines(0..1000);
        append(&ground.log("app.log"), &text);
        let agent = ground.start(&[]);
        wait_until("a checkpoint with its size", || {
            let checkpoint = fs::read_to_string(ground.path("state/outputs/store/checkpoint.json")).ok()?;
            checkpoint.contains(&format!("\"size\":{}", text.len())).then_some(())
        });
        agent.kill_9();
        vanish(&ground.log("app.log"));
        ground.configure(&configuration);
        for round in 0..3 {
            let finished = ground.run_once().expect_code(if round == 0 { 2 } else { 0 });
            let told = finished.stderr.matches(&format!("{} bytes", text.len())).count();
            assert_eq!(told, usize::from(round == 0), "{way}: {}", finished.stderr);
            assert_eq!(ground.books("store", "app").lost_bytes, text.len() as u64, "{way}");
        }
    }
}

/// D5: what is gone for long is no longer in the checkpoint; what was counted of it is.
#[test]
fn a_file_that_is_gone_is_forgotten() {
    // Long enough for a busy machine to look twice meanwhile.
    const KEPT: Duration = Duration::from_secs(3);
    let ground = ground("forget_after = \"3s\"\n");
    for name in ["gone.log", "here.log"] {
        append(&ground.log(name), "one\n");
    }
    ground.run_once().expect_code(0);
    fs::remove_file(ground.log("gone.log")).unwrap();
    std::thread::sleep(KEPT);
    ground.run_once().expect_code(0);
    let checkpoint = fs::read_to_string(ground.path("state/outputs/store/checkpoint.json")).unwrap();
    assert!(checkpoint.contains("here.log") && !checkpoint.contains("gone.log"), "{checkpoint}");
    ground.assert_books_say_delivered("app", 2);
    ground.run_once().expect_code(0);
    assert_eq!(messages(&ground), ["one", "one"]);
}

/// A file that lies where the configuration does not want it for a while is known when it is wanted again.
#[test]
fn a_file_that_no_glob_leads_to_is_forgotten_only_when_it_is_gone() {
    const OUT: &str = "forget_after = \"1ms\"\nexclude = [\"*.log\"]\n";
    let ground = ground("forget_after = \"1ms\"\n");
    append(&ground.log("app.log"), "one\n");
    ground.run_once().expect_code(0);
    ground.configure(&CONFIGURATION.replace("MORE", OUT));
    ground.run_once().expect_code(0);
    ground.configure(&CONFIGURATION.replace("MORE", ""));
    append(&ground.log("app.log"), "two\n");
    ground.run_once().expect_code(0);
    assert_eq!(messages(&ground), ["one", "two"]);
}

/// A2 and A3: the store takes nothing while the file is rotated again and again, each time out of the globs, and removed.
/// All is open before it goes, and is read when the store takes it.
#[test]
fn rotations_while_the_store_takes_nothing_lose_nothing() {
    const FIRST: u64 = 200_000;
    const ROUNDS: u64 = 12;
    let ground = Ground::new();
    let pipe = ground.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let stdout = CONFIGURATION.replace("type = \"file\"\npath = \"FOLDER/out.ndjson\"", "type = \"stdout\"");
    ground.configure(&stdout.replace("MORE", ""));
    // Both ends, so that opening it waits for nobody.
    let mut output = File::options().read(true).write(true).open(&pipe).unwrap();
    // Far more than the pipe, the lane and the worker hold.
    append(&ground.log("app.log"), &lines(0..FIRST));
    let agent = ground.start_after(&["env"], "exec >pipe", &[]);
    let mut end = FIRST;
    let rotated = |round| ground.log(&format!("app.log.{round}"));
    let open_files = || {
        let files = fs::read_dir(format!("/proc/{}/fd", agent.id())).unwrap();
        files.filter_map(|file| fs::read_link(file.unwrap().path()).ok()).collect::<Vec<_>>()
    };
    for round in 0..ROUNDS {
        wait_until("the file to be opened", || open_files().contains(&ground.log("app.log")).then_some(()));
        append(&ground.log("app.log"), &lines(end..end + 100));
        end += 100;
        fs::rename(ground.log("app.log"), rotated(round)).unwrap();
        append(&ground.log("app.log"), &lines(end..end + 100));
        end += 100;
    }
    wait_until("the last one to be opened", || open_files().contains(&ground.log("app.log")).then_some(()));
    (0..ROUNDS).for_each(|round| fs::remove_file(rotated(round)).unwrap());
    let mut text = Vec::new();
    let mut bytes = vec![0; 1 << 20];
    let mut found = 0;
    while found < end {
        let count = output.read(&mut bytes).unwrap();
        text.extend_from_slice(&bytes[..count]);
        found += bytes[..count].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    agent.terminate().expect_code(0);
    let mut checker = Checker::new("a", end);
    checker.scan(std::str::from_utf8(&text).unwrap());
    checker.assert_each_once();
}

/// The agent never reads what it says and prints itself, wherever a shell sends that.
#[test]
fn the_agents_own_messages_are_never_read() {
    let ground = ground("");
    append(&ground.log("app.log"), &lines(0..10));
    let agent = ground.start_after(&["env"], "exec >logs/printed.log 2>logs/said.log", &[]);
    wait_for_lines(&ground, 10);
    // A line that nobody but the agent would have written, were it not for this.
    append(&ground.log("said.log"), "not the agent's\n");
    append(&ground.log("app.log"), &lines(10..20));
    wait_for_lines(&ground, 20);
    agent.terminate().expect_code(0);
    assert_eq!(messages(&ground).len(), 20);
    let said = fs::read_to_string(ground.log("said.log")).unwrap();
    assert_eq!(said.matches("it is not read").count(), 2, "{said}");
}

/// One file by two paths and a symbolic link, in two runs and two sources.
#[test]
fn a_file_with_several_paths_is_read_once() {
    let ground = Ground::new();
    let two = "[source.again]\ntype = \"file\"\ninclude = [\"LOGS/**/*\"]\n";
    ground.configure(&CONFIGURATION.replace("MORE", two));
    append(&ground.log("app.log"), &lines(0..10));
    fs::hard_link(ground.log("app.log"), ground.log("hard.log")).unwrap();
    symlink(ground.log("app.log"), ground.log("link.log")).unwrap();
    fs::create_dir(ground.log("deep")).unwrap();
    symlink(ground.path("logs"), ground.log("deep/again")).unwrap();
    ground.run_once().expect_code(0);
    append(&ground.log("hard.log"), &lines(10..20));
    fs::remove_file(ground.log("app.log")).unwrap();
    ground.run_once().expect_code(0);
    assert_each_once(&ground, 20);
}

/// A11: the link leads to another file, then a file takes its place, while the agent runs and while it is away.
#[test]
fn a_link_that_leads_elsewhere_is_followed_there() {
    let ground = ground("");
    let target = |number: u64| ground.log(&format!("app-{number}.txt"));
    let point_to = |number: u64| {
        symlink(target(number), ground.log("new")).unwrap();
        fs::rename(ground.log("new"), ground.log("current.log")).unwrap();
    };
    append(&target(0), &lines(0..10));
    point_to(0);
    let agent = ground.start(&[]);
    wait_for_lines(&ground, 10);
    append(&target(1), &lines(10..20));
    point_to(1);
    append(&target(0), &lines(20..30));
    wait_for_lines(&ground, 30);
    agent.terminate().expect_code(0);

    append(&target(1), &lines(30..40));
    append(&target(2), &lines(40..50));
    point_to(2);
    let agent = ground.start(&[]);
    wait_for_lines(&ground, 50);
    append(&ground.log("file"), &lines(50..60));
    fs::rename(ground.log("file"), ground.log("current.log")).unwrap();
    finish(&ground, agent, 60);
}

/// A12: removed and made again with the same lines, or replaced at once by another: each is a file of its own.
#[test]
fn a_file_in_anothers_place_is_another() {
    let ground = ground("");
    let path = ground.log("app.log");
    let replace = |text: &str| {
        fs::write(ground.log("app.tmp"), text).unwrap();
        fs::rename(ground.log("app.tmp"), &path).unwrap();
    };
    fs::write(&path, "same\n").unwrap();
    let agent = ground.start(&[]);
    let wait_for = |count: usize| wait_until("lines", || (messages(&ground).len() == count).then_some(()));
    wait_for(1);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "same\n").unwrap();
    wait_for(2);
    replace("same\n");
    wait_for(3);
    agent.terminate().expect_code(0);
    replace("same\nother\n");
    ground.run_once().expect_code(0);
    let mut expected = vec!["same"; 4];
    expected.push("other");
    assert_eq!(messages(&ground), expected);
}

/// A8: an inode that was used again, while the agent runs and while it is away, by a file that begins alike.
#[test]
fn an_inode_that_is_used_again_is_another_file() {
    use std::os::unix::fs::MetadataExt;
    let ground = ground("");
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    let header = "# header\n".repeat(40);
    let mut number = 0;
    for is_running in [true, false] {
        let agent = is_running.then(|| ground.start(&[]));
        let mut reused = 0;
        // File systems give a freed number out again at once, or never: a few tries tell.
        for _ in 0..3 {
            let path = ground.log("app.log");
            fs::write(&path, format!("{header}{}", lines(number..number + 10))).unwrap();
            let freed = inode(&path);
            number += 10;
            if agent.is_none() {
                ground.run_once().expect_code(0);
            }
            wait_for_lines(&ground, number);
            fs::remove_file(&path).unwrap();
            fs::write(&path, format!("{header}{}", lines(number..number + 10))).unwrap();
            reused += u32::from(inode(&path) == freed);
            number += 10;
            if agent.is_none() {
                ground.run_once().expect_code(0);
            }
            wait_for_lines(&ground, number);
        }
        eprintln!("of 3 inodes {reused} were used again, running: {is_running}");
        if let Some(agent) = agent {
            agent.terminate().expect_code(0);
        }
    }
    assert_each_once(&ground, number);
}

/// A14: what cannot be read, as a link that leads to itself, disturbs no neighbour, and is read once it can be.
#[test]
fn what_cannot_be_read_is_read_when_it_can_be() {
    let ground = ground("");
    symlink("late.log", ground.log("late.log")).unwrap();
    append(&ground.log("app.log"), &lines(0..10));
    let agent = ground.start(&[]);
    wait_for_lines(&ground, 10);
    wait_until("a word about it", || agent.messages().contains("cannot read").then_some(()));
    append(&ground.log("new"), &lines(10..20));
    fs::rename(ground.log("new"), ground.log("late.log")).unwrap();
    finish(&ground, agent, 20);
}

/// A16: more than a thousand files, in two runs; each grows.
#[test]
fn more_than_a_thousand_files_are_followed() {
    const FILES: u64 = 1_200;
    let ground = ground("");
    for round in 0..2 {
        for number in 0..FILES {
            let line = round * FILES + number;
            append(&ground.log(&format!("{number}.log")), &lines(line..line + 1));
        }
        ground.run_once().expect_code(0);
        assert_each_once(&ground, (round + 1) * FILES);
    }
}
