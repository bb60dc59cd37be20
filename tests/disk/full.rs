//! D3: no space left, for each of the files that the agent writes. It pauses, says so, and goes on by itself.

use std::io::Write as _;
use std::process::Stdio;

use crate::forgetful::Disk;
use crate::harness::{append, wait_until};
use crate::ledger::Books;
use crate::lines::UNFIT;
use crate::mounts::Small;
use crate::scene::{REFUSED, Scene, lines, wait_for_words};
use crate::server::Away;
use crate::tree::Sickness;

/// D3: notes and checkpoint. Full while it runs, when it is killed, and when it is to start; three times, since what a
/// full disk leaves of a write differs.
#[test]
fn a_full_state_folder_pauses_reading_and_loses_nothing() {
    let scene = Scene::to_file();
    let small = Small::mount(&scene.state(), 256);
    let mut written = 0;
    for round in 0..3_u64 {
        let agent = scene.start(&[]);
        scene.write("app.log", written..written + 100);
        written += 100;
        scene.wait_for(&agent, written);
        small.fill();
        // Each burst is a chunk with a note of its own: more than the last page of the notes has room for.
        let words = "reading pauses until it can be written";
        wait_until("a note without room", || {
            scene.write("app.log", written..written + 10);
            written += 10;
            agent.messages().contains(words).then_some(())
        });
        let found = scene.found(written);
        if round == 2 {
            agent.kill_9();
            let refused = scene.start(&["--once"]).wait().expect_code(REFUSED);
            assert!(refused.stderr.contains("No space left on device"), "{}", refused.stderr);
            small.free();
        } else {
            small.free();
            scene.wait_for(&agent, written);
            agent.kill_9();
        }
        assert!(found < written, "reading did not pause");
    }
    scene.end_with_each_once(written);
}

/// D3: the queue. Standard input cannot wait in its source, so it waits on disk, as far as there is room, and then
/// before the agent.
#[test]
fn a_queue_without_room_pauses_standard_input_and_loses_nothing() {
    const LINES: u64 = 20_000;
    let scene = Scene::from_stdin("max_records = 200\ngzip_level = 0\n");
    let _small = Small::mount(&scene.state(), 512);
    let (input, mut output) = std::io::pipe().unwrap();
    scene.store().leave(Away::Closed);
    let config = scene.ground.path("agent.toml");
    let agent = scene.ground.start_with(&["run", "-c", config.to_str().unwrap()], Stdio::from(input));
    let writing = std::thread::spawn(move || output.write_all(lines(0..LINES).as_bytes()).unwrap());
    wait_for_words(&agent, "No space left on device");
    wait_for_words(&agent, "reading pauses until it can be written");
    assert!(!writing.is_finished(), "all was taken though there was no room for it");
    assert_eq!(scene.found(LINES), 0);
    scene.store().come_back();
    scene.wait_for(&agent, LINES);
    writing.join().unwrap();
    let messages = agent.terminate().stderr;
    assert!(!messages.contains("lost"), "{messages}");
    scene.checker(LINES).assert_each_once();
}

/// D3: the file of parked records. The output is held, nothing is settled that is not set aside, and half a record that
/// a full disk left is in nobody's way.
#[test]
fn a_refused_record_without_room_holds_the_output_until_there_is_some() {
    let scene = Scene::to_store("");
    let disk = Disk::mount(&scene.state()).unwrap();
    let log = scene.ground.log("app.log");
    let agent = scene.start(&[]);
    append(&log, &format!("{UNFIT} {}", lines(0..1)));
    wait_for_words(&agent, "are set aside");
    disk.is_now(Some(Sickness::HalfAWrite("store.ndjson")));
    append(&log, &format!("{UNFIT} {}{}", lines(1..2), lines(2..100)));
    wait_for_words(&agent, "cannot write refused records");
    disk.is_now(None);
    wait_until("the rest", || (scene.found(100) == 98).then_some(()));
    agent.terminate().expect_code(0);
    disk.cut(None);
    let parked = std::fs::read_to_string(scene.state().join("parked/store.ndjson")).unwrap();
    assert!(parked.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{parked}");
    let mut checker = scene.checker(100);
    checker.scan(&parked);
    checker.assert_each_once();
    let books = Books::ask(&scene.ground.path("agent.toml"), "store").unwrap();
    assert_eq!((books.delivered, books.parked), (98, 2));
}
