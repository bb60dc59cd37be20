//! What a character can be written as so that it is not seen for itself: escapes of JSON, Python and nginx, of URLs and
//! of HTML, look-alikes of ASCII, and what is invisible. Tells one character at a place; undoes no text.

use memchr::{memchr2_iter, memchr3};

/// A character in a wrapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// `None`: nothing is to be seen.
    pub(super) character: Option<char>,
    /// One past its last byte.
    pub(super) end: usize,
    /// How many backslashes it began with; 0: it is no escape with backslashes.
    pub(super) slashes: usize,
    /// It is wrapped more than once in the same way: `%2540`.
    pub(super) is_deep: bool,
}

/// One byte of an escape: its value, where the escape ends, whether it is wrapped more than once.
type Byte = (u8, usize, bool);

/// The characters of HTML's named references that ASCII has: <https://html.spec.whatwg.org/#named-character-references>.
/// A crate of all two thousand would be for nothing: the others hide no secret. Names that are in two cases are there in
/// both.
const NAMED: &[(&[u8], char)] = &[
    (b"amp", '&'),
    (b"AMP", '&'),
    (b"lt", '<'),
    (b"LT", '<'),
    (b"gt", '>'),
    (b"GT", '>'),
    (b"quot", '"'),
    (b"QUOT", '"'),
    (b"apos", '\''),
    (b"commat", '@'),
    (b"colon", ':'),
    (b"semi", ';'),
    (b"equals", '='),
    (b"lowbar", '_'),
    (b"UnderBar", '_'),
    (b"period", '.'),
    (b"comma", ','),
    (b"sol", '/'),
    (b"bsol", '\\'),
    (b"num", '#'),
    (b"percnt", '%'),
    (b"plus", '+'),
    (b"excl", '!'),
    (b"dollar", '$'),
    (b"ast", '*'),
    (b"midast", '*'),
    (b"quest", '?'),
    (b"lpar", '('),
    (b"rpar", ')'),
    (b"lsqb", '['),
    (b"lbrack", '['),
    (b"rsqb", ']'),
    (b"rbrack", ']'),
    (b"lcub", '{'),
    (b"lbrace", '{'),
    (b"rcub", '}'),
    (b"rbrace", '}'),
    (b"verbar", '|'),
    (b"vert", '|'),
    (b"Hat", '^'),
    (b"grave", '`'),
    (b"Tab", '\t'),
    (b"NewLine", '\n'),
    (b"nbsp", ' '),
    (b"dash", '-'),
    (b"hyphen", '-'),
    (b"shy", '\u{ad}'),
    (b"zwj", '\u{200d}'),
    (b"zwnj", '\u{200c}'),
    (b"ZeroWidthSpace", '\u{200b}'),
    (b"NoBreak", '\u{2060}'),
];

/// No name is longer.
const LONGEST_NAME: usize = 14;

/// The zeros of all decimal digits (`Nd`) of Unicode 16; the other nine follow each.
const ZEROS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0,
    0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50,
    0x11d50, 0x11da0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8, 0x1d7e2,
    0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

/// Text is looked at in blocks of so many bytes; those of ASCII alone have no look-alikes.
const BLOCK: usize = 64;

/// Bytes that characters of [`folded`] begin with.
const LEADS: [bool; 256] = {
    let mut leads = [false; 256];
    let all = [0xc2, 0xd9, 0xdb, 0xdf, 0xe0, 0xe1, 0xe2, 0xea, 0xef, 0xf0];
    let mut at = 0;
    while at < all.len() {
        leads[all[at]] = true;
        at += 1;
    }
    leads
};

/// Whether an escape begins at `at`, of which a backslash before it is no part. It sees texts that still have JSON's own
/// escapes.
pub(super) fn is_escape(bytes: &[u8], at: usize) -> bool {
    let goes_on = bytes[at] == b'\\' && at > 0 && bytes[at - 1] == b'\\';
    !goes_on && escape(bytes, at).is_some()
}

/// The next escape at or after `from`.
fn seek_escape(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr3(b'\\', b'%', b'&', bytes.get(at..)?)?;
        if escape(bytes, at).is_some() {
            return Some(at);
        }
        at += slashes(bytes, at).max(1);
    }
}

