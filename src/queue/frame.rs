//! One frame: a sealed batch, and what the next run must know of its input, as bytes and back. Opens no files.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::base::counts::Counts;
use crate::base::source::{Cursor, Kind, Note, fingerprint};

/// A batch as the queue keeps it: [`Batch`](crate::base::batch::Batch), with spans that outlive the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// The body as sent, compressed if `gzip`.
    pub body: Vec<u8>,
    /// Whether `body` is gzip.
    pub gzip: bool,
    /// Length of the body before compression, in bytes.
    pub raw_len: u64,
    /// How many items it has, all spans together.
    pub items: u32,
    /// What it covers, in the order of its items.
    pub spans: Vec<Span>,
    /// Some of it may have been sent before it was queued: a store that cannot tell repeats must be asked.
    pub unsure: bool,
}

/// One chunk's part of a batch, with all that the next run needs to settle it without its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// What reads its source.
    pub kind: Kind,
    /// The `[source.NAME]` that it comes from.
    pub name: String,
    /// Which chunk, of which source.
    pub note: Note,
    /// Where reading goes on after it.
    pub cursor: Cursor,
    /// Its lines.
    pub lines: u64,
    /// Its items in the batch.
    pub items: u32,
    /// What became of its lines before they were items.
    pub counts: Counts,
}

/// All of a frame but its body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header<'a> {
    /// Counts the frames of a queue, over all runs.
    pub number: u64,
    /// When it was pushed, in ms since 1970.
    pub queued_ms: i64,
    gzip: bool,
    raw_len: u64,
    items: u32,
    unsure: bool,
    /// What it covers.
    pub spans: Cow<'a, [Span]>,
}

impl Header<'_> {
    /// The batch, with its body.
    pub fn sealed(self, body: Vec<u8>) -> Sealed {
        let Self { gzip, raw_len, items, unsure, spans, .. } = self;
        Sealed { body, gzip, raw_len, items, spans: spans.into_owned(), unsure }
    }
}

/// Length of what comes before a header: two checks and two lengths.
const PREFIX_BYTES: usize = 24;

/// A frame up to its body.
///
/// # Errors
/// When its header or body is longer than 4 GiB.
pub fn encode(number: u64, queued_ms: i64, sealed: &Sealed) -> io::Result<Vec<u8>> {
    let Sealed { body, gzip, raw_len, items, spans, unsure } = sealed;
    let (gzip, raw_len, items, unsure) = (*gzip, *raw_len, *items, *unsure);
    let spans = Cow::Borrowed(spans.as_slice());
    let header = serde_json::to_vec(&Header { number, queued_ms, gzip, raw_len, items, unsure, spans })?;
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge);
    let mut frame = vec![0; 8];
    frame.extend(fingerprint(body).to_le_bytes());
    frame.extend(length(&header)?.to_le_bytes());
    frame.extend(length(body)?.to_le_bytes());
    frame.extend(header);
    let check = fingerprint(&frame[8..]);
    frame[..8].copy_from_slice(&check.to_le_bytes());
    Ok(frame)
}

/// What lies where a frame should begin.
#[derive(Debug)]
pub struct Start {
    /// The frame's length in bytes, if `good`; else what stands there for it.
    pub len: u64,
    /// A header whose check fits, and what it takes to read the body, which comes next.
    pub good: Option<(Header<'static>, Body)>,
}

/// What a frame's prefix says of the body.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    len: u32,
    check: u64,
}

/// Reads a frame up to its body. `None`: the next `room` bytes cannot hold one, or not all of it.
///
/// # Errors
/// As the reader gives them.
pub fn read_start(reader: &mut impl Read, room: u64) -> io::Result<Option<Start>> {
    let mut prefix = [0; PREFIX_BYTES];
    if room < prefix.len() as u64 {
        return Ok(None);
    }
    reader.read_exact(&mut prefix)?;
    let [check, body_check] = [0, 8].map(|at| number(&prefix[at..at + 8]));
    let [header_len, body_len] = [16, 20].map(|at| number(&prefix[at..at + 4]) as u32);
    let len = prefix.len() as u64 + u64::from(header_len) + u64::from(body_len);
    if header_len == 0 || len > room {
        return Ok(None);
    }
    let mut checked = prefix[8..].to_vec();
    reader.take(header_len.into()).read_to_end(&mut checked)?;
    let header = serde_json::from_slice(&checked[PREFIX_BYTES - 8..]).ok();
    let header = header.filter(|_| fingerprint(&checked) == check);
    Ok(Some(Start { len, good: header.map(|header| (header, Body { len: body_len, check: body_check })) }))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Body {
    /// Reads it. `None`: it is damaged.
    ///
    /// # Errors
    /// As the reader gives them.
    pub fn read(self, reader: impl Read) -> io::Result<Option<Vec<u8>>> {
        let mut body = Vec::with_capacity(self.len as usize);
        reader.take(self.len.into()).read_to_end(&mut body)?;
        Ok((fingerprint(&body) == self.check).then_some(body))
    }

    /// Passes over it, and tells whether it is whole.
    ///
    /// # Errors
    /// As the reader gives them.
    pub fn verify(self, reader: impl BufRead) -> io::Result<bool> {
        let mut reader = reader.take(self.len.into());
        let mut hash = Xxh3::new();
        loop {
            let bytes = reader.fill_buf()?;
            if bytes.is_empty() {
                return Ok(hash.digest() == self.check);
            }
            hash.update(bytes);
            let read = bytes.len();
            reader.consume(read);
        }
    }
}
