//! One round: a writer, an agent that is killed again and again, a last run to the end, a verdict.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::agent::{self, CLOCK, Fate, MESSAGES};
use crate::check::{self, Verdict};
use crate::dice::Dice;
use crate::fates::{choose, come_and_go, reachable};
use crate::forgetful::Disk;
use crate::gone::{Doubt, Gone};
use crate::harness::{Ground, now_ms};
use crate::ledger::{Books, Facts};
use crate::lines::Lines;
use crate::state::State;
use crate::stores::{Kind, Store};
use crate::writer::{Manners, Writer, Written};

/// The last run ends within this time, also on a busy machine.
const LAST_RUN: Duration = Duration::from_secs(120);
/// In it the store is waited for, however busy the machine is.
const LAST_TIMEOUT: &str = "15s";
/// By how many seconds the clock may be wrong: an hour, a day.
const CLOCKS: [i64; 5] = [0, 3600, -3600, 86_400, -86_400];
/// Lines of a round at most that a store refuses: with ten in one request the agent holds the index to be at fault.
const UNFIT: u32 = 8;

/// What makes a round. The same plan makes the same choices; what comes of them depends on time as well.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub round: u64,
    /// The stores to choose from, real ones with their URLs.
    pub stores: Vec<(Kind, Option<String>)>,
    /// Tells this run from all others in a store that keeps what earlier ones sent.
    pub run: String,
    /// The time of day is another in each run.
    pub steps_clock: bool,
}

/// What came of a round.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub lines: u64,
    /// How often the agent ended, by how: a step, `random`, `stopped`.
    pub ends: BTreeMap<&'static str, u64>,
    /// Steps that were to kill it and were not reached in time.
    pub missed: BTreeMap<&'static str, u64>,
    pub verdict: Verdict,
    /// How many of the agent's own books had to be exact.
    pub ledgers: u64,
    /// Files came and went, and stores that have a queue too.
    pub is_fleeting: bool,
    pub queue: Queue,
    /// Bytes of the largest request, uncompressed.
    pub largest: usize,
    /// What else is wrong, in words.
    pub complaints: Vec<String>,
}

/// What went through the queues of a round.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Frames.
    pub frames: u64,
    /// Those that lay there when an agent ended, by output, queue and number, with their bytes.
    pub left: BTreeMap<(usize, PathBuf, u64), u64>,
}

/// How much a queue takes.
#[derive(Clone, Copy, Debug)]
struct Room {
    bytes: &'static str,
    when_full: &'static str,
}

/// Most often more than a round has; else so little that it is full at times.
const ROOMS: [Room; 6] = [
    Room { bytes: "1 GiB", when_full: "pause" },
    Room { bytes: "1 GiB", when_full: "pause" },
    Room { bytes: "1 GiB", when_full: "pause" },
    Room { bytes: "16 KiB", when_full: "pause" },
    Room { bytes: "16 KiB", when_full: "drop_oldest" },
    Room { bytes: "16 KiB", when_full: "drop_newest" },
];

/// The choices that one purpose needs.
#[derive(Clone, Copy)]
enum Purpose {
    Manners,
    Room,
    Absence,
    Configuration,
    Stores,
    Writing,
    Lines,
    Fates,
    Power,
    Clock,
    /// The first of as many as there are stores.
    Faults,
}

impl Plan {
    /// Runs the round in a ground of its own, which the caller keeps or drops. The power of a disk fails whenever the
    /// agent ends.
    ///
    /// # Errors
    /// It could not be run to its end.
    pub fn run(&self, ground: &Ground, disk: Option<&Disk>) -> io::Result<Report> {
        let stores = self.stores(ground)?;
        std::fs::write(ground.path("agent.toml"), self.configuration(&stores, ground, self.timeout()))?;
        let has_queue = stores.iter().any(Store::answers);
        let mut report =
            Report { is_fleeting: has_queue && self.dice(Purpose::Manners).percent(50), ..Report::default() };
        let (written, doubts) = self.write_and_kill(ground, disk, &stores, &mut report)?;
        std::fs::write(ground.path("agent.toml"), self.configuration(&stores, ground, LAST_TIMEOUT))?;
        let (code, said) = agent::run_once(ground, LAST_RUN)?;
        report.lines = written.pieces.len() as u64;
        let is_sure = !written.in_doubt && doubts.values().all(|doubt| doubt.lines.is_empty());
        report.judge_end(code, &said, is_sure);
        for store in &stores {
            self.judge(store, ground, &written, &doubts[&store.name], &mut report)?;
        }
        if report.is_good() {
            stores.iter().for_each(|store| store.forget(&self.service()));
        }
        Ok(report)
    }

