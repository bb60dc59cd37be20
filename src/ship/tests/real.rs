//! Against real engines: `LOGFERRY_TEST_OPENSEARCH` and `LOGFERRY_TEST_LOKI` are the URLs that `tests/run` gives.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::http::{Client, Request};
use super::super::{Config, Destination};
use super::{batch, counts, parked, ship};
use crate::base::batch::Batch;
use crate::base::clock;
use crate::base::metrics::{Metric, Metrics};
use crate::output;

fn destination(kind: &str, url: &str, state: &Path) -> (Arc<Destination>, Arc<Metrics>) {
    let config: Config = toml::from_str(&format!("url = '{url}'")).unwrap();
    let output: output::Config = toml::from_str(&format!("type = '{kind}'")).unwrap();
    let metrics = Arc::new(Metrics::default());
    let destination = Destination::new("store", &output, &config, Some(state), Arc::clone(&metrics)).unwrap();
    (Arc::new(destination), metrics)
}

async fn get(url: &str, path: &str) -> Value {
    let config: Config = toml::from_str(&format!("url = '{url}'")).unwrap();
    let reply = Client::new(&config).unwrap().send(&Request::get(path)).await.unwrap();
    serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&reply.body)))
}

fn engine(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run tests/run, which starts the engines"))
}

#[tokio::test]
async fn a_real_bulk_store_has_each_document_once() {
    let url = engine("LOGFERRY_TEST_OPENSEARCH");
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) = destination("opensearch", &url, state.path());
    let index = format!("logferry-real-{}", clock::now_ns());
    let line = |number: u32| {
        // Once the field is an object, the store refuses a document in which it is a string.
        let payload = if number == 7 { json!("text") } else { json!({"n": number}) };
        let action = json!({"create": {"_index": index, "_id": format!("{number:04}")}});
        format!("{action}\n{}\n", json!({"payload": payload, "time": number}))
    };
    let body = |from: u32, to: u32| (from..to).map(line).collect::<String>();
    assert_eq!(ship(&destination, vec![batch(&body(0, 1000), 1000)]).await, counts(1000, 0, 0));
    assert_eq!(ship(&destination, vec![batch(&body(500, 3000), 2500)]).await, counts(2000, 500, 0));
    // What is stored is found after the index's refresh, which takes a second.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let wrapped = get(&url, &format!("/{index}/_search?size=1&q=_exists_:logferry_refused")).await;
    assert_eq!(wrapped["hits"]["total"]["value"], 1);
    assert_eq!(wrapped["hits"]["hits"][0]["_id"], "0007");
    assert_eq!(get(&url, &format!("/{index}/_count")).await["count"], 3000);
    assert!(get(&url, "/_index_template/logferry").await["index_templates"][0]["name"] == "logferry");
    assert_eq!((parked(state.path()).len(), metrics.total(Metric::Held)), (0, 0));
}

fn push(stream: &str, first_ns: i64, items: u32) -> Batch {
    let line = |number: u32| format!("{number} {}", "some words that fill a line ".repeat(8));
    let value = |number: u32| json!([(first_ns + i64::from(number) * 1000).to_string(), line(number)]);
    let values: Vec<Value> = (0..items).map(value).collect();
    batch(&json!({"streams": [{"stream": {"job": "real", "one": stream}, "values": values}]}).to_string(), items)
}

#[tokio::test]
async fn a_real_loki_has_each_entry_once() {
    let url = engine("LOGFERRY_TEST_LOKI");
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) = destination("loki", &url, state.path());
    let now = clock::now_ns();
    let name = format!("fresh-{now}");
    assert_eq!(ship(&destination, vec![push(&name, now - 1_000_000_000, 4000)]).await, counts(4000, 0, 0));
    let again = Batch { unsure: true, ..push(&name, now - 1_000_000_000, 9000) };
    assert_eq!(ship(&destination, vec![again]).await, counts(5000, 4000, 0));
    let query = format!("/loki/api/v1/query?query=sum(count_over_time(%7Bone=%22{name}%22%7D%5B1h%5D))");
    assert_eq!(get(&url, &query).await["data"]["result"][0]["value"][1], "9000");
    assert_eq!(metrics.total(Metric::UnsureRecords), 0);
}

#[tokio::test]
async fn a_real_loki_refuses_some_and_the_rest_is_known() {
    let url = engine("LOGFERRY_TEST_LOKI");
    let state = tempfile::tempdir().unwrap();
    let (destination, _) = destination("loki", &url, state.path());
    let now = clock::now_ns();
    let labels = json!({"job": "real", "one": format!("partly-{now}")});
    let values = json!([
        [(now - 1000).to_string(), "good"],
        [now.to_string(), "x".repeat(300_000)],
        [(now + 1000).to_string(), "good too"],
    ]);
    let body = json!({"streams": [{"stream": labels, "values": values}]}).to_string();
    assert_eq!(ship(&destination, vec![batch(&body, 3)]).await, counts(2, 0, 1));
    let parked = parked(state.path());
    assert_eq!(parked[0]["ns"], now.to_string());
    assert!(parked[0]["reason"].as_str().unwrap().to_lowercase().contains("max entry size"), "{}", parked[0]["reason"]);
}
