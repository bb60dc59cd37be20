//! A file's text to a [`Config`], with every fault in it. Judges no value by itself: the rooms and `check` do.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::expand::{Environment, expand};
use super::faults::{Finding, Report, Severity};
use super::tree::{self, Removed};
use super::words::{self, nearest};
use super::{Config, Output, Source, check, containers, fields};
use crate::base::source::Kind;
use crate::{collect, output, pack, queue, ship};

/// Where a file is looked for when none is named, in this order.
const PLACES: [&str; 2] = ["agent.toml", "/etc/logferry/agent.toml"];

/// The tables of a file.
const SECTIONS: [&str; 6] = ["agent", "source", "filter", "mask", "output", "admin"];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or not for us.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// As the file system gives it.
        cause: io::Error,
    },
    /// It has faults.
    #[error("{0}")]
    Faulty(Report),
}

/// A configuration without faults.
#[derive(Debug)]
pub struct Loaded {
    /// What was written.
    pub config: Config,
    /// Warnings only.
    pub report: Report,
}

/// How far a file is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What the text says.
    Text,
    /// Also the files that it names: secrets, globs, the state folder.
    Machine,
}

/// The file to read: the given one, else the first that there is. `None`: there is none.
#[must_use]
pub fn find(given: Option<&Path>) -> Option<PathBuf> {
    let first = || PLACES.iter().map(PathBuf::from).find(|path| path.exists());
    given.map(Path::to_path_buf).or_else(first)
}

/// Reads and examines the file at `path`, with the process's environment.
///
/// # Errors
/// If it cannot be read, or with all its faults.
pub fn load(path: &Path, extent: Extent) -> Result<Loaded, Error> {
    let unreadable = |cause| Error::Unreadable { path: path.to_path_buf(), cause };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    parse(&path.display().to_string(), &text, &|name| std::env::var(name).ok(), extent).map_err(Error::Faulty)
}

/// Examines a text that people know by `name`.
///
/// # Errors
/// All its faults, and its warnings.
pub fn parse(name: &str, text: &str, environment: Environment<'_>, extent: Extent) -> Result<Loaded, Report> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut root = table.into_inner();
    let mut first: Vec<Finding> = errors.iter().map(|error| syntax_fault(error, text)).collect();
    let headers_hold = !first.iter().any(|fault| line_of(text, fault.span.start).trim_start().starts_with('['));
    let expanded = expand(&mut root, text, environment);
    first.extend(expanded.findings);

    let mut reader = Reader { whole: &expanded.whole, findings: Vec::new() };
    let config = reader.config(&root);
    let mut later = reader.findings;
    if errors.is_empty() {
        later.extend(check::rules(&config, &root));
        if extent == Extent::Machine {
            later.extend(check::machine(&config, &root));
        }
    }
    // A line that cannot be read, or whose variable is missing, has faults enough: the rest would be their echo.
    later.retain(|one| headers_hold && !first.iter().any(|other| same_line(text, &one.span, &other.span)));
    first.append(&mut later);

    let report = Report::new(name, text, first);
    if report.count(Severity::Error) > 0 { Err(report) } else { Ok(Loaded { config, report }) }
}

fn syntax_fault(error: &toml::de::Error, text: &str) -> Finding {
    let span = error.span().unwrap_or(text.len()..text.len());
    let finding = Finding::error(span, error.message().replace("key with no value, expected `=`", "expected `=`"));
    if error.message().starts_with("string values must be quoted") {
        return Finding { message: "strings must be quoted".to_owned(), ..finding }.hint("write it in double quotes");
    }
    finding
}

