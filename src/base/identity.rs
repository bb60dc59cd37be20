//! Whether a file is one that was known before. Pure: whoever asks reads the bytes.

use super::source::{Identity, SourceId, fingerprint};

/// An inode number and its time of birth, where the file system keeps one: together they are never used again.
pub type Inode = (u64, Option<u64>);

/// A file that was followed and that no glob leads to now: what it takes to know it where it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Its durable id.
    pub id: SourceId,
    /// The name of the `[source.NAME]` that it comes from.
    pub name: String,
    /// What it was when it was last seen, and the path under which it was first seen.
    pub identity: Identity,
    /// The first byte that is not settled.
    pub offset: u64,
    /// The fingerprint of the bytes before it: see [`super::source::GUARD_BYTES`].
    pub guard: u64,
}

/// What a compressed file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes.
    pub len: u64,
    /// The first of them, up to [`super::source::HEAD_BYTES`].
    pub head: Vec<u8>,
    /// The fingerprint of those before the offset asked for. `None`: there are fewer.
    pub guard: Option<u64>,
}

/// What a compressed file is to one that was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Other content.
    Nothing,
    /// Its content, and no more than was read of it.
    NoMore,
    /// Its content, with more than was read of it.
    Rest,
}

/// Whether content that begins with `unpacked` can be that of a known file, by its beginning alone.
#[must_use]
pub fn may_hold(known: &Identity, unpacked: &[u8]) -> bool {
    let Identity::File { head_len: head_len @ 1.., head, .. } = known else { return false };
    unpacked.get(..*head_len as usize).is_some_and(|bytes| fingerprint(bytes) == *head)
}

/// Compares a known file with what was `unpacked`. Of a file that was empty when it was known nothing can be told.
#[must_use]
pub fn holding(known: &Absent, unpacked: &Unpacked) -> Holding {
    let has_head = may_hold(&known.identity, &unpacked.head);
    match (has_head && unpacked.guard == Some(known.guard), unpacked.len > known.offset) {
        (false, _) => Holding::Nothing,
        (true, false) => Holding::NoMore,
        (true, true) => Holding::Rest,
    }
}

/// What a file found now is to one that was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// The same file, at most longer.
    Same,
    /// The same inode, but what was read is no longer in it: a next generation, from its first byte.
    Truncated,
    /// Another file.
    Other,
}

