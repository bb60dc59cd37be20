//! Pushes, what is not sent at all, and the reading of every answer in the table of verdicts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::tests::{Given, SEEN_MS, encode, encoder, framed, given, web};
use super::super::{Answer, Encoder, Place, Response, Verdict};
use super::*;
use crate::base::records::{Fields, Key, Origin, Time};
use crate::base::source::Position;

fn loki(config: &str) -> Encoder {
    encoder(&format!("type = \"loki\"\n{config}"))
}

/// The one stream of a chunk, or none.
fn stream(encoder: &mut Encoder, fields: &Fields, lines: &[Given]) -> Option<Stream> {
    let (part, items) = encode(encoder, fields, lines);
    let body = framed(encoder, &part);
    let mut streams = entries(&body).unwrap();
    assert_eq!(
        String::from_utf8(push(&streams)),
        String::from_utf8(body),
        "taken apart and put together it is the same"
    );
    assert_eq!(streams.iter().map(|stream| stream.entries.len()).sum::<usize>(), items as usize);
    assert!(streams.len() <= 1);
    streams.pop()
}

fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_chunk_is_one_stream_of_records_with_their_own_nanoseconds() {
    let second = Given { position: Position { at: 43, tie: 7 }, ..given("hello") };
    let one = stream(&mut loki(""), &web(), &[given("hello"), second]).unwrap();
    let labels = [("container_name", "web"), ("service_name", "Shop"), ("host_name", "h1"), ("stream", "stdout")];
    assert_eq!(one.labels, strings(&labels));
    assert_eq!(selector(&one.labels), r#"{container_name="web",host_name="h1",service_name="Shop",stream="stdout"}"#);
    assert_eq!(
        one.entries.iter().map(|entry| entry.ns).collect::<Vec<_>>(),
        [SEEN_MS * 1_000_000 + 42, SEEN_MS * 1_000_000 + 43]
    );
    assert!(
        one.entries[0]
            .line
            .starts_with(r#"{"message":"hello","time":1763819254123,"level":"INFO","container_name":"web""#)
    );
    assert!(!one.entries[0].line.contains("@timestamp"));
    assert!(one.entries[0].metadata.is_empty());
}

#[test]
fn labels_are_chosen_and_kept_within_limits() {
    let long = "é".repeat(2000);
    let fields = |name: &str| Fields(vec![(Key::ContainerName, name.to_owned()), (Key::SourceName, "s".to_owned())]);
    let rows = [
        ("", "a", strings(&[("container_name", "a")])),
        ("labels = [\"source_name\"]", "a", strings(&[("source_name", "s")])),
        ("static_labels = { env = \"prod\" }", "a", strings(&[("container_name", "a"), ("env", "prod")])),
        ("", "", strings(&[("agent", "logferry")])),
        ("labels = []", "a", strings(&[("agent", "logferry")])),
        ("", &long, strings(&[("container_name", &"é".repeat(1024))])),
    ];
    for (config, name, expected) in rows {
        assert_eq!(stream(&mut loki(config), &fields(name), &[given("x")]).unwrap().labels, expected, "{config}");
    }
}

fn at(offset: Duration, ahead: bool) -> Given {
    let offset_ns = offset.as_nanos() as i64;
    let ns = SEEN_MS * 1_000_000 + if ahead { offset_ns } else { -offset_ns };
    Given { time: Time { ns, digits: 3, origin: Origin::Line }, position: Position { at: 0, tie: 1 }, ..given("x") }
}

#[test]
fn what_loki_would_refuse_for_its_time_is_parked_or_restamped() {
    let hours = |count: u64| Duration::from_secs(count * 3600);
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let rows = [
        (at(hours(0), false), "", true),
        (at(hours(167), false), "", true),
        (at(hours(168), false), "", false),
        (at(hours(169), false), "old_after = \"10d\"", true),
        (at(minutes(10), true), "", true),
        (at(minutes(11), true), "", false),
    ];
    for (given, config, is_sent) in rows {
        let mut encoder = loki(config);
        let sent = stream(&mut encoder, &web(), std::slice::from_ref(&given));
        let refused = encoder.refused();
        assert_eq!((sent.is_some(), refused.len()), (is_sent, usize::from(!is_sent)));
        if let Some(one) = refused.first() {
            let Place::Entry { labels, ns, metadata } = &one.place else { panic!("{:?}", one.place) };
            assert_eq!((labels["container_name"].as_str(), *ns, metadata.len()), ("web", given.time.ns, 0));
            assert!(one.id.starts_with(&format!("{ns}.")), "{}", one.id);
            assert!(serde_json::from_slice::<serde_json::Value>(&one.document).unwrap()["message"] == "x");
        }
        assert!(encoder.refused().is_empty(), "taken once");
        let ns = if is_sent { given.time.ns } else { SEEN_MS * 1_000_000 };
        let again = stream(&mut loki(&format!("{config}\nold = \"restamp\"")), &web(), &[given]).unwrap();
        assert_eq!(again.entries[0].ns, ns);
    }
}

#[test]
fn a_line_longer_than_loki_takes_is_parked_and_its_neighbours_are_sent() {
    let frame = stream(&mut loki(""), &web(), &[given("")]).unwrap().entries[0].line.len();
    for (length, is_sent) in [(262_144 - frame, true), (262_145 - frame, false)] {
        let mut encoder = loki("");
        let lines = [given("a"), given(&"x".repeat(length)), given("b")];
        let one = stream(&mut encoder, &web(), &lines).unwrap();
        assert_eq!(one.entries.len(), if is_sent { 3 } else { 2 });
        assert_eq!(encoder.refused().len(), usize::from(!is_sent));
    }
}

#[test]
fn a_bare_message_has_the_rest_as_metadata() {
    let clash = Given {
        own: vec![Key::Level],
        clash: vec![Key::Level],
        ..given(r#"{"level":30,"msg":"hi","a.b":{"c":1},"a_b":"2"}"#)
    };
    let many = format!("{{\"msg\":\"hi\"{}}}", (0..130).map(|index| format!(",\"k{index}\":1")).collect::<String>());
    let rows = [
        (given("plain"), "plain", strings(&[("level", "INFO"), ("source_name", "docker")])),
        (given(""), " ", strings(&[("level", "INFO"), ("source_name", "docker")])),
        (
            clash,
            "hi",
            strings(&[("a_b", "{\"c\":1}"), ("level", "30"), ("logferry_level", "INFO"), ("source_name", "docker")]),
        ),
        (given(r#"{"a":1}"#), r#"{"a":1}"#, strings(&[("level", "INFO"), ("source_name", "docker")])),
        (
            Given { cut: true, ..given("half") },
            "half",
            strings(&[("level", "INFO"), ("logferry_cut", "true"), ("source_name", "docker")]),
        ),
    ];
    for (given, line, metadata) in rows {
        let (part, _) = encode(&mut loki("line = \"message\""), &web(), &[given]);
        let entry = entries(&framed(&loki(""), &part)).unwrap().remove(0).entries.remove(0);
        assert_eq!((entry.line.as_str(), entry.metadata), (line, metadata));
    }
    let (part, _) = encode(&mut loki("line = \"message\""), &web(), &[given(&many)]);
    let entry = entries(&framed(&loki(""), &part)).unwrap().remove(0).entries.remove(0);
    assert!(
        entry.metadata.is_empty() && entry.line.contains("\"k129\":1,\"time\""),
        "too many: the record is the line"
    );
}

#[test]
fn parts_of_several_chunks_make_one_push() {
    let mut encoder = loki("");
    let (part, _) = encode(&mut encoder, &web(), &[given("x")]);
    let body = [encoder.head(), part.as_bytes(), encoder.separator(), part.as_bytes(), encoder.tail()].concat();
    assert_eq!(entries(&body).unwrap().len(), 2);
    for wrong in [
        "",
        "{}",
        r#"{"streams":[{"stream":{},"values":[["x","y"]]}]}"#,
        r#"{"streams":[{"stream":{},"values":[["1"]]}]}"#,
    ] {
        assert!(entries(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let odd = BTreeMap::from([("a".to_owned(), "q\"\\\n".to_owned())]);
    assert_eq!(selector(&odd), "{a=\"q\\\"\\\\\\n\"}");
}

fn name(answer: &Answer) -> &'static str {
    match answer {
        Answer::Whole(Verdict::Delivered) => "delivered",
        Answer::Whole(Verdict::Retry { .. }) => "retry",
        Answer::Whole(Verdict::Split) => "split",
        Answer::Whole(Verdict::Hold { .. }) => "hold",
        Answer::Whole(Verdict::Park { .. }) => "park",
        Answer::Partly { .. } => "partly",
        Answer::PartlyRetry { .. } => "partly retry",
        _ => "never",
    }
}

/// A status, a body, how many lines were sent, what it means.
type Row = (u16, String, usize, &'static str);

fn check(rows: &[Row]) {
    for (status, body, items, expected) in rows {
        let response = Response { status: *status, retry_after: Some("3"), now_ms: 0, body: body.as_bytes() };
        let read = answer(&response, *items);
        assert_eq!(name(&read), *expected, "{status} {body}");
        assert!(!format!("{read:?}").contains("SECRET"));
        if let Answer::PartlyRetry { after, .. } | Answer::Whole(Verdict::Retry { after, .. }) = read {
            assert_eq!(after, Some(Duration::from_secs(3)));
        }
    }
}

#[test]
fn every_answer_that_is_no_refusal_for_now_has_its_verdict() {
    let unreadable = "loghttp.PushRequest.Streams: readStringSlowPath: unexpected end of input, error found in #10 byte of ...|SECRET|...";
    check(&[
        (204, String::new(), 2, "delivered"),
        (200, "<html>".to_owned(), 2, "hold"),
        (200, String::new(), 2, "hold"),
        (260, "ingestion blocked for user 'fake' until 'x' with status code '260'".to_owned(), 2, "hold"),
        (400, "entry for stream '{app=\"old\"}' has timestamp too old: 2026-11-14".to_owned(), 2, "partly"),
        (400, "50 errors like: entry for stream '{app=\"fut\"}' has timestamp too new".to_owned(), 2, "partly"),
        (400, "entry with timestamp x ignored, reason: 'entry too far behind'".to_owned(), 2, "partly"),
        (400, "max entry size '262144' bytes exceeded for stream".to_owned(), 2, "partly"),
        (400, "entry for stream '{a=\"b\"}' has 16 label names; limit 15".to_owned(), 1, "partly"),
        (400, unreadable.to_owned(), 2, "split"),
        (400, unreadable.to_owned(), 1, "park"),
        (400, "loghttp.PushRequest.Streams: unexpected EOF".to_owned(), 2, "split"),
        (400, "couldn't parse labels: 1:3: parse error".to_owned(), 1, "park"),
        (400, "multiple org IDs present".to_owned(), 2, "hold"),
        (400, "tenant ID '../x' contains unsupported character '/'".to_owned(), 2, "hold"),
        (400, "Content-Encoding \"zstd\" not supported".to_owned(), 2, "hold"),
        (400, "<html>400 Bad Request".to_owned(), 2, "hold"),
        (401, "no org id".to_owned(), 2, "hold"),
        (403, String::new(), 2, "hold"),
        (404, "404 page not found".to_owned(), 2, "hold"),
        (302, String::new(), 2, "hold"),
        (413, "request body too large".to_owned(), 2, "split"),
        (413, "request body too large".to_owned(), 1, "park"),
        (422, "error at least one valid stream is required for ingestion".to_owned(), 2, "park"),
    ]);
}

#[test]
fn every_answer_that_asks_for_patience_has_its_verdict() {
    let tenant = |total: u64| {
        format!(
            "ingestion rate limit exceeded for user fake (limit: 10485 bytes/sec) while attempting to ingest '1' lines totaling '{total}' bytes, reduce log volume"
        )
    };
    let stream = |total: &str, ignored: u64| {
        format!(
            "entry with timestamp 2026-11-22 11:41:36 +0000 UTC ignored, reason: 'Per stream rate limit exceeded (limit: 1KB/sec) while attempting to ingest for stream '{{app=\"r\"}}' totaling {total}, consider splitting a stream',\nuser 'fake', total ignored: {ignored} out of {ignored} for stream: {{app=\"r\"}}"
        )
    };
    check(&[
        (429, tenant(6000), 2, "retry"),
        (429, tenant(20_000), 2, "split"),
        (429, tenant(20_000), 1, "retry"),
        (429, stream("500B", 1), 2, "partly retry"),
        (429, stream("700B", 5), 5, "split"),
        (429, stream("1.5KB", 1), 2, "split"),
        (429, stream("3MB", 1), 1, "partly retry"),
        (
            429,
            "maximum active stream limit exceeded when trying to create stream {app=\"s2\"}".to_owned(),
            2,
            "partly retry",
        ),
        (429, "<html>slow down".to_owned(), 2, "retry"),
        (
            500,
            "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5009527 vs. 4194304)"
                .to_owned(),
            2,
            "split",
        ),
        (500, "rpc error: received message larger than max (5 vs. 4)".to_owned(), 1, "park"),
        (500, "rpc error: code = Unavailable".to_owned(), 2, "partly retry"),
        (503, "The server cannot accept more requests at this time.".to_owned(), 2, "retry"),
        (503, "circuit breaker open, request denied".to_owned(), 2, "retry"),
        (503, "Ingester is stopping".to_owned(), 2, "partly retry"),
        (504, "<html>".to_owned(), 2, "partly retry"),
    ]);
}
