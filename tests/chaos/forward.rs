//! The way on to a real store, by curl. Changes nothing on it.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use crate::http::{Answer, Request};
use crate::stores::Part;

/// A real store.
#[derive(Debug)]
pub struct Forward {
    url: String,
}

impl Forward {
    /// The store at a URL.
    pub fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned() }
    }

    /// Hands records on. A real store's answer cannot be told in part: it is then busy, and takes nothing.
    pub fn take(&self, request: &Request, part: Part) -> Answer {
        if part == Part::Some { Answer::new(503, "as scripted") } else { self.send(request) }
    }

    /// Hands a request on, and the answer back. A store that gives none is away, which the agent bears.
    pub fn send(&self, request: &Request) -> Answer {
        self.ask(request).unwrap_or_else(|error| Answer::new(503, format!("handing on: {error}")))
    }

    fn ask(&self, request: &Request) -> io::Result<Answer> {
        let kind = if request.target.starts_with("/_bulk") { "application/x-ndjson" } else { "application/json" };
        let mut command = Command::new("curl");
        command.args(["-sS", "-m", "30", "-X", &request.method, "-w", "\n%{http_code}"]);
        command.args([
            "-H",
            &format!("content-type: {kind}"),
            "-H",
            "x-loki-response-encoding-flags: categorize-labels",
        ]);
        if !request.body.is_empty() {
            command.args(["--data-binary", "@-"]);
        }
        command.arg(format!("{}{}", self.url, request.target));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().expect("a pipe").write_all(&request.body)?;
        let output = child.wait_with_output()?.stdout;
        let end = output.iter().rposition(|byte| *byte == b'\n').ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = String::from_utf8_lossy(&output[end + 1..]).parse().map_err(io::Error::other)?;
        // curl's own word for no answer.
        if status == 0 { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(Answer::new(status, &output[..end])) }
    }
}
