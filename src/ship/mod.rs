//! Stand-in for the door that the configuration needs; the shipper is written elsewhere.

pub mod credentials;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::base::quantity::{Size, Span};
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
    /// Where a `file` output writes.
    pub path: Option<PathBuf>,
    /// Rotation by size.
    pub rotate_bytes: Option<Size>,
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
            rotate_bytes: None,
        }
    }
}
