//! A bulk store that takes lines as fast as they come: it keeps of each document its place and the number of its line,
//! not the text, so that 2 GB fit into memory. Misbehaves in nothing; `tests/chaos` has one that does.

use std::collections::HashSet;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

use crate::checker::Checker;
use crate::store::Store;
use crate::wire::{self, Answer, Request};

/// A running one. Its threads end with the process of the tests.
pub struct Fast {
    pub store: Store,
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    /// Index and id of each document, hashed: of 10 million, two meet by chance once in 10²⁴ runs.
    places: HashSet<u128>,
    /// Of what the documents say.
    checker: Checker,
}

impl Fast {
    /// Serves from now on, and expects what `checker` does.
    pub fn start(checker: Checker) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").unwrap(), checker)
    }

    /// The same where `listener` is bound.
    pub fn serve(listener: TcpListener, checker: Checker) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept = Arc::new(Mutex::new(Kept { places: HashSet::new(), checker }));
        let keeping = Arc::clone(&kept);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let keeping = Arc::clone(&keeping);
                std::thread::spawn(move || serve(&socket, &keeping));
            }
        });
        Self { store: Store { kind: "elasticsearch", url, admin: None, ca: None }, kept }
    }

    /// Fails the test unless each line is here once.
    #[track_caller]
    pub fn assert_each_once(&self) {
        self.kept.lock().unwrap().checker.assert_each_once();
    }
}

fn serve(socket: &TcpStream, kept: &Mutex<Kept>) {
    let mut from = BufReader::new(socket.try_clone().unwrap());
    while let Ok(Some(head)) = wire::read_head(&mut from) {
        let Ok(request) = wire::read_body(&mut from, head) else { return };
        if wire::write(socket, &kept.lock().unwrap().answer(&request)).is_err() {
            return;
        }
    }
}

impl Kept {
    /// Everything but `_bulk` asks for the index template: it is there.
    fn answer(&mut self, request: &Request) -> Answer {
        if !request.target.starts_with("/_bulk") {
            return Answer::new(200, "{}");
        }
        let body = std::str::from_utf8(&request.body).expect("a body is UTF-8");
        let lines: Vec<&str> = body.lines().collect();
        let items: Vec<Value> = lines.chunks_exact(2).map(|pair| self.create(pair[0], pair[1])).collect();
        Answer::new(200, json!({ "errors": true, "items": items }).to_string())
    }

    /// `action` is `{"create":{"_index":…,"_id":…}}`, the same bytes for the same place.
    fn create(&mut self, action: &str, document: &str) -> Value {
        if !self.places.insert(xxh3_128(action.as_bytes())) {
            let error = json!({ "type": "version_conflict_engine_exception", "reason": "it is here" });
            return json!({ "create": { "status": 409, "error": error } });
        }
        self.checker.scan(document);
        json!({ "create": { "status": 201 } })
    }
}

#[test]
fn a_document_is_taken_once() {
    let fast = Fast::start(Checker::new("a", 2));
    let take = |index: &str, number: u64| {
        let action = json!({ "create": { "_index": index, "_id": number.to_string() } });
        let body = format!("{action}\n{{\"message\":\"seq-a-{number:07}\"}}\n").into_bytes();
        let request = Request { method: "POST".to_owned(), target: "/_bulk".to_owned(), body };
        let answer = fast.kept.lock().unwrap().answer(&request);
        serde_json::from_slice::<Value>(&answer.body).unwrap()["items"][0]["create"]["status"].clone()
    };
    assert_eq!([take("x", 0), take("x", 1), take("x", 1)], [201, 201, 409]);
    fast.assert_each_once();
    assert_eq!(take("y", 1), 201, "elsewhere it is another document");
    assert!(std::panic::catch_unwind(|| fast.assert_each_once()).is_err());
}
