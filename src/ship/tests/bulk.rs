//! Elasticsearch and OpenSearch: every row of the table of answers, with a store that keeps what it took.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::server::{Reply, Seen, Server, say};
use super::{batch, counts, destination, parked, ship};
use crate::base::batch::Batch;
use crate::base::metrics::Metric;

/// The documents of a scripted store, by id.
pub(super) type Documents = Arc<Mutex<BTreeMap<String, String>>>;

pub(super) fn bulk(ids: std::ops::Range<u32>) -> Batch {
    let items = ids.end - ids.start;
    let lines = |id| format!("{{\"create\":{{\"_index\":\"i\",\"_id\":\"{id}\"}}}}\n{{\"message\":\"m{id}\"}}\n");
    batch(&ids.map(lines).collect::<String>(), items)
}

fn documents(body: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = body.lines().collect();
    let id =
        |action: &str| serde_json::from_str::<Value>(action).unwrap()["create"]["_id"].as_str().unwrap().to_owned();
    lines.chunks(2).map(|pair| (id(pair[0]), pair[1].to_owned())).collect()
}

/// Stores what is new, answers 409 for what is not, and what `refuse` says for what it refuses.
pub(super) fn take(store: &Documents, body: &str, mut refuse: impl FnMut(&str, &str) -> Option<Value>) -> String {
    let mut store = store.lock().unwrap();
    let mut items = Vec::new();
    for (id, document) in documents(body) {
        items.push(match refuse(&id, &document) {
            Some(refusal) => json!({ "create": refusal }),
            None if store.contains_key(&id) => {
                json!({"create": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "r"}}})
            }
            None => {
                store.insert(id, document);
                json!({"create": {"status": 201}})
            }
        });
    }
    let errors = items.iter().any(|item| item["create"]["status"] != 201);
    json!({ "took": 1, "errors": errors, "items": items }).to_string()
}

/// How a row's store answers. Called with the request's number from 0.
type Script = Box<dyn FnMut(usize, &Seen, &Documents) -> Reply + Send>;

pub(super) fn refused(status: u16, kind: &str) -> Value {
    json!({"status": status, "error": {"type": kind, "reason": "because"}})
}

pub(super) fn plain(store: &Documents, seen: &Seen) -> Reply {
    say(200, take(store, &seen.body, |_, _| None))
}

/// The first `times` requests get what `first` says; the others are taken.
fn at_first(times: usize, first: impl Fn() -> Reply + Send + 'static) -> Script {
    Box::new(move |number, seen, store| if number < times { first() } else { plain(store, seen) })
}

