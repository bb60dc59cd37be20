//! What a large run costs: memory, and processor time as a multiple of `libdeflate-gzip -1` over the same files.
//! `tests/run` runs this alone, in release.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::checker::Checker;
use crate::generate::Generator;
use crate::harness::{Ground, PATIENCE, now_ms, unique};
use crate::store::Store;

const FILES: [&str; 2] = ["a", "b"];
const LINES_A_FILE: u64 = 600_000;
const MOST_MEMORY_KIB: u64 = 64 << 10;
const MOST_UNITS: f64 = 5.0;

/// User and system time of `libdeflate-gzip -1`: what one unit is.
fn unit(files: &[PathBuf]) -> Duration {
    let paths = files.iter().map(|path| format!("'{}'", path.display())).collect::<Vec<_>>().join(" ");
    let script = format!("for file in {paths}; do libdeflate-gzip -1 -c \"$file\" >/dev/null || exit 1; done; times");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "libdeflate-gzip: {}", String::from_utf8_lossy(&output.stderr));
    // The second line of `times` is that of the children: `0m2.310000s 0m0.090000s`.
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().nth(1).unwrap().split_whitespace().map(seconds).sum()
}

fn seconds(text: &str) -> Duration {
    let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
    Duration::from_secs_f64(minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap())
}

fn megabytes(path: &Path) -> f64 {
    std::fs::metadata(path).unwrap().len() as f64 / 1e6
}

mod es8 {
    use super::*;

    /// 1,200,000 mixed lines in two files: once each, in little memory, for little processor time.
    #[test]
    fn a_large_run_is_cheap_and_whole() {
        let store = Store::from_environment("elasticsearch", "LOGFERRY_TEST_ES8");
        let (service, ground) = (unique("cost"), Ground::new());
        let source = format!("[source.{service}]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\ntimezone = \"UTC\"\n\n");
        ground.configure(&format!("{source}{}", store.output()));
        let paths = FILES.map(|label| ground.log(&format!("{label}.log")));
        for (seed, (label, path)) in (1..).zip(FILES.iter().zip(&paths)) {
            Generator::until(now_ms(), LINES_A_FILE, seed, label).write_file(path, 0..LINES_A_FILE).unwrap();
        }

        let finished = ground.start(&["--once"]).wait_for(PATIENCE * 8).expect_code(0);
        let unit = unit(&paths);
        let units = finished.cpu.as_secs_f64() / unit.as_secs_f64();
        println!(
            "cost: {:.0} MB, {:.2} s of processor = {units:.2} units (one: {:.2} s), at most {} MiB",
            paths.iter().map(|path| megabytes(path)).sum::<f64>(),
            finished.cpu.as_secs_f64(),
            unit.as_secs_f64(),
            finished.peak_kib >> 10
        );
        println!("{}", finished.stderr);

        let mut checkers = FILES.map(|label| Checker::new(label, LINES_A_FILE));
        store.each_page(&service, &mut |text| checkers.iter_mut().for_each(|checker| checker.scan(text)));
        checkers.iter().for_each(Checker::assert_each_once);
        assert!(finished.peak_kib < MOST_MEMORY_KIB, "{} KiB", finished.peak_kib);
        // Only a release build says anything about speed.
        assert!(cfg!(debug_assertions) || units <= MOST_UNITS, "{units:.2} units");
    }
}