/// Compares the file `known` with the one `seen` now, which has `seen_len` bytes.
///
/// `offset` is the least advanced saved cursor of `known`. `head_of(n)` gives the fingerprint of the first `n` bytes
/// of the file seen, and `None` where it has fewer. Where both have a time of birth, it counts with the inode and the
/// device number does not (some file systems give another after a reboot); else device and inode count, or, where the
/// device has another number since (NFS after each mount), inode, path and beginning. An inode that was used again where
/// no birth is kept is [`Likeness::Truncated`]: a fresh generation loses nothing.
pub fn compare(
    known: &Identity,
    seen: &Identity,
    seen_len: u64,
    offset: u64,
    head_of: impl FnOnce(usize) -> Option<u64>,
) -> Likeness {
    let (
        Identity::File { device, inode, birth_ns, head_len, head, path },
        Identity::File { device: seen_device, inode: seen_inode, birth_ns: seen_birth, path: seen_path, .. },
    ) = (known, seen)
    else {
        return Likeness::Other;
    };
    let has_head = *head_len == 0 || head_of(*head_len as usize) == Some(*head);
    let is_longer = has_head && seen_len >= offset;
    let is_renumbered = path == seen_path && *head_len > 0 && is_longer;
    let is_one_inode = match (birth_ns, seen_birth) {
        (Some(birth), Some(seen_birth)) => birth == seen_birth,
        _ => device == seen_device || is_renumbered,
    };
    match (inode == seen_inode && is_one_inode, is_longer) {
        (false, _) => Likeness::Other,
        (true, false) => Likeness::Truncated,
        (true, true) => Likeness::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Stream;

    fn file(device: u64, inode: u64, birth_ns: Option<u64>, head: &[u8]) -> Identity {
        let head_len = u32::try_from(head.len()).unwrap();
        Identity::File { device, inode, birth_ns, head_len, head: fingerprint(head), path: String::new() }
    }

    /// A8 to A10: inodes used again, equal headers, files smaller than what is hashed of a beginning.
    #[test]
    fn a_file_is_known_by_inode_birth_and_head() {
        use Likeness::{Other, Same, Truncated};
        let born = Some(5);
        /// Name, known, seen, the bytes seen, the cursor, and what comes of it.
        type Row = (&'static str, Identity, Identity, &'static [u8], u64, Likeness);
        let rows: [Row; 16] = [
            ("unchanged", file(1, 2, born, b"abc"), file(1, 2, born, b"abc"), b"abc", 3, Same),
            ("grown", file(1, 2, born, b"abc"), file(1, 2, born, b"abcdef"), b"abcdef", 3, Same),
            ("empty when known", file(1, 2, born, b""), file(1, 2, born, b"x"), b"x", 0, Same),
            ("device renumbered", file(1, 2, born, b"abc"), file(9, 2, born, b"abc"), b"abc", 3, Same),
            ("shorter than its head", file(1, 2, born, b"abc"), file(1, 2, born, b"ab"), b"ab", 0, Truncated),
            ("shorter than its cursor", file(1, 2, born, b"abc"), file(1, 2, born, b"abcd"), b"abcd", 5, Truncated),
            ("regrown", file(1, 2, born, b"abc"), file(1, 2, born, b"xbcdef"), b"xbcdef", 3, Truncated),
            ("inode used again", file(1, 2, born, b"abc"), file(1, 2, Some(6), b"abc"), b"abc", 3, Other),
            ("no birth, same head", file(1, 2, None, b"abc"), file(1, 2, None, b"abcd"), b"abcd", 3, Same),
            ("no birth, other head", file(1, 2, None, b"abc"), file(1, 2, None, b"xyz"), b"xyz", 3, Truncated),
            ("no birth, device renumbered", file(1, 2, None, b"abc"), file(3, 2, None, b"abc"), b"abcd", 3, Same),
            (
                "no birth, device renumbered, other head",
                file(1, 2, None, b"abc"),
                file(3, 2, None, b""),
                b"xyz",
                3,
                Other,
            ),
            ("no birth, device renumbered, shorter", file(1, 2, None, b"abc"), file(3, 2, None, b""), b"abc", 4, Other),
            ("no birth, device renumbered, empty", file(1, 2, None, b""), file(3, 2, None, b""), b"abc", 0, Other),
            ("birth known only once", file(1, 2, None, b"abc"), file(1, 2, born, b"abc"), b"abc", 3, Same),
            ("other inode, equal heads", file(1, 2, born, b"abc"), file(1, 3, born, b"abc"), b"abc", 3, Other),
        ];
        for (name, known, seen, bytes, offset, expected) in rows {
            let head_of = |len: usize| bytes.get(..len).map(fingerprint);
            assert_eq!(compare(&known, &seen, bytes.len() as u64, offset, head_of), expected, "{name}");
        }
        let elsewhere = |path: &str| Identity::File {
            device: 3,
            inode: 2,
            birth_ns: None,
            head_len: 3,
            head: fingerprint(b"abc"),
            path: path.to_owned(),
        };
        let seen = compare(&elsewhere("/a"), &file(4, 2, None, b"abc"), 3, 3, |_| Some(fingerprint(b"abc")));
        assert_eq!(seen, Other, "no birth, other device, other path");
        let container = Identity::Docker { container: "c".into(), stream: Stream::Stdout, name: "n".into() };
        assert_eq!(compare(&container, &file(1, 2, born, b""), 0, 0, |_| None), Other);
    }

    #[test]
    fn compressed_content_is_known_by_its_beginning_and_what_was_read_last() {
        use Holding::{NoMore, Nothing, Rest};
        let known = |head: &[u8], read: &[u8]| Absent {
            id: SourceId::new(1),
            name: "app".to_owned(),
            identity: file(1, 2, Some(5), head),
            offset: read.len() as u64,
            guard: fingerprint(read),
        };
        /// Name, the head known, what was read, the content, and what comes of it.
        type Row = (&'static str, &'static [u8], &'static [u8], &'static [u8], Holding);
        let rows: [Row; 7] = [
            ("grown", b"abc", b"abc", b"abcdef", Rest),
            ("unread from the start", b"abc", b"", b"abc", Rest),
            ("read to its end", b"abc", b"abc", b"abc", NoMore),
            ("shorter", b"abc", b"abc", b"ab", Nothing),
            ("another beginning", b"abc", b"abc", b"xbcdef", Nothing),
            ("equal beginning, then other lines", b"ab", b"abcd", b"abxxyy", Nothing),
            ("never had a byte", b"", b"", b"abc", Nothing),
        ];
        for (name, head, read, content, expected) in rows {
            let guard = content.get(..read.len()).map(fingerprint);
            let unpacked = Unpacked { len: content.len() as u64, head: content.to_vec(), guard };
            assert_eq!(holding(&known(head, read), &unpacked), expected, "{name}");
        }
    }
}
