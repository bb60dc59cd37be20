//! South Korea.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{is_date, two, value, weighted};

/// A resident's number.
pub(super) const RRN: Detector = Detector {
    name: "kr_rrn",
    tag: "[kr_rrn]",
    group: Group::Ids,
    default: false,
    proof: "date of birth, century and sex, check digit, and the dash or a word before it",
    source: "enforcement rules of the Resident Registration Act, 2020",
    finder: Finder::Form {
        forms: &["!######-#######", "#############", "###### #######"],
        check: is_rrn,
        near: &["rrn", "주민등록번호", "주민번호", "주민등록", "resident registration", "jumin"],
    },
    masked: &[
        ("고객 900101-1234568", "고객 [kr_rrn]"),
        ("rrn=8506072123459", "rrn=[kr_rrn]"),
        ("주민등록번호 2110053123456", "주민등록번호 [kr_rrn]"),
    ],
    spared: &["900101-1234567", "order 8506072123459", "901301-1234568", "900101-9234568"],
};

/// Since October 2020 new numbers end with random digits.
fn is_rrn(digits: &[u8]) -> bool {
    let century = match digits[6] {
        b'1' | b'2' | b'5' | b'6' => 1900,
        b'3' | b'4' | b'7' | b'8' => 2000,
        _ => return false,
    };
    let (year, month) = (century + two(digits, 0), two(digits, 2));
    let check = (11 - weighted(&digits[..12], &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    let is_random = (year, month) >= (2020, 10) && year < 2040;
    is_date(year, month, two(digits, 4)) && (is_random || check == value(digits[12]))
}
