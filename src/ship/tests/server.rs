//! An HTTP server in the test's own runtime that answers as a test says.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A request as it came, its body inflated.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query, percent-encoding undone.
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) body: String,
}

/// What is answered.
pub(crate) enum Reply {
    /// Status, one further header, body.
    Say(u16, Option<(&'static str, String)>, String),
    /// The connection is closed after the request was read.
    HangUp,
}

pub(crate) fn say(status: u16, body: impl Into<String>) -> Reply {
    Reply::Say(status, None, body.into())
}

/// A running server. It ends with the runtime.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Script = Arc<Mutex<dyn FnMut(&Seen) -> Reply + Send>>;

impl Server {
    pub(crate) async fn start(script: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), script).await
    }

    /// At an address that must be free.
    pub(crate) async fn start_at(address: SocketAddr, script: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Script = Arc::new(Mutex::new(script));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                let service = service_fn(move |request| answer(request, Arc::clone(&script), Arc::clone(&log)));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        Self { url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    script: Script,
    log: Arc<Mutex<Vec<Seen>>>,
) -> Result<hyper::Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let body = match header("content-encoding") {
        Some(_) => std::io::read_to_string(GzDecoder::new(bytes.as_ref()))?,
        None => String::from_utf8(bytes.to_vec())?,
    };
    let seen = Seen {
        method: head.method.to_string(),
        path: super::super::http::decoded(head.uri.path_and_query().unwrap().as_str()),
        authorization: header("authorization"),
        tenant: header("x-scope-orgid"),
        body,
    };
    log.lock().unwrap().push(seen.clone());
    let reply = (script.lock().unwrap())(&seen);
    match reply {
        Reply::HangUp => Err("hang up".into()),
        Reply::Say(status, header, body) => {
            let mut builder = hyper::Response::builder().status(status);
            if let Some((name, value)) = header {
                builder = builder.header(name, value);
            }
            Ok::<_, Infallible>(builder.body(Full::from(body)).unwrap()).map_err(Into::into)
        }
    }
}
