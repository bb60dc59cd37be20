//! The engine: one way to connect, bollard for what has JSON answers, and our own request for logs, because bollard's
//! `since` has whole seconds. Reads no log bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::ContainerStateStatusEnum;
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Config;
use super::facts::{Facts, State};
use crate::base::fault::Fault;

/// Where the engine listens unless told otherwise.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// How long connecting and the head of an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that a connection buffers: there is one a running container.
const BUFFER_BYTES: usize = 64 * 1024;

/// Bytes that are read of an answer that should be short.
const SHORT_ANSWER_BYTES: usize = 256 * 1024;

/// Why the engine, or one container's log, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("cannot use {host:?} as the engine's address: {cause}")]
    Address {
        /// As written.
        host: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A TLS file.
    #[error("cannot use {}: {cause}", path.display())]
    Certificate {
        /// Key of the configuration that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Nobody there.
    #[error("cannot reach the container engine at {host}: {cause}")]
    Unreachable {
        /// Its address.
        host: String,
        /// The system's words.
        cause: String,
    },
    /// The engine refused, or its answer broke off.
    #[error("cannot {verb}: {cause}")]
    Refused {
        /// What was asked for.
        verb: &'static str,
        /// The engine's words.
        cause: String,
    },
    /// There is no such container (any more).
    #[error("cannot find container {0}: it was removed")]
    Gone(String),
    /// The container's log driver keeps nothing that can be read (answer 501).
    #[error("cannot read the log of container {0}: its log driver does not support reading")]
    Unreadable(String),
}

impl Error {
    /// The same as a fault of the configuration.
    pub(super) fn fault(&self) -> Fault {
        let key = match self {
            Self::Certificate { key, .. } => key,
            _ => "host",
        };
        Fault::new(key, self.to_string())
    }
}

/// Where the engine listens.
#[derive(Clone)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
    Tls { authority: String, name: ServerName<'static>, settings: Arc<rustls::ClientConfig> },
}

/// A way to the engine. Each request has its own connection.
#[derive(Clone)]
pub struct Engine {
    address: Address,
    host: String,
    docker: bollard::Docker,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A container as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its full id.
    pub id: String,
    /// Whether it runs now.
    pub is_running: bool,
}

/// Something happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its full id.
    pub id: String,
    /// When, in ns since 1970, by the engine's clock.
    pub time_ns: i64,
    /// What.
    pub action: Action,
}

/// What happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Created, and perhaps started later.
    Create,
    /// Started, also again.
    Start,
    /// Renamed to this.
    Rename(String),
    /// Removed.
    Destroy,
}

/// What to read of a container's log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Go on until the container ends.
    pub follow: bool,
    /// From the first message at or after this time on, in ns since 1970.
    pub since_ns: Option<u64>,
    /// Only so many last messages.
    pub tail: Option<u32>,
}

