//! The requests of Elasticsearch and OpenSearch: `_bulk`, and the index template once. Judges nothing: `output` does.

use reqwest::Method;
use reqwest::header::HeaderMap;

use super::http::{Client, Reply, Request, Silence};
use super::piece::Piece;
use crate::output::Answer;
use crate::output::elasticsearch::{Presence, Template, answer, presence, put};

/// Only what is read is asked for: an answer of 20,000 items is several MB in full.
const BULK: &str = "/_bulk?filter_path=errors,took,error,status,items.*.status,items.*.error";

/// The `_bulk` request of a piece.
pub(super) fn request(piece: &Piece) -> Request<'static> {
    Request {
        method: Method::POST,
        path: BULK,
        headers: HeaderMap::new(),
        content_type: "application/x-ndjson",
        body: piece.body.clone(),
        gzip: piece.gzip,
    }
}

/// What a reply to it means. `is_judged`: that many rewrapped documents are refused may be the index's fault.
pub(super) fn read(reply: &Reply, piece: &Piece, is_judged: bool) -> Answer {
    answer(&reply.response(), piece.numbers.len(), piece.rewrapped.filter(|_| is_judged))
}

/// Why the template is not there.
pub(super) enum NoTemplate {
    /// The store does not answer.
    Silent(String),
    /// It does not want it.
    Refused(String),
}

/// Sees to it that the template is there. Whether it was there before.
pub(super) async fn ensure_template(client: &Client, wanted: &Template) -> Result<bool, NoTemplate> {
    let path = format!("/_index_template/{}", wanted.name);
    let silent = |silence| NoTemplate::Silent(told(client, silence));
    let reply = client.send(&Request::get(&path)).await.map_err(silent)?;
    match presence(&reply.response()) {
        Presence::There => return Ok(true),
        Presence::Unknown { reason } => return Err(NoTemplate::Refused(reason)),
        Presence::Absent => {}
    }
    let request = Request {
        method: Method::PUT,
        path: &path,
        headers: HeaderMap::new(),
        content_type: "application/json",
        body: wanted.body.clone().into(),
        gzip: false,
    };
    let reply = client.send(&request).await.map_err(silent)?;
    put(&reply.response()).map_err(NoTemplate::Refused)?;
    Ok(false)
}

fn told(client: &Client, silence: Silence) -> String {
    format!("{}: {}", client.address(), silence.words())
}
