//! Which index a record goes to: the user's pattern, filled in and made valid. Does not create indices.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::base::fault::Fault;
use crate::base::records::Key;
use crate::mask::{MaskedFields, MaskedRecord};

use super::super::config::Config;
use super::super::json::head;

/// Not `logs-*`: Elasticsearch has a template of its own for that, which makes data streams.
pub(in super::super) const DEFAULT_INDEX: &str = "logferry-{service_name}-{time:%Y.%m.%d}";
/// A data stream has no date in its name: the store rolls it over.
const DEFAULT_DATA_STREAM: &str = "logferry-{service_name}";
/// The fixed fields that a pattern may name: those that all records of a source share.
const FIELDS: [Key; 6] =
    [Key::ContainerName, Key::ServiceName, Key::HostName, Key::SourceName, Key::Stream, Key::Filename];
/// What `{time:…}` may ask for: nothing finer than an hour.
const DIRECTIVES: &str = "YymdjHGVu";
/// The longest name, in bytes: elastic.co, "Create index API", path parameters.
const NAME_LIMIT: usize = 255;
/// The longest part of a name that a field's value may take, so that the date after it stays.
const VALUE_LIMIT: usize = 100;
/// Stands for a field that a record lacks.
const ABSENT: &str = "none";

/// A pattern, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Pattern {
    parts: Vec<Part>,
    /// Whether any part is taken from the record itself.
    has_own: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(Key),
    /// The normalised level.
    Level,
    /// The application's own field at this path.
    Own(String),
    /// An strftime format, in UTC.
    Time(String),
}

impl Pattern {
    /// # Errors
    /// All faults of the pattern; key `index`.
    pub(in super::super) fn new(config: &Config) -> Result<Self, Vec<Fault>> {
        let is_unsaid = config.data_stream && config.index == DEFAULT_INDEX;
        let text = if is_unsaid { DEFAULT_DATA_STREAM } else { &config.index };
        let (parts, mut faults) = parse(text);
        if text.is_empty() {
            faults.push(fault("is empty").hint(format!("for example \"{DEFAULT_INDEX}\"")));
        }
        if config.data_stream && parts.iter().any(|part| matches!(part, Part::Time(_))) {
            faults
                .push(fault("a data stream has no date in its name").hint("remove {time:…}: the store rolls it over"));
        }
        let has_own = parts.iter().any(|part| matches!(part, Part::Level | Part::Own(_)));
        if faults.is_empty() { Ok(Self { parts, has_own }) } else { Err(faults) }
    }

    /// Appends what the name takes from the record itself: where two records of a source have that in common, and the
    /// hour, they have the index in common. Nothing for most patterns.
    pub(super) fn push_own(&self, one: &MaskedRecord<'_>, out: &mut String) {
        for part in self.parts.iter().filter(|_| self.has_own) {
            if let Some(value) = own(part, one) {
                out.push_str(&value);
                out.push('\0');
            }
        }
    }

    /// Appends the name for a record, its source's fields and a time in seconds since 1970. It needs no JSON escapes.
    pub(super) fn push(&self, one: &MaskedRecord<'_>, fields: &MaskedFields, seconds: i64, out: &mut Vec<u8>) {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => push_valid(text, NAME_LIMIT, &mut name),
                Part::Field(key) => push_valid(fields.get(*key).unwrap_or(ABSENT), VALUE_LIMIT, &mut name),
                Part::Level | Part::Own(_) => {
                    push_valid(&own(part, one).unwrap_or_default(), VALUE_LIMIT, &mut name);
                }
                Part::Time(format) => push_time(format, seconds, &mut name),
            }
        }
        let name = head(&name, NAME_LIMIT).trim_start_matches(['-', '_', '+', '.']);
        out.extend_from_slice(if name.is_empty() { "logferry" } else { name }.as_bytes());
    }

    /// The names that the pattern can make, with `*` for what varies. `None` where that would claim names of others:
    /// without a beginning of its own.
    pub(super) fn wildcard(&self) -> Option<String> {
        let Some(Part::Literal(_)) = self.parts.first() else { return None };
        let mut names = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => push_valid(text, NAME_LIMIT, &mut names),
                _ if names.ends_with('*') => {}
                _ => names.push('*'),
            }
        }
        Some(names)
    }
}

