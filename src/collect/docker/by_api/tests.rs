//! An engine by script: its log streams hang, as those of a real one do now and then, but not when a test asks.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, watch};

use super::super::follow::{News, Shared};
use super::super::{Config, Docker, Hooks, Way};
use super::*;
use crate::base::chunk::Chunk;
use crate::base::metrics::Metrics;
use crate::base::source::{Resume, SourceId};

/// How many messages the engine's log has, and how many each follow gives before it hangs.
#[derive(Debug, Default)]
struct Script {
    messages: AtomicUsize,
    given: Mutex<Vec<usize>>,
    follows: AtomicUsize,
}

fn frame(number: usize) -> Vec<u8> {
    let payload = format!("2026-11-25T22:40:{number:02}.000000007Z line {number}\n");
    [&[1, 0, 0, 0], &u32::try_from(payload.len()).unwrap().to_be_bytes()[..], payload.as_bytes()].concat()
}

/// Listens until the test's process ends; a thread a connection.
fn serve(socket: &Path, script: &Arc<Script>) {
    let listener = UnixListener::bind(socket).unwrap();
    let script = Arc::clone(script);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let script = Arc::clone(&script);
            std::thread::spawn(move || answer(connection.unwrap(), &script));
        }
    });
}

/// A body ends with its connection.
fn answer(mut connection: UnixStream, script: &Script) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && connection.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let last = script.messages.load(Ordering::SeqCst);
    let is_follow = head.contains("/logs?follow=1");
    let body = if is_follow {
        let number = script.follows.fetch_add(1, Ordering::SeqCst);
        let given = script.given.lock().unwrap().get(number).copied().unwrap_or(last);
        (1..=given).flat_map(frame).collect()
    } else if head.contains("tail=1") {
        frame(last)
    } else {
        br#"{"Name":"/box","State":{"Running":true},"Config":{"Tty":false}}"#.to_vec()
    };
    let ok = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    let is_taken = connection.write_all(&[ok, &body[..]].concat()).is_ok();
    if is_follow && is_taken {
        // Hangs until the agent has enough of it.
        let _ = connection.read(&mut byte);
    }
}

/// Waits until `holds`, for ten seconds at most.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_stream_that_hangs_is_opened_again_and_one_that_stays_so_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let script =
        Arc::new(Script { messages: AtomicUsize::new(3), given: Mutex::new(vec![1, 3, 3, 3]), ..Script::default() });
    serve(&socket, &script);
    let config = Config { host: Some(format!("unix://{}", socket.display())), read: Way::Api, ..Config::default() };
    let (chunks, mut taken) = mpsc::channel::<Chunk>(8);
    let metrics = Arc::new(Metrics::default());
    let resume =
        Resume { id: SourceId::new(1), generation: 0, cursor: None, path: None, replay: Vec::new(), unread: 0 };
    let hooks = Hooks {
        resume: Arc::new(move |_| resume.clone()),
        chunks,
        metrics: Arc::clone(&metrics),
        listed: Arc::new(|_| ()),
        finished: Arc::new(|_| ()),
    };
    let lines = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lines);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shared = Shared::new(Docker::new(&config, "box".into()).unwrap(), hooks);
        let (news, receiver) = watch::channel(News { starts: 1, ..News::default() });
        let (stop, stopped) = watch::channel(false);
        let follower = tokio::spawn(Follower::new(shared, "c".repeat(64), receiver, stopped).run());
        tokio::spawn(async move {
            while let Some(chunk) = taken.recv().await {
                counted.fetch_add(chunk.lines.len(), Ordering::SeqCst);
            }
        });
        until("the first stream hangs, the second has all", || lines.load(Ordering::SeqCst) == 3).await;
        assert_eq!((metrics.total(Metric::HungFollows), metrics.total(Metric::StalledFollows)), (1, 0));
        // Two more come, and the streams opened next have neither.
        script.messages.store(5, Ordering::SeqCst);
        until("a hang that stays is shown", || metrics.total(Metric::StalledFollows) == 1).await;
        until("lines come again", || lines.load(Ordering::SeqCst) == 5).await;
        assert_eq!(metrics.total(Metric::StalledFollows), 0);
        assert!(metrics.total(Metric::HungFollows) >= 3);
        stop.send_replace(true);
        follower.await.unwrap();
        drop(news);
    });
    assert_eq!(lines.load(Ordering::SeqCst), 5, "nothing is read twice");
}
