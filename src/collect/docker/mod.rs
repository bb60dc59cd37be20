//! Containers of a Docker Engine: which ones, and their lines as chunks, from the engine's json-file where it can be
//! opened, else through its API. Understands no line.
//!
//! ```text
//! watch    list + events: one follower a container       api      the engine: bollard, and our own `logs`
//! follow   one container's life: attach, drain, park     connect  sockets and TLS to it
//! by_api   its log through the API, and a watchdog       facts    names, labels, which containers are wanted
//! by_file  its log from the engine's file                frames   the bytes of a `logs` body
//! logs     messages to lines to chunks, by stream        entries  the bytes of a json-file
//! seen     which lines were read before                  tail     the json-file as it grows and is rotated
//!                                                        files    its rotated files     place  where to go on in them
//! ```

mod api;
mod by_api;
mod by_file;
mod connect;
mod entries;
mod facts;
mod files;
mod follow;
mod frames;
mod logs;
mod place;
mod seen;
mod tail;
mod watch;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::{mpsc, watch as signal};

pub use api::Error;

use crate::base::chunk::Chunk;
use crate::base::fault::Fault;
use crate::base::metrics::Metrics;
use crate::base::quantity::Size;
use crate::base::source::{Identity, Resume, SourceId};

/// A `[source.NAME]` with `type = "docker"` as the user writes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The engine: `unix:///path`, `tcp://host:port`, `http://…` or `https://…`. Absent: `DOCKER_HOST`, else
    /// `unix:///var/run/docker.sock`.
    pub host: Option<String>,
    /// PEM file of the authorities that may sign the engine's certificate. Absent: `ca.pem` in `DOCKER_CERT_PATH`
    /// when `DOCKER_TLS_VERIFY` is set.
    pub tls_ca: Option<String>,
    /// PEM file of the certificate shown to the engine. Absent: `cert.pem` in the same folder.
    pub tls_cert: Option<String>,
    /// PEM file of its key. Absent: `key.pem` in the same folder.
    pub tls_key: Option<String>,
    /// Globs over names and full ids. Empty: all containers.
    pub containers: Vec<String>,
    /// Globs over names and full ids; wins over all else.
    pub exclude_containers: Vec<String>,
    /// Labels that a container must have, all of them: `key` or `key=value`.
    pub labels: Vec<String>,
    /// Globs over image names. Empty: any image.
    pub images: Vec<String>,
    /// Whether the agent's own container is read too.
    pub include_self: bool,
    /// By which way lines are read.
    pub read: Way,
    /// Zone of time stamps that have none: IANA name, `local` or `utc`.
    pub timezone: String,
    /// Longer lines are cut, marked and counted.
    pub max_line: Size,
}

/// By which way the lines of a container are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From the engine's json-file where it can be opened, else through the API.
    #[default]
    Auto,
    /// Always through the API.
    Api,
    /// Only from the json-file: other containers are not read.
    File,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            containers: Vec::new(),
            exclude_containers: Vec::new(),
            labels: Vec::new(),
            images: Vec::new(),
            include_self: false,
            read: Way::Auto,
            timezone: "utc".to_owned(),
            max_line: Size(1 << 20),
        }
    }
}

/// Hears of full ids of containers.
pub type Listener = dyn Fn(&HashSet<String>) + Send + Sync;

/// What the agent gives a source to work with.
#[derive(Clone)]
pub struct Hooks {
    /// Where a stream of a container goes on; asked once a run for each, and mints its id at first sight.
    pub resume: Arc<dyn Fn(&Identity) -> Resume + Send + Sync>,
    /// Where chunks go. Waiting for room is the pause.
    pub chunks: mpsc::Sender<Chunk>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Told the full ids of all containers that the engine has, whenever it has listed them.
    pub listed: Arc<Listener>,
    /// Called when a stream will never have more: its container was removed.
    pub finished: Arc<dyn Fn(SourceId) + Send + Sync>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// A checked configuration, ready to run.
#[derive(Debug)]
pub struct Docker {
    engine: api::Engine,
    selection: facts::Selection,
    source_name: Arc<str>,
    timezone: Arc<str>,
    max_line: usize,
    read: Way,
}

impl Docker {
    /// Checks what the user wrote. Opens no connection; reads the TLS files.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(config: &Config, source_name: Arc<str>) -> Result<Self, Vec<Fault>> {
        let selection = facts::Selection::new(config);
        let engine = api::Engine::new(config).map_err(|error| error.fault());
        match (engine, selection) {
            (Ok(engine), Ok(selection)) => Ok(Self {
                engine,
                selection,
                source_name,
                timezone: config.timezone.as_str().into(),
                max_line: config.max_line.as_usize(),
                read: config.read,
            }),
            (engine, selection) => Err(engine.err().into_iter().chain(selection.err().into_iter().flatten()).collect()),
        }
    }

    /// Reads until `stop` becomes true, or the receiver of the chunks is gone: an engine that is away is waited for.
    /// With `once` it reads what all containers have now, and returns.
    ///
    /// # Errors
    /// Only with `once`: when the engine or a container's log cannot be read.
    pub async fn run(self, once: bool, hooks: Hooks, stop: signal::Receiver<bool>) -> Result<(), Error> {
        let shared = follow::Shared::new(self, hooks);
        if once { watch::read_all(shared, stop).await } else { watch::Watch::new(shared, stop).run().await }
    }
}

/// Whether an engine answers at the configured address.
///
/// # Errors
/// When the address is wrong or none answers.
pub async fn ping(config: &Config) -> Result<(), Error> {
    api::Engine::new(config)?.ping().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_configuration_is_told_at_once() {
        let config = Config {
            host: Some("carrier://pigeon".to_owned()),
            containers: vec!["a[".to_owned()],
            images: vec!["{".to_owned()],
            labels: vec!["=x".to_owned()],
            ..Config::default()
        };
        let faults = Docker::new(&config, "c".into()).unwrap_err();
        let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["host", "containers[0]", "images[0]", "labels[0]"]);
    }
}
