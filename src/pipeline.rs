//! The pure middle: one chunk through decode, enrich, filter, mask and output. Bytes in, bytes out; no I/O, no clock.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::chunk::Chunk;
use crate::base::counts::Counts;
use crate::base::records::Records;
use crate::base::source::{Source, SourceId};
use crate::decode::Decoder;
use crate::enrich;
use crate::filter::{Condition, Filter};
use crate::mask::{self, Masked, MaskedFields, MaskedRecord, Masker, Scratch};
use crate::output::{Encoder, Refused};

/// What all workers share: the compiled configuration.
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
    decoder: Decoder,
    records: Records,
    scratch: Scratch,
    sources: HashMap<SourceId, (Arc<Source>, MaskedFields)>,
}

/// What one output takes from each chunk.
#[derive(Debug)]
pub struct Lane {
    when: Option<Condition>,
    encoder: Encoder,
    /// Set before each chunk: how many of its first lines the output has from an earlier run.
    pub past_lines: usize,
    /// The chunk's part of the next body.
    pub part: Vec<u8>,
    /// Items in `part`.
    pub items: u32,
    /// What became of the chunk's other lines.
    pub counts: Counts,
    /// Records that the store would refuse: to be set aside. They are counted as parked.
    pub refused: Vec<Refused>,
}

/// What happened to a chunk before the outputs, for the metrics.
#[derive(Debug, Default)]
pub struct Tally {
    /// Records dropped, by rule.
    pub dropped: Vec<(String, u64)>,
    /// Records that masking could not process.
    pub held: u64,
    /// Values replaced, by detector.
    pub masked: Vec<(String, u64)>,
}

/// The reason under which records are counted that masking could not process.
pub const HELD_BACK: &str = "mask";

/// The reason under which records are counted that an output's `when` does not want.
pub const UNWANTED: &str = "when";

impl Pipeline {
    /// A pipeline with empty buffers.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            decoder: Decoder::default(),
            records: Records::default(),
            scratch: Scratch::default(),
            sources: HashMap::new(),
        }
    }

    /// Takes one chunk through, and fills each lane's part. A chunk with the same bytes, source and time of reading
    /// always gives the same parts.
    ///
    /// Lanes differ in [`Lane::past_lines`] only just after a start, so this nearly always is one pass.
    pub fn process(&mut self, chunk: &mut Chunk, lanes: &mut [Lane]) -> Tally {
        chunk.repair();
        debug_assert!(chunk.lines_are_apart(), "a reader made two lines touch");
        let mut passes: Vec<usize> = lanes.iter().map(|lane| lane.past_lines.min(chunk.lines.len())).collect();
        passes.sort_unstable();
        passes.dedup();
        let (mut tally, mut removed) = (Tally::default(), 0);
        for past in passes {
            let kind = chunk.source.kind;
            let past_bytes: u64 = chunk.lines.drain(..past - removed).map(|line| line.input_bytes(kind)).sum();
            chunk.input_bytes = chunk.input_bytes.saturating_sub(past_bytes);
            removed = past;
            tally = self.pass(chunk, lanes.iter_mut().filter(|lane| lane.past_lines == past));
        }
        tally
    }

    /// Lets go of what is remembered of a source.
    pub fn forget(&mut self, source: SourceId) {
        self.sources.remove(&source);
    }

    fn pass<'l>(&mut self, chunk: &Chunk, lanes: impl Iterator<Item = &'l mut Lane>) -> Tally {
        let text = chunk.text();
        let mut tally = Tally::default();
        self.decoder.decode(chunk, text, &mut self.records);
        self.rules.filter.apply(&chunk.source, text, &mut self.records, &mut |rule, count| {
            tally.dropped.push((rule.to_owned(), count));
        });
        let fields = known_fields(&mut self.sources, &self.rules, &chunk.source);
        let origin = mask::Origin { source: chunk.source.id, generation: chunk.generation, seen_ms: chunk.seen_ms };
        let masked = self.rules.masker.mask(text, &self.records, origin, fields, &mut self.scratch);
        tally.held = masked.held();
        tally.masked = masked.hits().map(|(detector, count)| (detector.to_owned(), count)).collect();
        lanes.for_each(|lane| lane.take(chunk, &masked, &tally));
        tally
    }
}

impl Lane {
    /// A lane for an encoder, for the records that `when` wants.
    #[must_use]
    pub fn new(encoder: Encoder, when: Option<Condition>) -> Self {
        Self {
            when,
            encoder,
            past_lines: 0,
            part: Vec::new(),
            items: 0,
            counts: Counts::default(),
            refused: Vec::new(),
        }
    }

    fn take(&mut self, chunk: &Chunk, masked: &Masked<'_>, tally: &Tally) {
        self.part.clear();
        let Self { when, encoder, part, .. } = self;
        let mut unwanted = 0;
        let when = when.as_ref().map(|when| when.at(&chunk.source));
        let mut wanted = |one: &MaskedRecord<'_>| {
            let wanted = when.as_ref().is_none_or(|when| when.holds(one.text, one.record));
            unwanted += u64::from(!wanted);
            wanted
        };
        self.items = encoder.encode(masked, &mut wanted, part);
        self.refused = encoder.refused();
        let reasons = [(HELD_BACK, tally.held), (UNWANTED, unwanted)].map(|(rule, count)| (rule.to_owned(), count));
        self.counts = Counts {
            read: chunk.lines.len() as u64,
            bytes: chunk.input_bytes,
            cut_bytes: chunk.cut_bytes,
            parked: self.refused.len() as u64,
            dropped: tally.dropped.iter().cloned().chain(reasons).filter(|(_, count)| *count > 0).collect(),
            ..Counts::default()
        };
    }
}

/// The masked fixed fields of a source; made again when its facts change (a container is renamed).
fn known_fields<'a>(
    sources: &'a mut HashMap<SourceId, (Arc<Source>, MaskedFields)>,
    rules: &Rules,
    source: &Arc<Source>,
) -> &'a MaskedFields {
    let masked = || (Arc::clone(source), rules.masker.fields(&enrich::fields(source, &rules.host_name)));
    let known = sources.entry(source.id).or_insert_with(masked);
    if !Arc::ptr_eq(&known.0, source) {
        *known = masked();
    }
    &known.1
}
