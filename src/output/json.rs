//! Writing and taking apart JSON without a tree: strings, integers, the top level of an object. Knows no field names.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One bit, the highest, in each of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;
/// The lowest bit of each of eight bytes: times a byte, that byte eight times.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Appends `text` as the inside of a JSON string (RFC 8259 section 7), without the quotes around it.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    escape_bytes(text.as_bytes(), out);
}

/// The same for UTF-8 of which nobody made a `str`.
pub(super) fn escape_bytes(mut text: &[u8], out: &mut Vec<u8>) {
    while text.len() >= 8 {
        let taken = escape_quoted(&text[..text.len().min(BLOCK)], out);
        text = &text[taken..];
        if let [byte @ 0..0x20, rest @ ..] = text {
            push_escaped(*byte, out);
            text = rest;
        }
    }
    for &byte in text {
        if is_special(byte) { push_escaped(byte, out) } else { out.push(byte) }
    }
}

/// So many bytes are escaped into room that is made at once: what is made and not used must not grow with the text.
const BLOCK: usize = 512;

/// Quotes, backslashes and what is between them, eight bytes at a step. Stops before the first control character and before
/// the last seven bytes; how much of `text` it took.
fn escape_quoted(text: &[u8], out: &mut Vec<u8>) -> usize {
    let start = out.len();
    // Enough if all were quotes, and eight bytes can be written wherever one can.
    out.resize(start + text.len() * 2 + 8, 0);
    let room = &mut out[start..];
    let (mut taken, mut written) = (0, 0);
    while let Some(eight) = text[taken..].first_chunk::<8>()
        && let Some(place) = room[written..].first_chunk_mut::<8>()
    {
        // All eight are written, and what comes next over those that were too many.
        *place = *eight;
        let plain = plain_bytes(u64::from_le_bytes(*eight));
        (taken, written) = (taken + plain, written + plain);
        if plain == 8 {
            continue;
        }
        let byte @ (b'"' | b'\\') = text[taken] else { break };
        room[written..written + 2].copy_from_slice(&[b'\\', byte]);
        (taken, written) = (taken + 1, written + 2);
    }
    out.truncate(start + written);
    taken
}

/// Appends `text` as a JSON string.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends an object of strings.
pub(super) fn strings<'t>(members: impl Iterator<Item = (&'t str, &'t str)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(name, out);
        out.push(b':');
        string(value, out);
    }
    out.push(b'}');
}

/// How many of eight bytes, from the lowest, stand for themselves inside a JSON string. A byte equal to `x` is zero after
/// xor with `x`, and the subtraction then borrows into its high bit. A borrow can raise a false alarm only in a byte after
/// a true one, and the first alarm is the one that is taken.
const fn plain_bytes(word: u64) -> usize {
    let quote = word ^ (EACH * b'"' as u64);
    let backslash = word ^ (EACH * b'\\' as u64);
    let alarm = quote.wrapping_sub(EACH) & !quote
        | backslash.wrapping_sub(EACH) & !backslash
        | word.wrapping_sub(EACH * 0x20) & !word;
    // Without any alarm there are 64 zeros.
    (alarm & HIGH).trailing_zeros() as usize / 8
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        b'"' | b'\\' => byte,
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend([b'\\', letter]);
}

/// The first `limit` bytes of `text`, less what would be half a character.
pub(super) fn head(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// Appends a decimal integer.
pub(super) fn integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends the low `digits` decimal digits of `value`, with leading zeros.
pub(super) fn padded(value: u64, digits: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + digits, b'0');
    put_digits(value, &mut out[start..]);
}

/// Fills `place` with the low decimal digits of `value`, with leading zeros.
pub(super) fn put_digits(mut value: u64, place: &mut [u8]) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// The top level of a JSON object: names unescaped, values as they stand, all of them, in their order.
#[derive(Debug)]
pub(super) struct Object<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// `None` when `text` is not one JSON object.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// The last value of that name: the one that stores take of duplicates, and where the agent writes its own.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(one, _)| one == name).map(|(_, value)| *value)
    }
}

/// The text of a JSON string. `None` for other values.
pub(super) fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0)
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_escape_is_read_back_wherever_it_stands() {
        for byte in 0..=0x7F_u8 {
            for before in 0..18 {
                let text = format!("{}{}tail", "x".repeat(before), char::from(byte));
                let mut out = Vec::new();
                string(&text, &mut out);
                assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in any::<String>(), special in "[\"\\\\a-z\u{e9}]{0,60}", rare in "[\"\\\\a-z\n\u{1}]{0,1200}") {
            for text in [text, special, rare] {
                let mut out = b"before".to_vec();
                string(&text, &mut out);
                prop_assert_eq!(serde_json::from_slice::<String>(&out[6..]).unwrap(), text);
            }
        }

        #[test]
        fn integers_are_written_as_the_standard_library_does(value in any::<i64>(), small in -1000_i64..1000) {
            for value in [value, small, i64::MIN, i64::MAX] {
                let mut out = Vec::new();
                integer(value, &mut out);
                prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
            }
        }
    }

    #[test]
    fn padded_keeps_leading_zeros_and_only_the_low_digits() {
        for (value, digits, expected) in
            [(7, 2, "07"), (0, 3, "000"), (123_456, 3, "456"), (999_999_999, 9, "999999999")]
        {
            let mut out = Vec::new();
            padded(value, digits, &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn the_top_level_comes_apart_with_its_bytes_and_its_duplicates() {
        let object = Object::parse(br#" {"a":1e999, "\u0061":[1, {"b":2}],"c":"d"} "#).unwrap();
        let members: Vec<_> = object.0.iter().map(|(name, value)| (name.as_ref(), value.get())).collect();
        assert_eq!(members, [("a", "1e999"), ("a", "[1, {\"b\":2}]"), ("c", "\"d\"")]);
        assert_eq!(object.get("a").unwrap().get(), "[1, {\"b\":2}]");
        for text in ["", "1", "[]", "{\"a\":1", "{\"a\":1} x"] {
            assert!(Object::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
