//! One condition on records: what the user writes, and what works. Does not decide what happens to them.

use std::collections::BTreeMap;
use std::fmt;

use globset::{Glob, GlobSet, GlobSetBuilder};
use regex::Regex;
use serde::Deserialize;

use crate::base::fault::Fault;
use crate::base::records::{Level, Record};
use crate::base::source::Source;

/// A condition on records as the user writes it: in a `[[filter]]`, and in an output's `when`. All that is written
/// must hold; nothing written holds always.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// The record's level is one of these. A record without a level has none of them.
    pub level: Vec<String>,
    /// The record has a level, and it is lower than this.
    pub level_below: Option<String>,
    /// The record has a level, and it is this or higher.
    pub level_at_least: Option<String>,
    /// The `[source.NAME]` matches one of these globs.
    pub source: Vec<String>,
    /// `container_name` matches one of these globs.
    pub container: Vec<String>,
    /// Each of these fields is there and equals its value.
    ///
    /// A field is one of the application's own, by its path: `http.method` finds `{"http":{"method":…}}` and
    /// `{"http.method":…}`. A line of text has one field, `message`. Strings are compared after unescaping, other
    /// values as the application wrote them: `200` is not `200.0`.
    pub field: BTreeMap<String, Value>,
    /// Each of these fields is there, and the regular expression is found in it.
    pub matches: BTreeMap<String, String>,
    /// Turns the whole condition round.
    pub not: bool,
}

/// A value to compare a field with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `"GET"`; also finds numbers and words: `"200"`, `"true"`, `"null"`.
    Text(String),
    /// `200`.
    Integer(i64),
    /// `true`.
    Boolean(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(truth) => truth.fmt(f),
        }
    }
}

/// One condition, compiled. The default one holds always.
#[derive(Debug, Default)]
pub struct Condition {
    levels: Option<LevelSet>,
    source: Option<GlobSet>,
    container: Option<GlobSet>,
    fields: Vec<(String, Test)>,
    not: bool,
}

/// A [`Condition`] for the records of one source.
#[derive(Clone, Copy, Debug)]
pub struct AtSource<'a> {
    condition: &'a Condition,
    is_from: bool,
}

/// One place for each of [`Level::ALL`].
type LevelSet = [bool; Level::ALL.len()];

#[derive(Debug)]
enum Test {
    Equals(String),
    Matches(Regex),
}

impl Condition {
    /// Compiles it.
    ///
    /// # Errors
    /// All faults at once; keys as `level[0]`, `matches.message`.
    pub fn new(when: &When) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let condition = Self {
            levels: levels(when, &mut faults),
            source: globs("source", &when.source, &mut faults),
            container: globs("container", &when.container, &mut faults),
            fields: tests(when, &mut faults),
            not: when.not,
        };
        if when.not && *when == (When { not: true, ..When::default() }) {
            let hint = "add what must not hold, or remove `not`";
            faults.push(Fault::new("not", "nothing is left to be turned round").hint(hint));
        }
        if faults.is_empty() { Ok(condition) } else { Err(faults) }
    }

    /// The condition for the records of one source: what depends on that alone is asked once.
    #[must_use]
    pub fn at(&self, source: &Source) -> AtSource<'_> {
        AtSource { condition: self, is_from: self.is_from(source) }
    }

    fn has_level(&self, level: Option<Level>) -> bool {
        self.levels.is_none_or(|levels| level.is_some_and(|level| levels[level as usize]))
    }

    fn is_from(&self, source: &Source) -> bool {
        self.source.as_ref().is_none_or(|globs| globs.is_match(&*source.name))
            && self.container.as_ref().is_none_or(|globs| globs.is_match(&source.container_name))
    }
}

impl AtSource<'_> {
    /// Whether it holds for a record whose own text is `text`.
    #[must_use]
    pub fn holds(&self, text: &str, record: &Record) -> bool {
        let condition = self.condition;
        let all = self.is_from
            && condition.has_level(record.level)
            && condition
                .fields
                .iter()
                .all(|(path, test)| record.shape.field(text, path).is_some_and(|it| test.holds(&it)));
        all != condition.not
    }

    /// Whether any record of the source could make it hold.
    pub(super) const fn can_hold(&self) -> bool {
        self.is_from || self.condition.not
    }
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Equals(wanted) => value == wanted,
            Self::Matches(regex) => regex.is_match(value),
        }
    }
}

