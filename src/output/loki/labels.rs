//! The labels of a stream: few, valid, the same for all lines of a source. Does not look into records.

use std::collections::BTreeMap;

use crate::base::fault::Fault;
use crate::base::records::Key;
use crate::mask::MaskedFields;

use super::super::config::{Config, Format, Line};
use super::super::json;

/// Whose value makes a stream. A source has either a `stream` or a `filename`, so that one of ours is one of Loki's.
pub(in super::super) const DEFAULT_LABELS: [Key; 5] =
    [Key::ContainerName, Key::ServiceName, Key::HostName, Key::Stream, Key::Filename];
/// The fields that can be labels.
const FIELDS: [Key; 6] =
    [Key::ContainerName, Key::ServiceName, Key::HostName, Key::SourceName, Key::Stream, Key::Filename];
/// Loki's `max_label_names_per_series`, `max_label_name_length`, `max_label_value_length`: their defaults.
const LABEL_LIMIT: usize = 15;
const NAME_LIMIT: usize = 1024;
const VALUE_LIMIT: usize = 2048;

/// The chosen labels, sorted by name, as Loki itself shows them.
#[derive(Debug)]
pub(super) struct Labels(BTreeMap<String, Value>);

#[derive(Debug)]
enum Value {
    Field(Key),
    Fixed(String),
}

impl Labels {
    pub(super) fn new(config: &Config) -> Self {
        let keys = FIELDS.into_iter().filter(|key| config.labels.iter().any(|name| name == key.name()));
        let fields = keys.map(|key| (key.name().to_owned(), Value::Field(key)));
        let fixed = config.static_labels.iter().map(|(name, value)| (name.clone(), Value::Fixed(value.clone())));
        Self(fields.chain(fixed).collect())
    }

    /// Appends them as a JSON object. A value that is empty is no label to Loki, and a stream without labels is
    /// refused: then it is `agent="logferry"`.
    pub(super) fn push(&self, fields: &MaskedFields, out: &mut Vec<u8>) {
        out.push(b'{');
        let start = out.len();
        for (name, value) in &self.0 {
            let value = match value {
                Value::Field(key) => fields.get(*key).unwrap_or_default(),
                Value::Fixed(value) => value,
            };
            if !value.is_empty() {
                push_label(name, value, start, out);
            }
        }
        if out.len() == start {
            push_label("agent", "logferry", start, out);
        }
        out.push(b'}');
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        self.0.contains_key(key.name())
    }
}

fn push_label(name: &str, value: &str, start: usize, out: &mut Vec<u8>) {
    if out.len() > start {
        out.push(b',');
    }
    json::string(name, out);
    out.push(b':');
    json::string(json::head(value, VALUE_LIMIT), out);
}

/// All that is wrong with the options for Loki.
pub(in super::super) fn check(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, name) in config.labels.iter().enumerate() {
        if !Key::parse(name).is_some_and(|key| FIELDS.contains(&key)) {
            let known = FIELDS.map(Key::name).join(", ");
            let fault = Fault::new(format!("labels[{index}]"), format!("`{name}` cannot be a label"));
            faults.push(fault.hint(format!("{known}; further ones with one value in static_labels")));
        }
    }
    for (name, value) in &config.static_labels {
        let key = || format!("static_labels.{name}");
        if !is_name(name) {
            faults.push(
                Fault::new(key(), "not a label's name")
                    .hint("letters, digits and `_`, not beginning with a digit or `__`"),
            );
        } else if config.labels.contains(name) {
            faults.push(Fault::new(key(), "is among `labels` already"));
        }
        if value.is_empty() || value.len() > VALUE_LIMIT {
            faults.push(Fault::new(key(), format!("a label's value has 1 to {VALUE_LIMIT} bytes")));
        }
    }
    if config.labels.len() + config.static_labels.len() > LABEL_LIMIT {
        faults.push(Fault::new("labels", format!("Loki takes at most {LABEL_LIMIT} labels, static ones included")));
    }
    if config.line == Line::Message && config.format == Format::Nested {
        faults.push(Fault::new("format", "has no effect with line = \"message\"").hint("remove one of the two"));
    }
    faults
}

/// A Prometheus label's name (prometheus.io, "Data model"); those beginning with `__` are Loki's own.
fn is_name(name: &str) -> bool {
    let valid = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid
        && !name.is_empty()
        && name.len() <= NAME_LIMIT
        && !name.starts_with("__")
        && !name.as_bytes()[0].is_ascii_digit()
}
