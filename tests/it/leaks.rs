//! Nothing that was seeded leaves the process: a server sees all that is sent, and the disk and the messages are searched.

use std::io::{BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;

use crate::harness::{Ground, append, wait_until};
use crate::wire::{self, Answer, Request};

/// What must be nowhere but in the logs themselves. Each is found by a detector that is on by default.
const SEEDS: [&str; 9] = [
    "seed.one@example.com",
    "4111111111111111",
    "seed-hunter2",
    "seed-in-url",
    "SeedBearer0123456789abcdef",
    "seed.key@example.com",
    "seed.index@example.com",
    "seed.name@example.com",
    "seed.file@example.com",
];

/// Lines in which the seeds stand, in the ways in which services write them.
const LINES: [&str; 8] = [
    "2025-06-05 09:02:27 ERROR mail to seed.one@example.com failed, card 4111 1111 1111 1111",
    r#"{"message":"paid","user":"seed.index@example.com","card":4111111111111111,"password":"seed-hunter2"}"#,
    r#"{"seed.key@example.com":{"a":["seed.one@example.com"]},"level":"ERROR","message":"refuse me"}"#,
    r#"{"message":"{\"password\":\"seed-hunter2\",\"to\":\"seed.one\\u0040example.com\"}"}"#,
    r#"{"message":"seed.one\u0040example.com","service_name":"seed.name@example.com","container_name":"seed.name@example.com"}"#,
    "connect postgres://app:seed-in-url@db.example.com/x with password=seed-hunter2",
    "GET /login?user=seed.one%40example.com&token=seed-hunter2 HTTP/1.1 Authorization: Bearer SeedBearer0123456789abcdef",
    "refuse me, seed.one@example.com",
];

/// A store that keeps the bytes of every request, as they came and inflated.
struct Wiretap {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
    is_away: Arc<AtomicBool>,
}

impl Wiretap {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heard, is_away) = (Arc::default(), Arc::new(AtomicBool::new(true)));
        let (keeping, away) = (Arc::clone(&heard), Arc::clone(&is_away));
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (keeping, away) = (Arc::clone(&keeping), Arc::clone(&away));
                std::thread::spawn(move || serve(socket, &keeping, &away));
            }
        });
        Self { url, heard, is_away }
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

fn serve(socket: TcpStream, heard: &Mutex<Vec<u8>>, is_away: &AtomicBool) {
    let mut from = BufReader::new(socket.try_clone().unwrap());
    while let Ok(Some(head)) = wire::read_head(&mut from) {
        let Ok(request) = wire::read_body(&mut from, head) else { return };
        let mut heard = heard.lock().unwrap();
        heard.extend_from_slice(wire::decoded(&request.target).as_bytes());
        heard.extend_from_slice(&request.body);
        drop(heard);
        let answer = if is_away.load(Ordering::Relaxed) { Answer::new(503, "away") } else { answer(&request) };
        if wire::write(&socket, &answer).is_err() {
            return;
        }
    }
}

/// Takes all but what says `refuse me`, of which it repeats the whole document, as a mapper does.
fn answer(request: &Request) -> Answer {
    if !request.target.starts_with("/_bulk") {
        // Loki's, asked for what it has: nothing.
        let nothing = r#"{"status":"success","data":{"resultType":"streams","result":[]}}"#;
        return Answer::new(if request.target.starts_with("/loki/api/v1/push") { 204 } else { 200 }, nothing);
    }
    let body = String::from_utf8_lossy(&request.body);
    let documents = body.lines().skip(1).step_by(2);
    let items: Vec<serde_json::Value> = documents
        .map(|document| {
            let reason = format!("failed to parse field [x]: {document}");
            let error = serde_json::json!({ "type": "mapper_parsing_exception", "reason": reason });
            let refused = serde_json::json!({ "create": { "status": 400, "error": error } });
            let taken = serde_json::json!({ "create": { "status": 201 } });
            if document.contains("refuse me") { refused } else { taken }
        })
        .collect();
    let errors = body.contains("refuse me");
    Answer::new(200, serde_json::json!({ "took": 1, "errors": errors, "items": items }).to_string())
}

