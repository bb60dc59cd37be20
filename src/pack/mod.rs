//! When a batch is closed, and how small it gets. Knows neither formats nor destinations.

mod gzip;
#[cfg(feature = "isal")]
mod isal;
#[cfg(test)]
mod tests;

use std::mem;
use std::time::Duration;

use serde::Deserialize;

use crate::base::batch::{Batch, Span};
use crate::base::fault::Fault;
use crate::base::quantity::{self, Size};

use gzip::Gzip;
#[cfg(feature = "isal")]
use isal::Isal;

/// No batch is larger. Elasticsearch takes a tenth of it: `http.max_content_length`.
const MOST_BYTES: u64 = 1 << 30;

/// When a batch is closed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes before compression.
    pub max_bytes: Size,
    /// Records.
    pub max_records: u32,
    /// Age of its oldest line in the agent.
    pub max_age: quantity::Span,
    /// gzip level, 0 (not compressed) to 9.
    pub gzip_level: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: Size(2 << 20),
            max_records: 20_000,
            max_age: quantity::Span(Duration::from_secs(1)),
            gzip_level: 1,
        }
    }
}

impl Config {
    /// All that is wrong with it.
    #[must_use]
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.max_bytes.0 == 0 {
            faults.push(Fault::new("max_bytes", "a batch cannot be empty").hint("for example \"2 MiB\""));
        }
        if self.max_bytes.0 > MOST_BYTES {
            faults.push(Fault::new("max_bytes", "no store takes a batch above 1 GiB").hint("for example \"2 MiB\""));
        }
        if self.max_records == 0 {
            faults.push(Fault::new("max_records", "a batch cannot be empty").hint("for example 20000"));
        }
        if self.gzip_level > 9 {
            faults.push(Fault::new("gzip_level", "no such level").hint("0 (not compressed) to 9 (smallest, slowest)"));
        }
        faults
    }
}

/// One open batch and its compressor, which is reused. One a worker and output.
#[derive(Debug)]
pub struct Packer {
    max_bytes: u64,
    max_records: u32,
    max_age_ms: i64,
    head: &'static [u8],
    separator: &'static [u8],
    tail: &'static [u8],
    body: Body,
    open: Option<Open>,
}

/// The batch that is being filled.
#[derive(Debug)]
struct Open {
    raw_len: u64,
    items: u32,
    spans: Vec<Span>,
    unsure: bool,
    since_ms: i64,
}

/// Where its bytes go.
#[derive(Debug)]
enum Body {
    Plain(Vec<u8>),
    Gzip(Box<Gzip>),
    #[cfg(feature = "isal")]
    Isal(Isal),
}

impl Packer {
    /// A packer of bodies that begin with `head`, end with `tail`, and have `separator` between parts.
    #[must_use]
    pub fn new(config: &Config, head: &'static [u8], separator: &'static [u8], tail: &'static [u8]) -> Self {
        let body = match config.gzip_level {
            0 => Body::Plain(Vec::new()),
            #[cfg(feature = "isal")]
            1 => Body::Isal(Isal::default()),
            level => Body::Gzip(Box::new(Gzip::new(level))),
        };
        Self {
            max_bytes: config.max_bytes.0,
            max_records: config.max_records,
            max_age_ms: i64::try_from(config.max_age.0.as_millis()).unwrap_or(i64::MAX),
            head,
            separator,
            tail,
            body,
            open: None,
        }
    }

    /// Adds one chunk's part (empty where it has no item). `now_ms` starts the batch's age.
    pub fn add(&mut self, part: &[u8], span: Span, unsure: bool, now_ms: i64) {
        let open = self.open.get_or_insert_with(|| Open {
            raw_len: 0,
            items: 0,
            spans: Vec::new(),
            unsure: false,
            since_ms: now_ms,
        });
        if span.items > 0 {
            let before = if open.items == 0 { self.head } else { self.separator };
            self.body.push(before);
            self.body.push(part);
            open.raw_len += (before.len() + part.len()) as u64;
            open.items += span.items;
            open.unsure |= unsure;
        }
        open.spans.push(span);
    }

    /// Whether the open batch must be closed now.
    #[must_use]
    pub fn is_due(&self, now_ms: i64) -> bool {
        self.open.as_ref().is_some_and(|open| {
            open.raw_len >= self.max_bytes
                || open.items >= self.max_records
                || now_ms.saturating_sub(open.since_ms) >= self.max_age_ms
                // The clock was set back: nobody knows how old it is.
                || now_ms < open.since_ms
        })
    }

    /// In how many ms the open batch is as old as one may get. `None`: there is none.
    #[must_use]
    pub fn is_due_in_ms(&self, now_ms: i64) -> Option<u64> {
        let open = self.open.as_ref()?;
        let age_ms = now_ms.saturating_sub(open.since_ms);
        Some(u64::try_from(self.max_age_ms.saturating_sub(age_ms)).unwrap_or(0))
    }

    /// Closes it. `None` when empty. A batch without items has an empty body: there is nothing to send, only
    /// watermarks to move.
    pub fn seal(&mut self) -> Option<Batch> {
        let Open { mut raw_len, items, spans, unsure, .. } = self.open.take()?;
        let gzip = items > 0 && !matches!(self.body, Body::Plain(_));
        let body = if items > 0 {
            self.body.push(self.tail);
            raw_len += self.tail.len() as u64;
            self.body.take()
        } else {
            Vec::new()
        };
        Some(Batch { number: 0, body: body.into(), gzip, raw_len, items, spans, unsure })
    }
}

impl Body {
    fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Plain(body) => body.extend_from_slice(bytes),
            Self::Gzip(gzip) => gzip.push(bytes),
            #[cfg(feature = "isal")]
            Self::Isal(isal) => isal.push(bytes),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Plain(body) => mem::take(body),
            Self::Gzip(gzip) => gzip.finish(),
            #[cfg(feature = "isal")]
            Self::Isal(isal) => isal.finish(),
        }
    }
}
