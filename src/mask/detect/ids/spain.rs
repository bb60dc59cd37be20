//! Spain.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::number;

/// Of citizens (NIF, also called DNI) and of foreigners (NIE).
pub(super) const NIF: Detector = Detector {
    name: "es_nif",
    tag: "[es_nif]",
    group: Group::Ids,
    default: false,
    proof: "check letter, and dots or a word before it",
    source: "royal decree 1553/2005; order INT/2058/2008",
    finder: Finder::Form {
        forms: &[
            "!##.###.###-A",
            "!A-#######-A",
            "##.###.###A",
            "########-A",
            "########A",
            "######## A",
            "A#######A",
            "A-#######-A",
            "A-#######A",
            "A#######-A",
            "A #######A",
        ],
        check: is_nif,
        near: &[
            "nif",
            "dni",
            "nie",
            "n.i.f",
            "d.n.i",
            "n.i.e",
            "documento",
            "identidad",
            "identificación",
            "extranjero",
        ],
    },
    masked: &[
        ("DNI 12345678Z", "DNI [es_nif]"),
        ("titular 12.345.678-Z", "titular [es_nif]"),
        ("nie=x1234567l", "nie=[es_nif]"),
        ("NIE: Y-1234567-X", "NIE: [es_nif]"),
    ],
    spared: &["DNI 12345678A", "part 12345678Z", "NIE X1234567A", "nie A1234567L", "part X1234567L"],
};

fn is_nif(text: &[u8]) -> bool {
    let Some((letter, rest)) = text.split_last() else { return false };
    let value = match rest[0] {
        b'X' => number(&rest[1..]),
        b'Y' => 10_000_000 + number(&rest[1..]),
        b'Z' => 20_000_000 + number(&rest[1..]),
        b'0'..=b'9' => number(rest),
        _ => return false,
    };
    b"TRWAGMYFPDXBNJZSQVHLCKE"[(value % 23) as usize] == *letter
}
