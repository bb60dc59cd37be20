//! What Elasticsearch and OpenSearch answer to a bulk request, and what it means. Pure: acts on nothing.
//!
//! Status codes and error types: elastic.co, "Bulk API"; types also as measured on 7.17, 8.19, OpenSearch 2.19, 3.6.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::response::{Response, short};
use super::super::{Answer, Verdict};

/// From so many refused items on, one reason for most of a batch speaks of the index, not of its documents.
const MANY: usize = 10;

const HINT_CREDENTIALS: &str = "check username, password or api_key of this output";
const HINT_RIGHTS: &str = "allow this user to create documents and indices of this name, or lift the write block";
const HINT_URL: &str = "check the url of this output: it must lead to the store's own HTTP interface";
const HINT_DISK: &str = "free disk space on the store: its flood-stage watermark made the index read-only";
const HINT_INDEX: &str = "check the index option, the index template and the store's shard limit";
const HINT_GZIP: &str =
    "set gzip_level = 0 for this output: the store, or a proxy before it, does not take compressed requests";
const HINT_MISSING: &str = "create the index or data stream, or allow automatic creation";

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    items: Vec<ItemAnswer<'a>>,
}

#[derive(Deserialize)]
struct ItemAnswer<'a> {
    #[serde(borrow, alias = "index")]
    create: Outcome<'a>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    status: u16,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// An error as an item or a whole request carries it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failure {
    #[serde(rename = "type")]
    kind: String,
    reason: Option<String>,
    caused_by: Option<Box<Failure>>,
}

/// Reads the answer to a bulk request of `items` documents. `rewrapped`: they were refused before, out of so many that
/// went to their index, and have their payload as text already, so that what is refused again is parked.
#[must_use]
pub fn answer(response: &Response<'_>, items: usize, rewrapped: Option<usize>) -> Answer {
    match response.status {
        200 => of_items(response, items, rewrapped),
        status => Answer::Whole(of_request(status, response, items)),
    }
}

fn of_items(response: &Response<'_>, sent: usize, rewrapped: Option<usize>) -> Answer {
    if count_of_new(response.body) == Some(sent) {
        return Answer::Whole(Verdict::Delivered);
    }
    let Ok(body) = serde_json::from_slice::<Body<'_>>(response.body) else {
        return Answer::Whole(not_an_answer(response));
    };
    if body.items.len() != sent {
        return Answer::Whole(miscounted(body.items.len(), sent));
    }
    if body.items.iter().all(|item| item.create.is_new()) {
        return Answer::Whole(Verdict::Delivered);
    }
    let mut verdicts: Vec<_> = body.items.iter().map(|item| of_item(&item.create, response)).collect();
    if let Some(of_index) = rewrapped {
        settle_rewrapped(&mut verdicts, of_index);
    }
    Answer::Items(verdicts)
}

/// How many items an answer has whose items are all the same bytes, which say that a document was stored just now: what
/// nearly all answers are. One item is parsed, the others are compared with it. `None` for any other answer.
fn count_of_new(body: &[u8]) -> Option<usize> {
    const BEFORE: &[u8] = b"\"items\":[";
    let start = memmem::find(body, BEFORE)? + BEFORE.len();
    let mut items = serde_json::Deserializer::from_slice(&body[start..]).into_iter::<&RawValue>();
    let item = items.next()?.ok()?.get().as_bytes();
    let mut end = start + items.byte_offset();
    let mut count = 1;
    while let Some((b',', rest)) = body[end..].split_first()
        && rest.starts_with(item)
    {
        end += 1 + item.len();
        count += 1;
    }
    // The array must be the last member of the outermost object: else it may be another one of that name.
    if body[end..].trim_ascii_end() != b"]}" {
        return None;
    }
    // Without its repetitions, the answer must be whole, and its one item what was looked for.
    let short = [&body[..start], item, &body[end..]].concat();
    let short: Body<'_> = serde_json::from_slice(&short).ok()?;
    matches!(&*short.items, [one] if one.create.is_new()).then_some(count)
}

/// Items are told apart by their place alone: where one is missing, none is known. What was stored is found by its id.
fn miscounted(answered: usize, sent: usize) -> Verdict {
    Verdict::Retry { after: None, reason: format!("the answer has {answered} items for {sent} that were sent") }
}

