//! What was nearly a hit, and why it was left: for `logferry mask --explain`. Masks nothing.

use std::ops::Range;

use super::form::Judge;
use super::{DETECTORS, Finder};

/// What has a detector's form but not its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    pub(super) row: usize,
    /// Where in the text.
    pub at: Range<usize>,
    /// What is lacking.
    pub why: Why,
}

/// What a near miss lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The check digit is another.
    Check,
    /// No telling word stands before it.
    Word,
}

impl Miss {
    /// The detector's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        DETECTORS[self.row].name
    }
}

/// The fewest and the most digits of a card: ISO/IEC 7812-1.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// How many bytes around a number tell whether it is a part of something longer.
const AROUND: usize = 8;

/// Numbers that were cards, of that row, if their last digit were another.
pub(super) fn cards(text: &str, row: usize, visit: &mut dyn FnMut(Miss)) {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
    let Finder::Number { judge, .. } = DETECTORS[row].finder else { return };
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|offset| at + offset) {
        let length = bytes[start..].iter().take_while(|byte| is_part(byte)).count();
        at = start + length;
        let end = start + text[start..at].trim_end_matches([' ', '-']).len();
        let digits = bytes[start..end].iter().filter(|byte| byte.is_ascii_digit()).count();
        if CARD_DIGITS.contains(&digits) && is_card_but_for_its_end(text, start..end, judge) {
            visit(Miss { row, at: start..end, why: Why::Check });
        }
    }
}

fn is_card_but_for_its_end(text: &str, at: Range<usize>, judge: Judge) -> bool {
    let (from, to) = (boundary(text, at.start.saturating_sub(AROUND)), boundary(text, at.end + AROUND));
    let is_card = |end: char| {
        let other = format!("{}{end}{}", &text[from..at.end - 1], &text[at.end..to]);
        let (begin, digits) = (at.start - from, other[at.start - from..].bytes());
        let first = begin + digits.take_while(u8::is_ascii_digit).count();
        judge(other.as_bytes(), begin, first).is_some_and(|card| (card.begin, card.end) == (begin, at.end - from))
    };
    let own = text[..at.end].chars().next_back();
    !own.is_some_and(is_card) && ('0'..='9').any(is_card)
}

/// The nearest boundary of a character at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
