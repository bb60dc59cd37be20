//! The shape of the code that readers are promised: which room may know which, files and functions of a size that can
//! be read. Reads the sources as text.

use std::path::{Path, PathBuf};

/// Rooms by rank: one may use those of lower ranks only.
const RANKS: [&[&str]; 5] = [
    &["base"],
    &["collect", "decode", "enrich", "filter", "mask", "observe", "output", "pack", "queue", "ship", "track"],
    &["admin", "config", "pipeline"],
    &["agent"],
    &["cli", "main", "lib"],
];
/// The only uses among equals: the type that can be encoded, and the reading of answers.
const AMONG_EQUALS: [(&str, &str); 2] = [("output", "mask"), ("ship", "output")];
const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 70;
const SCREEN: usize = 35;

struct Source {
    path: PathBuf,
    room: String,
    /// Without its tests.
    lines: Vec<String>,
}

/// Every file of `src`, without those that hold only tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_stem().unwrap().to_str().unwrap();
            if entry.is_dir() && name != "tests" {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
                found.push(read(&root, entry));
            }
        }
    }
    assert!(found.len() > 20, "only {} files of source", found.len());
    found
}

fn read(root: &Path, path: PathBuf) -> Source {
    let first = path.strip_prefix(root).unwrap().components().next().unwrap();
    let room = Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").map(str::to_owned).collect();
    Source { path, room, lines }
}

fn rank(room: &str) -> usize {
    RANKS.iter().position(|rooms| rooms.contains(&room)).unwrap_or_else(|| panic!("{room} is in no rank: add it"))
}

/// The rooms that a line names: `crate::base::…`, `logferry::cli::…`.
fn rooms_named(line: &str) -> impl Iterator<Item = String> {
    let code = line.split("//").next().unwrap_or_default();
    let after =
        ["crate::", "logferry::"].into_iter().flat_map(|root| code.match_indices(root).map(move |hit| (root, hit)));
    let names = after.map(|(root, (at, _))| {
        let name = code[at + root.len()..].chars().take_while(|one| one.is_alphanumeric() || *one == '_');
        name.collect::<String>()
    });
    names.collect::<Vec<_>>().into_iter().filter(|name| !name.is_empty() && name.starts_with(char::is_lowercase))
}

#[test]
fn rooms_use_only_what_lies_below_them() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.room != "lib") {
        for line in &source.lines {
            for used in rooms_named(line).filter(|used| *used != source.room) {
                let allowed = AMONG_EQUALS.contains(&(source.room.as_str(), used.as_str()));
                if rank(&used) >= rank(&source.room) && !allowed {
                    faults.push(format!("{}: {} uses {used}: {line}", source.path.display(), source.room));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_say_what_they_are_for_and_stay_short() {
    let mut faults = Vec::new();
    for source in sources() {
        let path = source.path.display();
        if !source.lines.first().is_some_and(|line| line.starts_with("//! ")) {
            faults.push(format!("{path} does not open with //!"));
        }
        if source.lines.len() > LONGEST_FILE {
            faults.push(format!("{path} has {} lines without its tests", source.lines.len()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn functions_fit_a_screen() {
    let mut lengths = Vec::new();
    for source in sources() {
        lengths.extend(functions(&source.lines).into_iter().map(|(name, length)| (length, name, source.path.clone())));
    }
    assert!(lengths.len() > 50, "only {} functions", lengths.len());
    lengths.sort();
    let long: Vec<_> = lengths.iter().filter(|(length, ..)| *length > SCREEN).collect();
    let longest = long.iter().rev().take(20).map(|(length, name, path)| format!("{length} {name} {}", path.display()));
    let longest = longest.collect::<Vec<_>>().join("\n");
    assert!(lengths.iter().all(|(length, ..)| *length <= LONGEST_FUNCTION), "too long:\n{longest}");
    assert!(long.len() * 10 <= lengths.len(), "{} of {} fit no screen:\n{longest}", long.len(), lengths.len());
}

/// Name and lines of each function, by the indentation that rustfmt gives.
fn functions(lines: &[String]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let Some(name) = function_name(code) else { continue };
        let end = lines[at..].iter().position(|other| {
            let closes = other.trim_end() == format!("{}}}", " ".repeat(indent));
            closes || (other.len() - other.trim_start().len() == indent && other.ends_with([';', '}']))
        });
        found.push((name.to_owned(), end.unwrap_or(0) + 1));
    }
    found
}

fn function_name(code: &str) -> Option<&str> {
    let words = code.strip_prefix("pub(crate) ").or(code.strip_prefix("pub(super) ")).unwrap_or(code);
    let words = words.strip_prefix("pub ").unwrap_or(words);
    let words = words.strip_prefix("const ").unwrap_or(words);
    let words = words.strip_prefix("async ").unwrap_or(words);
    words.strip_prefix("fn ")?.split(['(', '<']).next()
}

#[test]
fn the_measures_measure() {
    let lines = "pub fn one() {\n    a;\n}\nimpl X {\n    fn two(\n        a: u8,\n    ) -> u8 {\n        a\n    }\n    \
                 const fn three(self) -> u8 { 3 }\n}";
    let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    let expected = [("one", 3), ("two", 5), ("three", 1)].map(|(name, length)| (name.to_owned(), length));
    assert_eq!(functions(&lines), expected);
    let rooms: Vec<String> = rooms_named("use crate::mask::Masked; // crate::cli").collect();
    assert_eq!(rooms, ["mask"]);
}
