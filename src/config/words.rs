//! serde's words into ours, and the nearest known name. Finds no places; `load` does.

/// What is wrong, and the remedy where there is one.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Lower case, no full stop. Never the value itself: it may be a secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Similarity from which a name is taken for a slip of another (Jaro-Winkler, 0 to 1).
const NEAR: f64 = 0.82;

/// The one of `known` that `given` was probably meant to be.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&given, name);
    known
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// A key that no one knows.
pub fn unknown_key(given: &str, known: &[&str]) -> Words {
    unknown("key", given, known)
}

fn unknown(what: &str, given: &str, known: &[&str]) -> Words {
    let hint = match nearest(given, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "nothing can be written here".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    };
    Words { message: format!("unknown {what} `{given}`"), hint: Some(hint) }
}

/// One of serde's messages, told as people talk.
pub fn from_serde(message: &str) -> Words {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let (Some(given), true) = (quoted.first(), message.starts_with("unknown field")) {
        return unknown_key(given, &quoted[1..]);
    }
    if let (Some(given), true) = (quoted.first(), message.starts_with("unknown variant")) {
        return unknown("value", given, &quoted[1..]);
    }
    if let (Some(name), true) = (quoted.first(), message.starts_with("missing field")) {
        return Words { message: format!("`{name}` is missing"), hint: None };
    }
    if let Some((given, wanted)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        return Words { message: format!("expected {}, found {}", wanted_kind(wanted), given_kind(given)), hint: None };
    }
    if let Some((_, wanted)) = message.strip_prefix("invalid value: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        return Words { message: format!("value out of range: expected {}", wanted_kind(wanted)), hint: None };
    }
    if let Some((wrong, remedy)) = message.split_once(": write ") {
        return Words { message: wrong.to_owned(), hint: Some(format!("write {remedy}")) };
    }
    Words { message: message.to_owned(), hint: None }
}

/// serde says `string "…"` with the value, `integer `5``, `sequence`, `map`: only the kind is told.
fn given_kind(given: &str) -> &'static str {
    match given.split_whitespace().next().unwrap_or_default() {
        "string" => "a string",
        "integer" => "an integer",
        "floating" => "a fraction",
        "boolean" => "a boolean",
        "sequence" => "a list",
        "map" => "a table",
        _ => "something else",
    }
}

fn wanted_kind(wanted: &str) -> &str {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "a table",
        "path string" => "a path in quotes",
        other if other.starts_with("a nonzero") => "a whole number, 1 or more",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_name_and_strangers_none() {
        let known = ["include", "exclude", "ignore_older", "max_line"];
        for (given, expected) in [
            ("inlcude", Some("include")),
            ("Include", Some("include")),
            ("exclud", Some("exclude")),
            ("maxline", Some("max_line")),
            ("ignore-older", Some("ignore_older")),
            ("zzz", None),
        ] {
            assert_eq!(nearest(given, known), expected, "{given}");
        }
    }

    #[test]
    fn serde_is_told_as_people_talk_and_without_the_value() {
        let check = |said: &str, message: &str, hint: Option<&str>| {
            assert_eq!(from_serde(said), Words { message: message.to_owned(), hint: hint.map(str::to_owned) });
        };
        check("unknown field `a_x`, expected `a_b` or `c`", "unknown key `a_x`", Some("did you mean `a_b`?"));
        check("unknown field `q`, expected one of `a`, `b`", "unknown key `q`", Some("known here: a, b"));
        check("unknown field `q`, there are no fields", "unknown key `q`", Some("nothing can be written here"));
        check("unknown variant `jsn`, expected `text` or `json`", "unknown value `jsn`", Some("did you mean `json`?"));
        check("missing field `regex`", "`regex` is missing", None);
        check(
            "invalid type: string \"hunter2, expected x\", expected u64",
            "expected a whole number, 0 or more, found a string",
            None,
        );
        check(
            "invalid value: integer `-1`, expected u32",
            "value out of range: expected a whole number, 0 or more",
            None,
        );
        check("not a size: write bytes", "not a size", Some("write bytes"));
    }
}
