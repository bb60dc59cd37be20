//! What the agent costs: processor time, memory, bytes on the wire, delays. The real binary as a whole process before a
//! counting store on loopback, with every number checked, beside each peer that is found, over the same files.
//!
//! ```text
//! bench/run [--mb 200] [--rounds 3] [--only ROW,…] [--svg FILE]
//! ```
//!
//! Processor time is given in units: multiples of what `libdeflate-gzip -1` takes over the same files in the same round,
//! which makes figures of different machines comparable. Results: docs/performance.md. What masking alone costs:
//! benches/mask.rs. What is lost and repeated when things go wrong: tests/compared.

// What fails here panics, and is said.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[allow(dead_code)]
#[path = "../tests/it/checker.rs"]
mod checker;
#[path = "../tests/it/cost.rs"]
mod cost;
#[allow(dead_code)]
#[path = "../tests/it/generate.rs"]
mod generate;
#[allow(dead_code)]
#[path = "../tests/it/harness.rs"]
mod harness;
#[allow(dead_code)]
#[path = "../tests/chaos/http.rs"]
mod http;
mod load;
#[allow(dead_code)]
#[path = "../tests/compared/peers.rs"]
mod peers;
mod plot;
mod race;
mod run;
mod sink;
mod still;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::load::Sort;
use crate::plot::Bar;
use crate::race::{Cost, Lane};
use crate::run::Entrant;
use crate::still::Rest;
use crate::targets::{Target, number};

/// What peers are compared by.
const MIXED_TO_BULK: &str = "mixed lines → `_bulk`";
/// What a file is shipped for at most, in units.
const MOST_UNITS: f64 = 2.7;
/// A peer, and what part of its processor time ours is to take at most, and is aimed at.
const SHARES: [(&str, f64, f64); 2] = [("fluent-bit", 1.0 / 4.0, 1.0 / 10.0), ("vector", 1.0 / 6.0, 1.0 / 15.0)];
/// How long a line waits for others in a batch, unless the configuration says otherwise, in ms.
const BATCH_AGE_MS: f64 = 1000.0;

