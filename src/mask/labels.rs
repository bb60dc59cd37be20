//! What the label `logferry.mask` of a container may do: turn detectors on, and off only where the operator lets it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::Masker;
use super::config::{Word, nearest};
use super::detect::Set;
use crate::base::fault::Fault;

/// What the labels `logferry.mask` of containers may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Labels {
    /// Nothing.
    Ignore,
    /// Turn detectors on.
    #[default]
    Add,
    /// Also turn them off.
    Change,
}

/// So many words of a label are looked at: more than there are detectors and groups.
const MOST_WORDS: usize = 256;

/// So many faults of a label are told: whoever writes labels may not be the one who reads the agent's log.
const MOST_FAULTS: usize = 4;

/// No word that means anything is longer, in bytes.
const LONGEST_WORD: usize = 64;

/// So many different labels are told apart. With more of them all detectors are on for those that come later.
const MOST_LABELS: usize = 64;

/// What masks the lines of the containers that have one label.
#[derive(Debug)]
pub struct Labelled {
    /// With what the label changes.
    pub masker: Masker,
    /// What in the label has no effect, and why.
    pub faults: Vec<Fault>,
}

/// Made once for each label: it stays the same for a container's life.
#[derive(Debug, Default)]
pub(super) struct Made(Mutex<BTreeMap<String, Arc<Labelled>>>);

impl Made {
    /// `masker` masks the lines of those without a label.
    pub(super) fn of(&self, masker: &Masker, label: &str) -> Arc<Labelled> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let label = if made.len() < MOST_LABELS || made.contains_key(label) { label } else { "all" };
        Arc::clone(made.entry(label.to_owned()).or_insert_with(|| Arc::new(make(masker, label))))
    }
}

fn make(masker: &Masker, label: &str) -> Labelled {
    let mut wanted = if masker.is_enabled() { masker.rules.search.wanted } else { Set::default() };
    let mut faults = Vec::new();
    for text in label.split(',').take(MOST_WORDS).map(str::trim).filter(|text| !text.is_empty()) {
        let word @ Word { name, is_off, rows } = &Word::of(text);
        if name.len() > LONGEST_WORD {
            faults.push(Fault::new(text, "a word is too long for a detector"));
        } else if rows.is_empty() {
            let near = nearest(name);
            let hint = near.split_inclusive('?').next().unwrap_or_default();
            faults.push(Fault::new(text, format!("there is no detector `{}`", name.escape_debug())).hint(hint));
        } else if *is_off && masker.labels != Labels::Change {
            let fault = Fault::new(text, format!("a label may not turn `{name}` off"));
            faults.push(fault.hint("labels = \"change\" in [mask] lets it"));
        } else {
            word.turn(&mut wanted);
        }
    }
    faults.truncate(MOST_FAULTS);
    Labelled { masker: masker.detecting(wanted), faults }
}
