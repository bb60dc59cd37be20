//! One masked record as one JSON object on one line. Does not frame it for a store.
//!
//! ```text
//! flat    {…the object's own bytes…,"time":1763819254123,"@timestamp":"…","level":"INFO","container_name":"web",…}
//!         {"message":"the line","time":…}
//! nested  {"log":{…the object's own bytes…},"node":"web","time":1763819254123,"@timestamp":"…","level":"INFO",…}
//!         {"log":{"message":"the line"},"node":"web","time":…}
//! ```
//!
//! Flat: a field that the object has itself with our meaning is not added; with another meaning, ours goes under
//! `logferry_`, unless that name is taken too: the application always wins. Nested: the outer object is ours alone.

use memchr::memmem;

use crate::base::records::{Key, Keys, PREFIX, Record, Shape};
use crate::mask::{MaskedFields, MaskedRecord};

use super::config::Format;
use super::json;
use super::stamp::Stamp;

/// Renders records. One an encoder.
#[derive(Debug)]
pub(super) struct Renderer {
    format: Format,
    /// With `@timestamp`: for Elasticsearch and OpenSearch.
    timestamped: bool,
    fixed: Fixed,
    stamp: Stamp,
}

/// The fixed fields of the chunk's source, rendered once a chunk and pasted into each record.
#[derive(Debug, Default)]
struct Fixed {
    /// `,"container_name":"web","service_name":"shop"…`
    bytes: Vec<u8>,
    /// Where in `bytes` each field ends. It begins where the one before it ends.
    ends: Vec<(Key, usize)>,
    keys: Keys,
    /// `,"node":"web"`; only for nested records.
    node: Vec<u8>,
}

impl Renderer {
    pub(super) fn new(format: Format, timestamped: bool) -> Self {
        Self { format, timestamped, fixed: Fixed::default(), stamp: Stamp::default() }
    }

    /// Takes the fixed fields of the next chunk.
    pub(super) fn begin(&mut self, fields: &MaskedFields) {
        self.fixed.render(fields, self.format);
    }

    /// The chunk's fixed fields as they stand in a record that uses none of their names itself.
    pub(super) fn fixed(&self) -> &[u8] {
        &self.fixed.bytes
    }

    /// Appends the record, without an end of line.
    pub(super) fn push(&mut self, one: &MaskedRecord<'_>, out: &mut Vec<u8>) {
        match self.format {
            Format::Flat => self.push_flat(one, out),
            Format::Nested => self.push_nested(one, out),
        }
    }

    fn push_flat(&mut self, one: &MaskedRecord<'_>, out: &mut Vec<u8>) {
        let inner_starts = out.len() + 1;
        push_payload(one, out);
        out.pop();
        let is_empty = out[inner_starts..].trim_ascii().is_empty();
        let fields_start = out.len();
        self.push_moment(one, out);
        self.fixed.push(one, out);
        push_cut(one, out);
        if is_empty && out.len() > fields_start {
            out.remove(fields_start);
        }
        out.push(b'}');
    }

    fn push_nested(&mut self, one: &MaskedRecord<'_>, out: &mut Vec<u8>) {
        let own = Record { own: Keys::NONE, clash: Keys::NONE, ..*one.record };
        let outer = MaskedRecord { text: "", record: &own };
        out.extend_from_slice(b"{\"log\":");
        push_payload(one, out);
        out.extend_from_slice(&self.fixed.node);
        self.push_moment(&outer, out);
        self.fixed.push(&outer, out);
        push_cut(&outer, out);
        out.push(b'}');
    }

    /// Time and level: what differs from record to record.
    fn push_moment(&mut self, one: &MaskedRecord<'_>, out: &mut Vec<u8>) {
        let record = one.record;
        if push_name(one, Key::Time, out) {
            json::integer(record.time.ms(), out);
        }
        if self.timestamped && push_name(one, Key::Timestamp, out) {
            out.push(b'"');
            // `date_nanos` begins in 1970, and a data stream takes no document without a valid one.
            self.stamp.push(record.time.distinct_ns(record.position.at).max(0), out);
            out.push(b'"');
        }
        if let Some(level) = record.level
            && push_name(one, Key::Level, out)
        {
            out.push(b'"');
            out.extend_from_slice(level.name().as_bytes());
            out.push(b'"');
        }
    }
}

