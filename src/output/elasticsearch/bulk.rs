//! A bulk body taken apart again, when only some of its items are to be sent once more. Does not judge answers.

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