/// Measures what the agent costs, and prints tables for docs/performance.md
///
/// Every line is numbered and counted at the store: a cheap run that loses one does not count. Ends with 1 when ours lost or
/// repeated any. It uses loopback and temporary files alone (TMPDIR says where: twice --mb). LOGFERRY_PEER_LOGFERRY names
/// another build of ours to be measured.
#[derive(Parser, Debug)]
#[command(name = "bench/run")]
struct Arguments {
    /// Which rows, with commas between them; else all
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROW")]
    only: Vec<Row>,
    /// Millions of bytes to ship, of each sort of lines
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=2000))]
    mb: u64,
    /// How often each is measured; the median counts, and the least and the most are said
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// A peer, and where its program is. Without it: all that the PATH or LOGFERRY_PEER_FLUENT_BIT (and so on) leads to
    #[arg(long = "peer", value_name = "NAME[=PATH]")]
    peers: Vec<String>,
    /// Also draws the units as bars, to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// What cargo passes
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Row {
    /// Files to _bulk, half JSON records, half text
    Bulk,
    /// The same files to Loki
    Loki,
    /// Files of JSON records of 1 KB to _bulk
    Json,
    /// What other agents take to ship the files of `bulk`, with their defaults
    Peers,
    /// Ten files to which nobody writes
    Idle,
    /// 10,000 files, of which a hundred get a line each second
    Many,
    /// One line a second
    Trickle,
    /// How long a start with 1,000 files takes
    Start,
    /// Bytes of the binary
    Size,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (ours, peers) = (Entrant::ours(), arguments.peers());
    let peers = match peers {
        Ok(peers) => peers,
        Err(words) => {
            eprintln!("cannot start: {words}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}, {}\n", ours.title(), machine());
    let lanes = arguments.race(&ours, peers);
    let mut targets = of_lanes(&lanes);
    let mut is_whole = lanes.iter().filter(|lane| lane.is_ours()).all(Lane::is_whole);
    if !lanes.is_empty() {
        println!("Least / median / most of {} rounds:\n\n{}", arguments.rounds, race_table(&lanes));
    }
    arguments.measure_rest(&ours, &mut targets, &mut is_whole);
    println!("{}", targets::table(&targets));
    if let Some(path) = arguments.svg.filter(|_| !lanes.is_empty()) {
        std::fs::write(&path, plot(&lanes)).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
    if !is_whole {
        eprintln!("a line of ours was lost or came twice");
    }
    if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Arguments {
    fn wants(&self, row: Row) -> bool {
        self.only.is_empty() || self.only.contains(&row)
    }

    /// Those that are named, or all that are found.
    fn peers(&self) -> Result<Vec<Entrant>, String> {
        if !self.wants(Row::Peers) {
            return Ok(Vec::new());
        }
        let peers = if self.peers.is_empty() {
            Entrant::all_found()
        } else {
            self.peers.iter().map(|wanted| Entrant::find(wanted)).collect::<Result<_, _>>()?
        };
        let titles: Vec<String> = peers.iter().map(Entrant::title).collect();
        let titles = if titles.is_empty() { "none, so their rows are absent".to_owned() } else { titles.join(", ") };
        eprintln!("peers found: {titles}");
        Ok(peers)
    }

    /// Ships whole files, by all who take part.
    fn race(&self, ours: &Entrant, peers: Vec<Entrant>) -> Vec<Lane> {
        let loki = Entrant { peer: run::LOKI, ..ours.clone() };
        let lane = |entrant, sort, title| Lane { entrant, title, sort, costs: Vec::new() };
        let mut lanes = Vec::new();
        for (row, entrant, sort, title) in [
            (Row::Bulk, ours, Sort::Mixed, MIXED_TO_BULK),
            (Row::Loki, &loki, Sort::Mixed, "mixed lines → Loki"),
            (Row::Json, ours, Sort::Json, "JSON of 1 KB → `_bulk`"),
        ] {
            if self.wants(row) {
                lanes.push(lane(entrant.clone(), sort, title));
            }
        }
        lanes.extend(peers.into_iter().map(|peer| lane(peer, Sort::Mixed, MIXED_TO_BULK)));
        race::race(&mut lanes, self.mb * 1_000_000, self.rounds);
        lanes
    }

    /// What is not about whole files.
    fn measure_rest(&self, ours: &Entrant, targets: &mut Vec<Target>, is_whole: &mut bool) {
        let mut checked = |rest: &Rest| *is_whole &= rest.is_whole;
        if self.wants(Row::Idle) {
            let rest = still::idle(ours);
            checked(&rest);
            targets.push(Target::new("10 files, idle: memory", "MiB", mib(rest.resident_kib), 10.0, 6.0));
            targets.push(Target::new("10 files, idle: of a core", "%", rest.share * 100.0, None, None));
        }
        if self.wants(Row::Many) {
            let rest = still::many(ours, 20);
            checked(&rest);
            targets.push(Target::new("10,000 files, 1 % active: of a core", "%", rest.share * 100.0, 5.0, 1.0));
            targets.push(Target::new("10,000 files, 1 % active: memory, peak", "MiB", mib(rest.peak_kib), 48.0, 24.0));
        }
        if self.wants(Row::Trickle) {
            let (rest, times) = still::trickle(ours, 30);
            checked(&rest);
            targets.push(Target::new("1 line a second: of a core", "%", rest.share * 100.0, 0.1, None));
            targets.extend(of_delays(&times));
        }
        if self.wants(Row::Start) {
            targets.extend(of_starts((0..self.rounds).map(|_| still::start(ours)).collect()));
        }
        if self.wants(Row::Size) {
            let bytes = std::fs::metadata(&ours.program).expect("cargo has built it").len();
            targets.push(Target::new("binary", "MB", bytes as f64 / 1e6, 15.0, 8.0));
        }
    }
}

/// The machine, in a few words.
fn machine() -> String {
    let of = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processors = of("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (kernel, load) = (of("/proc/sys/kernel/osrelease"), of("/proc/loadavg"));
    let load = load.split(' ').next().unwrap_or_default();
    format!("{cores} × {}, Linux {}, load {load}", model.trim_start_matches(['\t', ' ', ':']), kernel.trim())
}

fn race_table(lanes: &[Lane]) -> String {
    let mut text =
        "| | units | CPU s | wall s | peak MiB | wire MB | lost | repeated |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for lane in lanes {
        let columns: [fn(&Cost) -> f64; 5] = [
            |cost| cost.units,
            |cost| cost.cpu.as_secs_f64(),
            |cost| cost.wall.as_secs_f64(),
            |cost| mib(cost.peak_kib),
            |cost| cost.wire_bytes as f64 / 1e6,
        ];
        let cells: Vec<String> = columns.map(|column| three(&lane.sorted(column))).into();
        let most = |value: fn(&Cost) -> u64| lane.costs.iter().map(value).max().unwrap_or(0);
        let (lost, repeated) = (most(|cost| cost.lost), most(|cost| cost.repeated));
        text +=
            &format!("| {}, {} | {} | {lost} | {repeated} |\n", lane.entrant.title(), lane.title, cells.join(" | "));
    }
    text
}

/// Least, median and most.
fn three(sorted: &[f64]) -> String {
    let picked = [sorted[0], median(sorted), sorted[sorted.len() - 1]];
    picked.map(number).join(" / ")
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

fn of_lanes(lanes: &[Lane]) -> Vec<Target> {
    let units = |lane: &Lane| median(&lane.sorted(|cost| cost.units));
    let mut targets = Vec::new();
    for lane in lanes.iter().filter(|lane| lane.is_ours()) {
        let (most, aim) = if lane.sort == Sort::Mixed { (MOST_UNITS, 2.0) } else { (1.5, 0.8) };
        targets.push(Target::new(lane.title, "units", units(lane), most, aim));
        let peak = median(&lane.sorted(|cost| mib(cost.peak_kib)));
        targets.push(Target::new(format!("{}: memory, peak", lane.title), "MiB", peak, 32.0, 20.0));
    }
    let Some(ours) = lanes.iter().find(|lane| lane.is_ours() && lane.title == MIXED_TO_BULK) else { return targets };
    for (name, most, aim) in SHARES {
        if let Some(peer) = lanes.iter().find(|lane| lane.entrant.peer.name == name) {
            targets.push(Target::new(format!("beside {name}"), "of its CPU", units(ours) / units(peer), most, aim));
        }
    }
    targets
}

fn of_delays(sorted: &[Duration]) -> Vec<Target> {
    let at = |part: usize| sorted[(sorted.len() * part).div_ceil(100) - 1].as_secs_f64() * 1000.0;
    let delay = |name, part, most: Option<f64>| {
        Target::new(format!("1 line a second: from write to store, {name}"), "ms", at(part), most, None)
    };
    vec![delay("median", 50, None), delay("p99", 99, Some(BATCH_AGE_MS + 50.0)), delay("most", 100, None)]
}

fn of_starts(times: Vec<(Duration, Duration)>) -> Vec<Target> {
    let (mut reads, mut lines): (Vec<Duration>, Vec<Duration>) = times.into_iter().unzip();
    reads.sort();
    lines.sort();
    let ms = |sorted: &[Duration]| sorted[sorted.len() / 2].as_secs_f64() * 1000.0;
    vec![
        Target::new("1,000 files: from start to first read", "ms", ms(&reads), 100.0, None),
        Target::new("1,000 files: from start to first line at the store", "ms", ms(&lines), None, None),
    ]
}

fn plot(lanes: &[Lane]) -> String {
    let bars = lanes.iter().filter(|lane| lane.sort == Sort::Mixed).map(|lane| Bar {
        title: format!("{}, {}", lane.entrant.title(), lane.title.replace('`', "")),
        values: lane.sorted(|cost| cost.units),
    });
    plot::svg(
        "Processor time to ship the same files, in units of libdeflate-gzip -1",
        &bars.collect::<Vec<_>>(),
        MOST_UNITS,
    )
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
