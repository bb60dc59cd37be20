//! A batch, or some of its items, as one request body: taken apart and put together again. Sends nothing.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::base::batch::Batch;
use crate::output::elasticsearch::Item;
use crate::output::loki::Stream;
use crate::output::{Place, elasticsearch, loki};

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// `_bulk` of Elasticsearch and OpenSearch: an item is a document.
    Bulk,
    /// Loki's push: an item is an entry of a stream.
    Push,
}

/// What must be asked before a piece is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Nothing.
    None,
    /// Whether an earlier attempt arrived after all.
    Landed,
    /// Which entries the store refused, for this reason. The others are there; nothing is sent again.
    Refused(String),
}

/// Items of one batch, as one request.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// The places of its items in the batch, ascending.
    pub(super) numbers: Vec<u32>,
    pub(super) body: Bytes,
    pub(super) gzip: bool,
    /// Length of the body before compression, in bytes.
    pub(super) raw_len: u64,
    /// Attempts in a row that did not work.
    pub(super) failures: u32,
    /// Its payloads are one text field already: they were refused, out of so many that went to their index.
    pub(super) rewrapped: Option<usize>,
    pub(super) question: Question,
}

/// A body that is not what it should be: a fault of the agent itself.
#[derive(Debug, thiserror::Error)]
#[error("cannot take a batch of {expected} items apart: {cause}")]
pub struct Broken {
    expected: usize,
    cause: String,
}

impl Piece {
    /// A whole batch. Its body is taken out of it.
    pub(super) fn whole(batch: &mut Batch, language: Language) -> Self {
        let must_ask = batch.unsure && language == Language::Push;
        Self {
            numbers: (0..batch.items).collect(),
            body: std::mem::take(&mut batch.body),
            gzip: batch.gzip,
            raw_len: batch.raw_len,
            failures: 0,
            rewrapped: None,
            question: if must_ask { Question::Landed } else { Question::None },
        }
    }

    /// Only the items at `chosen` (indexes into `numbers`, ascending).
    pub(super) fn only(&self, language: Language, chosen: &[usize]) -> Result<Self, Broken> {
        let raw = self.raw()?;
        let selected = match language {
            Language::Bulk => {
                let items = self.documents(&raw)?;
                let mut lines = Vec::with_capacity(raw.len());
                chosen.iter().for_each(|index| push_item(&mut lines, items[*index].action, items[*index].document));
                lines
            }
            Language::Push => loki::push(&choose(self.streams(&raw)?, chosen)),
        };
        self.replaced(chosen, &selected)
    }

    /// Only the items at `chosen`, out of so many that go to their index, each with its payload as one text field, marked
    /// with the reason beside it.
    pub(super) fn rewrapped(&self, chosen: &[(usize, String)], of_index: usize) -> Result<Self, Broken> {
        let raw = self.raw()?;
        let items = self.documents(&raw)?;
        let mut lines = Vec::new();
        for (index, reason) in chosen {
            let Item { action, document } = items[*index];
            push_item(&mut lines, action, &elasticsearch::rewrap(document, reason));
        }
        let indexes: Vec<usize> = chosen.iter().map(|(index, _)| *index).collect();
        Ok(Self { rewrapped: Some(of_index), ..self.replaced(&indexes, &lines)? })
    }

    /// The items at `chosen` by the index that each goes to. Where there are no indices, all of them together.
    pub(super) fn by_index(
        &self,
        language: Language,
        chosen: &[usize],
    ) -> Result<BTreeMap<String, Vec<usize>>, Broken> {
        if language == Language::Push {
            return Ok(BTreeMap::from([(String::new(), chosen.to_vec())]));
        }
        let raw = self.raw()?;
        let items = self.documents(&raw)?;
        let mut by_index = BTreeMap::<String, Vec<usize>>::new();
        for at in chosen {
            let (_, place) = elasticsearch::target(items[*at].action);
            let name = if let Place::Index(name) = place { name } else { String::new() };
            by_index.entry(name).or_default().push(*at);
        }
        Ok(by_index)
    }

    /// Two pieces with half of the items each, the first half last: pieces are a stack.
    pub(super) fn halves(&self, language: Language) -> Result<[Self; 2], Broken> {
        let indexes: Vec<usize> = (0..self.numbers.len()).collect();
        let (first, second) = indexes.split_at(indexes.len() / 2);
        Ok([self.only(language, second)?, self.only(language, first)?])
    }

