//! Recall and precision of each detector over the labelled lines in `tests/data/mask/`, and the floor they keep.
//!
//! In those lines a value stands between marks, with the name of the detector that is to find it: `⟦email|a@b.io⟧`.
//! Lines without marks look alike and hold nothing. Files called `frozen` were written before the detectors and are not
//! changed to please one. A hit counts when it covers every letter and digit of the value and no other.
//!
//! `cargo test --lib mask::tests::corpus -- --nocapture` prints the table, and what was missed.

mod align;
mod labels;
mod real;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;

use super::{everything, hits, mask};
use crate::mask::{About, detectors};
use align::{swaps, value_of};
use labels::{Label, Line};

/// Least recall and precision of a detector that is on by default.
const FLOOR: f64 = 0.99;
/// Of one that is not.
const FLOOR_OF_OTHERS: f64 = 0.95;
/// Fewer values say nothing of a detector that is on by default.
const FEWEST: usize = 80;
/// Of one that is not.
const FEWEST_OF_OTHERS: usize = 60;
/// How many lines of what was missed are printed for each detector.
const MOST_SHOWN: usize = 12;

/// All that a label may name, so that a misspelt one is told. A detector may come after its labels.
const NAMES: &[&str] = &[
    "secret",
    "argument",
    "element",
    "authorization",
    "url_password",
    "jwt",
    "private_key",
    "aws_key",
    "gcp_key",
    "azure_key",
    "github_token",
    "gitlab_token",
    "slack_token",
    "stripe_key",
    "telegram_token",
    "npm_token",
    "pypi_token",
    "openai_key",
    "email",
    "phone",
    "card",
    "iban",
    "swift",
    "wallet",
    "ru_inn",
    "ru_snils",
    "ru_ogrn",
    "ru_passport",
    "ru_oms",
    "kz_iin",
    "us_ssn",
    "us_itin",
    "uk_nhs",
    "uk_nino",
    "de_tax_id",
    "fr_nir",
    "it_codice_fiscale",
    "es_nif",
    "pl_pesel",
    "nl_bsn",
    "se_personnummer",
    "fi_hetu",
    "br_cpf",
    "br_cnpj",
    "in_aadhaar",
    "in_pan",
    "au_tfn",
    "au_medicare",
    "sg_nric",
    "cn_resident_id",
    "kr_rrn",
    "tr_tckn",
    "ipv4",
    "ipv6",
    "mac",
];

/// What one detector did.
#[derive(Debug, Default)]
struct Tally {
    values: usize,
    found: usize,
    /// Hits that are no values of this detector.
    wrong: usize,
    frozen_values: usize,
    frozen_found: usize,
    /// Where and how it failed.
    failures: Vec<String>,
}

impl Tally {
    fn recall(&self) -> f64 {
        share(self.found, self.values)
    }

