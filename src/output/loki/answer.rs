//! What Loki answers to a push, and what it means. Pure: acts on nothing.
//!
//! Statuses and texts: Loki's `pkg/validation/validate.go` and `pkg/distributor`, as measured on 3.7.8. Loki answers
//! a whole push with one text, and a refusal often leaves the other lines stored.

use super::super::response::{Response, short};
use super::super::{Answer, Verdict};

const HINT_CREDENTIALS: &str = "check username, password, bearer and tenant of this output";
const HINT_TENANT: &str = "check the tenant of this output";
const HINT_URL: &str = "check the url of this output: it must lead to loki's own HTTP interface";
const HINT_GZIP: &str =
    "set gzip_level = 0 for this output: loki, or a proxy before it, does not take compressed requests";
const HINT_BLOCKED: &str = "loki blocks ingestion for this tenant, or something answers in its place: ask its operator";

/// Texts of a 400 that stored nothing because the body could not be read. A body above the store's limit looks like
/// that too.
const UNREADABLE: [&str; 5] =
    ["loghttp.PushRequest", "unexpected EOF", "couldn't parse labels", "ReadString", "unmarshal"];
/// Texts of a 400 that speak of the request, not of its lines.
const MISCONFIGURED: [&str; 5] = ["org ID", "tenant ID", "Content-Encoding", "Content-Type", "mime:"];
/// Texts of a 503 that was given before anything was stored.
const TURNED_AWAY: [&str; 2] = ["cannot accept more requests", "circuit breaker open"];

/// A 500 that no second try mends: a message between loki's parts is above their limit.
const TOO_LARGE: &str = "received message larger than max";

/// Reads the answer to a push of `items` lines.
#[must_use]
pub fn answer(response: &Response<'_>, items: usize) -> Answer {
    let text = String::from_utf8_lossy(response.body);
    let hold = |hint| Answer::Whole(Verdict::Hold { reason: response.words(), hint });
    match response.status {
        204 => Answer::Whole(Verdict::Delivered),
        200..=299 => hold(HINT_BLOCKED),
        400 => bad_request(response, &text, items),
        401 | 403 => hold(HINT_CREDENTIALS),
        413 => too_large(items, response),
        415 => hold(HINT_GZIP),
        422 => Answer::Whole(Verdict::Park { reason: short(&text) }),
        429 => limited(response, &text, items),
        408 | 500.. => failed(response, &text, items),
        _ => hold(HINT_URL),
    }
}

/// Why a query was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The agent may not read.
    Denied,
    /// Not in this way: too much was asked for.
    TooMuch,
    /// Not now; or something else answered in loki's place. With its words, cut short.
    Later(String),
}

/// Reads the answer to a query that holds no result. Only a refusal of loki's own is a denial: what a proxy says while
/// loki is away must not pass for it, since what cannot be asked for is sent a second time.
#[must_use]
pub fn unanswered(response: &Response<'_>) -> Unanswered {
    let text = String::from_utf8_lossy(response.body);
    match response.status {
        401 | 403 | 404 | 405 | 501 => Unanswered::Denied,
        400 | 413 | 414 | 422 if !response.is_page() => Unanswered::TooMuch,
        _ if text.contains(TOO_LARGE) => Unanswered::TooMuch,
        _ => Unanswered::Later(response.words()),
    }
}

fn bad_request(response: &Response<'_>, text: &str, items: usize) -> Answer {
    let says = |texts: &[&str]| texts.iter().any(|words| text.contains(words));
    if response.is_page() {
        return Answer::Whole(Verdict::Hold { reason: response.words(), hint: HINT_URL });
    }
    if says(&MISCONFIGURED) {
        return Answer::Whole(Verdict::Hold { reason: short(text), hint: HINT_TENANT });
    }
    if says(&UNREADABLE) {
        return match items {
            0 | 1 => Answer::Whole(Verdict::Park { reason: short(without_quotes(text)) }),
            _ => Answer::Whole(Verdict::Split),
        };
    }
    Answer::Partly { reason: short(text) }
}

/// Loki's parser shows the bytes around an error: they are of a line.
fn without_quotes(text: &str) -> &str {
    text.split(", error found in").next().unwrap_or(text)
}

fn too_large(items: usize, response: &Response<'_>) -> Answer {
    Answer::Whole(match items {
        0 | 1 => Verdict::Park { reason: response.words() },
        _ => Verdict::Split,
    })
}

