//! Servers that break the rules of HTTP, or are just slow: what is said byte by byte, by a script.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::read::GzDecoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::bulk::{Documents, bulk, take};
use super::{counts, destination, ship};

/// What a server does when it has read a request whole. `{}` in a text is the answer of an honest store.
#[derive(Clone, Debug)]
enum Deed {
    /// Says this.
    Say(&'static str),
    /// Says this, and only the first half of the answer.
    SayHalf(&'static str),
    /// Says this, a byte a millisecond.
    SaySlowly(&'static str),
    /// Says nothing for so many ms.
    Wait(u64),
    /// Closes the connection.
    Close,
    /// Breaks the connection off, as a host does that has forgotten it.
    Reset,
}
use Deed::{Close, Reset, Say, SayHalf, SaySlowly, Wait};

/// Content-Length and Content-Type are put in for `CL`.
const HONEST: Deed = Say("HTTP/1.1 200 OK\r\nCL\r\n\r\n{}");

/// The deeds of each request in turn; those beyond are answered honestly.
async fn serve(script: Vec<Vec<Deed>>, store: Documents) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let rest = Arc::new(Mutex::new(script.into_iter()));
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(connection(socket, Arc::clone(&rest), Arc::clone(&store)));
        }
    });
    url
}

async fn connection(mut socket: TcpStream, rest: Arc<Mutex<std::vec::IntoIter<Vec<Deed>>>>, store: Documents) {
    while let Some(body) = request(&mut socket).await {
        let answer = take(&store, &body, |_, _| None);
        let deeds = rest.lock().unwrap().next().unwrap_or_else(|| vec![HONEST]);
        for deed in deeds {
            let text = |text: &str, answer: &str| {
                let head = format!("Content-Type: application/json\r\nContent-Length: {}", answer.len());
                text.replace("CL", &head).replace("{}", answer)
            };
            match deed {
                Say(words) => socket.write_all(text(words, &answer).as_bytes()).await.unwrap(),
                SayHalf(words) => {
                    let whole = text(words, &answer);
                    socket.write_all(&whole.as_bytes()[..whole.len() - answer.len() / 2]).await.unwrap();
                }
                SaySlowly(words) => {
                    for byte in text(words, &answer).into_bytes() {
                        socket.write_all(&[byte]).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
                Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                Close => return,
                Reset => return socket.set_zero_linger().unwrap(),
            }
        }
    }
}

/// One request, its body inflated, read in small bites as a busy server does. `None`: the client went away.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut bite = [0; 512];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let length: usize = length.parse().unwrap();
            if bytes.len() >= end + 4 + length {
                return Some(std::io::read_to_string(GzDecoder::new(&bytes[end + 4..])).unwrap());
            }
        }
        match socket.read(&mut bite).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&bite[..length]),
            _ => return None,
        }
    }
}

/// What the store did before it broke off is found again by its ids: each document is there once, none is missing.
#[tokio::test]
async fn however_an_answer_is_broken_each_document_is_stored_once() {
    // The first request is answered so; how many of the twelve documents are found again.
    let rows: Vec<(&str, Vec<Deed>, u32)> = vec![
        ("honest", vec![HONEST], 0),
        ("E7: half an answer, then closed", vec![SayHalf("HTTP/1.1 200 OK\r\nCL\r\n\r\n{}"), Close], 6),
        ("E7: half an answer without a length", vec![SayHalf("HTTP/1.1 200 OK\r\n\r\n{}"), Close], 6),
        (
            "E7: half a chunked answer",
            vec![Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"items"), Close],
            6,
        ),
        ("E13: reset in mid body", vec![SayHalf("HTTP/1.1 200 OK\r\nCL\r\n\r\n{}"), Wait(20), Reset], 6),
        ("E8: reset instead of an answer", vec![Reset], 6),
        ("E8: no answer within the timeout", vec![Wait(2500), Close], 6),
        ("E13: an answer byte by byte", vec![SaySlowly("HTTP/1.1 200 OK\r\nCL\r\n\r\n{}")], 0),
        ("E13: an answer after 1000 ms", vec![Wait(1000), HONEST], 0),
        ("E13: closed after the answer, unannounced", vec![HONEST, Close], 0),
        ("E13: closed a moment after the answer", vec![HONEST, Wait(5), Close], 0),
        ("E13: closed as announced", vec![Say("HTTP/1.1 200 OK\r\nConnection: close\r\nCL\r\n\r\n{}"), Close], 0),
        ("100-continue", vec![Say("HTTP/1.1 100 Continue\r\n\r\n"), Wait(5), HONEST], 0),
        (
            "102, then 100, then the answer",
            vec![Say("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"), HONEST],
            0,
        ),
        ("not HTTP", vec![Say("SSH-2.0-OpenSSH_9.2p1\r\n"), Close], 6),
        ("a proxy's page with status 200", vec![Say("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html>welcome")], 6),
        ("a proxy's words with status 200", vec![Say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")], 6),
        ("an empty answer with status 200", vec![Say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")], 6),
        ("other JSON with status 200", vec![Say("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"errors\":false}")], 6),
        ("no content", vec![Say("HTTP/1.1 204 No Content\r\n\r\n")], 6),
        ("a redirect without a place", vec![Say("HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n\r\n")], 6),
    ];
    for (name, deeds, repeated) in rows {
        let store = Documents::default();
        let url = serve(vec![deeds], Arc::clone(&store)).await;
        let state = tempfile::tempdir().unwrap();
        let (destination, _) = destination("elasticsearch", &format!("'{url}'"), "", state.path());
        assert_eq!(ship(&destination, vec![bulk(0..6), bulk(6..9)]).await, counts(9 - repeated, repeated, 0), "{name}");
        assert_eq!((store.lock().unwrap().len(), destination.is_held()), (9, None), "{name}");
    }
}

/// E13: a store that takes 75 to 1000 ms for each answer gets all, in order, and no request before its time.
#[tokio::test]
async fn a_slow_store_gets_everything() {
    let store = Documents::default();
    let slow = [75, 150, 300, 1000].map(|ms| vec![Wait(ms), HONEST]);
    let url = serve(slow.to_vec(), Arc::clone(&store)).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, _) = destination("elasticsearch", &format!("'{url}'"), "", state.path());
    let batches = (0..4).map(|number| bulk(number * 2..number * 2 + 2)).collect();
    assert_eq!(ship(&destination, batches).await, counts(8, 0, 0));
    assert_eq!(store.lock().unwrap().len(), 8);
}
