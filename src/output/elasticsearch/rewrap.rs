//! A document that the store refused for its shape, made into one that fits any index of ours. Does not send it.

use serde_json::value::RawValue;

use crate::base::records::{Key, PREFIX};

use super::super::json::{self, Object};

/// Where the document stands as text.
const PAYLOAD: &str = "logferry_payload";
/// The longest keyword that is kept, in bytes. Lucene refuses above 32,766; names are far shorter.
const KEYWORD_LIMIT: usize = 1024;

/// The same document with its payload as one text field, `logferry_payload`, and why in `logferry_refused`. The
/// agent's own fields stay where they are plain values that the template takes; where the application's value had
/// the agent's name, the agent's comes back to it.
#[must_use]
pub fn rewrap(document: &[u8], reason: &str) -> Vec<u8> {
    let document = document.trim_ascii_end();
    let mut out = Vec::with_capacity(document.len() + document.len() / 4 + 512);
    out.push(b'{');
    if let Some(object) = Object::parse(document) {
        for key in Key::ALL {
            let ours = object.get(&format!("{PREFIX}{}", key.name()));
            let Some(value) = [ours, object.get(key.name())].into_iter().flatten().find(|value| fits(key, value))
            else {
                continue;
            };
            json::string(key.name(), &mut out);
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
            out.push(b',');
        }
    }
    json::string(PAYLOAD, &mut out);
    out.push(b':');
    json::string(&String::from_utf8_lossy(document), &mut out);
    out.extend_from_slice(b",\"logferry_refused\":");
    json::string(reason, &mut out);
    out.push(b'}');
    out
}

/// The document of which [`rewrap`] made this one.
#[must_use]
pub fn unwrap(rewrapped: &[u8]) -> Option<Vec<u8>> {
    let object = Object::parse(rewrapped)?;
    object.get(PAYLOAD).and_then(json::text_of).map(|text| text.into_owned().into_bytes())
}

/// Whether the template takes the value for that field.
fn fits(key: Key, value: &RawValue) -> bool {
    let text = value.get();
    match key {
        Key::Time => text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit()),
        Key::Timestamp => json::text_of(value).is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        _ => text.starts_with('"') && text.len() <= KEYWORD_LIMIT,
    }
}