fn scripts() -> Vec<(&'static str, Script, super::Counts, Vec<&'static str>)> {
    let all = || counts(6, 0, 0);
    let flaky: Script = Box::new(|number, seen, store| {
        let busy = |id: &str| (number == 0 && id < "3").then(|| refused(429, "es_rejected_execution_exception"));
        say(200, take(store, &seen.body, |id, _| busy(id)))
    });
    let odd_document: Script = Box::new(|_, seen, store| {
        let odd = |id: &str, document: &str| match (id, document.contains("logferry_payload")) {
            ("2", false) | ("4", _) => Some(refused(400, "mapper_parsing_exception")),
            _ => None,
        };
        say(200, take(store, &seen.body, odd))
    });
    let poison: Script = Box::new(|_, seen, store| match seen.body.contains("m4") {
        true => say(400, r#"{"error":{"type":"illegal_argument_exception","reason":"r"},"status":400}"#),
        false => plain(store, seen),
    });
    let small: Script =
        Box::new(|_, seen, store| if seen.body.len() > 200 { say(413, "") } else { plain(store, seen) });
    let lost: Script = Box::new(|number, seen, store| {
        let reply = plain(store, seen);
        if number == 0 { Reply::HangUp } else { reply }
    });
    let fewer: Script = Box::new(|number, seen, store| {
        let mut answer: Value = serde_json::from_str(&take(store, &seen.body, |_, _| None)).unwrap();
        if number == 0 {
            answer["items"].as_array_mut().unwrap().truncate(2);
        }
        say(200, answer.to_string())
    });
    let more: Script = Box::new(|number, seen, store| {
        let mut answer: Value = serde_json::from_str(&take(store, &seen.body, |_, _| None)).unwrap();
        if number == 0 {
            answer["items"].as_array_mut().unwrap().push(json!({"create": {"status": 201}}));
        }
        say(200, answer.to_string())
    });
    let half_taken: Script = Box::new(|number, seen, store| {
        let odd = |id: &str| (number == 0 && id < "3").then(|| refused(201, "unknown"));
        say(200, take(store, &seen.body, |id, _| odd(id)))
    });
    let gzip_refused = at_first(1, || say(415, "Content-Encoding is not supported"));
    let forbidden: Script = Box::new(|number, seen, store| {
        let no = |id: &str| (number < 2 && id == "5").then(|| refused(403, "security_exception"));
        say(200, take(store, &seen.body, |id, _| no(id)))
    });
    vec![
        ("all taken", at_first(0, || say(500, "")), all(), vec!["012345"]),
        ("E1: items 429", flaky, all(), vec!["012345", "012"]),
        ("E6: items 400", odd_document, counts(5, 0, 1), vec!["012345", "24"]),
        ("E6: request 400", poison, counts(5, 0, 1), vec!["012345", "012", "345", "3", "45", "4", "5"]),
        ("E3: 413", small, all(), vec!["012345", "012", "345"]),
        ("E2, E8: answer lost", lost, counts(0, 6, 0), vec!["012345", "012345"]),
        ("E7: fewer items", fewer, counts(0, 6, 0), vec!["012345", "012345"]),
        ("E7: more items", more, counts(0, 6, 0), vec!["012345", "012345"]),
        ("E5: item 403", forbidden, all(), vec!["012345", "5", "5"]),
        ("E7: 201 that carries an error", half_taken, all(), vec!["012345", "012"]),
        ("gzip refused", gzip_refused, all(), vec!["012345"; 2]),
        ("E5: 401", at_first(2, || say(401, "no")), all(), vec!["012345"; 3]),
        ("E5: 404", at_first(1, || say(404, "no")), all(), vec!["012345"; 2]),
        ("E4: 429", at_first(2, || say(429, "{}")), all(), vec!["012345"; 3]),
        ("E4: 503", at_first(1, || say(503, "<html>")), all(), vec!["012345"; 2]),
        ("page of a proxy", at_first(1, || say(200, "<html>sign in")), all(), vec!["012345"; 2]),
        (
            "redirect",
            at_first(1, || Reply::Say(302, Some(("location", "http://u:p@x/".into())), String::new())),
            all(),
            vec!["012345"; 2],
        ),
        ("connection closed", at_first(2, || Reply::HangUp), all(), vec!["012345"; 3]),
    ]
}

#[tokio::test]
async fn every_answer_leaves_each_document_stored_once_or_parked() {
    for (name, mut script, expected, requests) in scripts() {
        let store = Documents::default();
        let (kept, mut number) = (Arc::clone(&store), 0);
        let server = Server::start(move |seen| {
            number += 1;
            script(number - 1, seen, &kept)
        })
        .await;
        let state = tempfile::tempdir().unwrap();
        let (destination, metrics) = destination("elasticsearch", &format!("'{}'", server.url), "", state.path());
        let parked_items = expected.parked;
        assert_eq!(ship(&destination, vec![bulk(0..6)]).await, expected, "{name}");
        let ids = |seen: &Seen| documents(&seen.body).into_iter().map(|(id, _)| id).collect::<String>();
        assert_eq!(server.seen().iter().map(ids).collect::<Vec<_>>(), requests, "{name}");
        assert_eq!(store.lock().unwrap().len() as u32 + parked_items, 6, "{name}");
        let parked = parked(state.path());
        assert_eq!(parked.len() as u32, parked_items, "{name}");
        assert!(parked.iter().all(|one| one["id"] == "4" && one["source"] == "app"), "{name}: {parked:?}");
        // As it was first sent, not as it was rewrapped, with all that sending it again takes.
        let document = |one: &Value| (one["index"].clone(), one["document"].clone());
        let expected = (json!("i"), json!({"message": "m4"}));
        assert!(parked.iter().all(|one| document(one) == expected), "{name}: {parked:?}");
        assert_eq!(metrics.total(Metric::Requests), requests.len() as u64, "{name}");
        assert_eq!((metrics.total(Metric::Held), destination.is_held()), (0, None), "{name}");
    }
}

/// E4: seconds, or a date of HTTP (RFC 9110 section 5.6.7), which has no parts of a second.
#[tokio::test]
async fn retry_after_is_waited_for() {
    let in_two_seconds = || {
        let date = jiff::Timestamp::now() + std::time::Duration::from_secs(2);
        date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let rows: [(u16, fn() -> String); 2] = [(503, || "1".to_owned()), (429, in_two_seconds)];
    for (status, asked) in rows {
        let store = Documents::default();
        let times: Arc<Mutex<Vec<std::time::Instant>>> = Arc::default();
        let log = Arc::clone(&times);
        let server = Server::start(move |seen| {
            let mut times = log.lock().unwrap();
            times.push(std::time::Instant::now());
            match times.len() {
                1 => Reply::Say(status, Some(("retry-after", asked())), String::new()),
                _ => plain(&store, seen),
            }
        })
        .await;
        let state = tempfile::tempdir().unwrap();
        let (destination, _) = destination("opensearch", &format!("'{}'", server.url), "", state.path());
        assert_eq!(ship(&destination, vec![bulk(0..2)]).await, counts(2, 0, 0));
        let times = times.lock().unwrap();
        let waited = times[1].duration_since(times[0]).as_millis();
        assert!(times.len() == 2 && (950..5000).contains(&waited), "{status}: {waited} ms");
    }
}

#[tokio::test]
async fn a_new_password_is_used_soon_after_its_file_changes() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("password");
    std::fs::write(&file, "wrong\n").unwrap();
    let store = Documents::default();
    let path = file.clone();
    let server = Server::start(move |seen| match seen.authorization.as_deref() {
        Some("Basic dTpyaWdodA==") => plain(&store, seen),
        _ => {
            std::fs::write(&path, "right\n").unwrap();
            say(401, "{}")
        }
    })
    .await;
    let more = format!("username = 'u'\npassword = {{ file = '{}' }}", file.display());
    let (destination, _) = destination("elasticsearch", &format!("'{}'", server.url), &more, state.path());
    assert_eq!(ship(&destination, vec![bulk(0..2)]).await, counts(2, 0, 0));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_dead_address_is_left_for_one_that_works() {
    let store = Documents::default();
    let server = Server::start(move |seen| plain(&store, seen)).await;
    let state = tempfile::tempdir().unwrap();
    let urls = format!("['http://127.0.0.1:1', '{}']", server.url);
    let (destination, metrics) = destination("elasticsearch", &urls, "", state.path());
    assert_eq!(ship(&destination, vec![bulk(0..2), bulk(2..4)]).await, counts(4, 0, 0));
    assert_eq!(metrics.total(Metric::Requests), 3, "the second batch does not try the dead one");
}

#[tokio::test]
async fn the_size_that_passed_is_remembered() {
    let store = Documents::default();
    let long = "x".repeat(60_000);
    let body = |ids: std::ops::Range<u32>| {
        let lines = |id| format!("{{\"create\":{{\"_index\":\"i\",\"_id\":\"{id}\"}}}}\n{{\"m\":\"{long}\"}}\n");
        ids.map(lines).collect::<String>()
    };
    let server = Server::start(move |seen| if seen.body.len() > 130_000 { say(413, "") } else { plain(&store, seen) });
    let server = server.await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) = destination("elasticsearch", &format!("'{}'", server.url), "", state.path());
    assert_eq!(ship(&destination, vec![batch(&body(0..4), 4), batch(&body(4..8), 4)]).await, counts(8, 0, 0));
    assert_eq!(metrics.total(Metric::Requests), 3 + 2);
}

#[tokio::test]
async fn a_full_parked_file_holds_the_output() {
    let store = Documents::default();
    let server = Server::start(move |seen| {
        say(200, take(&store, &seen.body, |_, _| Some(refused(400, "mapper_parsing_exception"))))
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) =
        destination("elasticsearch", &format!("'{}'", server.url), "parked_bytes = 10", state.path());
    let shipping = tokio::spawn({
        let destination = Arc::clone(&destination);
        async move { ship(&destination, vec![bulk(0..1)]).await }
    });
    while metrics.total(Metric::Held) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(destination.is_held().unwrap().contains("parked_bytes"), "{:?}", destination.is_held());
    shipping.abort();
    assert_eq!(server.seen().len(), 2, "refused, rewrapped, refused: then nothing more is sent");
}
