//! Whether the store has each line of a round once, in order, and whether the agent's own books say the same. Keeps the
//! set of all numbers: a count hides a loss behind a repetition.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::forgetful::Disk;
use crate::gone::Doubt;
use crate::lines::numbers;
use crate::stores::Record;
use crate::writer::Written;

/// What is wrong with the numbers of a round, and what is not.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Neither in the store nor set aside, and nothing excuses it.
    pub lost: Vec<u64>,
    /// The same, of a file that was gone before they were settled or queued.
    pub doubtful: Vec<u64>,
    /// The same, where the agent says that it dropped so many for want of room.
    pub dropped: Vec<u64>,
    /// More than once in the store, or both there and set aside.
    pub repeated: Vec<u64>,
    /// Behind a later line of the same piece.
    pub disordered: Vec<u64>,
    /// Set aside.
    pub parked: BTreeSet<u64>,
    /// Set aside, though every store takes them; or never written.
    pub strange: Vec<u64>,
}

impl Verdict {
    /// Adds what is wrong with another store.
    pub fn add(&mut self, other: Self) {
        self.lost.extend(other.lost);
        self.doubtful.extend(other.doubtful);
        self.dropped.extend(other.dropped);
        self.repeated.extend(other.repeated);
        self.disordered.extend(other.disordered);
        self.parked.extend(other.parked);
        self.strange.extend(other.strange);
    }

    /// Whether nothing is.
    pub fn is_good(&self) -> bool {
        [&self.lost, &self.repeated, &self.disordered, &self.strange].iter().all(|numbers| numbers.is_empty())
    }

    /// Excuses what a full queue dropped, as far as the books have it: so many records, or, behind a hole that cannot be
    /// read again, with the bytes that are lost. `sizes` are those of all lines.
    pub fn excuse(&mut self, dropped: u64, lost_bytes: u64, sizes: &[u64]) {
        let size =
            |number: &u64| usize::try_from(*number).ok().and_then(|at| sizes.get(at)).copied().unwrap_or(u64::MAX);
        let mut beyond: Vec<u64> = self.lost.iter().map(size).collect();
        beyond.sort_unstable();
        beyond.truncate(beyond.len().saturating_sub(usize::try_from(dropped).unwrap_or(usize::MAX)));
        if beyond.into_iter().fold(0, u64::saturating_add) <= lost_bytes {
            self.dropped = std::mem::take(&mut self.lost);
        }
    }

    /// Judges what a store has against what was written. `parked` is the text of the records set aside, which may hold
    /// one twice (docs/guarantees.md); of what is in `doubt`, any may be missing.
    pub fn of(label: &str, written: &Written, records: &[Record], parked: &str, doubt: &Doubt) -> Self {
        let mut verdict = Self { parked: numbers(label, parked).collect(), ..Self::default() };
        let mut times = vec![0_u32; written.pieces.len()];
        for number in records.iter().flat_map(|record| numbers(label, &record.text)) {
            match usize::try_from(number).ok().and_then(|at| times.get_mut(at)) {
                Some(times) => *times += 1,
                None => verdict.strange.push(number),
            }
        }
        for (number, times) in (0..).zip(times) {
            let all = times + u32::from(verdict.parked.contains(&number));
            if all == 0 && doubt.lines.contains_key(&number) {
                verdict.doubtful.push(number);
            } else if all == 0 {
                verdict.lost.push(number);
            } else if all > 1 {
                verdict.repeated.push(number);
            }
        }
        verdict.strange.extend(verdict.parked.difference(&written.unfit));
        verdict.disordered = disordered(label, written, records);
        verdict
    }
}

fn disordered(label: &str, written: &Written, records: &[Record]) -> Vec<u64> {
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by(|one, other| one.key.cmp(&other.key));
    let mut last: BTreeMap<usize, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for number in sorted.into_iter().flat_map(|record| numbers(label, &record.text)) {
        let Some(piece) = usize::try_from(number).ok().and_then(|at| written.pieces.get(at)) else { continue };
        if last.get(piece).is_some_and(|last| *last > number) {
            found.push(number);
        } else {
            last.insert(*piece, number);
        }
    }
    found
}