fn line_of(text: &str, at: usize) -> &str {
    let at = at.min(text.len());
    let start = text.as_bytes()[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

/// Whether they begin in one line. The whole file (an empty span at 0) is no line.
fn same_line(text: &str, one: &Range<usize>, other: &Range<usize>) -> bool {
    let (low, high) = (one.start.min(other.start), one.start.max(other.start).min(text.len()));
    *one != (0..0) && *other != (0..0) && !text.as_bytes()[low.min(high)..high].contains(&b'\n')
}

struct Reader<'w> {
    /// Strings that were one variable: they may stand for other kinds of values.
    whole: &'w [(Range<usize>, String)],
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn config(&mut self, root: &DeTable<'_>) -> Config {
        let mut config = Config::default();
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "agent" => config.agent = self.section(value),
                "admin" => config.admin = self.section(value),
                "mask" => config.mask = self.section(value),
                "filter" => config.filters = self.list(value),
                "source" => config.sources = self.named(value, Self::source),
                "output" => config.outputs = self.named(value, Self::output),
                other => {
                    self.findings.push(Finding::of_words(key.span(), words::unknown_key(other, &SECTIONS)));
                }
            }
        }
        if config.sources.is_empty() {
            config.sources = containers();
        }
        config
    }

    fn section<T: DeserializeOwned + Default>(&mut self, value: &Spanned<DeValue<'_>>) -> T {
        self.table(value).and_then(|table| self.read(&value.span(), table)).unwrap_or_default()
    }

    /// An array of tables. Empty when one of them cannot be read at all: the others' numbers would be wrong.
    fn list<T: DeserializeOwned>(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<T> {
        let Some(array) = value.get_ref().as_array() else {
            let fault = Finding::error(value.span(), "expected a list of tables");
            self.findings.push(fault.hint("write [[filter]] with two brackets for each"));
            return Vec::new();
        };
        let read: Vec<Option<T>> = array
            .iter()
            .map(|element| self.table(element).and_then(|table| self.read(&element.span(), table)))
            .collect();
        read.into_iter().collect::<Option<Vec<T>>>().unwrap_or_default()
    }

    /// A table of tables, whose names the user chose. Those that cannot be read are left out.
    fn named<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        read: fn(&mut Self, &Range<usize>, &DeTable<'_>) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let Some(tables) = self.table(value) else { return BTreeMap::new() };
        let mut all = BTreeMap::new();
        for (name, value) in tables {
            let Some(table) = self.table(value) else { continue };
            if let Some(one) = read(self, &value.span(), table) {
                all.insert(name.get_ref().to_string(), one);
            }
        }
        all
    }

    fn source(&mut self, span: &Range<usize>, table: &DeTable<'_>) -> Option<Source> {
        let kind: Kind = self.kind(span, table, "type = \"file\", \"docker\" or \"stdin\"")?;
        let (file, docker) = (fields::of::<collect::file::Config>(), fields::of::<collect::docker::Config>());
        let (own, others) = if kind == Kind::Docker { (docker, file) } else { (file, docker) };
        let mut keys = DeTable::new();
        for (key, value) in table.iter().filter(|(key, _)| key.get_ref() != "type") {
            let name = key.get_ref().as_ref();
            if own.contains(&name) || !others.contains(&name) {
                keys.insert(key.clone(), value.clone());
                continue;
            }
            self.findings.push(Finding::error(key.span(), format!("`{name}` is an option of another type of source")));
        }
        Some(match kind {
            Kind::File => Source::File(self.read(span, &keys)?),
            Kind::Docker => Source::Docker(self.read(span, &keys)?),
            Kind::Stdin => Source::Stdin(self.read(span, &keys)?),
        })
    }

    fn output(&mut self, span: &Range<usize>, table: &DeTable<'_>) -> Option<Output> {
        let kind: Option<output::Kind> =
            self.kind(span, table, "type = \"elasticsearch\", \"opensearch\", \"loki\", \"stdout\" or \"file\"");
        let mut rest = table.clone();
        if kind.is_none() {
            // Told already.
            rest.remove("type");
        }
        let rooms = [
            fields::of::<output::Config>(),
            fields::of::<pack::Config>(),
            fields::of::<queue::Config>(),
            fields::of::<ship::Config>(),
            &["when"],
        ];
        let [output, pack, queue, ship, mut when] = self.split(&rest, rooms);
        let when = when.remove("when").map(|value| self.section(&value));
        Some(Output {
            output: self.read(span, &output)?,
            pack: self.read(span, &pack)?,
            queue: self.read(span, &queue)?,
            ship: self.read(span, &ship)?,
            when,
        })
        .filter(|_| kind.is_some())
    }

    /// Deals the keys of a table out to the rooms that take them.
    fn split<'i, const N: usize>(&mut self, table: &DeTable<'i>, rooms: [&[&str]; N]) -> [DeTable<'i>; N] {
        let mut parts = std::array::from_fn(|_| DeTable::new());
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if let Some(room) = rooms.iter().position(|keys| keys.contains(&name)) {
                parts[room].insert(key.clone(), value.clone());
                continue;
            }
            let hint = match nearest(name, rooms.concat()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`logferry example` shows all options".to_owned(),
            };
            self.findings.push(Finding::error(key.span(), format!("unknown key `{name}`")).hint(hint));
        }
        parts
    }

    fn kind<T: DeserializeOwned>(&mut self, span: &Range<usize>, table: &DeTable<'_>, hint: &str) -> Option<T> {
        let Some(value) = table.get("type") else {
            self.findings.push(Finding::error(span.clone(), "`type` is missing").hint(format!("write {hint}")));
            return None;
        };
        match T::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(kind) => Some(kind),
            Err(error) => {
                self.findings.push(Finding::of_words(value.span(), words::from_serde(error.message())));
                None
            }
        }
    }

    fn table<'t, 'i>(&mut self, value: &'t Spanned<DeValue<'i>>) -> Option<&'t DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let message = format!("expected a table, found {}", value.get_ref().type_str());
            self.findings.push(Finding::error(value.span(), message));
        }
        table
    }

    /// Reads a table; each key at fault is noted and taken out until the rest can be read. `None`: nothing can, or
    /// a list has lost an element, so that places in it can no longer be told by their numbers.
    fn read<T: DeserializeOwned>(&mut self, span: &Range<usize>, table: &DeTable<'_>) -> Option<T> {
        let whole = self.whole;
        let mut table = table.clone();
        let mut in_order = true;
        loop {
            let value = Spanned::new(span.clone(), DeValue::Table(table.clone()));
            let error = match T::deserialize(ValueDeserializer::from(value)) {
                Ok(value) => return in_order.then_some(value),
                Err(error) => error,
            };
            let place = error.span().unwrap_or_else(|| span.clone());
            if offer_scalar(&mut table, &place, whole) {
                continue;
            }
            self.findings.push(Finding::of_words(place.clone(), words::from_serde(error.message())));
            match tree::remove(&mut table, &place) {
                Removed::Key => {}
                Removed::Element => in_order = false,
                Removed::Nothing => return None,
            }
        }
    }
}

/// A string that was one variable becomes the number or boolean that it spells. `false`: it does not, or did before.
fn offer_scalar<'w>(table: &mut DeTable<'w>, place: &Range<usize>, whole: &'w [(Range<usize>, String)]) -> bool {
    let Some((_, text)) = whole.iter().find(|(span, _)| span == place) else { return false };
    let Some(value) = tree::at_mut(table, place).filter(|value| value.is_str()) else { return false };
    match DeValue::parse(text).map(Spanned::into_inner) {
        Ok(scalar) if scalar.is_integer() || scalar.is_float() || scalar.is_bool() => {
            *value = scalar;
            true
        }
        _ => false,
    }
}
