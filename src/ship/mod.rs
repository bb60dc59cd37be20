//! Stand-in for the door that the configuration needs; the shipper is written elsewhere.

pub mod credentials;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::base::fault::Fault;
use crate::base::metrics::Metrics;
use crate::base::quantity::{Size, Span};
use crate::output;
use credentials::Written;

/// The keys of an `[output.NAME]` that say how it is reached.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// One address or several.
    pub url: Option<Urls>,
    /// Basic authentication.
    pub username: Option<String>,
    /// Basic authentication.
    pub password: Option<Written>,
    /// Elasticsearch's API key.
    pub api_key: Option<Written>,
    /// A bearer token.
    pub bearer: Option<Written>,
    /// Loki's `X-Scope-OrgID`.
    pub tenant: Option<String>,
    /// Own certificate authority.
    pub tls_ca: Option<PathBuf>,
    /// Client certificate.
    pub tls_cert: Option<PathBuf>,
    /// Its key.
    pub tls_key: Option<PathBuf>,
    /// One request.
    pub timeout: Span,
    /// First delay.
    pub retry_first: Span,
    /// Longest delay.
    pub retry_max: Span,
    /// Further headers.
    pub headers: BTreeMap<String, Written>,
    /// Trust any certificate.
    pub tls_insecure: bool,
    /// Refused records kept on disk, at most.
    pub parked_bytes: Size,
    /// Where a `file` output writes.
    pub path: Option<PathBuf>,
    /// Rotation by size.
    pub rotate_bytes: Size,
    /// Rotation by age.
    pub rotate_every: Span,
    /// Rotated files kept.
    pub keep: u32,
    /// Whether they are compressed.
    pub gzip: bool,
}

/// One address or several.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Urls {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            username: None,
            password: None,
            api_key: None,
            bearer: None,
            tenant: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            timeout: Span(Duration::from_secs(30)),
            retry_first: Span(Duration::from_millis(500)),
            retry_max: Span(Duration::from_secs(30)),
            path: None,
            headers: BTreeMap::new(),
            tls_insecure: false,
            parked_bytes: Size(256 << 20),
            rotate_bytes: Size(100 << 20),
            rotate_every: Span(Duration::ZERO),
            keep: 5,
            gzip: true,
        }
    }
}

/// One destination.
#[derive(Debug)]
pub struct Destination {}

impl Destination {
    /// Checks what the user wrote.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(
        name: &str,
        output: &output::Config,
        config: &Config,
        state_dir: Option<&Path>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Vec<Fault>> {
        let _ = (name, state_dir, metrics);
        match output.kind {
            output::Kind::Stdout => Ok(Self {}),
            output::Kind::File if config.path.is_some() => Ok(Self {}),
            output::Kind::File => Err(vec![Fault::new("path", "is missing")]),
            _ if config.url.is_some() => Ok(Self {}),
            _ => Err(vec![Fault::new("url", "is missing")]),
        }
    }
}
