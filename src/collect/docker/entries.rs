//! The bytes of the engine's json-file to messages, the same that `frames` finds in a `logs` body. Opens no file, joins
//! nothing and keeps no text.
//!
//! One line is one message: `{"log":"text\n","stream":"stdout","time":"2026-11-25T22:49:01.107036897Z"}`, with `"attrs":{…}`
//! before the time where the log's options ask for it (`daemon/logger/jsonfilelog` of the engine). A text without `\n`
//! at its end is a part of a longer line.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};
use serde::Deserialize;

use super::frames::{Step, parse_stamp};
use crate::base::json::unescape_into;
use crate::base::source::Stream;

/// How far some bytes were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Bytes up to the last end of line, which are done with.
    pub bytes: usize,
    /// Of these, bytes in lines that are no message: torn by a crash of the engine, or by somebody else.
    pub broken_bytes: u64,
}

/// Tells the messages of all whole lines in `bytes`. `text` is a buffer to unescape in.
pub fn walk(bytes: &[u8], text: &mut String, tell: &mut impl FnMut(Step<'_>)) -> Walked {
    let mut walked = Walked::default();
    while let Some(length) = memchr(b'\n', &bytes[walked.bytes..]) {
        let line = &bytes[walked.bytes..walked.bytes + length];
        walked.bytes += length + 1;
        if as_written(line, text, tell).or_else(|| as_json(line, tell)).is_none() {
            walked.broken_bytes += size_of_broken(line);
        }
    }
    walked
}

/// Bytes of a broken line that may have been somebody's. Zeros are none: they are the hole that is left where a file
/// was truncated behind the engine's back.
pub fn size_of_broken(line: &[u8]) -> u64 {
    line.iter().filter(|byte| **byte != 0).count() as u64
}

/// Reads a line as the engine writes it: these keys, in this order, without spaces.
fn as_written(line: &[u8], text: &mut String, tell: &mut impl FnMut(Step<'_>)) -> Option<()> {
    let line = line.strip_prefix(b"{\"log\":\"")?;
    let (end, escape) = string_end(line)?;
    let (inside, rest) = line.split_at(end);
    let (stream, rest) = stream(rest.strip_prefix(b"\",\"stream\":\"")?)?;
    let attributes = memmem::rfind(rest, b",\"time\":\"")?;
    if attributes > 0 && !rest.starts_with(b",\"attrs\":{") {
        return None;
    }
    let stamp = rest[attributes..].strip_prefix(b",\"time\":\"")?.strip_suffix(b"\"}")?;
    let ns = parse_stamp(stamp)?;
    match escape {
        None => message(stream, ns, &[inside], tell),
        // The newline at its end is as a rule the only one.
        Some(at) if at + 2 == end && inside.ends_with(b"\\n") => message(stream, ns, &[&inside[..at], b"\n"], tell),
        Some(_) => {
            text.clear();
            unescape_into(simdutf8::basic::from_utf8(inside).ok()?, text)?;
            message(stream, ns, &[text.as_bytes()], tell);
        }
    }
    Some(())
}

/// Where the string ends whose inside `bytes` begins with, and its first backslash.
fn string_end(bytes: &[u8]) -> Option<(usize, Option<usize>)> {
    let mut at = 0;
    let mut first_escape = None;
    loop {
        at += memchr2(b'"', b'\\', &bytes[at..])?;
        if bytes[at] == b'"' {
            return Some((at, first_escape));
        }
        first_escape = first_escape.or(Some(at));
        at += 2;
        if at > bytes.len() {
            return None;
        }
    }
}

fn stream(rest: &[u8]) -> Option<(Stream, &[u8])> {
    let out = rest.strip_prefix(b"stdout\"").map(|rest| (Stream::Stdout, rest));
    out.or_else(|| rest.strip_prefix(b"stderr\"").map(|rest| (Stream::Stderr, rest)))
}

/// A line as another writer of the same format may have it.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

fn as_json(line: &[u8], tell: &mut impl FnMut(Step<'_>)) -> Option<()> {
    let zeros = line.iter().take_while(|byte| **byte == 0).count();
    let entry: Entry<'_> = serde_json::from_slice(&line[zeros..]).ok()?;
    let stream = match &*entry.stream {
        "stdout" => Stream::Stdout,
        "stderr" => Stream::Stderr,
        _ => return None,
    };
    message(stream, parse_stamp(entry.time.as_bytes())?, &[entry.log.as_bytes()], tell);
    Some(())
}

fn message(stream: Stream, ns: u64, pieces: &[&[u8]], tell: &mut impl FnMut(Step<'_>)) {
    tell(Step::Begin(stream, Some(ns)));
    pieces.iter().for_each(|piece| tell(Step::Text(piece)));
    tell(Step::End);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NS: u64 = 1_795_355_249_000_000_007;

    /// Texts as (stream, ns, text), and what was walked.
    fn messages(bytes: &[u8]) -> (Vec<(Stream, u64, String)>, Walked) {
        let mut told: Vec<(Stream, u64, String)> = Vec::new();
        let walked = walk(bytes, &mut String::new(), &mut |step| match step {
            Step::Begin(stream, ns) => told.push((stream, ns.unwrap(), String::new())),
            Step::Text(text) => told.last_mut().unwrap().2.push_str(std::str::from_utf8(text).unwrap()),
            Step::End => {}
        });
        (told, walked)
    }

    #[test]
    fn a_line_is_one_message_however_it_is_written() {
        let time = "\"time\":\"2026-11-22T13:47:29.000000007Z\"";
        for (line, stream, text) in [
            (format!(r#"{{"log":"plain\n","stream":"stdout",{time}}}"#), Stream::Stdout, "plain\n"),
            (format!(r#"{{"log":"a part","stream":"stderr",{time}}}"#), Stream::Stderr, "a part"),
            (format!(r#"{{"log":"\n","stream":"stdout",{time}}}"#), Stream::Stdout, "\n"),
            (format!(r#"{{"log":"not an end\\n","stream":"stdout",{time}}}"#), Stream::Stdout, "not an end\\n"),
            (format!(r#"{{"log":"\\\n","stream":"stdout",{time}}}"#), Stream::Stdout, "\\\n"),
            (
                format!(r#"{{"log":"{{\"a\":\"\u003cb\u003e\u2028\ufffd\"}}\r\n","stream":"stdout",{time}}}"#),
                Stream::Stdout,
                "{\"a\":\"<b>\u{2028}\u{fffd}\"}\r\n",
            ),
            (
                format!(r#"{{"log":"x\n","stream":"stderr","attrs":{{"time":"1","b":"}}"}},{time}}}"#),
                Stream::Stderr,
                "x\n",
            ),
            (format!(r#"{{ "stream":"stderr", {time}, "log":"\u0078\n" }}"#), Stream::Stderr, "x\n"),
            (format!(r#"{{"stream":"stdout",{time}}}"#), Stream::Stdout, ""),
            (
                format!("\0\0{{\"log\":\"after a hole\\n\",\"stream\":\"stdout\",{time}}}"),
                Stream::Stdout,
                "after a hole\n",
            ),
        ] {
            let (told, walked) = messages(format!("{line}\n").as_bytes());
            assert_eq!(told, [(stream, NS, text.to_owned())], "{line}");
            assert_eq!(walked, Walked { bytes: line.len() + 1, broken_bytes: 0 }, "{line}");
        }
    }

    #[test]
    fn what_is_torn_is_passed_over_and_counted() {
        let whole = r#"{"log":"x\n","stream":"stdout","time":"2026-11-22T13:47:29.000000007Z"}"#;
        for torn in [
            &whole[..20],
            r#"{"log":"abc{"log":"x\n","stream":"stdout","time":"2026-11-22T13:47:29.000000007Z"}"#,
            r#"{"log":"x\n","stream":"stdin","time":"2026-11-22T13:47:29.000000007Z"}"#,
            r#"{"log":"x\n","stream":"stdout","time":"yesterday"}"#,
            r#"{"log":"x\"#,
            r#"{"log":"\x","stream":"stdout","time":"2026-11-22T13:47:29.000000007Z"}"#,
        ] {
            let (told, walked) = messages(format!("{whole}\n{torn}\n{whole}\nunfinished").as_bytes());
            assert_eq!(told.len(), 2, "{torn}");
            let bytes = whole.len() * 2 + torn.len() + 3;
            assert_eq!(walked, Walked { bytes, broken_bytes: torn.len() as u64 }, "{torn}");
        }
        assert_eq!(messages(b"\0\0\0\n").1, Walked { bytes: 4, broken_bytes: 0 });
    }
}
