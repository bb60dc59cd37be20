//! As much of HTTP/1.1 as the agent and its peers speak, on bare sockets, so that an answer can be cut off, late or missing. Knows no
//! store.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use flate2::read::GzDecoder;

/// No body of the agent's is longer.
const LONGEST_BODY: usize = 64 << 20;

/// A request, its body inflated.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    pub body: Vec<u8>,
}

/// The head of a request: what there is before its body.
#[derive(Debug)]
pub struct Head {
    method: String,
    target: String,
    /// Bytes of the body, as they come.
    pub length: usize,
    gzip: bool,
    /// The client sends its body only when asked to (RFC 9110 section 10.1.1).
    waits: bool,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// In seconds.
    pub retry_after: Option<u64>,
    pub body: Vec<u8>,
}

impl Head {
    /// Whether it comes with records.
    pub fn is_write(&self) -> bool {
        is_write(&self.target)
    }
}

impl Request {
    /// Whether it comes with records.
    pub fn is_write(&self) -> bool {
        is_write(&self.target)
    }
}

fn is_write(target: &str) -> bool {
    target.starts_with("/_bulk") || target.starts_with("/loki/api/v1/push")
}

impl Answer {
    /// An answer with a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, retry_after: None, body: body.into() }
    }

    fn head(&self) -> String {
        let after = self.retry_after.map_or_else(String::new, |seconds| format!("retry-after: {seconds}\r\n"));
        format!("HTTP/1.1 {} x\r\ncontent-length: {}\r\n{after}\r\n", self.status, self.body.len())
    }
}

/// Reads the head of the next request; `None` when the client is gone.
pub fn read_head(from: &mut BufReader<TcpStream>) -> io::Result<Option<Head>> {
    let mut first = String::new();
    if from.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut head = Head { method, target, length: 0, gzip: false, waits: false };
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { return Ok(Some(head)) };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", length) => head.length = length.parse().map_err(io::Error::other)?,
            ("content-encoding", "gzip") => head.gzip = true,
            ("expect", "100-continue") => head.waits = true,
            _ => {}
        }
    }
}

/// Reads the body that belongs to a head. A client that dies meanwhile has sent nothing.
pub fn read_body(from: &mut BufReader<TcpStream>, head: Head) -> io::Result<Request> {
    let Head { method, target, length, gzip, waits } = head;
    if length > LONGEST_BODY {
        return Err(io::Error::other("a body that long is none of the agent's"));
    }
    if waits {
        from.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    if gzip {
        let mut inflated = Vec::new();
        GzDecoder::new(body.as_slice()).read_to_end(&mut inflated)?;
        body = inflated;
    }
    Ok(Request { method, target, body })
}

/// Writes a whole answer.
pub fn write(to: &TcpStream, answer: &Answer) -> io::Result<()> {
    let mut to = to;
    to.write_all(&[answer.head().as_bytes(), &answer.body].concat())
}

/// Writes the head and half of the body.
pub fn write_half(to: &TcpStream, answer: &Answer) -> io::Result<()> {
    let mut to = to;
    to.write_all(&[answer.head().as_bytes(), &answer.body[..answer.body.len() / 2]].concat())
}

/// Undoes percent-encoding (RFC 3986 section 2.1), `+` included (HTML, `application/x-www-form-urlencoded`).
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next(), rest.next()].map(|digit| char::from(digit.unwrap_or(b'0')).to_digit(16));
                u8::try_from(hex[0].unwrap_or(0) * 16 + hex[1].unwrap_or(0)).expect("two digits")
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
