//! The socket in the state folder through which `logferry parked` asks a running agent to change what is parked. Whoever
//! holds the state folder's lock is the only one that changes it: without an agent the command takes the lock itself.
//!
//! ```text
//! STATE_DIR/control.sock     a stream socket, mode 0600; one left over by an agent that died is replaced
//!
//! command  one line of JSON  {"drop":{"output":"store","ids":["0f3k…"]}}             a Request
//! agent    one line of JSON  {"dropped":1}                                           an Answer
//! ```
//!
//! One request, one answer, and the agent closes. Requests are served one after the other. A command that goes away
//! ends what it asked for: what was sent to a store by then is recognised when it is sent again. Reading what is parked
//! needs no agent, and so no socket: files are appended to, or replaced whole.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::time::{sleep, timeout};

use super::clerk::{Answer, Clerk, Request};

/// Longer requests are refused: they lie in memory whole.
const LONGEST_REQUEST: usize = 4 << 20;
/// For a request to arrive, and for an answer to be taken.
const WITHIN: Duration = if cfg!(test) { Duration::from_millis(300) } else { Duration::from_secs(5) };
/// After a failed `accept` (no descriptors left): long enough not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Commands that wait for their turn.
const BACKLOG: u32 = 16;

/// Why a running agent could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not listen.
    #[error("cannot reach the agent that uses this state folder at {}: {source}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It would not take so much.
    #[error("cannot ask the agent that uses this state folder: {0} bytes are too many for one request")]
    TooLong(usize),
    /// It ended, or broke off.
    #[error("cannot hear the agent's answer: {0}")]
    Silent(io::Error),
}

/// Opens the socket, readable by its owner only from the first moment. `None`: it cannot be had, which is said; the
/// agent works without it. Only for whoever holds the state folder.
pub fn listen(state_dir: &Path) -> Option<UnixListener> {
    let path = path(state_dir);
    match bind(&path) {
        Ok(listener) => Some(listener),
        Err(cause) => {
            tracing::warn!(
                "cannot listen on {}: {cause}; going on without it\n\
                 hint: logferry parked drop and replay work while the agent is stopped",
                path.display()
            );
            None
        }
    }
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    // Nobody can connect before it listens.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)
}

/// Answers for as long as it is polled.
pub async fn serve(listener: UnixListener, clerk: Clerk) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => converse(&stream, &clerk).await,
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn converse(stream: &UnixStream, clerk: &Clerk) {
    let Ok(Ok(line)) = timeout(WITHIN, request_line(stream)).await else { return };
    let answer = match serde_json::from_slice(&line) {
        Err(_) => Answer::Failed("cannot understand the request: the agent is of another version".to_owned()),
        Ok(request) => tokio::select! {
            answer = clerk.perform(request) => answer,
            () = hung_up(stream) => return,
        },
    };
    let Ok(mut line) = serde_json::to_vec(&answer) else { return };
    line.push(b'\n');
    // A command that does not take its answer any more is its own affair.
    let _ = timeout(WITHIN, write_all(stream, &line)).await;
}

async fn request_line(stream: &UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut block = vec![0; 64 << 10];
    while line.last() != Some(&b'\n') {
        let count = read_some(stream, &mut block).await?;
        if count == 0 || line.len() + count > LONGEST_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        line.extend_from_slice(&block[..count]);
    }
    Ok(line)
}

/// Returns when the other end is gone. It has nothing more to say.
async fn hung_up(stream: &UnixStream) {
    let mut block = [0; 64];
    while matches!(read_some(stream, &mut block).await, Ok(1..)) {}
}

async fn read_some(stream: &UnixStream, block: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(block) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

async fn write_all(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Asks the agent that runs on `state_dir`, and waits for its answer, however long that takes.
///
/// # Errors
/// It does not listen, or gives no answer.
pub fn ask(state_dir: &Path, request: &Request) -> Result<Answer, Error> {
    let path = path(state_dir);
    let connected = std::os::unix::net::UnixStream::connect(&path);
    let mut stream = connected.map_err(|source| Error::Unreachable { path, source })?;
    let mut line = serde_json::to_vec(request).map_err(|error| Error::Silent(error.into()))?;
    line.push(b'\n');
    if line.len() > LONGEST_REQUEST {
        return Err(Error::TooLong(line.len()));
    }
    stream.write_all(&line).map_err(Error::Silent)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(Error::Silent)?;
    if answer.is_empty() {
        return Err(Error::Silent(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended before it gave any")));
    }
    serde_json::from_str(&answer).map_err(|error| Error::Silent(error.into()))
}
