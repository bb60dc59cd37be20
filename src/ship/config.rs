//! The keys of `[output.NAME]` that say where it goes and how. As written; nothing is opened here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::base::fault::Fault;
use crate::base::quantity::{Size, Span};
use crate::base::secret::Written;
use crate::output::Kind;

/// One `[output.NAME]`: the part that this stage owns.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the store is: one URL, or several that are tried in turn.
    pub url: Urls,
    /// For basic authentication.
    pub username: Option<String>,
    /// For basic authentication.
    pub password: Option<Written>,
    /// Elasticsearch's, as it gives it under `encoded`.
    pub api_key: Option<Written>,
    /// A bearer token.
    pub bearer: Option<Written>,
    /// Loki's tenant, sent as `X-Scope-OrgID`.
    pub tenant: Option<String>,
    /// Further headers of every request.
    pub headers: BTreeMap<String, Written>,
    /// Authorities in PEM form, trusted besides the system's.
    pub tls_ca: Option<PathBuf>,
    /// The agent's own certificate chain in PEM form.
    pub tls_cert: Option<PathBuf>,
    /// Its key in PEM form.
    pub tls_key: Option<PathBuf>,
    /// Trust any certificate.
    pub tls_insecure: bool,
    /// For a whole request.
    pub timeout: Span,
    /// Before the second attempt.
    pub retry_first: Span,
    /// Between attempts, at most.
    pub retry_max: Span,
    /// Refused records kept on disk, at most. When it is full the output is held.
    pub parked_bytes: Size,
    /// The file to write.
    pub path: Option<PathBuf>,
    /// A file of this length is rotated. 0: never.
    pub rotate_bytes: Size,
    /// A file of this age is rotated. 0: never.
    pub rotate_every: Span,
    /// How many rotated files are kept, at least 1.
    pub keep: u32,
    /// Whether rotated files are compressed.
    pub gzip: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: Urls::default(),
            username: None,
            password: None,
            api_key: None,
            bearer: None,
            tenant: None,
            headers: BTreeMap::new(),
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            tls_insecure: false,
            timeout: Span(Duration::from_secs(30)),
            retry_first: Span(Duration::from_millis(500)),
            retry_max: Span(Duration::from_secs(30)),
            parked_bytes: Size(256 << 20),
            path: None,
            rotate_bytes: Size(100 << 20),
            rotate_every: Span(Duration::ZERO),
            keep: 5,
            gzip: true,
        }
    }
}

/// One URL or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a URL, or a list of URLs")]
pub enum Urls {
    /// One.
    One(String),
    /// Several, tried in turn.
    Several(Vec<String>),
}

impl Default for Urls {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Urls {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(url) => std::slice::from_ref(url),
            Self::Several(urls) => urls,
        }
    }
}

impl Config {
    /// Keys that mean nothing for this kind of output, and values that cannot be.
    pub(super) fn misplaced(&self, kind: Kind) -> Vec<Fault> {
        let is_local = matches!(kind, Kind::Stdout | Kind::File);
        let foreign = [
            ("url", is_local && !self.url.all().is_empty()),
            ("path", kind != Kind::File && self.path.is_some()),
            ("tenant", kind != Kind::Loki && self.tenant.is_some()),
            ("api_key", (is_local || kind == Kind::Loki) && self.api_key.is_some()),
            ("username", is_local && self.username.is_some()),
            ("bearer", is_local && self.bearer.is_some()),
            ("headers", is_local && !self.headers.is_empty()),
            ("tls_ca", is_local && self.tls_ca.is_some()),
        ];
        let zero = [
            ("timeout", self.timeout.0.is_zero()),
            ("retry_first", self.retry_first.0.is_zero()),
            ("retry_max", self.retry_max.0 < self.retry_first.0),
            ("keep", self.keep == 0),
        ];
        let foreign = foreign.into_iter().filter(|(_, is_there)| *is_there);
        let zero = zero.into_iter().filter(|(_, is_wrong)| *is_wrong);
        foreign
            .map(|(key, _)| Fault::new(key, "means nothing for an output of this type"))
            .chain(zero.map(|(key, _)| Fault::new(key, "is too small")))
            .collect()
    }
}