/// All that a folder's files say, gzip members inside of them too.
fn said_by(folder: &Path) -> String {
    let mut said = String::new();
    for path in files(folder) {
        said.push_str(&path.display().to_string());
        let bytes = std::fs::read(&path).unwrap();
        said.push_str(&String::from_utf8_lossy(&bytes));
        // RFC 1952, 2.3.1: a member's magic number and the only method.
        for at in memchr_all(&bytes, &[0x1f, 0x8b, 0x08]) {
            let mut inflated = Vec::new();
            let _ = GzDecoder::new(&bytes[at..]).read_to_end(&mut inflated);
            said.push_str(&String::from_utf8_lossy(&inflated));
        }
    }
    said
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        // Neither: the socket of the running agent.
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

fn memchr_all(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|&at| bytes[at..].starts_with(what)).collect()
}

/// The seeds that a text holds, also where its escapes are undone.
fn leaked(text: &str) -> Vec<&'static str> {
    let plain = text.replace("\\\\", "\\").replace("\\u0040", "@");
    let close = plain.replace(' ', "");
    SEEDS.into_iter().filter(|seed| plain.contains(seed) || close.contains(seed)).collect()
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    assert_eq!(leaked(text), Vec::<&str>::new(), "{what}: {text}");
}

/// Bodies, index names, labels, parked records, the queue, the state, the metrics, the agent's own messages.
fn nothing_leaks(output: &str) {
    let (tap, ground) = (Wiretap::start(), Ground::new());
    let admin = closed_address();
    let config = |url: &str| {
        let source = "[source.app]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\ntimezone = \"UTC\"\n\
                      container_name = \"shop of seed.name@example.com\"\n";
        let store = format!(
            "[output.store]\nurl = \"{url}\"\nretry_first = \"50ms\"\nretry_max = \"200ms\"\nmax_age = \"50ms\"\n{output}"
        );
        ground.configure(&format!("[admin]\nlisten = \"{admin}\"\n\n{source}\n{store}\n"));
    };
    config(&tap.url);
    let log = ground.log("of seed.file@example.com.log");
    append(&log, &(LINES.join("\n") + "\n"));
    let agent = ground.start(&[]);
    let state = ground.path("state");
    wait_until("a first request", || (!tap.heard().is_empty()).then_some(()));
    // What was read of a file that goes is in the queue.
    std::fs::remove_file(&log).unwrap();
    let has_queue = || files(&state).iter().any(|path| path.extension().is_some_and(|it| it == "segment"));
    let queued = wait_until("the queue to have it", || {
        let said = without_paths(&said_by(&state.join("outputs")));
        (has_queue() && said.contains("[email]")).then_some(said)
    });
    assert_clean("the queue", &queued);
    let metrics = get(admin, "/metrics");
    assert!(metrics.contains("logferry_"), "{metrics}");
    assert_clean("metrics", &metrics);
    assert_clean("health", &get(admin, "/healthz"));

    tap.is_away.store(false, Ordering::Relaxed);
    wait_until("delivery", || get(admin, "/metrics").contains("logferry_delivered_records_total").then_some(()));
    wait_until("the queue to be empty", || (!has_queue()).then_some(()));
    let finished = agent.terminate().expect_code(0);
    let heard = tap.heard();
    assert!(heard.contains("[email]") && heard.contains("[card]") && heard.contains("[secret]"), "{heard}");
    assert_clean("what was sent", &heard);
    assert_clean("messages", &finished.stderr);
    let parked = without_paths(&said_by(&state));
    assert_clean("the state folder", &parked);
    if output.contains("elasticsearch") {
        assert!(parked.contains("failed to parse field"), "nothing is parked: {parked}");
    }
}

/// The state folder must know files by their real names: they stay on the host, and the names of folders are no lines.
fn without_paths(text: &str) -> String {
    text.replace("of seed.file@example.com.log", "of FILE.log")
}

fn closed_address() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn get(address: std::net::SocketAddr, path: &str) -> String {
    use std::io::Write as _;
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn to_elasticsearch_nothing_seeded_leaks() {
    nothing_leaks("type = \"elasticsearch\"\nindex = \"logs-{service_name}-{field:user}-{time:%Y}\"\n");
}

#[test]
fn to_loki_nothing_seeded_leaks() {
    nothing_leaks("type = \"loki\"\nold_after = \"9999d\"\n");
}

#[test]
fn in_lokis_structured_metadata_nothing_seeded_leaks() {
    nothing_leaks("type = \"loki\"\nline = \"message\"\nold_after = \"9999d\"\n");
}
