//! Finland.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{is_date, number, two, value};

/// A person's identity code.
pub(super) const HETU: Detector = Detector {
    name: "fi_hetu",
    tag: "[fi_hetu]",
    group: Group::Ids,
    default: false,
    proof: "date of birth, sign of the century, check character",
    source: "Digital and Population Data Services Agency, the personal identity code",
    finder: Finder::Form {
        forms: &["!######-###*", "!######+###*", "!######A###*", "######-###*", "######A###*"],
        check: is_hetu,
        near: &["hetu", "henkilötunnus", "henkilötunnuksen", "identity code", "sotu"],
    },
    masked: &[
        ("asiakas 131052-308T.", "asiakas [fi_hetu]."),
        ("hetu=131052-308t", "hetu=[fi_hetu]"),
        ("010594Y9021, 020305A123Y", "[fi_hetu], [fi_hetu]"),
    ],
    spared: &["131052-308U", "131352-308T", "131052-001A", "131052-308t", "131052G308T"],
};

/// Of the letters only the dash and `+` are left out.
fn is_hetu(text: &[u8]) -> bool {
    const CHECKS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let (date, rest) = text.split_at(6);
    let (century, rest) = match rest[0] {
        b'A'..=b'F' => (2000, &rest[1..]),
        b'U'..=b'Y' => (1900, &rest[1..]),
        b'0'..=b'9' => (1900, rest),
        _ => return false,
    };
    if rest.len() != 4 || !rest[..3].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let serial = number(&rest[..3]);
    let check = CHECKS[((number(date) * 1000 + serial) % 31) as usize];
    is_date(century + two(date, 4), two(date, 2), two(date, 0)) && serial > 1 && value(check) == value(rest[3])
}
