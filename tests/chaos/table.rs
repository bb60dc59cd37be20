//! What came of all rounds, as a table for people and as one word for the shell.

use std::collections::BTreeMap;

use logferry::base::failpoint::STEPS;

use crate::round::Report;

/// A step that was to kill the agent so often and never did is not there any more.
const SURELY_REACHED: u64 = 100;

/// The sum of all rounds.
#[derive(Debug, Default)]
pub struct Table {
    rounds: u64,
    failed: u64,
    lines: u64,
    ends: BTreeMap<&'static str, u64>,
    missed: BTreeMap<&'static str, u64>,
    lost: usize,
    repeated: usize,
    disordered: usize,
    strange: usize,
    parked: usize,
    doubtful: usize,
    dropped: usize,
    ledgers: u64,
    largest: usize,
    fleeting: u64,
    queue: Queued,
}

/// What went through queues on disk.
#[derive(Debug, Default)]
struct Queued {
    rounds: u64,
    frames: u64,
    left: u64,
    left_bytes: u64,
}

impl Table {
    /// Adds a round that came to its end.
    pub fn add(&mut self, report: &Report) {
        self.rounds += 1;
        self.failed += u64::from(!report.is_good());
        self.lines += report.lines;
        self.ledgers += report.ledgers;
        self.largest = self.largest.max(report.largest);
        for (sums, more) in [(&mut self.ends, &report.ends), (&mut self.missed, &report.missed)] {
            more.iter().for_each(|(name, count)| *sums.entry(name).or_default() += count);
        }
        self.fleeting += u64::from(report.is_fleeting);
        self.queue.add(report);
        let verdict = &report.verdict;
        self.doubtful += verdict.doubtful.len();
        self.dropped += verdict.dropped.len();
        self.lost += verdict.lost.len();
        self.repeated += verdict.repeated.len();
        self.disordered += verdict.disordered.len();
        self.strange += verdict.strange.len();
        self.parked += verdict.parked.len();
    }

    /// Adds a round that did not.
    pub fn add_failed(&mut self) {
        self.rounds += 1;
        self.failed += 1;
    }

    /// How many rounds are in it.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Whether every round kept the promise, and every step was put to the test.
    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.dead_steps().is_empty() && !self.is_queue_idle()
    }

    /// The rows, ends included.
    pub fn text(&self) -> String {
        let kills: u64 = self.ends.iter().filter(|(end, _)| **end != "stopped").map(|(_, count)| count).sum();
        let mut ways: Vec<String> = Vec::new();
        for name in STEPS.iter().chain(&["random", "stopped"]) {
            ways.push(format!("{name} {}", self.ends.get(name).unwrap_or(&0)));
        }
        let mut text = String::new();
        for (name, value) in [
            ("rounds", format!("{}, {} failed", self.rounds, self.failed)),
            ("lines", self.lines.to_string()),
            ("kills", format!("{kills} ({})", ways.join(", "))),
            ("lost", self.lost.to_string()),
            ("in doubt", format!("{} missing of files that were gone too soon", self.doubtful)),
            ("dropped", format!("{} by a full queue, as the ledger says", self.dropped)),
            ("repeated", self.repeated.to_string()),
            ("out of order", self.disordered.to_string()),
            ("parked", format!("{}, {} of them or of others without a reason", self.parked, self.strange)),
            ("ledger", format!("{} exact, the others within what is in doubt", self.ledgers)),
            ("queue", self.queue.text(self.fleeting)),
            ("largest", format!("{} KiB in one request, uncompressed", self.largest >> 10)),
        ] {
            text += &format!("{name:<14}{value}\n");
        }
        for step in self.dead_steps() {
            text += &format!("step {step} was never reached: its call is gone, or its name\n");
        }
        if self.is_queue_idle() {
            text += "nothing ever went to a queue: what is to be tested is not\n";
        }
        text
    }

    fn is_queue_idle(&self) -> bool {
        self.fleeting > 0 && self.queue.frames == 0 && self.queue.left == 0
    }

    fn dead_steps(&self) -> Vec<&'static str> {
        let is_dead = |step: &&str| {
            !self.ends.contains_key(*step) && self.missed.get(*step).is_some_and(|times| *times >= SURELY_REACHED)
        };
        STEPS.into_iter().filter(|step| is_dead(step)).collect()
    }
}

impl Queued {
    fn add(&mut self, report: &Report) {
        self.rounds += u64::from(report.queue.frames > 0);
        self.frames += report.queue.frames;
        self.left += report.queue.left.len() as u64;
        self.left_bytes += report.queue.left.values().sum::<u64>();
    }

    fn text(&self, chosen: u64) -> String {
        let Self { rounds, frames, left, left_bytes } = self;
        let kib = left_bytes >> 10;
        format!("{frames} frames in {rounds} of {chosen} rounds; {left} ({kib} KiB) lay there when an agent ended")
    }
}
