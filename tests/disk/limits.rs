//! What the system gives and takes back: open files, memory, the state folder.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::forgetful::Disk;
use crate::harness::{Agent, PATIENCE, append, send_signal, wait_until, wait_until_within};
use crate::mounts::Group;
use crate::scene::{REFUSED, Scene, lines, wait_for_words};
use crate::server::Away;

/// Nothing more can be opened while it runs, no file and no socket: not the next notes, not the checkpoint.
#[test]
fn without_one_more_open_file_it_pauses_and_goes_on_when_there_are_some() {
    for scene in [Scene::to_file(), Scene::to_store("")] {
        let agent = scene.start(&[]);
        scene.write("app.log", 0..100);
        scene.wait_for(&agent, 100);
        limit_open_files(agent.id(), 3);
        for number in 1..20_u64 {
            scene.write(&format!("{number}.log"), number * 100..number * 100 + 100);
        }
        wait_for_words(&agent, "Too many open files");
        std::thread::sleep(Duration::from_secs(1));
        limit_open_files(agent.id(), 1_000);
        scene.wait_for(&agent, 2_000);
        agent.kill_9();
        scene.end_with_each_once(2_000);
    }
}

/// The soft limit: it can be raised again.
fn limit_open_files(process: u32, limit: u32) {
    let status = Command::new("prlimit").args(["--pid", &process.to_string(), &format!("--nofile={limit}:")]).status();
    assert!(status.unwrap().success());
}

/// 64 MiB for all that the agent holds and all that the kernel holds for it, 20 MB of long lines, a store that is away
/// for a while.
#[test]
fn sixty_four_mib_are_enough() {
    const LINES: u64 = 10_000;
    let group = Group::with_memory(64 << 20);
    let scene = Scene::to_store("");
    for file in 0..10 {
        let text = lines(file * LINES / 10..(file + 1) * LINES / 10).replace("well", &"well ".repeat(400));
        append(&scene.ground.log(&format!("{file}.log")), &text);
    }
    let mut agent = scene.start_after(&[], &group.enter(), &[]);
    wait_until("a part of the lines", || (scene.store().count() > LINES / 10).then_some(()));
    assert!(group.holds(agent.id()));
    scene.store().leave(Away::Closed);
    std::thread::sleep(Duration::from_secs(2));
    scene.store().come_back();
    wait_until_within(PATIENCE * 3, "all lines", || {
        assert!(!agent.has_ended(), "it was killed: {} times in its group", group.kills());
        (scene.store().count() == LINES).then_some(())
    });
    agent.terminate().expect_code(0);
    assert_eq!(group.kills(), 0);
    scene.end_with_each_once(LINES);
}

/// The second agent ends at once and says why; the first goes on as if nothing had been.
#[test]
fn a_second_agent_on_one_state_folder_is_refused() {
    let scene = Scene::to_file();
    let agent = scene.start(&[]);
    scene.write("app.log", 0..100);
    scene.wait_for(&agent, 100);
    let config = scene.ground.path("agent.toml");
    let refused = Command::new(env!("CARGO_BIN_EXE_logferry")).arg("run").arg("-c").arg(&config).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(REFUSED), "{said}");
    assert!(said.contains("another agent is using this state folder") && said.contains("hint: "), "{said}");
    scene.write("app.log", 100..200);
    scene.wait_for(&agent, 200);
    agent.terminate().expect_code(0);
    scene.end_with_each_once(200);
}

/// D4: all is read and nothing answered for; then the file is gone, or the agent told to stop. What is read is not what
/// is delivered: the next run has all of it to do.
#[test]
fn what_a_slow_store_has_not_answered_for_is_not_passed() {
    for is_removed in [false, true] {
        let scene = Scene::to_store("");
        // What waits in the queue outlasts a loss of power as well.
        let disk = Disk::mount(&scene.state()).unwrap();
        let agent = scene.start(&[]);
        wait_for_words(&agent, "started");
        scene.store().leave(Away::Closed);
        scene.write("app.log", 0..2_000);
        wait_for_words(&agent, "cannot deliver");
        if is_removed {
            let queues = scene.state().join("outputs/store/queue-bulk");
            fs::remove_file(scene.ground.log("app.log")).unwrap();
            wait_until_within(Duration::from_secs(60), "a queue of what was read of the file", || {
                holds_segments(&queues).then_some(())
            });
            std::thread::sleep(Duration::from_secs(1));
            agent.kill_9();
        } else {
            stop_at_once(agent);
        }
        disk.cut(None);
        assert_eq!(scene.found(2_000), 0);
        scene.store().come_back();
        scene.end_with_each_once(2_000);
    }
}

/// Nobody can read a deleted file again: what was read of it is in the queue a second later, and after a stop.
#[test]
fn what_was_read_of_a_deleted_file_outlives_its_agent() {
    for is_stopped in [false, true] {
        let scene = Scene::to_store("");
        let agent = scene.start(&[]);
        wait_for_words(&agent, "started");
        scene.store().leave(Away::Closed);
        scene.write("app.log", 0..2_000);
        wait_for_words(&agent, "cannot deliver");
        fs::remove_file(scene.ground.log("app.log")).unwrap();
        if is_stopped {
            stop_at_once(agent);
        } else {
            std::thread::sleep(Duration::from_millis(2_500));
            agent.kill_9();
        }
        scene.store().come_back();
        scene.end_with_each_once(2_000);
    }
}

/// By a second signal: it does not wait for the store.
fn stop_at_once(agent: Agent) {
    send_signal(agent.id(), "TERM");
    std::thread::sleep(Duration::from_millis(300));
    agent.terminate();
}

fn holds_segments(folder: &std::path::Path) -> bool {
    let queues = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = queues.flat_map(|queue| fs::read_dir(queue.path()).into_iter().flatten().flatten());
    files.into_iter().any(|file| file.path().extension().is_some_and(|extension| extension == "segment"))
}
