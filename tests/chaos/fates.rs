//! How the runs of a round end, and when its stores are away: choices, and what can be chosen from.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use logferry::base::failpoint::STEPS;

use crate::agent::Fate;
use crate::dice::Dice;
use crate::server::Away;
use crate::stores::Store;
use crate::writer::Manners;

/// Longer than an agent may take to make a deleted file durable: see `gone`.
const LONG_LIFE: Duration = Duration::from_millis(3_200);
/// How stores can be away.
const AWAY: [Away; 3] = [Away::Closed, Away::Busy, Away::Silent];
/// Steps of what waits in a queue on disk.
const OF_QUEUE: [&str; 7] = ["begun", "half", "pushed", "waiting", "passed", "forgotten", "unlinked"];
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The steps that a round can come to.
pub fn reachable(stores: &[Store], has_unfit: bool, manners: Manners) -> Vec<&'static str> {
    let has_answers = stores.iter().any(Store::answers);
    let is_reachable = |step: &&str| match *step {
        "sent" | "answered" | "opened" => has_answers,
        "parked" => has_unfit,
        step if OF_QUEUE.contains(&step) => manners == Manners::Fleeting,
        // Chosen where it is certain: after a run that left a torn end.
        "cut" => false,
        _ => true,
    };
    STEPS.into_iter().filter(is_reachable).collect()
}

/// How the next run is to end, after one that ended so.
pub fn choose(dice: &mut Dice, steps: &[&'static str], last: &str, manners: Manners) -> Fate {
    let time = |dice: &mut Dice, high| Duration::from_millis(dice.between(30, high));
    let step = |dice: &mut Dice, steps: &[&'static str], high| {
        let number = if dice.percent(60) { 1 } else { dice.between(2, 8) };
        Fate::Step(dice.pick::<&'static str>(steps), number, Duration::from_millis(high))
    };
    match (manners, dice.below(100)) {
        (Manners::Fleeting, 0..60) if last == "half" => step(dice, &["cut"], 800),
        (Manners::Patient, 0..60) | (Manners::Fleeting, 0..15) => step(dice, steps, 800),
        (Manners::Fleeting, 15..50) => step(dice, &OF_QUEUE, 1_200),
        (Manners::Patient, 60..88) => Fate::Killed(time(dice, 400)),
        (Manners::Fleeting, 50..82) => Fate::Killed(time(dice, 1_500)),
        (Manners::Fleeting, 82..86) => Fate::Killed(LONG_LIFE),
        _ => Fate::Stopped(time(dice, 500)),
    }
}

/// Has stores leave and come back, until the round is over: then they are back.
pub fn come_and_go(stores: &[Store], mut dice: Dice, is_over: &AtomicBool) {
    while !is_over.load(Ordering::SeqCst) {
        let (there, away) = (dice.between(50, 500), dice.between(300, 2_500));
        wait(there, is_over);
        let how = *dice.pick(&AWAY);
        stores.iter().filter(|_| dice.percent(80)).for_each(|store| store.is_now(Some(how)));
        wait(away, is_over);
        stores.iter().for_each(|store| store.is_now(None));
    }
}

fn wait(ms: u64, is_over: &AtomicBool) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(ms) && !is_over.load(Ordering::SeqCst) {
        sleep(LOOK_EVERY);
    }
}