/// The next look-alike or invisible character at or after `from`.
pub(super) fn seek_look_alike(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < bytes.len() {
        let end = bytes.len().min(at + BLOCK);
        if !bytes[at..end].is_ascii() {
            let is_wrapped = |&at: &usize| LEADS[usize::from(bytes[at])] && look_alike(bytes, at).is_some();
            if let Some(found) = (at..end).find(is_wrapped) {
                return Some(found);
            }
        }
        at = end;
    }
    None
}

/// Whether anything in `text` is wrapped.
pub(super) fn is_in(text: &str) -> bool {
    seek_escape(text.as_bytes(), 0).is_some() || seek_look_alike(text.as_bytes(), 0).is_some()
}

/// The escape that begins at `at`.
pub(super) fn escape(bytes: &[u8], at: usize) -> Option<Unit> {
    match bytes[at] {
        b'\\' => backslash(bytes, at),
        b'%' => percent(bytes, at),
        b'&' => reference(bytes, at),
        _ => None,
    }
}

/// The look-alike or invisible character that begins at `at`.
pub(super) fn look_alike(bytes: &[u8], at: usize) -> Option<Unit> {
    let length = match bytes[at] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let character = std::str::from_utf8(bytes.get(at..at + length)?).ok()?.chars().next()?;
    Some(Unit { character: folded(character)?, end: at + length, slashes: 0, is_deep: false })
}

/// How many backslashes stand at `at`.
pub(super) fn slashes(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().take_while(|&&byte| byte == b'\\').count()
}

/// `Some(None)`: it is invisible; `Some(Some(…))`: it looks like this one of ASCII.
fn folded(character: char) -> Option<Option<char>> {
    let code = u32::from(character);
    match code {
        0xad | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064 | 0x2066..=0x2069 | 0xfe00..=0xfe0f | 0xfeff => {
            Some(None)
        }
        // Spaces that are no line's end.
        0xa0 | 0x2000..=0x200a | 0x202f | 0x205f => Some(Some(' ')),
        0xff01..=0xff5e => Some(char::from_u32(code - 0xfee0)),
        // Mathematical letters: thirteen alphabets, each capital, then small.
        0x1d400..=0x1d6a3 => {
            let letter = (code - 0x1d400) % 52;
            Some(char::from_u32(if letter < 26 { 0x41 + letter } else { 0x61 + letter - 26 }))
        }
        _ => {
            let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= code)].last()?;
            (code - zero < 10).then(|| char::from_u32(0x30 + code - zero))
        }
    }
}

/// `\u0040`, `\x40`, `\/`, after any number of backslashes.
fn backslash(bytes: &[u8], at: usize) -> Option<Unit> {
    let slashes = slashes(bytes, at);
    let start = at + slashes;
    let done = |character, end| Some(Unit { character: Some(character), end, slashes, is_deep: slashes > 1 });
    match bytes.get(start)? {
        b'/' => done('/', start + 1),
        b'u' => {
            let (character, length) =
                utf16(bytes, start, |at| (self::slashes(bytes, at) == slashes).then_some(at + slashes))?;
            done(character, start + length)
        }
        b'x' => {
            let one = |bytes: &[u8], at: usize| {
                let start = at + self::slashes(bytes.get(at..).map(|_| bytes)?, at);
                let is_same = start == at + slashes && bytes.get(start) == Some(&b'x');
                is_same.then(|| hexadecimal(bytes, start + 1)).flatten().map(|byte| (byte, start + 3, slashes > 1))
            };
            let (character, end, _) = utf8(bytes, at, one)?;
            done(character, end)
        }
        _ => None,
    }
}

/// The character of `u0040`, or of two halves; where the escape of the second half begins after its backslashes, `again`
/// knows. A half alone is U+FFFD.
pub(super) fn utf16(bytes: &[u8], at: usize, again: impl Fn(usize) -> Option<usize>) -> Option<(char, usize)> {
    let first = unit(bytes, at)?;
    if (0xd800..0xdc00).contains(&first) {
        let second =
            bytes.get(at + 5..).and_then(|_| again(at + 5)).and_then(|start| Some((unit(bytes, start)?, start)));
        if let Some((second @ 0xdc00..0xe000, start)) = second {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return Some((char::from_u32(code)?, start + 5 - at));
        }
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5))
}

