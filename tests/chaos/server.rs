//! What the agent of a round talks to: a server on loopback that keeps what it is sent, or hands it on to a real store,
//! and misbehaves. What it keeps is `bulk`'s and `push`'s, what goes wrong is chosen by `faults`.

use std::io::{self, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::bulk::Bulk;
use crate::faults::{Fault, Faults};
use crate::forward::Forward;
use crate::http::{self, Answer, Request};
use crate::push::Push;
use crate::stores::{Part, Record};

/// Longer than the agent of a round waits for an answer.
const LATE: Duration = Duration::from_millis(700);
/// Every connection is still within this time, or the round is no good.
const STILL_WITHIN: Duration = Duration::from_secs(5);

/// A running server. It ends when dropped.
#[derive(Debug)]
pub struct Server {
    pub url: String,
    shared: Arc<Shared>,
}

/// What the server keeps.
#[derive(Debug)]
pub enum Kept {
    Bulk(Bulk),
    Push(Push),
    /// In a real store, to which all is handed on.
    Elsewhere(Forward),
}

#[derive(Debug)]
struct Shared {
    kept: Mutex<Kept>,
    faults: Mutex<Faults>,
    lines: Mutex<Vec<Arc<Line>>>,
    largest: AtomicUsize,
    away: Mutex<Option<Away>>,
    is_over: AtomicBool,
}

/// One connection.
#[derive(Debug)]
struct Line {
    socket: TcpStream,
    /// A request is being read, or what it brings being stored.
    is_busy: AtomicBool,
}

/// How a store is away.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// It hangs up on everyone.
    Closed,
    /// It answers 503.
    Busy,
    /// It takes requests, and nothing comes of them.
    Silent,
}

/// How a request ends.
enum End {
    Answer(Answer),
    Late(Answer),
    Cut(Answer),
    Silence,
    HangUp,
}

impl Server {
    /// Serves from now on.
    pub fn start(kept: Kept, faults: Faults) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            kept: Mutex::new(kept),
            faults: Mutex::new(faults),
            lines: Mutex::default(),
            largest: AtomicUsize::new(0),
            away: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { url, shared })
    }

    /// Bytes of the largest request with records, uncompressed.
    pub fn largest(&self) -> usize {
        self.shared.largest.load(Ordering::Relaxed)
    }

    /// How many documents a bulk store has: cheap.
    #[allow(dead_code)]
    pub fn count(&self) -> u64 {
        match &*self.shared.kept.lock().unwrap() {
            Kept::Bulk(bulk) => bulk.count(),
            kept => panic!("{kept:?} is no bulk store"),
        }
    }

    /// Is away until it is back. What it keeps it has still.
    pub fn leave(&self, away: Away) {
        *self.shared.away.lock().unwrap() = Some(away);
        if away == Away::Closed {
            self.shared.lines.lock().unwrap().iter().for_each(|line| drop(line.socket.shutdown(Shutdown::Both)));
        }
    }

    /// Answers again.
    pub fn come_back(&self) {
        *self.shared.away.lock().unwrap() = None;
    }

    /// All that it keeps.
    pub fn records(&self) -> Vec<Record> {
        match &*self.shared.kept.lock().unwrap() {
            Kept::Bulk(bulk) => bulk.records(),
            Kept::Push(push) => push.records(),
            Kept::Elsewhere(_) => Vec::new(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept() {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        if *shared.away.lock().unwrap() == Some(Away::Closed) {
            continue;
        }
        let line = Arc::new(Line { socket, is_busy: AtomicBool::new(true) });
        shared.lines.lock().unwrap().push(Arc::clone(&line));
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A client that was killed breaks off anywhere.
            let _ = shared.serve(&line);
            shared.lines.lock().unwrap().retain(|one| !Arc::ptr_eq(one, &line));
        });
    }
}

