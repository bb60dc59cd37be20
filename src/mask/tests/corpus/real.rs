//! Real logs, which have no labels: every hit in them is judged once, by its place. They are not kept here; the test runs
//! where `LOGFERRY_TEST_LOGS` names their folder, and prints places only.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::folder;
use crate::mask::tests::{everything, hits};

/// Each row: a file, a detector, whether its hits are right, and the numbers of their lines: `1,4-7`.
pub(super) const JUDGED: &str = "judged.txt";

/// File, detector and line of one hit or more.
type Place = (String, String, usize);

#[test]
#[expect(clippy::print_stdout, reason = "places of hits are what it is run for")]
fn every_hit_in_real_logs_is_judged() {
    let Some(logs) = std::env::var_os("LOGFERRY_TEST_LOGS") else {
        println!("not tested: LOGFERRY_TEST_LOGS names no folder of logs");
        return;
    };
    let found = hits_in(Path::new(&logs));
    let (right, wrong) = judged();
    let judged: BTreeSet<Place> = right.union(&wrong).cloned().collect();
    let fresh: BTreeSet<Place> = found.difference(&judged).cloned().collect();
    let lost: BTreeSet<Place> = right.difference(&found).cloned().collect();
    let false_hits = found.intersection(&wrong).count();
    println!("{} places with hits, {false_hits} of them false, {} not judged", found.len(), fresh.len());
    assert!(fresh.is_empty() && lost.is_empty(), "not judged:\n{}\nno longer found:\n{}", rows(&fresh), rows(&lost));
}

fn hits_in(logs: &Path) -> BTreeSet<Place> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(logs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        for (index, line) in String::from_utf8_lossy(&fs::read(&path).unwrap()).lines().enumerate() {
            let detectors = hits(everything(), &[line]).into_iter().map(|(detector, _)| detector);
            found.extend(detectors.map(|detector| (file.clone(), detector, index + 1)));
        }
    }
    found
}

/// Places whose hits are right, and those with a wrong one.
fn judged() -> (BTreeSet<Place>, BTreeSet<Place>) {
    let (mut right, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for row in fs::read_to_string(folder().join(JUDGED)).unwrap().lines() {
        let [file, detector, verdict, numbers] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let set = match verdict {
            "true" => &mut right,
            "false" => &mut wrong,
            _ => panic!("{row}"),
        };
        for stretch in numbers.split(',') {
            let (first, last) = stretch.split_once('-').unwrap_or((stretch, stretch));
            let numbers = first.parse().unwrap()..=last.parse().unwrap();
            set.extend(numbers.map(|line| (file.to_owned(), detector.to_owned(), line)));
        }
    }
    (right, wrong)
}

/// As rows of [`JUDGED`], without a verdict.
fn rows(places: &BTreeSet<Place>) -> String {
    let mut text = String::new();
    let mut last: Option<&Place> = None;
    for place in places {
        let (file, detector, line) = place;
        match last.filter(|(other, same, _)| (other, same) == (file, detector)) {
            Some(_) => write!(text, ",{line}").unwrap(),
            None => write!(text, "\n{file} {detector} ? {line}").unwrap(),
        }
        last = Some(place);
    }
    text
}