/// What a part takes from the record itself.
fn own<'a>(part: &Part, one: &MaskedRecord<'a>) -> Option<Cow<'a, str>> {
    let value = match part {
        Part::Level => one.record.level.map(|level| Cow::Borrowed(level.name())),
        Part::Own(path) => one.record.shape.field(one.text, path).filter(|value| !value.is_empty()),
        _ => return None,
    };
    Some(value.unwrap_or(Cow::Borrowed(ABSENT)))
}

fn fault(message: impl Into<String>) -> Fault {
    Fault::new("index", message)
}

fn parse(text: &str) -> (Vec<Part>, Vec<Fault>) {
    let (mut parts, mut faults) = (Vec::new(), Vec::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (literal, after) = rest.split_once('{').unwrap_or((rest, ""));
        if !literal.is_empty() {
            faults.extend(check_literal(literal, parts.is_empty()));
            parts.push(Part::Literal(literal.to_owned()));
        }
        if literal.len() == rest.len() {
            break;
        }
        let Some((inside, after)) = after.split_once('}') else {
            faults.push(fault("a `{` is not closed"));
            break;
        };
        match placeholder(inside) {
            Ok(part) => parts.push(part),
            Err(fault) => faults.push(fault),
        }
        rest = after;
    }
    (parts, faults)
}

fn check_literal(literal: &str, is_first: bool) -> Option<Fault> {
    if let Some(wrong) = literal.chars().find(|character| is_forbidden(*character)) {
        return Some(fault(format!("{wrong:?} cannot be in the name of an index")));
    }
    if is_first && literal.starts_with(['-', '_', '+', '.']) {
        return Some(fault("the name of an index cannot begin with `-`, `_`, `+` or `.`"));
    }
    None
}

fn placeholder(inside: &str) -> Result<Part, Fault> {
    if let Some(format) = inside.strip_prefix("time:") {
        return check_time(format).map(|()| Part::Time(format.to_owned()));
    }
    if inside == Key::Level.name() {
        return Ok(Part::Level);
    }
    if let Some(path) = inside.strip_prefix("field:") {
        let empty = || fault("{field:} names no field").hint("for example {field:tenant} or {field:http.host}");
        return if path.is_empty() { Err(empty()) } else { Ok(Part::Own(path.to_owned())) };
    }
    match Key::parse(inside).filter(|key| FIELDS.contains(key)) {
        Some(key) => Ok(Part::Field(key)),
        None => {
            let known = FIELDS.map(|key| format!("{{{}}}", key.name())).join(", ");
            Err(fault(format!("there is no {{{inside}}}"))
                .hint(format!("{{time:%Y.%m.%d}}, {known}, {{level}}, {{field:NAME}}")))
        }
    }
}

fn check_time(format: &str) -> Result<(), Fault> {
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            continue;
        }
        if !letters.next().is_some_and(|directive| DIRECTIVES.contains(directive)) {
            let known = DIRECTIVES.chars().map(|one| format!("%{one}")).collect::<Vec<_>>().join(" ");
            return Err(fault(format!("`{format}` is not a time format for an index")).hint(known));
        }
    }
    Ok(())
}

/// What an index name cannot hold (elastic.co, "Create index API", path parameters), and control characters.
fn is_forbidden(character: char) -> bool {
    character.is_control() || character.is_whitespace() || "\\/*?\"<>|,#:".contains(character)
}

fn push_valid(text: &str, limit: usize, name: &mut String) {
    let end = name.len() + limit;
    for character in text.chars().flat_map(char::to_lowercase) {
        if name.len() + character.len_utf8() > end {
            return;
        }
        name.push(if is_forbidden(character) { '-' } else { character });
    }
}

fn push_time(format: &str, seconds: i64, name: &mut String) {
    let Ok(time) = Timestamp::from_second(seconds) else { return };
    push_valid(&time.to_zoned(TimeZone::UTC).strftime(format).to_string(), NAME_LIMIT, name);
}
