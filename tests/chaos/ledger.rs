//! The agent's own books of an output, as `logferry ledger` has them, held against what there is.

use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What became of everything that was read for one output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    pub read: u64,
    pub delivered: u64,
    pub parked: u64,
    pub dropped: u64,
    pub bytes: u64,
    pub lost_bytes: u64,
    pub cut_bytes: u64,
}

/// What there is, and how far the books may be from it.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Records in the store.
    pub stored: u64,
    /// Records set aside.
    pub parked: u64,
    /// Of both together so many may be there and not in the books: their file was gone before a checkpoint passed them.
    pub unbooked: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Ends of lines at most that are no part of a chunk: the line was taken before it was finished.
    pub ends: u64,
    /// Bytes that are missing in the store, and were known to the agent: the books have at least these as lost.
    pub lost_bytes: u64,
    /// Whether the agent may drop what its queue has no room for.
    pub may_drop: bool,
}

impl Books {
    /// Asks the agent that is not running.
    ///
    /// # Errors
    /// It says nothing, or not what a ledger is.
    pub fn ask(configuration: &Path, output: &str) -> io::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logferry"));
        let said = command.args(["ledger", "--json", "-c"]).arg(configuration).output()?.stdout;
        let ledger: Value = serde_json::from_slice(&said)?;
        let mut books = Self::default();
        for counts in ledger[output].as_object().into_iter().flatten().map(|(_, counts)| counts) {
            let number = |name: &str| counts[name].as_u64().unwrap_or(0);
            books.read += number("read");
            books.delivered += number("delivered");
            books.parked += number("parked");
            books.bytes += number("bytes");
            books.lost_bytes += number("lost_bytes");
            books.cut_bytes += number("cut_bytes");
            let dropped = counts["dropped"].as_object().into_iter().flatten();
            books.dropped += dropped.filter_map(|(_, count)| count.as_u64()).sum::<u64>();
        }
        Ok(books)
    }

    /// What is wrong in them, in words.
    pub fn faults(&self, facts: &Facts) -> Vec<String> {
        let Self { read, delivered, parked, dropped, bytes, lost_bytes, cut_bytes } = *self;
        // What was sent before a crash and dropped after it is in the store, and counts as dropped.
        let slack = facts.unbooked + if facts.may_drop { dropped } else { 0 };
        let is_sure = facts.unbooked == 0;
        let lacks = |counted: u64, there: u64| counted > there || there - counted > slack;
        let bytes_least = if is_sure { facts.bytes.saturating_sub(facts.ends) } else { 0 };
        let checks = [
            (read != delivered + parked + dropped, "read is not the sum of the others".to_owned()),
            (lacks(delivered, facts.stored), format!("delivered is not {}", facts.stored)),
            (lacks(parked, facts.parked), format!("parked is not {}", facts.parked)),
            (dropped > 0 && !facts.may_drop, "nothing may be dropped".to_owned()),
            (!(bytes_least..=facts.bytes).contains(&bytes), format!("bytes read are not {}", facts.bytes)),
            (is_sure && lost_bytes > 0, "no bytes are lost".to_owned()),
            (lost_bytes < facts.lost_bytes, format!("{} lost bytes were known", facts.lost_bytes)),
            (cut_bytes > 0, "no line is too long".to_owned()),
        ];
        checks.into_iter().filter_map(|(is_wrong, what)| is_wrong.then(|| format!("{what}: {self:?}"))).collect()
    }
}

/// Shows that each number is looked at.
pub fn try_yourself() {
    let facts = Facts { stored: 10, parked: 2, unbooked: 0, bytes: 1_000, ends: 1, lost_bytes: 0, may_drop: false };
    let good = Books { read: 12, delivered: 10, parked: 2, bytes: 999, ..Books::default() };
    let unsure = Facts { unbooked: 1, lost_bytes: 7, ..facts };
    let rows = [
        (good, facts, 0),
        (Books { read: 13, ..good }, facts, 1),
        (Books { delivered: 9, read: 11, ..good }, facts, 1),
        (Books { parked: 3, read: 13, ..good }, facts, 1),
        (Books { dropped: 1, read: 13, ..good }, facts, 1),
        (Books { dropped: 1, read: 13, ..good }, Facts { may_drop: true, ..facts }, 0),
        (Books { dropped: 1, delivered: 9, ..good }, Facts { may_drop: true, ..facts }, 0),
        (Books { dropped: 1, delivered: 8, read: 11, ..good }, Facts { may_drop: true, ..facts }, 1),
        (Books { bytes: 998, ..good }, facts, 1),
        (Books { lost_bytes: 1, ..good }, facts, 1),
        (Books { cut_bytes: 1, ..good }, facts, 1),
        (Books { delivered: 9, read: 11, lost_bytes: 7, bytes: 1, ..good }, unsure, 0),
        (Books { delivered: 8, read: 10, lost_bytes: 6, ..good }, unsure, 2),
    ];
    for (books, facts, count) in rows {
        let faults = books.faults(&facts);
        assert_eq!(faults.len(), count, "{faults:?}");
    }
}