    /// The items at `chosen` as they are parked: id, place, and the document as it was first sent.
    pub(super) fn to_park(
        &self,
        language: Language,
        chosen: &[usize],
    ) -> Result<Vec<(String, Place, Vec<u8>)>, Broken> {
        let raw = self.raw()?;
        if language == Language::Bulk {
            let items = self.documents(&raw)?;
            return Ok(chosen.iter().map(|index| self.document_to_park(items[*index])).collect());
        }
        let mut parked = Vec::with_capacity(chosen.len());
        for Stream { labels, entries } in choose(self.streams(&raw)?, chosen) {
            for entry in entries {
                let id = loki::entry_id(&labels, &entry);
                let place = Place::Entry { labels: labels.clone(), ns: entry.ns, metadata: entry.metadata };
                parked.push((id, place, entry.line.into_bytes()));
            }
        }
        Ok(parked)
    }

    fn document_to_park(&self, item: Item<'_>) -> (String, Place, Vec<u8>) {
        let (id, place) = elasticsearch::target(item.action);
        let original = if self.rewrapped.is_some() { elasticsearch::unwrap(item.document) } else { None };
        (id, place, original.unwrap_or_else(|| item.document.trim_ascii_end().to_vec()))
    }

    /// The entries of a push, stream by stream.
    pub(super) fn entries(&self) -> Result<Vec<loki::Stream>, Broken> {
        self.streams(&self.raw()?)
    }

    fn raw(&self) -> Result<Bytes, Broken> {
        if !self.gzip {
            return Ok(self.body.clone());
        }
        let mut raw = Vec::with_capacity(usize::try_from(self.raw_len).unwrap_or(0));
        match GzDecoder::new(self.body.as_ref()).read_to_end(&mut raw) {
            Ok(_) => Ok(raw.into()),
            Err(error) => Err(self.broken(&error)),
        }
    }

    fn documents<'a>(&self, raw: &'a [u8]) -> Result<Vec<Item<'a>>, Broken> {
        let items = elasticsearch::items(raw);
        self.check(items.len())?;
        Ok(items)
    }

    fn streams(&self, raw: &[u8]) -> Result<Vec<loki::Stream>, Broken> {
        let streams = loki::entries(raw).map_err(|error| self.broken(&error))?;
        self.check(streams.iter().map(|stream| stream.entries.len()).sum())?;
        Ok(streams)
    }

    fn check(&self, found: usize) -> Result<(), Broken> {
        if found == self.numbers.len() { Ok(()) } else { Err(self.broken(&format!("it has {found}"))) }
    }

    fn broken(&self, cause: &dyn std::fmt::Display) -> Broken {
        Broken { expected: self.numbers.len(), cause: cause.to_string() }
    }

    fn replaced(&self, chosen: &[usize], raw: &[u8]) -> Result<Self, Broken> {
        let body = if self.gzip { compressed(raw).map_err(|error| self.broken(&error))? } else { raw.to_vec() };
        Ok(Self {
            numbers: chosen.iter().map(|index| self.numbers[*index]).collect(),
            body: body.into(),
            gzip: self.gzip,
            raw_len: raw.len() as u64,
            failures: self.failures,
            rewrapped: self.rewrapped,
            question: self.question.clone(),
        })
    }
}

fn push_item(lines: &mut Vec<u8>, action: &[u8], document: &[u8]) {
    for line in [action, document] {
        lines.extend_from_slice(line.trim_ascii_end());
        lines.push(b'\n');
    }
}

fn choose(streams: Vec<loki::Stream>, chosen: &[usize]) -> Vec<loki::Stream> {
    let mut wanted = chosen.iter().copied().peekable();
    let mut index = 0;
    let mut selected = Vec::new();
    for mut stream in streams {
        stream.entries.retain(|_| {
            let keep = wanted.next_if_eq(&index).is_some();
            index += 1;
            keep
        });
        if !stream.entries.is_empty() {
            selected.push(stream);
        }
    }
    selected
}

fn compressed(raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(raw.len() / 4), Compression::fast());
    encoder.write_all(raw)?;
    encoder.finish()
}
