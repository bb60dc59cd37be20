//! Rules that span rooms, and a look at the machine. Each rule adds findings; none changes anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::GlobBuilder;
use rustix::fs::{Access, access};
use toml::de::{DeTable, DeValue};
use walkdir::WalkDir;

use super::faults::{Finding, Severity};
use super::words::nearest;
use super::{Config, Source, tree};
use crate::base::fault::Fault;
use crate::base::metrics::Metrics;
use crate::base::quantity::Size;
use crate::collect::docker::Docker;
use crate::ship::Destination;
use crate::{decode, filter, mask, output};

/// A line may take at most this part of the memory budget.
const LINE_SHARE: u64 = 8;

/// What is wrong or odd in what was written, as far as the text tells.
pub fn rules(config: &Config, root: &DeTable<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    rooms(config, root, &mut findings);
    destination(root, &mut findings);
    names(root, &mut findings);
    needs(config, root, &mut findings);
    timezones(config, root, &mut findings);
    line_limits(config, root, &mut findings);
    one_file_each(config, root, &mut findings);
    one_pipe_each(config, root, &mut findings);
    known_sources(config, root, &mut findings);
    idle_masking(config, root, &mut findings);
    unmasked_names(config, root, &mut findings);
    without_effect(config, root, &mut findings);
    findings
}

/// What is wrong or odd on this machine.
pub fn machine(config: &Config, root: &DeTable<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    empty_globs(config, root, &mut findings);
    state_folder(config, root, &mut findings);
    findings
}

/// What the rooms say about their own parts. They are asked by making what works; nothing is opened but files that
/// hold secrets and certificates.
fn rooms(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let mut place = |prefix: &str, faults: Vec<Fault>| {
        findings.extend(faults.into_iter().map(|fault| placed(root, prefix, fault)));
    };
    place("filter", filter::Filter::new(&config.filters).err().unwrap_or_default());
    place("mask", mask::Masker::new(&config.mask).err().unwrap_or_default());
    for (name, source) in &config.sources {
        let faults = match source {
            Source::File(config) | Source::Stdin(config) => config.faults(),
            Source::Docker(config) => Docker::new(config, name.as_str().into()).err().unwrap_or_default(),
        };
        place(&format!("source.{name}"), faults);
    }
    for (name, one) in &config.outputs {
        let prefix = format!("output.{name}");
        let metrics = Arc::new(Metrics::default());
        place(&prefix, output::Encoder::new(&one.output).err().unwrap_or_default());
        place(&prefix, one.pack.check());
        place(&prefix, Destination::new(name, &one.output, &one.ship, None, metrics).err().unwrap_or_default());
        if let Some(when) = &one.when {
            place(&format!("{prefix}.when"), filter::Condition::new(when).err().unwrap_or_default());
        }
    }
}

fn placed(root: &DeTable<'_>, prefix: &str, fault: Fault) -> Finding {
    let path = if fault.key.is_empty() { prefix.to_owned() } else { format!("{prefix}.{}", fault.key) };
    let lacks_subject = VERBS.iter().any(|verb| fault.message.starts_with(verb)) && !fault.key.is_empty();
    let message = if lacks_subject { format!("`{}` {}", fault.key, fault.message) } else { fault.message };
    Finding { hint: fault.hint, ..Finding::error(tree::locate(root, &path), message) }
}

/// How rooms begin what they say about the key that they name beside it.
const VERBS: [&str; 5] = ["has no ", "is ", "means ", "must ", "holds "];

fn destination(root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let misspelt = || root.keys().any(|key| key.get_ref() != "output" && nearest(key.get_ref(), ["output"]).is_some());
    let outputs = root.get("output").and_then(|value| value.get_ref().as_table());
    if outputs.is_some_and(|table| !table.is_empty()) || misspelt() {
        return;
    }
    let hint = "write a table such as [output.store] with type = \"elasticsearch\" and url = \"http://127.0.0.1:9200\"";
    findings.push(Finding::error(0..0, "no destination: there is no [output.NAME]").hint(hint));
}

