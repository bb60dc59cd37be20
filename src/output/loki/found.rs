//! The question which entries of a stream Loki has, and its answer. Sends nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Entry, Stream};

/// Labels that Loki adds by itself: they do not make another stream.
const ADDED_BY_LOKI: [&str; 3] = ["service_name", "detected_level", "__stream_shard__"];

/// An answer to `query_range`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// What is there.
    Entries(Vec<Stream>),
    /// The agent may not read.
    Denied,
    /// Loki cannot say now.
    Later {
        /// Its words, cut short.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Reply {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result: Vec<Result>,
}

#[derive(Deserialize)]
struct Result {
    stream: BTreeMap<String, String>,
    values: Vec<Value>,
}

/// Time, line, and with the flag `categorize-labels` an object of metadata.
#[derive(Deserialize)]
struct Value(String, String, #[serde(default)] serde::de::IgnoredAny);

/// The LogQL selector of exactly these labels. Streams with more labels match it too: see [`is_same_stream`].
#[must_use]
pub fn selector(labels: &BTreeMap<String, String>) -> String {
    let one = |(name, value): (&String, &String)| {
        let value = serde_json::to_string(value).unwrap_or_default();
        format!("{name}={value}")
    };
    format!("{{{}}}", labels.iter().map(one).collect::<Vec<_>>().join(","))
}

/// Whether a stream that Loki shows is the one that was sent.
#[must_use]
pub fn is_same_stream(sent: &BTreeMap<String, String>, shown: &BTreeMap<String, String>) -> bool {
    sent.iter().all(|(name, value)| shown.get(name) == Some(value))
        && shown.keys().all(|name| sent.contains_key(name) || ADDED_BY_LOKI.contains(&name.as_str()))
}

/// Reads the answer to a query of the API `query_range` (result type `streams`).
#[must_use]
pub fn read(status: u16, body: &[u8]) -> Found {
    match status {
        200 => {}
        401 | 403 | 404 => return Found::Denied,
        _ => {
            let words: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
            return Found::Later { reason: format!("the query is answered with {status}: {words}") };
        }
    }
    let Ok(reply) = serde_json::from_slice::<Reply>(body) else {
        return Found::Later { reason: "the query is answered with something else than JSON of Loki".to_owned() };
    };
    let streams = reply.data.result.into_iter().map(|one| Stream {
        labels: one.stream,
        entries: one
            .values
            .into_iter()
            .filter_map(|Value(ns, line, _)| Some(Entry { ns: ns.parse().ok()?, line, metadata: BTreeMap::new() }))
            .collect(),
    });
    Found::Entries(streams.collect())
}
