//! How a destination stands: well, struggling, or held until a person mends something; as a whole, or for some indices.
//! Says it in the log, seldom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::base::metrics::{Metric, Metrics};
use crate::base::seldom::SAID_AGAIN_AFTER;

/// What comes and goes is not said more often than this.
const SAID_AT_MOST_EVERY: Duration = Duration::from_secs(60);
/// So many indices are named in one message.
const NAMED: usize = 3;

/// The standing of one destination. Each lane reports its own; all of them together are said.
#[derive(Debug)]
pub(super) struct Standing {
    output: String,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What stops a lane.
    lanes: BTreeMap<u32, Trouble>,
    /// What a lane has put by, by index.
    indices: BTreeMap<u32, BTreeMap<String, Trouble>>,
    /// Indices that the metrics call held.
    shown: BTreeSet<String>,
    said: Said,
}

/// When was said what. Kept over recoveries: a store that comes and goes must not fill the log.
#[derive(Debug, Default)]
struct Said {
    /// Troubles, by what they concern and what to do about them.
    troubles: BTreeMap<(Concern, Option<&'static str>), Instant>,
    /// That the store takes records again.
    well: Option<Instant>,
    /// A trouble was said, and not yet that it is over.
    is_open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Concern {
    Output,
    Index,
}

/// What keeps a lane, or the items of one index, from going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Why, in one sentence.
    pub(super) reason: String,
    /// What to do, where a person must do something: the lane is held.
    pub(super) hint: Option<&'static str>,
}

impl Standing {
    pub(super) fn new(output: &str, metrics: Arc<Metrics>) -> Self {
        metrics.set(Metric::Held, "", 0);
        Self { output: output.to_owned(), metrics, state: Mutex::default() }
    }

    /// Why the destination is held, as a whole or for some indices, if it is.
    pub(super) fn held(&self) -> Option<String> {
        let state = self.state();
        let whole = state.lanes.values().find(|trouble| trouble.hint.is_some()).map(|trouble| trouble.reason.clone());
        whole.or_else(|| {
            let held = state.held_indices();
            let (_, reason) = held.first_key_value()?;
            Some(format!("{}: {reason}", named(held.keys())))
        })
    }

    /// Why a lane cannot go on, if it cannot.
    pub(super) fn reason(&self, lane: u32) -> Option<String> {
        self.state().lanes.get(&lane).map(|trouble| trouble.reason.clone())
    }

    /// A lane cannot go on.
    pub(super) fn trouble(&self, lane: u32, trouble: Trouble) {
        let mut state = self.state();
        if state.said.may_say_trouble(Concern::Output, trouble.hint, Instant::now()) {
            say(&self.output, "", &trouble);
        }
        state.lanes.insert(lane, trouble);
        self.show(&mut state);
    }

    /// All that a lane has put by now, by index.
    pub(super) fn indices(&self, lane: u32, troubles: BTreeMap<String, Trouble>) {
        let mut state = self.state();
        if troubles.is_empty() && !state.indices.contains_key(&lane) {
            return;
        }
        if let Some(first) = troubles.values().max_by_key(|trouble| trouble.hint.is_some())
            && state.said.may_say_trouble(Concern::Index, first.hint, Instant::now())
        {
            let alike = troubles.iter().filter(|(_, trouble)| trouble.hint == first.hint).map(|(name, _)| name);
            say(&self.output, &format!(" to {}", named(alike)), first);
        }
        if troubles.is_empty() {
            state.indices.remove(&lane)
        } else {
            state.indices.insert(lane, troubles)
        };
        self.show(&mut state);
    }

    /// A lane goes on: the store took what it had, but for what is put by.
    pub(super) fn fine(&self, lane: u32) {
        let mut state = self.state();
        if state.lanes.remove(&lane).is_some() {
            self.show(&mut state);
        }
        let is_well = state.lanes.is_empty() && state.indices.is_empty();
        if is_well && state.said.may_say_well(Instant::now()) {
            info!(output = self.output, "the store takes records again");
        }
    }

    /// A lane ends, whatever its trouble.
    pub(super) fn ended(&self, lane: u32) {
        let mut state = self.state();
        state.lanes.remove(&lane);
        state.indices.remove(&lane);
        self.show(&mut state);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &mut State) {
        let held = state.lanes.values().any(|trouble| trouble.hint.is_some());
        self.metrics.set(Metric::Held, "", u64::from(held));
        let indices: BTreeSet<String> = state.held_indices().into_keys().map(str::to_owned).collect();
        for gone in state.shown.difference(&indices) {
            self.metrics.remove(Metric::Held, gone);
        }
        indices.iter().for_each(|index| self.metrics.set(Metric::Held, index, 1));
        state.shown = indices;
    }
}

impl State {
    /// The indices that wait for a person, with the reason.
    fn held_indices(&self) -> BTreeMap<&str, &str> {
        let all = self.indices.values().flatten().filter(|(_, trouble)| trouble.hint.is_some());
        all.map(|(index, trouble)| (index.as_str(), trouble.reason.as_str())).collect()
    }
}

impl Said {
    /// Whether a trouble is to be said: at once, and while it lasts, seldom; one that comes and goes, once a minute.
    fn may_say_trouble(&mut self, concern: Concern, hint: Option<&'static str>, now: Instant) -> bool {
        let pause = if self.is_open { SAID_AGAIN_AFTER } else { SAID_AT_MOST_EVERY };
        let before = self.troubles.get(&(concern, hint));
        if before.is_some_and(|at| now.duration_since(*at) < pause) {
            return false;
        }
        self.troubles.insert((concern, hint), now);
        self.is_open = true;
        true
    }