/// Names become metric labels, file names and parts of ids.
fn names(root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    for section in ["source", "output"] {
        let table = root.get(section).and_then(|value| value.get_ref().as_table());
        for (name, _) in table.into_iter().flatten() {
            if name.get_ref().is_empty() || !name.get_ref().bytes().all(is_plain) {
                let message = format!("`{}` cannot be the name of {} {section}", name.get_ref(), article(section));
                findings.push(Finding::error(name.span(), message).hint("use a-z, 0-9, _ and - only"));
            }
        }
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with('o') { "an" } else { "a" }
}

/// A file source without a glob would read nothing, for ever, and say nothing.
fn needs(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    for (name, source) in &config.sources {
        let is_written = tree::get(root, &format!("source.{name}.include")).is_some();
        if !is_written && matches!(source, Source::File(file) if file.include.is_empty()) {
            let fault = Finding::error(tree::locate(root, &format!("source.{name}")), "`include` is missing");
            findings.push(fault.hint("write include = [\"/var/log/app/*.log\"]"));
        }
    }
}

/// A zone that no one knows would be read as UTC.
fn timezones(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    for (name, source) in config.sources.iter().filter(|(_, source)| !decode::is_timezone(source.timezone())) {
        let span = tree::locate(root, &format!("source.{name}.timezone"));
        let fault = Finding::error(span, format!("there is no time zone `{}`", source.timezone()));
        findings.push(fault.hint("write \"local\", \"utc\" or an IANA name such as \"Europe/Berlin\""));
    }
}

fn line_limits(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let limit = config.agent.memory.0 / LINE_SHARE;
    for (name, source) in config.sources.iter().filter(|(_, source)| source.max_line().0 > limit) {
        let path = format!("source.{name}.max_line");
        let written = tree::get(root, &path).is_some();
        let span = tree::locate(root, if written { &path } else { "agent.memory" });
        let message = format!("a line of {} does not fit: the limit is an eighth of `agent.memory`", source.max_line());
        let enough = Size(source.max_line().0.saturating_mul(LINE_SHARE));
        let hint = format!("give the agent {enough} of memory, or the source a lower `max_line`");
        findings.push(Finding::error(span, message).hint(hint));
    }
}

fn one_file_each(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<&Path, &str> = BTreeMap::new();
    for (name, one) in &config.outputs {
        let Some(path) = one.ship.path.as_deref() else { continue };
        if let Some(other) = seen.insert(path, name) {
            let span = tree::locate(root, &format!("output.{name}.path"));
            findings.push(Finding::error(span, format!("output `{other}` writes to the same file")));
        }
    }
}

/// Standard input can be read once, and two writers would mix their lines on standard output.
fn one_pipe_each(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let inputs = config.sources.iter().filter(|(_, one)| matches!(one, Source::Stdin(_)));
    let outputs = config.outputs.iter().filter(|(_, one)| one.output.kind == output::Kind::Stdout);
    let inputs = inputs.map(|(name, _)| format!("source.{name}.type"));
    let outputs = outputs.map(|(name, _)| format!("output.{name}.type"));
    let again = inputs
        .skip(1)
        .map(|path| (path, "source", "input"))
        .chain(outputs.skip(1).map(|path| (path, "output", "output")));
    for (path, what, pipe) in again {
        let message = format!("another {what} has standard {pipe} already");
        findings.push(Finding::error(tree::locate(root, &path), message).hint(format!("keep one {what} of this type")));
    }
}

/// What of `[mask]` can never do anything.
fn idle_masking(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let odd = config.mask.oddities().into_iter().map(|fault| placed(root, "mask", fault));
    findings.extend(odd.map(|finding| Finding { severity: Severity::Warning, ..finding }));
    for name in config.mask.source.keys().filter(|name| !config.sources.contains_key(*name)) {
        let span = tree::locate(root, &format!("mask.source.{name}"));
        let fault = Finding::error(span, format!("there is no source `{name}`"));
        findings.push(match nearest(name, config.sources.keys().map(String::as_str)) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault,
        });
    }
}

/// Names of indices are seen by more people than records are: they are made of fields after masking.
fn unmasked_names(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let mask = &config.mask;
    let own = mask.source.values().flat_map(|own| &own.except);
    let paths: Vec<&str> = mask.except.iter().chain(own).filter_map(|one| one.strip_prefix("path:")).collect();
    let is_off = !mask.enabled || mask.source.values().any(|own| own.enabled == Some(false));
    for (name, one) in &config.outputs {
        for field in one.output.index.split("{field:").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)) {
            let is_in =
                |path: &&str| field.strip_prefix(*path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let why = match paths.iter().find(|path| is_in(path)) {
                Some(path) => format!("`except` in [mask] has path:{path}"),
                None if is_off => "masking is off".to_owned(),
                None => continue,
            };
            let span = tree::locate(root, &format!("output.{name}.index"));
            let message = format!("the field `{field}` comes into names of indices as it is: {why}");
            findings.push(Finding::warning(span, message).hint("use another field, or let it be masked"));
        }
    }
}

