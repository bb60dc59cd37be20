//! `/metrics`, `/ledger`, `/healthz` and `/readyz`. Serves nothing else, changes nothing, and never stops the agent.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Config, Face, Health, ledger};

/// Connections at once. One more is closed at once: scrapers and probes are few.
const MOST_CONNECTIONS: usize = 32;
/// For the head of a request to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// For a whole connection, all its requests together.
const CONNECTION_WITHIN: Duration = Duration::from_secs(60);
/// After a failed `accept` (no descriptors left): long enough not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON_TYPE: &str = "application/json";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// Opens the port. `None`: it is off, or cannot be had, which is said; the agent works without it.
pub async fn listen(config: &Config) -> Option<TcpListener> {
    let address = config.listen.0?;
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(cause) => {
            tracing::warn!(
                "cannot listen on {address}: {cause}; going on without /metrics and /healthz\n\
                 hint: set `listen` in [admin] to another port, or to \"off\""
            );
            None
        }
    }
}

/// Answers for as long as it is polled. Dropping it closes all connections.
pub async fn serve(listener: TcpListener, face: Face) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MOST_CONNECTIONS => {
                    connections.spawn(connection(stream, face.clone()));
                }
                Ok(_) => {}
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, face: Face) {
    let service = service_fn(|request| {
        let response = answer(&request, &face);
        async { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away or is too slow is its own affair.
    let _ = timeout(CONNECTION_WITHIN, served).await;
}

fn answer(request: &Request<Incoming>, face: &Face) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => typed(METRICS_TYPE, (face.metrics)() + &ledger::metrics(&(face.ledger)())),
        "/ledger" => typed(JSON_TYPE, ledger::json(&(face.ledger)())),
        "/healthz" => healthz(&(face.health)()),
        "/readyz" => readyz(&(face.health)()),
        _ => text(StatusCode::NOT_FOUND, "here are /metrics, /ledger, /healthz and /readyz\n".to_owned()),
    }
}

fn typed(content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn healthz(health: &Health) -> Response<Full<Bytes>> {
    if health.reasons.is_empty() {
        return text(StatusCode::OK, "ok\n".to_owned());
    }
    text(StatusCode::SERVICE_UNAVAILABLE, health.reasons.join("\n") + "\n")
}

fn readyz(health: &Health) -> Response<Full<Bytes>> {
    if health.ready {
        return text(StatusCode::OK, "ready\n".to_owned());
    }
    text(StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned())
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_TYPE));
    response
}
