//! India.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::passes_verhoeff;

/// A resident's number.
pub(super) const AADHAAR: Detector = Detector {
    name: "in_aadhaar",
    tag: "[in_aadhaar]",
    group: Group::Ids,
    default: false,
    proof: "check digit (Verhoeff), and a word before it",
    source: "Unique Identification Authority of India, a UID numbering scheme, 2010",
    finder: Finder::Form {
        forms: &["############", "#### #### ####", "####-####-####"],
        check: is_aadhaar,
        near: &["aadhaar", "aadhar", "adhaar", "adhar", "uidai", "uid", "आधार"],
    },
    masked: &[
        ("Aadhaar: 2341 2341 2346", "Aadhaar: [in_aadhaar]"),
        ("aadhaar_no=999941057058", "aadhaar_no=[in_aadhaar]"),
        ("आधार 2341-2341-2346", "आधार [in_aadhaar]"),
    ],
    spared: &["aadhaar 2341 2341 2347", "order 234123412346", "aadhaar 1341 2341 2346"],
};

fn is_aadhaar(digits: &[u8]) -> bool {
    digits[0] >= b'2' && passes_verhoeff(digits)
}

/// A taxpayer's number. There is no published check.
pub(super) const PAN: Detector = Detector {
    name: "in_pan",
    tag: "[in_pan]",
    group: Group::Ids,
    default: false,
    proof: "kind of taxpayer, and a word before it",
    source: "Income Tax Department, rule 114",
    finder: Finder::Form {
        forms: &["AAAAA####A"],
        check: is_pan,
        near: &["pan", "pan no", "permanent account", "income tax", "pancard"],
    },
    masked: &[("PAN ABCPE1234F", "PAN [in_pan]"), ("panNumber=abcpe1234f", "panNumber=[in_pan]")],
    spared: &["part ABCPE1234F", "PAN ABCDE1234F", "PAN ABCPE0000F", "span ABCPE1234F"],
};

fn is_pan(text: &[u8]) -> bool {
    b"ABCFGHJLPT".contains(&text[3]) && &text[5..9] != b"0000"
}
