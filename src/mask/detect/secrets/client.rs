//! Passwords in options of one letter, of clients that are known to have them: `mysql -pSECRET`, `curl -u bob:SECRET`.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::named::{is_harmless, word_end};
use crate::mask::detect::Found;
use crate::mask::detect::edges::starts_word;
use crate::mask::keys::Keys;

/// An option stands at most so many bytes behind its client's name.
const LONGEST_LINE: usize = 512;

/// How an option has its password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `-pSECRET`: after a space it is no password.
    Glued,
    /// `-p SECRET` or `-pSECRET`.
    Either,
    /// `-u NAME:SECRET`: the name stays.
    Pair,
}

/// A client's name, its option, and the manual that says so.
static CLIENTS: [(&str, &str, Form); 13] = [
    // dev.mysql.com/doc/refman, 6.2.4; mariadb.com/kb.
    ("mysql", "-p", Form::Glued),
    ("mysqldump", "-p", Form::Glued),
    ("mysqladmin", "-p", Form::Glued),
    ("mariadb", "-p", Form::Glued),
    ("mariadb-dump", "-p", Form::Glued),
    // sshpass(1).
    ("sshpass", "-p", Form::Either),
    // redis.io/docs/latest/develop/tools/cli.
    ("redis-cli", "-a", Form::Either),
    // mongodb.com/docs/mongodb-shell.
    ("mongo", "-p", Form::Either),
    ("mongosh", "-p", Form::Either),
    // docs.docker.com/reference/cli/docker/login.
    ("docker login", "-p", Form::Either),
    // learn.microsoft.com/sql/tools/sqlcmd.
    ("sqlcmd", "-P", Form::Either),
    // ldapsearch(1).
    ("ldapsearch", "-w", Form::Either),
    // curl(1).
    ("curl", "-u", Form::Pair),
];

/// The same names, as a first look sees them.
pub(super) const NAMES: &[&str] = &[
    "mysql ",
    "mysqldump ",
    "mysqladmin ",
    "mariadb ",
    "mariadb-dump ",
    "sshpass ",
    "redis-cli ",
    "mongo ",
    "mongosh ",
    "docker login ",
    "sqlcmd ",
    "ldapsearch ",
    "curl ",
];

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let names = CLIENTS.iter().map(|(name, ..)| name);
    let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(names);
    built.expect("a few names make a small automaton")
});

/// A client's name that is a word.
pub(super) fn is_place(bytes: &[u8], at: usize) -> bool {
    starts_word(bytes, at)
}

/// All passwords in options.
pub(super) fn find(text: &str, _: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    let mut free = 0;
    for hit in FINDER.find_iter(bytes) {
        let (_, option, form) = CLIENTS[hit.pattern().as_usize()];
        if hit.start() < free || bytes.get(hit.end()) != Some(&b' ') || !starts_word(bytes, hit.start()) {
            continue;
        }
        if let Some((start, end)) = password(bytes, hit.end(), option.as_bytes(), form) {
            found.push(start, end);
            free = end;
        }
    }
}

/// The password behind the first `option` in the rest of a command.
fn password(bytes: &[u8], from: usize, option: &[u8], form: Form) -> Option<(usize, usize)> {
    let rest = &bytes[from..bytes.len().min(from + LONGEST_LINE)];
    let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'|' | b';')).unwrap_or(rest.len());
    let words = rest[..length].windows(option.len() + 1);
    let at = from + words.enumerate().find(|(_, word)| word[0] == b' ' && &word[1..] == option)?.0 + 1 + option.len();
    let spaces = bytes[at..].iter().take_while(|&&byte| byte == b' ').count();
    if spaces > 0 && form == Form::Glued {
        return None;
    }
    let mark = bytes.get(at + spaces).filter(|byte| matches!(byte, b'"' | b'\''));
    let start = at + spaces + usize::from(mark.is_some());
    let end = match mark {
        Some(mark) => start + memchr::memchr(*mark, &bytes[start..])?,
        None => word_end(bytes, start),
    };
    let start = match form {
        Form::Pair => start + memchr::memchr(b':', &bytes[start..end])? + 1,
        _ => start,
    };
    (start < end && bytes[start] != b'-' && !is_harmless(&bytes[start..end])).then_some((start, end))
}
