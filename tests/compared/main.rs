//! The same faults for logferry and for its peers: each is run as a whole process before a scripted Elasticsearch, and
//! what is lost and what is repeated is counted. Without a peer logferry goes through them alone, in small, within a
//! minute. Exits with 1 when logferry lost or repeated a line.
//!
//! ```text
//! cargo test --profile quick --features peers --test compared
//! cargo test --profile quick --features peers --test compared -- --peer fluent-bit=PATH --peer rsyslog
//! ```
//!
//! A peer is named with its program, or that is looked for in `LOGFERRY_PEER_FLUENT_BIT` (and so on) and on the PATH.
//! Results: docs/compared.md.

// What fails here panics, and is said.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[allow(dead_code)]
#[path = "../chaos/dice.rs"]
mod dice;
mod faults;
#[allow(dead_code)]
#[path = "../it/harness.rs"]
mod harness;
#[allow(dead_code)]
#[path = "../chaos/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "../chaos/lines.rs"]
mod lines;
mod peers;
mod round;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;

use crate::faults::{FAULTS, Fault};
use crate::peers::{OURS, Peer};
use crate::round::{Outcome, Scale};

/// Marks the lines of all rounds: each has a store of its own.
const LABEL: &str = "compared";
/// Fewer than ten in a request: with more logferry holds the index to be at fault, and parks nothing.
const UNFIT_EVERY: u64 = 5000;

/// Makes the same faults to logferry and its peers, and counts what is lost and repeated
#[derive(Parser, Debug)]
struct Arguments {
    /// A peer, and where its program is; logferry is always one
    #[arg(long = "peer", value_name = "NAME[=PATH]")]
    peers: Vec<String>,
    /// Which faults; else all
    #[arg(long = "fault", value_name = "NAME")]
    faults: Vec<String>,
    /// How often each
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Rounds at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// How many lines; else 20,000, with peers 200,000
    #[arg(long)]
    lines: Option<u64>,
    /// In the fault `shape`: every line in so many is refused
    #[arg(long, default_value_t = UNFIT_EVERY, value_parser = clap::value_parser!(u64).range(1..))]
    unfit_every: u64,
    /// Which files the durable peers follow
    #[arg(long, default_value = "*.log*")]
    pattern: String,
}

/// A peer that takes part.
struct Part {
    peer: &'static Peer,
    program: PathBuf,
    version: String,
}

/// What came of each round of a peer and a fault, by their places.
type Results = Vec<(usize, usize, Outcome)>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (parts, faults) = match (arguments.parts(), arguments.faults()) {
        (Ok(parts), Ok(faults)) => (parts, faults),
        (Err(words), _) | (_, Err(words)) => {
            eprintln!("cannot start: {words}");
            return ExitCode::FAILURE;
        }
    };
    let scale = arguments.scale();
    println!("compared: {scale:?}");
    let began = Instant::now();
    let pairs: Vec<(usize, usize)> =
        (0..parts.len()).flat_map(|part| (0..faults.len()).map(move |fault| (part, fault))).collect();
    let (results, next) = (Mutex::new(Results::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                while let Some((part, fault)) = pairs.get(next.fetch_add(1, Ordering::Relaxed) / arguments.rounds) {
                    let outcome = run(&parts[*part], faults[*fault], &scale);
                    results.lock().unwrap().push((*part, *fault, outcome));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    println!("\n{}\n{:.0} s", table(&parts, &faults, &results), began.elapsed().as_secs_f64());
    let is_good = |(part, _, outcome): &(usize, usize, Outcome)| *part > 0 || outcome.lost + outcome.repeated == 0;
    if results.iter().all(is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Arguments {
    /// With peers: beyond their buffers, and with time for what they try again late. Without: to see that it works.
    fn scale(&self) -> Scale {
        let has_peers = !self.peers.is_empty();
        let pick = |large, small| Duration::from_millis(if has_peers { large } else { small });
        Scale {
            lines: self.lines.unwrap_or(if has_peers { 200_000 } else { 20_000 }),
            pace: if has_peers { 20_000 } else { 40_000 },
            away: pick(20_000, 1_000),
            patience: pick(75_000, 20_000),
            settled: pick(15_000, 300),
            unfit_every: self.unfit_every,
            pattern: self.pattern.clone(),
        }
    }

    /// Who takes part, logferry first; or what is wrong.
    fn parts(&self) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        for wanted in std::iter::once(OURS).chain(self.peers.iter().map(String::as_str)) {
            let (peer, program) = Peer::find(wanted).ok_or_else(|| {
                let names: Vec<&str> = peers::PEERS.iter().map(|peer| peer.name).collect();
                format!("no peer is called {wanted}; there are {}", names.join(", "))
            })?;
            let version = peer.version(&program).map_err(|error| format!("{}: {error}", program.display()))?;
            parts.push(Part { peer, program, version });
        }
        Ok(parts)
    }

    fn faults(&self) -> Result<Vec<&'static Fault>, String> {
        if let Some(unknown) = self.faults.iter().find(|name| FAULTS.iter().all(|fault| fault.name != **name)) {
            let names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).collect();
            return Err(format!("no fault is called {unknown}; there are {}", names.join(", ")));
        }
        let is_wanted = |fault: &&Fault| self.faults.is_empty() || self.faults.iter().any(|name| name == fault.name);
        Ok(FAULTS.iter().filter(is_wanted).collect())
    }
}

/// One round, said when it is over. One that could not be run is an error of the runner.
fn run(part: &Part, fault: &Fault, scale: &Scale) -> Outcome {
    let began = Instant::now();
    let outcome = round::run(part.peer, &part.program, fault, scale).expect("a round runs to its end");
    let Outcome { written, lost, repeated, aside, .. } = outcome;
    let (name, seconds) = (part.peer.name, began.elapsed().as_secs());
    println!(
        "{name:<20}{:<14}written {written:>7}  lost {lost:>7}  repeated {repeated:>7}  aside {aside:>5}  {seconds:>4} s",
        fault.name
    );
    outcome
}

/// A Markdown table: a row for each fault, a column for each peer, `lost / repeated` in each.
fn table(parts: &[Part], faults: &[&Fault], results: &Results) -> String {
    let heads: Vec<String> = parts.iter().map(|part| format!("{} {}", part.peer.name, part.version)).collect();
    let mut text = format!("| fault | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(parts.len()));
    for (row, fault) in faults.iter().enumerate() {
        let cells: Vec<String> = (0..parts.len()).map(|column| cell(results, column, row)).collect();
        text += &format!("| {} | {} |\n", fault.words, cells.join(" | "));
    }
    text
}

/// The least and the most of all rounds.
fn cell(results: &Results, part: usize, fault: usize) -> String {
    let outcomes: Vec<&Outcome> = results
        .iter()
        .filter(|(one, other, _)| (*one, *other) == (part, fault))
        .map(|(_, _, outcome)| outcome)
        .collect();
    let range = |value: fn(&Outcome) -> u64| {
        let values = || outcomes.iter().map(|outcome| value(outcome));
        let (least, most) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
        if least == most { least.to_string() } else { format!("{least}–{most}") }
    };
    let aside = range(|outcome| outcome.aside);
    let kept = if aside == "0" { String::new() } else { format!(", {aside} kept") };
    let late = if outcomes.iter().all(|outcome| outcome.is_over) { "" } else { ", not over" };
    format!("{} / {}{kept}{late}", range(|outcome| outcome.lost), range(|outcome| outcome.repeated))
}
