//! Records to one stream of a push: `{"stream":{…},"values":[["ns","line"],…]}`. Does not read answers.
//!
//! A line's time is the record's, whose digits below its own precision carry the position: equal lines stay two, and
//! a line that is sent again has the same time. What Loki would refuse (too old, too far ahead, too long) is not
//! sent, because its answer does not say which lines it kept.

use std::collections::BTreeMap;
use std::mem;

use crate::base::records::{Origin, Time};
use crate::mask::{Masked, MaskedRecord};

use super::super::config::{Config, Line, Old};
use super::super::json;
use super::super::record::Renderer;
use super::super::{Place, Refused};
use super::labels::Labels;
use super::metadata::{self, Metadata};
use super::push::{Entry, entry_id};

/// Loki's `max_line_size`: its default of 256 KiB, in bytes.
const LINE_LIMIT: usize = 262_144;
/// Loki's `creation_grace_period`: its default of ten minutes.
const AHEAD_NS: i64 = 600_000_000_000;

/// Writes streams.
#[derive(Debug)]
pub(in super::super) struct PushEncoder {
    labels: Labels,
    line: Line,
    old: Old,
    old_after_ns: i64,
    renderer: Renderer,
    /// The line that is being made, and its metadata; reused.
    text: Vec<u8>,
    metadata: Vec<u8>,
    /// What most of the chunk's lines end with, and the same escaped.
    ending: Vec<u8>,
    escaped_ending: Vec<u8>,
    refused: Vec<Refused>,
    /// Of the chunk's stream, once something of it is refused.
    refused_labels: Option<BTreeMap<String, String>>,
}

impl PushEncoder {
    pub(in super::super) fn new(config: &Config) -> Self {
        Self {
            labels: Labels::new(config),
            line: config.line,
            old: config.old,
            old_after_ns: i64::try_from(config.old_after.0.as_nanos()).unwrap_or(i64::MAX),
            renderer: Renderer::new(config.format, false),
            text: Vec::new(),
            metadata: Vec::new(),
            ending: Vec::new(),
            escaped_ending: Vec::new(),
            refused: Vec::new(),
            refused_labels: None,
        }
    }

    pub(in super::super) fn encode(
        &mut self,
        masked: &Masked<'_>,
        keep: &mut dyn FnMut(&MaskedRecord<'_>) -> bool,
        out: &mut Vec<u8>,
    ) -> u32 {
        let before = out.len();
        self.refused.clear();
        self.refused_labels = None;
        self.begin(masked);
        out.extend_from_slice(b"{\"stream\":");
        self.labels.push(masked.fields(), out);
        out.extend_from_slice(b",\"values\":[");
        let mut items = 0;
        for one in masked.records() {
            if keep(&one) && self.push_value(masked, &one, items > 0, out) {
                items += 1;
            }
        }
        match items {
            0 => out.truncate(before),
            _ => out.extend_from_slice(b"]}"),
        }
        items
    }

    /// Takes the fixed fields of the next chunk.
    fn begin(&mut self, masked: &Masked<'_>) {
        let Self { renderer, ending, escaped_ending, .. } = self;
        renderer.begin(masked.fields());
        ending.clear();
        ending.extend_from_slice(renderer.fixed());
        ending.push(b'}');
        escaped_ending.clear();
        json::escape_bytes(ending, escaped_ending);
    }

    /// Takes what was refused.
    pub(in super::super) fn refused(&mut self) -> Vec<Refused> {
        mem::take(&mut self.refused)
    }

    /// Appends `["ns","line"]` or `["ns","line",{…}]`; `false` and nothing where Loki would refuse it.
    fn push_value(&mut self, masked: &Masked<'_>, one: &MaskedRecord<'_>, follows: bool, out: &mut Vec<u8>) -> bool {
        let seen_ms = masked.origin().seen_ms;
        let own = one.record.time.distinct_ns(one.record.position.at);
        let is_near = self.is_near(own, seen_ms);
        let is_too_old = !is_near && self.old == Old::Park;
        self.make_line(masked, one, is_near || is_too_old);
        let ns = if is_near || is_too_old { own } else { restamped(seen_ms, one) };
        if is_too_old {
            self.refuse(masked, ns, "its time is too old, or too far ahead, for loki");
            return false;
        }
        if self.text.len() > LINE_LIMIT {
            self.refuse(masked, ns, "the line is longer than the 262144 bytes that loki takes");
            return false;
        }
        if follows {
            out.push(b',');
        }
        out.extend_from_slice(b"[\"");
        json::integer(ns, out);
        out.extend_from_slice(b"\",\"");
        match self.text.strip_suffix(self.ending.as_slice()) {
            Some(beginning) => {
                json::escape_bytes(beginning, out);
                out.extend_from_slice(&self.escaped_ending);
            }
            None => json::escape_bytes(&self.text, out),
        }
        out.push(b'"');
        if !self.metadata.is_empty() {
            out.push(b',');
            out.extend_from_slice(&self.metadata);
        }
        out.push(b']');
        true
    }

    /// Whether Loki takes the time, if it gets it soon after it was read.
    fn is_near(&self, ns: i64, seen_ms: i64) -> bool {
        let seen_ns = seen_ms.saturating_mul(1_000_000);
        ns > seen_ns.saturating_sub(self.old_after_ns) && ns <= seen_ns.saturating_add(AHEAD_NS)
    }

    /// Fills `text` and `metadata`.
    fn make_line(&mut self, masked: &Masked<'_>, one: &MaskedRecord<'_>, is_near: bool) {
        self.text.clear();
        self.metadata.clear();
        if self.line == Line::Record {
            return self.renderer.push(one, &mut self.text);
        }
        let Metadata { line, members } = metadata::take_apart(masked.fields(), &self.labels, one, !is_near);
        match metadata::push(&members, &mut self.metadata) {
            // An empty line is stored and not shown: a space is.
            true if line.is_empty() => self.text.push(b' '),
            true => self.text.extend_from_slice(line.as_bytes()),
            false => {
                self.metadata.clear();
                self.renderer.push(one, &mut self.text);
            }
        }
    }

    /// Keeps what was made for `ns`, with all that sending it takes.
    fn refuse(&mut self, masked: &Masked<'_>, ns: i64, reason: &str) {
        let Self { labels, refused_labels, text, metadata, .. } = self;
        let labels = refused_labels.get_or_insert_with(|| {
            let mut bytes = Vec::new();
            labels.push(masked.fields(), &mut bytes);
            strings(&bytes)
        });
        let line = String::from_utf8_lossy(text).into_owned();
        let entry = Entry { ns, line, metadata: strings(metadata) };
        self.refused.push(Refused {
            id: entry_id(labels, &entry),
            place: Place::Entry { labels: labels.clone(), ns, metadata: entry.metadata },
            document: entry.line.into_bytes(),
            reason: reason.to_owned(),
        });
    }
}

/// An object of strings that was just made; nothing is the empty one.
fn strings(object: &[u8]) -> BTreeMap<String, String> {
    serde_json::from_slice(object).unwrap_or_default()
}

/// The time of reading, which is noted before the first send and so the same when the line is read again.
fn restamped(seen_ms: i64, one: &MaskedRecord<'_>) -> i64 {
    let read = Time { ns: seen_ms.saturating_mul(1_000_000), digits: 3, origin: Origin::Read };
    read.distinct_ns(one.record.position.at)
}
