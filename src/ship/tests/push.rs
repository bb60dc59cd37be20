//! Loki: pushes, lost answers and partial refusals, with a store that keeps what it took and can be asked.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::server::{Reply, Seen, Server, say};
use super::{batch, counts, destination, parked, ship};
use crate::base::batch::Batch;
use crate::base::clock;
use crate::base::metrics::Metric;

/// Labels, ns and line of all entries, in the order in which they came. Repeats stay.
pub(super) type Entries = Arc<Mutex<Vec<(Value, String, String)>>>;

/// `items` entries in two streams.
pub(super) fn push(items: u32) -> Batch {
    let now = clock::now_ns();
    let values = |from: u32, to: u32| {
        (from..to).map(|number| json!([(now + i64::from(number)).to_string(), format!("line {number}")])).collect()
    };
    let half = items / 2;
    let (first, second): (Vec<Value>, Vec<Value>) = (values(0, half), values(half, items));
    let body = json!({"streams": [
        {"stream": {"app": "a"}, "values": first},
        {"stream": {"app": "a", "stream": "stdout"}, "values": second},
    ]});
    batch(&body.to_string(), items)
}

fn entries(body: &str) -> Vec<(Value, String, String)> {
    let push: Value = serde_json::from_str(body).unwrap();
    let mut entries = Vec::new();
    for stream in push["streams"].as_array().unwrap() {
        for value in stream["values"].as_array().unwrap() {
            let text = |at: usize| value[at].as_str().unwrap().to_owned();
            entries.push((stream["stream"].clone(), text(0), text(1)));
        }
    }
    entries
}

pub(super) fn take(store: &Entries, seen: &Seen, keep: impl Fn(&str) -> bool) {
    store.lock().unwrap().extend(entries(&seen.body).into_iter().filter(|(_, _, line)| keep(line)));
}

