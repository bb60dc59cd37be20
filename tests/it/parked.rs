//! Records that a store refuses for good: listed, shown, exported, edited, replayed, dropped, with and without an agent.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::{Finished, Ground, append, unique, wait_until};
use crate::store::Store;

/// A store that speaks `_bulk`, keeps what it took, and refuses every document with `REFUSED` in it.
struct Picky {
    url: String,
    documents: Arc<Mutex<BTreeMap<String, Value>>>,
}

const REFUSED: &str = "refuse-me";

impl Picky {
    /// Serves until the test's process ends.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let documents = Arc::default();
        let kept = Arc::clone(&documents);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || while answer(stream.as_ref().unwrap(), &kept).is_some() {});
            }
        });
        Self { url, documents }
    }

    fn output(&self) -> String {
        format!("[output.store]\ntype = \"elasticsearch\"\nurl = \"{}\"\ntemplate = \"off\"\n", self.url)
    }

    fn documents(&self) -> Vec<Value> {
        self.documents.lock().unwrap().values().cloned().collect()
    }
}

/// One request and its answer; `None` at the connection's end.
fn answer(mut stream: &TcpStream, documents: &Mutex<BTreeMap<String, Value>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut is_gzip) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let line = line.trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        length = line.strip_prefix("content-length: ").map_or(length, |number| number.parse().unwrap());
        is_gzip |= line == "content-encoding: gzip";
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = match is_gzip {
        true => std::io::read_to_string(flate2::read::GzDecoder::new(body.as_slice())).unwrap(),
        false => String::from_utf8(body).unwrap(),
    };
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let items: Vec<Value> = lines.chunks(2).map(|pair| take(&pair[0], &pair[1], documents)).collect();
    let answer = json!({ "took": 1, "errors": true, "items": items }).to_string();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()).ok()
}

fn take(action: &Value, document: &Value, documents: &Mutex<BTreeMap<String, Value>>) -> Value {
    let id = action["create"]["_id"].as_str().unwrap().to_owned();
    let mut documents = documents.lock().unwrap();
    if document.to_string().contains(REFUSED) {
        let error = json!({ "type": "mapper_parsing_exception", "reason": "failed to parse field [message]" });
        return json!({ "create": { "status": 400, "error": error } });
    }
    if documents.contains_key(&id) {
        return json!({ "create": { "status": 409, "error": { "type": "version_conflict_engine_exception" } } });
    }
    documents.insert(id, document.clone());
    json!({ "create": { "status": 201 } })
}

/// `logferry parked ARGUMENTS` about that ground's agent, from a folder of its own.
fn parked(ground: &Ground, arguments: &[&str], input: &[u8]) -> Finished {
    let config = ground.path("agent.toml");
    let mut all = vec!["parked"];
    all.extend(arguments);
    all.extend(["-c", config.to_str().unwrap()]);
    Ground::new().run_with_input(&all, input)
}

/// What `list --format json` says.
fn listed(ground: &Ground) -> Vec<Value> {
    let text = parked(ground, &["list", "--format", "json"], b"").expect_code(0).stdout;
    serde_json::from_str(&text).unwrap()
}

fn source(service: &str) -> String {
    format!("[source.{service}]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\n\n")
}

/// The exported lines with `change` made to each document.
fn edited(exported: &str, change: impl Fn(&mut Value)) -> String {
    let edit = |line: &str| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        change(&mut record["document"]);
        format!("{record}\n")
    };
    exported.lines().map(edit).collect()
}

