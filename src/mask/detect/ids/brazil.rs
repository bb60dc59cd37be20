//! Brazil.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{is_one_digit, value, weighted};

/// A person's number for taxes.
pub(super) const CPF: Detector = Detector {
    name: "br_cpf",
    tag: "[br_cpf]",
    group: Group::Ids,
    default: false,
    proof: "two check digits, and the usual grouping or a word before it",
    source: "Receita Federal, instrução normativa RFB 2.172/2024",
    finder: Finder::Form {
        forms: &["!###.###.###-##", "###########", "#########-##"],
        check: is_cpf,
        near: &["cpf", "cpfs", "pessoa física", "contribuinte"],
    },
    masked: &[
        ("cliente 123.456.789-09", "cliente [br_cpf]"),
        (r#"{"cpf":"11144477735"}"#, r#"{"cpf":"[br_cpf]"}"#),
        ("CPF 123456789-09", "CPF [br_cpf]"),
    ],
    spared: &["123.456.789-10", "order 12345678909", "cpf 11111111111", "1.123.456.789-09"],
};

fn is_cpf(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 10] = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];
    let is_checked = |at: usize| weighted(&digits[..at], &WEIGHTS[10 - at..]) * 10 % 11 % 10 == value(digits[at]);
    is_checked(9) && is_checked(10) && !is_one_digit(digits)
}

/// A firm's number; since 2026 also with letters.
pub(super) const CNPJ: Detector = Detector {
    name: "br_cnpj",
    tag: "[br_cnpj]",
    group: Group::Ids,
    default: false,
    proof: "two check digits, and the usual grouping or a word before it",
    source: "Receita Federal, instrução normativa RFB 2.229/2024",
    finder: Finder::Form {
        // The second is the first in a JSON string whose writer escapes slashes.
        forms: &["!**.***.***/****-##", r"!**.***.***\/****-##", "##############", "############-##"],
        check: is_cnpj,
        near: &["cnpj", "pessoa jurídica", "emitente"],
    },
    masked: &[("empresa 11.222.333/0001-81", "empresa [br_cnpj]"), ("cnpj=11222333000181", "cnpj=[br_cnpj]")],
    spared: &["11.222.333/0001-82", "order 11222333000181", "cnpj 00000000000000"],
};

/// Characters count as their ASCII code less that of `0`.
fn is_cnpj(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    let is_checked = |at: usize| {
        let sum: u32 =
            text[..at].iter().zip(&WEIGHTS[13 - at..]).map(|(one, weight)| u32::from(one - b'0') * weight).sum();
        sum * 10 % 11 % 10 == value(text[at])
    };
    is_checked(12) && is_checked(13) && !is_one_digit(text)
}