/// Answers `query_range` as Loki does: a selector also matches streams with more labels; a page has `page` entries.
pub(super) fn query(store: &Entries, seen: &Seen) -> Reply {
    let parameter = |name: &str| {
        let found = seen.path.split(['?', '&']).find_map(|one| one.strip_prefix(&format!("{name}=")));
        found.unwrap().to_owned()
    };
    let number = |name: &str| parameter(name).parse::<i64>().unwrap();
    let wanted: Vec<(String, String)> = parameter("query")
        .trim_matches(['{', '}'])
        .split(',')
        .map(|one| one.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect();
    let mut found: Vec<_> = store
        .lock()
        .unwrap()
        .iter()
        .filter(|(labels, _, _)| wanted.iter().all(|(name, value)| labels[name] == value.as_str()))
        .filter(|(_, ns, _)| (number("start")..number("end")).contains(&ns.parse().unwrap()))
        .cloned()
        .collect();
    found.sort_by(|one, other| one.1.cmp(&other.1));
    found.truncate(usize::try_from(number("limit")).unwrap());
    let streams: Vec<Value> = found
        .into_iter()
        .map(|(labels, ns, line)| json!({"stream": labels, "values": [[ns, line, {"structuredMetadata": {}}]]}))
        .collect();
    say(200, json!({"status": "success", "data": {"resultType": "streams", "result": streams}}).to_string())
}

pub(super) fn is_query(seen: &Seen) -> bool {
    seen.method == "GET"
}

/// Delivers six entries to a store that answers pushes by `answer`; it can be asked if `readable`.
async fn check(
    name: &str,
    readable: bool,
    unsure: bool,
    mut answer: impl FnMut(usize, &Seen, &Entries) -> Reply + Send + 'static,
    expected: super::Counts,
    stored: usize,
) -> (Server, Vec<Value>, u64) {
    let store = Entries::default();
    let (kept, mut number) = (Arc::clone(&store), 0);
    let server = Server::start(move |seen| match (is_query(seen), readable) {
        (true, true) => query(&kept, seen),
        (true, false) => say(403, "no"),
        (false, _) => {
            number += 1;
            answer(number - 1, seen, &kept)
        }
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) = destination("loki", &format!("'{}'", server.url), "tenant = 't'", state.path());
    assert_eq!(ship(&destination, vec![Batch { unsure, ..push(6) }]).await, expected, "{name}");
    assert_eq!(store.lock().unwrap().len(), stored, "{name}");
    assert!(server.seen().iter().all(|seen| seen.tenant.as_deref() == Some("t")), "{name}");
    (server, parked(state.path()), metrics.total(Metric::UnsureRecords))
}

fn taken(_: usize, seen: &Seen, store: &Entries) -> Reply {
    take(store, seen, |_| true);
    say(204, "")
}

fn lost(number: usize, seen: &Seen, store: &Entries) -> Reply {
    take(store, seen, |line| number > 0 || line < "line 4");
    if number == 0 { Reply::HangUp } else { say(204, "") }
}

#[tokio::test]
async fn a_sure_push_is_not_asked_about() {
    let (server, ..) = check("sure", true, false, taken, counts(6, 0, 0), 6).await;
    assert_eq!(server.seen().len(), 1);
}

/// E8.
#[tokio::test]
async fn after_a_lost_answer_only_what_lacks_is_sent() {
    let (server, _, unsure) = check("lost", true, false, lost, counts(2, 4, 0), 6).await;
    let pushes: Vec<usize> =
        server.seen().iter().filter(|seen| !is_query(seen)).map(|seen| entries(&seen.body).len()).collect();
    assert_eq!((pushes, unsure), (vec![6, 2], 0));
}

#[tokio::test]
async fn a_batch_read_again_after_a_crash_is_asked_about_first() {
    let (server, ..) = check("unsure", true, true, taken, counts(6, 0, 0), 6).await;
    assert!(is_query(&server.seen()[0]));
}

/// A proxy that answers in loki's place, while loki is away, has not forbidden to read: what cannot be asked for would
/// be sent a second time.
#[tokio::test]
async fn a_question_that_nobody_answers_is_asked_again() {
    type Answer = fn() -> Reply;
    let rows: [(&str, Answer); 7] = [
        ("502", || say(502, "<html>bad gateway")),
        ("503", || say(503, "starting")),
        ("500", || say(500, "rpc error: code = Unavailable")),
        ("429", || say(429, "too many outstanding requests")),
        ("page", || say(200, "<html>sign in")),
        ("half", || say(200, "{\"data\":{\"result\":[{\"stream\":")),
        ("400 page", || say(400, "<html>bad request")),
    ];
    for (name, first) in rows {
        let store = Entries::default();
        let (kept, mut pushes, mut questions) = (Arc::clone(&store), 0, 0);
        let server = Server::start(move |seen| match is_query(seen) {
            true => {
                questions += 1;
                if questions < 7 { first() } else { query(&kept, seen) }
            }
            false => {
                pushes += 1;
                lost(pushes - 1, seen, &kept)
            }
        })
        .await;
        let state = tempfile::tempdir().unwrap();
        let (destination, metrics) = destination("loki", &format!("'{}'", server.url), "", state.path());
        assert_eq!(ship(&destination, vec![push(6)]).await, counts(2, 4, 0), "{name}");
        assert_eq!((store.lock().unwrap().len(), metrics.total(Metric::UnsureRecords)), (6, 0), "{name}");
    }
}

#[tokio::test]
async fn without_the_right_to_read_it_is_sent_again_and_counted() {
    let (_, _, unsure) = check("denied", false, false, lost, counts(6, 0, 0), 4 + 6).await;
    assert_eq!(unsure, 6);
}

/// E11.
#[tokio::test]
async fn after_a_partial_refusal_what_is_not_there_is_parked() {
    let partly = |_: usize, seen: &Seen, store: &Entries| {
        take(store, seen, |line| line != "line 2" && line != "line 5");
        say(400, "entry for stream '{app=\"a\"}' has timestamp too old")
    };
    let (server, parked, _) = check("partly", true, false, partly, counts(4, 0, 2), 4).await;
    assert_eq!(server.seen().iter().filter(|seen| !is_query(seen)).count(), 1);
    assert_eq!(parked.iter().map(|one| one["document"].clone()).collect::<Vec<_>>(), ["line 2", "line 5"]);
    assert_eq!(parked[1]["labels"], json!({"app": "a", "stream": "stdout"}));
    assert!(parked[0]["id"].as_str().unwrap().starts_with(parked[0]["ns"].as_str().unwrap()), "{parked:?}");
    assert!(parked[0]["reason"].as_str().unwrap().contains("timestamp too old"), "{parked:?}");
}

#[tokio::test]
async fn other_answers_keep_every_entry_once() {
    type Answer = fn() -> Reply;
    let rows: [(&str, Answer); 7] = [
        ("E12: 260", || say(260, "blocked")),
        ("401", || say(401, "no org id")),
        ("429", || say(429, "Ingestion rate limit exceeded for user fake")),
        ("500", || say(500, "at least 1 live replicas required")),
        ("page of a proxy", || say(200, "<html>")),
        ("gzip refused", || say(415, "no gzip here")),
        ("another 2xx", || say(202, "accepted")),
    ];
    for (name, first) in rows {
        let answer = move |number: usize, seen: &Seen, store: &Entries| match number {
            0 | 1 => first(),
            _ => taken(number, seen, store),
        };
        check(name, true, false, answer, counts(6, 0, 0), 6).await;
    }
}

/// E10.
#[tokio::test]
async fn a_push_that_is_too_large_is_halved() {
    let small = |number: usize, seen: &Seen, store: &Entries| match entries(&seen.body).len() {
        0..=2 => taken(number, seen, store),
        _ => say(500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4)"),
    };
    check("split", true, false, small, counts(6, 0, 0), 6).await;
}
