//! What comes out of masking: the records of a chunk, and what was done to them. Masks nothing.

use std::collections::BTreeSet;

use super::Scratch;
use super::path::{path_at, without_indices};
use super::trace::Hit;
use crate::base::records::{Key, Record, Shape};
use crate::base::source::SourceId;

/// Of one chunk, no more places are told, and of their paths no more characters.
const MOST_PLACES: usize = 32;
/// And no more hits are looked at.
const MOST_SAMPLED: usize = 64;
/// See [`MOST_PLACES`].
const LONGEST_PATH: usize = 100;

/// A source's fixed fields after masking.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MaskedFields(pub(super) Vec<(Key, String)>);

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
    pub(super) text: &'a str,
    pub(super) scratch: &'a Scratch,
    pub(super) names: &'a [String],
    pub(super) fields: &'a MaskedFields,
    pub(super) origin: Origin,
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

    /// How many records were dropped for what a detector found in them, by its name.
    pub fn dropped(&self) -> impl Iterator<Item = (&'a str, u64)> + use<'a> {
        let named = self.names.iter().zip(&self.scratch.dropped);
        named.filter(|(_, count)| **count > 0).map(|(name, count)| (name.as_str(), *count))
    }

    /// The lines whose records were dropped, in order, with the detector as [`super::Masker::name`] takes it.
    #[must_use]
    pub fn gone(&self) -> &'a [(u32, usize)] {
        &self.scratch.gone
    }

    /// How many records were held back because masking could not process them.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.scratch.held
    }

    /// Each value that was replaced, in the order of the records; nothing unless the scratch is [`Scratch::tracing`].
    #[must_use]
    pub fn trace(&self) -> &'a [Hit] {
        self.scratch.buffers.trace.hits()
    }

    /// Where values were replaced: by which detector or rule, and in which field as it is called after masking; in text
    /// that is empty. At most `MOST_PLACES`; nothing unless the scratch is [`Scratch::tracing`].
    #[must_use]
    pub fn places(&self) -> BTreeSet<(&'a str, String)> {
        let mut records = self.records().peekable();
        let mut places = BTreeSet::new();
        // A sample: each path is sought from the beginning of its record.
        let hits = self.trace();
        for hit in hits.iter().step_by(hits.len() / MOST_SAMPLED + 1) {
            while records.next_if(|one| one.record.line < hit.line).is_some() {}
            let Some(one) = records.peek().filter(|one| one.record.line == hit.line) else { continue };
            let path = match one.record.shape {
                Shape::Object => without_indices(&path_at(one.text, hit.written.start)),
                Shape::Text => String::new(),
            };
            places.insert((self.names[hit.by].as_str(), path.chars().take(LONGEST_PATH).collect()));
            if places.len() >= MOST_PLACES {
                break;
            }
        }
        places
    }

    /// The name of each detector and rule that replaced anything, and how many values.
    pub fn hits(&self) -> impl Iterator<Item = (&'a str, u64)> + use<'a> {
        let named = self.names.iter().zip(&self.scratch.hits);
        named.filter(|(_, count)| **count > 0).map(|(name, count)| (name.as_str(), *count))
    }
}
