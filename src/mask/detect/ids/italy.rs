//! Italy.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::value;

/// A person's tax code. Where two people would have the same, letters stand for digits.
pub(super) const CODICE_FISCALE: Detector = Detector {
    name: "it_codice_fiscale",
    tag: "[it_codice_fiscale]",
    group: Group::Ids,
    default: false,
    proof: "letters and digits in their places, date of birth, check letter",
    source: "decree 13813 of the Ministry of Finance, 1976",
    finder: Finder::Form {
        forms: &["!AAAAAA##A**A***A", "!AAAAAA#AA**A***A", "!AAAAAAA#A**A***A", "AAAAAA##A**A***A"],
        check: is_codice_fiscale,
        near: &["codice fiscale", "codice_fiscale", "codicefiscale", "cod fisc", "cod. fisc", "fiscale", "cf", "c.f"],
    },
    masked: &[
        ("cliente RSSMRA85T10A562S, ok", "cliente [it_codice_fiscale], ok"),
        ("cf=rssmra85t10a562s", "cf=[it_codice_fiscale]"),
        ("omocodia RSSMRA85T10A56NH", "omocodia [it_codice_fiscale]"),
    ],
    spared: &["RSSMRA85T10A562T", "RSSMRA85X10A562S", "RSSMRA85T99A562S", "rssmra85t10a562s", "XXRSSMRA85T10A562S"],
};

/// What a character in an odd place counts: `0` to `9`, then `A` to `Z`.
const ODD: [u32; 36] = [
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10,
    22, 25, 24, 23,
];

fn is_codice_fiscale(text: &[u8]) -> bool {
    let mut digits = [0; 7];
    for (digit, at) in digits.iter_mut().zip([6, 7, 9, 10, 12, 13, 14]) {
        match digit_of(text[at]) {
            Some(found) => *digit = found,
            None => return false,
        }
    }
    // Women's days of birth are 40 later.
    let day = digits[2] * 10 + digits[3];
    b"ABCDEHLMPRST".contains(&text[8]) && matches!(day, 1..=31 | 41..=71) && is_checked(text)
}

/// What stands for a digit counts as the letter that it is.
fn is_checked(text: &[u8]) -> bool {
    let counted = |(index, &one): (usize, &u8)| match value(one) {
        value if index % 2 == 0 => ODD[value as usize],
        value if one.is_ascii_digit() => value,
        value => value - 10,
    };
    let sum: u32 = text[..15].iter().enumerate().map(counted).sum();
    sum % 26 + 10 == value(text[15])
}

/// A digit, or the one that a letter stands for.
fn digit_of(one: u8) -> Option<usize> {
    b"0123456789"
        .iter()
        .position(|&digit| digit == one)
        .or_else(|| b"LMNPQRSTUV".iter().position(|&letter| letter == one))
}
