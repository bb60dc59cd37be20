//! Nothing personal and no secret goes further. The only maker of [`Masked`], which alone can be encoded.
//!
//! Three steps: `look` searches a whole chunk for places that may hold something; only lines with such a place are
//! examined (JSON objects string by string, `object`); only lines in which a detector finds something are copied and
//! changed. Every hit is a type tag, `[email]`, and masking twice changes nothing. What cannot be examined is held back.

mod config;
mod detect;
mod escapes;
mod except;
mod keys;
mod labels;
mod look;
mod masked;
mod object;
mod path;
mod replace;
mod rewrite;
mod rules;
mod trace;
mod wrappings;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use config::{About, Config, SourceConfig, detectors};
pub use labels::{Labelled, Labels};
pub use masked::{Masked, MaskedFields, MaskedRecord, Origin};
pub use path::path_at;
use replace::Act;
pub use replace::{Mode, Named, PseudonymConfig, TextConfig, Types};
pub use rules::RuleConfig;
pub use trace::Hit;

use crate::base::chunk::offset;
use crate::base::fault::Fault;
use crate::base::records::{Fields, Record, Records, Shape};
use detect::{DETECTORS, Detector, Search, Set, pem};
pub use detect::{Miss, Why};
use rewrite::{Buffers, Rewriter, Rules};

/// Written instead of a text that cannot be processed, where the text as a whole cannot be held back.
pub const HELD: &str = "[held]";

/// What works: all detectors and rules, compiled. Shared by all workers.
#[derive(Debug)]
pub struct Masker {
    rules: Rules,
    enabled: bool,
    /// The row of private keys, if it is on.
    pem: Option<usize>,
    /// Of detectors, then of rules.
    names: Vec<String>,
    is_audited: bool,
    /// For sources that have something of their own.
    by_source: BTreeMap<String, Self>,
    labels: Labels,
    /// For containers with a label.
    labelled: labels::Made,
}

/// Buffers that are reused from chunk to chunk.
#[derive(Debug, Default)]
pub struct Scratch {
    records: Vec<Rewritten>,
    rewritten: String,
    hits: Vec<u64>,
    held: u64,
    /// By detector.
    dropped: Vec<u64>,
    /// The lines that were dropped, and the detector.
    gone: Vec<(u32, usize)>,
    buffers: Buffers,
}

#[derive(Debug)]
struct Rewritten {
    record: Record,
    /// The range lies in `Scratch::rewritten`, not in the chunk's text.
    aside: bool,
    start: u32,
    end: u32,
}

/// What became of a record.
enum Fate {
    /// Nothing: it stays as it is.
    Same,
    /// Masked, from here on in `scratch.rewritten`.
    Aside(usize),
    /// It must not go further: masking could not process it.
    Held,
    /// It is not wanted, for what this detector found.
    Dropped(usize),
}

/// A text could not be processed and must not go further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held;

impl Masker {
    /// Compiles detectors and rules.
    ///
    /// # Errors
    /// All faults at once; keys as `rule[2].regex`.
    pub fn new(config: &Config) -> Result<Self, Vec<Fault>> {
        let of_sources = config.source.iter().map(|(name, own)| (name, Self::new(&config.of_source(own))));
        let (mut by_source, mut faults) = (BTreeMap::new(), Vec::new());
        let compiled = config.compile();
        for (name, masker) in of_sources {
            match masker {
                Ok(masker) => drop(by_source.insert(name.clone(), masker)),
                // Faults of `[mask]` itself are told once.
                Err(own) if compiled.is_ok() => faults.extend(
                    own.into_iter().map(|fault| Fault { key: format!("source.{name}.{}", fault.key), ..fault }),
                ),
                Err(_) => {}
            }
        }
        let rules = match compiled {
            Ok(rules) if faults.is_empty() => rules,
            Ok(_) => return Err(faults),
            Err(faults) => return Err(faults),
        };
        let detectors = DETECTORS.iter().map(|one| one.name.to_owned());
        let names = detectors.chain(rules.rules.iter().map(|rule| rule.name.clone())).collect();
        Ok(Self {
            pem: row_of_keys(rules.search.wanted),
            rules,
            enabled: config.enabled,
            names,
            is_audited: config.audit,
            by_source,
            labels: config.labels,
            labelled: labels::Made::default(),
        })
    }

    /// The same with these detectors on. With none, where nothing is masked, nothing is.
    fn detecting(&self, wanted: Set) -> Self {
        let Rules { search: Search { keys, except, base64, .. }, rules, replace } = &self.rules;
        Self {
            rules: Rules {
                search: Search::new(wanted, keys.clone(), except.clone(), *base64),
                rules: if self.enabled { rules.clone() } else { Vec::new() },
                replace: replace.clone(),
            },
            enabled: self.enabled || !wanted.is_empty(),
            pem: row_of_keys(wanted),
            names: self.names.clone(),
            is_audited: self.is_audited,
            by_source: BTreeMap::new(),
            labels: self.labels,
            labelled: labels::Made::default(),
        }
    }

