//! Real sockets in a folder of their own.

use std::os::unix::net::UnixStream as Plain;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::mask::Masker;
use crate::ship::Selection;

/// Serves on that folder while `asking` runs on a thread of its own.
async fn with_agent<T: Send + 'static>(folder: &Path, asking: impl FnOnce() -> T + Send + 'static) -> T {
    let clerk = Clerk::new(folder, Vec::new(), Arc::new(Masker::new(&Default::default()).unwrap()));
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