    /// All stores, or one of them: an output that is alone goes other ways than one that has a neighbour.
    fn stores(&self, ground: &Ground) -> io::Result<Vec<Store>> {
        let mut dice = self.dice(Purpose::Stores);
        let alone = dice.percent(60).then(|| dice.below(self.stores.len() as u64));
        let mut stores = Vec::new();
        for (number, (kind, url)) in (0..).zip(&self.stores) {
            if alone.is_none_or(|alone| alone == number) {
                let faults = Dice::new(self.seed, self.round, Purpose::Faults as u64 + number);
                stores.push(Store::open(&format!("store{number}"), *kind, url.as_deref(), faults, ground.path(""))?);
            }
        }
        Ok(stores)
    }

    fn judge(
        &self,
        store: &Store,
        ground: &Ground,
        written: &Written,
        doubt: &Doubt,
        report: &mut Report,
    ) -> io::Result<()> {
        report.largest = report.largest.max(store.largest());
        let (state, name) = (ground.path("state"), &store.name);
        let parked = std::fs::read_to_string(state.join(format!("parked/{name}.ndjson"))).unwrap_or_default();
        let records = store.records(&self.service())?;
        let mut verdict = Verdict::of(&self.label(), written, &records, &parked, doubt);
        let books = Books::ask(&ground.path("agent.toml"), name)?;
        let may_drop = store.answers() && report.is_fleeting && self.room().when_full != "pause";
        if may_drop {
            verdict.excuse(books.dropped, books.lost_bytes, &written.sizes);
        }
        let facts = Facts { may_drop, ..facts(written, doubt, records.len() as u64, &verdict) };
        report.ledgers += u64::from(facts.unbooked == 0);
        report.complaints.extend(books.faults(&facts).into_iter().map(|fault| format!("ledger of {name}: {fault}")));
        let left = State::read(&state, name)?;
        report.queue.frames += left.settled_frames;
        if !left.frames.is_empty() {
            report.complaints.push(format!("the queue of {name} is not empty: {:?}", left.frames));
        }
        if !verdict.is_good() {
            let rows: String = records.iter().map(|record| format!("{} {}\n", record.key, record.text)).collect();
            std::fs::write(ground.path(name), rows)?;
        }
        report.verdict.add(verdict);
        Ok(())
    }

    fn room(&self) -> Room {
        *self.dice(Purpose::Room).pick(&ROOMS)
    }

    /// What was written, and what may be missing of it, by output.
    fn write_and_kill(
        &self,
        ground: &Ground,
        disk: Option<&Disk>,
        stores: &[Store],
        report: &mut Report,
    ) -> io::Result<(Written, BTreeMap<String, Doubt>)> {
        let records = |store: &Store| store.lasting_records(&self.service(), disk).unwrap_or_default();
        let has = |store: &Store| check::stored(&self.label(), &records(store));
        let stored = || stores.iter().map(has).collect();
        let mut dice = self.dice(Purpose::Writing);
        let unfit = if stores.iter().any(Store::refuses) && dice.percent(50) { UNFIT } else { 0 };
        let manners = if report.is_fleeting { Manners::Fleeting } else { Manners::Patient };
        let steps = reachable(stores, unfit > 0, manners);
        let lines = Lines::new(&self.label(), now_ms() - 60_000, self.dice(Purpose::Lines), unfit);
        let count = dice.between(500, 3000);
        let (gone, is_over) = (Gone::new(stores.len()), AtomicBool::new(false));
        let writer = Writer::new(ground.path("logs"), manners, lines, dice, &stored, &gone);
        thread::scope(|scope| {
            let writing = scope.spawn(move || writer.run(count));
            if report.is_fleeting {
                scope.spawn(|| come_and_go(stores, self.dice(Purpose::Absence), &is_over));
            }
            let killing = Killing { plan: self, ground, disk, stores, gone: &gone, steps };
            let doubts = killing.run(&|| writing.is_finished(), report);
            is_over.store(true, Ordering::SeqCst);
            let written = writing.join().unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
            Ok((written?, doubts?))
        })
    }

    /// The whole of `agent.toml`.
    fn configuration(&self, stores: &[Store], ground: &Ground, timeout: &str) -> String {
        let mut dice = self.dice(Purpose::Configuration);
        let mut pick = |among: &[&'static str]| *dice.pick(among);
        let (workers, unfinished) = (pick(&["1", "2"]), pick(&["80ms", "5s"]));
        let (bytes, records) = (pick(&["8 KiB", "64 KiB", "2 MiB"]), pick(&["40", "400", "20000"]));
        let age = pick(&["10ms", "50ms", "300ms"]);
        let (state, logs) = (ground.path("state"), ground.path("logs"));
        let (state, logs) = (state.display(), logs.display());
        let (service, memory) = (self.service(), pick(&["1 MiB", "12 MiB"]));
        let mut text = format!(
            "[agent]\nstate_dir = \"{state}\"\nworkers = {workers}\nmemory = \"{memory}\"\nstop_within = \"600ms\"\n\n\
             [admin]\nlisten = \"off\"\n\n\
             [source.{service}]\ntype = \"file\"\ninclude = [\"{logs}/*.log\", \"{logs}/*.log.*\"]\n\
             max_line = \"64 KiB\"\npoll = \"100ms\"\nunfinished_after = \"{unfinished}\"\n"
        );
        let Room { bytes: queue_bytes, when_full } = self.room();
        for store in stores {
            let output = store.output(timeout);
            text += &format!("\n{output}max_bytes = \"{bytes}\"\nmax_records = {records}\nmax_age = \"{age}\"\n");
            if store.answers() {
                text += &format!("queue_bytes = \"{queue_bytes}\"\nqueue_full = \"{when_full}\"\n");
            }
        }
        text
    }

    /// Shorter than a scripted store is late, but for those that are on their way to a real one.
    fn timeout(&self) -> &'static str {
        let is_scripted = self.stores.iter().all(|(kind, _)| !kind.is_real());
        if is_scripted { "400ms" } else { "5s" }
    }