fn levels(when: &When, faults: &mut Vec<Fault>) -> Option<LevelSet> {
    let mut wanted: Option<LevelSet> = None;
    let mut restrict = |is_meant: &dyn Fn(Level) -> bool| {
        let levels = wanted.get_or_insert([true; Level::ALL.len()]);
        Level::ALL.into_iter().filter(|level| !is_meant(*level)).for_each(|level| levels[level as usize] = false);
    };
    if !when.level.is_empty() {
        let named = when.level.iter().enumerate();
        let named: Vec<_> = named.filter_map(|(at, name)| level(&format!("level[{at}]"), name, faults)).collect();
        restrict(&|level| named.contains(&level));
    }
    if let Some(limit) = when.level_below.as_ref().and_then(|name| level("level_below", name, faults)) {
        restrict(&|level| level < limit);
    }
    if let Some(limit) = when.level_at_least.as_ref().and_then(|name| level("level_at_least", name, faults)) {
        restrict(&|level| level >= limit);
    }
    if faults.is_empty() && wanted == Some([false; Level::ALL.len()]) {
        let hint = "the levels are, in order: DEBUG, INFO, WARNING, ERROR, CRITICAL";
        let key = if when.level_below.is_some() { "level_below" } else { "level" };
        faults.push(Fault::new(key, "no level can meet this condition").hint(hint));
    }
    wanted
}

/// The level with that name, in any case.
fn level(key: &str, name: &str, faults: &mut Vec<Fault>) -> Option<Level> {
    let found = Level::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name));
    if found.is_none() {
        let likeness = |level: Level| strsim::jaro_winkler(&name.to_ascii_uppercase(), level.name());
        let nearest = Level::ALL.into_iter().max_by(|one, other| likeness(*one).total_cmp(&likeness(*other)));
        let nearest = nearest.map_or("", Level::name);
        let hint = format!("the levels are DEBUG, INFO, WARNING, ERROR, CRITICAL; did you mean \"{nearest}\"?");
        faults.push(Fault::new(key, format!("there is no level \"{name}\"")).hint(hint));
    }
    found
}

fn globs(key: &str, patterns: &[String], faults: &mut Vec<Fault>) -> Option<GlobSet> {
    if patterns.is_empty() {
        return None;
    }
    let mut set = GlobSetBuilder::new();
    for (at, pattern) in patterns.iter().enumerate() {
        match Glob::new(pattern) {
            Ok(glob) => {
                set.add(glob);
            }
            Err(error) => {
                faults.push(Fault::new(format!("{key}[{at}]"), format!("cannot read glob: {}", error.kind())))
            }
        }
    }
    set.build().map_err(|error| faults.push(Fault::new(key, format!("cannot use globs: {error}")))).ok()
}

fn tests(when: &When, faults: &mut Vec<Fault>) -> Vec<(String, Test)> {
    let equal = when.field.iter().map(|(path, value)| (path.clone(), Test::Equals(value.to_string())));
    let mut tests: Vec<_> = equal.collect();
    for (path, pattern) in &when.matches {
        match Regex::new(pattern) {
            Ok(regex) => tests.push((path.clone(), Test::Matches(regex))),
            Err(error) => {
                let hint = "the syntax is that of Rust's regex crate: no look-around, no back-references; \
                            in TOML, single quotes keep backslashes as they are";
                let message = format!("cannot read regular expression: {}", last_line(&error.to_string()));
                faults.push(Fault::new(format!("matches.{path}"), message).hint(hint));
            }
        }
    }
    tests
}

/// The cause; the lines before it show the pattern, which `config` shows too.
fn last_line(error: &str) -> &str {
    let last = error.lines().last().unwrap_or(error);
    last.strip_prefix("error: ").unwrap_or(last)
}
