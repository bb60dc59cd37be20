//! One round: a writer, an agent that is killed again and again, a last run to the end, a verdict.

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::Duration;

use logferry::base::failpoint::STEPS;

use crate::agent::{self, CLOCK, Fate, MESSAGES};
use crate::check::{self, Verdict};
use crate::dice::Dice;
use crate::forgetful::Disk;
use crate::harness::{Ground, now_ms};
use crate::lines::Lines;
use crate::stores::{Kind, Store};
use crate::writer::{Writer, Written};

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
    /// How many of the agent's own books could be compared.
    pub ledgers: u64,
    /// Bytes of the largest request, uncompressed.
    pub largest: usize,
    /// What else is wrong, in words.
    pub complaints: Vec<String>,
}

/// The choices that one purpose needs.
#[derive(Clone, Copy)]
enum Purpose {
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
        let mut report = Report::default();
        let written = self.write_and_kill(ground, disk, &stores, &mut report)?;
        std::fs::write(ground.path("agent.toml"), self.configuration(&stores, ground, LAST_TIMEOUT))?;
        let (code, said) = agent::run_once(ground, LAST_RUN)?;
        report.lines = written.pieces.len() as u64;
        report.judge_end(code, &said, &written);
        for store in &stores {
            self.judge(store, ground, &written, &mut report)?;
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

    fn judge(&self, store: &Store, ground: &Ground, written: &Written, report: &mut Report) -> io::Result<()> {
        report.largest = report.largest.max(store.largest());
        let (state, name) = (ground.path("state"), &store.name);
        let parked = std::fs::read_to_string(state.join(format!("parked/{name}.ndjson"))).unwrap_or_default();
        let records = store.records(&self.service())?;
        let verdict = Verdict::of(&self.label(), written, &records, &parked);
        if !written.in_doubt {
            report.ledgers += 1;
            let ledger = check::ledger(&state, name)?;
            report.judge_ledger(name, ledger, (records.len() as u64, verdict.parked.len() as u64));
        }
        if !verdict.is_good() {
            let rows: String = records.iter().map(|record| format!("{} {}\n", record.key, record.text)).collect();
            std::fs::write(ground.path(name), rows)?;
        }
        report.verdict.add(verdict);
        Ok(())
    }

    fn write_and_kill(
        &self,
        ground: &Ground,
        disk: Option<&Disk>,
        stores: &[Store],
        report: &mut Report,
    ) -> io::Result<Written> {
        let records = |store: &Store| store.lasting_records(&self.service(), disk).unwrap_or_default();
        let has = |store: &Store| check::stored(&self.label(), &records(store));
        let stored = || stores.iter().map(has).collect();
        let mut dice = self.dice(Purpose::Writing);
        let unfit = if stores.iter().any(Store::refuses) && dice.percent(50) { UNFIT } else { 0 };
        let steps = reachable(stores, unfit > 0);
        let lines = Lines::new(&self.label(), now_ms() - 60_000, self.dice(Purpose::Lines), unfit);
        let count = dice.between(500, 3000);
        let writer = Writer::new(ground.path("logs"), lines, dice, &stored);
        let (mut fates, mut power) = (self.dice(Purpose::Fates), self.dice(Purpose::Power));
        let mut clock = self.dice(Purpose::Clock);
        thread::scope(|scope| {
            let writing = scope.spawn(move || writer.run(count));
            let mut after = fates.between(1, 4);
            while !writing.is_finished() || after > 0 {
                after -= u64::from(writing.is_finished());
                let fate = choose(&mut fates, &steps);
                if self.steps_clock {
                    std::fs::write(ground.path(CLOCK), clock.pick(&CLOCKS).to_string())?;
                }
                let end = agent::run(ground, fate)?;
                disk.inspect(|disk| disk.cut(Some(&mut power)));
                *report.ends.entry(end).or_default() += 1;
                if let Fate::Step(step, ..) = fate
                    && end != step
                {
                    *report.missed.entry(step).or_default() += 1;
                }
            }
            writing.join().unwrap_or_else(|_| Err(io::Error::other("the writer panicked")))
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
            "[agent]\nstate_dir = \"{state}\"\nworkers = {workers}\nmemory = \"{memory}\"\nstop_within = \"2s\"\n\n\
             [admin]\nlisten = \"off\"\n\n\
             [source.{service}]\ntype = \"file\"\ninclude = [\"{logs}/*.log\", \"{logs}/*.log.*\"]\n\
             max_line = \"64 KiB\"\npoll = \"100ms\"\nunfinished_after = \"{unfinished}\"\n"
        );
        for output in stores.iter().map(|store| store.output(timeout)) {
            text += &format!("\n{output}max_bytes = \"{bytes}\"\nmax_records = {records}\nmax_age = \"{age}\"\n");
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

/// The steps that a round can come to.
fn reachable(stores: &[Store], has_unfit: bool) -> Vec<&'static str> {
    let has_answers = stores.iter().any(Store::answers);
    let is_reachable = |step: &&str| match *step {
        "sent" | "answered" => has_answers,
        "parked" => has_unfit,
        _ => true,
    };
    STEPS.into_iter().filter(is_reachable).collect()
}

fn choose(dice: &mut Dice, steps: &[&'static str]) -> Fate {
    let time = |dice: &mut Dice, high| Duration::from_millis(dice.between(30, high));
    match dice.below(100) {
        0..60 => {
            let step = *dice.pick(steps);
            let number = if dice.percent(60) { 1 } else { dice.between(2, 8) };
            Fate::Step(step, number, Duration::from_millis(800))
        }
        60..88 => Fate::Killed(time(dice, 400)),
        _ => Fate::Stopped(time(dice, 500)),
    }
}

impl Report {
    /// Whether the promise was kept.
    pub fn is_good(&self) -> bool {
        self.verdict.is_good() && self.complaints.is_empty()
    }

    fn judge_end(&mut self, code: Option<i32>, said: &str, written: &Written) {
        let says = |words: &str| said.lines().any(|line| line.starts_with(words));
        if code == Some(0) {
            return;
        }
        let is_excused = code == Some(2) && !says("not delivered") && (written.in_doubt || !says("lost"));
        if !is_excused {
            self.complaints.push(format!("the last run ended with {code:?}; its messages are in {MESSAGES}"));
        }
    }

    fn judge_ledger(&mut self, name: &str, books: (u64, u64), there: (u64, u64)) {
        if books != there {
            let ((delivered, parked), (stored, set_aside)) = (books, there);
            let said = format!("the agent counts {delivered} delivered to {name} and {parked} parked");
            self.complaints.push(format!("{said}; there are {stored} and {set_aside}"));
        }
    }
}
