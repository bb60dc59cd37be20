//! Outputs on this machine: what is said and kept when nobody reads them, or the disk is full.

use crate::harness::Ground;

const LINES: usize = 20_000;

fn ground(output: &str) -> Ground {
    let ground = Ground::new();
    let text: String = (0..LINES).map(|number| format!("line {number} and some words to fill it\n")).collect();
    std::fs::write(ground.log("a.log"), text).unwrap();
    ground
        .configure(&format!("[source.app]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\n\n[output.store]\n{output}\n"));
    ground
}

/// `logferry run | head -1` ends by itself: one message, and its code.
#[test]
fn an_output_that_nobody_reads_any_more_ends_the_agent() {
    let ground = ground("type = \"stdout\"");
    let before = "mkfifo pipe && { head -n 1 pipe >first & } && exec >pipe";
    let finished = ground.start_after(&[], before, &[]).wait().expect_code(4);
    let first = std::fs::read_to_string(ground.path("first")).unwrap();
    assert!(first.contains("line 0 "), "{first}");
    assert_eq!(finished.stderr.matches("nobody reads it any more").count(), 1, "{}", finished.stderr);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

/// A full disk under standard output is waited for: told with a remedy, and nothing of it counts as delivered.
#[test]
fn standard_output_on_a_full_disk_is_held() {
    let ground = ground("type = \"stdout\"");
    let finished = ground.start_after(&[], "exec >/dev/full", &["--once", "--wait", "1s"]).wait().expect_code(2);
    assert!(finished.stderr.contains("No space left"), "{}", finished.stderr);
    assert!(finished.stderr.contains("hint: free space"), "{}", finished.stderr);
    let second = ground.run_once().expect_code(0);
    assert_eq!(second.stdout.lines().count(), LINES, "{}", second.stderr);
}
