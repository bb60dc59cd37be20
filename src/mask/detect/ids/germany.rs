//! Germany.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{passes_mod_11_10, value};

/// A person's number for taxes.
pub(super) const TAX_ID: Detector = Detector {
    name: "de_tax_id",
    tag: "[de_tax_id]",
    group: Group::Ids,
    default: false,
    proof: "one digit repeated, check digit (MOD 11,10), and a word before it",
    source: "Bundeszentralamt für Steuern, § 139b AO",
    finder: Finder::Form {
        forms: &["###########", "## ### ### ###"],
        check: is_tax_id,
        near: &[
            "steuer-id",
            "steuerid",
            "steuer id",
            "steueridnr",
            "steuer-idnr",
            "steuer-identifikationsnummer",
            "steueridentifikationsnummer",
            "identifikationsnummer",
            "steuernummer",
            "idnr",
            "tax id",
            "taxid",
            "tax-id",
            "tax_id",
            "tin",
        ],
    },
    masked: &[
        ("Steuer-ID: 86 095 742 719", "Steuer-ID: [de_tax_id]"),
        ("IdNr. 47036892816", "IdNr. [de_tax_id]"),
        ("tax_id=65929970489", "tax_id=[de_tax_id]"),
    ],
    spared: &["IdNr 86095742718", "order 86095742719", "IdNr 01234567890", "idnr 11111111111"],
};

/// Of the first ten digits one stands twice or three times, not three times in a row; the others once at most.
fn is_tax_id(digits: &[u8]) -> bool {
    let mut counts = [0; 10];
    digits[..10].iter().for_each(|&digit| counts[value(digit) as usize] += 1);
    let repeated = counts.iter().filter(|&&count| count > 1).count();
    let is_in_a_row = digits[..10].windows(3).any(|three| three[0] == three[1] && three[1] == three[2]);
    let is_repeated = repeated == 1 && counts.iter().all(|&count| count <= 3) && !is_in_a_row;
    digits[0] != b'0' && is_repeated && passes_mod_11_10(digits)
}
