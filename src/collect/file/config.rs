//! What a `[source.NAME]` of type `file` or `stdin` may say. Does not know where in the file it stands; `config` does.

use std::sync::Arc;
use std::time::Duration;

use globset::GlobBuilder;
use serde::Deserialize;

use crate::base::fault::Fault;
use crate::base::quantity::{Size, Span};
use crate::base::source::{Kind, Source, SourceId};
use crate::collect::lines::CHUNK_BYTES;

/// The keys of a file source, as the user writes them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Globs of the files to read; `**` is any number of folders.
    pub include: Vec<String>,
    /// Globs of files to leave out. One that does not begin with `/` is meant in any folder: `*.gz`.
    pub exclude: Vec<String>,
    /// Where to begin in files that are there when the agent first sees them.
    pub start: Start,
    /// Files not written to for so long are left alone until they are.
    pub ignore_older: Option<Span>,
    /// The longest text of a line; what is more is cut away, marked and counted.
    pub max_line: Size,
    /// An unfinished last line is taken as it is when it has not grown for so long.
    pub unfinished_after: Span,
    /// `container_name` of the records; the source's name if absent.
    pub container_name: Option<String>,
    /// `service_name` of the records; the source's name if absent.
    pub service_name: Option<String>,
    /// Zone of time stamps without one: IANA name, `local` or `utc`.
    pub timezone: String,
    /// How often folders are looked through, whatever the kernel tells.
    pub poll: Span,
    /// A file that is gone is forgotten after so long.
    pub forget_after: Span,
}

/// Where reading begins in a file that was never seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At its first byte.
    #[default]
    Beginning,
    /// At its end, if it is there when the agent starts; one that appears later is read from its first byte.
    End,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            start: Start::Beginning,
            ignore_older: None,
            max_line: Size(1 << 20),
            unfinished_after: Span(Duration::from_secs(5)),
            container_name: None,
            service_name: None,
            timezone: "local".to_owned(),
            poll: Span(Duration::from_secs(1)),
            forget_after: Span(Duration::from_secs(7 * 24 * 3600)),
        }
    }
}

impl Config {
    /// What is wrong in it, as far as this room can tell: globs and limits, not time zones.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (key, globs) in [("include", &self.include), ("exclude", &self.exclude)] {
            for (index, glob) in globs.iter().enumerate() {
                if let Err(error) = GlobBuilder::new(glob).literal_separator(true).build() {
                    faults.push(Fault::new(format!("{key}[{index}]"), format!("not a glob: {}", error.kind())));
                }
            }
        }
        if self.max_line.0 == 0 || self.max_line.0 > MAX_LINE_LIMIT {
            faults.push(Fault::new("max_line", format!("must be from 1 B to {}", Size(MAX_LINE_LIMIT))));
        }
        if self.poll.0 < SHORTEST_POLL {
            faults.push(Fault::new("poll", format!("must be at least {}", Span(SHORTEST_POLL))));
        }
        faults
    }

    /// How long a file that is gone is remembered, in ms.
    #[must_use]
    pub fn forget_after_ms(&self) -> i64 {
        i64::try_from(self.forget_after.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// The source of a file at `path` (standard input: `None`) that belongs to the table `name`.
    #[must_use]
    pub fn source(&self, name: &Arc<str>, id: SourceId, path: Option<String>) -> Source {
        let or_name = |given: &Option<String>| given.clone().unwrap_or_else(|| name.to_string());
        Source {
            id,
            kind: if path.is_some() { Kind::File } else { Kind::Stdin },
            name: Arc::clone(name),
            container_name: or_name(&self.container_name),
            service_name: or_name(&self.service_name),
            stream: None,
            path,
            mask: None,
            timezone: self.timezone.as_str().into(),
        }
    }
}

/// Offsets in a chunk are 32 bits wide.
const MAX_LINE_LIMIT: u64 = 1 << 30;

/// Below this the looking itself would cost more than the reading.
const SHORTEST_POLL: Duration = Duration::from_millis(10);

/// How a file is read: what works, as opposed to what the user wrote.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest text of a line, in bytes.
    pub max_line: usize,
    /// The most that is read at once, in bytes, unless a line is longer.
    pub chunk_bytes: usize,
    /// An unfinished last line is taken after so many ms without growth.
    pub unfinished_after_ms: i64,
    /// A file that is no longer at its path is let go after so many ms without growth: its writer may go on for a
    /// while after a rotation.
    pub gone_after_ms: i64,
    /// Read what is there when the file is opened, then end: nothing more is waited for.
    pub once: bool,
}

/// Writers are told of a rotation, or find out, within seconds; some only when their next worker starts.
const GONE_AFTER_MS: i64 = 30_000;

impl Settings {
    /// The settings of a source.
    #[must_use]
    pub fn new(config: &Config, once: bool) -> Self {
        let unfinished_after_ms = i64::try_from(config.unfinished_after.0.as_millis()).unwrap_or(i64::MAX);
        Self {
            max_line: config.max_line.as_usize(),
            chunk_bytes: CHUNK_BYTES,
            unfinished_after_ms,
            gone_after_ms: unfinished_after_ms.max(GONE_AFTER_MS),
            once,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_with_its_key() {
        let text = "include = ['/var/log/[a', '/ok/**/*.log']\nexclude = ['{x']\nmax_line = 0\npoll = '1ms'";
        let config: Config = toml::from_str(text).unwrap();
        let keys: Vec<_> = config.faults().into_iter().map(|fault| fault.key).collect();
        assert_eq!(keys, ["include[0]", "exclude[0]", "max_line", "poll"]);
        assert_eq!(Config::default().faults(), []);
        assert!(toml::from_str::<Config>("includes = []").is_err());
    }

    #[test]
    fn names_fall_back_to_the_name_of_the_source() {
        let config: Config = toml::from_str("container_name = 'web'\nstart = 'end'").unwrap();
        assert_eq!(config.start, Start::End);
        let source = config.source(&"app".into(), SourceId::new(1), Some("/a.log".into()));
        assert_eq!((source.container_name.as_str(), source.service_name.as_str()), ("web", "app"));
        assert_eq!((source.kind, source.timezone.as_ref()), (Kind::File, "local"));
        assert_eq!(config.source(&"app".into(), SourceId::new(1), None).kind, Kind::Stdin);
    }
}
