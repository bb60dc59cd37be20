//! The stores of a round: scripted ones, or real ones with a liar before them. Says how the agent is told of one, and
//! what it has.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bulk::Bulk;
use crate::check;
use crate::dice::Dice;
use crate::faults::Faults;
use crate::forgetful::Disk;
use crate::forward::Forward;
use crate::push::Push;
use crate::server::{Away, Kept, Server};
use crate::store;

/// Accidents of one round at most.
const FAULTS: u32 = 60;

/// A retry costs less than a round may.
const RETRIES: &str = "retry_first = \"10ms\"\nretry_max = \"150ms\"\n";

/// How much of a request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// The first half.
    Half,
    /// Here and there some.
    Some,
    /// All of it, but the answer does not say so.
    Unsaid,
}

/// One record in a store.
#[derive(Clone, Debug)]
pub struct Record {
    /// Sorts as the lines of one source do.
    pub key: String,
    /// The record itself, or all that the store tells of it.
    pub text: String,
}

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Scripted: `_bulk` with create, as Elasticsearch and OpenSearch have it
    Bulk,
    /// Scripted: Loki's push, and the question what is there
    Push,
    /// The agent's own output to a file that is rotated
    File,
    /// A real one at --url
    Elasticsearch,
    /// A real one at --url
    Opensearch,
    /// A real one at --url
    Loki,
}

/// One store of a round.
#[derive(Debug)]
pub struct Store {
    /// Of its `[output.NAME]`.
    pub name: String,
    kind: Kind,
    end: End,
}

/// Where the agent's records go.
#[derive(Debug)]
enum End {
    Scripted(Server),
    /// By way of a server that lies now and then.
    Real(Server, store::Store),
    /// The ground's folder: `NAME.ndjson` lies in it.
    File(PathBuf),
}

impl Kind {
    /// Its `type` in the agent's configuration.
    fn name(self) -> &'static str {
        match self {
            Self::Bulk | Self::Elasticsearch => "elasticsearch",
            Self::Opensearch => "opensearch",
            Self::Push | Self::Loki => "loki",
            Self::File => "file",
        }
    }

    /// Whether it is at `--url`.
    pub fn is_real(self) -> bool {
        matches!(self, Self::Elasticsearch | Self::Opensearch | Self::Loki)
    }
}

impl Store {
    /// The store of one round, whose ground is `folder`; a real one at `url`.
    pub fn open(name: &str, kind: Kind, url: Option<&str>, dice: Dice, folder: PathBuf) -> io::Result<Self> {
        let faults = Faults::new(dice, FAULTS);
        let end = match (kind, url) {
            (_, Some(url)) => End::Real(
                Server::start(Kept::Elsewhere(Forward::new(url)), faults)?,
                store::Store { kind: kind.name(), url: url.to_owned(), admin: None, ca: None },
            ),
            (Kind::File, None) => End::File(folder),
            (Kind::Push, None) => End::Scripted(Server::start(Kept::Push(Push::default()), faults)?),
            (_, None) => End::Scripted(Server::start(Kept::Bulk(Bulk::default()), faults)?),
        };
        Ok(Self { name: name.to_owned(), kind, end })
    }

    /// `[output.NAME]` for it; a store is waited for so long.
    pub fn output(&self, timeout: &str) -> String {
        let (name, kind) = (&self.name, self.kind.name());
        let rest = match &self.end {
            End::Scripted(server) | End::Real(server, _) => {
                format!("url = \"{}\"\ntimeout = \"{timeout}\"\n{RETRIES}", server.url)
            }
            End::File(folder) => {
                let path = folder.join(format!("{name}.ndjson"));
                format!("path = \"{}\"\nrotate_bytes = \"50 KiB\"\nkeep = 1000\ngzip = false\n", path.display())
            }
        };
        format!("[output.{name}]\ntype = \"{kind}\"\n{rest}")
    }

    /// Whether it refuses lines that are fit for no store.
    pub fn refuses(&self) -> bool {
        matches!(self.end, End::Scripted(_))
    }

    /// Whether it is reached by requests.
    pub fn answers(&self) -> bool {
        !matches!(self.end, End::File(_))
    }

    /// Is away, or answers again. A file never is.
    #[allow(dead_code)]
    pub fn is_now(&self, away: Option<Away>) {
        let (End::Scripted(server) | End::Real(server, _)) = &self.end else { return };
        away.map_or_else(|| server.come_back(), |away| server.leave(away));
    }

    /// Lets go of a service, where a store bears only so many indices.
    pub fn forget(&self, service: &str) {
        let End::Real(_, store) = &self.end else { return };
        if store.kind != "loki" {
            let prefix = format!("logferry-{service}-");
            let (_, names) = store.call("GET", &format!("/_cat/indices/{prefix}*?h=index"), None);
            let own = names.split_whitespace().filter(|name| name.starts_with(&prefix));
            own.for_each(|name| drop(store.call("DELETE", &format!("/{name}"), None)));
        }
    }

    /// Bytes of the largest request that came, uncompressed.
    pub fn largest(&self) -> usize {
        match &self.end {
            End::Scripted(server) | End::Real(server, _) => server.largest(),
            End::File(_) => 0,
        }
    }

    /// All records of a service. What a file holds beyond its last checkpoint does not count: it is cut off again when
    /// the agent starts.
    pub fn records(&self, service: &str) -> io::Result<Vec<Record>> {
        match &self.end {
            End::Scripted(server) => Ok(server.records()),
            End::Real(_, store) => Ok(real_records(store, service)),
            End::File(folder) => file_records(folder, &self.name, check::written(&folder.join("state"), &self.name)?),
        }
    }

    /// Those that it would have after a loss of power, on whose disk the state lies.
    pub fn lasting_records(&self, service: &str, disk: Option<&Disk>) -> io::Result<Vec<Record>> {
        match (&self.end, disk) {
            (End::File(folder), Some(disk)) => {
                file_records(folder, &self.name, check::written_lasting(disk, &self.name)?)
            }
            _ => self.records(service),
        }
    }
}

fn real_records(store: &store::Store, service: &str) -> Vec<Record> {
    let mut records = Vec::new();
    store.each_page(service, &mut |text| match store.kind {
        // Entries come in the order of their times.
        "loki" => records.push(numbered(records.len(), text)),
        _ => records.extend(hits(text)),
    });
    records
}

/// The first bytes that were written in all. Rotated ones end their names with how much was written up to their end, in digits that sort.
fn file_records(folder: &Path, name: &str, written: usize) -> io::Result<Vec<Record>> {
    let present = format!("{name}.ndjson");
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names = entries.collect::<io::Result<Vec<String>>>()?;
    let mut names: Vec<&String> = names.iter().filter(|one| one.starts_with(&present)).collect();
    names.sort_by_key(|one| (**one == present, (*one).clone()));
    let mut bytes = Vec::new();
    for one in names {
        bytes.extend(std::fs::read(folder.join(one))?);
    }
    bytes.truncate(written);
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().enumerate().map(|(number, line)| numbered(number, line)).collect())
}

fn numbered(number: usize, text: &str) -> Record {
    Record { key: format!("{number:09}"), text: text.to_owned() }
}

/// The documents of one page of a search.
fn hits(page: &str) -> Vec<Record> {
    let answer: Value = serde_json::from_str(page).expect("an answer is JSON");
    let hits = answer["hits"]["hits"].as_array().expect("hits").iter();
    let record =
        |hit: &Value| Record { key: hit["_id"].as_str().expect("an id").to_owned(), text: hit["_source"].to_string() };
    hits.map(record).collect()
}
