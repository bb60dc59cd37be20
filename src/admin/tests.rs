//! The endpoint over a real socket, asked by the agent's own probe and by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::*;
use crate::base::counts::Counts;

/// An endpoint that serves until it is dropped.
struct Served {
    address: SocketAddr,
    well: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Its health is what `well` says.
fn start() -> Served {
    let well = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&well);
    let health = move || match asked.load(Ordering::SeqCst) {
        true => Health { ready: true, reasons: Vec::new() },
        false => Health { ready: false, reasons: vec!["output store is held".to_owned(), "no engine".to_owned()] },
    };
    let metrics = || "# TYPE logferry_sources gauge\nlogferry_sources 3\n".to_owned();
    let counts = Counts { read: 5, delivered: 2, ..Counts::default() };
    let ledger = move || Ledger::from([("store".to_owned(), [("app".to_owned(), counts.clone())].into())]);
    let face = Face { metrics: Arc::new(metrics), ledger: Arc::new(ledger), health: Arc::new(health) };
    let (told, address) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        runtime().block_on(async move {
            let listener = http::listen(&on("127.0.0.1:0".parse().unwrap())).await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            tokio::select! { () = http::serve(listener, face) => {}, _ = stopped => {} }
        });
    });
    Served { address: address.recv().unwrap(), well, stop: Some(stop), thread: Some(thread) }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn on(address: SocketAddr) -> Config {
    Config { listen: Listen(Some(address)), ..Config::default() }
}

fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn each_path_gives_its_answer() {
    let served = start();
    let (address, well) = (served.address, &served.well);
    let check = |method: &str, path: &str, status: &str, part: &str| {
        let answer = exchange(address, &format!("{method} {path} HTTP/1.0\r\nhost: x\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.0 {status}")), "{path}: {answer}");
        assert!(answer.contains(part), "{path}: {answer}");
    };
    check("GET", "/healthz", "200", "\r\n\r\nok\n");
    check("GET", "/readyz", "200", "ready\n");
    check("GET", "/metrics", "200", "\nlogferry_sources 3\n");
    check("GET", "/metrics", "200", "\nlogferry_ledger_lines{output=\"store\",source=\"app\",fate=\"in_flight\"} 3\n");
    check("GET", "/ledger", "200", "{\"store\":{\"app\":{\"read\":5,");
    check("GET", "/metrics", "200", "text/plain; version=0.0.4");
    check("GET", "/", "404", "/metrics");
    check("POST", "/healthz", "405", "allow: GET, HEAD");
    well.store(false, Ordering::SeqCst);
    check("GET", "/healthz", "503", "\r\n\r\noutput store is held\nno engine\n");
    check("GET", "/readyz", "503", "starting\n");
}

#[test]
fn the_probe_tells_well_from_unwell_and_from_no_one() {
    let served = start();
    let (address, well) = (served.address, Arc::clone(&served.well));
    let url = format!("http://{address}/healthz");
    assert_eq!(probe::address(&url).unwrap(), address);
    assert_eq!(probe::ask(address, "/healthz").unwrap(), probe::Answer { well: true, text: "ok".to_owned() });
    well.store(false, Ordering::SeqCst);
    let expected = probe::Answer { well: false, text: "output store is held\nno engine".to_owned() };
    assert_eq!(probe::ask(address, "/healthz").unwrap(), expected);
    drop(served);
    assert!(matches!(probe::ask(address, "/healthz"), Err(probe::Error::Silent { .. })));
    assert!(matches!(probe::address("https:"), Err(probe::Error::Address(_))));
}

#[test]
fn a_port_in_use_is_done_without() {
    let served = start();
    assert!(runtime().block_on(http::listen(&on(served.address))).is_none());
    assert!(runtime().block_on(http::listen(&Config { listen: Listen(None), ..Config::default() })).is_none());
}

#[test]
fn connections_are_bounded() {
    let served = start();
    let idle: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(served.address).unwrap()).collect();
    let closed = |mut stream: &TcpStream| {
        stream.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        matches!(stream.read(&mut [0]), Ok(0))
    };
    assert_eq!(idle.iter().rev().take(8).filter(|stream| closed(stream)).count(), 8);
    assert!(!closed(&idle[0]));
}