impl Outcome<'_> {
    /// Stored just now. A success that carries an error is none.
    fn is_new(&self) -> bool {
        matches!(self.status, 200 | 201) && self.error.is_none()
    }
}

/// An answer that is not the store's: a proxy's page, or one that was cut off.
fn not_an_answer(response: &Response<'_>) -> Verdict {
    if response.is_page() {
        return Verdict::Hold { reason: response.words(), hint: HINT_URL };
    }
    Verdict::Retry { after: response.after(), reason: "the answer is not whole JSON".to_owned() }
}

fn of_item(outcome: &Outcome<'_>, response: &Response<'_>) -> Verdict {
    let failure = || Failure::read(outcome.error.map_or("", RawValue::get));
    match outcome.status {
        200 | 201 if outcome.is_new() => Verdict::Delivered,
        409 => Verdict::Repeated,
        400 => refused(&failure()),
        413 => Verdict::Park { reason: failure().words() },
        401 => Verdict::Hold { reason: failure().words(), hint: HINT_CREDENTIALS },
        403 => Verdict::Hold { reason: failure().words(), hint: HINT_RIGHTS },
        404 => Verdict::Hold { reason: failure().words(), hint: HINT_MISSING },
        status => busy(status, &failure(), response),
    }
}

/// A 400 of one item: the document's fault, or the operator's.
fn refused(failure: &Failure) -> Verdict {
    if failure.is_of_document() {
        return Verdict::Rewrap { reason: failure.document_words() };
    }
    Verdict::Hold { reason: failure.words(), hint: HINT_INDEX }
}

/// Too much at once, or not ready. A block for want of disk space is a 429 too, but lasts until somebody acts.
fn busy(status: u16, failure: &Failure, response: &Response<'_>) -> Verdict {
    if status == 429 && failure.kind == "cluster_block_exception" {
        return Verdict::Hold { reason: failure.words(), hint: HINT_DISK };
    }
    let reason = match failure.words() {
        words if words.is_empty() => format!("status {status}"),
        words => words,
    };
    Verdict::Retry { after: response.after(), reason }
}

fn of_request(status: u16, response: &Response<'_>, items: usize) -> Verdict {
    let failure = Failure::of_request(response);
    let words = || match failure.words() {
        words if words.is_empty() => response.words(),
        words => words,
    };
    match status {
        400 if response.is_page() => Verdict::Hold { reason: words(), hint: HINT_URL },
        400 if items > 1 => Verdict::Split,
        400 => Verdict::Park { reason: failure.document_words() },
        413 if items > 1 => Verdict::Split,
        413 => Verdict::Park { reason: "the store takes no request of this size".to_owned() },
        401 => Verdict::Hold { reason: words(), hint: HINT_CREDENTIALS },
        403 => Verdict::Hold { reason: words(), hint: HINT_RIGHTS },
        415 => Verdict::Hold { reason: words(), hint: HINT_GZIP },
        408 => busy(status, &failure, response),
        429 | 500.. => busy(status, &failure, response),
        _ => Verdict::Hold { reason: words(), hint: HINT_URL },
    }
}

/// Documents that were refused a second time are parked; but when they are many, and most of those that went to their
/// index, the index is at fault, and they are kept.
fn settle_rewrapped(verdicts: &mut [Verdict], of_index: usize) {
    let refused = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Rewrap { .. })).count();
    let is_index = refused >= MANY && refused * 2 > of_index.max(verdicts.len());
    for verdict in verdicts {
        if let Verdict::Rewrap { reason } = verdict {
            let reason = std::mem::take(reason);
            *verdict = match is_index {
                true => Verdict::Hold { reason, hint: HINT_INDEX },
                false => Verdict::Park { reason },
            };
        }
    }
}

/// What an `illegal_argument_exception` says when the operator must act, not the document change.
const OPERATOR_WORDS: [&str; 6] =
    ["pipeline with id", "alias", "data stream", "op_type", "index_not_found", "number_of_shards"];

/// After these words a store quotes the document.
const QUOTING_WORDS: [&str; 14] = [
    "[Source:",
    "Preview of field's value",
    "For input string",
    "first immense term is",
    "failed to parse date field [",
    "Failed to parse value [",
    "Cannot parse value [",
    "Could not parse value [",
    "Numeric value (",
    "Unrecognized token",
    "Value [",
    "but found [",
    " '",
    " \"",
];

