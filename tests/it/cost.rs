//! What one unit of cost is: absolute times halve and double from machine to machine, multiples of a common program's do
//! not.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// User and system time of `libdeflate-gzip -1` over these files.
pub fn unit(files: &[PathBuf]) -> Duration {
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
