//! Keeps or drops records by rule, every drop counted by its rule. Changes no record.

use serde::Deserialize;

use crate::base::fault::Fault;
use crate::base::records::{Record, Records};
use crate::base::source::Source;

/// One `[[filter]]` table as the user writes it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// A condition on records as the user writes it: in a `[[filter]]`, and in an output's `when`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {}

/// All rules, compiled.
#[derive(Debug, Default)]
pub struct Filter {}

/// One condition, compiled.
#[derive(Debug, Default)]
pub struct Condition {}

impl Filter {
    /// Compiles the rules, in order.
    ///
    /// # Errors
    /// All faults at once; keys as `[2].field`.
    pub fn new(rules: &[Config]) -> Result<Self, Vec<Fault>> {
        let _ = rules;
        Ok(Self {})
    }

    /// Removes the records that a rule drops and calls `dropped(rule's name, how many)` once a rule that dropped any.
    pub fn apply(&self, source: &Source, text: &str, records: &mut Records, dropped: &mut dyn FnMut(&str, u64)) {
        let _ = (source, text, records, dropped, self);
    }
}

impl Condition {
    /// Compiles it.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(when: &When) -> Result<Self, Vec<Fault>> {
        let _ = when;
        Ok(Self {})
    }

    /// Whether it holds for a record of `source`, whose own text is `text`.
    #[must_use]
    pub fn holds(&self, source: &Source, text: &str, record: &Record) -> bool {
        let _ = (source, text, record, self);
        true
    }
}
