//! How often random input is taken for a hit: by each row that proves its numbers. The figures are in
//! docs/masking.md; `RATES=1000000 cargo test --lib mask::tests::rates -- --nocapture` prints them.

use crate::mask::detect::{DETECTORS, Detector, Finder, Group};
use crate::mask::{Config, Masker};

/// Row, and the most of 1000 random strings of its own forms that its proof may let pass.
const BOUNDS: &[(&str, f64)] = &[
    ("phone", 900.0),
    ("card", 60.0),
    ("iban", 20.0),
    ("swift", 450.0),
    ("wallet", 0.1),
    ("ru_inn", 70.0),
    ("ru_snils", 15.0),
    ("ru_ogrn", 15.0),
    ("ru_oms", 110.0),
    ("ru_passport", 450.0),
    ("kz_iin", 5.0),
    ("cn_resident_id", 0.1),
    ("kr_rrn", 10.0),
    ("fr_nir", 0.5),
    ("it_codice_fiscale", 1.0),
    ("fi_hetu", 2.0),
    ("br_cpf", 15.0),
    ("br_cnpj", 15.0),
    ("tr_tckn", 15.0),
    ("pl_pesel", 12.0),
    ("de_tax_id", 6.0),
    ("se_personnummer", 8.0),
    ("es_nif", 30.0),
    ("sg_nric", 12.0),
    ("in_aadhaar", 100.0),
    ("in_pan", 450.0),
    ("nl_bsn", 110.0),
    ("uk_nhs", 110.0),
    ("uk_nino", 110.0),
    ("au_tfn", 110.0),
    ("au_medicare", 60.0),
    ("us_ssn", 950.0),
    ("us_itin", 70.0),
];

/// The most of 1000 of them that may be taken without a telling grouping and without a word before them.
const BARE: f64 = 0.9;

/// Letters in their places make an IBAN telling, and long runs of capitals and digits are rare. A card's number is written
/// bare more often than not, and worth a few others.
const TELLING: &[(&str, f64)] = &[("iban", 20.0), ("card", 60.0)];

/// What is written in many ways, in a few of them.
const FREE: &[(&str, &[&str])] = &[
    ("iban", &["DE####################", "GB##AAAA##############", "FR############***********##"]),
    ("card", &["################", "#### #### #### ####"]),
    ("swift", &["AAAAAAAA", "AAAAAA**", "AAAAAA*****"]),
    ("wallet", &["1*********************************", "bc1q**************************************"]),
    (
        "phone",
        &["+###########", "+## ### ### ###", "8 (###) ###-##-##", "(###) ###-####", "0# ## ## ## ##", "0## #### ####"],
    ),
];

/// Numbers that look random and are the same on every machine: Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    /// A string of a form, and what of it a check sees.
    fn of(&mut self, form: &str) -> (String, Vec<u8>) {
        const CHARACTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut seen = Vec::new();
        let written = form.chars().map(|class| {
            let range = match class {
                '#' => 0..10,
                'A' => 10..36,
                '*' => 0..36,
                itself => return itself,
            };
            seen.push(CHARACTERS[range.start + self.below(range.len())]);
            char::from(seen[seen.len() - 1])
        });
        (written.collect(), seen)
    }
}

fn draws() -> usize {
    std::env::var("RATES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

fn forms(row: &Detector) -> Vec<&'static str> {
    match row.finder {
        Finder::Form { forms, .. } => forms.iter().map(|form| form.trim_start_matches('!')).collect(),
        _ => FREE.iter().find(|(name, _)| *name == row.name).map_or(Vec::new(), |(_, forms)| forms.to_vec()),
    }
}

/// Of 1000 strings of a row's forms, how many its proof lets pass, words aside.
fn proved(row: &Detector, random: &mut Random) -> f64 {
    let forms = forms(row);
    let passes = (0..draws()).filter(|draw| {
        let (written, seen) = random.of(forms[draw % forms.len()]);
        let bytes = written.as_bytes();
        match row.finder {
            Finder::Form { check, .. } => check(&seen),
            Finder::Word { check, .. } => check(bytes),
            Finder::Number { judge, .. } => {
                let start = bytes.iter().position(u8::is_ascii_digit).unwrap();
                let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                judge(bytes, start, start + length).is_some()
            }
            _ => unreachable!(),
        }
    });
    1000.0 * passes.count() as f64 / draws() as f64
}

/// Of 1000 strings of digits and letters as in a row's forms, how many become a tag where nothing tells of them.
fn bare(row: &Detector, random: &mut Random) -> f64 {
    let masker = Masker::new(&Config { detect: vec![row.name.to_owned()], ..Config::default() }).unwrap();
    let forms = forms(row);
    let mut text = String::new();
    for draw in 0..draws() {
        let (written, _) = random.of(forms[draw % forms.len()]);
        text.extend(written.chars().filter(char::is_ascii_alphanumeric));
        text.push_str(" took\n");
    }
    1000.0 * masker.text(&text).matches(row.tag).count() as f64 / draws() as f64
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is for the documents")]
fn random_numbers_are_rarely_taken_for_hits() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let is_proved = |row: &&&Detector| {
        matches!(row.group, Group::Ids | Group::Money | Group::People) && !matches!(row.finder, Finder::Own { .. })
    };
    let mut faults = Vec::new();
    for row in DETECTORS.iter().filter(is_proved) {
        let (proved, bare) = (proved(row, &mut random), bare(row, &mut random));
        println!("{:<20} {proved:>8.2} {bare:>8.2}", row.name);
        let bound = BOUNDS.iter().find(|(name, _)| *name == row.name).map(|(_, bound)| *bound);
        let most = TELLING.iter().find(|(name, _)| *name == row.name).map_or(BARE, |(_, most)| *most);
        if bare > most || bound.is_none_or(|bound| proved > bound) {
            faults.push(row.name);
        }
    }
    assert!(faults.is_empty(), "more than their bound, or without one: {faults:?}");
}
