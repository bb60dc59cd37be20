//! Russia.

use super::{Detector, Finder, Group};
use crate::mask::detect::checks::{number, passes_luhn, two, value, weighted};

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
    let is_checked = |at: usize| weighted(&digits[..at], &WEIGHTS[WEIGHTS.len() - at..]) % 11 % 10 == value(digits[at]);
    if digits.len() == 10 { is_checked(9) } else { is_checked(10) && is_checked(11) }
}

/// A person's number in the pension insurance.
pub(super) const SNILS: Detector = Detector {
    name: "ru_snils",
    tag: "[ru_snils]",
    group: Group::Ids,
    default: false,
    proof: "two check digits, and the usual grouping or a word before it",
    source: "decree 318p of the board of the Pension Fund, 2019",
    finder: Finder::Form {
        forms: &[
            "!###-###-### ##",
            "!###-###-###-##",
            "### ### ### ##",
            "### ### ###-##",
            "###-###-#####",
            "###########",
        ],
        check: is_snils,
        near: &["снилс", "snils", "страховой номер", "страхового номера", "страховое свидетельство", "пфр"],
    },
    masked: &[
        ("застрахован 112-233-445 95.", "застрахован [ru_snils]."),
        ("СНИЛС: 112 233 445 95", "СНИЛС: [ru_snils]"),
        ("snils=08765430300&x=1", "snils=[ru_snils]&x=1"),
        ("userSnils 112-233-445-95", "userSnils [ru_snils]"),
    ],
    spared: &["112-233-445 96", "order 11223344595", "снилс 11223344596", "112-233-445 950", "снилс 1-112-233-445 95"],
};

/// Numbers up to 001-001-998 had no check digits.
fn is_snils(digits: &[u8]) -> bool {
    let check = weighted(&digits[..9], &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
    number(&digits[..9]) > 1_001_998 && check == two(digits, 9)
}

/// Of a firm 13 digits, of a sole trader 15.
pub(super) const OGRN: Detector = Detector {
    name: "ru_ogrn",
    tag: "[ru_ogrn]",
    group: Group::Ids,
    default: false,
    proof: "kind, year, check digit, and a word before it",
    source: "order 165n of the Ministry of Finance, 2017",
    finder: Finder::Form {
        forms: &["#############", "###############"],
        check: is_ogrn,
        near: &["огрн", "огрнип", "ogrn", "ogrnip", "егрюл", "егрип", "регистрационный номер"],
    },
    masked: &[
        ("ОГРН 1027700012340", "ОГРН [ru_ogrn]"),
        (r#"{"ogrnip": "304770000123453"}"#, r#"{"ogrnip": "[ru_ogrn]"}"#),
    ],
    spared: &["ogrn 1027700012341", "order 1027700012340", "огрн 1749112947148", "огрнип 304770000123454"],
};

fn is_ogrn(digits: &[u8]) -> bool {
    let (kinds, modulus): (&[u8], u64) = if digits.len() == 13 { (b"15", 11) } else { (b"3", 13) };
    // Later years would be milliseconds since 1970.
    let is_year = two(digits, 1) <= 60;
    let (last, rest) = (digits[digits.len() - 1], &digits[..digits.len() - 1]);
    kinds.contains(&digits[0]) && is_year && number(rest) % modulus % 10 == u64::from(value(last))
}

/// A health insurance policy.
pub(super) const OMS: Detector = Detector {
    name: "ru_oms",
    tag: "[ru_oms]",
    group: Group::Ids,
    default: false,
    proof: "check digit (Luhn), and a word before it",
    source: "order 108n of the Ministry of Health, 2019",
    finder: Finder::Form {
        forms: &["################", "#### #### #### ####", "#### #### ########", "### ### ### ### ####"],
        check: passes_luhn,
        near: &["полис", "полиса", "полису", "омс", "oms", "енп", "enp", "polis"],
    },
    masked: &[
        ("полис ОМС № 7700123456789013", "полис ОМС № [ru_oms]"),
        ("oms_policy=7700 1234 5678 9013", "oms_policy=[ru_oms]"),
    ],
    spared: &["полис 7700123456789014", "order 7700123456789013", "rooms 7700123456789013"],
};

/// A citizen's inland passport. There is no check digit.
pub(super) const PASSPORT: Detector = Detector {
    name: "ru_passport",
    tag: "[ru_passport]",
    group: Group::Ids,
    default: false,
    proof: "a region, the year of the form, and a word before it",
    source: "decree 828 of the Government, 1997, and order 773 of the Ministry of the Interior, 2020",
    finder: Finder::Form {
        forms: &[
            "##########",
            "#### ######",
            "## ## ######",
            "####-######",
            "## ##-######",
            "#### № ######",
            "## ## № ######",
            "#### №######",
            "## ## №######",
            "#### N ######",
            "## ## N ######",
            "#### номер ######",
            "## ## номер ######",
            "####, номер ######",
            "## ##, номер ######",
            "####, номер: ######",
            "## ##, номер: ######",
        ],
        check: is_passport,
        near: &[
            "паспорт",
            "паспорта",
            "паспорту",
            "паспортом",
            "паспорте",
            "паспортные данные",
            "серия",
            "серии",
            "серия и номер",
            "passport",
            "pasport",
        ],
    },
    masked: &[
        ("паспорт 4510 123456 выдан", "паспорт [ru_passport] выдан"),
        ("Паспорт серия 45 10 № 123456", "Паспорт серия [ru_passport]"),
        ("passport_number=4510123456;", "passport_number=[ru_passport];"),
        ("серия 4510 номер 123456", "серия [ru_passport]"),
    ],
    spared: &["order 4510 123456", "паспорт 0010 123456", "паспорт 4571 123456", "паспорт 4510 000000", "серия 4510"],
};

/// Regions by OKATO; forms are printed since 1997.
fn is_passport(digits: &[u8]) -> bool {
    let year = two(digits, 2);
    two(digits, 0) > 0 && (year >= 97 || year <= 35) && number(&digits[4..]) > 0
}
