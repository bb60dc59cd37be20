//! `[mask]` as the user writes it, and its faults. What works is made of it once, at start.

use serde::Deserialize;

use super::detectors::{DETECTORS, SECRET, Set};
use super::keys::{Keys, plain};
use super::rewrite::Rules;
use super::rules::{Rule, RuleConfig};
use crate::base::fault::Fault;

/// `[mask]` as the user writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `false`: everything passes as it is.
    pub enabled: bool,
    /// Names of the detectors that are on; [`detectors`] lists all.
    pub detect: Vec<String>,
    /// More names whose values are secret: of JSON keys, in `key=value`, in query parameters. Compared without case,
    /// `_`, `-` and `.`, at the end of a name: `pin` also stands for `userPin`.
    pub keys: Vec<String>,
    /// Whole names whose values are not secret, though they look it: `next_page_token`.
    pub except_keys: Vec<String>,
    /// The user's own rules, in order.
    pub rule: Vec<RuleConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            detect: DETECTORS.iter().filter(|one| one.default).map(|one| one.name.to_owned()).collect(),
            keys: Vec::new(),
            except_keys: Vec::new(),
            rule: Vec::new(),
        }
    }
}

/// All detectors: name, what is written instead, whether it is on by default.
pub fn detectors() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    DETECTORS.iter().map(|one| (one.name, one.tag, one.default))
}

impl Config {
    pub(super) fn compile(&self) -> Result<Rules, Vec<Fault>> {
        let mut faults = Vec::new();
        let wanted = self.wanted(&mut faults);
        self.check_keys(wanted, &mut faults);
        let compile = |(index, rule)| Rule::new(index, rule, &mut faults);
        let rules: Vec<Rule> = self.rule.iter().enumerate().filter_map(compile).collect();
        self.check_names(&mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Rules { wanted, keys: Keys::new(&self.keys, &self.except_keys), rules })
    }

    fn wanted(&self, faults: &mut Vec<Fault>) -> Set {
        let mut wanted = Set::default();
        for (index, name) in self.detect.iter().enumerate() {
            if let Some(row) = DETECTORS.iter().position(|one| one.name == name) {
                wanted.insert(row);
                continue;
            }
            let fault = Fault::new(format!("detect[{index}]"), format!("there is no detector `{name}`"));
            faults.push(fault.hint(nearest(name)));
        }
        wanted
    }

    fn check_keys(&self, wanted: Set, faults: &mut Vec<Fault>) {
        let secret = DETECTORS[SECRET].name;
        if !self.keys.is_empty() && !wanted.contains(SECRET) {
            let fault = Fault::new("keys", format!("keys are masked by the detector `{secret}`, which is off"));
            faults.push(fault.hint(format!("add \"{secret}\" to `detect`")));
        }
        for (list, names) in [("keys", &self.keys), ("except_keys", &self.except_keys)] {
            let is_empty = |(_, name): &(usize, &String)| plain(name).is_empty();
            let empty = names.iter().enumerate().filter(is_empty);
            faults.extend(empty.map(|(index, _)| Fault::new(format!("{list}[{index}]"), "a name needs a letter")));
        }
    }

    fn check_names(&self, faults: &mut Vec<Fault>) {
        for (index, rule) in self.rule.iter().enumerate() {
            let is_taken = self.rule[..index].iter().any(|other| other.name == rule.name)
                || DETECTORS.iter().any(|detector| detector.name == rule.name);
            if is_taken {
                let message = format!("there is already a rule or detector `{}`", rule.name);
                faults.push(Fault::new(format!("rule[{index}].name"), message));
            }
        }
    }
}

fn nearest(name: &str) -> String {
    let near = DETECTORS
        .iter()
        .max_by(|one, other| strsim::jaro_winkler(one.name, name).total_cmp(&strsim::jaro_winkler(other.name, name)));
    let names: Vec<&str> = DETECTORS.iter().map(|one| one.name).collect();
    let near = near.map_or("", |one| one.name);
    format!("did you mean \"{near}\"? There are {}", names.join(", "))
}
