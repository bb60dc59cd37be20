//! Passwords in URLs, `scheme://user:password@host`. The user and the host stay; query parameters are `secret`'s.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::mask::detect::{Found, is_tag};
use crate::mask::keys::Keys;

static AFTER_SCHEME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"://"));

/// An `@` with a `:/`, its slash perhaps escaped, in the same word and not behind another `@`.
pub(super) fn is_place(bytes: &[u8], at: usize) -> bool {
    let word = bytes[..at].rsplit(|&byte| matches!(byte, b'"' | b'@') || byte.is_ascii_whitespace()).next();
    word.is_some_and(|word| word.windows(2).any(|two| matches!(two, b":/" | b":\\")))
}

/// All passwords.
pub(super) fn find(text: &str, _: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    let mut schemes = AFTER_SCHEME.find_iter(bytes).peekable();
    while let Some(at) = schemes.next() {
        let start = at + 3;
        let limit = schemes.peek().copied().unwrap_or(bytes.len());
        let length = bytes[start.min(limit)..limit].iter().take_while(|&&byte| !ends_url(byte)).count();
        if let Some((from, to)) = password(&bytes[start..start + length]) {
            found.push(start + from, start + to);
        }
    }
}

const fn ends_url(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
}

/// The password's range in what follows `://`. Careless ones hold a bare `/`, `?` or `#`, which a port never does.
fn password(rest: &[u8]) -> Option<(usize, usize)> {
    let path = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let colon = rest[..path].iter().position(|&byte| byte == b':')?;
    let is_port = rest[colon + 1..path].iter().all(u8::is_ascii_digit);
    let within_authority = memchr::memrchr(b'@', &rest[..path]).filter(|&at| at > colon);
    let at = match within_authority {
        Some(at) => at,
        None if is_port => return None,
        None => memchr::memrchr(b'@', rest)?,
    };
    let start = colon + 1;
    (start < at && !is_tag(&rest[start..at])).then_some((start, at))
}
