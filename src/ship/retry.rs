//! What to do next, from the store's answer and the attempt: the whole policy, as one pure function. Reads no status
//! code, waits for nothing.

use std::time::Duration;

use crate::base::backoff::Backoff;
use crate::output::{Answer, Verdict};

/// A store that asks for a longer pause than this is asked again anyway.
const LONGEST_ASKED_PAUSE: Duration = Duration::from_secs(600);

/// Items that were refused for now so often by themselves, while the request was taken, wait apart: their index has a
/// trouble of its own, and the rest need not wait for it.
const PATIENCE: u32 = 4;

/// The circumstances of one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// How many times in a row it did not work, this one included.
    pub(super) number: u32,
    /// Items in the request.
    pub(super) items: usize,
    /// Its documents were rewrapped already.
    pub(super) rewrapped: bool,
    /// Addresses that can be tried in turn.
    pub(super) addresses: u32,
    /// Any number, to spread the agents of many hosts.
    pub(super) random: u64,
}

/// What is to happen to one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The store has it.
    Delivered,
    /// The store had it before.
    Repeated,
    /// Send it again.
    Again,
    /// Its own index takes nothing now: it waits apart, and the rest goes on.
    Hold(Hold),
    /// Send it again with its payload as one text field. With the store's words.
    Rewrap(String),
    /// Set it aside. With the store's words.
    Park(String),
}

/// Why an item waits for its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    /// How long until the next try.
    pub(super) time: Duration,
    /// The store's words.
    pub(super) reason: String,
    /// What to do, where a person must do something.
    pub(super) hint: Option<&'static str>,
}

/// What is to happen to the items of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The same to all.
    All(Step),
    /// One step an item, in their order.
    Each(Vec<Step>),
    /// Send the two halves.
    Halve,
    /// Ask the store what it has; what it lacks is parked for this reason.
    Ask(String),
}

/// What to wait for before it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// Nothing.
    None,
    /// Time.
    Wait {
        /// How long.
        time: Duration,
        /// The store's words.
        reason: String,
    },
    /// A person.
    Hold {
        /// How long until the next try.
        time: Duration,
        /// The store's words.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
}

/// The next move.
pub(super) type Plan = (Action, Pause);

/// The next move after an answer. `backoff` caps both kinds of waiting.
pub(super) fn decide(answer: Answer, attempt: Attempt, backoff: Backoff) -> Plan {
    match answer {
        Answer::Whole(verdict) => whole(verdict, attempt, backoff),
        Answer::Items(verdicts) => each(verdicts, attempt, backoff),
        Answer::Partly { reason } => (Action::Ask(reason), Pause::None),
        Answer::PartlyRetry { after, reason } => whole(Verdict::Retry { after, reason }, attempt, backoff),
    }
}

fn whole(verdict: Verdict, attempt: Attempt, backoff: Backoff) -> Plan {
    match verdict {
        Verdict::Split if attempt.items > 1 => (Action::Halve, Pause::None),
        Verdict::Retry { after: None, reason } if !attempt.number.is_multiple_of(attempt.addresses.max(1)) => {
            (Action::All(Step::Again), Pause::Wait { time: Duration::ZERO, reason })
        }
        other => {
            let (step, pause) = one(other, attempt, backoff);
            (Action::All(step), pause)
        }
    }
}

fn each(verdicts: Vec<Verdict>, attempt: Attempt, backoff: Backoff) -> Plan {
    let mut longest = Pause::None;
    let mut steps = Vec::with_capacity(attempt.items);
    for verdict in verdicts {
        let (step, pause) = apart(one(verdict, attempt, backoff), attempt);
        steps.push(step);
        if rank(&pause) > rank(&longest) {
            longest = pause;
        }
    }
    steps.resize(attempt.items, Step::Again);
    (Action::Each(steps), longest)
}

/// What holds one item, or has long kept it waiting, does not hold the request.
fn apart(plan: (Step, Pause), attempt: Attempt) -> (Step, Pause) {
    let hold = match plan {
        (Step::Again, Pause::Hold { time, reason, hint }) => Hold { time, reason, hint: Some(hint) },
        (Step::Again, Pause::Wait { time, reason }) if attempt.number >= PATIENCE => Hold { time, reason, hint: None },
        plan => return plan,
    };
    (Step::Hold(hold), Pause::None)
}

/// The longest pause is kept.
fn rank(pause: &Pause) -> (u8, Duration) {
    match pause {
        Pause::None => (0, Duration::ZERO),
        Pause::Wait { time, .. } => (1, *time),
        Pause::Hold { time, .. } => (2, *time),
    }
}

