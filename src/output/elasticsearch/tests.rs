//! Bulk bodies, the reading of every answer in the table of verdicts, rewrapping, and the template.

use serde_json::{Value, json};

use super::super::tests::{Given, SEEN_MS, encode, encoder, given, web};
use super::super::{Answer, Config, Response, Verdict};
use super::*;
use crate::base::records::{Fields, Key, Origin, Time};
use crate::base::source::Position;

const DAY_MS: i64 = 86_400_000;

fn bulk(config: &str, fields: &Fields, lines: &[Given]) -> Vec<(Value, Value)> {
    let mut encoder = encoder(&format!("type = \"elasticsearch\"\n{config}"));
    let (out, count) = encode(&mut encoder, fields, lines);
    let items = items(out.as_bytes());
    assert_eq!(items.len(), count as usize);
    assert_eq!(items.iter().flat_map(|item| [item.action, item.document]).collect::<Vec<_>>().concat(), out.as_bytes());
    let parse = |line: &[u8]| serde_json::from_slice(line).unwrap();
    items.iter().map(|item| (parse(item.action), parse(item.document))).collect()
}

#[test]
fn an_item_is_a_create_with_an_id_and_the_record_with_a_timestamp() {
    let items = bulk("", &web(), &[given("hello")]);
    let expected = json!({"create": {"_index": "logferry-shop-2025.11.22", "_id": "0004hkaps9021a17"}});
    assert_eq!(items[0].0, expected);
    assert_eq!(items[0].1["message"], "hello");
    assert_eq!(items[0].1["@timestamp"], "2025-11-22T13:47:34.123000042Z");
    let before_1970 = Given { time: Time { ns: -5_000_000, digits: 3, origin: Origin::Line }, ..given("old") };
    let (_, document) = bulk("", &web(), &[before_1970]).remove(0);
    assert_eq!((&document["@timestamp"], &document["time"]), (&json!("1970-01-01T00:00:00.000000000Z"), &json!(-5)));
    let own = Given { own: vec![Key::Timestamp], ..given(r#"{"@timestamp":"2020-01-01T00:00:00Z"}"#) };
    assert_eq!(bulk("", &web(), &[own])[0].1["@timestamp"], "2020-01-01T00:00:00Z");
}

#[test]
fn ids_sort_as_positions_and_none_is_like_another() {
    let ats = [0, 1, 31, 32, 33, 1023, 1024, 1 << 30, 1 << 45, 1_763_819_254_123_456_789, u64::MAX];
    let ties = [0, 1, 31, 32, 1 << 20, u32::MAX];
    let positions = ats.into_iter().flat_map(|at| ties.map(|tie| Position { at, tie }));
    let lines: Vec<_> = positions.map(|position| Given { position, ..given("x") }).collect();
    let items = bulk("", &web(), &lines);
    let ids: Vec<_> = items.iter().map(|(action, _)| action["create"]["_id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}

#[test]
fn the_index_is_made_of_fields_and_time_and_is_valid() {
    let named = |service: &str| Fields(vec![(Key::ServiceName, service.to_owned())]);
    let long = "x".repeat(300);
    let rows = [
        ("logferry-{service_name}-{time:%Y.%m.%d}", "Web Shop/1", "logferry-web-shop-1-2025.11.22".to_owned()),
        ("{service_name}", "_-.+Ab", "ab".to_owned()),
        ("{service_name}", "..", "logferry".to_owned()),
        ("{service_name}", "a\"\\*?<>|,#:\u{1}b", "a-----------b".to_owned()),
        ("a-{stream}", "x", "a-none".to_owned()),
        ("app-{time:%Y-%m-%d-%H}", "x", "app-2025-11-22-13".to_owned()),
        ("App-{time:%G.%V}", "x", "app-2025.47".to_owned()),
        ("{service_name}-{time:%j}", &long, format!("{}-326", "x".repeat(100))),
        ("plain", "x", "plain".to_owned()),
    ];
    for (pattern, service, expected) in rows {
        let items = bulk(&format!("index = '{pattern}'"), &named(service), &[given("x")]);
        assert_eq!(items[0].0["create"]["_index"], expected, "{pattern}");
    }
    assert_eq!(bulk("data_stream = true", &web(), &[given("x")])[0].0["create"]["_index"], "logferry-shop");
}

#[test]
fn the_index_is_made_of_the_records_own_masked_fields_too() {
    let lines = [
        given(r#"{"tenant":"Acme Ltd","http":{"host":"a.example"}}"#),
        Given { level: None, ..given(r#"{"tenant":"[email]"}"#) },
        given("plain text"),
        given(r#"{"tenant":7,"http.host":"b"}"#),
        given(r#"{"tenant":"","http.host":"b"}"#),
    ];
    let items = bulk("index = 'x-{field:tenant}-{field:http.host}-{level}-{time:%Y}'", &web(), &lines);
    let indexes: Vec<_> = items.iter().map(|(action, _)| action["create"]["_index"].as_str().unwrap()).collect();
    let expected =
        ["x-acme-ltd-a.example-info-2025", "x-[email]-none-none-2025", "x-none-none-info-2025", "x-7-b-info-2025"];
    assert_eq!(indexes[..4], expected);
    assert_eq!(indexes[4], "x-none-b-info-2025");
}

#[test]
fn a_time_far_from_the_reading_does_not_choose_the_index() {
    let at = |ms: i64| Given { time: Time { ns: ms * 1_000_000, digits: 3, origin: Origin::Line }, ..given("x") };
    let rows = [
        (SEEN_MS, "2025.11.22"),
        (SEEN_MS - 30 * DAY_MS, "2025.10.23"),
        (SEEN_MS - 31 * DAY_MS, "2025.11.22"),
        (SEEN_MS + DAY_MS, "2025.11.23"),
        (SEEN_MS + 2 * DAY_MS, "2025.11.22"),
        (0, "2025.11.22"),
    ];
    let items = bulk("", &web(), &rows.map(|(ms, _)| at(ms)));
    for ((ms, day), (action, document)) in rows.iter().zip(items) {
        assert_eq!(action["create"]["_index"], format!("logferry-shop-{day}"));
        assert_eq!(document["time"], *ms, "the record keeps its own time");
    }
}

#[test]
fn half_an_item_is_no_item() {
    for (body, count) in
        [("", 0), ("{}\n", 0), ("{}\n{}", 0), ("{}\n{}\n", 1), ("{}\n{}\n{}\n", 1), ("a\nb\nc\nd\n", 2)]
    {
        assert_eq!(items(body.as_bytes()).len(), count, "{body:?}");
    }
}

fn item(status: u16, kind: &str, reason: &str) -> Value {
    match status {
        200 | 201 => json!({"create": {"status": status}}),
        _ => json!({"create": {"status": status, "error": {"type": kind, "reason": reason}}}),
    }
}

fn read(status: u16, body: &str, items: usize, rewrapped: Option<usize>) -> Answer {
    let response = Response { status, retry_after: Some("7"), now_ms: 0, body: body.as_bytes() };
    answer(&response, items, rewrapped)
}

/// A verdict without its words.
fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Repeated => "repeated",
        Verdict::Retry { .. } => "retry",
        Verdict::Split => "split",
        Verdict::Hold { .. } => "hold",
        Verdict::Rewrap { .. } => "rewrap",
        Verdict::Park { .. } => "park",
    }
}

fn names(answer: &Answer) -> Vec<&'static str> {
    match answer {
        Answer::Items(verdicts) => verdicts.iter().map(name).collect(),
        Answer::Whole(verdict) => vec!["whole", name(verdict)],
        Answer::Partly { .. } | Answer::PartlyRetry { .. } => vec!["partly"],
    }
}

#[test]
fn every_answer_about_an_item_has_its_verdict() {
    let flood = "index [logs1] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];";
    let rows = [
        (201, "", "", "delivered"),
        (200, "", "", "delivered"),
        (409, "version_conflict_engine_exception", "[a1]: version conflict, document already exists", "repeated"),
        (429, "es_rejected_execution_exception", "rejected execution of coordinating operation", "retry"),
        (429, "rejected_execution_exception", "rejected execution of coordinating operation", "retry"),
        (429, "circuit_breaking_exception", "[parent] Data too large", "retry"),
        (503, "unavailable_shards_exception", "[logs1][0] primary shard is not active Timeout: [1m]", "retry"),
        (500, "exception", "unknown", "retry"),
        (429, "cluster_block_exception", flood, "hold"),
        (403, "cluster_block_exception", "index [logs1] blocked by: [FORBIDDEN/8/index write (api)];", "hold"),
        (403, "security_exception", "no permissions for [indices:data/write/bulk[s]]", "hold"),
        (404, "index_not_found_exception", "no such index [nope]", "hold"),
        (400, "mapper_parsing_exception", "failed to parse", "rewrap"),
        (400, "document_parsing_exception", "[1:42] failed to parse field [n] of type [integer]", "rewrap"),
        (400, "strict_dynamic_mapping_exception", "mapping set to strict", "rewrap"),
        (400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded", "rewrap"),
        (400, "illegal_argument_exception", "mapper [a] cannot be changed from type [long] to [text]", "rewrap"),
        (400, "illegal_argument_exception", "pipeline with id [x] does not exist", "hold"),
        (400, "illegal_argument_exception", "no write index is defined for alias [x]", "hold"),
        (400, "validation_exception", "this action would add [2] shards, but this cluster has [1000]/[1000]", "hold"),
        (400, "invalid_index_name_exception", "Invalid index name [Upper], must be lowercase", "hold"),
        (413, "too_large", "", "park"),
    ];
    let body = json!({"errors": true, "items": rows.map(|(status, kind, reason, _)| item(status, kind, reason))});
    let read = read(200, &body.to_string(), rows.len(), None);
    assert_eq!(names(&read), rows.map(|(.., expected)| expected));
}

#[test]
fn every_answer_about_a_request_has_its_verdict() {
    let page = "<html><body>502 Bad Gateway</body></html>";
    let error = |kind: &str| json!({"error": {"root_cause": [], "type": kind, "reason": "x"}, "status": 0}).to_string();
    let all = |statuses: &[u16]| {
        json!({"errors": false, "items": statuses.iter().map(|one| item(*one, "", "")).collect::<Vec<_>>()}).to_string()
    };
    let rows: Vec<(u16, String, usize, &[&str])> = vec![
        (200, all(&[201, 201]), 2, &["whole", "delivered"]),
        (200, all(&[201]), 2, &["whole", "retry"]),
        (200, all(&[201, 201, 201]), 2, &["whole", "retry"]),
        (200, all(&[]), 2, &["whole", "retry"]),
        (200, "{\"errors\":false}".to_owned(), 1, &["whole", "retry"]),
        (200, r#"{"items":[{"create":{"status":201,"error":{"type":"x"}}}]}"#.to_owned(), 1, &["retry"]),
        (200, all(&[201, 201])[..30].to_owned(), 2, &["whole", "retry"]),
        (200, String::new(), 1, &["whole", "retry"]),
        (200, page.to_owned(), 1, &["whole", "hold"]),
        (400, error("illegal_argument_exception"), 2, &["whole", "split"]),
        (400, error("illegal_argument_exception"), 1, &["whole", "park"]),
        (400, page.to_owned(), 2, &["whole", "hold"]),
        (413, String::new(), 2, &["whole", "split"]),
        (413, String::new(), 1, &["whole", "park"]),
        (401, "Unauthorized".to_owned(), 2, &["whole", "hold"]),
        (403, error("security_exception"), 2, &["whole", "hold"]),
        (404, page.to_owned(), 2, &["whole", "hold"]),
        (405, "{\"error\":\"Incorrect HTTP method\",\"status\":405}".to_owned(), 2, &["whole", "hold"]),
        (301, String::new(), 2, &["whole", "hold"]),
        (202, String::new(), 2, &["whole", "hold"]),
        (408, String::new(), 2, &["whole", "retry"]),
        (429, error("es_rejected_execution_exception"), 2, &["whole", "retry"]),
        (429, error("cluster_block_exception"), 2, &["whole", "hold"]),
        (429, page.to_owned(), 2, &["whole", "retry"]),
        (502, page.to_owned(), 2, &["whole", "retry"]),
        (503, error("cluster_block_exception"), 2, &["whole", "retry"]),
        (504, String::new(), 2, &["whole", "retry"]),
    ];
    for (status, body, items, expected) in rows {
        assert_eq!(names(&read(status, &body, items, None)), expected, "{status} {body}");
    }
    let Answer::Whole(Verdict::Retry { after, reason }) = read(503, "", 1, None) else { panic!("not a retry") };
    assert_eq!((after, reason.as_str()), (Some(std::time::Duration::from_secs(7)), "status 503"));
}

#[test]
fn reasons_never_quote_the_document() {
    let rows = [
        "failed to parse field [n] of type [integer] in document with id 'a2'. Preview of field's value: 'SECRET it's'",
        "Preview of field's value: 'SECRET'",
        "[1:6] failed to parse: unexpected end\n at [Source: (byte[])\"{\"d\":\"SECRET\"}\"; line: 1]",
        "For input string: \"SECRET\"",
        "failed to parse date field [SECRET] with format [strict_date_optional_time]",
        "Failed to parse value [SECRET] as only [true] or [false] are allowed.",
        "Numeric value (SECRET) out of range of long",
        "Document contains at least one immense term. The prefix of the first immense term is: '[SECRET]...'",
        "'SECRET' is not an IP string literal.",
        " \"SECRET\" is odd",
    ];
    for reason in rows {
        let cause = json!({"type": "number_format_exception", "reason": "For input string: \"SECRET\""});
        let error = json!({"type": "mapper_parsing_exception", "reason": reason, "caused_by": cause});
        let body = json!({"items": [{"create": {"status": 400, "error": error}}]});
        let Answer::Items(verdicts) = read(200, &body.to_string(), 1, None) else { panic!("not by item") };
        let Verdict::Rewrap { reason } = &verdicts[0] else { panic!("{verdicts:?}") };
        assert!(!reason.contains("SECRET"), "{reason}");
        assert!(
            reason.starts_with("mapper_parsing_exception") && reason.contains("number_format_exception"),
            "{reason}"
        );
    }
    let body = json!({"error": {"type": "illegal_argument_exception", "reason": "Malformed line, but found [SECRET]"}});
    assert!(!format!("{:?}", read(400, &body.to_string(), 1, None)).contains("SECRET"));
}

#[test]
fn what_is_refused_again_is_parked_unless_the_index_is_at_fault() {
    // Refused again, stored, how many went to the index at first.
    let rows = [
        (1, 0, 1, "park"),
        (9, 0, 9, "park"),
        (10, 0, 10, "hold"),
        (10, 10, 20, "park"),
        (10, 9, 19, "hold"),
        (10, 0, 20, "park"),
        (10, 0, 10_000, "park"),
        (200, 0, 300, "hold"),
    ];
    for (refused, fine, of_index, expected) in rows {
        let mut items = vec![item(400, "mapper_parsing_exception", "x"); refused];
        items.extend(vec![item(201, "", ""); fine]);
        let read = read(200, &json!({"items": items}).to_string(), refused + fine, Some(of_index));
        assert_eq!(names(&read)[..refused], vec![expected; refused], "{refused} of {of_index}");
    }
}

#[test]
fn a_rewrapped_document_keeps_what_fits_and_all_of_the_rest_as_text() {
    let rows = [
        (
            r#"{"a":{"b":1},"time":5,"level":"INFO","host_name":"h"}"#,
            json!({"time": 5, "level": "INFO", "host_name": "h"}),
        ),
        (
            r#"{"time":"12:00","logferry_time":6,"level":30,"logferry_level":"INFO"}"#,
            json!({"time": 6, "level": "INFO"}),
        ),
        (r#"{"level":["x"],"service_name":{"a":1},"stream":null,"time":1.5}"#, json!({})),
        (r#"{"@timestamp":"2025-11-22T13:47:34.123000042Z"}"#, json!({"@timestamp": "2025-11-22T13:47:34.123000042Z"})),
        (
            r#"{"@timestamp":"soon","logferry_@timestamp":"2025-11-22T13:47:34Z"}"#,
            json!({"@timestamp": "2025-11-22T13:47:34Z"}),
        ),
        (r#"{"time":1e999,"time":7}"#, json!({"time": 7})),
        ("not JSON \"", json!({})),
        ("", json!({})),
    ];
    for (document, mut expected) in rows {
        let out = rewrap(format!("{document}\n").as_bytes(), "some_exception");
        expected["logferry_payload"] = json!(document);
        expected["logferry_refused"] = json!("some_exception");
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
        assert!(!out.contains(&b'\n'));
    }
}

fn template(config: &str) -> Option<(String, Value)> {
    let config: Config = toml::from_str(&format!("type = \"elasticsearch\"\n{config}")).unwrap();
    let template = Template::new(&config)?;
    Some((template.name, serde_json::from_slice(&template.body).unwrap()))
}

#[test]
fn the_template_covers_the_index_and_nothing_of_others() {
    let rows = [
        ("", Some(("logferry", "logferry-*-*"))),
        ("data_stream = true", Some(("logferry.logferry-any", "logferry-*"))),
        ("index = \"App-{time:%Y}{service_name}x\"", Some(("logferry.app-anyx", "app-*x"))),
        ("index = \"plain\"", Some(("logferry.plain", "plain"))),
        ("index = \"{service_name}-logs\"", None),
        ("template = \"off\"", None),
    ];
    for (config, expected) in rows {
        let made = template(config);
        let told = made.as_ref().map(|(name, body)| (name.as_str(), body["index_patterns"][0].as_str().unwrap()));
        assert_eq!(told, expected, "{config}");
    }
}

#[test]
fn the_template_takes_ordinary_mixtures() {
    let (_, body) = template("").unwrap();
    let inner = &body["template"];
    assert_eq!(inner["settings"]["index.mapping.ignore_malformed"], true);
    assert!(body["priority"].as_u64().unwrap() < 100);
    for (field, kind) in
        [("@timestamp", "date_nanos"), ("time", "date"), ("level", "keyword"), ("logferry_level", "keyword")]
    {
        assert_eq!(inner["mappings"]["properties"][field]["type"], kind);
    }
    assert!(body.get("data_stream").is_none());
    let (_, stream) = template("data_stream = true").unwrap();
    assert_eq!(stream["data_stream"], json!({}));
}

#[test]
fn answers_about_the_template_are_read() {
    let response =
        |status, body: &'static str| Response { status, retry_after: None, now_ms: 0, body: body.as_bytes() };
    assert_eq!(presence(&response(200, "{}")), Presence::There);
    assert_eq!(presence(&response(404, "{}")), Presence::Absent);
    assert!(matches!(presence(&response(403, "no")), Presence::Unknown { reason } if reason == "status 403 no"));
    assert_eq!(put(&response(200, "{\"acknowledged\":true}")), Ok(()));
    assert!(put(&response(200, "<html>")).is_err());
    let refused = "{\"error\":{\"type\":\"illegal_argument_exception\",\"reason\":\"same priority\"},\"status\":400}";
    assert_eq!(put(&response(400, refused)), Err("same priority".to_owned()));
}
