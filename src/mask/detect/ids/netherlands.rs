//! The Netherlands.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{number, value, weighted};

/// A citizen's number.
pub(super) const BSN: Detector = Detector {
    name: "nl_bsn",
    tag: "[nl_bsn]",
    group: Group::Ids,
    default: false,
    proof: "check digit (the test of 11), and a word before it",
    source: "Logisch Ontwerp BSN, Ministerie van Binnenlandse Zaken",
    finder: Finder::Form {
        forms: &["#########", "####.##.###", "#### ## ###", "### ### ###", "###.###.###", "########"],
        check: is_bsn,
        near: &["bsn", "burgerservicenummer", "sofinummer", "sofi", "burgerservice nummer", "burgerservice"],
    },
    masked: &[("BSN 111222333", "BSN [nl_bsn]"), ("burgerservicenummer: 1112.22.333", "burgerservicenummer: [nl_bsn]")],
    spared: &["bsn 111222334", "order 111222333", "bsn 000000000"],
};

/// One of eight digits has lost its leading zero.
fn is_bsn(digits: &[u8]) -> bool {
    let (last, rest) = (value(digits[digits.len() - 1]), &digits[..digits.len() - 1]);
    let weights = &[9, 8, 7, 6, 5, 4, 3, 2][8 - rest.len()..];
    weighted(rest, weights) % 11 == last && number(digits) > 9_999_999
}