fn one(verdict: Verdict, attempt: Attempt, backoff: Backoff) -> (Step, Pause) {
    let delay = backoff.delay(attempt.number, attempt.random);
    match verdict {
        Verdict::Delivered => (Step::Delivered, Pause::None),
        Verdict::Repeated => (Step::Repeated, Pause::None),
        Verdict::Retry { after, reason } => {
            let time = after.unwrap_or_default().min(LONGEST_ASKED_PAUSE).max(delay);
            (Step::Again, Pause::Wait { time, reason })
        }
        Verdict::Hold { reason, hint } => (Step::Again, Pause::Hold { time: delay, reason, hint }),
        Verdict::Rewrap { reason } if attempt.rewrapped => (Step::Park(reason), Pause::None),
        Verdict::Rewrap { reason } => (Step::Rewrap(reason), Pause::None),
        Verdict::Park { reason } => (Step::Park(reason), Pause::None),
        Verdict::Split => (Step::Park("the store refuses a request with this record alone".to_owned()), Pause::None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_secs(2), cap: Duration::from_secs(30) };
    const ALONE: Attempt = Attempt { number: 1, items: 1, rewrapped: false, addresses: 1, random: 0 };
    const MANY: Attempt = Attempt { items: 3, ..ALONE };

    fn retry(after: Option<u64>) -> Verdict {
        Verdict::Retry { after: after.map(Duration::from_secs), reason: "busy".into() }
    }

    fn hold() -> Verdict {
        Verdict::Hold { reason: "no right".into(), hint: "give it" }
    }

    fn rewrap() -> Verdict {
        Verdict::Rewrap { reason: "shape".into() }
    }

    fn wait(seconds: u64) -> Pause {
        Pause::Wait { time: Duration::from_secs(seconds), reason: "busy".into() }
    }

    fn held(seconds: u64) -> Pause {
        Pause::Hold { time: Duration::from_secs(seconds), reason: "no right".into(), hint: "give it" }
    }

    fn apart(seconds: u64, hint: Option<&'static str>) -> Step {
        let reason = if hint.is_some() { "no right" } else { "busy" };
        Step::Hold(Hold { time: Duration::from_secs(seconds), reason: reason.into(), hint })
    }

    #[test]
    fn every_answer_has_its_move() {
        let park = || Step::Park("shape".into());
        let alone = Step::Park("the store refuses a request with this record alone".into());
        let again = || Action::All(Step::Again);
        let rows: Vec<(Answer, Attempt, Plan)> = vec![
            (Answer::Whole(Verdict::Delivered), MANY, (Action::All(Step::Delivered), Pause::None)),
            (Answer::Whole(Verdict::Repeated), MANY, (Action::All(Step::Repeated), Pause::None)),
            (Answer::Whole(retry(None)), MANY, (again(), wait(1))),
            (Answer::Whole(retry(None)), Attempt { number: 3, ..MANY }, (again(), wait(4))),
            (Answer::Whole(retry(None)), Attempt { number: 99, ..MANY }, (again(), wait(15))),
            (Answer::Whole(retry(Some(20))), MANY, (again(), wait(20))),
            (Answer::Whole(retry(Some(86_400))), MANY, (again(), wait(600))),
            (Answer::Whole(retry(None)), Attempt { addresses: 2, ..MANY }, (again(), wait(0))),
            (Answer::Whole(retry(None)), Attempt { addresses: 2, number: 2, ..MANY }, (again(), wait(2))),
            (Answer::Whole(retry(Some(9))), Attempt { addresses: 2, ..MANY }, (again(), wait(9))),
            (Answer::Whole(hold()), MANY, (again(), held(1))),
            (Answer::Whole(hold()), Attempt { addresses: 2, ..MANY }, (again(), held(1))),
            (Answer::Whole(Verdict::Split), MANY, (Action::Halve, Pause::None)),
            (Answer::Whole(Verdict::Split), ALONE, (Action::All(alone), Pause::None)),
            (Answer::Whole(rewrap()), ALONE, (Action::All(Step::Rewrap("shape".into())), Pause::None)),
            (Answer::Whole(rewrap()), Attempt { rewrapped: true, ..ALONE }, (Action::All(park()), Pause::None)),
            (Answer::Partly { reason: "old".into() }, MANY, (Action::Ask("old".into()), Pause::None)),
            (Answer::PartlyRetry { after: None, reason: "busy".into() }, MANY, (again(), wait(1))),
            (
                Answer::Items(vec![Verdict::Delivered, retry(Some(7)), rewrap()]),
                MANY,
                (Action::Each(vec![Step::Delivered, Step::Again, Step::Rewrap("shape".into())]), wait(7)),
            ),
            (
                Answer::Items(vec![retry(Some(7)), hold(), Verdict::Park { reason: "shape".into() }]),
                MANY,
                (Action::Each(vec![Step::Again, apart(1, Some("give it")), park()]), wait(7)),
            ),
            (
                Answer::Items(vec![Verdict::Delivered, retry(None), hold()]),
                Attempt { number: 3, ..MANY },
                (Action::Each(vec![Step::Delivered, Step::Again, apart(4, Some("give it"))]), wait(4)),
            ),
            (
                Answer::Items(vec![Verdict::Delivered, retry(None), retry(Some(60))]),
                Attempt { number: 4, ..MANY },
                (Action::Each(vec![Step::Delivered, apart(8, None), apart(60, None)]), Pause::None),
            ),
            (
                Answer::Items(vec![Verdict::Repeated]),
                MANY,
                (Action::Each(vec![Step::Repeated, Step::Again, Step::Again]), Pause::None),
            ),
        ];
        for (answer, attempt, expected) in rows {
            assert_eq!(decide(answer.clone(), attempt, BACKOFF), expected, "{answer:?} {attempt:?}");
        }
    }

    fn verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            Just(Verdict::Delivered),
            Just(Verdict::Repeated),
            prop::option::of(any::<u64>()).prop_map(retry),
            Just(Verdict::Split),
            Just(hold()),
            Just(rewrap()),
            Just(Verdict::Park { reason: "shape".into() }),
        ]
    }

    fn answer() -> impl Strategy<Value = Answer> {
        let busy =
            |after: Option<u64>| Answer::PartlyRetry { after: after.map(Duration::from_secs), reason: "b".into() };
        prop_oneof![
            verdict().prop_map(Answer::Whole),
            prop::collection::vec(verdict(), 0..5).prop_map(Answer::Items),
            Just(Answer::Partly { reason: "old".into() }),
            prop::option::of(any::<u64>()).prop_map(busy),
        ]
    }

    fn pause_of(pause: &Pause) -> Duration {
        match pause {
            Pause::None => Duration::ZERO,
            Pause::Wait { time, .. } | Pause::Hold { time, .. } => *time,
        }
    }

    /// What the store's verdict is on each item. Nothing: none.
    fn verdicts(answer: &Answer, items: usize) -> Vec<Option<Verdict>> {
        match answer {
            Answer::Whole(verdict) => vec![Some(verdict.clone()); items],
            Answer::Items(verdicts) => (0..items).map(|index| verdicts.get(index).cloned()).collect(),
            Answer::Partly { .. } | Answer::PartlyRetry { .. } => vec![None; items],
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

        /// Every answer and attempt has a move; nothing is settled that the store has not judged so; no pause is longer
        /// than what the configuration and the longest asked pause allow.
        #[test]
        fn decides_always_and_settles_nothing_by_itself(
            answer in answer(),
            (number, items, addresses, random) in (1..=u32::MAX, 1..5_usize, any::<u32>(), any::<u64>()),
            rewrapped in any::<bool>(),
        ) {
            let attempt = Attempt { number, items, rewrapped, addresses, random };
            let (action, pause) = decide(answer.clone(), attempt, BACKOFF);
            prop_assert!(pause_of(&pause) <= LONGEST_ASKED_PAUSE);
            let steps = match action {
                Action::All(step) => vec![step; items],
                Action::Each(steps) => steps,
                Action::Halve => {
                    prop_assert!(items > 1 && answer == Answer::Whole(Verdict::Split));
                    return Ok(());
                }
                Action::Ask(_) => {
                    prop_assert!(matches!(answer, Answer::Partly { .. }), "asks");
                    return Ok(());
                }
            };
            prop_assert!(steps.len() >= items);
            for (step, verdict) in steps.iter().zip(verdicts(&answer, items)) {
                let is_fair = match step {
                    Step::Delivered => verdict == Some(Verdict::Delivered),
                    Step::Repeated => verdict == Some(Verdict::Repeated),
                    Step::Park(_) => match verdict {
                        Some(Verdict::Park { .. } | Verdict::Split) => true,
                        Some(Verdict::Rewrap { .. }) => rewrapped,
                        _ => false,
                    },
                    Step::Rewrap(_) => !rewrapped && matches!(verdict, Some(Verdict::Rewrap { .. })),
                    Step::Again => matches!(verdict, None | Some(Verdict::Retry { .. } | Verdict::Hold { .. })),
                    Step::Hold(hold) => {
                        prop_assert!(hold.time <= LONGEST_ASKED_PAUSE && matches!(answer, Answer::Items(_)), "{hold:?}");
                        matches!(verdict, Some(Verdict::Retry { .. } | Verdict::Hold { .. }))
                    }
                };
                prop_assert!(is_fair, "{step:?} for {verdict:?}");
            }
        }
    }
}
