//! Stand-in: the keys of a Docker source.

use std::path::PathBuf;

use serde::Deserialize;

use crate::base::quantity::Size;

/// The keys of a `[source.NAME]` of type `docker`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the engine answers.
    pub host: Option<String>,
    /// Its certificate authority.
    pub tls_ca: Option<PathBuf>,
    /// The agent's certificate.
    pub tls_cert: Option<PathBuf>,
    /// Its key.
    pub tls_key: Option<PathBuf>,
    /// Names or ids, globs allowed.
    pub containers: Vec<String>,
    /// Names or ids to leave alone.
    pub exclude_containers: Vec<String>,
    /// `key` or `key=value`.
    pub labels: Vec<String>,
    /// Globs of images.
    pub images: Vec<String>,
    /// The agent's own container too.
    pub include_self: bool,
    /// Longer lines are cut.
    pub max_line: Size,
    /// Zone of times without one.
    pub timezone: String,
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
            max_line: Size(1 << 20),
            timezone: "utc".to_owned(),
        }
    }
}

/// A checked configuration.
#[derive(Debug)]
pub struct Docker {}

impl Docker {
    /// Checks what the user wrote.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(config: &Config, source_name: std::sync::Arc<str>) -> Result<Self, Vec<crate::base::fault::Fault>> {
        let _ = (config, source_name);
        Ok(Self {})
    }
}
