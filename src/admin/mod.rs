//! The agent's own face: health, metrics and ledger over HTTP, what is done with parked records, its own log, its memory.

pub mod clerk;
pub mod control;
pub mod http;
pub mod ledger;
pub mod log;
pub mod memory;
pub mod probe;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::base::counts::Ledger;
use crate::base::quantity::Span;

/// `[admin]` as the user writes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where `/metrics`, `/healthz` and `/readyz` are served.
    pub listen: Listen,
    /// An output whose oldest line waits for longer is not well.
    pub stalled_after: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: Listen::default(), stalled_after: Span(Duration::from_secs(15 * 60)) }
    }
}

/// An address, or nowhere. Written as `"127.0.0.1:9618"` or `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);

impl Default for Listen {
    fn default() -> Self {
        Self(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9618))))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("off"),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("not an address: write \"127.0.0.1:9618\", \"[::1]:9618\" or \"off\"");
        let text = String::deserialize(deserializer).map_err(|_| wrong())?;
        if text == "off" {
            return Ok(Self(None));
        }
        text.parse().map(|address| Self(Some(address))).map_err(|_| wrong())
    }
}

/// How the agent is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// All sources and outputs have been started.
    pub ready: bool,
    /// Why it is not well. Empty: it is. Never a line's content nor a credential.
    pub reasons: Vec<String>,
}

/// What the endpoint tells.
#[derive(Clone)]
pub struct Face {
    /// For `/metrics`: all counters and gauges, in Prometheus' text format. Must not block.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// For `/ledger`, and what `/metrics` says of it. Must not block.
    pub ledger: Arc<dyn Fn() -> Ledger + Send + Sync>,
    /// For `/healthz` and `/readyz`. Must not block.
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
}
