//! The scripted Elasticsearch that all peers ship to: `_bulk` with `create` and `index`, as a real one answers it. Keeps
//! how often it holds each number, not the documents.

use std::collections::HashSet;
use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::LABEL;
use crate::http::{self, Answer, Request};
use crate::lines::numbers;

/// In the mood that refuses items for now, every line in so many is.
const BUSY_EVERY: u64 = 1000;
/// In the mood that cuts answers off, every request in so many has its answer cut, up to a number of them.
const CUT_EVERY: u32 = 4;
const MOST_CUTS: u32 = 20;

/// How the store is disposed to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Every request is answered with this status, and nothing is taken.
    Status(u16),
    /// Hangs up on everyone.
    Away,
    /// Some items are refused for now.
    Busy,
    /// Every line in so many is refused for its shape.
    Picky(u64),
    /// Everything is taken, some answers end in the middle or are missing.
    Cut,
}

/// A running store. It ends when dropped.
#[derive(Debug)]
pub struct Store {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Time that it takes over an item.
    pace: Duration,
    kept: Mutex<Kept>,
    is_over: AtomicBool,
}

/// What it holds, and how it feels.
#[derive(Debug)]
struct Kept {
    mood: Mood,
    requests: u32,
    cuts: u32,
    /// Hashes of index and id of documents that came with an id.
    ids: HashSet<u64>,
    /// By number: how many documents hold it.
    times: Vec<u32>,
    distinct: u64,
    /// Numbers that it refused for their shape.
    refused: HashSet<u64>,
    last_request: Instant,
    last_new: Instant,
}

