//! Russia.

use super::{Detector, Finder, Group};

/// Of a firm 10 digits, of a person 12. One of 10 and one of 100 random numbers pass.
pub(super) const INN: Detector = Detector {
    name: "ru_inn",
    tag: "[ru_inn]",
    group: Group::Ids,
    default: false,
    proof: "one or two check digits, and a word before it",
    source: "order ED-7-14/559@ of the Federal Tax Service, 2020",
    finder: Finder::Form {
        forms: &["##########", "############"],
        check: is_inn,
        near: &["inn", "инн", "taxpayer", "налогоплательщик", "налогоплательщика"],
    },
    masked: &[("ИНН 7707083893, счёт 5", "ИНН [ru_inn], счёт 5"), ("user_inn=500100732259", "user_inn=[ru_inn]")],
    spared: &["INN 7707083894", "order 7707083893", "winning 7707083893"],
};

fn is_inn(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    // The weights end with the digit before the check digit.
    let is_checked = |at: usize| {
        let sum: u32 = digits[..at]
            .iter()
            .zip(&WEIGHTS[WEIGHTS.len() - at..])
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        sum % 11 % 10 == u32::from(digits[at] - b'0')
    };
    if digits.len() == 10 { is_checked(9) } else { is_checked(10) && is_checked(11) }
}
