//! What the bytes cannot give again: how far an unfinished line was taken, how often a file was truncated, when a line
//! without a time was read. It is noted before anything is sent, so that what is read again after a crash is known.

use std::fs;

use crate::harness::{append, wait_until};
use crate::scene::Scene;

/// Takes an unfinished line soon.
const IMPATIENT: &str = "[source.app]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\nunfinished_after = \"100ms\"\n";

/// Runs the agent until it is killed when the `time`-th answer is read: the store has the batch, and the agent has not
/// taken that in.
fn run_until_answered(scene: &Scene, time: u32, meanwhile: impl FnOnce()) {
    let mut agent = scene.start_after(&[&format!("LOGFERRY_FAILPOINT=answered:{time}")], "true", &[]);
    meanwhile();
    wait_until("its end", || agent.has_ended().then_some(()));
}

/// The texts in the store, in the order in which they were written.
fn texts(scene: &Scene) -> Vec<String> {
    let mut records = scene.store().records();
    records.sort_by(|one, other| one.key.cmp(&other.key));
    let message =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["message"].as_str().map(str::to_owned);
    records.iter().map(|record| message(&record.text).unwrap()).collect()
}

/// Half a line is taken and stored, the agent is killed, the line is finished. Without its note the whole line would be
/// read, and its half be there twice: here the notes are removed too, to show that this test sees it.
#[test]
fn half_a_line_that_was_stored_keeps_its_end() {
    for has_notes in [true, false] {
        let scene = Scene::to_store_from(IMPATIENT);
        append(&scene.ground.log("app.log"), "first half");
        run_until_answered(&scene, 1, || ());
        assert_eq!(texts(&scene), ["first half"]);
        append(&scene.ground.log("app.log"), " and the rest\n");
        if !has_notes {
            remove_notes(&scene);
        }
        scene.start(&["--once"]).wait().expect_code(0);
        let rest = if has_notes { " and the rest" } else { "first half and the rest" };
        assert_eq!(texts(&scene), ["first half", rest]);
    }
}

fn remove_notes(scene: &Scene) {
    for entry in fs::read_dir(scene.state().join("outputs/store")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.file_name().unwrap().to_string_lossy().starts_with("notes.") {
            // Emptied: the checkpoint names the file.
            fs::write(entry, "").unwrap();
        }
    }
}

/// A file is truncated twice, each time to other lines of the same length: all are there, also those that were stored
/// just before the kill, once.
#[test]
fn each_truncation_before_a_kill_is_known_after_it() {
    let scene = Scene::to_store("");
    let log = scene.ground.log("app.log");
    append(&log, "line one\n");
    run_until_answered(&scene, 3, || {
        for (have, next) in [(1, "line two\n"), (2, "line six\n")] {
            wait_until("the line to be stored", || (texts(&scene).len() == have).then_some(()));
            // As `>file` does: the same inode, from its beginning.
            fs::write(&log, next).unwrap();
        }
    });
    append(&log, "line ten\n");
    scene.start(&["--once"]).wait().expect_code(0);
    let mut stored = texts(&scene);
    stored.sort();
    assert_eq!(stored, ["line one", "line six", "line ten", "line two"]);
}

/// A host that is made anew around its logs, without its state: their lines meet their old ids.
#[test]
fn a_host_that_lost_its_state_repeats_nothing() {
    let scene = Scene::to_store("");
    scene.write("app.log", 0..300);
    run_until_answered(&scene, 1, || ());
    fs::remove_dir_all(scene.state()).unwrap();
    scene.write("app.log", 300..400);
    scene.end_with_each_once(400);
}
