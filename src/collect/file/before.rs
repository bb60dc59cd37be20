//! The few bytes before an offset, by which a file that was truncated and has grown again is told from the old one.

use std::io;

use super::content::Content;
use crate::base::source::{GUARD_BYTES, fingerprint};

/// The last bytes before an offset: [`GUARD_BYTES`], or all where the offset is smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Before {
    bytes: [u8; GUARD_BYTES],
    len: usize,
}

impl Before {
    /// Before the first byte of a file.
    pub(super) const START: Self = Self { bytes: [0; GUARD_BYTES], len: 0 };

    /// The last of `bytes`, which must begin with what was before it or at the file's start.
    pub(super) fn end_of(bytes: &[u8]) -> Self {
        let tail = &bytes[bytes.len().saturating_sub(GUARD_BYTES)..];
        let mut before = Self { len: tail.len(), ..Self::START };
        before.bytes[..tail.len()].copy_from_slice(tail);
        before
    }

    /// Reads those before `offset`; `None` where the file is shorter.
    pub(super) fn read(content: &mut Content, offset: u64) -> io::Result<Option<Self>> {
        let len = usize::try_from(offset).unwrap_or(usize::MAX).min(GUARD_BYTES);
        let mut bytes = Vec::with_capacity(GUARD_BYTES);
        content.read_up_to(offset - len as u64, len, &mut bytes)?;
        Ok((bytes.len() == len).then(|| Self::end_of(&bytes)))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// What a cursor keeps of it.
    pub(super) fn guard(&self) -> u64 {
        fingerprint(self.as_slice())
    }

    /// Whether a line has begun before the offset.
    pub(super) fn is_mid_line(&self) -> bool {
        self.as_slice().last().is_some_and(|byte| *byte != b'\n')
    }

    /// Whether they are NUL bytes only.
    pub(super) fn is_zero(self) -> bool {
        self.as_slice().iter().all(|byte| *byte == 0)
    }

    /// Whether the last `len` of them are NUL bytes.
    pub(super) fn ends_in_zeros(&self, len: u64) -> bool {
        self.as_slice().iter().rev().take(len as usize).all(|byte| *byte == 0)
    }

    /// Fills `bytes` with these bytes and up to `want` of those after `offset`, in one read where the file has them.
    /// `false`: other bytes lie before the offset now, or none.
    pub(super) fn read_on(
        &self,
        content: &mut Content,
        offset: u64,
        want: usize,
        bytes: &mut Vec<u8>,
    ) -> io::Result<bool> {
        content.read_up_to(offset - self.len as u64, self.len + want, bytes)?;
        Ok(bytes.starts_with(self.as_slice()))
    }
}

/// The length of `bytes` without the NUL bytes at their end: space that was laid out and not yet written.
pub(super) fn len_without_nul(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// The length of `bytes` without a UTF-8 character at their end whose last bytes are missing.
pub(super) fn len_of_whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let Some(lead) = bytes[tail..].iter().rposition(|byte| byte & 0xC0 != 0x80).map(|at| tail + at) else {
        return bytes.len();
    };
    let needed = match bytes[lead] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    if lead + needed > bytes.len() { lead } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_before_an_offset_are_kept() {
        let long: Vec<u8> = (0..200).collect();
        assert_eq!(Before::end_of(&long).as_slice(), &long[200 - GUARD_BYTES..]);
        assert_eq!(Before::end_of(b"ab").as_slice(), b"ab");
        assert_eq!(Before::end_of(b""), Before::START);
        for (bytes, mid_line, zero) in
            [(&b""[..], false, true), (b"a\n", false, false), (b"a", true, false), (b"\0\0", true, true)]
        {
            let before = Before::end_of(bytes);
            assert_eq!((before.is_mid_line(), before.is_zero()), (mid_line, zero), "{bytes:?}");
        }
    }

    #[test]
    fn unfinished_ends_are_seen() {
        for (bytes, without_nul, whole) in [
            (&b""[..], 0, 0),
            (b"abc", 3, 3),
            (b"a\0b\0\0", 3, 5),
            (b"\0\0", 0, 2),
            ("aж".as_bytes(), 3, 3),
            (b"a\xD0", 2, 1),
            (b"a\xE2\x82", 3, 1),
            (b"\xF0\x9F\x98", 3, 0),
            ("😀".as_bytes(), 4, 4),
            (b"\x80\x80\x80\x80", 4, 4),
            (b"a\xFF", 2, 2),
        ] {
            assert_eq!((len_without_nul(bytes), len_of_whole_characters(bytes)), (without_nul, whole), "{bytes:?}");
        }
    }
}
