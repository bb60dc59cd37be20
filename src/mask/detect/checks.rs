//! Check digits and dates that several rules share. Digits come as ASCII.

/// What a digit stands for; of an upper-case letter, `A` is 10, as in ISO/IEC 7064 and 13616.
pub(super) fn value(digit: u8) -> u32 {
    u32::from(if digit.is_ascii_digit() { digit - b'0' } else { digit.wrapping_sub(b'A').wrapping_add(10) })
}

/// Digits as a number: at most 19.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, &digit| number * 10 + u64::from(value(digit)))
}

/// The sum of digits, each multiplied by its weight.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&digit, weight)| value(digit) * weight).sum()
}

/// Whether all digits are the same.
pub(super) fn is_one_digit(digits: &[u8]) -> bool {
    digits.iter().all(|digit| *digit == digits[0])
}

/// ISO/IEC 7812-1, annex B.
pub(in crate::mask) fn passes_luhn(digits: &[u8]) -> bool {
    let doubled = |(index, &digit): (usize, &u8)| {
        let value = value(digit);
        if index % 2 == 0 { value } else { value * 2 % 10 + value / 5 }
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

/// ISO/IEC 7064, MOD 11,10.
pub(super) fn passes_mod_11_10(digits: &[u8]) -> bool {
    let Some((check, digits)) = digits.split_last() else { return false };
    let product = digits.iter().fold(10, |product, &digit| match (product + value(digit)) % 10 {
        0 => 20 % 11,
        sum => sum * 2 % 11,
    });
    (product + value(*check)) % 10 == 1
}

/// ISO/IEC 7064, MOD 11-2: the last may be an `X`.
pub(super) fn passes_mod_11_2(digits: &[u8]) -> bool {
    let Some((&check, digits)) = digits.split_last() else { return false };
    let power = digits.iter().fold(0, |power, &digit| (power + value(digit)) * 2 % 11);
    (power + if check == b'X' { 10 } else { value(check) }) % 11 == 1
}

/// ISO/IEC 7064, MOD 97-10, of letters and digits.
pub(super) fn passes_mod_97(characters: impl Iterator<Item = u8>) -> bool {
    let append = |rest: u32, character| match value(character) {
        one if one < 10 => (rest * 10 + one) % 97,
        two => (rest * 100 + two) % 97,
    };
    characters.fold(0_u32, append) == 1
}

/// J. Verhoeff, Error Detecting Decimal Codes, 1969: the dihedral group of ten elements.
pub(super) fn passes_verhoeff(digits: &[u8]) -> bool {
    const MOVED: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let multiply = |one: u8, other: u8| match (one < 5, other < 5) {
        (true, true) => (one + other) % 5,
        (true, false) => (one + other) % 5 + 5,
        (false, true) => (one + 5 - other) % 5 + 5,
        (false, false) => (one + 5 - other) % 5,
    };
    let moved = |(index, digit): (usize, &u8)| MOVED[index % 8][usize::from(digit - b'0')];
    digits.iter().rev().enumerate().map(moved).fold(0, multiply) == 0
}

/// Whether there is such a day.
pub(super) const fn is_date(year: u32, month: u32, day: u32) -> bool {
    let days = match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    1 <= day && day <= days
}

/// The two digits at `at`.
pub(super) fn two(digits: &[u8], at: usize) -> u32 {
    value(digits[at]) * 10 + value(digits[at + 1])
}