    fn dice(&self, purpose: Purpose) -> Dice {
        Dice::new(self.seed, self.round, purpose as u64)
    }

    fn label(&self) -> String {
        format!("{}r{}", self.run, self.round)
    }

    fn service(&self) -> String {
        format!("chaos-{}", self.label())
    }
}

/// What the books of an output must say. Where a file was truncated, anything may be missing in them.
fn facts(written: &Written, doubt: &Doubt, stored: u64, verdict: &Verdict) -> Facts {
    let doubtful = if doubt.lines.is_empty() { 0 } else { doubt.lines.len() as u64 + written.halves };
    Facts {
        stored,
        parked: verdict.parked.len() as u64,
        unbooked: if written.in_doubt { written.pieces.len() as u64 } else { doubtful },
        bytes: written.bytes,
        ends: written.halves,
        lost_bytes: verdict.doubtful.iter().map(|number| doubt.lines[number]).sum(),
        may_drop: false,
    }
}

/// The agent of a round, that is started and killed until all is written, and a little longer.
struct Killing<'a> {
    plan: &'a Plan,
    ground: &'a Ground,
    disk: Option<&'a Disk>,
    stores: &'a [Store],
    gone: &'a Gone,
    steps: Vec<&'static str>,
}

impl Killing<'_> {
    fn run(&self, is_written: &dyn Fn() -> bool, report: &mut Report) -> io::Result<BTreeMap<String, Doubt>> {
        let (mut fates, mut power) = (self.plan.dice(Purpose::Fates), self.plan.dice(Purpose::Power));
        let mut clock = self.plan.dice(Purpose::Clock);
        let mut doubts: BTreeMap<_, _> =
            self.stores.iter().map(|store| (store.name.clone(), Doubt::default())).collect();
        let manners = if report.is_fleeting { Manners::Fleeting } else { Manners::Patient };
        let (mut after, mut end) = (fates.between(1, 4), "");
        while !is_written() || after > 0 {
            after -= u64::from(is_written());
            let fate = choose(&mut fates, &self.steps, end, manners);
            if self.plan.steps_clock {
                std::fs::write(self.ground.path(CLOCK), clock.pick(&CLOCKS).to_string())?;
            }
            end = agent::run(self.ground, fate, self.gone)?;
            self.disk.inspect(|disk| disk.cut(Some(&mut power)));
            report.count(fate, end);
            let states = self.gone.ended(end, &self.ground.path("state"), &mut doubts)?;
            for (number, state) in states.into_iter().enumerate() {
                let left = state.frames.into_iter().map(|((queue, frame), bytes)| ((number, queue, frame), bytes));
                report.queue.left.extend(left);
            }
        }
        // A file has no queue, and a queue that is full takes nothing.
        let is_roomy = self.plan.room().bytes == ROOMS[0].bytes;
        for store in self.stores.iter().filter(|store| is_roomy && store.answers()) {
            let Doubt { late, dropped, .. } = doubts[&store.name];
            if late > 0 {
                report
                    .complaints
                    .push(format!("{late} files were not durable long after they were deleted: {}", store.name));
            }
            if dropped > 0 {
                report.complaints.push(format!("a stop lost {dropped} lines that were read: {}", store.name));
            }
        }
        Ok(doubts)
    }
}

impl Report {
    /// Whether the promise was kept.
    pub fn is_good(&self) -> bool {
        self.verdict.is_good() && self.complaints.is_empty()
    }

    fn count(&mut self, fate: Fate, end: &'static str) {
        *self.ends.entry(end).or_default() += 1;
        if let Fate::Step(step, ..) = fate
            && end != step
        {
            *self.missed.entry(step).or_default() += 1;
        }
    }

    fn judge_end(&mut self, code: Option<i32>, said: &str, is_sure: bool) {
        let says = |words: &str| said.lines().any(|line| line.starts_with(words));
        if code == Some(0) {
            return;
        }
        let is_excused = code == Some(2) && !says("not delivered") && (!is_sure || !says("lost"));
        if !is_excused {
            self.complaints.push(format!("the last run ended with {code:?}; its messages are in {MESSAGES}"));
        }
    }
}
