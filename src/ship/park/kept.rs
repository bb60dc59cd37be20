//! One parked record as it lies on disk, is exported, and comes back edited: a line of JSON. Opens no file.
//!
//! ```text
//! {"id":…,"output":…,"source":…,"time_ms":…,"reason":…,"index":…,"document":{…}}
//! {"id":…,"output":…,"source":…,"time_ms":…,"reason":…,"labels":{…},"ns":"…","metadata":{…},"document":{…}}
//! ```
//!
//! The first is of Elasticsearch and OpenSearch, the second of Loki. `ns` is text because most editors of JSON keep
//! only 53 bits of a number. `document` is the object itself where that is what was sent, byte for byte; any other
//! line stands there as text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::ParkedRecord;
use crate::base::json;
use crate::output::Place;

/// A parked record. One with more in it than this is of a newer agent: left alone, as all that is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Tells it from all others of its output.
    pub id: String,
    /// The `[output.NAME]` that refused it.
    pub output: String,
    /// The `[source.NAME]` that it comes from.
    pub source: String,
    /// When it was set aside, in ms since 1970.
    pub time_ms: i64,
    /// The store's words, cut short.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ns: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) document: Box<RawValue>,
}

impl Kept {
    pub(super) fn new(output: &str, refused: &ParkedRecord, now_ms: i64) -> Self {
        let mut kept = Self {
            id: refused.id.clone(),
            output: output.to_owned(),
            source: refused.source.clone(),
            time_ms: now_ms,
            reason: refused.reason.clone(),
            index: None,
            labels: None,
            ns: None,
            metadata: BTreeMap::new(),
            document: raw(&String::from_utf8_lossy(&refused.document)),
        };
        match &refused.place {
            Place::Index(index) => kept.index = Some(index.clone()),
            Place::Entry { labels, ns, metadata } => {
                kept.labels = Some(labels.clone());
                kept.ns = Some(ns.to_string());
                kept.metadata = metadata.clone();
            }
        }
        kept
    }

    /// Where it belongs in the store. `None`: it was set aside by an agent that did not note that.
    pub(in super::super) fn place(&self) -> Option<Place> {
        if let Some(index) = &self.index {
            return Some(Place::Index(index.clone()));
        }
        let ns = self.ns.as_ref()?.parse().ok()?;
        Some(Place::Entry { labels: self.labels.clone()?, ns, metadata: self.metadata.clone() })
    }

    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        (&self.index, &self.labels, &self.ns, &self.metadata)
            == (&other.index, &other.labels, &other.ns, &other.metadata)
    }

    /// Whether its store takes nothing but objects.
    #[must_use]
    pub fn must_be_object(&self) -> bool {
        self.labels.is_none()
    }

    /// Whether its document is written as text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.document.get().starts_with('"')
    }

    /// What is sent. `None`: the document is neither an object nor text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let document = self.document.get();
        match document.as_bytes().first() {
            Some(b'{') => Some(document.to_owned()),
            Some(b'"') => serde_json::from_str(document).ok(),
            _ => None,
        }
    }

    /// The same with another document.
    #[must_use]
    pub fn with_text(self, text: &str) -> Self {
        Self { document: raw(text), ..self }
    }

    /// Appends its line.
    pub fn push(&self, lines: &mut Vec<u8>) {
        serde_json::to_writer(&mut *lines, self).expect("strings and raw JSON always serialise into memory");
        lines.push(b'\n');
    }
}

/// The object itself, on one line, else the text as a JSON string.
fn raw(text: &str) -> Box<RawValue> {
    let is_bare = text.starts_with('{') && text.ends_with('}') && !text.contains(['\n', '\r']);
    let object = (is_bare && json::is_object(text)).then(|| RawValue::from_string(text.to_owned()).ok()).flatten();
    object.unwrap_or_else(|| to_raw_value(text).expect("text always serialises"))
}
