//! Asks a running agent: how it is (for `HEALTHCHECK` in images without a shell), and its ledger. Speaks just enough
//! HTTP for that.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// For each step: connecting, writing, reading.
const PATIENCE: Duration = Duration::from_secs(3);
/// More of an answer is not read.
const MOST_BYTES: u64 = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be asked.
    #[error("cannot use {0:?} as an address: write it as http://127.0.0.1:9618")]
    Address(String),
    /// No one answers.
    #[error("cannot ask {address}: {cause}")]
    Silent {
        /// Who was asked.
        address: SocketAddr,
        /// As the network gives it.
        cause: io::Error,
    },
    /// Something else answers there.
    #[error("cannot read the answer of {0}: it is not HTTP")]
    Stranger(SocketAddr),
}

/// The agent's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200: it is well, or here is what was asked for.
    pub well: bool,
    /// Its own words.
    pub text: String,
}

/// The address in `http://HOST:PORT`, with or without a path.
///
/// # Errors
/// If it is none.
pub fn address(url: &str) -> Result<SocketAddr, Error> {
    let authority = url.strip_prefix("http://").unwrap_or(url).split('/').next().unwrap_or_default();
    let found = authority.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| Error::Address(url.to_owned()))
}

/// Asks for `path`, such as `/healthz`, at the address at which an agent listens.
///
/// # Errors
/// If no agent answers.
pub fn ask(listening: SocketAddr, path: &str) -> Result<Answer, Error> {
    let address = reachable(listening);
    let answer = exchange(address, path).map_err(|cause| Error::Silent { address, cause })?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, text) = answer.split_once("\r\n\r\n").ok_or(Error::Stranger(address))?;
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).ok_or(Error::Stranger(address))?;
    Ok(Answer { well: status == "200", text: text.trim_end().to_owned() })
}

/// Who listens on all addresses is asked on the loopback one.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

fn exchange(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the end of the connection is the end of the answer.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}
