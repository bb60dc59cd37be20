//! Masked records to one destination's language, and its answers back. No sockets and no files: `ship` writes.

mod config;
pub mod elasticsearch;
mod json;
pub mod loki;
mod ndjson;
mod record;
mod response;
mod stamp;
mod terminal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::base::fault::Fault;
use crate::mask::{Masked, MaskedRecord};

pub use config::{Config, Format, Kind, Line, Old, Template};
pub use response::Response;

/// Turns masked records into a request body. One a worker and output.
#[derive(Debug)]
pub struct Encoder {
    language: Language,
}

#[derive(Debug)]
enum Language {
    Bulk(elasticsearch::BulkEncoder),
    Loki(loki::PushEncoder),
    Lines(ndjson::LineEncoder),
    Terminal(terminal::TerminalEncoder),
}

/// A record that its store would refuse: found before it is sent, to be parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What tells it from all others of its output.
    pub id: String,
    /// Where it would belong.
    pub place: Place,
    /// The document or line as it would have been sent.
    pub document: Vec<u8>,
    /// Why, without anything of its content.
    pub reason: String,
}

/// Where an item belongs in its store: what sending it again takes besides its id and its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Elasticsearch, OpenSearch: the index or data stream.
    Index(String),
    /// Loki: an entry of a stream.
    Entry {
        /// What makes the stream.
        labels: BTreeMap<String, String>,
        /// Nanoseconds since 1970.
        ns: i64,
        /// Structured metadata.
        metadata: BTreeMap<String, String>,
    },
}

impl Encoder {
    /// An encoder for one destination.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(config: &Config) -> Result<Self, Vec<Fault>> {
        let faults = config.check();
        if !faults.is_empty() {
            return Err(faults);
        }
        let language = match config.kind {
            Kind::Elasticsearch | Kind::Opensearch => Language::Bulk(elasticsearch::BulkEncoder::new(config)?),
            Kind::Loki => Language::Loki(loki::PushEncoder::new(config)),
            Kind::Stdout | Kind::File => Language::Lines(ndjson::LineEncoder::new(config.format)),
        };
        Ok(Self { language })
    }

    /// An encoder for people: one readable line a record, times in `zone`, with colours where `coloured`.
    #[must_use]
    pub fn terminal(zone: TimeZone, coloured: bool) -> Self {
        Self { language: Language::Terminal(terminal::TerminalEncoder::new(zone, coloured)) }
    }

    /// What a body begins with.
    #[must_use]
    pub fn head(&self) -> &'static [u8] {
        if matches!(self.language, Language::Loki(_)) { loki::HEAD } else { b"" }
    }

    /// What stands between two chunks' parts of a body.
    #[must_use]
    pub fn separator(&self) -> &'static [u8] {
        if matches!(self.language, Language::Loki(_)) { loki::SEPARATOR } else { b"" }
    }

    /// What a body ends with.
    #[must_use]
    pub fn tail(&self) -> &'static [u8] {
        if matches!(self.language, Language::Loki(_)) { loki::TAIL } else { b"" }
    }

    /// Appends one chunk's records, those that `keep` wants, to `out`. Returns how many items it wrote; 0 writes
    /// nothing. Records that the store would refuse are not among them: see [`Encoder::refused`].
    pub fn encode(
        &mut self,
        masked: &Masked<'_>,
        keep: &mut dyn FnMut(&MaskedRecord<'_>) -> bool,
        out: &mut Vec<u8>,
    ) -> u32 {
        match &mut self.language {
            Language::Bulk(encoder) => encoder.encode(masked, keep, out),
            Language::Loki(encoder) => encoder.encode(masked, keep, out),
            Language::Lines(encoder) => encoder.encode(masked, keep, out),
            Language::Terminal(encoder) => encoder.encode(masked, keep, out),
        }
    }

    /// Takes the records of the last [`Encoder::encode`] that the store would refuse. They are not items of its
    /// part: whoever encodes must park them.
    pub fn refused(&mut self) -> Vec<Refused> {
        match &mut self.language {
            Language::Loki(encoder) => encoder.refused(),
            Language::Bulk(_) | Language::Lines(_) | Language::Terminal(_) => Vec::new(),
        }
    }
}

/// What a store's answer means for an item or a whole request. The only reading of status codes is below this door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The store has it.
    Delivered,
    /// The store had it before.
    Repeated,
    /// Not now: send it again, not before `after` where the store asks for that.
    Retry {
        /// From `Retry-After`.
        after: Option<Duration>,
        /// The store's words, cut short.
        reason: String,
    },
    /// Too large: send it in halves. Never for one item alone. Of a push to Loki some streams may be stored: ask
    /// before its halves are sent.
    Split,
    /// An operator must mend something: keep all, try seldom, say so.
    Hold {
        /// The store's words, cut short.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// The document does not fit: send it once more with its payload as one text field, then park it.
    Rewrap {
        /// The store's words, cut short.
        reason: String,
    },
    /// The document can never be stored: set it aside.
    Park {
        /// The store's words, cut short.
        reason: String,
    },
}

/// An answer, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The same for every item.
    Whole(Verdict),
    /// One verdict an item, in order, exactly as many as were sent.
    Items(Vec<Verdict>),
    /// Some were stored and the rest refused for good, and the answer does not say which: ask the store.
    Partly {
        /// The store's words, cut short.
        reason: String,
    },
    /// Some may be stored and the rest only not yet, and the answer does not say which: ask the store, and send what
    /// lacks, not before `after` where the store asks for that.
    PartlyRetry {
        /// From `Retry-After`.
        after: Option<Duration>,
        /// The store's words, cut short.
        reason: String,
    },
}
