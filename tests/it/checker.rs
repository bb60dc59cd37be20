//! Whether every line is there, once. Keeps the set of all numbers: a count hides a loss behind a repetition. Finds
//! `seq-LABEL-0000017` (see `generate`) in any text, so it knows nothing of stores.

use std::fmt::Write as _;

/// How often each number of one label was seen.
#[derive(Debug)]
pub struct Checker {
    mark: String,
    seen: Vec<u8>,
    strays: Vec<String>,
}

const DIGITS: usize = 7;

impl Checker {
    /// Expects numbers 0 to `count` - 1 of `label`.
    pub fn new(label: &str, count: u64) -> Self {
        let count = usize::try_from(count).expect("a count of lines");
        Self { mark: format!("seq-{label}-"), seen: vec![0; count], strays: Vec::new() }
    }

    /// Notes all numbers in `text`.
    pub fn scan(&mut self, text: &str) {
        for (at, _) in text.match_indices(&self.mark) {
            let digits = text.get(at + self.mark.len()..at + self.mark.len() + DIGITS).unwrap_or_default();
            match digits.parse::<usize>().ok().and_then(|number| self.seen.get_mut(number)) {
                Some(times) => *times = times.saturating_add(1),
                None => self.strays.push(digits.to_owned()),
            }
        }
    }

    /// How many different numbers were seen.
    pub fn found(&self) -> usize {
        self.seen.iter().filter(|times| **times > 0).count()
    }

    /// The numbers that were never seen.
    pub fn missing(&self) -> Vec<usize> {
        self.numbers(|times| times == 0)
    }

    /// The numbers that were seen more than once.
    pub fn repeated(&self) -> Vec<usize> {
        self.numbers(|times| times > 1)
    }

    /// How often numbers were seen beyond the first time.
    #[allow(dead_code)]
    pub fn again(&self) -> u64 {
        self.seen.iter().map(|times| u64::from(times.saturating_sub(1))).sum()
    }

    /// Fails the test unless each number was seen once.
    #[track_caller]
    pub fn assert_each_once(&self) {
        let missing = self.missing();
        let repeated = self.repeated();
        if missing.is_empty() && repeated.is_empty() && self.strays.is_empty() {
            return;
        }
        let mut report = format!("of {} lines {}:", self.seen.len(), self.mark);
        for (what, numbers) in [("missing", &missing), ("repeated", &repeated)] {
            let _ = write!(report, " {} {what} {:?}", numbers.len(), &numbers[..numbers.len().min(8)]);
        }
        panic!("{report}, never written {:?}", self.strays);
    }

    fn numbers(&self, wanted: impl Fn(u8) -> bool) -> Vec<usize> {
        self.seen.iter().enumerate().filter(|(_, times)| wanted(**times)).map(|(number, _)| number).collect()
    }
}

#[test]
fn a_hole_and_a_repetition_do_not_hide_each_other() {
    let mut checker = Checker::new("a", 3);
    checker.scan("seq-a-0000000 seq-b-0000002 {\"x\":\"seq-a-0000001\"}");
    assert_eq!(checker.found(), 2);
    for text in ["seq-a-0000001", "seq-a-0000003"] {
        let mut bad = Checker::new("a", 3);
        bad.scan("seq-a-0000000 seq-a-0000001");
        bad.scan(text);
        assert!(std::panic::catch_unwind(|| bad.assert_each_once()).is_err(), "{text}");
    }
    checker.scan("seq-a-0000002");
    checker.assert_each_once();
}