impl Shared {
    /// Answers requests until one side hangs up.
    fn serve(&self, line: &Line) -> io::Result<()> {
        let mut from = BufReader::new(line.socket.try_clone()?);
        loop {
            line.is_busy.store(false, Ordering::SeqCst);
            // Waits without taking anything: what has come and is not taken can be seen by `wait_until_still`.
            if line.socket.peek(&mut [0])? == 0 {
                return Ok(());
            }
            line.is_busy.store(true, Ordering::SeqCst);
            let Some(head) = http::read_head(&mut from)? else { return Ok(()) };
            let away = *self.away.lock().unwrap();
            let fault = if head.is_write() && away.is_none() { self.faults.lock().unwrap().next() } else { None };
            if fault == Some(Fault::Reset) {
                // What has come and was not read makes the kernel send a reset (RFC 9293 section 3.10.4).
                return Ok(());
            }
            let request = http::read_body(&mut from, head)?;
            let end = match away {
                None => self.end(&request, fault, line),
                Some(Away::Busy) => End::Answer(Answer::new(503, "as scripted")),
                Some(_) => End::Silence,
            };
            line.is_busy.store(false, Ordering::SeqCst);
            match end {
                End::Answer(answer) => http::write(&line.socket, &answer)?,
                End::Late(answer) => {
                    std::thread::sleep(LATE);
                    http::write(&line.socket, &answer)?;
                }
                End::Cut(answer) => return http::write_half(&line.socket, &answer),
                End::Silence => {
                    std::thread::sleep(LATE);
                    return Ok(());
                }
                End::HangUp => return Ok(()),
            }
        }
    }

    fn end(&self, request: &Request, fault: Option<Fault>, line: &Line) -> End {
        if !request.is_write() {
            // Those who ask do not wait for each other.
            line.is_busy.store(false, Ordering::SeqCst);
            self.wait_until_still();
            return End::Answer(self.kept.lock().unwrap().other(request));
        }
        self.largest.fetch_max(request.body.len(), Ordering::Relaxed);
        let records = request.body.windows(4).filter(|four| four == b"seq-").count();
        match fault.filter(|fault| fault.suits(records)) {
            None => End::Answer(self.take(request, Part::All)),
            Some(Fault::Status(status)) => End::Answer(self.refusal(request, status)),
            Some(Fault::Page) => End::Answer(Answer::new(200, "<html>Welcome to the proxy</html>")),
            Some(Fault::Busy) => End::Answer(self.take(request, Part::Some)),
            Some(Fault::Unsaid) => End::Answer(self.take(request, Part::Unsaid)),
            Some(Fault::Slow) => End::Late(self.take(request, Part::All)),
            Some(Fault::Cut) => End::Cut(self.take(request, Part::All)),
            Some(fault) => {
                self.take(request, if fault == Fault::Half { Part::Half } else { Part::All });
                End::HangUp
            }
        }
    }

    fn take(&self, request: &Request, part: Part) -> Answer {
        let mut faults = self.faults.lock().unwrap();
        match &mut *self.kept.lock().unwrap() {
            Kept::Bulk(bulk) => bulk.take(&request.body, part, faults.dice()),
            Kept::Push(push) => push.take(&request.body, part, faults.dice()),
            Kept::Elsewhere(forward) => forward.take(request, part),
        }
    }

    fn refusal(&self, request: &Request, status: u16) -> Answer {
        let is_push = request.target.starts_with("/loki/");
        let words = match (is_push, status) {
            (true, 400) => "loghttp.PushRequest.Streams: unexpected EOF",
            (true, 429) => "ingestion rate limit exceeded for user fake",
            (true, _) => "as scripted",
            (false, _) => "{\"error\":{\"type\":\"scripted_exception\",\"reason\":\"as scripted\"}}",
        };
        let mut answer = Answer::new(status, words);
        let is_asked_to_wait = status == 429 && self.faults.lock().unwrap().dice().percent(10);
        answer.retry_after = is_asked_to_wait.then_some(1);
        answer
    }

    /// A store is asked what it has only when it is done with what was sent before: what a killed agent sent may still
    /// be on its way here. The real Loki is not so kind; see docs/guarantees.md.
    fn wait_until_still(&self) {
        let began = Instant::now();
        let is_still = |line: &Arc<Line>| {
            let has_come = rustix::io::ioctl_fionread(&line.socket).unwrap_or(0) > 0;
            !has_come && !line.is_busy.load(Ordering::SeqCst)
        };
        while !self.lines.lock().unwrap().iter().all(is_still) && began.elapsed() < STILL_WITHIN {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Kept {
    fn other(&self, request: &Request) -> Answer {
        match self {
            Self::Bulk(_) => Bulk::other(request),
            Self::Push(push) => push.other(request),
            Self::Elsewhere(forward) => forward.send(request),
        }
    }
}