    /// What masks the lines of the source of this name.
    #[must_use]
    pub fn of(&self, source: &str) -> &Self {
        self.by_source.get(source).unwrap_or(self)
    }

    /// What masks the lines of a container with this label `logferry.mask`, of a source that this one is [of](Self::of).
    /// `None`: labels are ignored.
    #[must_use]
    pub fn labelled(&self, label: &str) -> Option<Arc<Labelled>> {
        (self.labels != Labels::Ignore).then(|| self.labelled.of(self, label))
    }

    /// The name of a hit's detector or rule.
    #[must_use]
    pub fn name(&self, by: usize) -> &str {
        self.names.get(by).map_or("", String::as_str)
    }

    /// The group of a hit's detector; `rule` for the user's own.
    #[must_use]
    pub fn group(&self, by: usize) -> &'static str {
        DETECTORS.get(by).map_or("rule", |one| one.group.name())
    }

    /// What makes a hit more than a likeness.
    #[must_use]
    pub fn proof(&self, by: usize) -> &'static str {
        DETECTORS.get(by).map_or("the pattern of the rule", |one| one.proof)
    }

    /// Whether the places of hits are to be said.
    #[must_use]
    pub const fn is_audited(&self) -> bool {
        self.is_audited
    }

    /// Whether anything is masked at all.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// What is written for a detector's hits, for people.
    #[must_use]
    pub fn written(&self, name: &str) -> String {
        let row = DETECTORS.iter().position(|one| one.name == name);
        row.map_or_else(String::new, |row| self.rules.replace.shown(row))
    }

    /// Whether the detector of this name is on.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        let is_wanted = |(row, one): (usize, &&Detector)| one.name == name && self.rules.search.wanted.contains(row);
        self.enabled && DETECTORS.iter().enumerate().any(is_wanted)
    }

    /// What in a text was nearly a hit of a detector that is on, in no order. Not for every line: it is slow.
    pub fn misses(&self, text: &str, visit: &mut dyn FnMut(Miss)) {
        if self.enabled {
            self.rules.search.misses(text, visit);
        }
    }

    /// Masks the fixed fields of a source.
    #[must_use]
    pub fn fields(&self, fields: &Fields) -> MaskedFields {
        MaskedFields(fields.0.iter().map(|(key, value)| (*key, self.text(value).into_owned())).collect())
    }

    /// Masks one text, for the odd one that is not a record. `[held]` where it cannot be processed.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.enabled {
            return Cow::Borrowed(text);
        }
        let mut buffers = Buffers::default();
        buffers.counts.resize(self.names.len(), 0);
        match Rewriter::new(&self.rules, &mut buffers).plain(text, "") {
            Ok(None) => Cow::Borrowed(text),
            Ok(Some(masked)) => Cow::Owned(masked.to_owned()),
            Err(Held) => Cow::Borrowed(HELD),
        }
    }

    /// Masks the records of one chunk. `text` is the chunk's text.
    pub fn mask<'a>(
        &'a self,
        text: &'a str,
        records: &Records,
        origin: Origin,
        fields: &'a MaskedFields,
        scratch: &'a mut Scratch,
    ) -> Masked<'a> {
        scratch.restart(self.names.len());
        if self.enabled {
            scratch.buffers.look.restart(text, &self.rules.search);
        }
        let mut lines = Lines::default();
        for (index, record) in records.items.iter().enumerate() {
            let next = records.items.get(index + 1);
            let fate = match self.pem.filter(|_| self.enabled) {
                Some(row) if lines.is_last_of_key(text, record, next) => self.last_of_key(text, record, row, scratch),
                _ if self.enabled => self.record(text, record, scratch),
                _ => Fate::Same,
            };
            match fate {
                Fate::Same => scratch.keep(record),
                Fate::Aside(start) => scratch.keep_aside(record, start),
                Fate::Held => scratch.held += 1,
                Fate::Dropped(row) => scratch.let_go(record, row),
            }
        }
        Masked { text, scratch, names: &self.names, fields, origin }
    }

    /// The last line of a private key, which only the lines beside it tell.
    fn last_of_key(&self, text: &str, record: &Record, row: usize, scratch: &mut Scratch) -> Fate {
        let line = &text[record.start as usize..record.end as usize];
        let Rules { search, replace, .. } = &self.rules;
        if search.except.holds(row, line.trim_ascii()) {
            return self.record(text, record, scratch);
        }
        if *replace.act(row) == Act::DropRecord {
            return Fate::Dropped(row);
        }
        let written = replace.written(row, line.trim_ascii(), search);
        scratch.replace(row, record, written.as_deref().unwrap_or(DETECTORS[row].tag))
    }

    fn record(&self, text: &str, record: &Record, scratch: &mut Scratch) -> Fate {
        let Scratch { buffers, rewritten, hits, .. } = scratch;
        let rules = &self.rules.rules;
        let (start, end) = (record.start as usize, record.end as usize);
        let signs = buffers.look.within(start, end);
        let is_object = record.shape == Shape::Object;
        if signs.set.is_empty() && rules.is_empty() && !signs.escapes {
            return Fate::Same;
        }
        buffers.drops.restart();
        buffers.counts.clear();
        buffers.counts.resize(hits.len(), 0);
        let (from, noted) = (rewritten.len(), buffers.trace.hits().len());
        let mut rewriter = Rewriter::new(&self.rules, buffers);
        let changed = if is_object {
            object::rewrite(text, start, end, &mut rewriter, rewritten)
        } else {
            rewriter.line(&text[start..end], signs, rewritten)
        };
        let fits = u32::try_from(rewritten.len()).is_ok();
        let fate = match (changed, buffers.drops.record) {
            (_, Some(row)) => Fate::Dropped(row),
            (Ok(true), None) if fits => Fate::Aside(from),
            (Ok(false), None) => Fate::Same,
            _ => Fate::Held,
        };
        if matches!(fate, Fate::Same | Fate::Aside(_)) {
            hits.iter_mut().zip(&buffers.counts).for_each(|(hit, count)| *hit += count);
            // A line of text was seen by itself, an object where it lies.
            buffers.trace.end_record(noted, record.line, if is_object { start } else { 0 }, from);
        } else {
            rewritten.truncate(from);
            buffers.trace.forget_after(noted);
        }
        fate
    }
}

