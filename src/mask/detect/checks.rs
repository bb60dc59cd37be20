//! Check digits that several rules share. Digits come as ASCII.

/// ISO/IEC 7812-1, annex B.
pub(in crate::mask) fn passes_luhn(digits: &[u8]) -> bool {
    let doubled = |(index, digit): (usize, &u8)| {
        let value = u32::from(digit - b'0');
        if index % 2 == 0 { value } else { value * 2 % 10 + value / 5 }
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}
