//! The parsed file as a tree with places: finding a key by its path, taking one out. Knows no key's meaning.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// What was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A key of a table.
    Key,
    /// An element of a list: those behind it have moved up.
    Element,
    /// Nothing lies there.
    Nothing,
}

/// Takes out the key or element that lies at `span`.
pub fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> Removed {
    for value in table.iter_mut().map(|(_, value)| value) {
        let below = match value.get_mut() {
            DeValue::Table(inner) => remove(inner, span),
            DeValue::Array(array) => remove_from_array(array, span),
            _ => Removed::Nothing,
        };
        if below != Removed::Nothing {
            return below;
        }
    }
    let is_there =
        |(key, value): &(&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| key.span() == *span || value.span() == *span;
    let Some(name) = table.iter().find(is_there).map(|(key, _)| key.clone()) else { return Removed::Nothing };
    table.remove(&name);
    Removed::Key
}

fn remove_from_array(array: &mut DeArray<'_>, span: &Range<usize>) -> Removed {
    for element in array.iter_mut() {
        if let DeValue::Table(inner) = element.get_mut() {
            let below = remove(inner, span);
            if below != Removed::Nothing {
                return below;
            }
        }
    }
    let before = array.len();
    let mut kept = DeArray::new();
    for element in array.iter().filter(|element| element.span() != *span) {
        kept.push(element.clone());
    }
    *array = kept;
    if array.len() < before { Removed::Element } else { Removed::Nothing }
}

/// The value at `span`.
pub fn at_mut<'t, 'i>(table: &'t mut DeTable<'i>, span: &Range<usize>) -> Option<&'t mut DeValue<'i>> {
    table.iter_mut().find_map(|(_, value)| value_at_mut(value, span))
}

fn value_at_mut<'t, 'i>(value: &'t mut Spanned<DeValue<'i>>, span: &Range<usize>) -> Option<&'t mut DeValue<'i>> {
    if value.span() == *span {
        return Some(value.get_mut());
    }
    match value.get_mut() {
        DeValue::Table(inner) => at_mut(inner, span),
        DeValue::Array(array) => array.iter_mut().find_map(|element| value_at_mut(element, span)),
        _ => None,
    }
}

/// The value at a path such as `output.store.when.source[1]`.
pub fn get<'t, 'i>(table: &'t DeTable<'i>, path: &str) -> Option<&'t DeValue<'i>> {
    let (value, rest) = descend(table, path)?;
    rest.is_empty().then_some(value.1.get_ref())
}

/// Where a path lies: its value, or for a table its header, or the nearest thing above it that is written.
pub fn locate(table: &DeTable<'_>, path: &str) -> Range<usize> {
    let Some(((key, value), rest)) = descend(table, path) else { return 0..0 };
    match (key, value.get_ref()) {
        (Some(key), DeValue::Array(_)) if !rest.is_empty() => key,
        _ => value.span(),
    }
}

type Found<'t, 'i> = (Option<Range<usize>>, &'t Spanned<DeValue<'i>>);

/// The deepest thing that is written on the path, with its key's place, and what is left of the path.
fn descend<'t, 'p, 'i>(table: &'t DeTable<'i>, path: &'p str) -> Option<(Found<'t, 'i>, &'p str)> {
    let (name, mut rest) = split(path);
    let (key, value) = table.get_key_value(name)?;
    let mut found: Found<'t, 'i> = (Some(key.span()), value);
    while !rest.is_empty() {
        let (step, after) = split(rest);
        let next = match found.1.get_ref() {
            DeValue::Table(inner) => inner.get_key_value(step).map(|(key, value)| (Some(key.span()), value)),
            DeValue::Array(array) => step.parse().ok().and_then(|index: usize| array.get(index)).map(|one| (None, one)),
            _ => None,
        };
        let Some(next) = next else { break };
        (found, rest) = (next, after);
    }
    Some((found, rest))
}

/// The first step of a path, a name or an index, and the rest.
fn split(path: &str) -> (&str, &str) {
    let path = path.trim_start_matches(['.', '[']);
    let end = path.find(['.', '[', ']']).unwrap_or(path.len());
    (&path[..end], path[end..].trim_start_matches(']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "a = 1\n[output.store]\ntype = \"x\"\nlist = [1, 2]\n[[filter]]\nb = 1\n[[filter]]\nc = { d = 2 }\n";

    #[test]
    fn paths_lead_to_their_places_or_to_the_nearest_above() {
        let table = DeTable::parse(TEXT).unwrap().into_inner();
        for (path, expected) in [
            ("a", "1"),
            ("output.store", "[output.store]"),
            ("output.store.type", "\"x\""),
            ("output.store.list[1]", "2"),
            ("output.store.list[9]", "list"),
            ("output.store.url", "[output.store]"),
            ("filter[1].c.d", "2"),
            ("filter[1].absent", "[[filter]]"),
            ("nothing.here", ""),
        ] {
            assert_eq!(&TEXT[locate(&table, path)], expected, "{path}");
        }
        assert!(get(&table, "output.store.url").is_none());
        assert!(get(&table, "filter[1].c").is_some());
    }

    #[test]
    fn what_lies_at_a_place_is_taken_out() {
        let check = |path: &str, expected: Removed| {
            let mut table = DeTable::parse(TEXT).unwrap().into_inner();
            let span = locate(&table, path);
            assert_eq!(remove(&mut table, &span), expected, "{path}");
            assert!(get(&table, path).is_none() || expected == Removed::Element, "{path}");
        };
        check("a", Removed::Key);
        check("output.store.type", Removed::Key);
        check("filter[1].c.d", Removed::Key);
        check("output.store.list[0]", Removed::Element);
        check("nothing", Removed::Nothing);
    }
}