impl Fixed {
    fn render(&mut self, fields: &MaskedFields, format: Format) {
        self.bytes.clear();
        self.ends.clear();
        self.node.clear();
        self.keys = Keys::NONE;
        for (key, value) in fields.all() {
            if format == Format::Nested && *key == Key::ContainerName {
                self.node.extend_from_slice(b",\"node\":");
                json::string(value, &mut self.node);
                continue;
            }
            self.bytes.extend_from_slice(member(*key).as_bytes());
            json::string(value, &mut self.bytes);
            self.ends.push((*key, self.bytes.len()));
            self.keys.insert(*key);
        }
    }

    fn push(&self, one: &MaskedRecord<'_>, out: &mut Vec<u8>) {
        if one.record.own.is_disjoint(self.keys) {
            out.extend_from_slice(&self.bytes);
            return;
        }
        let mut start = 0;
        for (key, end) in &self.ends {
            let field = &self.bytes[start..*end];
            start = *end;
            if push_name(one, *key, out) {
                out.extend_from_slice(&field[member(*key).len()..]);
            }
        }
    }
}

/// The object, or the text as one. An object on several lines (white space between its members may hold ends of
/// lines) becomes one line: stores frame by lines.
fn push_payload(one: &MaskedRecord<'_>, out: &mut Vec<u8>) {
    match one.record.shape {
        Shape::Text => {
            out.extend_from_slice(b"{\"message\":\"");
            json::escape(one.text, out);
            out.extend_from_slice(b"\"}");
        }
        Shape::Object => {
            let start = out.len();
            out.extend_from_slice(one.text.as_bytes());
            if memchr::memchr2(b'\n', b'\r', one.text.as_bytes()).is_some() {
                let ends = out[start..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r'));
                ends.for_each(|byte| *byte = b' ');
            }
        }
    }
}

/// Appends `,"name":` for a field of ours; `false` and nothing where the application's own stands for it.
fn push_name(one: &MaskedRecord<'_>, key: Key, out: &mut Vec<u8>) -> bool {
    let Some(prefix) = prefix(one, key) else { return false };
    if prefix.is_empty() {
        out.extend_from_slice(member(key).as_bytes());
        return true;
    }
    out.extend_from_slice(b",\"");
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(key.name().as_bytes());
    out.extend_from_slice(b"\":");
    true
}

/// What a member of that name begins with, to be copied at once.
const fn member(key: Key) -> &'static str {
    match key {
        Key::Time => ",\"time\":",
        Key::Timestamp => ",\"@timestamp\":",
        Key::Level => ",\"level\":",
        Key::ContainerName => ",\"container_name\":",
        Key::ServiceName => ",\"service_name\":",
        Key::HostName => ",\"host_name\":",
        Key::SourceName => ",\"source_name\":",
        Key::Stream => ",\"stream\":",
        Key::Filename => ",\"filename\":",
    }
}

/// What stands before our name of a field in a flat record; `None` where the field is not to be written.
pub(super) fn prefix(one: &MaskedRecord<'_>, key: Key) -> Option<&'static str> {
    if !one.record.own.contains(key) {
        return Some("");
    }
    let is_free = one.record.clash.contains(key) && !uses_prefixed(one.text, key);
    is_free.then_some(PREFIX)
}

/// Whether the object has our prefixed name already: a record of another agent, read again.
fn uses_prefixed(text: &str, key: Key) -> bool {
    let text = text.as_bytes();
    memmem::find_iter(text, b"\"logferry_").any(|at| {
        let rest = &text[at + 1 + PREFIX.len()..];
        rest.strip_prefix(key.name().as_bytes()).is_some_and(|rest| rest.starts_with(b"\""))
    })
}

fn push_cut(one: &MaskedRecord<'_>, out: &mut Vec<u8>) {
    if one.record.cut {
        out.extend_from_slice(b",\"logferry_cut\":true");
    }
}
