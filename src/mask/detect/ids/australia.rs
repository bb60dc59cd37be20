//! Australia.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{is_one_digit, value, weighted};

/// A taxpayer's number.
pub(super) const TFN: Detector = Detector {
    name: "au_tfn",
    tag: "[au_tfn]",
    group: Group::Ids,
    default: false,
    proof: "check digit (modulus 11), and a word before it",
    source: "Australian Taxation Office, electronic reporting specifications, TFN algorithm",
    finder: Finder::Form {
        forms: &["#########", "### ### ###", "###-###-###"],
        check: is_tfn,
        near: &["tfn", "tax file", "taxfile"],
    },
    masked: &[("TFN 123 456 782", "TFN [au_tfn]"), ("tax file number: 123456782", "tax file number: [au_tfn]")],
    spared: &["TFN 123 456 783", "order 123456782", "tfn 000000000"],
};

fn is_tfn(digits: &[u8]) -> bool {
    weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !is_one_digit(digits)
}

/// A health insurance card; the eleventh digit tells the person on it.
pub(super) const MEDICARE: Detector = Detector {
    name: "au_medicare",
    tag: "[au_medicare]",
    group: Group::Ids,
    default: false,
    proof: "check digit, and a word before it",
    source: "Services Australia, Medicare card number check digit",
    finder: Finder::Form {
        forms: &["##########", "#### ##### #", "####-#####-#", "###########", "#### ##### # #", "#### ##### #-#"],
        check: is_medicare,
        near: &["medicare", "irn"],
    },
    masked: &[
        ("Medicare 2123 45670 1", "Medicare [au_medicare]"),
        ("medicare_number=2950390131", "medicare_number=[au_medicare]"),
    ],
    spared: &["Medicare 2123 45671 1", "order 2123456701", "medicare 7123456701"],
};

fn is_medicare(digits: &[u8]) -> bool {
    let check = weighted(&digits[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
    matches!(digits[0], b'2'..=b'6') && check == value(digits[8]) && digits[9] != b'0'
}
