//! What Loki says it has of a stream, read from its answer to a query. Sends nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::output::Response;
use crate::output::loki::{Stream, Unanswered, unanswered};

/// Labels that Loki adds by itself: they do not make another stream.
const ADDED_BY_LOKI: [&str; 3] = ["service_name", "detected_level", "__stream_shard__"];

/// An answer to `query_range`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// What is there.
    Entries(Vec<Shown>),
    /// Nothing, and why.
    No(Unanswered),
}

/// Only a query's answer has this shape: an error is plain text, a push is answered with nothing.
#[derive(Deserialize)]
struct Reply {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Shown>,
}

/// One stream as Loki shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Shown {
    stream: BTreeMap<String, String>,
    pub(super) values: Vec<Value>,
}

/// Time, line, and what is of no use here: an object that holds the structured metadata.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Parts")]
pub(super) struct Value {
    /// In ns since 1970. Times that are no number are no times of ours.
    pub(super) ns: i64,
    pub(super) line: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Parts {
    Two(String, String),
    Three(String, String, IgnoredAny),
}

impl From<Parts> for Value {
    fn from(parts: Parts) -> Self {
        let (Parts::Two(ns, line) | Parts::Three(ns, line, _)) = parts;
        Self { ns: ns.parse().unwrap_or_default(), line }
    }
}

impl Shown {
    /// Whether it is the stream that was sent: a query also finds those with more labels.
    pub(super) fn is(&self, sent: &Stream) -> bool {
        sent.labels.iter().all(|(name, value)| self.stream.get(name) == Some(value))
            && self.stream.keys().all(|name| sent.labels.contains_key(name) || ADDED_BY_LOKI.contains(&name.as_str()))
    }
}

/// Reads the answer to a log query.
pub(super) fn read(response: &Response<'_>) -> Found {
    if let Ok(reply) = serde_json::from_slice::<Reply>(response.body) {
        return Found::Entries(reply.data.result);
    }
    Found::No(unanswered(response))
}
