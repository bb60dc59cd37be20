//! Nothing personal and no secret goes further. The only maker of [`Masked`], which alone can be encoded.
//!
//! Three steps: `look` searches a whole chunk for places that may hold something; only lines with such a place are
//! examined (JSON objects string by string, `object`); only lines in which a detector finds something are copied and
//! changed. Every hit is a type tag, `[email]`, and masking twice changes nothing. What cannot be examined is held back.

mod config;
mod detect;
mod escapes;
mod keys;
mod look;
mod object;
mod rewrite;
mod rules;
mod wrappings;

use std::borrow::Cow;

pub use config::{About, Config, detectors};
pub use rules::RuleConfig;

use crate::base::chunk::offset;
use crate::base::fault::Fault;
use crate::base::records::{Fields, Key, Record, Records, Shape};
use crate::base::source::SourceId;
use detect::{DETECTORS, Search, pem};
use rewrite::{Buffers, Rewriter, Rules};

/// Written instead of a text that cannot be processed, where the text as a whole cannot be held back.
const HELD: &str = "[held]";

/// What works: all detectors and rules, compiled. Shared by all workers.
#[derive(Debug)]
pub struct Masker {
    rules: Rules,
    enabled: bool,
    /// The row of private keys, if it is on.
    pem: Option<usize>,
    /// Of detectors, then of rules.
    names: Vec<String>,
}

/// Buffers that are reused from chunk to chunk.
#[derive(Debug, Default)]
pub struct Scratch {
    records: Vec<Rewritten>,
    rewritten: String,
    hits: Vec<u64>,
    held: u64,
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

/// A text could not be processed and must not go further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held;

/// A source's fixed fields after masking.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MaskedFields(Vec<(Key, String)>);

impl MaskedFields {
    /// Name and value, in the order in which they are written.
    #[must_use]
    pub fn all(&self) -> &[(Key, String)] {
        &self.0
    }

    /// One value.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&str> {
        self.0.iter().find(|(one, _)| *one == key).map(|(_, value)| value.as_str())
    }
}

/// The records of one chunk after masking.
#[derive(Clone, Copy, Debug)]
pub struct Masked<'a> {
    text: &'a str,
    scratch: &'a Scratch,
    names: &'a [String],
    fields: &'a MaskedFields,
    origin: Origin,
}

/// Which chunk it is: what ids are made of.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Whose chunk.
    pub source: SourceId,
    /// Counts the truncations of the source.
    pub generation: u32,
    /// When it was first read, in ms since 1970.
    pub seen_ms: i64,
}

/// One masked record.
#[derive(Clone, Copy, Debug)]
pub struct MaskedRecord<'a> {
    /// A JSON object, or plain text, as `record.shape` says. Valid JSON stays valid JSON.
    pub text: &'a str,
    /// The rest; its own range is of the unmasked text and not to be used.
    pub record: &'a Record,
}

impl<'a> Masked<'a> {
    /// The records, in order. Those that could not be processed are not among them.
    pub fn records(&self) -> impl ExactSizeIterator<Item = MaskedRecord<'a>> + use<'a> {
        let Self { text, scratch, .. } = *self;
        scratch.records.iter().map(move |one| {
            let from = if one.aside { scratch.rewritten.as_str() } else { text };
            MaskedRecord { text: &from[one.start as usize..one.end as usize], record: &one.record }
        })
    }

    /// The fixed fields of its source.
    #[must_use]
    pub const fn fields(&self) -> &'a MaskedFields {
        self.fields
    }

    /// Which chunk it is.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// How many records were held back because masking could not process them.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.scratch.held
    }

    /// The name of each detector and rule that replaced anything, and how many values.
    pub fn hits(&self) -> impl Iterator<Item = (&'a str, u64)> + use<'a> {
        let named = self.names.iter().zip(&self.scratch.hits);
        named.filter(|(_, count)| **count > 0).map(|(name, count)| (name.as_str(), *count))
    }
}

impl Masker {
    /// Compiles detectors and rules.
    ///
    /// # Errors
    /// All faults at once; keys as `rule[2].regex`.
    pub fn new(config: &Config) -> Result<Self, Vec<Fault>> {
        let rules = config.compile()?;
        let detectors = DETECTORS.iter().map(|one| one.name.to_owned());
        let names = detectors.chain(rules.rules.iter().map(|rule| rule.name.clone())).collect();
        let pem = DETECTORS.iter().position(|one| one.name == "private_key");
        let pem = pem.filter(|row| rules.search.wanted.contains(*row));
        Ok(Self { rules, enabled: config.enabled, pem, names })
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
        scratch.restart(self.names.len(), &self.rules.search);
        let mut lines = Lines::default();
        for (index, record) in records.items.iter().enumerate() {
            let done = match self.pem.filter(|_| self.enabled) {
                Some(row) if lines.is_last_of_key(text, record, records.items.get(index + 1)) => {
                    Ok(Some(scratch.replace(row)))
                }
                _ if self.enabled => self.record(text, record, scratch),
                _ => Ok(None),
            };
            match done {
                Ok(None) => scratch.keep(record),
                Ok(Some(start)) => scratch.keep_aside(record, start),
                Err(Held) => scratch.held += 1,
            }
        }
        Masked { text, scratch, names: &self.names, fields, origin }
    }

    /// Where in `scratch.rewritten` the masked record begins. `None`: it stays as it is.
    fn record(&self, text: &str, record: &Record, scratch: &mut Scratch) -> Result<Option<usize>, Held> {
        let Scratch { buffers, rewritten, hits, .. } = scratch;
        let Rules { search, rules } = &self.rules;
        let (start, end) = (record.start as usize, record.end as usize);
        let signs = buffers.look.within(text, start, end, search);
        let is_object = record.shape == Shape::Object;
        if signs.set.is_empty() && rules.is_empty() && !signs.escapes {
            return Ok(None);
        }
        buffers.counts.clear();
        buffers.counts.resize(hits.len(), 0);
        let from = rewritten.len();
        let mut rewriter = Rewriter::new(&self.rules, buffers);
        let changed = if is_object {
            object::rewrite(text, start, end, &mut rewriter, rewritten)
        } else {
            rewriter.line(&text[start..end], signs, rewritten)
        };
        let fits = u32::try_from(rewritten.len()).is_ok();
        match changed {
            Ok(changed) if fits => {
                hits.iter_mut().zip(&buffers.counts).for_each(|(hit, count)| *hit += count);
                Ok(changed.then_some(from))
            }
            _ => {
                rewritten.truncate(from);
                Err(Held)
            }
        }
    }
}

impl Scratch {
    fn restart(&mut self, names: usize, search: &Search) {
        self.records.clear();
        self.rewritten.clear();
        self.hits.clear();
        self.hits.resize(names, 0);
        self.held = 0;
        self.buffers.look.restart(search);
    }

    /// Writes the tag of a detector alone.
    fn replace(&mut self, row: usize) -> usize {
        let start = self.rewritten.len();
        self.rewritten.push_str(DETECTORS[row].tag);
        self.hits[row] += 1;
        start
    }

    fn keep(&mut self, record: &Record) {
        self.records.push(Rewritten { record: *record, aside: false, start: record.start, end: record.end });
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