impl Engine {
    /// A way to the configured engine. Opens no connection.
    ///
    /// # Errors
    /// When the address or a TLS file cannot be used.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let host = config.host.clone().or_else(|| environment("DOCKER_HOST")).unwrap_or_else(|| DEFAULT_HOST.into());
        let folder = environment("DOCKER_TLS_VERIFY").and_then(|_| environment("DOCKER_CERT_PATH")).map(PathBuf::from);
        let address = address(&host, config, folder.as_deref())?;
        let way = address.clone();
        let transport = move |request: bollard::BollardRequest| {
            let way = way.clone();
            async move { way.send(request).await.map_err(|err| bollard::errors::Error::IOError { err }) }
        };
        let docker = bollard::Docker::connect_with_custom_transport(
            transport,
            Some("http://engine"),
            PATIENCE.as_secs(),
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| Error::Address { host: host.clone(), cause: error.to_string() })?;
        Ok(Self { address, host, docker })
    }

    /// Its address, for people.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer = self.docker.ping().await;
        answer.map(drop).map_err(|error| Error::Unreachable { host: self.host.clone(), cause: cause(&error) })
    }

    /// Agrees on a version of the API with the engine, for all clones of this way to it, and asks for the engine's time,
    /// in ns since 1970.
    pub async fn greet(&self) -> Result<i64, Error> {
        self.ping().await?;
        let docker = self.docker.clone().negotiate_version().await;
        let docker = docker.map_err(|error| refused("ask for the engine's version", &error))?;
        let info = docker.info().await.map_err(|error| refused("ask for the engine's time", &error))?;
        let time = info.system_time.as_deref().and_then(|text| super::frames::parse_stamp(text.as_bytes()));
        Ok(time.and_then(|ns| i64::try_from(ns).ok()).unwrap_or_else(crate::base::clock::now_ns))
    }

    /// All containers, stopped ones too.
    pub async fn list(&self) -> Result<Vec<Listed>, Error> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let listed = self.docker.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| refused("list the containers", &error))?;
        let running = |state: Option<_>| state.is_some_and(|state| format!("{state}") == "running");
        Ok(listed.into_iter().filter_map(|one| Some(Listed { id: one.id?, is_running: running(one.state) })).collect())
    }

    /// One container's facts.
    pub async fn inspect(&self, id: &str) -> Result<Facts, Error> {
        let answer = self.docker.inspect_container(id, None).await.map_err(|error| match error {
            bollard::errors::Error::DockerResponseServerError { status_code: 404, .. } => Error::Gone(short(id)),
            error => refused("inspect a container", &error),
        })?;
        let config = answer.config.unwrap_or_default();
        let state = answer.state.unwrap_or_default();
        Ok(Facts {
            id: id.to_owned(),
            name: answer.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            image: config.image.unwrap_or_default(),
            labels: config.labels.unwrap_or_default(),
            tty: config.tty.unwrap_or_default(),
            state: match (state.running, state.status) {
                (Some(true), _) => State::Running,
                (_, Some(ContainerStateStatusEnum::CREATED)) => State::New,
                _ => State::Ended,
            },
        })
    }

    /// What happens to containers from `since_ns` on, past events first.
    pub fn events(&self, since_ns: i64) -> impl Stream<Item = Result<Event, Error>> + Unpin {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let filters = [
            ("type".to_owned(), words(&["container"])),
            ("event".to_owned(), words(&["create", "start", "rename", "destroy"])),
        ];
        let options =
            EventsOptionsBuilder::new().since(&seconds(since_ns.unsigned_abs())).filters(&filters.into()).build();
        let events = self.docker.events(Some(options));
        Box::pin(events.filter_map(|answer| {
            future::ready(match answer {
                Ok(message) => event(message).map(Ok),
                Err(error) => Some(Err(refused("follow the engine's events", &error))),
            })
        }))
    }

    /// The body of a container's log.
    pub async fn logs(&self, id: &str, wanted: Wanted) -> Result<Incoming, Error> {
        let verb = "read a container's log";
        let request = Request::get(self.logs_path(id, wanted)).body(Empty::<Bytes>::new());
        let request = request.map_err(|error| Error::Refused { verb, cause: error.to_string() })?;
        let answer = timeout(PATIENCE, self.address.send(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let answer =
            answer.map_err(|error| Error::Unreachable { host: self.host.clone(), cause: error.to_string() })?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            StatusCode::NOT_FOUND => Err(Error::Gone(short(id))),
            StatusCode::NOT_IMPLEMENTED => Err(Error::Unreadable(short(id))),
            status => Err(refused_log(id, status, &words_of(answer).await)),
        }
    }

    /// The last message of a container's log, as a body, for comparison. Empty when there is none.
    pub async fn last_message(&self, id: &str, since_ns: Option<u64>) -> Result<Bytes, Error> {
        let body = self.logs(id, Wanted { follow: false, since_ns, tail: Some(1) }).await?;
        let whole = timeout(PATIENCE, Limited::new(body, SHORT_ANSWER_BYTES).collect()).await;
        let refused = |cause: String| Error::Refused { verb: "read the end of a container's log", cause };
        let whole = whole.map_err(|_| refused("timed out".to_owned()))?;
        whole.map(http_body_util::Collected::to_bytes).map_err(|error| refused(error.to_string()))
    }

    fn logs_path(&self, id: &str, wanted: Wanted) -> String {
        let version = self.docker.client_version();
        let since = wanted.since_ns.map(|ns| format!("&since={}", seconds(ns))).unwrap_or_default();
        let tail = wanted.tail.map(|tail| format!("&tail={tail}")).unwrap_or_default();
        format!(
            "/v{version}/containers/{id}/logs?follow={}&stdout=1&stderr=1&timestamps=1{since}{tail}",
            u8::from(wanted.follow)
        )
    }
}

impl Address {
    /// Sends one request on a connection of its own, which lives as long as the answer's body.
    async fn send<B>(&self, mut request: Request<B>) -> std::io::Result<Response<Incoming>>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>().map_err(std::io::Error::other)?;
        let host = match self {
            Self::Unix(_) => "docker",
            Self::Tcp(authority) | Self::Tls { authority, .. } => authority,
        };
        request.headers_mut().insert(HOST, HeaderValue::from_str(host).map_err(std::io::Error::other)?);
        match self {
            Self::Unix(path) => exchange(UnixStream::connect(path).await?, request).await,
            Self::Tcp(authority) => exchange(TcpStream::connect(authority).await?, request).await,
            Self::Tls { authority, name, settings } => {
                let connection = TcpStream::connect(authority).await?;
                let connector = TlsConnector::from(Arc::clone(settings));
                exchange(connector.connect(name.clone(), connection).await?, request).await
            }
        }
    }
}

