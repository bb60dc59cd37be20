//! The United Kingdom.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{is_one_digit, value, weighted};

/// A patient's number.
pub(super) const NHS: Detector = Detector {
    name: "uk_nhs",
    tag: "[uk_nhs]",
    group: Group::Ids,
    default: false,
    proof: "check digit (modulus 11), and a word before it",
    source: "NHS Data Dictionary, NHS NUMBER",
    finder: Finder::Form {
        forms: &["### ### ####", "###-###-####", "##########"],
        check: is_nhs,
        near: &["nhs", "nhsno", "patient"],
    },
    masked: &[
        ("NHS number 943 476 5919", "NHS number [uk_nhs]"),
        (r#"{"nhs_number":"9434765919"}"#, r#"{"nhs_number":"[uk_nhs]"}"#),
    ],
    spared: &["NHS 943 476 5918", "order 9434765919", "nhs 0000000000"],
};

fn is_nhs(digits: &[u8]) -> bool {
    let check = (11 - weighted(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    check == value(digits[9]) && !is_one_digit(digits)
}

/// There is no check digit.
pub(super) const NINO: Detector = Detector {
    name: "uk_nino",
    tag: "[uk_nino]",
    group: Group::Ids,
    default: false,
    proof: "letters that are given out, in the usual groups or with a word before it",
    source: "HM Revenue & Customs, NIM39110",
    finder: Finder::Form {
        forms: &["!AA ## ## ## A", "AA ## ## ## A", "AA-##-##-##-A", "AA######A", "AA ###### A"],
        check: is_nino,
        near: &["nino", "national insurance", "ni number", "ni no", "ni nr", "insurance number", "insurance"],
    },
    masked: &[
        ("employee AB 12 34 56 C", "employee [uk_nino]"),
        ("nino=ab123456c&y=2", "nino=[uk_nino]&y=2"),
        ("National Insurance: AB123456C", "National Insurance: [uk_nino]"),
    ],
    spared: &[
        "part AB123456C",
        "nino GB123456C",
        "nino DA123456C",
        "nino AO123456C",
        "nino AB123456E",
        "ab 12 34 56 c",
    ],
};

fn is_nino(text: &[u8]) -> bool {
    const NEVER: &[u8] = b"DFIQUV";
    const NOT_GIVEN: [&[u8]; 7] = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];
    let prefix = &text[..2];
    let is_given = !prefix.iter().any(|letter| NEVER.contains(letter)) && !NOT_GIVEN.contains(&prefix);
    is_given && prefix[1] != b'O' && matches!(text[8], b'A'..=b'D')
}
