//! Codes of banks, ISO 9362: BIC, or SWIFT code. Eight capitals are also an English word, so only after a telling word.

use super::{Detector, Finder, Group};

/// There is no check character.
pub(super) const ROW: Detector = Detector {
    name: "swift",
    tag: "[swift]",
    group: Group::Money,
    default: false,
    proof: "eight or eleven capitals and digits, a country, and a word before it",
    source: "ISO 9362 and ISO 3166-1",
    finder: Finder::Word {
        check: is_code,
        near: &["swift", "bic", "бик", "свифт", "swiftcode", "biccode", "swiftbic"],
    },
    masked: &[
        ("SWIFT: DEUTDEFF", "SWIFT: [swift]"),
        (r#"{"bic":"SABRRUMM012"}"#, r#"{"bic":"[swift]"}"#),
        ("БИК банка SWIFT NEDSZAJJXXX,", "БИК банка SWIFT [swift],"),
        ("SWIFT/BIC code DABAIE2D", "SWIFT/BIC code [swift]"),
    ],
    spared: &["code DEUTDEFF", "SWIFT COMPLETE", "swift deutdeff", "BIC DEUTXXFF", "swift DEUTDEFFX", "БИК 044525225"],
};

/// ISO 3166-1, and Kosovo, which ISO 9362 has too.
const COUNTRIES: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCL\
    CMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIM\
    INIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNE\
    NFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTK\
    TLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";

fn is_code(word: &[u8]) -> bool {
    let is_written = word.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_long = matches!(word.len(), 8 | 11);
    let (countries, _) = COUNTRIES.as_bytes().as_chunks::<2>();
    is_long
        && is_written
        && word[..6].iter().all(u8::is_ascii_uppercase)
        && countries.iter().any(|country| country == &word[4..6])
}
