//! One `[output.NAME]` as the user writes it, and what can be wrong with it. Opens nothing and encodes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::base::fault::Fault;
use crate::base::quantity::Span;

use super::{elasticsearch, loki};

/// One `[output.NAME]` as the user writes it, without what `pack` and `ship` own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which language it speaks.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How records look.
    pub format: Format,
    /// Elasticsearch, OpenSearch: the index, or the data stream, of a record. `{service_name}` and the other fixed
    /// fields stand for their values, `{time:%Y.%m.%d}` for the record's time in UTC. Made valid: lower case, other
    /// characters become `-`.
    pub index: String,
    /// Elasticsearch, OpenSearch: `index` names a data stream.
    pub data_stream: bool,
    /// Elasticsearch, OpenSearch: how far before the time of reading a record's own time may choose its index.
    pub index_past: Span,
    /// The same after the time of reading.
    pub index_future: Span,
    /// Elasticsearch, OpenSearch: whether an index template is put where there is none.
    pub template: Template,
    /// Loki: the fixed fields that are labels. A source has either `stream` or `filename`.
    pub labels: Vec<String>,
    /// Loki: further labels, the same for all.
    pub static_labels: BTreeMap<String, String>,
    /// Loki: what its line is.
    pub line: Line,
    /// Loki: older records than this are refused by the store (its `reject_old_samples_max_age`).
    pub old_after: Span,
    /// Loki: what to do with those.
    pub old: Old,
}

/// The kinds of destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Elasticsearch 7, 8, 9.
    Elasticsearch,
    /// OpenSearch 1 to 3.
    Opensearch,
    /// Loki 3.
    Loki,
    /// Standard output.
    Stdout,
    /// A file, rotated.
    File,
}

/// How records look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The line's own fields and the agent's side by side.
    #[default]
    Flat,
    /// The line's own object under `log`, the agent's fields beside it.
    Nested,
}

/// Whether an index template is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// Where there is none and the store allows it.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// What a Loki line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The record as JSON.
    #[default]
    Record,
    /// The bare message; the rest is structured metadata.
    Message,
}

/// What happens to records that are too old, or too far ahead, for Loki.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Old {
    /// Set aside with the reason.
    #[default]
    Park,
    /// Stored at the time of reading; their own time stays in the record.
    Restamp,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: Kind::Stdout,
            format: Format::Flat,
            index: elasticsearch::DEFAULT_INDEX.to_owned(),
            data_stream: false,
            index_past: days(30),
            index_future: days(1),
            template: Template::Auto,
            labels: loki::DEFAULT_LABELS.map(|key| key.name().to_owned()).to_vec(),
            static_labels: BTreeMap::new(),
            line: Line::Record,
            old_after: days(7),
            old: Old::Park,
        }
    }
}

const fn days(count: u64) -> Span {
    Span(Duration::from_secs(count * 86_400))
}

impl Config {
    /// All that is wrong with it.
    #[must_use]
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = self.misplaced();
        match self.kind {
            Kind::Elasticsearch | Kind::Opensearch => {
                faults.extend(elasticsearch::Pattern::new(self).err().into_iter().flatten());
            }
            Kind::Loki => faults.extend(loki::check(self)),
            Kind::Stdout | Kind::File => {}
        }
        faults
    }

    /// Options that this type of output does not have.
    fn misplaced(&self) -> Vec<Fault> {
        let usual = Self::default();
        let of_elasticsearch = [
            ("index", self.index != usual.index),
            ("data_stream", self.data_stream != usual.data_stream),
            ("index_past", self.index_past != usual.index_past),
            ("index_future", self.index_future != usual.index_future),
            ("template", self.template != usual.template),
        ];
        let of_loki = [
            ("labels", self.labels != usual.labels),
            ("static_labels", self.static_labels != usual.static_labels),
            ("line", self.line != usual.line),
            ("old_after", self.old_after != usual.old_after),
            ("old", self.old != usual.old),
        ];
        let mut faults = Vec::new();
        let mut refuse = |options: &[(&str, bool)], owner: &str| {
            let written = options.iter().filter(|(_, is_written)| *is_written);
            faults
                .extend(written.map(|(key, _)| Fault::new(*key, format!("is an option of {owner}, not of this type"))));
        };
        if !matches!(self.kind, Kind::Elasticsearch | Kind::Opensearch) {
            refuse(&of_elasticsearch, "elasticsearch and opensearch");
        }
        if self.kind != Kind::Loki {
            refuse(&of_loki, "loki");
        }
        faults
    }
}