    fn precision(&self) -> f64 {
        share(self.found, self.found + self.wrong)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of lines are small")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

type Tallies = BTreeMap<&'static str, Tally>;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mask"))
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
fn each_detector_finds_what_is_labelled_and_nothing_else() {
    let built: HashMap<&str, About> = detectors().map(|one| (one.name, one)).collect();
    let mut tallies = Tallies::new();
    for line in labels::read(&folder()) {
        count(&line, &built, &mut tallies);
    }
    println!("{}", table(&tallies, &built));
    let faults = faults(&tallies, &built);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Masks one line and adds what came of it.
fn count(line: &Line, built: &HashMap<&str, About>, tallies: &mut Tallies) {
    let (output, found, wrong) = judge(line, built);
    for (label, is_found) in line.labels.iter().zip(found) {
        let tally = tallies.entry(label.name).or_default();
        tally.values += 1;
        tally.found += usize::from(is_found);
        tally.frozen_values += usize::from(line.is_frozen);
        tally.frozen_found += usize::from(is_found && line.is_frozen);
        if !is_found && built.contains_key(label.name) {
            tally.failures.push(format!("{}: missed `{}`: {output}", line.place, value_of(&line.seen, label)));
        }
    }
    // What is not looked for yet may well look like something else.
    if line.labels.iter().all(|label| built.contains_key(label.name)) {
        for name in wrong {
            let tally = tallies.entry(name).or_default();
            tally.wrong += 1;
            tally.failures.push(format!("{}: wrong: {output}", line.place));
        }
    }
}

/// The masked line, which of its labels were found, and whose hits are no labels.
fn judge(line: &Line, built: &HashMap<&str, About>) -> (String, Vec<bool>, Vec<&'static str>) {
    let output = labels::plain(&line.text, &mask(everything(), &[&line.text]).concat());
    let counts = hits(everything(), &[&line.text]);
    let is_hit = |name: &str| counts.iter().any(|(one, _)| one == name);
    let tags: Vec<&str> = built.values().map(|one| one.tag).collect();
    let tag_of = |label: &Label| built.get(label.name).map(|one| one.tag);
    let swaps = swaps(&line.seen, &output, &tags, &line.labels, &tag_of);
    let swaps = swaps.unwrap_or_else(|| panic!("{}: more changed than was found: {output}", line.place));
    let mut found = vec![false; line.labels.len()];
    let mut wrong = Vec::new();
    for swap in &swaps {
        let labels = swap.labels(&line.labels);
        let is_whole = swap.is_whole(&line.seen, &line.labels);
        for (index, tag) in swap.tags.iter().enumerate() {
            let is_right = |label: &Label| is_whole && tag_of(label) == Some(tag) && is_hit(label.name);
            match labels.clone().nth(index).filter(|&at| is_right(&line.labels[at])) {
                Some(at) => found[at] = true,
                None => wrong.push(owner(tag, &is_hit)),
            }
        }
    }
    (output, found, wrong)
}

/// Whose hit a tag is that stands where it should not.
fn owner(tag: &str, is_hit: &dyn Fn(&str) -> bool) -> &'static str {
    let same = || detectors().filter(|one| one.tag == tag).map(|one| one.name);
    same().find(|name| is_hit(name)).or_else(|| same().next()).unwrap_or_default()
}

fn table(tallies: &Tallies, built: &HashMap<&str, About>) -> String {
    let mut text = format!(
        "{:<20}{:<5}{:>7}{:>9}{:>11}{:>9}{:>9}\n",
        "detector", "", "values", "recall", "precision", "frozen", "recall"
    );
    let order = detectors().map(|one| one.name).chain(NAMES.iter().copied().filter(|name| !built.contains_key(name)));
    for name in order {
        let none = Tally::default();
        let tally = tallies.get(name).unwrap_or(&none);
        let Some(about) = built.get(name) else {
            writeln!(text, "{name:<20}{:<5}{:>7}   not built yet", "", tally.values).unwrap();
            continue;
        };
        let on = if about.default { "on" } else { "off" };
        writeln!(
            text,
            "{name:<20}{on:<5}{:>7}{:>9.4}{:>11.4}{:>9}{:>9.4}",
            tally.values,
            tally.recall(),
            tally.precision(),
            tally.frozen_values,
            share(tally.frozen_found, tally.frozen_values),
        )
        .unwrap();
    }
    for (name, tally) in tallies.iter().filter(|(_, tally)| !tally.failures.is_empty()) {
        writeln!(text, "\n{name}: {} failures", tally.failures.len()).unwrap();
        tally.failures.iter().take(MOST_SHOWN).for_each(|failure| writeln!(text, "  {failure}").unwrap());
    }
    text
}

/// What is below a floor, and what has too few values.
fn faults(tallies: &Tallies, built: &HashMap<&str, About>) -> Vec<String> {
    let mut faults = Vec::new();
    for name in NAMES {
        let none = Tally::default();
        let tally = tallies.get(name).unwrap_or(&none);
        let is_default = built.get(name).is_some_and(|about| about.default);
        let fewest = if is_default { FEWEST } else { FEWEST_OF_OTHERS };
        let floor = if is_default { FLOOR } else { FLOOR_OF_OTHERS };
        if tally.values < fewest {
            faults.push(format!("{name}: {} values, fewer than {fewest}", tally.values));
        }
        if !built.contains_key(name) {
            continue;
        }
        for (what, share) in [("recall", tally.recall()), ("precision", tally.precision())] {
            if share < floor {
                faults.push(format!("{name}: {what} {share:.4} is below {floor}"));
            }
        }
    }
    faults
}
