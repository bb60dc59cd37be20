//! Numbered lines, and the numbers found again in whatever a store tells. Each says `seq-LABEL-0000017` once.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::dice::Dice;

/// A word in lines that the scripted stores refuse for good.
pub const UNFIT: &str = "unfit-for-any-store";

const DIGITS: usize = 7;
/// One line in so many is fit for no store, while any may be.
const UNFIT_EVERY: u64 = 300;

/// What a file's lines are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// JSON and text with times of their own, which rise.
    Timed,
    /// JSON and text without: the time of reading is theirs, and must be the same when they are read again.
    Timeless,
}

/// Makes the lines of one round.
#[derive(Clone, Debug)]
pub struct Lines {
    label: String,
    first_ms: i64,
    dice: Dice,
    /// So many more lines are fit for no store.
    unfit_left: u32,
}

impl Lines {
    /// Lines that tell their round by `label`, the first of them from `first_ms`; at most so many fit for no store.
    pub fn new(label: &str, first_ms: i64, dice: Dice, unfit: u32) -> Self {
        Self { label: label.to_owned(), first_ms, dice, unfit_left: unfit }
    }

    /// Appends a line and its end. Whether it is fit for no store.
    pub fn push(&mut self, number: u64, style: Style, out: &mut String) -> bool {
        let is_unfit = self.dice.below(UNFIT_EVERY) == 0 && self.unfit_left > 0;
        self.unfit_left -= u32::from(is_unfit);
        let mark = format!("seq-{}-{number:07}", self.label);
        let word = if is_unfit { UNFIT } else { "well" };
        let fill = "abcdefghij ".repeat(self.fill());
        let time =
            Timestamp::from_millisecond(self.first_ms + i64::try_from(number).expect("a number")).expect("a time");
        let _ = match (style, self.dice.percent(50)) {
            (Style::Timed, true) => {
                writeln!(out, r#"{{"time":"{time:.3}","sequence":"{mark}","level":"info","message":"{word} {fill}"}}"#)
            }
            (Style::Timed, false) => writeln!(out, "{time:.3} INFO worker {mark} went {word} {fill}"),
            (Style::Timeless, true) => writeln!(out, r#"{{"sequence":"{mark}","state":"{word}","fill":"{fill}."}}"#),
            (Style::Timeless, false) => writeln!(out, "job {mark} went {word} {fill}done"),
        };
        is_unfit
    }

    /// Most lines are short, some are not.
    fn fill(&mut self) -> usize {
        let longest = if self.dice.percent(2) { 600 } else { 20 };
        usize::try_from(self.dice.below(longest)).expect("a length")
    }
}

/// The numbers of a round that a text holds.
pub fn numbers<'a>(label: &str, text: &'a str) -> impl Iterator<Item = u64> + 'a {
    let mark = format!("seq-{label}-");
    let starts: Vec<usize> = text.match_indices(&mark).map(|(at, _)| at + mark.len()).collect();
    starts.into_iter().map(|at| text.get(at..at + DIGITS).and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX))
}
