//! Kazakhstan.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{is_date, two, value, weighted};

/// A person's number.
pub(super) const IIN: Detector = Detector {
    name: "kz_iin",
    tag: "[kz_iin]",
    group: Group::Ids,
    default: false,
    proof: "date of birth, century, check digit, and a word before it",
    source: "resolution 853 of the Government, 2003",
    finder: Finder::Form {
        forms: &["############", "###### ######", "######-######"],
        check: is_iin,
        near: &["иин", "iin", "жсн", "jsn", "zhsn"],
    },
    masked: &[
        ("ИИН 900101350122", "ИИН [kz_iin]"),
        (r#"{"client_iin":"900101350122"}"#, r#"{"client_iin":"[kz_iin]"}"#),
        ("ЖСН: 900101 350777", "ЖСН: [kz_iin]"),
        ("iin=900101350401", "iin=[kz_iin]"),
    ],
    spared: &["iin 900101350123", "order 900101350122", "iin 901301350122", "iin 900101950122"],
};

fn is_iin(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    const AGAIN: [u32; 11] = [3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2];
    let century = match digits[6] {
        b'1' | b'2' => 1800,
        b'3' | b'4' => 1900,
        b'0' | b'5' | b'6' => 2000,
        _ => return false,
    };
    let check = match weighted(digits, &WEIGHTS) % 11 {
        10 => weighted(digits, &AGAIN) % 11,
        check => check,
    };
    is_date(century + two(digits, 0), two(digits, 2), two(digits, 4)) && check == value(digits[11])
}
