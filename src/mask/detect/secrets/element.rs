//! Values of XML elements that have secret names: `<password>x</password>`, also where slashes are escaped.

use memchr::{memchr_iter, memrchr2};

use super::named::{LONGEST_NAME, is_harmless};
use crate::mask::detect::Found;
use crate::mask::detect::edges::is_word;
use crate::mask::keys::Keys;

/// Longer values are documents.
const LONGEST_VALUE: usize = 4096;

/// So deep may JSON lie within JSON, each level of which escapes slashes again.
const MOST_BACKSLASHES: usize = 16;

const OPENED: &[u8] = b"<![CDATA[";
const CLOSED: &[u8] = b"]]>";

/// The next end of such an element.
pub(super) fn seek(bytes: &[u8], from: usize, keys: &Keys) -> Option<usize> {
    memchr_iter(b'<', &bytes[from..]).map(|at| from + at).find(|&at| value(bytes, at, keys).is_some())
}

/// All values.
pub(super) fn find(text: &str, keys: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    for (start, end) in memchr_iter(b'<', bytes).filter_map(|at| value(bytes, at, keys)) {
        found.push(start, end);
    }
}

/// The value that the tag at `close` ends.
fn value(bytes: &[u8], close: usize, keys: &Keys) -> Option<(usize, usize)> {
    let name = name_after(bytes, close + 1)?;
    let is_name = |byte: &&u8| is_word(**byte) || matches!(**byte, b'-' | b'_' | b'.' | b':');
    let length = bytes[name..].iter().take(LONGEST_NAME + 1).take_while(is_name).count();
    let end = name + length;
    if length > LONGEST_NAME || bytes.get(end) != Some(&b'>') || !keys.secret_before(bytes, end)?.is_secret() {
        return None;
    }
    let first = close.saturating_sub(LONGEST_VALUE);
    let end = if bytes[first..close].ends_with(CLOSED) { close - CLOSED.len() } else { close };
    let start = match &bytes[first..end] {
        text if end < close => first + memchr::memmem::rfind(text, OPENED)? + OPENED.len(),
        text => first + memrchr2(b'<', b'>', text).filter(|&at| text[at] == b'>')? + 1,
    };
    (!is_harmless(bytes[start..end].trim_ascii())).then_some((start, end))
}

/// Where the name begins behind the slash of a closing tag.
fn name_after(bytes: &[u8], at: usize) -> Option<usize> {
    let backslashes = bytes[at..].iter().take(MOST_BACKSLASHES).take_while(|&&byte| byte == b'\\').count();
    (bytes.get(at + backslashes) == Some(&b'/')).then_some(at + backslashes + 1)
}
