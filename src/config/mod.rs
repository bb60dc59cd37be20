//! The whole configuration: the sum of what each room takes, read from one TOML file. Starts nothing.
//!
//! ```text
//! text ─► tree with places ─► ${NAME} expanded ─► each room's Config ─► rules across rooms ─► Config
//!              (load)             (expand)             (load)               (check)
//! ```
//!
//! Each step notes its faults and goes on, so that a user sees all of them at once.

mod check;
mod example;
mod expand;
mod faults;
mod fields;
mod load;
mod tree;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::base::quantity::{Size, Span};
use crate::base::source::Kind;
use crate::{admin, collect, filter, mask, output, pack, queue, ship};

pub use example::EXAMPLE;
pub use expand::Environment;
pub use faults::{Finding, Report, Severity};
pub use load::{Error, Extent, Loaded, find, load, parse};

/// Everything that the user wrote, and the defaults for what was not written.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[agent]`.
    pub agent: Agent,
    /// `[source.NAME]`. Never empty: all containers when none is written.
    pub sources: BTreeMap<String, Source>,
    /// `[[filter]]`, in order.
    pub filters: Vec<filter::Config>,
    /// `[mask]`.
    pub mask: mask::Config,
    /// `[output.NAME]`. Never empty.
    pub outputs: BTreeMap<String, Output>,
    /// `[admin]`.
    pub admin: admin::Config,
}

/// `[agent]`: what concerns all rooms.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// Where checkpoints and parked records are kept. `None`, which cannot be written: nothing is kept.
    pub state_dir: Option<PathBuf>,
    /// `host_name` of all records, where not the host's own.
    pub host_name: Option<String>,
    /// Worker threads, where not one a core.
    pub workers: Option<NonZeroUsize>,
    /// Bytes in flight at once, all outputs together.
    pub memory: Size,
    /// How the agent's own log is written.
    pub log_format: admin::log::Format,
    /// How much of it.
    pub log_level: admin::log::Level,
    /// How long a stop may take. `docker stop` gives ten seconds.
    pub stop_within: Span,
}

/// One `[source.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Files.
    File(collect::file::Config),
    /// Containers.
    Docker(collect::docker::Config),
    /// Standard input. Takes the keys of a file that make sense without a path.
    Stdin(collect::file::Config),
}

/// One `[output.NAME]`: one table for the user, four rooms below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What is written.
    pub output: output::Config,
    /// When a batch is closed.
    pub pack: pack::Config,
    /// What waits on disk while its store is away.
    pub queue: queue::Config,
    /// Where it goes.
    pub ship: ship::Config,
    /// Which records it gets. `None`: all.
    pub when: Option<filter::When>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            state_dir: Some(PathBuf::from("/var/lib/logferry")),
            host_name: None,
            workers: None,
            memory: Size(12 << 20),
            log_format: admin::log::Format::Text,
            log_level: admin::log::Level::Info,
            stop_within: Span(Duration::from_secs(8)),
        }
    }
}

impl Agent {
    /// The configured name, else the host's own.
    #[must_use]
    pub fn host_name(&self) -> String {
        let own = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.host_name.clone().unwrap_or_else(own)
    }

    /// The configured number, else that of the cores which the process may use.
    #[must_use]
    pub fn workers(&self) -> NonZeroUsize {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.workers.unwrap_or_else(cores)
    }
}

impl Source {
    /// What reads it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::File(_) => Kind::File,
            Self::Docker(_) => Kind::Docker,
            Self::Stdin(_) => Kind::Stdin,
        }
    }

    /// The zone of times that name none.
    #[must_use]
    pub fn timezone(&self) -> &str {
        match self {
            Self::File(config) | Self::Stdin(config) => &config.timezone,
            Self::Docker(config) => &config.timezone,
        }
    }

    /// Longer lines are cut.
    #[must_use]
    pub const fn max_line(&self) -> Size {
        match self {
            Self::File(config) | Self::Stdin(config) => config.max_line,
            Self::Docker(config) => config.max_line,
        }
    }
}

impl Default for Config {
    /// All containers, and nowhere to send them to.
    fn default() -> Self {
        Self {
            agent: Agent::default(),
            sources: containers(),
            filters: Vec::new(),
            mask: mask::Config::default(),
            outputs: BTreeMap::new(),
            admin: admin::Config::default(),
        }
    }
}

impl Config {
    /// What runs when there is no file: everything that can be read here, printed, nothing saved.
    #[must_use]
    pub fn zero(engine_answers: bool, stdin_piped: bool) -> Self {
        let include = vec!["/var/log/**/*.log".to_owned()];
        let files = Source::File(collect::file::Config { include, ..Default::default() });
        let mut sources = BTreeMap::from([("files".to_owned(), files)]);
        if engine_answers {
            sources.append(&mut containers());
        }
        if stdin_piped {
            sources.insert("stdin".to_owned(), Source::Stdin(collect::file::Config::default()));
        }
        let print = Output {
            output: output::Config { kind: output::Kind::Stdout, ..Default::default() },
            pack: pack::Config { gzip_level: 0, ..Default::default() },
            queue: queue::Config::default(),
            ship: ship::Config::default(),
            when: None,
        };
        Self {
            agent: Agent { state_dir: None, ..Default::default() },
            sources,
            outputs: BTreeMap::from([("print".to_owned(), print)]),
            ..Default::default()
        }
    }
}

fn containers() -> BTreeMap<String, Source> {
    BTreeMap::from([("containers".to_owned(), Source::Docker(collect::docker::Config::default()))])
}
