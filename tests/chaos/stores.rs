//! The stores of a round: scripted ones, or real ones with a liar before them. Says how the agent is told of one, and
//! what it has.

use serde_json::Value;

use crate::bulk::Bulk;
use crate::dice::Dice;
use crate::faults::Faults;
use crate::forward::Forward;
use crate::push::Push;
use crate::server::{Kept, Server};
use crate::store;

/// A word in lines that the scripted stores refuse for good.
pub const UNFIT: &str = "unfit-for-any-store";

/// Accidents of one round at most.
const FAULTS: u32 = 60;

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
    /// What the agent talks to: the store itself, or the liar between the two.
    server: Server,
    /// What is asked in the end, where it is a real one.
    real: Option<store::Store>,
}

impl Kind {
    /// Its `type` in the agent's configuration.
    fn name(self) -> &'static str {
        match self {
            Self::Bulk | Self::Elasticsearch => "elasticsearch",
            Self::Opensearch => "opensearch",
            Self::Push | Self::Loki => "loki",
        }
    }

    /// Whether it is at `--url`.
    pub fn is_real(self) -> bool {
        !matches!(self, Self::Bulk | Self::Push)
    }
}

impl Store {
    /// The store of one round; a real one at `url`.
    pub fn open(name: &str, kind: Kind, url: Option<&str>, dice: Dice) -> std::io::Result<Self> {
        let real = |url: &str| store::Store { kind: kind.name(), url: url.to_owned(), admin: None, ca: None };
        let kept = match (url, kind) {
            (Some(url), _) => Kept::Elsewhere(Forward::new(url)),
            (None, Kind::Push) => Kept::Push(Push::default()),
            (None, _) => Kept::Bulk(Bulk::default()),
        };
        let server = Server::start(kept, Faults::new(dice, FAULTS))?;
        Ok(Self { name: name.to_owned(), kind, server, real: url.map(real) })
    }

    /// `[output.NAME]` for it.
    pub fn output(&self) -> String {
        let (name, kind, url) = (&self.name, self.kind.name(), &self.server.url);
        // Scripted ones are asked no longer than they are late.
        let timeout = if self.real.is_some() { "5s" } else { "400ms" };
        format!("[output.{name}]\ntype = \"{kind}\"\nurl = \"{url}\"\ntimeout = \"{timeout}\"\n")
    }

    /// Whether it refuses lines that say [`UNFIT`].
    pub fn refuses(&self) -> bool {
        self.real.is_none()
    }

    /// Lets go of a service, where a store bears only so many indices.
    pub fn forget(&self, service: &str) {
        let Some(store) = &self.real else { return };
        if store.kind != "loki" {
            let (_, names) = store.call("GET", &format!("/_cat/indices/logferry-{service}-*?h=index"), None);
            names.split_whitespace().for_each(|name| drop(store.call("DELETE", &format!("/{name}"), None)));
        }
    }

    /// All records of a service.
    pub fn records(&self, service: &str) -> Vec<Record> {
        let Some(store) = &self.real else { return self.server.records() };
        let mut records = Vec::new();
        store.each_page(service, &mut |text| match store.kind {
            // Entries come in the order of their times.
            "loki" => records.push(Record { key: format!("{:09}", records.len()), text: text.to_owned() }),
            _ => records.extend(hits(text)),
        });
        records
    }
}

/// The documents of one page of a search.
fn hits(page: &str) -> Vec<Record> {
    let answer: Value = serde_json::from_str(page).expect("an answer is JSON");
    let hits = answer["hits"]["hits"].as_array().expect("hits").iter();
    let record =
        |hit: &Value| Record { key: hit["_id"].as_str().expect("an id").to_owned(), text: hit["_source"].to_string() };
    hits.map(record).collect()
}
