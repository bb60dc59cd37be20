//! What of a line became which tags, found from the line and its masked form alone. Where that can be read in several
//! ways, the one that fits the labels best.

use std::collections::HashMap;
use std::ops::Range;

use super::labels::Label;

/// Tags next to each other, and the stretch of the line that they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Swap<'a> {
    pub(super) tags: Vec<&'a str>,
    pub(super) range: Range<usize>,
}

impl Swap<'_> {
    /// Which labels it touches.
    pub(super) fn labels<'a>(&self, labels: &'a [Label]) -> impl Iterator<Item = usize> + Clone + use<'a> {
        let Range { start, end } = self.range;
        let touches = move |label: &Label| label.range.start < end && start < label.range.end;
        labels.iter().enumerate().filter(move |(_, label)| touches(label)).map(|(at, _)| at)
    }

    /// Whether it stands for its labels' letters and digits and for nothing else, one tag for each.
    pub(super) fn is_whole(&self, text: &str, labels: &[Label]) -> bool {
        let inner: String = self.labels(labels).map(|at| value_of(text, &labels[at])).collect();
        self.labels(labels).count() == self.tags.len() && letters(&inner).eq(letters(&text[self.range.clone()]))
    }
}

pub(super) fn value_of<'a>(text: &'a str, label: &Label) -> &'a str {
    &text[label.range.clone()]
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|one| one.is_alphanumeric())
}

/// Every swap that made `output` of `text`. `None`: it was not made of it by swaps.
pub(super) fn swaps<'a>(
    text: &str,
    output: &'a str,
    tags: &[&str],
    labels: &[Label],
    expected: &dyn Fn(&Label) -> Option<&'static str>,
) -> Option<Vec<Swap<'a>>> {
    let (groups, literals) = split(text, output, tags);
    if groups.is_empty() {
        return (text == output).then(Vec::new);
    }
    let (first, last) = (literals[0].trim_end_matches(is_edge), literals[groups.len()].trim_start_matches(is_edge));
    if !text.starts_with(first) || !text[first.len()..].ends_with(last) {
        return None;
    }
    let mut search =
        Search { text, end: text.len() - last.len(), groups, literals, labels, expected, known: HashMap::new() };
    search.best(0, first.len()).map(|(_, swaps)| swaps)
}

/// Quotes and brackets may come and go around a tag.
fn is_edge(one: char) -> bool {
    !one.is_alphanumeric()
}

/// The tags of a masked text, those with no letter between them together, and the texts around the groups. What looks
/// like a tag in `text` too stands for itself, and is taken to come first.
fn split<'a>(text: &str, output: &'a str, tags: &[&str]) -> (Vec<Vec<&'a str>>, Vec<&'a str>) {
    let mut groups: Vec<Vec<&str>> = Vec::new();
    let mut literals = Vec::new();
    let mut own: HashMap<&str, usize> = tags.iter().map(|tag| (*tag, text.matches(tag).count())).collect();
    let (mut start, mut at) = (0, 0);
    while let Some(open) = output[at..].find('[').map(|found| at + found) {
        let Some(tag) = tags.iter().find(|tag| output[open..].starts_with(**tag)) else {
            at = open + 1;
            continue;
        };
        if let Some(left) = own.get_mut(tag).filter(|left| **left > 0) {
            *left -= 1;
            at = open + tag.len();
            continue;
        }
        let before = &output[start..open];
        at = open + tag.len();
        start = at;
        match groups.last_mut().filter(|_| before.chars().all(is_edge)) {
            Some(group) => group.push(&output[open..at]),
            None => {
                literals.push(before);
                groups.push(vec![&output[open..at]]);
            }
        }
    }
    literals.push(&output[start..]);
    (groups, literals)
}

/// How many labels it fits, and its swaps.
type Reading<'a> = (usize, Vec<Swap<'a>>);

struct Search<'t, 'a> {
    text: &'t str,
    /// Where the text after the last tag begins.
    end: usize,
    groups: Vec<Vec<&'a str>>,
    literals: Vec<&'a str>,
    labels: &'t [Label],
    expected: &'t dyn Fn(&Label) -> Option<&'static str>,
    known: HashMap<(usize, usize), Option<Reading<'a>>>,
}

impl<'a> Search<'_, 'a> {
    /// The best reading of the groups from `index` on, the first of which begins at `from`.
    fn best(&mut self, index: usize, from: usize) -> Option<Reading<'a>> {
        if let Some(known) = self.known.get(&(index, from)) {
            return known.clone();
        }
        let swap = |end: usize| {
            let inner = &self.text[from..end];
            let start = from + inner.len() - inner.trim_start_matches(is_edge).len();
            let end = (from + inner.trim_end_matches(is_edge).len()).max(start);
            Swap { tags: self.groups[index].clone(), range: start..end }
        };
        let best = if index + 1 == self.groups.len() {
            (from < self.end).then(|| swap(self.end)).map(|last| (self.score(&last), vec![last]))
        } else {
            let literal = self.literals[index + 1].trim_matches(is_edge);
            let places = self.text[..self.end].match_indices(literal).map(|(at, _)| at).filter(|&at| at > from);
            let ways: Vec<(usize, Swap<'a>)> = places.map(|at| (at + literal.len(), swap(at))).collect();
            let mut best: Option<Reading<'a>> = None;
            for (next, swap) in ways {
                let Some((score, rest)) = self.best(index + 1, next) else { continue };
                let score = score + self.score(&swap);
                if best.as_ref().is_none_or(|(other, _)| score > *other) {
                    best = Some((score, [vec![swap], rest].concat()));
                }
            }
            best
        };
        self.known.insert((index, from), best.clone());
        best
    }

    /// How many labels have their tag.
    fn score(&self, swap: &Swap<'_>) -> usize {
        if !swap.is_whole(self.text, self.labels) {
            return 0;
        }
        let named = swap.labels(self.labels).zip(&swap.tags);
        1 + named.filter(|(at, tag)| (self.expected)(&self.labels[*at]) == Some(**tag)).count()
    }
}

#[test]
fn swaps_are_found_again() {
    let labels = [Label { name: "email", range: 6..12 }, Label { name: "card", range: 17..21 }];
    let text = "a and a@b.io and 4111 and";
    let expected = |label: &Label| Some(if label.name == "email" { "[email]" } else { "[card]" });
    let tags = ["[email]", "[card]"];
    let read = |output| swaps(text, output, &tags, &labels, &expected);
    let ranges = |output| {
        read(output).map(|all| all.into_iter().map(|one| (one.range.start, one.range.end)).collect::<Vec<_>>())
    };
    assert_eq!(ranges("a and [email] and [card] and"), Some(vec![(6, 12), (17, 21)]));
    assert_eq!(ranges("a and a@b.io and \"[card]\" and"), Some(vec![(17, 21)]));
    assert_eq!(ranges("a and [email] [card] and"), Some(vec![(6, 21)]));
    assert_eq!(ranges(text), Some(vec![]));
    assert_eq!(ranges("a or [email] and 4111 and"), None);
}
