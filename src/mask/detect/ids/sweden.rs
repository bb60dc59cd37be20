//! Sweden.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{is_date, number, passes_luhn, two};

/// A person's number, also those that only coordinate: their day is 60 later.
pub(super) const PERSONNUMMER: Detector = Detector {
    name: "se_personnummer",
    tag: "[se_personnummer]",
    group: Group::Ids,
    default: false,
    proof: "date of birth, check digit (Luhn), and a word before it",
    source: "Skatteverket, SKV 704",
    finder: Finder::Form {
        forms: &["######-####", "######+####", "########-####", "##########", "############"],
        check: is_personnummer,
        near: &[
            "personnummer",
            "personnr",
            "person nr",
            "pers.nr",
            "person nummer",
            "pnr",
            "samordningsnummer",
            "personal number",
            "personal identity",
            "födelsenummer",
            "swedish id",
            "ssn",
        ],
    },
    masked: &[
        ("personnummer 811218-9876", "personnummer [se_personnummer]"),
        ("pnr=198112189876", "pnr=[se_personnummer]"),
        ("Samordningsnummer: 19701063-2391", "Samordningsnummer: [se_personnummer]"),
    ],
    spared: &["personnummer 811218-9875", "batch 811218-9876", "pnr 8113189876", "pnr 998112189876"],
};

fn is_personnummer(digits: &[u8]) -> bool {
    let (century, digits) = digits.split_at(digits.len() - 10);
    let century = if century.is_empty() { 20 } else { number(century) };
    let day = two(digits, 4);
    let day = if day > 60 { day - 60 } else { day };
    // Without a century 1900 and 2000 are both meant; 2000 had a leap day.
    let year = if century == 19 { 1900 } else { 2000 } + two(digits, 0);
    matches!(century, 18..=20) && is_date(year, two(digits, 2), day) && passes_luhn(digits)
}
