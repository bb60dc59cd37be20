//! The pure middle: one chunk through decode, enrich, filter, mask and output. Bytes in, bytes out; no I/O, no clock.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::chunk::Chunk;
use crate::base::counts::Counts;
use crate::base::fault::Fault;
use crate::base::records::Records;
use crate::base::source::{Source, SourceId};
use crate::decode::Decoder;
use crate::enrich;
use crate::filter::{Condition, Filter};
use crate::mask::{self, Labelled, MaskedFields, MaskedRecord, Masker, Scratch};
use crate::output::{Encoder, Refused};

/// What all workers of all outputs share: the compiled configuration.
#[derive(Debug)]
pub struct Rules {
    /// Which records are dropped.
    pub filter: Filter,
    /// What is masked.
    pub masker: Arc<Masker>,
    /// `host_name` of all records.
    pub host_name: String,
}

/// One worker's middle, with the buffers that it reuses.
#[derive(Debug)]
pub struct Pipeline {
    rules: Arc<Rules>,
    when: Option<Condition>,
    encoder: Encoder,
    decoder: Decoder,
    records: Records,
    scratch: Scratch,
    sources: HashMap<SourceId, Known>,
}

/// What is remembered of a source.
#[derive(Debug)]
struct Known {
    source: Arc<Source>,
    /// What masks it, if a label says so.
    labelled: Option<Arc<Labelled>>,
    fields: MaskedFields,
}

/// What came of one chunk. Reused from chunk to chunk.
#[derive(Debug, Default)]
pub struct Part {
    /// The chunk's part of the next body.
    pub body: Vec<u8>,
    /// Items in `body`.
    pub items: u32,
    /// What became of the chunk's other lines.
    pub counts: Counts,
    /// Records that the store would refuse: to be set aside. They are counted as parked.
    pub refused: Vec<Refused>,
    /// Records that masking could not process.
    pub held: u64,
    /// Values replaced, by detector.
    pub masked: Vec<(String, u64)>,
    /// Detector and field of values replaced, where they are to be said.
    pub places: Vec<(String, String)>,
    /// What is wrong with the label `logferry.mask` of its source, where that was looked at for the first time.
    pub label_faults: Vec<Fault>,
}

/// The reason under which records are counted that masking could not process.
pub const HELD_BACK: &str = "mask";

/// The reason under which records are counted that the output's `when` does not want.
pub const UNWANTED: &str = "when";

impl Pipeline {
    /// A pipeline for an encoder, for the records that `when` wants, with empty buffers.
    #[must_use]
    pub fn new(rules: Arc<Rules>, encoder: Encoder, when: Option<Condition>) -> Self {
        let scratch = if rules.masker.is_audited() { Scratch::tracing() } else { Scratch::default() };
        Self {
            rules,
            when,
            encoder,
            decoder: Decoder::default(),
            records: Records::default(),
            scratch,
            sources: HashMap::new(),
        }
    }

    /// Takes one chunk through. A chunk with the same bytes, source and time of reading always gives the same part.
    pub fn process(&mut self, chunk: &mut Chunk, part: &mut Part) {
        chunk.repair();
        debug_assert!(chunk.lines_are_apart(), "a reader made two lines touch");
        let text = chunk.text();
        part.begin(chunk);
        self.decoder.decode(chunk, text, &mut self.records);
        self.rules.filter.apply(&chunk.source, text, &mut self.records, &mut |rule, count| part.drop(rule, count));
        let known = known(&mut self.sources, &self.rules, &chunk.source, &mut part.label_faults);
        let masker = known.masker(&self.rules);
        let origin = mask::Origin { source: chunk.source.id, generation: chunk.generation, seen_ms: chunk.seen_ms };
        let masked = masker.mask(text, &self.records, origin, &known.fields, &mut self.scratch);
        part.held = masked.held();
        part.masked.extend(masked.hits().map(|(detector, count)| (detector.to_owned(), count)));
        if self.rules.masker.is_audited() {
            part.places.extend(masked.places().into_iter().map(|(detector, path)| (detector.to_owned(), path)));
        }
        part.drop(HELD_BACK, part.held);
        masked.dropped().for_each(|(detector, count)| part.drop(detector, count));

        let mut unwanted = 0;
        let when = self.when.as_ref().map(|when| when.at(&chunk.source));
        let mut wanted = |one: &MaskedRecord<'_>| {
            let wanted = when.as_ref().is_none_or(|when| when.holds(one.text, one.record));
            unwanted += u64::from(!wanted);
            wanted
        };
        part.items = self.encoder.encode(&masked, &mut wanted, &mut part.body);
        part.refused = self.encoder.refused();
        part.counts.parked = part.refused.len() as u64;
        part.drop(UNWANTED, unwanted);
    }

    /// Lets go of what is remembered of a source.
    pub fn forget(&mut self, source: SourceId) {
        self.sources.remove(&source);
    }
}

impl Part {
    fn begin(&mut self, chunk: &Chunk) {
        self.body.clear();
        self.masked.clear();
        self.places.clear();
        self.label_faults.clear();
        self.counts = Counts {
            read: chunk.lines.len() as u64,
            bytes: chunk.input_bytes,
            cut_bytes: chunk.cut_bytes,
            ..Counts::default()
        };
    }

    fn drop(&mut self, rule: &str, count: u64) {
        if count > 0 {
            *self.counts.dropped.entry(rule.to_owned()).or_default() += count;
        }
    }
}

impl Known {
    fn new(source: &Arc<Source>, rules: &Rules, label_faults: &mut Vec<Fault>) -> Self {
        let label = source.mask.as_deref();
        let labelled = label.and_then(|label| rules.masker.of(&source.name).labelled(label));
        labelled.iter().for_each(|labelled| label_faults.extend_from_slice(&labelled.faults));
        let mut known = Self { source: Arc::clone(source), labelled, fields: MaskedFields::default() };
        known.fields = known.masker(rules).fields(&enrich::fields(source, &rules.host_name));
        known
    }

    fn masker<'a>(&'a self, rules: &'a Rules) -> &'a Masker {
        self.labelled.as_ref().map_or_else(|| rules.masker.of(&self.source.name), |labelled| &labelled.masker)
    }
}

/// So many sources are remembered: of thousands only few have lines at a time.
const REMEMBERED: usize = 512;

/// What is remembered of a source; made again when its facts change (a container is renamed).
fn known<'a>(
    sources: &'a mut HashMap<SourceId, Known>,
    rules: &Rules,
    source: &Arc<Source>,
    label_faults: &mut Vec<Fault>,
) -> &'a Known {
    if sources.len() >= REMEMBERED && !sources.contains_key(&source.id) {
        sources.clear();
    }
    let mut new = || Known::new(source, rules, label_faults);
    let known = sources.entry(source.id).or_insert_with(&mut new);
    if !Arc::ptr_eq(&known.source, source) {
        *known = new();
    }
    known
}
