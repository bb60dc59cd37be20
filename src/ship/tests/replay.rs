//! Parked records sent again, to stores that keep what they took.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{Destination, Kept, Replayed, Selection};
use super::bulk::{Documents, bulk, plain, refused, take};
use super::push::{Entries, is_query, push, query};
use super::server::{Server, say};
use super::{counts, destination, parked, ship};
use crate::base::metrics::Metric;

const WAIT: Duration = Duration::from_secs(20);

/// A bulk store that refuses every document with these words in it, and counts its refusals in the reason.
async fn picky(store: &Documents, words: &'static [&'static str]) -> Server {
    let (store, mut refusals) = (Arc::clone(store), 0);
    Server::start(move |seen| {
        let refuse = |_: &str, document: &str| {
            let is_refused = words.iter().any(|words| document.contains(words));
            is_refused.then(|| {
                refusals += 1;
                let mut refusal = refused(400, "mapper_parsing_exception");
                refusal["error"]["reason"] = json!(format!("refusal {refusals}"));
                refusal
            })
        };
        say(200, take(&store, &seen.body, refuse))
    })
    .await
}

/// Delivered, repeated, refused, left.
fn tally(replayed: &Replayed) -> [u64; 4] {
    [replayed.delivered, replayed.repeated, replayed.refused, replayed.left]
}

async fn replay(destination: &Arc<Destination>) -> Replayed {
    destination.replay(&Selection::default(), WAIT).await.unwrap()
}

fn edit(destination: &Destination, id: &str, document: &str) {
    let parked = destination.parked().unwrap();
    let mut edited: Vec<Kept> = Vec::new();
    parked.each(&mut |kept| edited.push(kept)).unwrap();
    edited.retain(|kept| kept.id == id);
    let edited: Vec<Kept> = edited.into_iter().map(|kept| kept.with_text(document)).collect();
    assert_eq!(edited.len(), 1, "{id}");
    parked.edit(&edited).unwrap();
}

fn reason(state: &Path) -> Value {
    parked(state)[0]["reason"].clone()
}

/// The way of a record that the mapping does not take, to its end.
#[tokio::test]
async fn refused_parked_refused_again_edited_and_stored_once() {
    let store = Documents::default();
    let server = picky(&store, &["m2"]).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) = destination("elasticsearch", &format!("'{}'", server.url), "", state.path());
    assert_eq!(ship(&destination, vec![bulk(0..6)]).await, counts(5, 0, 1));
    assert_eq!(reason(state.path()), "mapper_parsing_exception: refusal 2");

    assert_eq!(tally(&replay(&destination).await), [0, 0, 1, 0]);
    assert_eq!(reason(state.path()), "mapper_parsing_exception: refusal 4", "tried as it is, and as text");
    assert_eq!(parked(state.path())[0]["document"], json!({"message": "m2"}));

    edit(&destination, "2", r#"{"message":"mended"}"#);
    let file = state.path().join("parked/store.ndjson");
    let before = std::fs::read(&file).unwrap();
    assert_eq!(tally(&replay(&destination).await), [1, 0, 0, 0]);
    assert_eq!(store.lock().unwrap()["2"], r#"{"message":"mended"}"#);
    assert!(parked(state.path()).is_empty());

    // A crash after the store's answer, before the record was taken out of the file.
    std::fs::write(&file, before).unwrap();
    assert_eq!(tally(&replay(&destination).await), [0, 1, 0, 0]);
    assert_eq!((store.lock().unwrap().len(), parked(state.path()).len()), (6, 0));
    assert_eq!(tally(&replay(&destination).await), [0; 4]);
    assert_eq!((metrics.total(Metric::ReplayedRecords), metrics.total(Metric::ParkedRecords)), (2, 1));
}

/// In normal work many refusals hold the output, for the index is at fault. Here each record is judged by itself.
#[tokio::test]
async fn many_records_go_in_several_batches_and_each_has_its_own_fate() {
    let store = Documents::default();
    let server = picky(&store, &["m", "n"]).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) = destination("opensearch", &format!("'{}'", server.url), "", state.path());
    for first in (0..30).step_by(5) {
        assert_eq!(ship(&destination, vec![bulk(first..first + 5)]).await, counts(0, 0, 5));
    }
    let replayed = replay(&destination).await;
    assert_eq!((tally(&replayed), &replayed.trouble), ([0, 0, 30, 0], &None));
    assert_eq!((parked(state.path()).len(), metrics.total(Metric::Held)), (30, 0));

    for id in 0..29 {
        edit(&destination, &id.to_string(), &format!("{{\"id\":{id}}}"));
    }
    assert_eq!(tally(&replay(&destination).await), [29, 0, 1, 0]);
    assert_eq!((store.lock().unwrap().len(), parked(state.path())[0]["id"].clone()), (29, json!("29")));
}