impl Store {
    /// Serves on loopback. It takes so long over an item.
    pub fn start(pace: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared { pace, kept: Mutex::new(Kept::new()), is_over: AtomicBool::new(false) });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { port, shared })
    }

    /// Changes its mood from now on.
    pub fn feel(&self, mood: Mood) {
        self.shared.kept().mood = mood;
    }

    /// How many different numbers it holds or has refused for good: no more is to come of these.
    pub fn settled(&self) -> u64 {
        let kept = self.shared.kept();
        kept.distinct + kept.refused.len() as u64
    }

    /// How many different numbers it holds.
    pub fn distinct(&self) -> u64 {
        self.shared.kept().distinct
    }

    /// Since when no request came, and since when none brought a new number.
    pub fn quiet(&self) -> (Duration, Duration) {
        let kept = self.shared.kept();
        (kept.last_request.elapsed(), kept.last_new.elapsed())
    }

    /// By number: how many documents hold it.
    pub fn times(&self) -> Vec<u32> {
        self.shared.kept().times.clone()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept() {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let shared = Arc::clone(shared);
        // A client that was killed breaks off anywhere.
        thread::spawn(move || drop(shared.serve(&socket)));
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers requests until one side hangs up.
    fn serve(&self, socket: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let mut from = BufReader::new(socket.try_clone()?);
        while let Some(head) = http::read_head(&mut from)? {
            let request = http::read_body(&mut from, head)?;
            let mood = self.kept().begin(&request);
            match (mood, request.is_write()) {
                (Mood::Away, _) => return Ok(()),
                (Mood::Status(status), _) => http::write(socket, &refusal(status))?,
                (_, false) => http::write(socket, &other(&request))?,
                (_, true) => {
                    let (answer, cut) = self.take(&request.body, mood);
                    match cut {
                        None => http::write(socket, &answer)?,
                        Some(true) => return http::write_half(socket, &answer),
                        Some(false) => return Ok(()),
                    }
                }
            }
        }
        Ok(())
    }

    /// The answer to a bulk; and whether it is cut off: in the middle, or before it begins.
    fn take(&self, body: &[u8], mood: Mood) -> (Answer, Option<bool>) {
        let text = String::from_utf8_lossy(body);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let items: Vec<(Action, Option<u64>)> =
            lines.chunks_exact(2).map(|pair| (Action::read(pair[0]), numbers(LABEL, pair[1]).next())).collect();
        let mut kept = self.kept();
        let answers: Vec<(u16, String)> =
            items.iter().map(|(action, number)| kept.item(action, *number, mood)).collect();
        let cut = (mood == Mood::Cut).then(|| kept.next_cut()).flatten();
        drop(kept);
        thread::sleep(self.pace * u32::try_from(items.len()).unwrap_or(u32::MAX));
        let errors = answers.iter().any(|(status, _)| *status >= 300);
        let items: Vec<&str> = answers.iter().map(|(_, item)| item.as_str()).collect();
        (Answer::new(200, format!("{{\"took\":30,\"errors\":{errors},\"items\":[{}]}}", items.join(","))), cut)
    }
}

/// The first line of a pair.
struct Action {
    is_create: bool,
    index: String,
    id: Option<String>,
}

impl Action {
    fn read(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let (is_create, place) = match line.get("create") {
            Some(place) => (true, place),
            None => (false, &line["index"]),
        };
        let word = |name: &str| place[name].as_str().map(str::to_owned);
        Self { is_create, index: word("_index").unwrap_or_default(), id: word("_id") }
    }
}

impl Kept {
    fn new() -> Self {
        let now = Instant::now();
        let (ids, times, refused) = (HashSet::new(), Vec::new(), HashSet::new());
        Self {
            mood: Mood::Well,
            requests: 0,
            cuts: 0,
            ids,
            times,
            distinct: 0,
            refused,
            last_request: now,
            last_new: now,
        }
    }

    fn begin(&mut self, request: &Request) -> Mood {
        if request.is_write() {
            self.requests += 1;
            self.last_request = Instant::now();
        }
        self.mood
    }

    /// Takes an item, or refuses it: status and answer.
    fn item(&mut self, action: &Action, number: Option<u64>, mood: Mood) -> (u16, String) {
        let is_one_of = |every: u64| number.is_some_and(|number| number.is_multiple_of(every));
        match mood {
            Mood::Busy if is_one_of(BUSY_EVERY) => return action.failed(429, "es_rejected_execution_exception"),
            Mood::Picky(every) if is_one_of(every) => {
                self.refused.extend(number);
                return action.failed(400, "mapper_parsing_exception");
            }
            _ => {}
        }
        if let Some(id) = &action.id
            && !self.ids.insert(xxh3_64(format!("{}\n{id}", action.index).as_bytes()))
        {
            // `index` puts the document in the place of the one that is there.
            return if action.is_create {
                action.failed(409, "version_conflict_engine_exception")
            } else {
                action.done(200)
            };
        }
        if let Some(at) = number.and_then(|number| usize::try_from(number).ok()) {
            if at >= self.times.len() {
                self.times.resize(at + 1, 0);
            }
            self.times[at] += 1;
            if self.times[at] == 1 {
                self.distinct += 1;
                self.last_new = Instant::now();
            }
        }
        action.done(201)
    }

    fn next_cut(&mut self) -> Option<bool> {
        let is_cut = self.requests.is_multiple_of(CUT_EVERY) && self.cuts < MOST_CUTS;
        self.cuts += u32::from(is_cut);
        is_cut.then(|| self.cuts.is_multiple_of(2))
    }
}

impl Action {
    fn done(&self, status: u16) -> (u16, String) {
        let rest = r#""_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":1,"_primary_term":1"#;
        (status, self.answer(status, rest))
    }

    fn failed(&self, status: u16, kind: &str) -> (u16, String) {
        (status, self.answer(status, &format!(r#""error":{{"type":"{kind}","reason":"as scripted"}}"#)))
    }

    fn answer(&self, status: u16, rest: &str) -> String {
        let word = if self.is_create { "create" } else { "index" };
        // As long as one that the store makes.
        let id = self.id.as_deref().unwrap_or("AZmadeByTheStore0000");
        format!(r#"{{"{word}":{{"_index":"{}","_id":"{id}",{rest},"status":{status}}}}}"#, self.index)
    }
}

fn refusal(status: u16) -> Answer {
    Answer::new(
        status,
        format!(r#"{{"error":{{"type":"scripted_exception","reason":"as scripted"}},"status":{status}}}"#),
    )
}

/// Whatever else a peer asks before it ships: version, health, templates.
fn other(request: &Request) -> Answer {
    let body = r#"{"name":"scripted","cluster_name":"scripted","version":{"number":"8.19.0","build_flavor":"default"},"tagline":"You Know, for Search","status":"green"}"#;
    Answer::new(200, if request.method == "HEAD" { "" } else { body })
}
