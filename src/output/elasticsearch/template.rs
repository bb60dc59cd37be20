//! The index template that lets ordinary mixtures of records in, and the answers about it. Sends nothing.
//!
//! `PUT _index_template/NAME` with the body; `GET` of the same path says whether it is there. Elasticsearch 7.8 and
//! later and OpenSearch have it.

use serde_json::{Value, json};

use crate::base::records::{Key, PREFIX};

use super::super::config::{self, Config};
use super::super::response::{Response, short};
use super::index::{DEFAULT_INDEX, Pattern};

/// A template to put where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name: the last part of the path.
    pub name: String,
    /// What to put.
    pub body: Vec<u8>,
}

/// Whether a template is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is: leave it alone.
    There,
    /// It is not: put it.
    Absent,
    /// The store does not say: no right, or no such interface.
    Unknown {
        /// Its words, cut short.
        reason: String,
    },
}

impl Template {
    /// The template for an output. `None` where it is switched off, or where the index has no beginning of its own,
    /// so that the template would claim indices of others.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        if config.template == config::Template::Off {
            return None;
        }
        let names = Pattern::new(config).ok()?.wildcard()?;
        let name = match config.index.as_str() {
            DEFAULT_INDEX if !config.data_stream => "logferry".to_owned(),
            _ => format!("logferry.{}", names.replace('*', "any")),
        };
        Some(Self { name, body: body(config, &names).to_string().into_bytes() })
    }
}

/// Reads the answer to `GET _index_template/NAME`.
#[must_use]
pub fn presence(response: &Response<'_>) -> Presence {
    match response.status {
        200 => Presence::There,
        404 => Presence::Absent,
        _ => Presence::Unknown { reason: response.words() },
    }
}

/// Reads the answer to `PUT _index_template/NAME`.
///
/// # Errors
/// The store's words, where it did not take it.
pub fn put(response: &Response<'_>) -> Result<(), String> {
    let said: Option<Value> = serde_json::from_slice(response.body).ok();
    if response.status == 200 && said.as_ref().is_some_and(|said| said["acknowledged"] == true) {
        return Ok(());
    }
    let reason = said.as_ref().and_then(|said| said["error"]["reason"].as_str());
    Err(reason.map_or_else(|| response.words(), short))
}

fn body(config: &Config, names: &str) -> Value {
    // More letters of its own: closer to the mark. Far below 100, where the stores' built-in templates begin.
    let priority = names.bytes().filter(|byte| *byte != b'*').count().min(99);
    let mut body = json!({
        "index_patterns": [names],
        "priority": priority,
        "template": {
            "settings": {"index.mapping.ignore_malformed": true},
            "mappings": {
                "dynamic_templates": [{"strings": {
                    "match_mapping_type": "string",
                    "mapping": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
                }}],
                "properties": properties(config.data_stream),
            },
        },
        "_meta": {"description": "records of logferry: put once where absent, never changed by it"},
    });
    if config.data_stream {
        body["data_stream"] = json!({});
    }
    body
}

/// `@timestamp` is `date_nanos`: its last digits carry the order of lines within a millisecond. Its range ends in
/// 2262 and begins in 1970; a time outside is not indexed, the document is stored (not in a data stream, which takes
/// no document without one). Dates are not detected in other strings' fields beyond the stores' own rule.
fn properties(data_stream: bool) -> Value {
    let keyword = json!({"type": "keyword", "ignore_above": 1024});
    let date = json!({"type": "date", "format": "epoch_millis||strict_date_optional_time_nanos"});
    let mut timestamp = json!({"type": "date_nanos"});
    if data_stream {
        timestamp["ignore_malformed"] = json!(false);
    }
    let mut properties = serde_json::Map::new();
    for key in Key::ALL {
        let (plain, prefixed) = match key {
            Key::Time => (&date, &date),
            Key::Timestamp => (&timestamp, &json!({"type": "date_nanos"})),
            _ => (&keyword, &keyword),
        };
        properties.insert(key.name().to_owned(), plain.clone());
        properties.insert(format!("{PREFIX}{}", key.name()), prefixed.clone());
    }
    properties.insert("message".to_owned(), json!({"type": "text"}));
    properties.insert("logferry_payload".to_owned(), json!({"type": "text"}));
    properties.insert("logferry_refused".to_owned(), keyword);
    properties.insert("logferry_cut".to_owned(), json!({"type": "boolean"}));
    Value::Object(properties)
}