async fn exchange<S, B>(stream: S, request: Request<B>) -> std::io::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(BUFFER_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    // Ends with the answer's body; a fault of the connection shows there.
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    sender.send_request(request).await.map_err(std::io::Error::other)
}

fn address(host: &str, config: &Config, folder: Option<&Path>) -> Result<Address, Error> {
    let wrong = |cause: &str| Error::Address { host: host.to_owned(), cause: cause.to_owned() };
    if let Some(path) = host.strip_prefix("unix://") {
        return if path.is_empty() { Err(wrong("the path is missing")) } else { Ok(Address::Unix(path.into())) };
    }
    let (scheme, rest) = host.split_once("://").ok_or_else(|| wrong("write unix:///path or tcp://host:port"))?;
    let is_tls = match scheme {
        "https" => true,
        "tcp" => folder.is_some() || config.tls_ca.is_some() || config.tls_cert.is_some(),
        "http" => false,
        _ => return Err(wrong("it begins with none of unix://, tcp://, http:// and https://")),
    };
    let uri: Uri = rest.trim_end_matches('/').parse().map_err(|_| wrong("it is not host:port"))?;
    let name = uri.host().filter(|name| !name.is_empty()).ok_or_else(|| wrong("the host is missing"))?;
    let authority = format!("{name}:{}", uri.port_u16().unwrap_or(if is_tls { 2376 } else { 2375 }));
    if !is_tls {
        return Ok(Address::Tcp(authority));
    }
    let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|_| wrong("its host is not a name that a certificate can have"))?;
    Ok(Address::Tls { authority, name, settings: Arc::new(tls(config, folder)?) })
}

fn tls(config: &Config, folder: Option<&Path>) -> Result<rustls::ClientConfig, Error> {
    let file = |key, own: &Option<String>, name| {
        let path = own.as_ref().map(PathBuf::from).or_else(|| folder.map(|folder| folder.join(name)));
        path.map(|path| TlsFile { key, path })
    };
    let mut roots = rustls::RootCertStore::empty();
    match file("tls_ca", &config.tls_ca, "ca.pem") {
        Some(file) => {
            for certificate in file.certificates()? {
                roots.add(certificate).map_err(|error| file.wrong(&error))?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Address { host: "tls".to_owned(), cause: error.to_string() })?
        .with_root_certificates(roots);
    let certificate = file("tls_cert", &config.tls_cert, "cert.pem");
    let key = file("tls_key", &config.tls_key, "key.pem");
    let (Some(certificate), Some(key)) = (certificate, key) else { return Ok(builder.with_no_client_auth()) };
    let secret = PrivateKeyDer::from_pem_file(&key.path).map_err(|error| key.wrong(&error))?;
    builder.with_client_auth_cert(certificate.certificates()?, secret).map_err(|error| certificate.wrong(&error))
}

struct TlsFile {
    key: &'static str,
    path: PathBuf,
}

impl TlsFile {
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let all = CertificateDer::pem_file_iter(&self.path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let all = all.map_err(|error| self.wrong(&error))?;
        if all.is_empty() { Err(self.wrong(&"it holds no certificate")) } else { Ok(all) }
    }

    fn wrong(&self, cause: &dyn std::fmt::Display) -> Error {
        Error::Certificate { key: self.key, path: self.path.clone(), cause: cause.to_string() }
    }
}

fn event(message: bollard::models::EventMessage) -> Option<Event> {
    let actor = message.actor?;
    let action = match message.action?.as_str() {
        "create" => Action::Create,
        "start" => Action::Start,
        "destroy" => Action::Destroy,
        "rename" => Action::Rename(actor.attributes?.remove("name")?.trim_start_matches('/').to_owned()),
        _ => return None,
    };
    Some(Event { id: actor.id?, time_ns: message.time_nano.unwrap_or_default(), action })
}

/// A time as the engine's queries want it: seconds and nine digits.
fn seconds(ns: u64) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// The first twelve digits of an id, as people know it.
pub fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// Engines before 20.10 answer 500 where later ones answer 501; all say the same words.
fn refused_log(id: &str, status: StatusCode, words: &str) -> Error {
    if words.contains("does not support reading") {
        return Error::Unreadable(short(id));
    }
    Error::Refused { verb: "read a container's log", cause: format!("{status}: {words}") }
}

async fn words_of(answer: Response<Incoming>) -> String {
    let body = timeout(PATIENCE, Limited::new(answer.into_body(), SHORT_ANSWER_BYTES).collect()).await;
    let bytes = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().chars().take(300).collect()
}

fn refused(verb: &'static str, error: &bollard::errors::Error) -> Error {
    Error::Refused { verb, cause: cause(error) }
}

/// An error with what it comes from.
fn cause(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::IOError { err } => err.to_string(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
