//! Keeps or drops records by rule, every drop counted by its rule. Changes no record.
//!
//! Rules are looked at in their order, and the first that has something to say decides: `drop` drops the record,
//! `keep` keeps it whatever the later rules say. A record that no rule decides is kept.

use serde::Deserialize;

use crate::base::fault::Fault;
use crate::base::records::Records;
use crate::base::source::Source;

pub use condition::{AtSource, Condition, Value, When};

mod condition;

/// One `[[filter]]` table as the user writes it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What drops are counted by. Without one: `filter[2]`, its place counted from 0.
    pub name: Option<String>,
    /// What happens to the records for which `when` holds.
    pub action: Option<Action>,
    /// For which records.
    pub when: When,
    /// That a rule without any condition is meant to be one for all records.
    pub all: bool,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The record goes no further.
    Drop,
    /// The record passes, and no later rule looks at it.
    Keep,
}

/// All rules, compiled.
#[derive(Debug, Default)]
pub struct Filter {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    name: String,
    action: Action,
    condition: Condition,
}

/// A rule in one chunk.
struct Counted<'a> {
    rule: &'a Rule,
    condition: AtSource<'a>,
    drops: u64,
}

impl Filter {
    /// Compiles the rules, in order.
    ///
    /// # Errors
    /// All faults at once; keys as `[2].when.level`, places counted from 0.
    pub fn new(rules: &[Config]) -> Result<Self, Vec<Fault>> {
        let mut compiled = Vec::with_capacity(rules.len());
        let mut faults = Vec::new();
        for (index, config) in rules.iter().enumerate() {
            match Rule::new(index, config) {
                Ok(rule) => compiled.push(rule),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(Self { rules: compiled }) } else { Err(faults) }
    }

    /// Removes the records that a rule drops and calls `dropped(rule's name, how many)` once a rule that dropped any.
    pub fn apply(&self, source: &Source, text: &str, records: &mut Records, dropped: &mut dyn FnMut(&str, u64)) {
        let here = self.rules.iter().map(|rule| Counted { rule, condition: rule.condition.at(source), drops: 0 });
        let mut concerned: Vec<Counted<'_>> = here.filter(|one| one.condition.can_hold()).collect();
        if concerned.is_empty() {
            return;
        }
        records.items.retain(|record| {
            let own = &text[record.start as usize..record.end as usize];
            let Some(decides) = concerned.iter_mut().find(|one| one.condition.holds(own, record)) else {
                return true;
            };
            decides.drops += u64::from(decides.rule.action == Action::Drop);
            decides.rule.action == Action::Keep
        });
        concerned.iter().filter(|one| one.drops > 0).for_each(|one| dropped(&one.rule.name, one.drops));
    }
}

impl Rule {
    fn new(index: usize, config: &Config) -> Result<Self, Vec<Fault>> {
        let below = |key: &str| format!("[{index}]{key}");
        let mut faults = Vec::new();
        if config.action.is_none() {
            let hint = "write `action = \"drop\"` or `action = \"keep\"`";
            faults.push(Fault::new(below(".action"), "the rule has no action").hint(hint));
        }
        if config.when == When::default() && !config.all {
            let hint = "add a condition, such as `when = { level_below = \"INFO\" }`, or `all = true` if all is meant";
            faults.push(Fault::new(below(""), "the rule has no condition").hint(hint));
        }
        if config.when != When::default() && config.all {
            let hint = "remove `all`, or the condition";
            faults.push(Fault::new(below(".all"), "the rule is for all records and has a condition").hint(hint));
        }
        match (Condition::new(&config.when), config.action) {
            (Ok(condition), Some(action)) if faults.is_empty() => {
                let name = config.name.clone().unwrap_or_else(|| format!("filter[{index}]"));
                return Ok(Self { name, action, condition });
            }
            (Ok(_), _) => {}
            (Err(found), _) => {
                let moved =
                    found.into_iter().map(|fault| Fault { key: below(&format!(".when.{}", fault.key)), ..fault });
                faults.extend(moved);
            }
        }
        Err(faults)
    }
}

#[cfg(test)]
mod tests;
