//! Which lines of a stream were read before. Knows positions only, not lines.
//!
//! The engine sends again: from a time on when asked to (`since`), and a few lines of its own accord when it rotates a
//! log. A line was read before if it is among the last ones, or comes before them in the order of the stream. Time alone
//! never decides: a clock may step back.

use std::collections::VecDeque;

use crate::base::source::Position;

/// How many of the last positions are remembered.
pub const REMEMBERED: usize = 64;

/// A line this much later than the last one read cannot be from before it, unless a clock stepped back by more: then it
/// is read twice, under the same position.
const BEYOND_NS: u64 = 10_000_000_000;

/// The last lines of one stream, and how far a repeat of them has come.
#[derive(Debug, Default)]
pub struct Seen {
    recent: VecDeque<Position>,
    /// The highest `at` among all that were ever remembered: a later line is new without a look.
    newest_ns: u64,
    repeat: Repeat,
}

/// Where a repeated stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Repeat {
    /// Past all that was read before.
    #[default]
    Over,
    /// Before the remembered lines, or (not known yet) past them. So many lines were passed over.
    Before { skipped: u64 },
    /// Among the remembered lines.
    Within,
    /// The remembered lines did not come, and lines were passed over that may be new.
    Lost,
    /// Before a place that is known by other means.
    Known,
}

impl Seen {
    /// Goes on after a cursor's last positions, oldest first.
    pub fn resume(recent: &[Position]) -> Self {
        let mut seen = Self::default();
        recent.iter().for_each(|position| seen.remember(*position));
        seen.begin_repeat(false);
        seen
    }

    /// The stream starts again, somewhere at or before the last line; unless it was read to its end and lines were passed
    /// over in vain: then only the remembered lines themselves count as read from now on.
    pub fn begin_repeat(&mut self, is_in_vain: bool) {
        let is_over = self.recent.is_empty() || (is_in_vain && self.is_waiting());
        self.repeat = if is_over { Repeat::Over } else { Repeat::Before { skipped: 0 } };
    }

    /// All lines that come were read before, until [`begin_new`](Self::begin_new).
    pub const fn begin_known(&mut self) {
        self.repeat = Repeat::Known;
    }

    /// The lines that come now are new, unless they are remembered.
    pub const fn begin_new(&mut self) {
        self.repeat = Repeat::Over;
    }

    /// Whether the lines that come now are new, unless they are remembered.
    pub fn is_over(&self) -> bool {
        self.repeat == Repeat::Over
    }

    /// Whether the line at `position` is new; then it is remembered.
    pub fn admit(&mut self, position: Position) -> bool {
        let is_new = match self.repeat {
            Repeat::Over => position.at > self.newest_ns || !self.recent.contains(&position),
            Repeat::Lost | Repeat::Known => false,
            Repeat::Before { .. } | Repeat::Within => self.is_past_repeat(position),
        };
        if is_new {
            self.remember(position);
        }
        is_new
    }

    /// Whether lines were passed over on the belief that the remembered ones follow, and they have not come yet.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.repeat, Repeat::Lost | Repeat::Before { skipped: 1.. })
    }

    /// Whether the remembered lines will not come: the stream must be read again.
    pub const fn is_lost(&self) -> bool {
        matches!(self.repeat, Repeat::Lost)
    }

    /// Whether all lines of the stream so far were told to be new or read before for certain.
    pub const fn is_settled(&self) -> bool {
        matches!(self.repeat, Repeat::Over | Repeat::Before { skipped: 0 })
    }

    /// The last positions, oldest first, for a cursor.
    pub fn recent(&self) -> Vec<Position> {
        self.recent.iter().copied().collect()
    }

    /// The time of the last new line, in ns since 1970.
    pub fn last_ns(&self) -> Option<u64> {
        self.recent.back().map(|position| position.at)
    }

    /// Whether one of the remembered lines has this time.
    pub fn has_time(&self, ns: u64) -> bool {
        self.recent.iter().any(|position| position.at == ns)
    }

    fn is_past_repeat(&mut self, position: Position) -> bool {
        if let Some(index) = self.recent.iter().position(|one| *one == position) {
            self.repeat = if index + 1 == self.recent.len() { Repeat::Over } else { Repeat::Within };
            return false;
        }
        let Repeat::Before { skipped } = self.repeat else {
            self.repeat = Repeat::Over;
            return true;
        };
        // With fewer than that, every line ever read is among them.
        let reaches_back_to_the_first = self.recent.len() < REMEMBERED;
        let beyond = self.recent.back().is_none_or(|last| position.at > last.at.saturating_add(BEYOND_NS));
        self.repeat = match (reaches_back_to_the_first, beyond, skipped) {
            (true, _, _) | (false, true, 0) => Repeat::Over,
            (false, true, _) => Repeat::Lost,
            (false, false, _) => Repeat::Before { skipped: skipped + 1 },
        };
        self.repeat == Repeat::Over
    }

    fn remember(&mut self, position: Position) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(position);
        self.newest_ns = self.newest_ns.max(position.at);
    }
}

#[cfg(test)]
mod tests;