/// Which numbers below `count` are in the store.
pub fn stored(label: &str, records: &[Record]) -> Vec<bool> {
    let mut stored = Vec::new();
    for number in records.iter().flat_map(|record| numbers(label, &record.text)) {
        let at = usize::try_from(number).expect("a number of a line");
        if at >= stored.len() {
            stored.resize(at + 1, false);
        }
        stored[at] = true;
    }
    stored
}

/// How many bytes of a file output the last checkpoint answers for.
///
/// # Errors
/// The checkpoint is none.
pub fn written(state: &Path, output: &str) -> std::io::Result<usize> {
    written_by(&checkpoint(state, output)?)
}

/// The same, of the checkpoint that would be left if the power failed now.
///
/// # Errors
/// There would be none.
pub fn written_lasting(disk: &Disk, output: &str) -> std::io::Result<usize> {
    let none = || std::io::Error::other("no checkpoint would last");
    let bytes = disk.lasting(&Path::new("outputs").join(output).join("checkpoint.json")).ok_or_else(none)?;
    written_by(&serde_json::from_slice(&bytes)?)
}

fn written_by(checkpoint: &Value) -> std::io::Result<usize> {
    usize::try_from(checkpoint["written"].as_u64().unwrap_or(0)).map_err(std::io::Error::other)
}

fn checkpoint(state: &Path, output: &str) -> std::io::Result<Value> {
    Ok(serde_json::from_slice(&std::fs::read(state.join("outputs").join(output).join("checkpoint.json"))?)?)
}

/// Shows that each fault is found: a check that finds nothing proves nothing.
pub fn try_yourself() {
    let written = Written { pieces: vec![0, 0, 1, 0], ..Written::default() };
    let record = |key: &str, number: u64| Record { key: key.to_owned(), text: format!("a seq-t-{number:07} b") };
    let good = [record("a", 0), record("b", 1), record("0", 2), record("c", 3)];
    let of = |records: &[Record], parked: &str| Verdict::of("t", &written, records, parked, &Doubt::default());
    let faults = |verdict: &Verdict| {
        [&verdict.lost, &verdict.repeated, &verdict.disordered, &verdict.strange].map(|found| found.len())
    };
    assert_eq!(faults(&of(&good, "")), [0, 0, 0, 0]);
    assert_eq!(faults(&of(&good[1..], "")), [1, 0, 0, 0]);
    assert_eq!(faults(&of(&good[1..], "seq-t-0000000")), [0, 0, 0, 1], "set aside without a reason");
    assert_eq!(faults(&of(&[&good[..], &good[..1]].concat(), "")), [0, 1, 0, 0]);
    assert_eq!(faults(&of(&[&good[1..], &[record("d", 0)]].concat(), "")), [0, 0, 1, 0]);
    assert_eq!(faults(&of(&[&good[..], &[record("d", 9)]].concat(), "")), [0, 0, 0, 1]);
    let doubt = Doubt { lines: [(0, 0)].into(), ..Doubt::default() };
    let doubted = |records: &[Record]| Verdict::of("t", &written, records, "", &doubt);
    assert_eq!((faults(&doubted(&good[1..])), doubted(&good[1..]).doubtful), ([0, 0, 0, 0], vec![0]));
    assert_eq!(faults(&doubted(&[&good[..], &good[..1]].concat())), [0, 1, 0, 0], "in doubt, and twice");
    assert_eq!(faults(&doubted(&good[2..])), [1, 0, 0, 0], "another is lost");
    let mut dropped = of(&good[2..], "");
    for (count, lost_bytes) in [(1, 0), (0, 150), (1, 99)] {
        dropped.excuse(count, lost_bytes, &[100; 4]);
        assert_eq!(dropped.lost.len(), 2, "{count} dropped, {lost_bytes} bytes lost");
    }
    dropped.excuse(1, 100, &[100; 4]);
    assert_eq!((dropped.lost.len(), dropped.dropped.len()), (0, 2));
    assert_eq!(stored("t", &good[1..3]), [false, true, true]);
}
