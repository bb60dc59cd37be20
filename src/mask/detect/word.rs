//! Words that are told by another word before them, `SWIFT DEUTDEFF`. One pass for all telling words. Knows no rules.

use super::edges::{is_word, starts_word};
use super::near::{NEAR, NEAR_ESCAPED, Near};
use super::{Found, Set};

/// No word that is looked for has more letters and digits.
const LONGEST: usize = 16;

/// The rows that are on.
#[derive(Debug, Default)]
pub(super) struct Words {
    rows: Set,
    told: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    row: usize,
    check: fn(&[u8]) -> bool,
    near: Near,
}

impl Words {
    pub(super) fn insert(&mut self, row: usize, check: fn(&[u8]) -> bool, near: &'static [&'static str]) {
        self.rows.insert(row);
        self.told.push(Told { row, check, near: Near::new(near) });
    }

    pub(super) const fn rows(&self) -> Set {
        self.rows
    }

    /// Shows each word that passes a check, its telling word sought in a wider stretch than [`Words::find`] does.
    pub(super) fn places(&self, bytes: &[u8], mut visit: impl FnMut(usize, usize)) {
        for told in &self.told {
            let mut seen = 0;
            for end in told.near.ends(bytes, 0, bytes.len()) {
                let to = bytes.len().min(end + NEAR_ESCAPED);
                let hits = words(bytes, seen.max(end), to).filter(|&(start, end)| (told.check)(&bytes[start..end]));
                hits.for_each(|(start, _)| visit(told.row, start));
                seen = to;
            }
        }
    }

    /// All hits; `before` is what stands before `text` in its record.
    pub(super) fn find(&self, text: &str, before: &str, found: &mut Found) {
        let (bytes, before) = (text.as_bytes(), before.as_bytes());
        for told in &self.told {
            found.begin_told(told.row);
            let outside = told.near.ends(before, before.len().saturating_sub(NEAR), before.len());
            let outside = outside.map(|end| (0, NEAR - (before.len() - end)));
            let inside = told.near.ends(bytes, 0, bytes.len()).map(|end| (end, end + NEAR));
            for (from, to) in outside.chain(inside) {
                for (start, end) in words(bytes, from, to.min(bytes.len())) {
                    let is_hit = (told.check)(&bytes[start..end]) && is_linked(&bytes[from..start]);
                    if is_hit && told.near.leads_to(bytes, start, before) {
                        found.push(start, end);
                    }
                }
            }
        }
    }
}

/// Whether what stands between two words joins them: an assignment, or one word at most.
fn is_linked(between: &[u8]) -> bool {
    between.iter().any(|byte| matches!(byte, b':' | b'=')) || words(between, 0, between.len()).count() <= 1
}

/// The words that begin in `bytes[from..to]`.
fn words(bytes: &[u8], from: usize, to: usize) -> impl Iterator<Item = (usize, usize)> {
    (from..to).filter(|&at| is_word(bytes[at]) && starts_word(bytes, at)).map(|start| {
        let length = bytes[start..].iter().take(LONGEST + 1).take_while(|&&byte| is_word(byte)).count();
        (start, start + length)
    })
}