/// All of it through a running agent; the edit brings an address, which is masked.
#[test]
fn a_running_agent_replays_what_was_edited() {
    let (ground, store) = (Ground::new(), Picky::start());
    ground.configure(&format!("{}{}", source("app"), store.output()));
    append(&ground.log("a.log"), "{\"message\":\"fine\"}\n{\"message\":\"refuse-me\",\"n\":9007199254740993}\n");
    let agent = ground.start(&[]);
    wait_until("the socket", || ground.path("state/control.sock").exists().then_some(()));
    wait_until("a parked record", || (!listed(&ground).is_empty()).then_some(()));
    let mode = std::fs::metadata(ground.path("state/control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let groups = listed(&ground);
    assert_eq!((groups.len(), &groups[0]["count"], &groups[0]["output"]), (1, &json!(1), &json!("store")));
    let id = groups[0]["ids"][0].as_str().unwrap();
    let text = parked(&ground, &["list", "--reason", "FIELD [message]"], b"").expect_code(0).stdout;
    assert!(text.contains(id) && text.contains("failed to parse field") && !text.contains(REFUSED), "{text}");
    let shown = parked(&ground, &["show", id], b"").expect_code(0).stdout;
    assert!(shown.contains(REFUSED), "{shown}");
    assert!(parked(&ground, &["list", "--older", "1h"], b"").stdout.contains("nothing is parked"));

    let again = parked(&ground, &["replay", id], b"").expect_code(2);
    assert!(again.stdout.contains("store: 1 refused again"), "{again:?}");
    let exported = parked(&ground, &["export", "--newer", "1h"], b"").expect_code(0).stdout;
    let mended = edited(&exported, |document| document["message"] = json!("mail from bob@mail.example"));
    let replayed = parked(&ground, &["replay", "--from", "-"], mended.as_bytes()).expect_code(0);
    assert!(replayed.stdout.contains("store: 1 stored"), "{replayed:?}");
    let documents = store.documents();
    let mended = documents.iter().find(|one| one["n"] == json!(9_007_199_254_740_993_u64)).expect("the mended record");
    assert_eq!((documents.len(), &mended["message"]), (2, &json!("mail from [email]")));
    assert!(listed(&ground).is_empty());
    agent.terminate().expect_code(0);
}

/// Nobody runs: the command holds the state folder itself. There still is a socket, on which nobody listens.
#[test]
fn without_an_agent_the_command_works_on_the_files() {
    let (ground, store) = (Ground::new(), Picky::start());
    ground.configure(&format!("{}{}", source("app"), store.output()));
    append(&ground.log("a.log"), "{\"message\":\"refuse-me one\"}\n{\"message\":\"refuse-me two\"}\n");
    let agent = ground.start(&[]);
    wait_until("two parked records", || (listed(&ground).first()?["count"] == 2).then_some(()));
    agent.terminate().expect_code(0);
    assert!(ground.path("state/control.sock").exists());

    let mended = edited(&parked(&ground, &["export"], b"").stdout, |document| {
        if document["message"] == "refuse-me one" {
            document["message"] = json!("one");
        }
    });
    std::fs::write(ground.path("edited"), mended).unwrap();
    let edited = ground.path("edited");
    let replayed = parked(&ground, &["replay", "--edit", edited.to_str().unwrap()], b"").expect_code(2);
    assert!(replayed.stdout.contains("store: 1 stored, 1 refused again"), "{replayed:?}");
    assert_eq!((store.documents().len(), &store.documents()[0]["message"]), (1, &json!("one")));

    let asked = parked(&ground, &["drop"], b"").expect_code(1);
    assert!(asked.stderr.contains("all 1 are still parked") && asked.stderr.contains("--yes"), "{}", asked.stderr);
    assert_eq!(listed(&ground)[0]["count"], 1);
    assert!(parked(&ground, &["drop", "--yes"], b"").expect_code(0).stdout.contains("dropped 1 record\n"));
    assert!(listed(&ground).is_empty());
    assert!(parked(&ground, &["replay"], b"").expect_code(0).stdout.contains("nothing is parked"));
    // The next run reads nothing again.
    ground.run_once().expect_code(0);
    assert_eq!(store.documents().len(), 1);
}

/// Arguments, code, what is said; then nothing has changed.
#[test]
fn what_goes_wrong_is_said_and_changes_nothing() {
    let (ground, store) = (Ground::new(), Picky::start());
    ground.configure(&format!("{}{}", source("app"), store.output()));
    append(&ground.log("a.log"), "{\"message\":\"refuse-me SECRET\"}\n");
    ground.run_once().expect_code(2);
    let file = ground.path("state/parked/store.ndjson");
    let before = std::fs::read_to_string(&file).unwrap();
    let other = edited(&before, |_| {}).replace("\"index\":\"", "\"index\":\"other-");
    let rows: [(&[&str], &str, i32, &str); 6] = [
        (&["show", "nonsense"], "", 1, "nonsense"),
        (&["drop", "nonsense"], "", 1, "nonsense"),
        (&["replay", "--from", "absent"], "", 1, "absent"),
        (&["replay", "--from", "-"], "{\"SECRET\":1}", 1, "line 1"),
        (&["replay", "--from", "-"], &other, 2, "only its document can be edited"),
        (&["list", "--format", "xml"], "", 1, "xml"),
    ];
    for (arguments, input, code, said) in rows {
        let finished = parked(&ground, arguments, input.as_bytes()).expect_code(code);
        assert!(finished.stderr.contains(said) && !finished.stderr.contains("SECRET"), "{}", finished.stderr);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    ground.configure(&format!("{}{}", source("app"), store.output().replace(&store.url, &format!("http://{nobody}"))));
    let given_up = parked(&ground, &["replay", "--wait", "300ms"], b"").expect_code(2);
    assert!(given_up.stdout.contains("store: 1 not sent"), "{given_up:?}");
    assert!(given_up.stderr.contains("given up after 300ms"), "{given_up:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
}

/// A document that neither its mapping nor the text's takes: parked, mended, replayed, stored once, whatever crashes.
fn mended_and_stored_once(store: &Store) {
    // The agent's own template lets numbers be anything, so the index has a name that no template claims.
    let index = unique("parked");
    // What is refused is tried as text, so that must be refused too.
    let long = json!({ "type": "long" });
    let mapping = json!({ "mappings": { "properties": { "user": long, "logferry_payload": long } } });
    let (status, text) = store.call("PUT", &format!("/{index}"), Some(&mapping));
    assert_eq!(status, 200, "{text}");
    let ground = Ground::new();
    let output = format!("{}index = \"{index}\"\ntemplate = \"off\"\n", store.output());
    ground.configure(&format!("{}{output}", source("app")));
    for number in 0..5 {
        let user = if number == 3 { "\"three\"".to_owned() } else { number.to_string() };
        append(&ground.log("a.log"), &format!("{{\"user\":{user},\"number\":{number}}}\n"));
    }
    ground.run_once().expect_code(2);
    let records = || documents_of(store, &index);
    check_mended(&ground, &records, 5, |document| {
        assert_eq!(document["user"], "three", "as it was first sent");
        document["user"] = json!(3);
    });
    let mut users: Vec<i64> = records().iter().map(|record| record["user"].as_i64().unwrap()).collect();
    users.sort_unstable();
    assert_eq!(users, [0, 1, 2, 3, 4]);
}

/// All of a small index.
fn documents_of(store: &Store, index: &str) -> Vec<Value> {
    let (status, text) = store.call("POST", &format!("/{index}/_refresh"), None);
    assert_eq!(status, 200, "{text}");
    let (status, text) = store.call("POST", &format!("/{index}/_search"), Some(&json!({ "size": 1000 })));
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    answer["hits"]["hits"].as_array().unwrap().iter().map(|hit| hit["_source"].clone()).collect()
}

/// A line that is too long for Loki is parked unsent; made shorter, it gets to its place.
fn shortened_and_stored_once(store: &Store) {
    let service = unique("parked");
    let ground = Ground::new();
    ground.configure(&format!("{}{}", source(&service), store.output()));
    append(&ground.log("a.log"), &format!("before\n{}\nafter\n", "x".repeat(300_000)));
    ground.run_once().expect_code(2);
    let records = || store.records(&service);
    check_mended(&ground, &records, 3, |document| {
        assert_eq!(document["message"].as_str().unwrap().len(), 300_000);
        document["message"] = json!("between");
    });
    // In the order of their times.
    let messages: Vec<Value> = records().iter().map(|record| record["message"].clone()).collect();
    assert_eq!(messages, ["before", "between", "after"]);
}

/// One record is parked. It is refused again as it is, mended, replayed, and recognised when it is replayed again.
fn check_mended(ground: &Ground, records: &dyn Fn() -> Vec<Value>, count: usize, mend: impl Fn(&mut Value)) {
    assert_eq!(listed(ground)[0]["count"], 1);
    assert_eq!(records().len(), count - 1);
    parked(ground, &["replay"], b"").expect_code(2);
    assert_eq!((records().len(), &listed(ground)[0]["count"]), (count - 1, &json!(1)));

    let exported = parked(ground, &["export"], b"").expect_code(0).stdout;
    let mended = edited(&exported, mend);
    let replayed = parked(ground, &["replay", "--from", "-"], mended.as_bytes()).expect_code(0);
    assert!(replayed.stdout.contains("1 stored"), "{replayed:?}");
    assert_eq!((records().len(), listed(ground).len()), (count, 0));

    // As after a crash between the store's answer and the rewriting of the file.
    std::fs::write(ground.path("state/parked/store.ndjson"), mended).unwrap();
    let again = parked(ground, &["replay"], b"").expect_code(0);
    assert!(again.stdout.contains("1 there already"), "{again:?}");
    assert_eq!((records().len(), listed(ground).len()), (count, 0));
}

mod es8 {
    use super::*;

    #[test]
    fn a_refused_document_is_mended_and_stored_once() {
        mended_and_stored_once(&Store::from_environment("elasticsearch", "LOGFERRY_TEST_ES8"));
    }
}

mod es7 {
    use super::*;

    #[test]
    fn a_refused_document_is_mended_and_stored_once() {
        mended_and_stored_once(&Store::from_environment("elasticsearch", "LOGFERRY_TEST_ES7"));
    }
}

mod opensearch {
    use super::*;

    #[test]
    fn a_refused_document_is_mended_and_stored_once() {
        mended_and_stored_once(&Store::from_environment("opensearch", "LOGFERRY_TEST_OPENSEARCH"));
    }
}

mod loki {
    use super::*;

    #[test]
    fn a_line_that_was_too_long_is_shortened_and_stored_once() {
        shortened_and_stored_once(&Store::from_environment("loki", "LOGFERRY_TEST_LOKI"));
    }
}