impl Failure {
    fn read(text: &str) -> Self {
        serde_json::from_str(text)
            .unwrap_or_else(|_| Self { kind: text.trim_matches('"').to_owned(), ..Self::default() })
    }

    /// The error of a whole request: an object, a bare string, or not there.
    fn of_request(response: &Response<'_>) -> Self {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            error: &'a RawValue,
        }
        serde_json::from_slice(response.body)
            .map_or_else(|_| Self::default(), |one: Envelope<'_>| Self::read(one.error.get()))
    }

    /// Whether a 400 speaks of the document.
    fn is_of_document(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        match self.kind.as_str() {
            "illegal_argument_exception" => !OPERATOR_WORDS.iter().any(|words| reason.contains(words)),
            "strict_dynamic_mapping_exception" | "max_bytes_length_exceeded_exception" => true,
            kind => kind.contains("pars") || kind.contains("mapper"),
        }
    }

    /// Type and reason, for errors that quote no document.
    fn words(&self) -> String {
        match &self.reason {
            Some(reason) => short(&format!("{}: {reason}", self.kind)),
            None => short(&self.kind),
        }
    }

    /// Type and reason up to where the store begins to quote the document, and the type of the cause.
    fn document_words(&self) -> String {
        // A quote may be the first word.
        let reason = format!(" {}", self.reason.as_deref().unwrap_or_default());
        let quote = QUOTING_WORDS.iter().filter_map(|words| Some(reason.find(words)? + words.len())).min();
        let told = match quote {
            Some(end) => format!("{}…", reason[..end].trim_end_matches(['\'', '"', ' '])),
            None => reason,
        };
        match &self.caused_by {
            Some(cause) => short(&format!("{}:{told} ({})", self.kind, cause.kind)),
            None => short(&format!("{}:{told}", self.kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const STATUSES: [u16; 14] = [0, 100, 200, 201, 204, 301, 400, 401, 403, 404, 409, 413, 429, 503];
    const KINDS: [&str; 5] =
        ["", "mapper_parsing_exception", "cluster_block_exception", "illegal_argument_exception", "x"];

    fn status() -> impl Strategy<Value = u16> {
        prop_oneof![9 => prop::sample::select(&STATUSES[..]), 1 => any::<u16>()]
    }

    /// An item as stores answer it, or nearly.
    fn item() -> impl Strategy<Value = Value> {
        let kind = prop::sample::select(&KINDS[..]);
        (status(), kind, 0..6_u8).prop_map(|(status, kind, shape)| match shape {
            0 => json!({"create": {"status": status, "error": {"type": kind, "reason": kind}}}),
            1 => json!({"index": {"status": status}}),
            2 => json!({"create": {"status": status, "error": kind}}),
            3 => json!({"create": {"status": status, "error": null}}),
            _ => json!({"create": {"status": status}}),
        })
    }

    /// An answer whole, cut off or not the store's at all.
    fn body() -> impl Strategy<Value = Vec<u8>> {
        let items = prop::collection::vec(item(), 0..6);
        let whole =
            (items, any::<bool>()).prop_map(|(items, errors)| json!({"errors": errors, "items": items}).to_string());
        let error = prop::sample::select(&KINDS[..]).prop_map(|kind| json!({"error": {"type": kind}}).to_string());
        let cut = (prop_oneof![3 => whole, 1 => error], prop_oneof![3 => Just(1.0), 1 => 0.0..1.0_f64]);
        prop_oneof![
            6 => cut.prop_map(|(text, part)| text.as_bytes()[..(text.len() as f64 * part) as usize].to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..40),
            1 => Just(b"<html>welcome".to_vec()),
        ]
    }

    /// Read again, without any of this file: which items are stored just now, and which were there.
    fn told(body: &[u8], status: u16) -> Vec<(bool, bool)> {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let items = answer["items"].as_array().filter(|_| status == 200).cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| if item["create"].is_object() { &item["create"] } else { &item["index"] })
            .map(|one| (one["error"].is_null() && (one["status"] == 200 || one["status"] == 201), one["status"] == 409))
            .collect()
    }

    fn words(verdict: &Verdict) -> &str {
        match verdict {
            Verdict::Delivered | Verdict::Repeated | Verdict::Split => "",
            Verdict::Retry { reason, .. }
            | Verdict::Hold { reason, .. }
            | Verdict::Rewrap { reason }
            | Verdict::Park { reason } => reason,
        }
    }

    #[test]
    fn an_answer_of_equal_new_items_is_counted_without_parsing_each() {
        let rows: &[(&str, Option<usize>)] = &[
            (r#"{"errors":false,"took":3,"items":[{"create":{"status":201}}]}"#, Some(1)),
            (r#"{"took":3,"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}"#, Some(2)),
            (r#"{"items":[ {"index":{"status":200}},{"index":{"status":200}}]}"#, Some(2)),
            // Another reading has to judge these.
            ("", None),
            (r#"{"items":[]}"#, None),
            (r#"{"items":[{"create":{"status":201}},{"create":{"status":200}}]}"#, None),
            (r#"{"items":[{"create":{"status":201}},{"create":{"status":409}}]}"#, None),
            (r#"{"items":[{"create":{"status":429}},{"create":{"status":429}}]}"#, None),
            (r#"{"items":[{"create":{"status":201,"error":"x"}}]}"#, None),
            (r#"{"items":[{"create":{"status":201}},{"create":{"status":201}}"#, None),
            (r#"{"items":[{"create":{"status":201}},{"create":{"status":201}},]}"#, None),
            (r#"{"items":[{"create":{"status":201}}{"create":{"status":201}}]}"#, None),
            (r#"{"items":[{"create":{"status":201}}]} x"#, None),
            (r#""items":[{"create":{"status":201}}]}"#, None),
            (r#"{"a":{"items":[{"create":{"status":201}},{"create":{"status":201}}]}}"#, None),
            (r#"{"a":{"items":[{"create":{"status":201}}]},"items":[{"create":{"status":201}}]}"#, None),
            (
                r#"{"a":{"items":[{"create":{"status":201}},{"create":{"status":201}}]},"items":[{"create":{"status":201}}]}"#,
                None,
            ),
            (r#"{"items":[{"create":{"status":201}}],"errors":false}"#, None),
            (r#"{"items":[],"items":[{"create":{"status":201}}]}"#, None),
        ];
        for (body, count) in rows {
            assert_eq!(count_of_new(body.as_bytes()), *count, "{body}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

        /// Counting equal items is no other reading than parsing each.
        #[test]
        fn equal_items_are_counted_as_parsed(one in item(), other in item(), count in 1..6_usize, at in 0..12_usize) {
            let mut items = vec![one; count];
            items.extend((at < count).then_some(other));
            let length = items.len();
            items.swap(at.min(length - 1), length - 1);
            let text = json!({"took": 3, "errors": false, "items": items}).to_string();
            let parsed: Body<'_> = serde_json::from_str(&text).unwrap();
            let is_new = parsed.items.iter().all(|item| item.create.is_new());
            match count_of_new(text.as_bytes()) {
                Some(counted) => prop_assert!(counted == length && is_new),
                None => prop_assert!(!is_new || items.windows(2).any(|pair| pair[0] != pair[1])),
            }
        }

        /// Whatever comes, nothing counts as delivered of which the answer does not say so by itself.
        #[test]
        fn only_what_is_said_to_be_stored_is_delivered(
            (status, body, sent) in (status(), body(), 1..6_usize),
            rewrapped in any::<Option<u8>>(),
            retry_after in prop::sample::select(&[None, Some("99999999999999999999"), Some("18446744073709551615"), Some("Sun, 99")][..]),
        ) {
            let response = Response { status, retry_after, now_ms: i64::MIN, body: &body };
            let told = told(&body, status);
            let verdicts = match answer(&response, sent, rewrapped.map(usize::from)) {
                Answer::Items(verdicts) => verdicts,
                Answer::Whole(verdict) => vec![verdict; sent],
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(verdicts.len(), sent);
            for (index, verdict) in verdicts.iter().enumerate() {
                let (is_new, was_there) = told.get(index).copied().unwrap_or_default();
                let is_counted = told.len() == sent;
                prop_assert!(*verdict != Verdict::Delivered || (is_new && is_counted), "{verdict:?}");
                prop_assert!(*verdict != Verdict::Repeated || (was_there && is_counted), "{verdict:?}");
                prop_assert!(*verdict != Verdict::Split || sent > 1);
                prop_assert!(rewrapped.is_none() || !matches!(verdict, Verdict::Rewrap { .. }), "for ever");
                prop_assert!(words(verdict).chars().count() < 300 && !words(verdict).contains('\n'));
            }
        }
    }
}
