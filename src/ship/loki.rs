//! Loki's requests: a push, and the question which entries are there already. Judges nothing: `output` does.

use std::collections::HashMap;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};

use super::http::{Client, Reply, Request, Silence};
use super::piece::Piece;
use super::readback::{self, Found};
use crate::base::source::fingerprint;
use crate::output::Answer;
use crate::output::loki::{Stream, Unanswered, answer, selector};

/// Most entries that Loki gives for one query (`limits_config.max_entries_limit_per_query`).
const LARGEST_PAGE: usize = 5_000;
/// Fewer are never asked for.
const SMALLEST_PAGE: usize = 20;
/// A page's lines stay below Loki's limit of 4 MiB for messages between its parts, escapes included.
const PAGE_BYTES: usize = 1 << 20;
/// One query covers at most this much time: longer ones are refused, or split into very many.
const WINDOW_NS: i64 = 12 * 3_600 * 1_000_000_000;
/// For times older than this Loki does not ask its ingesters (`querier.query_ingesters_within`), so that what is not
/// flushed yet is not found.
const SEEN_AT_ONCE_NS: i64 = 3 * 3_600 * 1_000_000_000;

/// Whether the store has an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has.
    There,
    /// It has not.
    Absent,
    /// It was not found, but it may be where no query looks; or asking is not allowed.
    Unknown,
}

/// The push request of a piece.
pub(super) fn request(piece: &Piece) -> Request<'static> {
    Request {
        method: Method::POST,
        path: "/loki/api/v1/push",
        headers: HeaderMap::new(),
        content_type: "application/json",
        body: piece.body.clone(),
        gzip: piece.gzip,
    }
}

/// What a reply to it means.
pub(super) fn read(reply: &Reply, items: usize) -> Answer {
    answer(&reply.response(), items)
}

/// Which entries the store has, in the order of `streams` and their entries.
///
/// # Errors
/// The store cannot say now.
pub(super) async fn presence(client: &Client, streams: &[Stream], now_ns: i64) -> Result<Vec<Presence>, String> {
    let mut presence = Vec::new();
    for stream in streams {
        let Some(mut there) = ask(client, stream).await? else {
            presence.extend(stream.entries.iter().map(|_| Presence::Unknown));
            continue;
        };
        for entry in &stream.entries {
            let key = (entry.ns, fingerprint(entry.line.as_bytes()));
            presence.push(match there.get_mut(&key) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    Presence::There
                }
                _ if now_ns - entry.ns > SEEN_AT_ONCE_NS => Presence::Unknown,
                _ => Presence::Absent,
            });
        }
    }
    Ok(presence)
}

/// How many entries of each time and line the store has. Equal lines of one time count apart.
type Counted = HashMap<(i64, u64), u32>;

/// `None`: asking is not allowed.
async fn ask(client: &Client, stream: &Stream) -> Result<Option<Counted>, String> {
    let mut times: Vec<i64> = stream.entries.iter().map(|entry| entry.ns).collect();
    times.sort_unstable();
    let bytes: usize = stream.entries.iter().map(|entry| entry.line.len() + 32).sum();
    let mean = bytes / stream.entries.len().max(1) + 1;
    let mut page = (PAGE_BYTES / mean).clamp(SMALLEST_PAGE, LARGEST_PAGE);
    let mut counted = Counted::new();
    let mut rest = times.as_slice();
    while let Some(first) = rest.first() {
        let inside = rest.partition_point(|ns| ns - first <= WINDOW_NS);
        let last = rest[inside - 1];
        rest = &rest[inside..];
        if !ask_window(client, stream, (*first, last), &mut page, &mut counted).await? {
            return Ok(None);
        }
    }
    Ok(Some(counted))
}

/// Asks for `first` to `last`, both inclusive, page by page. `false`: asking is not allowed.
async fn ask_window(
    client: &Client,
    stream: &Stream,
    (first, last): (i64, i64),
    page: &mut usize,
    counted: &mut Counted,
) -> Result<bool, String> {
    let mut start = first;
    while start <= last {
        let found = match query(client, stream, start, last, *page).await {
            Ok(Found::Entries(found)) => found,
            Ok(Found::No(Unanswered::Denied)) => return Ok(false),
            Ok(Found::No(Unanswered::TooMuch)) | Err(Silence::TooLong) if *page > SMALLEST_PAGE => {
                *page = (*page / 8).max(SMALLEST_PAGE);
                continue;
            }
            Ok(Found::No(Unanswered::TooMuch)) | Err(Silence::TooLong) => return Ok(false),
            Ok(Found::No(Unanswered::Later(reason))) => return Err(format!("{}: {reason}", client.address())),
            Err(silence) => return Err(format!("{}: {}", client.address(), silence.words())),
        };
        let total: usize = found.iter().map(|stream| stream.values.len()).sum();
        let end = found.iter().flat_map(|stream| &stream.values).map(|entry| entry.ns).max();
        // The last time of a full page may go on behind it: it is asked for again, unless it is all of the page.
        let next = match end {
            Some(end) if total >= *page => end.max(start + 1),
            _ => last + 1,
        };
        let own = found.iter().filter(|one| one.is(stream));
        for entry in own.flat_map(|one| &one.values).filter(|entry| entry.ns < next) {
            *counted.entry((entry.ns, fingerprint(entry.line.as_bytes()))).or_default() += 1;
        }
        start = next;
    }
    Ok(true)
}

async fn query(client: &Client, stream: &Stream, first: i64, last: i64, page: usize) -> Result<Found, Silence> {
    let mut path = String::from("/loki/api/v1/query_range?direction=forward&query=");
    percent_encode(&selector(&stream.labels), &mut path);
    path.push_str(&format!("&start={first}&end={}&limit={page}", last + 1));
    let mut request = Request::get(&path);
    // Without it structured metadata is mixed with the labels of the stream.
    request.headers.insert("x-loki-response-encoding-flags", HeaderValue::from_static("categorize-labels"));
    let reply = client.send(&request).await?;
    Ok(readback::read(&reply.response()))
}

/// RFC 3986 section 2.1: all but unreserved characters.
fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}
