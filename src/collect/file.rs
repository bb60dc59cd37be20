//! Stand-in: the keys of a file source.

use std::time::Duration;

use serde::Deserialize;

use crate::base::quantity::{Size, Span};

/// The keys of a `[source.NAME]` of type `file`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Globs of files to read.
    pub include: Vec<String>,
    /// Globs of files to leave alone.
    pub exclude: Vec<String>,
    /// Where a file that was there before the agent is begun.
    pub start: Start,
    /// Files not written to for so long are left alone.
    pub ignore_older: Option<Span>,
    /// Longer lines are cut.
    pub max_line: Size,
    /// When an unfinished last line is taken as it is.
    pub unfinished_after: Span,
    /// `container_name` of its records.
    pub container_name: Option<String>,
    /// `service_name` of its records.
    pub service_name: Option<String>,
    /// Zone of times without one.
    pub timezone: String,
    /// How often the globs are looked at anew.
    pub poll: Span,
}

/// Where a file is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At its first byte.
    Beginning,
    /// At its end.
    End,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            start: Start::Beginning,
            ignore_older: None,
            max_line: Size(1 << 20),
            unfinished_after: Span(Duration::from_secs(5)),
            container_name: None,
            service_name: None,
            timezone: "local".to_owned(),
            poll: Span(Duration::from_secs(1)),
        }
    }
}

impl Config {
    /// What is wrong in it.
    #[must_use]
    pub fn faults(&self) -> Vec<crate::base::fault::Fault> {
        Vec::new()
    }
}
