//! A push body taken apart and put together again: to split it, and to send only what the store lacks. Does not ask
//! the store.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::base::source::fingerprint;

use super::super::json;
use super::{HEAD, SEPARATOR, TAIL};

/// The entries of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Stream {
    /// What makes the stream.
    #[serde(rename = "stream")]
    pub labels: BTreeMap<String, String>,
    /// In the order in which they were written.
    #[serde(rename = "values")]
    pub entries: Vec<Entry>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Nanoseconds since 1970.
    pub ns: i64,
    /// The line itself.
    pub line: String,
    /// Structured metadata.
    pub metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Push {
    streams: Vec<Stream>,
}

/// The streams of a push that [`Encoder`](crate::output::Encoder) or [`push`] wrote, inflated, in its order: the n-th
/// entry of all is the n-th item of the batch.
///
/// # Errors
/// If it is not a push.
pub fn entries(body: &[u8]) -> Result<Vec<Stream>, serde_json::Error> {
    serde_json::from_slice::<Push>(body).map(|push| push.streams)
}

/// A push of the given streams; those without entries are left out.
#[must_use]
pub fn push(streams: &[Stream]) -> Vec<u8> {
    let mut out = HEAD.to_vec();
    for stream in streams.iter().filter(|stream| !stream.entries.is_empty()) {
        if out.len() > HEAD.len() {
            out.extend_from_slice(SEPARATOR);
        }
        out.extend_from_slice(b"{\"stream\":");
        push_strings(&stream.labels, &mut out);
        out.extend_from_slice(b",\"values\":[");
        for (index, entry) in stream.entries.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push_entry(entry, &mut out);
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(TAIL);
    out
}

/// What tells an entry from all others that are parked: its time, and a fingerprint of stream, line and metadata. Two
/// entries that Loki takes for one have the same.
#[must_use]
pub fn entry_id(labels: &BTreeMap<String, String>, entry: &Entry) -> String {
    let alone = push(&[Stream { labels: labels.clone(), entries: vec![entry.clone()] }]);
    format!("{}.{:016x}", entry.ns, fingerprint(&alone))
}

/// The LogQL selector of a stream: `{container_name="web",stream="stdout"}`.
#[must_use]
pub fn selector(labels: &BTreeMap<String, String>) -> String {
    let mut out = Vec::new();
    for (name, value) in labels {
        out.push(if out.is_empty() { b'{' } else { b',' });
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        json::string(value, &mut out);
    }
    out.push(b'}');
    String::from_utf8(out).expect("made of strings and ASCII")
}

fn push_entry(entry: &Entry, out: &mut Vec<u8>) {
    out.extend_from_slice(b"[\"");
    json::integer(entry.ns, out);
    out.extend_from_slice(b"\",");
    json::string(&entry.line, out);
    if !entry.metadata.is_empty() {
        out.push(b',');
        push_strings(&entry.metadata, out);
    }
    out.push(b']');
}

fn push_strings(strings: &BTreeMap<String, String>, out: &mut Vec<u8>) {
    json::strings(strings.iter().map(|(name, value)| (name.as_str(), value.as_str())), out);
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[\"ns\", \"line\"] or [\"ns\", \"line\", {…}]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Entry, A::Error> {
                let ns: String = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let ns = ns.parse().map_err(|_| A::Error::custom("a time is not in ns"))?;
                let line = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
                let metadata = parts.next_element()?.unwrap_or_default();
                Ok(Entry { ns, line, metadata })
            }
        }
        deserializer.deserialize_seq(Parts)
    }
}
