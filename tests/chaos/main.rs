//! Proof (D1) that nothing is lost and nothing repeated: the real binary, killed at random moments and at every named
//! step, under a writer that rotates and a store that misbehaves, round after round. Exits with 1 when the promise was
//! broken.
//!
//! ```text
//! cargo test --profile quick --features failpoints --test chaos -- --rounds 60
//! cargo test --profile quick --features failpoints --test chaos -- --rounds 10 --store loki --url http://HOST:3100
//! ```
//!
//! A round: 500 to 3,000 lines to two or three files; the agent is started and killed until they are written and a
//! little longer; one run with `--once`; then the numbers in the store are compared with those written, and the agent's
//! own books with the store. A seed makes the same choices again; what comes of them depends on time as well.
//!
//! In about half of the rounds with a store, it is away again and again, and files are deleted while they are read: what
//! cannot wait in its source goes to the queue on disk. Of these files, what the agent had neither settled nor queued when
//! it ended may be missing (`gone`), and nothing else.
//!
//! With `--power` (as root) the state folder lies on a disk that forgets what was not synced, and its power fails each
//! time that the agent ends. With `--clock` the time of day is another in each run: a line without a time of its own
//! that is read again, and not with the time of its first reading, goes to another index, and is there twice.

// What fails here panics, and is said.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod agent;
mod bulk;
mod check;
mod dice;
mod fates;
mod faults;
#[path = "../disk/forgetful.rs"]
mod forgetful;
mod forward;
mod gone;
#[allow(dead_code)]
#[path = "../it/harness.rs"]
mod harness;
mod http;
mod ledger;
mod lines;
mod push;
mod round;
mod server;
mod state;
#[allow(dead_code)]
#[path = "../it/store.rs"]
mod store;
mod stores;
mod table;
#[path = "../disk/tree.rs"]
mod tree;
mod writer;

use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;

use crate::forgetful::Disk;
use crate::harness::{Ground, now_ms};
use crate::round::{Plan, Report};
use crate::stores::Kind;
use crate::table::Table;

/// How often it is said how far it is, in rounds.
const SAID_EVERY: u64 = 100;

/// Kills the agent again and again, and counts what is lost and what is repeated
#[derive(Parser, Debug)]
struct Arguments {
    /// How many rounds
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// The number of the first one
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Which stores: one of them a round, or all at once
    #[arg(long = "store", value_enum, default_values = ["bulk", "push", "file"])]
    stores: Vec<Kind>,
    /// Where the real ones are, in their order
    #[arg(long = "url")]
    urls: Vec<String>,
    /// The same seed makes the same choices; else it is taken from the clock
    #[arg(long)]
    seed: Option<u64>,
    /// Rounds at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// The state folder forgets what was not synced whenever the agent ends. Needs root
    #[arg(long)]
    power: bool,
    /// The agent's clock steps by up to a day between two runs. Not for stores that order lines by their times
    #[arg(long)]
    clock: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(stores) = arguments.stores() else {
        eprintln!("cannot start: each real store needs a --url, and scripted ones have none");
        return ExitCode::FAILURE;
    };
    check::try_yourself();
    ledger::try_yourself();
    state::try_yourself();
    let seed = arguments.seed.unwrap_or_else(|| now_ms().unsigned_abs());
    println!("chaos: stores {:?}, rounds {}, seed {seed}", arguments.stores, arguments.rounds);
    let (began, table) = (Instant::now(), Mutex::new(Table::default()));
    let next = AtomicU64::new(arguments.first);
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    if round >= arguments.first + arguments.rounds {
                        return;
                    }
                    let (stores, steps_clock) = (stores.clone(), arguments.clock);
                    let plan = Plan { seed, round, stores, run: run_name(), steps_clock };
                    run_round(&plan, arguments.power, &table);
                }
            });
        }
    });
    let table = table.into_inner().unwrap();
    println!("\n{}{:<14}{:.0} s, seed {seed}", table.text(), "time", began.elapsed().as_secs_f64());
    if table.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Arguments {
    /// The stores with their URLs; `None` when these do not match.
    fn stores(&self) -> Option<Vec<(Kind, Option<String>)>> {
        let mut urls = self.urls.iter().cloned();
        let mut stores = Vec::new();
        for kind in &self.stores {
            stores.push((*kind, if kind.is_real() { Some(urls.next()?) } else { None }));
        }
        urls.next().is_none().then_some(stores)
    }
}

/// Letters and digits, as a mark in a line has.
fn run_name() -> String {
    format!("x{}", now_ms() % 1_000_000_000)
}

/// One round, and what is to be said of it.
fn run_round(plan: &Plan, power: bool, table: &Mutex<Table>) {
    let ground = Ground::new();
    let disk = power.then(|| Disk::mount(&ground.path("state")).unwrap());
    let came = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| plan.run(&ground, disk.as_ref())));
    let fault = match &came {
        Ok(Ok(report)) if report.is_good() => None,
        Ok(Ok(report)) => Some(describe(report)),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("it panicked, see above".to_owned()),
    };
    if let Some(fault) = fault {
        say_failed(plan, &ground, &fault);
    }
    let mut table = table.lock().unwrap();
    match came {
        Ok(Ok(report)) => table.add(&report),
        _ => table.add_failed(),
    }
    if table.rounds().is_multiple_of(SAID_EVERY) {
        println!("chaos: {} rounds are through", table.rounds());
    }
}

fn describe(report: &Report) -> String {
    let verdict = &report.verdict;
    let mut words = report.complaints.clone();
    for (what, numbers) in [
        ("lost", &verdict.lost),
        ("repeated", &verdict.repeated),
        ("out of order", &verdict.disordered),
        ("strange", &verdict.strange),
    ] {
        if !numbers.is_empty() {
            words.push(format!("{} {what} {:?}", numbers.len(), &numbers[..numbers.len().min(8)]));
        }
    }
    words.join("; ")
}

/// Says what is wrong, how to try it again, and keeps what the round left.
fn say_failed(plan: &Plan, ground: &Ground, what: &str) {
    let kept = std::env::temp_dir().join(format!("lf-chaos.{}.{}.{}", std::process::id(), plan.seed, plan.round));
    let copied = Command::new("cp").arg("-a").arg(ground.path("")).arg(&kept).status();
    let place =
        if copied.is_ok_and(|status| status.success()) { kept.display().to_string() } else { "nowhere".to_owned() };
    println!("chaos: round {} failed: {what}", plan.round);
    let again = format!("--seed {} --first {} --rounds 1", plan.seed, plan.round);
    println!("hint: it is kept in {place}; again: {again}, and the same stores and flags");
}
