//! The lane from end to end, against scripted servers.

mod away;
mod bulk;
mod index;
mod push;
#[cfg(feature = "engines")]
mod real;
mod replay;
mod server;
mod trust;
mod who;
mod wire;

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::{mpsc, watch};

use super::{Config, Destination, ParkedRecord, Settled, Told, lane};
use crate::base::batch::{Batch, Span};
use crate::base::chunk::tests::chunk;
use crate::base::metrics::Metrics;
use crate::output;

/// What is said in the log meanwhile, on this thread.
pub(super) fn said(work: impl FnOnce()) -> String {
    let log: Arc<Mutex<Vec<u8>>> = Arc::default();
    let writer = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || Log(Arc::clone(&writer))).finish();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = log.lock().unwrap();
    String::from_utf8(bytes.clone()).unwrap()
}

struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A batch of one source with two spans.
fn batch(body: &str, items: u32) -> Batch {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).unwrap();
    let source = chunk(&[]).source;
    let span =
        |seq, items| Span { source: Arc::clone(&source), seq, items, counts: crate::base::counts::Counts::default() };
    Batch {
        number: 0,
        body: encoder.finish().unwrap().into(),
        gzip: true,
        raw_len: body.len() as u64,
        items,
        spans: vec![span(0, items / 2), span(1, items - items / 2)],
        unsure: false,
    }
}

/// Delivered, repeated and parked items of all that was settled.
#[derive(Debug, PartialEq, Eq, Default)]
struct Counts {
    delivered: u32,
    repeated: u32,
    parked: u32,
}

fn counts(delivered: u32, repeated: u32, parked: u32) -> Counts {
    Counts { delivered, repeated, parked }
}

fn destination(kind: &str, url: &str, more: &str, state: &Path) -> (Arc<Destination>, Arc<Metrics>) {
    let text = format!("url = {url}\nretry_first = '5ms'\nretry_max = '40ms'\ntimeout = '2s'\n{more}");
    let config: Config = toml::from_str(&text).unwrap();
    let template = if kind == "loki" { "" } else { "template = 'off'" };
    let output: output::Config = toml::from_str(&format!("type = '{kind}'\n{template}")).unwrap();
    let metrics = Arc::new(Metrics::default());
    let destination = Destination::new("store", &output, &config, Some(state), Arc::clone(&metrics)).unwrap();
    (Arc::new(destination), metrics)
}

/// Ships the batches in one lane and waits until all is settled.
async fn ship(destination: &Arc<Destination>, batches: Vec<Batch>) -> Counts {
    let (give, take) = mpsc::channel(8);
    let (_stop, stopped) = watch::channel(false);
    let settled: Arc<Mutex<Vec<Settled>>> = Arc::default();
    let log = Arc::clone(&settled);
    let expected = batches.len();
    let sending = async move {
        for batch in batches {
            give.send(batch).await.unwrap();
        }
    };
    let tell = Arc::new(move |told| {
        if let Told::Settled(one) = told {
            log.lock().unwrap().push(one);
        }
    });
    let both = async { tokio::join!(sending, lane(Arc::clone(destination), take, tell, stopped)) };
    let ((), result) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("all is settled in time");
    result.unwrap();
    let settled = settled.lock().unwrap();
    assert_eq!(settled.len(), expected);
    let mut counts = Counts::default();
    for outcome in settled.iter().flat_map(|one| &one.outcomes) {
        assert_eq!(outcome.delivered + outcome.repeated + outcome.parked, outcome.span.items);
        counts.delivered += outcome.delivered;
        counts.repeated += outcome.repeated;
        counts.parked += outcome.parked;
    }
    counts
}

fn parked(state: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(state.join("parked/store.ndjson")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn refused_records_are_said_once_without_their_content() {
    let state = tempfile::tempdir().unwrap();
    let record = |reason: &str| ParkedRecord {
        id: "id".into(),
        source: "app".into(),
        reason: reason.into(),
        place: output::Place::Index("i".into()),
        document: b"{\"message\":\"CONTENT\"}".to_vec(),
    };
    for (folder, fate) in [(Some(state.path()), "are set aside"), (None, "are not kept")] {
        let output: output::Config = toml::from_str("type = 'stdout'").unwrap();
        let destination = Destination::new("store", &output, &Config::default(), folder, Arc::default()).unwrap();
        let said = said(|| {
            destination.park(&[]).unwrap();
            destination.park(&[record("too odd"), record("other")]).unwrap();
            destination.park(&[record("odder")]).unwrap();
        });
        assert_eq!(said.lines().count(), 1, "{said}");
        for part in ["WARN", "output=\"store\"", "count=2", "reason=\"too odd\"", fate] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(!said.contains("CONTENT"), "{said}");
    }
}

#[tokio::test]
async fn a_lane_that_is_told_to_stop_leaves_its_batch_unsettled() {
    let state = tempfile::tempdir().unwrap();
    let (destination, _) = destination("elasticsearch", "'http://127.0.0.1:1'", "", state.path());
    let (give, take) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(false);
    give.send(batch("{}\n{}\n", 1)).await.unwrap();
    let tell = Arc::new(|_| panic!("nothing is settled"));
    let running = tokio::spawn(lane(destination, take, tell, stopped));
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_file_output_is_written_in_order_and_tells_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.ndjson");
    let config: Config = toml::from_str(&format!("path = '{}'", path.display())).unwrap();
    let output: output::Config = toml::from_str("type = 'file'").unwrap();
    let destination = Arc::new(Destination::new("f", &output, &config, None, Arc::default()).unwrap());
    assert_eq!(ship(&destination, vec![batch("a\nb\n", 2), batch("c\n", 1)]).await, counts(3, 0, 0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
    destination.truncate_to(4).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
}
