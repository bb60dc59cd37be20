//! Real sockets in a folder of their own.

use std::os::unix::net::UnixStream as Plain;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::mask::Masker;
use crate::output::Place;
use crate::ship::{Config, Destination, ParkedRecord, Selection};

/// Serves on that folder while `asking` runs on a thread of its own.
async fn with_agent<T: Send + 'static>(folder: &Path, asking: impl FnOnce() -> T + Send + 'static) -> T {
    with_outputs(folder, Vec::new(), asking).await
}

async fn with_outputs<T: Send + 'static>(
    folder: &Path,
    outputs: Vec<Arc<Destination>>,
    asking: impl FnOnce() -> T + Send + 'static,
) -> T {
    let clerk = Clerk::new(folder, outputs, Arc::new(Masker::new(&Default::default()).unwrap()));
    let listener = listen(folder).expect("a socket");
    tokio::select! {
        () = serve(listener, clerk) => panic!("it serves for ever"),
        answer = tokio::task::spawn_blocking(asking) => answer.unwrap(),
    }
}

fn drop_all() -> Request {
    Request::Drop(Selection::default())
}

#[tokio::test]
async fn a_request_is_answered_also_after_an_agent_that_died() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    assert!(matches!(ask(&state, &drop_all()), Err(Error::Unreachable { .. })), "no socket");
    // Dropping it leaves the file.
    drop(std::os::unix::net::UnixListener::bind(path(&state)).unwrap());
    assert!(matches!(ask(&state, &drop_all()), Err(Error::Unreachable { .. })), "nobody listens");
    let asked = state.clone();
    let (answer, mode) = with_agent(&state, move || {
        let mode = fs::metadata(path(&asked)).unwrap().permissions().mode();
        (ask(&asked, &drop_all()), mode & 0o777)
    })
    .await;
    assert_eq!((answer.unwrap(), mode), (Answer::Dropped(0), 0o600));
}

#[tokio::test]
async fn strangers_hold_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    let asked = state.clone();
    let began = Instant::now();
    with_agent(&state, move || {
        let connect = || Plain::connect(path(&asked)).unwrap();
        let silent = connect();
        let mut gone = connect();
        gone.write_all(b"{\"drop\"").unwrap();
        drop(gone);
        let mut odd = connect();
        odd.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        let mut answer = String::new();
        BufReader::new(odd).read_line(&mut answer).unwrap();
        assert!(answer.starts_with("{\"failed\":"), "{answer}");
        let long = Request::Drop(Selection { reason: Some("x".repeat(LONGEST_REQUEST)), ..Selection::default() });
        assert!(matches!(ask(&asked, &long), Err(Error::TooLong(_))));
        let mut endless = connect();
        // It is let go before it has said all of it.
        let _ = endless.write_all(&vec![b'x'; LONGEST_REQUEST + 100_000]);
        assert_eq!(ask(&asked, &drop_all()).unwrap(), Answer::Dropped(0));
        drop(silent);
    })
    .await;
    assert!(began.elapsed() < WITHIN * 10, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_folder_with_a_path_too_long_for_a_socket_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("x".repeat(120));
    fs::create_dir(&deep).unwrap();
    assert!(listen(&deep).is_none());
}

/// Its store is away, and so it would go on for an hour.
#[tokio::test]
async fn a_command_that_goes_away_ends_its_replay() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    let config: Config = toml::from_str("url = 'http://127.0.0.1:1'").unwrap();
    let output = toml::from_str("type = 'elasticsearch'\ntemplate = 'off'").unwrap();
    let store = Arc::new(Destination::new("store", &output, &config, Some(&state), Arc::default()).unwrap());
    let place = Place::Index("i".into());
    let (id, source, reason) = ("1".to_owned(), "app".to_owned(), "shape".to_owned());
    store.park(&[ParkedRecord { id, source, reason, place, document: b"{}".to_vec() }]).unwrap();
    let began = Instant::now();
    let asked = state.clone();
    with_outputs(&state, vec![store], move || {
        let request = serde_json::to_vec(&Request::Replay { selection: Selection::default(), wait_ms: 3_600_000 });
        let mut leaving = Plain::connect(path(&asked)).unwrap();
        leaving.write_all(&[request.unwrap(), b"\n".to_vec()].concat()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        drop(leaving);
        assert_eq!(ask(&asked, &drop_all()).unwrap(), Answer::Dropped(1), "it was still parked");
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
