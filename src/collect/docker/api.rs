//! The engine: bollard for what has JSON answers, and our own request for logs, because bollard's `since` has whole
//! seconds. Reads no log bytes; connections are made by `connect`.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use bollard::models::{ContainerStateStatusEnum, HostConfigLogConfig};
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use tokio::time::timeout;

use super::Config;
use super::connect::Address;
use super::facts::{Facts, State, size};
use super::tail::Log;
use crate::base::fault::Fault;

/// Where the engine listens unless told otherwise.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// How long connecting and the head of an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// A way to the engine. Each request has its own connection.
pub struct Engine {
    address: Address,
    host: String,
    docker: bollard::Docker,
    /// Where the engine keeps its data, once it was asked.
    root: OnceLock<PathBuf>,
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
    /// Its process has ended; all that it said is in its log.
    Die,
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
        let address = Address::new(&host, config, folder.as_deref())?;
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
        Ok(Self { address, host, docker, root: OnceLock::new() })
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
        if let Some(root) = info.docker_root_dir {
            self.root.get_or_init(|| root.into());
        }
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
        let log_config = answer.host_config.and_then(|config| config.log_config).unwrap_or_default();
        Ok(Facts {
            id: id.to_owned(),
            name: answer.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            image: config.image.unwrap_or_default(),
            labels: config.labels.unwrap_or_default(),
            tty: config.tty.unwrap_or_default(),
            log: self.log(id, answer.log_path.unwrap_or_default(), &log_config),
            driver: log_config.typ.unwrap_or_default(),
            state: match (state.running, state.status) {
                (Some(true), _) => State::Running,
                (_, Some(ContainerStateStatusEnum::CREATED)) => State::New,
                (_, Some(ContainerStateStatusEnum::REMOVING | ContainerStateStatusEnum::DEAD)) => State::Removing,
                _ => State::Ended,
            },
        })
    }

    /// Where a container's json-file is. Before its first start the engine does not say, but there is only one place.
    fn log(&self, id: &str, path: String, config: &HostConfigLogConfig) -> Option<Log> {
        if config.typ.as_deref() != Some("json-file") {
            return None;
        }
        let path = match path.as_str() {
            "" => self.root.get()?.join("containers").join(id).join(format!("{id}-json.log")),
            path => path.into(),
        };
        let max_bytes = config.config.as_ref().and_then(|options| size(options.get("max-size")?));
        Some(Log { path, max_bytes })
    }

    /// What happens to containers from `since_ns` on, past events first.
    pub fn events(&self, since_ns: i64) -> impl Stream<Item = Result<Event, Error>> + Unpin {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let filters = [
            ("type".to_owned(), words(&["container"])),
            ("event".to_owned(), words(&["create", "start", "die", "rename", "destroy"])),
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

fn event(message: bollard::models::EventMessage) -> Option<Event> {
    let actor = message.actor?;
    let action = match message.action?.as_str() {
        "create" => Action::Create,
        "start" => Action::Start,
        "die" => Action::Die,
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
mod tests {
    use super::*;

    #[test]
    fn times_have_nine_digits_below_the_second() {
        assert_eq!(seconds(1_795_355_249_000_000_007), "1795355249.000000007");
        assert_eq!(seconds(0), "0.000000000");
    }
}
