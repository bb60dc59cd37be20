//! Poland.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{is_date, two, weighted};

/// A person's number.
pub(super) const PESEL: Detector = Detector {
    name: "pl_pesel",
    tag: "[pl_pesel]",
    group: Group::Ids,
    default: false,
    proof: "date of birth, check digit, and a word before it",
    source: "act on the register of the population, 2010, art. 15",
    finder: Finder::Form {
        forms: &["###########", "###### #####"],
        check: is_pesel,
        near: &["pesel", "peselu", "ewidencyjny"],
    },
    masked: &[("PESEL: 44051401359", "PESEL: [pl_pesel]"), ("user_pesel=02271803456", "user_pesel=[pl_pesel]")],
    spared: &["PESEL 44051401358", "order 44051401359", "pesel 44133301359"],
};

/// The month tells the century: 1900 as it is, 2000 with 20 more.
fn is_pesel(digits: &[u8]) -> bool {
    let month = two(digits, 2);
    let (century, month) = if month > 20 { (2000, month - 20) } else { (1900, month) };
    let sum = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    is_date(century + two(digits, 0), month, two(digits, 4)) && sum.is_multiple_of(10)
}
