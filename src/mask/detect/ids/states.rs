//! The United States.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{number, two};

/// There is no check digit.
pub(super) const SSN: Detector = Detector {
    name: "us_ssn",
    tag: "[us_ssn]",
    group: Group::Ids,
    default: false,
    proof: "area, group and serial that are given out, with dashes; otherwise a word before it",
    source: "Social Security Administration, RM 10201.030",
    finder: Finder::Form {
        forms: &["!###-##-####", "### ## ####", "###.##.####", "#########"],
        check: is_ssn,
        near: &["ssn", "social security", "soc sec", "social"],
    },
    masked: &[
        ("applicant 536-22-8341, ok", "applicant [us_ssn], ok"),
        ("ssn=536228341", "ssn=[us_ssn]"),
        ("Social Security Number: 536 22 8341", "Social Security Number: [us_ssn]"),
    ],
    spared: &[
        "000-22-8341",
        "666-22-8341",
        "536-00-8341",
        "536-22-0000",
        "order 536228341",
        "536 22 8341",
        "0-536-22-8341",
        "session 536228341",
    ],
};

fn is_ssn(digits: &[u8]) -> bool {
    let area = number(&digits[..3]);
    (1..900).contains(&area) && area != 666 && two(digits, 3) > 0 && number(&digits[5..]) > 0
}

/// A taxpayer's number of those who have no other. There is no check digit.
pub(super) const ITIN: Detector = Detector {
    name: "us_itin",
    tag: "[us_itin]",
    group: Group::Ids,
    default: false,
    proof: "9, and a group that is given out, with dashes; otherwise a word before it",
    source: "Internal Revenue Service, IRM 3.21.263",
    finder: Finder::Form {
        forms: &["!###-##-####", "### ## ####", "#########"],
        check: is_itin,
        near: &["itin", "taxpayer", "tin", "tax id"],
    },
    masked: &[("filed by 912-70-1234", "filed by [us_itin]"), ("ITIN 912701234", "ITIN [us_itin]")],
    spared: &["912-49-1234", "order 912701234", "itin 912931234", "ITIN 812701234"],
};

fn is_itin(digits: &[u8]) -> bool {
    digits[0] == b'9' && matches!(two(digits, 3), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}
