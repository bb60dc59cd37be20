//! The shape of the code that readers are promised: which room may know which, files and functions of a size that can
//! be read. Reads the sources as text.

use std::path::{Path, PathBuf};

/// Rooms by rank: one may use those of lower ranks only.
const RANKS: [&[&str]; 6] = [
    &["base"],
    &["collect", "decode", "enrich", "filter", "mask", "observe", "output", "pack", "queue", "ship", "track"],
    &["admin", "config", "pipeline"],
    &["agent"],
    &["cli"],
    &["main"],
];
/// The only uses among equals: the type that can be encoded, the reading of answers, and one room's part of the whole
/// configuration.
const AMONG_EQUALS: [(&str, &str); 3] = [("output", "mask"), ("ship", "output"), ("config", "admin")];
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
    Source { path, room, lines: without_tests(&text) }
}

/// Leaves out what follows `#[cfg(test)]`: one line when that names a file of tests, else all the rest.
fn without_tests(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let mut kept = Vec::new();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            kept.push(line.to_owned());
        } else if !lines.next().is_some_and(|item| item.ends_with(';')) {
            break;
        }
    }
    kept
}

fn rank(room: &str) -> usize {
    RANKS.iter().position(|rooms| rooms.contains(&room)).unwrap_or_else(|| panic!("{room} is in no rank: add it"))
}

/// The rooms that code names: `crate::base::…`, `crate::{admin, agent::Options}`, `logferry::cli::…`.
fn rooms_named(lines: &[String]) -> Vec<String> {
    let code: Vec<&str> = lines.iter().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let paths = ["crate::", "logferry::"].map(|root| code.match_indices(root).map(move |(at, _)| at + root.len()));
    let names = paths.into_iter().flatten().flat_map(|at| names_at(&code[at..]));
    names.filter(|name| name.starts_with(|first: char| first.is_ascii_lowercase())).collect()
}

/// The first word of a path, or of each path in braces.
fn names_at(path: &str) -> Vec<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|one| one.is_alphanumeric() || *one == '_').collect();
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut names = vec![word(group)];
    let mut depth = 1;
    for (at, one) in group.char_indices() {
        match one {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(word(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[test]
fn rooms_use_only_what_lies_below_them() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.room != "lib") {
        for used in rooms_named(&source.lines).into_iter().filter(|used| *used != source.room) {
            let allowed = AMONG_EQUALS.contains(&(source.room.as_str(), used.as_str()));
            if rank(&used) >= rank(&source.room) && !allowed {
                faults.push(format!("{}: {} uses {used}", source.path.display(), source.room));
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
    let uses = "use crate::{admin, agent::{Options, Error},\n mask};\nlet a = crate::ship::b(); // crate::cli";
    let uses: Vec<String> = uses.lines().map(str::to_owned).collect();
    assert_eq!(rooms_named(&uses), ["admin", "agent", "mask", "ship"]);
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod tests {\nc"), ["a", "b"]);
}
