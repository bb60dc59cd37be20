//! Rules that span rooms, and a look at the machine. Each rule adds findings; none changes anything.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use rustix::fs::{Access, access};
use toml::de::{DeTable, DeValue};
use walkdir::WalkDir;

use super::faults::Finding;
use super::words::nearest;
use super::{Config, Source, tree};
use crate::base::fault::Fault;
use crate::{filter, mask, output};

/// A line may take at most this part of the memory budget.
const LINE_SHARE: u64 = 8;

/// What is wrong or odd in what was written, as far as the text tells.
pub fn rules(config: &Config, root: &DeTable<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    rooms(config, root, &mut findings);
    destination(root, &mut findings);
    names(root, &mut findings);
    needs(config, root, &mut findings);
    line_limits(config, root, &mut findings);
    one_file_each(config, root, &mut findings);
    known_sources(config, root, &mut findings);
    without_effect(config, root, &mut findings);
    findings
}

/// What is wrong or odd on this machine.
pub fn machine(config: &Config, root: &DeTable<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    secret_files(root, &mut findings);
    empty_globs(config, root, &mut findings);
    state_folder(config, root, &mut findings);
    findings
}

/// What the rooms say about their own parts.
fn rooms(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let mut place = |prefix: &str, faults: Vec<Fault>| {
        findings.extend(faults.into_iter().map(|fault| placed(root, prefix, fault)));
    };
    place("filter", filter::Filter::new(&config.filters).err().unwrap_or_default());
    place("mask", mask::Masker::new(&config.mask).err().unwrap_or_default());
    for (name, one) in &config.outputs {
        let prefix = format!("output.{name}");
        place(&prefix, output::Encoder::new(&one.output).err().unwrap_or_default());
        if let Some(when) = &one.when {
            place(&format!("{prefix}.when"), filter::Condition::new(when).err().unwrap_or_default());
        }
        if one.pack.gzip_level > 9 {
            let fault = Fault::new("gzip_level", "value out of range: expected 0 to 9");
            place(&prefix, vec![fault.hint("0 does not compress, 1 is quick, 9 is small")]);
        }
    }
}

fn placed(root: &DeTable<'_>, prefix: &str, fault: Fault) -> Finding {
    let span = tree::locate(root, &format!("{prefix}.{}", fault.key));
    Finding { hint: fault.hint, ..Finding::error(span, fault.message) }
}

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

/// Keys without which a type cannot work.
fn needs(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let mut need = |path: String, key: &str, hint: &str| {
        if tree::get(root, &format!("{path}.{key}")).is_none() {
            let fault = Finding::error(tree::locate(root, &path), format!("`{key}` is missing"));
            findings.push(fault.hint(format!("write {hint}")));
        }
    };
    for (name, one) in &config.outputs {
        let path = format!("output.{name}");
        match one.output.kind {
            output::Kind::Elasticsearch | output::Kind::Opensearch => need(path, "url", "url = \"http://127.0.0.1:9200\""),
            output::Kind::Loki => need(path, "url", "url = \"http://127.0.0.1:3100\""),
            output::Kind::File => need(path, "path", "path = \"/var/log/logferry.ndjson\""),
            output::Kind::Stdout => {}
        }
    }
    for (name, _) in config.sources.iter().filter(|(_, source)| matches!(source, Source::File(_))) {
        need(format!("source.{name}"), "include", "include = [\"/var/log/app/*.log\"]");
    }
}

fn line_limits(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let limit = config.agent.memory.0 / LINE_SHARE;
    for (name, source) in config.sources.iter().filter(|(_, source)| source.max_line().0 > limit) {
        let path = format!("source.{name}.max_line");
        let written = tree::get(root, &path).is_some();
        let span = tree::locate(root, if written { &path } else { "agent.memory" });
        let message = format!("a line of {} does not fit: the limit is an eighth of `agent.memory`", source.max_line());
        let enough = crate::base::quantity::Size(source.max_line().0.saturating_mul(LINE_SHARE));
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

/// Options of `ship` and `pack` that a type of output has no use for.
const IDLE: &[(&[output::Kind], &[&str])] = &[
    (
        &[output::Kind::Stdout, output::Kind::File],
        &["url", "username", "password", "api_key", "bearer", "tenant", "tls_ca", "tls_cert", "tls_key", "timeout"],
    ),
    (&[output::Kind::Elasticsearch, output::Kind::Opensearch], &["tenant"]),
    (&[output::Kind::Loki], &["api_key"]),
    (
        &[output::Kind::Elasticsearch, output::Kind::Opensearch, output::Kind::Loki, output::Kind::Stdout],
        &["path", "rotate_bytes", "rotate_every", "keep"],
    ),
];

fn without_effect(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    for (name, one) in &config.outputs {
        let idle = IDLE.iter().filter(|(kinds, _)| kinds.contains(&one.output.kind)).flat_map(|(_, keys)| *keys);
        for key in idle {
            let path = format!("output.{name}.{key}");
            if tree::get(root, &path).is_some() {
                let message = format!("`{key}` has no effect on this type of output");
                findings.push(Finding::warning(tree::locate(root, &path), message));
            }
        }
    }
}

/// Secrets are written as `{ file = "…" }`.
fn secret_files(root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    let outputs = root.get("output").and_then(|value| value.get_ref().as_table());
    for (_, output) in outputs.into_iter().flatten() {
        for (_, value) in output.get_ref().as_table().into_iter().flatten() {
            let Some(file) = value.get_ref().as_table().and_then(|table| table.get("file")) else { continue };
            let Some(path) = file.get_ref().as_str() else { continue };
            if let Err(cause) = File::open(path) {
                findings.push(Finding::error(file.span(), format!("cannot read {path}: {cause}")));
            }
        }
    }
}

fn empty_globs(config: &Config, root: &DeTable<'_>, findings: &mut Vec<Finding>) {
    for (name, source) in &config.sources {
        let Source::File(file) = source else { continue };
        for (index, pattern) in file.include.iter().enumerate() {
            let span = || tree::locate(root, &format!("source.{name}.include[{index}]"));
            match matches_any(pattern) {
                Ok(true) => {}
                Ok(false) => findings.push(Finding::warning(span(), format!("no file matches `{pattern}` now"))),
                Err(cause) => findings.push(Finding::error(span(), format!("not a glob: {cause}"))),
            }
        }
    }
}

/// Whether there is a file that the glob matches. `*` stays within a folder, `**` does not.
fn matches_any(pattern: &str) -> Result<bool, String> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let matcher = glob.map_err(|error| error.kind().to_string())?.compile_matcher();
    let fixed: PathBuf = Path::new(pattern).components().take_while(|part| !is_glob(&part.as_os_str().to_string_lossy())).collect();
    let mut files = WalkDir::new(fixed).follow_links(true).into_iter().filter_map(Result::ok);
    Ok(files.any(|entry| entry.file_type().is_file() && matcher.is_match(entry.path())))
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