/// Too much at once. A tenant's limit takes nothing; a stream's, and the limit of streams, leave other streams stored. A push
/// above the burst can never pass, and the burst is not told: what exceeds the limit of a second is halved.
fn limited(response: &Response<'_>, text: &str, items: usize) -> Answer {
    if items > 1 && wanted_bytes(text).zip(limit_bytes(text)).is_some_and(|(wanted, limit)| wanted > limit) {
        return Answer::Whole(Verdict::Split);
    }
    let (after, reason) = (response.after(), short(text));
    match text.contains("ingestion rate limit exceeded") || response.is_page() {
        true => Answer::Whole(Verdict::Retry { after, reason }),
        false => Answer::PartlyRetry { after, reason },
    }
}

/// Failures of the store. Most leave open what was stored.
fn failed(response: &Response<'_>, text: &str, items: usize) -> Answer {
    if text.contains(TOO_LARGE) {
        return too_large(items, response);
    }
    let (after, reason) = (response.after(), response.words());
    match TURNED_AWAY.iter().any(|words| text.contains(words)) {
        true => Answer::Whole(Verdict::Retry { after, reason }),
        false => Answer::PartlyRetry { after, reason },
    }
}

/// How much the push tried to write, in bytes: of a tenant as told, of a stream the mean of the entries named (ten
/// at most) times the entries ignored.
fn wanted_bytes(text: &str) -> Option<f64> {
    let told: Vec<f64> =
        text.split("otaling ").skip(1).filter_map(|rest| quantity(rest.trim_start_matches('\''))).collect();
    let mean = told.iter().sum::<f64>() / told.len() as f64;
    let ignored = text.split("total ignored: ").nth(1).and_then(quantity).unwrap_or(1.0);
    (!told.is_empty()).then_some(mean * ignored)
}

/// The limit of a second, in bytes: `(limit: 10485 bytes/sec)`, `(limit: 3MB/sec)`.
fn limit_bytes(text: &str) -> Option<f64> {
    text.split("(limit: ").nth(1).and_then(quantity)
}

/// A number with Loki's unit, at the beginning of `text`: `700B`, `1.5KB`, `3MB`, or no unit at all.
fn quantity(text: &str) -> Option<f64> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let units = [("KB", 1024.0), ("MB", 1_048_576.0), ("GB", 1_073_741_824.0)];
    let factor = units.iter().find(|(unit, _)| text[end..].starts_with(unit)).map_or(1.0, |(_, factor)| *factor);
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXTS: [&str; 9] = [
        "",
        "ingestion rate limit exceeded (limit: 1 bytes/sec) totaling '9' bytes",
        "Per stream rate limit exceeded (limit: 1e9MB/sec) totaling 99999999999999999999GB total ignored: 0 out",
        "totaling .B (limit: ..KB",
        "received message larger than max (5 vs. 4)",
        "loghttp.PushRequest.Streams: unexpected EOF, error found in #10 byte of ...|x|...",
        "<html>welcome",
        "no org ID",
        "entry too far behind",
    ];

    fn body() -> impl Strategy<Value = Vec<u8>> {
        let text = prop::sample::select(&TEXTS[..]).prop_map(|text| text.as_bytes().to_vec());
        prop_oneof![4 => text, 1 => prop::collection::vec(any::<u8>(), 0..40)]
    }

    fn status() -> impl Strategy<Value = u16> {
        prop_oneof![3 => 200..600_u16, 1 => prop::sample::select(&[204, 260, 400, 429, 500][..]), 1 => any::<u16>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

        /// Whatever comes, only 204 is delivered, one line alone is never halved, and nothing is rewrapped.
        #[test]
        fn only_no_content_is_delivered((status, body, sent) in (status(), body(), 1..6_usize)) {
            let response = Response { status, retry_after: Some("-1"), now_ms: i64::MAX, body: &body };
            match answer(&response, sent) {
                Answer::Whole(Verdict::Delivered) => prop_assert_eq!(status, 204),
                Answer::Whole(Verdict::Split) => prop_assert!(sent > 1),
                Answer::Whole(Verdict::Repeated | Verdict::Rewrap { .. }) | Answer::Items(_) => {
                    prop_assert!(false, "loki says nothing of single lines");
                }
                _ => {}
            }
        }

        /// A question is never taken for forbidden because the store is away.
        #[test]
        fn a_store_that_is_away_denies_nothing((status, body) in (500..600_u16, body())) {
            let response = Response { status, retry_after: None, now_ms: 0, body: &body };
            prop_assert!(status == 501 || unanswered(&response) != Unanswered::Denied);
        }
    }
}
