//! Singapore.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::weighted;

/// Of citizens and residents (NRIC: S, T) and of foreigners (FIN: F, G, M).
pub(super) const NRIC: Detector = Detector {
    name: "sg_nric",
    tag: "[sg_nric]",
    group: Group::Ids,
    default: false,
    proof: "first letter, check letter, and a word before it",
    source: "Immigration & Checkpoints Authority, National Registration Act 1965",
    finder: Finder::Form {
        forms: &["A#######A"],
        check: is_nric,
        near: &["nric", "fin", "uin", "identity card", "nric/fin"],
    },
    masked: &[
        ("NRIC S1234567D", "NRIC [sg_nric]"),
        ("nric=t0123456g", "nric=[sg_nric]"),
        ("FIN: F1234567N, FIN: G1234567X, FIN: M1234567K", "FIN: [sg_nric], FIN: [sg_nric], FIN: [sg_nric]"),
    ],
    spared: &["NRIC S1234567A", "part S1234567D", "NRIC A1234567D"],
};

fn is_nric(text: &[u8]) -> bool {
    let sum = weighted(&text[1..8], &[2, 7, 6, 5, 4, 3, 2]);
    let letter = |offset: u32, letters: &[u8; 11]| letters[((sum + offset) % 11) as usize];
    let check = match text[0] {
        b'S' => letter(0, b"JZIHGFEDCBA"),
        b'T' => letter(4, b"JZIHGFEDCBA"),
        b'F' => letter(0, b"XWUTRQPNMLK"),
        b'G' => letter(4, b"XWUTRQPNMLK"),
        b'M' => letter(3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    check == text[8]
}
