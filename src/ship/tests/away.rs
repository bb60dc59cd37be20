//! Stores that are not there: for an hour, or under no name; and a disk that is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::super::{Config, Destination, lane};
use super::bulk::{Documents, bulk, plain};
use super::server::Server;
use super::{batch, counts, destination, ship};
use crate::base::metrics::{Metric, Metrics};
use crate::output;

/// E14: an hour at a thousandth of its length, waits of 30 s included. What is in flight meanwhile is one batch being
/// sent and one waiting: whoever reads must wait. Then all arrives, once.
#[tokio::test]
async fn an_hour_without_the_store_takes_two_batches_of_memory() {
    let state = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = format!("url = 'http://{port}'\nretry_first = '1ms'\nretry_max = '30ms'");
    let config: Config = toml::from_str(&config).unwrap();
    let output: output::Config = toml::from_str("type = 'elasticsearch'\ntemplate = 'off'").unwrap();
    let metrics = Arc::new(Metrics::default());
    let store = Destination::new("store", &output, &config, Some(state.path()), Arc::clone(&metrics)).unwrap();
    let (give, take) = mpsc::channel(1);
    let (_stop, stopped) = watch::channel(false);
    let settled = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&settled);
    let settle = Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let running = tokio::spawn(lane(Arc::new(store), take, settle, stopped));

    let given = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&given);
    let giving = tokio::spawn(async move {
        for number in 0..100 {
            give.send(bulk(number * 2..number * 2 + 2)).await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(3600) {
        assert!(given.load(Ordering::Relaxed) <= 2, "at full rate, and yet only two are taken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!((50..400).contains(&metrics.total(Metric::Requests)), "{} tries", metrics.total(Metric::Requests));

    let documents = Documents::default();
    let kept = Arc::clone(&documents);
    let _server = Server::start_at(port, move |seen| plain(&kept, seen)).await;
    let all = async { (giving.await.unwrap(), running.await.unwrap().unwrap()) };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("all is settled in time");
    assert_eq!((settled.load(Ordering::Relaxed), documents.lock().unwrap().len()), (100, 200));
}

/// A name that nobody knows is said with a remedy; another address is tried meanwhile.
#[tokio::test]
async fn an_unknown_host_is_held_and_left_for_an_address_that_works() {
    // No label of a name may have more than 63 characters (RFC 1035): no name service is asked.
    let unknown = format!("http://{}.invalid:9200", "a".repeat(64));
    let state = tempfile::tempdir().unwrap();
    let (alone, metrics) = destination("elasticsearch", &format!("'{unknown}'"), "", state.path());
    let shipping = tokio::spawn(async move { ship(&alone, vec![bulk(0..1)]).await });
    let begin = Instant::now();
    while metrics.total(Metric::Held) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shipping.abort();
    let store = Documents::default();
    let kept = Arc::clone(&store);
    let server = Server::start(move |seen| plain(&kept, seen)).await;
    let urls = format!("['{unknown}', '{}']", server.url);
    let (destination, _) = destination("elasticsearch", &urls, "", state.path());
    assert_eq!(ship(&destination, vec![bulk(0..6)]).await, counts(6, 0, 0));
}

/// A file output on a full disk keeps its batch and goes on by itself, with nothing twice and no half line.
#[tokio::test]
async fn a_full_disk_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.ndjson");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let config = format!("path = '{}'\nretry_first = '5ms'\nretry_max = '20ms'", path.display());
    let config: Config = toml::from_str(&config).unwrap();
    let output: output::Config = toml::from_str("type = 'file'").unwrap();
    let metrics = Arc::new(Metrics::default());
    let destination = Arc::new(Destination::new("f", &output, &config, None, Arc::clone(&metrics)).unwrap());
    let shipping = tokio::spawn({
        let destination = Arc::clone(&destination);
        async move { ship(&destination, vec![batch("a\nb\n", 2), batch("c\n", 1)]).await }
    });
    let begin = Instant::now();
    while metrics.total(Metric::Retries) < 3 {
        assert!(begin.elapsed() < Duration::from_secs(20) && !shipping.is_finished());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let held = destination.is_held().unwrap();
    assert!(held.contains("out.ndjson") && held.contains("No space left"), "{held}");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(shipping.await.unwrap(), counts(3, 0, 0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
    assert_eq!((destination.is_held(), metrics.total(Metric::Held)), (None, 0));
}
