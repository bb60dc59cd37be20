//! (stand-in of the room `output`)
pub mod found;
use crate::output::{Answer, Verdict};
use std::collections::BTreeMap;
/// One stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Entries.
    pub entries: Vec<Entry>,
}
/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// ns
    pub ns: i64,
    /// line
    pub line: String,
    /// metadata
    pub metadata: BTreeMap<String, String>,
}
/// Takes a push apart.
///
/// # Errors
/// Not a push.
pub fn entries(body: &[u8]) -> Result<Vec<Stream>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Push {
        streams: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        stream: BTreeMap<String, String>,
        values: Vec<Vec<serde_json::Value>>,
    }
    let push: Push = serde_json::from_slice(body)?;
    let entry = |value: Vec<serde_json::Value>| Entry {
        ns: value[0].as_str().and_then(|ns| ns.parse().ok()).unwrap_or_default(),
        line: value[1].as_str().unwrap_or_default().to_owned(),
        metadata: value.get(2).and_then(|m| serde_json::from_value(m.clone()).ok()).unwrap_or_default(),
    };
    Ok(push
        .streams
        .into_iter()
        .map(|one| Stream { labels: one.stream, entries: one.values.into_iter().map(entry).collect() })
        .collect())
}
/// Puts one together.
#[must_use]
pub fn push(streams: &[Stream]) -> Vec<u8> {
    let values = |s: &Stream| {
        s.entries
            .iter()
            .map(|e| {
                if e.metadata.is_empty() {
                    serde_json::json!([e.ns.to_string(), e.line])
                } else {
                    serde_json::json!([e.ns.to_string(), e.line, e.metadata])
                }
            })
            .collect::<Vec<_>>()
    };
    let all: Vec<_> =
        streams.iter().map(|s| serde_json::json!({"stream": s.labels, "values": values(s)})).collect();
    serde_json::json!({ "streams": all }).to_string().into_bytes()
}
/// Reads.
#[must_use]
pub fn answer(status: u16, _after: Option<&str>, body: &[u8], _now_ms: i64) -> Answer {
    let reason = String::from_utf8_lossy(body).chars().take(200).collect::<String>();
    match status {
        204 => Answer::Whole(Verdict::Delivered),
        400 => Answer::Partly { reason },
        500 if reason.contains("larger than max") => Answer::Whole(Verdict::Split),
        413 => Answer::Whole(Verdict::Split),
        429 | 500.. => Answer::Whole(Verdict::Retry { after: None, reason }),
        422 => Answer::Whole(Verdict::Park { reason }),
        _ => Answer::Whole(Verdict::Hold { reason: format!("{status} {reason}"), hint: "look" }),
    }
}
