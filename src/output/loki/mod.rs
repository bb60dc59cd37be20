//! Loki's push language, and what it answers. Sends nothing and asks nothing.

mod answer;
mod encode;
mod labels;
mod metadata;
mod push;
#[cfg(test)]
mod tests;

pub use answer::{Unanswered, answer, unanswered};
pub use push::{Entry, Stream, entries, entry_id, push, selector};

pub(super) use encode::PushEncoder;
pub(super) use labels::{DEFAULT_LABELS, check};

/// What a push begins with.
pub(super) const HEAD: &[u8] = b"{\"streams\":[";
/// What stands between two streams of a push.
pub(super) const SEPARATOR: &[u8] = b",";
/// What a push ends with.
pub(super) const TAIL: &[u8] = b"]}";
