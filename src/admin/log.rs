//! The agent's own log: on standard error, as text or JSON, only its own targets. Throttles nothing: see
//! [`Seldom`](crate::base::seldom::Seldom).

use std::io::{self, IsTerminal};

use serde::Deserialize;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

/// The environment variable that overrides the configured level: a level, or `logferry::ship=debug,…`.
pub const VARIABLE: &str = "LOGFERRY_LOG";

/// How a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// The least serious messages that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Data lost, or act now.
    Error,
    /// Odd, nothing lost.
    Warn,
    /// Lifecycle.
    #[default]
    Info,
    /// For finding faults.
    Debug,
    /// All there is.
    Trace,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
            Level::Trace => Self::TRACE,
        }
    }
}

/// Begins the log of this process. Only the first call counts. `variable` is what [`VARIABLE`] holds.
pub fn begin(format: Format, level: Level, variable: Option<&str>) {
    let chosen = variable.map(targets);
    let unreadable = matches!(chosen, Some(None));
    let targets = chosen.flatten().unwrap_or_else(|| only_ours(level.into()));
    // A broken standard error must not stop the agent, nor be complained about on itself.
    let lines = fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Text => lines.with_target(false).with_ansi(io::stderr().is_terminal()).with_filter(targets).boxed(),
        Format::Json => lines.json().flatten_event(true).with_filter(targets).boxed(),
    };
    let first = tracing_subscriber::registry().with(layer).try_init().is_ok();
    if first && unreadable {
        tracing::warn!("cannot read {VARIABLE}: it is neither a level nor a list such as logferry::ship=debug");
    }
}

/// A level for all our targets, or a list of targets and levels.
fn targets(text: &str) -> Option<Targets> {
    match text.parse::<LevelFilter>() {
        Ok(level) => Some(only_ours(level)),
        Err(_) => text.parse().ok(),
    }
}

/// Libraries speak of addresses, headers and bodies: they stay silent unless they are asked by name.
fn only_ours(level: LevelFilter) -> Targets {
    Targets::new().with_target("logferry", level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_for_our_targets_and_a_list_for_those_it_names() {
        let check = |text: &str, target: &str, level: tracing::Level, expected: bool| {
            assert_eq!(targets(text).unwrap().would_enable(target, &level), expected, "{text} {target} {level}");
        };
        check("debug", "logferry::ship", tracing::Level::DEBUG, true);
        check("DEBUG", "logferry::ship", tracing::Level::TRACE, false);
        check("trace", "reqwest", tracing::Level::ERROR, false);
        check("off", "logferry", tracing::Level::ERROR, false);
        check("logferry::ship=debug", "logferry::ship", tracing::Level::DEBUG, true);
        check("logferry::ship=debug", "logferry::track", tracing::Level::ERROR, false);
        assert!(targets("logferry=loud").is_none());
    }
}
