//! (stand-in of the room `output`)
pub mod template;
use crate::output::{Answer, Verdict};
use std::time::Duration;
/// Reads.
#[must_use]
pub fn answer(status: u16, after: Option<&str>, body: &[u8], items: usize, _now_ms: i64) -> Answer {
    let after = after.and_then(|a| a.parse().ok()).map(Duration::from_secs);
    let reason = format!("{status}");
    let retry = |reason: String| Verdict::Retry { after, reason };
    match status {
        200 => {}
        400 | 413 => return Answer::Whole(Verdict::Split),
        429 | 500.. => return Answer::Whole(retry(reason)),
        _ => return Answer::Whole(Verdict::Hold { reason, hint: "mend it" }),
    }
    let Ok(v) = serde_json::from_slice::<serde_json::Value>(body) else {
        return Answer::Whole(retry("not JSON".into()));
    };
    let mut verdicts: Vec<Verdict> = v["items"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|i| {
            let i = &i["create"];
            let reason = i["error"]["type"].as_str().unwrap_or_default().to_owned();
            match i["status"].as_u64() {
                Some(200 | 201) => Verdict::Delivered,
                Some(409) => Verdict::Repeated,
                Some(400) => Verdict::Rewrap { reason },
                Some(403 | 404) => Verdict::Hold { reason, hint: "mend it" },
                _ => Verdict::Retry { after: None, reason },
            }
        })
        .collect();
    verdicts.resize(items, retry("no item".into()));
    Answer::Items(verdicts)
}
/// Pairs.
pub fn items(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut lines = body.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    std::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
}
/// Wraps.
#[must_use]
pub fn rewrap(document: &[u8], reason: &str) -> Vec<u8> {
    serde_json::json!({"logferry_payload": String::from_utf8_lossy(document), "logferry_refused": reason})
        .to_string()
        .into_bytes()
}
