//! Türkiye.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::value;

/// A citizen's number.
pub(super) const TCKN: Detector = Detector {
    name: "tr_tckn",
    tag: "[tr_tckn]",
    group: Group::Ids,
    default: false,
    proof: "two check digits, and a word before it",
    source: "Nüfus ve Vatandaşlık İşleri, T.C. kimlik numarası",
    finder: Finder::Form {
        forms: &["###########", "### ### ### ##", "### ## ### ###"],
        check: is_tckn,
        near: &["tckn", "tc kimlik", "t.c. kimlik", "kimlik", "tc no", "tcno", "tc", "tckimlik"],
    },
    masked: &[("TCKN 10000000146", "TCKN [tr_tckn]"), ("tc_kimlik_no=12345678950", "tc_kimlik_no=[tr_tckn]")],
    spared: &["TCKN 10000000147", "order 10000000146", "tckn 00000000000"],
};

fn is_tckn(digits: &[u8]) -> bool {
    let sum_from = |at: usize| digits[at..9].iter().step_by(2).map(|&digit| value(digit)).sum::<u32>();
    let sum: u32 = digits[..10].iter().map(|&digit| value(digit)).sum();
    // 90 more, so that nothing is below zero.
    let first = (sum_from(0) * 7 + 90 - sum_from(1)) % 10;
    digits[0] != b'0' && first == value(digits[9]) && sum % 10 == value(digits[10])
}
