//! The peers: how each is found, configured, started and asked for its version. Knows no fault.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// Who the runner belongs to.
pub const OURS: &str = "logferry";

/// A peer with one configuration. `FOLDER`, `PORT` and `PATTERN` stand for its own folder, the store's port, and the
/// names of files to follow.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// For `--peer`; with `-durable` for what its documentation recommends against losses, else its defaults.
    pub name: &'static str,
    /// Its program, where none is given.
    pub program: &'static str,
    /// File name and text.
    pub configuration: (&'static str, &'static str),
    pub arguments: &'static [&'static str],
    pub version: &'static str,
    /// Where it keeps what the store refuses, if it does.
    pub aside: &'static str,
}

/// All of them.
pub const PEERS: [Peer; 9] = [
    Peer {
        name: OURS,
        program: env!("CARGO_BIN_EXE_logferry"),
        configuration: ("agent.toml", include_str!("peers/logferry.toml")),
        arguments: &["run", "-c", "FOLDER/agent.toml"],
        version: "--version",
        aside: "state/parked",
    },
    fluent_bit("fluent-bit", include_str!("peers/fluent-bit.conf")),
    fluent_bit("fluent-bit-durable", include_str!("peers/fluent-bit-durable.conf")),
    vector("vector", include_str!("peers/vector.yaml")),
    vector("vector-durable", include_str!("peers/vector-durable.yaml")),
    rsyslog("rsyslog", include_str!("peers/rsyslog.conf")),
    rsyslog("rsyslog-durable", include_str!("peers/rsyslog-durable.conf")),
    syslog_ng("syslog-ng", include_str!("peers/syslog-ng.conf")),
    syslog_ng("syslog-ng-durable", include_str!("peers/syslog-ng-durable.conf")),
];

const fn fluent_bit(name: &'static str, text: &'static str) -> Peer {
    Peer {
        name,
        program: "fluent-bit",
        configuration: ("fluent-bit.conf", text),
        arguments: &["-c", "FOLDER/fluent-bit.conf"],
        version: "--version",
        aside: "aside",
    }
}

const fn vector(name: &'static str, text: &'static str) -> Peer {
    Peer {
        name,
        program: "vector",
        configuration: ("vector.yaml", text),
        arguments: &["--config", "FOLDER/vector.yaml"],
        version: "--version",
        aside: "aside",
    }
}

const fn rsyslog(name: &'static str, text: &'static str) -> Peer {
    Peer {
        name,
        program: "rsyslogd",
        configuration: ("rsyslog.conf", text),
        arguments: &["-n", "-f", "FOLDER/rsyslog.conf", "-i", "FOLDER/pid"],
        version: "-v",
        aside: "aside",
    }
}

const fn syslog_ng(name: &'static str, text: &'static str) -> Peer {
    Peer {
        name,
        program: "syslog-ng",
        configuration: ("syslog-ng.conf", text),
        arguments: &[
            "--foreground",
            "--no-caps",
            "--cfgfile=FOLDER/syslog-ng.conf",
            "--persist-file=FOLDER/state/persist",
            "--pidfile=FOLDER/pid",
            "--control=FOLDER/control",
        ],
        version: "--version",
        aside: "aside",
    }
}

impl Peer {
    /// The program behind a name: given as `NAME=PATH`, by a variable as `LOGFERRY_PEER_FLUENT_BIT`, or on the PATH.
    pub fn find(wanted: &str) -> Option<(&'static Self, PathBuf)> {
        let (name, path) = wanted.split_once('=').map_or((wanted, None), |(name, path)| (name, Some(path.into())));
        let peer = PEERS.iter().find(|peer| peer.name == name)?;
        let file_name = Path::new(peer.program).file_name().unwrap_or_default();
        let variable = file_name.to_string_lossy().replace('-', "_").to_uppercase();
        let given = || std::env::var_os(format!("LOGFERRY_PEER_{variable}")).map(PathBuf::from);
        Some((peer, path.or_else(given).unwrap_or_else(|| peer.program.into())))
    }

    /// Makes the folders that it needs in `folder`, and writes its configuration there.
    ///
    /// # Errors
    /// One of them cannot be made.
    pub fn configure(&self, folder: &Path, port: u16, pattern: &str) -> io::Result<()> {
        for name in ["state", "state/chunks", "aside"] {
            fs::create_dir(folder.join(name))?;
        }
        let (file, text) = self.configuration;
        fs::write(folder.join(file), fill(text, folder, port).replace("PATTERN", pattern))
    }

    /// How it is started there.
    pub fn command(&self, program: &Path, folder: &Path, port: u16) -> Command {
        let mut command = Command::new(program);
        command.args(self.arguments.iter().map(|word| fill(word, folder, port)));
        command
    }

    /// The first word of what it says that looks like a version.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn version(&self, program: &Path) -> io::Result<String> {
        let said = Command::new(program).arg(self.version).output()?.stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
        let words = said.split(|c: char| c.is_whitespace() || "v()".contains(c));
        Ok(words.into_iter().find(is_version).unwrap_or("unknown").to_owned())
    }
}

fn fill(text: &str, folder: &Path, port: u16) -> String {
    let folder = folder.display().to_string();
    text.replace("FOLDER", folder.trim_end_matches('/')).replace("PORT", &port.to_string())
}