/// Conditions name sources: by name, or by a glob.
fn known_sources(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let filters = (0..config.filters.len()).map(|index| format!("filter[{index}].when"));
    let outputs = config.outputs.keys().map(|name| format!("output.{name}.when"));
    let written = root.get("source").and_then(|value| value.get_ref().as_table());
    let of_file = written.into_iter().flat_map(|table| table.keys().map(|key| key.get_ref().as_ref()));
    let known: Vec<&str> = of_file.chain(config.sources.keys().map(String::as_str)).collect();
    for path in filters.chain(outputs).map(|when| format!("{when}.source")) {
        let names: Vec<(String, &str)> = match tree::get(root, &path) {
            Some(DeValue::String(name)) => vec![(path, name)],
            Some(DeValue::Array(array)) => {
                let texts = array.iter().enumerate().filter_map(|(index, one)| Some((index, one.get_ref().as_str()?)));
                texts.map(|(index, name)| (format!("{path}[{index}]"), name)).collect()
            }
            _ => continue,
        };
        for (path, name) in names.iter().filter(|(_, name)| !known.contains(name) && !is_glob(name)) {
            let fault = Finding::error(tree::locate(root, path), format!("there is no source `{name}`"));
            findings.push(fault.hint(match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("sources here: {}", known.join(", ")),
            }));
        }
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// Options that a type of output has no use for, as far as its rooms do not refuse them.
const IDLE_IN_STORES: &[&str] = &["rotate_bytes", "rotate_every", "keep", "gzip"];
const IDLE_IN_FILES: &[&str] =
    &["tls_cert", "tls_key", "tls_insecure", "timeout", "retry_first", "retry_max", "parked_bytes", "gzip_level"];
/// Options of files that standard input has no use for.
const IDLE_IN_STDIN: &[&str] = &["include", "exclude", "start", "ignore_older", "unfinished_after", "poll"];

fn without_effect(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let mut look = |table: &str, keys: &[&str]| {
        for path in keys.iter().map(|key| format!("{table}.{key}")) {
            if tree::get(root, &path).is_some() {
                let message = "this option has no effect on this type";
                findings.push(Finding::warning(tree::locate(root, &path), message));
            }
        }
    };
    for (name, source) in &config.sources {
        if matches!(source, Source::Stdin(_)) {
            look(&format!("source.{name}"), IDLE_IN_STDIN);
        }
    }
    for (name, one) in &config.outputs {
        let table = format!("output.{name}");
        match one.output.kind {
            output::Kind::File => look(&table, IDLE_IN_FILES),
            output::Kind::Stdout => look(&table, &[IDLE_IN_FILES, IDLE_IN_STORES].concat()),
            output::Kind::Elasticsearch | output::Kind::Opensearch | output::Kind::Loki => look(&table, IDLE_IN_STORES),
        }
    }
}

fn empty_globs(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    for (name, source) in &config.sources {
        let Source::File(file) = source else { continue };
        for (index, pattern) in file.include.iter().enumerate() {
            let span = || tree::locate(root, &format!("source.{name}.include[{index}]"));
            if !matches_any(pattern) {
                let warning = Finding::warning(span(), format!("no file matches `{pattern}` now"));
                let is_folder = Path::new(pattern).is_dir();
                let hint = || format!("it is a folder: write \"{}/*.log\"", pattern.trim_end_matches('/'));
                findings.push(if is_folder { warning.hint(hint()) } else { warning });
            }
        }
    }
}

/// Whether there is a file that the glob matches. `*` stays within a folder, `**` does not. What is no glob is told
/// elsewhere.
fn matches_any(pattern: &str) -> bool {
    let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).build() else { return true };
    let matcher = glob.compile_matcher();
    let parts = Path::new(pattern).components();
    let fixed: PathBuf = parts.take_while(|part| !is_glob(&part.as_os_str().to_string_lossy())).collect();
    let mut files = WalkDir::new(fixed).follow_links(true).into_iter().filter_map(Result::ok);
    files.any(|entry| entry.file_type().is_file() && matcher.is_match(entry.path()))
}

/// Only a warning: the file may be checked by another user than the one that the agent runs as.
fn state_folder(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let Some(folder) = &config.agent.state_dir else { return };
    let Some(existing) = folder.ancestors().find(|path| path.exists()) else { return };
    let span = tree::locate(root, "agent.state_dir");
    if !existing.is_dir() {
        findings.push(Finding::error(span, format!("cannot use {}: it is not a folder", existing.display())));
    } else if access(existing, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let message = format!("this user cannot write to {}, where the state is kept", existing.display());
        findings.push(Finding::warning(span, message).hint("the agent must be able to: set `state_dir`, or its owner"));
    }
}
