//! Bank account numbers, ISO 13616, bare or in groups of four.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::passes_mod_97;
use crate::mask::detect::form::{Asked, Number};
use crate::mask::detect::pattern::{begins_apart, ends_apart};

/// All countries of the registry.
pub(super) const ROW: Detector = Detector {
    name: "iban",
    tag: "[iban]",
    group: Group::Money,
    default: true,
    proof: "country, its length, digits and letters in their places, check digits (MOD 97-10)",
    source: "ISO 13616-1 and SWIFT's IBAN Registry",
    finder: Finder::Number { judge, asked: &[Asked::Code, Asked::Word(15)], near: &[] },
    masked: &[
        ("to DE89370400440532013000.", "to [iban]."),
        ("IBAN: GB82 WEST 1234 5698 7654 32 ok", "IBAN: [iban] ok"),
        ("fr1420041010050500013m02606&x", "[iban]&x"),
        ("MT84MALT011000012345MTLCAST001S, KZ86-125K-ZT50-0410-0100", "[iban], [iban]"),
        ("счёт RU02 0445 2560 0407 0281 0412 3456 7890 1 12", "счёт [iban] 12"),
    ],
    spared: &[
        "DE89370400440532013001",
        "DE8937040044053201300",
        "DE89 3704 0044 0532 0130 000",
        "XX89370400440532013000",
        "XXDE89370400440532013000",
        "GB82 WEST 1234 5698 7654 3",
        "De89370400440532013000",
    ],
};

/// The most characters: two letters, two digits, and 30 that a country gives out.
const LONGEST: usize = 34;

/// What follows country and check digits: so many digits (`n`), letters (`a`) or either (`c`).
const COUNTRIES: &[(&[u8; 2], &str)] = &[
    (b"AD", "8n12c"),
    (b"AE", "19n"),
    (b"AL", "8n16c"),
    (b"AT", "16n"),
    (b"AZ", "4a20c"),
    (b"BA", "16n"),
    (b"BE", "12n"),
    (b"BG", "4a6n8c"),
    (b"BH", "4a14c"),
    (b"BI", "23n"),
    (b"BR", "23n1a1c"),
    (b"BY", "4c4n16c"),
    (b"CH", "5n12c"),
    (b"CR", "18n"),
    (b"CY", "8n16c"),
    (b"CZ", "20n"),
    (b"DE", "18n"),
    (b"DJ", "23n"),
    (b"DK", "14n"),
    (b"DO", "4c20n"),
    (b"EE", "16n"),
    (b"EG", "25n"),
    (b"ES", "20n"),
    (b"FI", "14n"),
    (b"FK", "2a12n"),
    (b"FO", "14n"),
    (b"FR", "10n11c2n"),
    (b"GB", "4a14n"),
    (b"GE", "2a16n"),
    (b"GI", "4a15c"),
    (b"GL", "14n"),
    (b"GR", "7n16c"),
    (b"GT", "24c"),
    (b"HN", "4a20n"),
    (b"HR", "17n"),
    (b"HU", "24n"),
    (b"IE", "4a14n"),
    (b"IL", "19n"),
    (b"IQ", "4a15n"),
    (b"IS", "22n"),
    (b"IT", "1a10n12c"),
    (b"JO", "4a4n18c"),
    (b"KW", "4a22c"),
    (b"KZ", "3n13c"),
    (b"LB", "4n20c"),
    (b"LC", "4a24c"),
    (b"LI", "5n12c"),
    (b"LT", "16n"),
    (b"LU", "3n13c"),
    (b"LV", "4a13c"),
    (b"LY", "21n"),
    (b"MC", "10n11c2n"),
    (b"MD", "20c"),
    (b"ME", "18n"),
    (b"MK", "3n10c2n"),
    (b"MN", "16n"),
    (b"MR", "23n"),
    (b"MT", "4a5n18c"),
    (b"MU", "4a19n3a"),
    (b"NI", "4a20n"),
    (b"NL", "4a10n"),
    (b"NO", "11n"),
    (b"OM", "3n16c"),
    (b"PK", "4a16c"),
    (b"PL", "24n"),
    (b"PS", "4a21c"),
    (b"PT", "21n"),
    (b"QA", "4a21c"),
    (b"RO", "4a16c"),
    (b"RS", "18n"),
    (b"RU", "14n15c"),
    (b"SA", "2n18c"),
    (b"SC", "4a20n3a"),
    (b"SD", "14n"),
    (b"SE", "20n"),
    (b"SI", "15n"),
    (b"SK", "20n"),
    (b"SM", "1a10n12c"),
    (b"SO", "19n"),
    (b"ST", "21n"),
    (b"SV", "4a20n"),
    (b"TL", "19n"),
    (b"TN", "20n"),
    (b"TR", "6n16c"),
    (b"UA", "6n19c"),
    (b"VA", "18n"),
    (b"VG", "4a16n"),
    (b"XK", "16n"),
    (b"YE", "4a4n18c"),
];

/// The first digits are those behind the country.
fn judge(bytes: &[u8], start: usize, end: usize) -> Option<Number> {
    let begin = start.checked_sub(2)?;
    let country = [bytes[begin].to_ascii_uppercase(), bytes[begin + 1].to_ascii_uppercase()];
    if end - start < 2 || !country.iter().all(u8::is_ascii_uppercase) || !begins_apart(bytes, begin) {
        return None;
    }
    let row = COUNTRIES.binary_search_by_key(&&country, |(code, _)| *code).ok()?;
    let parts = COUNTRIES[row].1;
    let mut iban = [0; LONGEST];
    let iban = &mut iban[..4 + parts_of(parts).map(|(size, _)| size).sum::<usize>()];
    let end = read(bytes, begin, iban)?;
    let is_mixed = iban.iter().any(u8::is_ascii_lowercase) && iban.iter().any(u8::is_ascii_uppercase);
    iban.make_ascii_uppercase();
    let fits = !is_mixed && has_parts(&iban[4..], parts) && ends_apart(bytes, end);
    let turned = || iban[4..].iter().chain(&iban[..4]).copied();
    (fits && passes_mod_97(turned())).then_some(Number { begin, end, is_sure: true })
}

/// Fills `iban` with what begins at `begin`, and returns where that ends. What stands behind the first four stands
/// behind all fours.
fn read(bytes: &[u8], begin: usize, iban: &mut [u8]) -> Option<usize> {
    let separator = bytes.get(begin + 4).filter(|mark| matches!(mark, b' ' | b'-'));
    let mut at = begin;
    for (index, one) in iban.iter_mut().enumerate() {
        if let Some(separator) = separator
            && index > 0
            && index.is_multiple_of(4)
        {
            bytes.get(at).filter(|byte| *byte == separator)?;
            at += 1;
        }
        *one = *bytes.get(at).filter(|byte| byte.is_ascii_alphanumeric())?;
        at += 1;
    }
    Some(at)
}

fn has_parts(text: &[u8], parts: &str) -> bool {
    let mut rest = text;
    parts_of(parts).all(|(size, class)| {
        let (part, after) = rest.split_at(size);
        rest = after;
        part.iter().all(|byte| match class {
            b'n' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_uppercase(),
            _ => true,
        })
    })
}

/// Size and class of each part.
fn parts_of(parts: &str) -> impl Iterator<Item = (usize, u8)> {
    parts.split_inclusive(|one: char| one.is_ascii_lowercase()).filter_map(|part| {
        let (size, class) = part.split_at(part.len() - 1);
        Some((size.parse().ok()?, class.as_bytes()[0]))
    })
}
