//! What masking alone costs: CPU time over logs that are clean, and over logs in which one line in ten, or every second
//! one, holds an e-mail address; by group of detectors; beside a chain of `regex::replace_all` and `libdeflate-gzip -1`
//! over the same bytes, whose CPU time is the unit.
//!
//! ```text
//! LOGFERRY_TEST_LOGS=FOLDER cargo bench --bench mask -- [--mb 200]
//! ```
//!
//! Half of the bytes are lines of the real logs in that folder, half are JSON records; without the folder, generated
//! text lines stand for the real ones.

// Prints its table; what fails ends it.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Parser;
use logferry::base::records::{self, Keys, Record, Records, Shape, Time};
use logferry::base::source::{Position, SourceId};
use logferry::mask::{Config, MaskedFields, Masker, Origin, Scratch};
use regex::Regex;

#[allow(dead_code, missing_docs)]
#[path = "../tests/it/generate.rs"]
mod generate;

/// As large as the agent's own.
const CHUNK_BYTES: usize = 256 << 10;

/// Costs of masking, in units of `libdeflate-gzip -1`
#[derive(Parser)]
struct Arguments {
    /// Millions of bytes of each kind of log
    #[arg(long, default_value_t = 200)]
    mb: usize,
    /// Each is measured so often; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Groups of detectors, or several with `+`
    #[arg(long, value_delimiter = ',', default_value = "default,secrets,people,money,ids,network,all")]
    detect: Vec<String>,
    /// Lines of this file instead, as they are
    #[arg(long)]
    file: Option<std::path::PathBuf>,
    /// Only logs whose name has this
    #[arg(long, default_value = "")]
    logs: String,
    /// What cargo passes
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let clean = match &arguments.file {
        Some(path) => std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect(),
        None => clean_lines(),
    };
    println!("{:<34}{:>8}{:>10}{:>8}{:>12}", "", "CPU s", "MB/s", "units", "hits");
    let logs = [("clean", usize::MAX), ("one line in ten", 10), ("every second line", 2)];
    for (name, every) in logs.into_iter().filter(|(name, _)| name.contains(&arguments.logs)) {
        let text = repeated(&clean, every, arguments.mb * 1_000_000);
        let unit = median(arguments.rounds, || (gzip(&text), 0)).0;
        say(&format!("{name}: libdeflate-gzip -1"), &text, (unit, 0), unit);
        let chunks = chunks(&text);
        for detect in &arguments.detect {
            let config = Config { detect: detect.split('+').map(str::to_owned).collect(), ..Config::default() };
            let masker = Masker::new(&config).unwrap();
            say(&format!("{name}: {detect}"), &text, median(arguments.rounds, || mask(&masker, &chunks)), unit);
        }
        let chain = Chain::new();
        say(&format!("{name}: six regexes"), &text, median(1, || chain.replace(&text)), unit);
    }
}

fn say(name: &str, text: &str, (cost, hits): (Duration, u64), unit: Duration) {
    let seconds = cost.as_secs_f64();
    let rate = text.len() as f64 / 1e6 / seconds;
    println!("{name:<34}{seconds:>8.2}{rate:>10.0}{:>8.2}{hits:>12}", seconds / unit.as_secs_f64());
}