#[tokio::test]
async fn only_the_selected_records_are_sent() {
    let store = Documents::default();
    let server = picky(&store, &["m1", "m2"]).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, _) = destination("elasticsearch", &format!("'{}'", server.url), "", state.path());
    assert_eq!(ship(&destination, vec![bulk(0..3)]).await, counts(1, 0, 2));
    edit(&destination, "1", "{}");
    edit(&destination, "2", "{}");
    let selection = Selection { ids: ["2".to_owned()].into(), ..Selection::default() };
    assert_eq!(tally(&destination.replay(&selection, WAIT).await.unwrap()), [1, 0, 0, 0]);
    assert_eq!(parked(state.path())[0]["id"], "1");
}

/// Nobody is waited for: what the store does not take now stays as it is, and the reason is told.
#[tokio::test]
async fn a_store_that_takes_nothing_ends_the_replay() {
    let state = tempfile::tempdir().unwrap();
    let store = Documents::default();
    let server = picky(&store, &["m"]).await;
    let (first, _) = destination("elasticsearch", &format!("'{}'", server.url), "", state.path());
    assert_eq!(ship(&first, vec![bulk(0..5)]).await, counts(0, 0, 5));
    let before = parked(state.path());

    let denying = Server::start(|_| say(401, r#"{"error":{"type":"security_exception"},"status":401}"#)).await;
    let (denied, metrics) = destination("elasticsearch", &format!("'{}'", denying.url), "", state.path());
    let replayed = replay(&denied).await;
    assert_eq!(tally(&replayed), [0, 0, 0, 5]);
    assert!(replayed.trouble.unwrap().contains("security_exception"));
    assert!(replayed.hint.unwrap().contains("password"));
    assert_eq!((metrics.total(Metric::Held), denying.seen().len()), (0, 1));

    let (away, _) = destination("elasticsearch", "'http://127.0.0.1:1'", "", state.path());
    let began = Instant::now();
    let replayed = away.replay(&Selection::default(), Duration::from_millis(200)).await.unwrap();
    assert_eq!(tally(&replayed), [0, 0, 0, 5]);
    assert!(replayed.trouble.unwrap().contains("127.0.0.1:1"));
    assert!(began.elapsed() < WAIT);
    assert_eq!(parked(state.path()), before);
}

/// A replay needs no room: it works where the file is full, and the held output goes on by itself.
#[tokio::test]
async fn a_replay_makes_room_for_an_output_that_was_held() {
    let store = Documents::default();
    let kept = Arc::clone(&store);
    let is_mended = Arc::new(Mutex::new(false));
    let mended = Arc::clone(&is_mended);
    let server = Server::start(move |seen| match *mended.lock().unwrap() {
        true => plain(&kept, seen),
        false => say(200, take(&kept, &seen.body, |_, _| Some(refused(400, "mapper_parsing_exception")))),
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) =
        destination("elasticsearch", &format!("'{}'", server.url), "parked_bytes = 350", state.path());
    let shipping = tokio::spawn({
        let destination = Arc::clone(&destination);
        async move { ship(&destination, vec![bulk(0..1), bulk(1..3)]).await }
    });
    while metrics.total(Metric::Held) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(parked(state.path()).len(), 1);
    *is_mended.lock().unwrap() = true;
    assert_eq!(tally(&replay(&destination).await), [1, 0, 0, 0]);
    // The two that were refused already are parked now that there is room.
    let settled = tokio::time::timeout(WAIT, shipping).await.unwrap().unwrap();
    assert_eq!((settled, metrics.total(Metric::Held)), (counts(0, 0, 3), 0));
    assert_eq!(tally(&replay(&destination).await), [2, 0, 0, 0]);
    assert_eq!(store.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn records_of_an_older_layout_are_left_and_the_others_sent() {
    let store = Documents::default();
    let server = picky(&store, &["m"]).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, _) = destination("elasticsearch", &format!("'{}'", server.url), "", state.path());
    assert_eq!(ship(&destination, vec![bulk(0..1)]).await, counts(0, 0, 1));
    edit(&destination, "0", "{}");
    let file = state.path().join("parked/store.ndjson");
    let placeless = r#"{"id":"a","output":"store","source":"app","time_ms":1,"reason":"r","document":{}}"#;
    std::fs::write(&file, format!("{placeless}\n{}", std::fs::read_to_string(&file).unwrap())).unwrap();
    let replayed = replay(&destination).await;
    assert_eq!(tally(&replayed), [1, 0, 0, 1]);
    assert!(replayed.trouble.is_some());
    assert_eq!(parked(state.path())[0]["id"], "a");
    assert_eq!(tally(&replay(&destination).await), [0, 0, 0, 1], "alone, nothing is sent");
}

/// Loki is asked first, so that what a crash left in the file is not sent again; ids stay what they were.
#[tokio::test]
async fn loki_gets_what_it_lacks_at_its_own_time() {
    let store = Entries::default();
    let (kept, is_mended) = (Arc::clone(&store), Arc::new(Mutex::new(false)));
    let mended = Arc::clone(&is_mended);
    let server = Server::start(move |seen| match (is_query(seen), *mended.lock().unwrap()) {
        (true, _) => query(&kept, seen),
        (false, false) => {
            super::push::take(&kept, seen, |line| line != "line 2" && line != "line 5");
            say(400, "entry for stream '{app=\"a\"}' has timestamp too old")
        }
        (false, true) => {
            super::push::take(&kept, seen, |_| true);
            say(204, "")
        }
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let (destination, _) = destination("loki", &format!("'{}'", server.url), "", state.path());
    assert_eq!(ship(&destination, vec![push(6)]).await, counts(4, 0, 2));
    let before = std::fs::read(state.path().join("parked/store.ndjson")).unwrap();
    assert_eq!(tally(&replay(&destination).await), [0, 0, 2, 0]);
    assert_eq!(parked(state.path()).len(), 2);

    *is_mended.lock().unwrap() = true;
    assert_eq!(tally(&replay(&destination).await), [2, 0, 0, 0]);
    std::fs::write(state.path().join("parked/store.ndjson"), &before).unwrap();
    assert_eq!(tally(&replay(&destination).await), [0, 2, 0, 0]);

    let store = store.lock().unwrap();
    let mut lines: Vec<_> = store.iter().map(|(labels, ns, line)| (ns.clone(), line.clone(), labels.clone())).collect();
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(lines.len(), 6);
    for (number, (_, line, labels)) in lines.iter().enumerate() {
        assert_eq!((line, labels.get("stream").is_some()), (&format!("line {number}"), number >= 3));
    }
}

#[tokio::test]
async fn an_output_that_has_become_a_file_leaves_them_where_they_are() {
    let store = Documents::default();
    let server = picky(&store, &["m"]).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, _) = destination("elasticsearch", &format!("'{}'", server.url), "", state.path());
    assert_eq!(ship(&destination, vec![bulk(0..2)]).await, counts(0, 0, 2));
    let output: crate::output::Config = toml::from_str("type = 'stdout'").unwrap();
    let file = Destination::new("store", &output, &Default::default(), Some(state.path()), Arc::default()).unwrap();
    let replayed = replay(&Arc::new(file)).await;
    assert_eq!((tally(&replayed), replayed.trouble.is_some()), ([0, 0, 0, 2], true));
    assert_eq!(parked(state.path()).len(), 2);
}
