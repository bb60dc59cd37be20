//! France.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{number, two};

/// A person's number in the register, with its key.
pub(super) const NIR: Detector = Detector {
    name: "fr_nir",
    tag: "[fr_nir]",
    group: Group::Ids,
    default: false,
    proof: "sex, month, department, key of two digits",
    source: "INSEE, Répertoire national d'identification des personnes physiques",
    finder: Finder::Form {
        forms: &[
            "!###############",
            "!############# ##",
            "!# ## ## ## ### ### ##",
            "!######A########",
            "!######A###### ##",
            "!# ## ## #A ### ### ##",
        ],
        check: is_nir,
        near: &[],
    },
    masked: &[
        ("assuré 1 85 05 78 006 084 91.", "assuré [fr_nir]."),
        ("nir=185057800608491", "nir=[fr_nir]"),
        ("Corse 2 85 05 2A 006 084 82, 185052B00608462", "Corse [fr_nir], [fr_nir]"),
    ],
    spared: &["185057800608492", "185137800608491", "385057800608491", "285 052A006084 82"],
};

/// Month 20 is an unknown one. 2A and 2B, Corsica, count as 19 and 18.
fn is_nir(text: &[u8]) -> bool {
    let mut digits = [0; 15];
    digits.copy_from_slice(text);
    match &text[5..7] {
        b"2A" => digits[5..7].copy_from_slice(b"19"),
        b"2B" => digits[5..7].copy_from_slice(b"18"),
        department if department[1].is_ascii_alphabetic() || department == b"00" => return false,
        _ => {}
    }
    let is_born = matches!(digits[0], b'1' | b'2') && matches!(two(&digits, 3), 1..=12 | 20);
    let key = 97 - number(&digits[..13]) % 97;
    is_born && number(&digits[10..13]) > 0 && key == number(&digits[13..])
}