fn median(rounds: usize, mut measured: impl FnMut() -> (Duration, u64)) -> (Duration, u64) {
    let mut all: Vec<_> = (0..rounds).map(|_| measured()).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

/// Lines in which the default detectors find nothing: text and JSON by turns.
fn clean_lines() -> Vec<String> {
    let generator = generate::Generator::until(1_749_112_947_148, 40_000, 1, "a");
    let (mut json, mut text) = (Vec::new(), Vec::new());
    for number in 0..40_000 {
        let mut line = String::new();
        generator.line(number, &mut line);
        let is_json = line.starts_with('{');
        if is_json { json.push(line.replace("@mail.example", ".mail.example")) } else { text.push(line) }
    }
    if let Some(folder) = std::env::var_os("LOGFERRY_TEST_LOGS") {
        text = real_lines(Path::new(&folder));
    }
    let masker = Masker::new(&Config::default()).unwrap();
    let is_clean = |line: &String| masker.text(line) == line.as_str();
    text.retain(is_clean);
    json.retain(is_clean);
    let (mut lines, mut text_bytes, mut json_bytes) = (Vec::new(), 0, 0);
    let (mut text, mut json) = (text.iter().cycle(), json.iter().cycle());
    while lines.len() < 60_000 {
        let (from, bytes) =
            if text_bytes <= json_bytes { (text.next(), &mut text_bytes) } else { (json.next(), &mut json_bytes) };
        let line = from.expect("some lines are clean").clone();
        *bytes += line.len();
        lines.push(line);
    }
    lines
}

fn real_lines(folder: &Path) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "log"));
    files.sort();
    assert!(!files.is_empty(), "no *.log in {}", folder.display());
    let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    files.iter().flat_map(|path| read(path).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The lines again and again, to so many bytes; each `every`th gets an address at its end, within the object of a JSON
/// line.
fn repeated(lines: &[String], every: usize, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 4096);
    for (number, line) in lines.iter().cycle().enumerate() {
        if text.len() >= bytes {
            return text;
        }
        let address = format!("user.{}@mail.example", number % 5000);
        match ((number + 1).is_multiple_of(every), line.strip_suffix('}')) {
            (true, Some(object)) => text.push_str(&format!("{object},\"user_login\":\"{address}\"}}")),
            (true, None) => text.push_str(&format!("{line} {address}")),
            (false, _) => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn chunks(text: &str) -> Vec<(&str, Records)> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let window = &rest.as_bytes()[..CHUNK_BYTES.min(rest.len())];
        let end = window.iter().rposition(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (chunk, after) = rest.split_at(end);
        chunks.push((chunk, records(chunk)));
        rest = after;
    }
    chunks
}

fn records(chunk: &str) -> Records {
    let mut records = Records::default();
    let mut start = 0;
    for (index, line) in chunk.lines().enumerate() {
        let offset = |at: usize| u32::try_from(at).unwrap();
        records.items.push(Record {
            line: offset(index),
            position: Position { at: start as u64, tie: 0 },
            start: offset(start),
            end: offset(start + line.len()),
            shape: if line.starts_with('{') { Shape::Object } else { Shape::Text },
            time: Time { ns: 0, digits: 9, origin: records::Origin::Read },
            level: None,
            own: Keys::NONE,
            clash: Keys::NONE,
            cut: false,
        });
        start += line.len() + 1;
    }
    records
}

fn mask(masker: &Masker, chunks: &[(&str, Records)]) -> (Duration, u64) {
    let origin = Origin { source: SourceId::new(1), generation: 0, seen_ms: 0 };
    let (fields, mut scratch) = (MaskedFields::default(), Scratch::default());
    let (mut hits, began) = (0, own_time());
    for (text, records) in chunks {
        let masked = masker.mask(text, records, origin, &fields, &mut scratch);
        hits += masked.hits().map(|(_, count)| count).sum::<u64>();
        assert_eq!(masked.held(), 0);
    }
    (own_time() - began, hits)
}

/// What is written in an afternoon instead: no proof, no JSON, no escapes.
struct Chain(Vec<(Regex, &'static str)>);

impl Chain {
    fn new() -> Self {
        let rules = [
            (r"[\w.+-]+@[\w-]+\.[\w.-]+", "[email]"),
            (r"\b(?:\d[ -]?){13,19}\b", "[card]"),
            (r#"(?i)(password|passwd|pwd|secret|token|api_key)["']?\s*[=:]\s*["']?[^\s"',;&]+"#, "$1=[secret]"),
            (r"(?i)bearer\s+[\w.~+/=-]+", "bearer [credential]"),
            (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "[jwt]"),
            (r"://[^/\s:@]+:[^@\s/]+@", "://[password]@"),
        ];
        Self(rules.map(|(pattern, instead)| (Regex::new(pattern).unwrap(), instead)).into())
    }

    fn replace(&self, text: &str) -> (Duration, u64) {
        let (mut changed, began) = (0, own_time());
        for line in text.lines() {
            let mut masked = std::borrow::Cow::Borrowed(line);
            for (regex, instead) in &self.0 {
                if let std::borrow::Cow::Owned(next) = regex.replace_all(&masked, *instead) {
                    masked = next.into();
                    changed += 1;
                }
            }
            std::hint::black_box(&masked);
        }
        (own_time() - began, changed)
    }
}

/// CPU time of this thread: the first number of `schedstat` (Documentation/scheduler/sched-stats.rst), in ns.
fn own_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// CPU time of `libdeflate-gzip -1` over the text.
fn gzip(text: &str) -> Duration {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let before = children_time();
    let mut command = Command::new("libdeflate-gzip");
    let status = command.args(["-1", "-c"]).arg(file.path()).stdout(Stdio::null()).status();
    assert!(status.expect("Debian: apt-get install libdeflate-tools").success());
    children_time() - before
}

/// CPU time of the processes waited for, in ticks of 10 ms: fields 16 and 17 of proc(5)'s stat.
fn children_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let words: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = words[13].parse::<u64>().unwrap() + words[14].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
