//! The store that all ship to: `_bulk` and Loki's push on loopback, as fast as they come. It inflates, counts every number
//! and answers; it recognises no ids, so that whatever comes twice counts as repeated. Misbehaves in nothing.

use std::fmt::Write as _;
use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::checker::Checker;
use crate::http::{self, Answer, Request};

/// What an item is answered as Elasticsearch 8 does it, where a client does not say with `filter_path` what it wants.
const ITEM: &str = r#"{"WORD":{"_index":"app","_id":"AZmadeByTheStore0000","_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":1,"_primary_term":1,"status":201}}"#;
/// The same for a client that wants the status alone.
const SHORT_ITEM: &str = r#"{"WORD":{"status":201}}"#;
/// To whatever else is asked: the version of an Elasticsearch, and that Loki found nothing.
const OTHER: &str = r#"{"version":{"number":"8.19.0"},"status":"success","data":{"resultType":"streams","result":[]}}"#;

/// A running one. Its threads end with the process.
pub struct Sink {
    pub port: u16,
    kept: Arc<Mutex<Kept>>,
}

/// What came.
struct Kept {
    checker: Checker,
    wire_bytes: u64,
    arrivals: Vec<Arrival>,
    last: Instant,
}

/// A request with lines.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When its last byte was there.
    pub at: Instant,
    /// How many different lines there are since.
    pub lines: u64,
}

impl Sink {
    /// Serves from now on, and expects `lines` lines with the mark of [`LABEL`](crate::load::LABEL).
    pub fn start(lines: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let checker = Checker::new(crate::load::LABEL, lines);
        let kept = Kept { checker, wire_bytes: 0, arrivals: Vec::new(), last: Instant::now() };
        let kept = Arc::new(Mutex::new(kept));
        let keeping = Arc::clone(&kept);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let keeping = Arc::clone(&keeping);
                // One that is stopped breaks off anywhere.
                std::thread::spawn(move || drop(serve(&socket, &keeping)));
            }
        });
        Self { port, kept }
    }

    /// How many different lines are here.
    pub fn lines(&self) -> u64 {
        self.kept().arrivals.last().map_or(0, |arrival| arrival.lines)
    }

    /// How often lines came that were here already.
    pub fn repeated(&self) -> u64 {
        self.kept().checker.again()
    }

    /// Bytes of all bodies as they came.
    pub fn wire_bytes(&self) -> u64 {
        self.kept().wire_bytes
    }

    /// All requests that brought new lines.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.kept().arrivals.clone()
    }

    /// When a request came last, or this began.
    pub fn last(&self) -> Instant {
        self.kept().last
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }
}

fn serve(socket: &TcpStream, kept: &Mutex<Kept>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut from = BufReader::with_capacity(64 << 10, socket.try_clone()?);
    while let Some(head) = http::read_head(&mut from)? {
        let wire_bytes = head.length as u64;
        let request = http::read_body(&mut from, head)?;
        if request.is_write() {
            let at = Instant::now();
            kept.lock().unwrap().take(&request, wire_bytes, at);
        }
        http::write(socket, &answer(&request))?;
    }
    Ok(())
}

impl Kept {
    fn take(&mut self, request: &Request, wire_bytes: u64, at: Instant) {
        self.wire_bytes += wire_bytes;
        self.last = at;
        self.checker.scan(&String::from_utf8_lossy(&request.body));
        let lines = self.checker.found() as u64;
        if self.arrivals.last().is_none_or(|last| last.lines < lines) {
            self.arrivals.push(Arrival { at, lines });
        }
    }
}

fn answer(request: &Request) -> Answer {
    match request.target.as_str() {
        target if target.starts_with("/loki/api/v1/push") => Answer::new(204, ""),
        target if target.starts_with("/_bulk") => {
            Answer::new(200, items(&request.body, target.contains("filter_path=")))
        }
        _ => Answer::new(200, if request.method == "HEAD" { "" } else { OTHER }),
    }
}

/// One for each pair of lines, in the word of the first of them.
fn items(body: &[u8], is_short: bool) -> String {
    let item = if is_short { SHORT_ITEM } else { ITEM };
    let (create, index) = (item.replace("WORD", "create"), item.replace("WORD", "index"));
    let mut text = String::from(r#"{"took":30,"errors":false,"items":["#);
    let lines = body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    for (number, action) in lines.step_by(2).enumerate() {
        let between = if number == 0 { "" } else { "," };
        let item = if action.starts_with(b"{\"create\"") { &create } else { &index };
        let _ = write!(text, "{between}{item}");
    }
    text + "]}"
}
