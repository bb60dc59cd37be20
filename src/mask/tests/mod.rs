//! Masking, seen through the room's door.

mod corpus;
mod examples;
mod policy;
mod properties;
mod rates;
mod replace;

use std::sync::LazyLock;

use super::{Config, MaskedFields, Masker, Origin, Scratch};
use crate::base::records::{self, Keys, Record, Records, Shape, Time};
use crate::base::source::{Position, SourceId};

static EVERYTHING: LazyLock<Masker> = LazyLock::new(|| {
    let detect = vec!["all".to_owned()];
    Masker::new(&Config { detect, ..Config::default() }).unwrap()
});

static DEFAULT: LazyLock<Masker> = LazyLock::new(|| Masker::new(&Config::default()).unwrap());

/// All detectors.
pub(super) fn everything() -> &'static Masker {
    &EVERYTHING
}

/// The documented default.
pub(super) fn default_masker() -> &'static Masker {
    &DEFAULT
}

/// A chunk's text and records, as `decode` would make them.
pub(super) fn chunk(lines: &[&str]) -> (String, Records) {
    let mut text = String::new();
    let mut records = Records::default();
    for (index, line) in lines.iter().enumerate() {
        let start = text.len();
        text.push_str(line);
        let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).is_ok();
        records.items.push(Record {
            line: u32::try_from(index).unwrap(),
            position: Position { at: start as u64, tie: 0 },
            start: u32::try_from(start).unwrap(),
            end: u32::try_from(text.len()).unwrap(),
            shape: if is_object { Shape::Object } else { Shape::Text },
            time: Time { ns: 0, digits: 9, origin: records::Origin::Read },
            level: None,
            own: Keys::NONE,
            clash: Keys::NONE,
            cut: false,
        });
        text.push('\n');
    }
    (text, records)
}

/// The masked lines, in order; held ones are missing.
pub(super) fn mask(masker: &Masker, lines: &[&str]) -> Vec<String> {
    let mut scratch = Scratch::default();
    mask_with(masker, lines, &mut scratch)
}

pub(super) fn mask_with(masker: &Masker, lines: &[&str], scratch: &mut Scratch) -> Vec<String> {
    let (text, records) = chunk(lines);
    let fields = MaskedFields::default();
    let origin = Origin { source: SourceId::new(1), generation: 0, seen_ms: 0 };
    let masked = masker.mask(&text, &records, origin, &fields, scratch);
    masked.records().map(|one| one.text.to_owned()).collect()
}

pub(super) fn hits(masker: &Masker, lines: &[&str]) -> Vec<(String, u64)> {
    let (text, records) = chunk(lines);
    let fields = MaskedFields::default();
    let origin = Origin { source: SourceId::new(1), generation: 0, seen_ms: 0 };
    let mut scratch = Scratch::default();
    let masked = masker.mask(&text, &records, origin, &fields, &mut scratch);
    masked.hits().map(|(name, count)| (name.to_owned(), count)).collect()
}
