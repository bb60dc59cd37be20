//! How a destination stands: well, struggling, or held until a person mends something. Says it in the log, seldom.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::{error, info, warn};

use crate::base::metrics::{Metric, Metrics};
use crate::base::seldom::SAID_AGAIN_AFTER;

/// The standing of one destination. Each lane reports its own; all of them together are said.
#[derive(Debug)]
pub(super) struct Standing {
    output: String,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By lane.
    troubles: BTreeMap<u32, Trouble>,
    said: Option<(Trouble, Instant)>,
}

/// What keeps a lane from going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Why, in one sentence.
    pub(super) reason: String,
    /// What to do, where a person must do something: the lane is held.
    pub(super) hint: Option<&'static str>,
}

impl Standing {
    pub(super) fn new(output: &str, metrics: Arc<Metrics>) -> Self {
        metrics.set(Metric::Held, output, 0);
        Self { output: output.to_owned(), metrics, state: Mutex::default() }
    }

    /// Why the destination is held, if it is.
    pub(super) fn held(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.troubles.values().find(|trouble| trouble.hint.is_some()).map(|trouble| trouble.reason.clone())
    }

    /// Why a lane cannot go on, if it cannot.
    pub(super) fn reason(&self, lane: u32) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.troubles.get(&lane).map(|trouble| trouble.reason.clone())
    }

    /// A lane cannot go on.
    pub(super) fn trouble(&self, lane: u32, trouble: Trouble) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = match &state.said {
            None => true,
            Some((said, at)) => said.hint.is_some() != trouble.hint.is_some() || at.elapsed() >= SAID_AGAIN_AFTER,
        };
        if is_news {
            say(&self.output, &trouble);
            state.said = Some((trouble.clone(), Instant::now()));
        }
        state.troubles.insert(lane, trouble);
        self.show(&state);
    }

    /// A lane goes on: the store took what it had.
    pub(super) fn fine(&self, lane: u32) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.troubles.remove(&lane).is_none() {
            return;
        }
        self.show(&state);
        if state.troubles.is_empty() && state.said.take().is_some() {
            info!(output = self.output, "the store takes records again");
        }
    }

    /// A lane ends, whatever its trouble.
    pub(super) fn ended(&self, lane: u32) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.troubles.remove(&lane).is_some() {
            self.show(&state);
        }
    }

    fn show(&self, state: &State) {
        let held = state.troubles.values().any(|trouble| trouble.hint.is_some());
        self.metrics.set(Metric::Held, &self.output, u64::from(held));
    }
}

fn say(output: &str, trouble: &Trouble) {
    let reason = &trouble.reason;
    match trouble.hint {
        Some(hint) => error!(output, "cannot deliver: {reason}; everything is kept and tried again\nhint: {hint}"),
        None => warn!(output, "cannot deliver yet: {reason}; trying again"),
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
}