/// The number of `u0040`.
fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 5)?.strip_prefix(b"u")?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

/// `%40`, `%2540`, `%252540`, `%u0040`.
fn percent(bytes: &[u8], at: usize) -> Option<Unit> {
    let done = |character, end, is_deep| Some(Unit { character: Some(character), end, slashes: 0, is_deep });
    if let Some((character, length)) = utf16(bytes, at + 1, |at| (bytes.get(at) == Some(&b'%')).then_some(at + 1)) {
        return done(character, at + 1 + length, false);
    }
    if let Some((character, end, is_deep)) = utf8(bytes, at, percent_byte) {
        return done(character, end, is_deep);
    }
    bytes[at..].starts_with(b"%25").then(|| done('%', at + 3, false)).flatten()
}

fn percent_byte(bytes: &[u8], at: usize) -> Option<Byte> {
    let start = at + bytes.get(at..)?.starts_with(b"%").then_some(1)?;
    let nested = bytes[start..].chunks_exact(2).take_while(|two| two == b"25").count();
    let deepest = |nested: usize| {
        let at = start + 2 * nested;
        hexadecimal(bytes, at).map(|byte| (byte, at + 2, nested > 0))
    };
    deepest(nested).or_else(|| deepest(nested.checked_sub(1)?))
}

/// `&#64;`, `&#x40;`, `&commat;`, `&amp;#64;`. Numbers need no semicolon.
fn reference(bytes: &[u8], at: usize) -> Option<Unit> {
    let nested = bytes[at + 1..].chunks(4).take_while(|four| four == b"amp;").count();
    let deepest = |nested: usize| {
        let start = at + 1 + 4 * nested;
        let (character, end) =
            if bytes.get(start) == Some(&b'#') { number(bytes, start + 1) } else { name(bytes, start) }?;
        Some(Unit { character: Some(character), end, slashes: 0, is_deep: nested > 0 })
    };
    deepest(nested).or_else(|| deepest(nested.checked_sub(1)?))
}

fn number(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let (radix, start) = if matches!(bytes.get(at), Some(b'x' | b'X')) { (16, at + 1) } else { (10, at) };
    let digits =
        || bytes.get(start..).unwrap_or_default().iter().take(7).map_while(|&byte| char::from(byte).to_digit(radix));
    let end = start + digits().count();
    let character = char::from_u32(digits().fold(0, |number, digit| number * radix + digit))?;
    (end > start).then(|| (character, end + usize::from(bytes.get(end) == Some(&b';'))))
}

fn name(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let window = &bytes[at..bytes.len().min(at + LONGEST_NAME + 1)];
    let length = memchr2_iter(b';', b'&', window).next().filter(|&length| window[length] == b';')?;
    let named = NAMED.iter().find(|(name, _)| *name == &window[..length])?;
    Some((named.1, at + length + 1))
}

/// The character that begins at `at` as bytes of UTF-8, of which `one` reads one.
fn utf8(bytes: &[u8], at: usize, one: impl Fn(&[u8], usize) -> Option<Byte>) -> Option<(char, usize, bool)> {
    let (first, mut end, mut is_deep) = one(bytes, at)?;
    let length = match first {
        0..=0x7f => return Some((char::from(first), end, is_deep)),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut encoded = [first, 0, 0, 0];
    for byte in &mut encoded[1..length] {
        let (next, after, nested) = one(bytes, end)?;
        (*byte, end, is_deep) = (next, after, is_deep || nested);
    }
    let character = std::str::from_utf8(&encoded[..length]).ok()?.chars().next()?;
    Some((character, end, is_deep))
}

fn hexadecimal(bytes: &[u8], at: usize) -> Option<u8> {
    let digits = bytes.get(at..at + 2)?;
    let value = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(value(digits[0])? * 16 + value(digits[1])?).ok()
}
