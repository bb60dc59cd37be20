//! D6: a bit of the queue turns over while the store is away, and nobody looks before it is back.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::harness::wait_until;
use crate::scene::{Scene, lines, wait_for_words};
use crate::server::Away;

/// Lines of a file and of standard input, by turns, so that batches have both; standard input cannot wait, so they go to
/// the queue.
const EACH: u64 = 10;

/// What of the batch came from the file is read again at the next start, each line once; what came from standard input
/// is lost, and the ledger says how many lines that were.
#[test]
fn a_batch_damaged_in_the_queue_is_read_again_from_its_file_and_counted_of_a_pipe() {
    let scene = Scene::from_files_and_stdin("max_records = 100\ngzip_level = 0\n");
    let (input, mut pipe) = std::io::pipe().unwrap();
    scene.store().leave(Away::Closed);
    let config = scene.ground.path("agent.toml");
    let agent = scene.ground.start_with(&["run", "-c", config.to_str().unwrap()], Stdio::from(input));
    let mut written = 0;
    wait_until("a line of a file in a batch that is in no lane", || {
        scene.write("app.log", written..written + EACH);
        std::thread::sleep(Duration::from_millis(120));
        pipe.write_all(lines(written + EACH..written + 2 * EACH).as_bytes()).unwrap();
        written += 2 * EACH;
        // The lane has only the oldest ones.
        (last_queued_of_the_file(&scene.state())? > 200).then_some(())
    });
    turn_a_bit_over(&scene.state());
    scene.store().come_back();
    wait_for_words(&agent, "its lines are read again at the next start");
    let messages = agent.terminate().expect_code(0).stderr;
    assert!(messages.contains("of source pipe are lost"), "{messages}");

    scene.start(&["--once"]).wait().expect_code(0);
    let checker = scene.checker(written);
    assert!(checker.repeated().is_empty(), "{:?} came twice", checker.repeated());
    let lost = checker.missing();
    assert!(!lost.is_empty() && lost.iter().all(|number| (*number as u64 / EACH) % 2 == 1), "{lost:?}");
    let ledger = ledger_of(&scene.state(), "pipe");
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
    assert_eq!(number(&ledger["dropped"]["queue_damaged"]), lost.len() as u64, "{ledger}");
    assert_eq!(number(&ledger["delivered"]), written / 2 - lost.len() as u64, "{ledger}");
    let ledger = ledger_of(&scene.state(), "app");
    assert_eq!(number(&ledger["delivered"]), written / 2, "{ledger}");
}

/// The segment of the queue, and its content.
fn segment(state: &Path) -> Option<(PathBuf, Vec<u8>)> {
    let folder = state.join("outputs/store/queue-bulk/0");
    let paths = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let path = paths.filter(|path| path.extension().is_some_and(|name| name == "segment")).last()?;
    let content = std::fs::read(&path).ok()?;
    Some((path, content))
}

/// Where the last line of the file stands in the segment, and its number.
fn find_last(content: &[u8]) -> Option<(usize, u64)> {
    const MARK: &[u8] = b"seq-d-";
    let places = content.windows(MARK.len() + 7).enumerate().filter(|(_, window)| window.starts_with(MARK));
    let mut numbers = places.filter_map(|(at, window)| {
        let number = std::str::from_utf8(&window[MARK.len()..]).ok()?.parse::<u64>().ok()?;
        (number / EACH).is_multiple_of(2).then_some((at, number))
    });
    numbers.next_back()
}

fn last_queued_of_the_file(state: &Path) -> Option<u64> {
    find_last(&segment(state)?.1).map(|(_, number)| number)
}

fn turn_a_bit_over(state: &Path) {
    let (path, content) = segment(state).unwrap();
    let (at, _) = find_last(&content).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[content[at] ^ 1], at as u64).unwrap();
}

/// What the checkpoint says of one source.
fn ledger_of(state: &Path, source: &str) -> serde_json::Value {
    let text = std::fs::read(state.join("outputs/store/checkpoint.json")).unwrap();
    let checkpoint: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let of_source = |one: &&serde_json::Value| one["name"] == source;
    let saved = checkpoint["sources"].as_array().unwrap().iter().filter(of_source).map(|one| &one["counts"]);
    let all = saved.chain(checkpoint["gone"].get(source));
    let mut sum = serde_json::json!({"delivered": 0, "dropped": {"queue_damaged": 0}});
    for counts in all {
        for pointer in ["/delivered", "/dropped/queue_damaged"] {
            let more = counts.pointer(pointer).and_then(serde_json::Value::as_u64).unwrap_or(0);
            let so_far = sum.pointer_mut(pointer).unwrap();
            *so_far = (so_far.as_u64().unwrap_or(0) + more).into();
        }
    }
    sum
}
