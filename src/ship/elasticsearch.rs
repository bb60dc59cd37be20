//! The requests of Elasticsearch and OpenSearch: `_bulk`, and the index template once. Judges nothing: `output` does.

use reqwest::Method;
use reqwest::header::HeaderMap;
use tracing::{info, warn};

use super::http::{Client, Reply, Request, Silence};
use super::piece::Piece;
use crate::base::clock;
use crate::output::Answer;
use crate::output::elasticsearch::template::{Presence, Template};
use crate::output::elasticsearch::{answer, template};

/// Only what is read is asked for: an answer of 20,000 items is several MB in full.
const BULK: &str = "/_bulk?filter_path=errors,took,error,status,items.*.status,items.*.error,items.*._index";

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

/// What a reply to it means.
pub(super) fn read(reply: &Reply, items: usize) -> Answer {
    answer(reply.status, reply.retry_after.as_deref(), &reply.body, items, clock::now_ms())
}

/// Sees to it that the template is there. A store that refuses is left as it is, which is said.
///
/// # Errors
/// The store cannot say yet: to be tried again before the first document.
pub(super) async fn ensure_template(client: &Client, output: &str, wanted: &Template) -> Result<(), String> {
    let path = format!("/_index_template/{}", wanted.name);
    let reply = client.send(&Request::get(&path)).await.map_err(|silence| told(client, &silence))?;
    match template::read(reply.status, &reply.body) {
        Presence::There => return Ok(()),
        Presence::Later { reason } => return Err(reason),
        Presence::Refused { reason } => {
            warn!(output, "cannot look for the index template {}: {reason}; going on without it", wanted.name);
            return Ok(());
        }
        Presence::Absent => {}
    }
    let put = Request {
        method: Method::PUT,
        path: &path,
        headers: HeaderMap::new(),
        content_type: "application/json",
        body: wanted.body.clone().into(),
        gzip: false,
    };
    let reply = client.send(&put).await.map_err(|silence| told(client, &silence))?;
    match template::read(reply.status, &reply.body) {
        Presence::There => info!(output, "the index template {} is in place", wanted.name),
        Presence::Later { reason } => return Err(reason),
        Presence::Absent => {
            warn!(output, "cannot put the index template {}: the store knows no such thing", wanted.name);
        }
        Presence::Refused { reason } => {
            let hint = "put it there by hand, allow manage_index_templates, or set template = \"off\"";
            warn!(output, "cannot put the index template {}: {reason}; going on without it\nhint: {hint}", wanted.name);
        }
    }
    Ok(())
}

fn told(client: &Client, silence: &Silence) -> String {
    let reason = match silence {
        Silence::Unreachable(reason) | Silence::Distrust(reason) | Silence::Lost(reason) => reason,
        Silence::TooLong => "the answer does not end",
    };
    format!("{}: {reason}", client.address())
}