/// The row of private keys, if it is on.
fn row_of_keys(wanted: Set) -> Option<usize> {
    let row = DETECTORS.iter().position(|one| one.name == "private_key");
    row.filter(|row| wanted.contains(*row))
}

impl Scratch {
    /// Buffers that also note each hit, for [`Masked::trace`].
    #[must_use]
    pub fn tracing() -> Self {
        let mut scratch = Self::default();
        scratch.buffers.trace = trace::Trace::on();
        scratch
    }

    fn restart(&mut self, names: usize) {
        self.records.clear();
        self.rewritten.clear();
        self.hits.clear();
        self.hits.resize(names, 0);
        self.held = 0;
        self.gone.clear();
        self.dropped.clear();
        self.dropped.resize(names, 0);
        self.buffers.trace.restart();
    }

    /// Writes `written` instead of a whole line.
    fn replace(&mut self, row: usize, record: &Record, written: &str) -> Fate {
        let start = self.rewritten.len();
        self.rewritten.push_str(written);
        self.hits[row] += 1;
        let trace = &mut self.buffers.trace;
        let noted = trace.hits().len();
        trace.value(row, record.start as usize..record.end as usize, start..self.rewritten.len());
        trace.end_record(noted, record.line, record.start as usize, start);
        Fate::Aside(start)
    }

    fn keep(&mut self, record: &Record) {
        self.records.push(Rewritten { record: *record, aside: false, start: record.start, end: record.end });
    }

    fn let_go(&mut self, record: &Record, row: usize) {
        self.dropped[row] += 1;
        self.gone.push((record.line, row));
    }

    fn keep_aside(&mut self, record: &Record, start: usize) {
        let (start, end) = (offset(start), offset(self.rewritten.len()));
        self.records.push(Rewritten { record: *record, aside: true, start, end });
    }
}

/// What the lines of one chunk tell of each other: the last line of a private key that is logged line by line is too
/// short to be told alone.
#[derive(Debug, Default)]
struct Lines {
    /// The line before is of a key.
    in_key: bool,
}

impl Lines {
    /// Whether the line at hand is a key's last.
    fn is_last_of_key(&mut self, text: &str, record: &Record, next: Option<&Record>) -> bool {
        let line = |record: &Record| text.as_bytes()[record.start as usize..record.end as usize].trim_ascii();
        let this = line(record);
        let was_in_key = std::mem::replace(&mut self.in_key, pem::is_body_line(this));
        if self.in_key || !pem::may_end_body(this) {
            return false;
        }
        self.in_key = was_in_key || next.is_some_and(|next| pem::ends_block(line(next)));
        self.in_key
    }
}

#[cfg(test)]
mod tests;
