//! China.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{is_date, number, passes_mod_11_2, two};

/// A resident's number of 18 digits.
pub(super) const RESIDENT_ID: Detector = Detector {
    name: "cn_resident_id",
    tag: "[cn_resident_id]",
    group: Group::Ids,
    default: false,
    proof: "province, date of birth, check digit (MOD 11-2)",
    source: "GB 11643-1999",
    finder: Finder::Form {
        forms: &["!##################", "!#################A", "#################A", "!###### ######## ###*"],
        check: is_resident_id,
        near: &["身份证", "身份證", "resident id", "id card", "idcard", "sfz", "identity"],
    },
    masked: &[
        ("用户 11010519491231002X", "用户 [cn_resident_id]"),
        ("id=440524188001010014", "id=[cn_resident_id]"),
        ("身份证 11010119900307002x", "身份证 [cn_resident_id]"),
        ("110101 19900307 0011", "[cn_resident_id]"),
    ],
    spared: &["110105194912310021", "990105194912310029", "11010519491331002X", "11010519491231002Y"],
};

fn is_resident_id(text: &[u8]) -> bool {
    let (year, last) = (number(&text[6..10]), text[17]);
    let is_born = (1850..2100).contains(&year) && is_date(year as u32, two(text, 10), two(text, 12));
    let is_province = matches!(two(text, 0), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83);
    is_province && is_born && (last.is_ascii_digit() || last == b'X') && passes_mod_11_2(text)
}