    /// Whether it is to be said that all is well: only after a trouble that was said.
    fn may_say_well(&mut self, now: Instant) -> bool {
        let is_early = self.well.is_some_and(|at| now.duration_since(at) < SAID_AT_MOST_EVERY);
        if !self.is_open || is_early {
            return false;
        }
        (self.well, self.is_open) = (Some(now), false);
        true
    }
}

/// `index a, b, c and 4 more`.
fn named<T: AsRef<str>>(indices: impl Iterator<Item = T>) -> String {
    let names: Vec<T> = indices.collect();
    let first: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(NAMED) {
        0 => format!("index {}", first.join(", ")),
        more => format!("index {} and {more} more", first.join(", ")),
    }
}

fn say(output: &str, place: &str, trouble: &Trouble) {
    let reason = &trouble.reason;
    match trouble.hint {
        Some(hint) => {
            error!(output, "cannot deliver{place}: {reason}; everything is kept and tried again\nhint: {hint}");
        }
        None => warn!(output, "cannot deliver{place} yet: {reason}; trying again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ship::tests::said;

    #[test]
    fn it_is_held_while_one_lane_is() {
        let metrics = Arc::new(Metrics::default());
        let standing = Standing::new("store", Arc::clone(&metrics));
        let busy = Trouble { reason: "busy".into(), hint: None };
        let refused = Trouble { reason: "no right".into(), hint: Some("give it") };
        standing.trouble(1, busy);
        assert_eq!((standing.held(), metrics.total(Metric::Held)), (None, 0));
        standing.trouble(2, refused);
        standing.fine(1);
        assert_eq!((standing.held(), metrics.total(Metric::Held)), (Some("no right".into()), 1));
        standing.fine(2);
        assert_eq!((standing.held(), metrics.total(Metric::Held)), (None, 0));
    }

    #[test]
    fn the_store_takes_records_again_only_after_a_success() {
        for (end, is_said) in [(Standing::fine as fn(&Standing, u32), true), (Standing::ended, false)] {
            let standing = Standing::new("store", Arc::default());
            let said = said(|| {
                standing.trouble(1, Trouble { reason: "busy".into(), hint: None });
                end(&standing, 1);
            });
            assert!(said.contains("busy"), "{said}");
            assert_eq!(said.contains("takes records again"), is_said, "{said}");
        }
    }

    #[test]
    fn a_store_that_comes_and_goes_is_said_once_a_minute() {
        let begin = Instant::now();
        let rows: [(u64, bool, bool); 12] = [
            (0, true, true),
            (1, false, true),
            (2, true, false),
            (3, false, false),
            (20, true, false),
            (40, false, false),
            // Two troubles and one recovery a minute: the next recovery waits for its minute.
            (60, true, true),
            (60, false, false),
            (61, false, true),
            (120, true, true),
            (300, true, false),
            (420, true, true),
        ];
        let mut said = Said::default();
        for (seconds, is_trouble, expected) in rows {
            let now = begin + Duration::from_secs(seconds);
            let is_said =
                if is_trouble { said.may_say_trouble(Concern::Output, None, now) } else { said.may_say_well(now) };
            assert_eq!(is_said, expected, "{seconds} s, trouble {is_trouble}");
        }
    }

    #[test]
    fn a_store_that_alternates_does_not_fill_the_log() {
        let standing = Standing::new("store", Arc::default());
        let said = said(|| {
            for _ in 0..18 {
                standing.trouble(1, Trouble { reason: "429".into(), hint: None });
                standing.fine(1);
            }
        });
        assert_eq!(said.lines().count(), 2, "{said}");
    }

    #[test]
    fn held_indices_are_named() {
        let metrics = Arc::new(Metrics::default());
        let standing = Standing::new("store", Arc::clone(&metrics));
        let blocked = |names: &[&str]| -> BTreeMap<String, Trouble> {
            let trouble = Trouble { reason: "write block".into(), hint: Some("lift it") };
            names.iter().map(|name| ((*name).to_owned(), trouble.clone())).collect()
        };
        let text = said(|| standing.indices(1, blocked(&["a", "b", "c", "d", "e"])));
        assert!(text.contains("ERROR") && text.contains("index a, b, c and 2 more: write block"), "{text}");
        standing.indices(2, BTreeMap::from([("busy".to_owned(), Trouble { reason: "429".into(), hint: None })]));
        standing.fine(1);
        assert_eq!(standing.held().as_deref(), Some("index a, b, c and 2 more: write block"));
        standing.indices(1, blocked(&["a"]));
        assert_eq!(standing.held().as_deref(), Some("index a: write block"));
        assert_eq!(metrics.by_label(Metric::Held), [(String::new(), 0), ("a".to_owned(), 1)]);
        let text = said(|| {
            standing.indices(1, BTreeMap::new());
            standing.fine(1);
            assert_eq!((standing.held(), metrics.total(Metric::Held)), (None, 0));
        });
        assert_eq!(text, "", "one index is still busy");
        let text = said(|| {
            standing.indices(2, BTreeMap::new());
            standing.fine(2);
        });
        assert!(text.contains("takes records again"), "{text}");
    }
}
