//! A bulk body taken apart again, when only some of its items are to be sent once more, and put together from items
//! that were kept. Does not judge answers.

use super::super::Place;
use super::super::json;

/// One item of a bulk body, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The action line with its end of line.
    pub action: &'a [u8],
    /// The document's line with its end of line.
    pub document: &'a [u8],
}

/// The items of a bulk body that [`Encoder`](crate::output::Encoder) wrote, inflated. A last line without its end, or
/// without a document, is left out.
#[must_use]
pub fn items(body: &[u8]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut start = 0;
    let mut action = None;
    for end in memchr::memchr_iter(b'\n', body) {
        let line = &body[start..=end];
        start = end + 1;
        match action.take() {
            None => action = Some(line),
            Some(action) => items.push(Item { action, document: line }),
        }
    }
    items
}

/// The id of an item and where it belongs, from its action line. Empty where it does not say.
#[must_use]
pub fn target(action: &[u8]) -> (String, Place) {
    let action: serde_json::Value = serde_json::from_slice(action).unwrap_or_default();
    let text = |name: &str| action["create"][name].as_str().unwrap_or_default().to_owned();
    (text("_id"), Place::Index(text("_index")))
}

/// Appends an item to a bulk body. `document` is one line.
pub fn push_create(index: &str, id: &str, document: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"create\":");
    json::strings([("_index", index), ("_id", id)].into_iter(), out);
    out.extend_from_slice(b"}\n");
    out.extend_from_slice(document);
    out.push(b'\n');
}
