//! The first bytes of each file of a queue: what it is, its version, one number. Reads and writes no file.

use crate::base::source::fingerprint;

/// The version that is written. Newer ones are refused.
pub const VERSION: u32 = 1;

/// Length of a head. In every version it is the same, and has the same fields.
pub const BYTES: usize = 28;

/// What the first bytes of a file are.
#[derive(Debug, PartialEq, Eq)]
pub enum Head {
    /// Of a version that can be read, with its number.
    Good(u64),
    /// Of this version, which cannot.
    Newer(u32),
    /// Too short, of another kind of file, or with a check that does not fit.
    Damaged,
}

/// The head of a file of the kind `magic`.
pub fn encode(magic: [u8; 8], number: u64) -> [u8; BYTES] {
    let mut head = [0; BYTES];
    head[..8].copy_from_slice(&magic);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..20].copy_from_slice(&number.to_le_bytes());
    let check = fingerprint(&head[..20]);
    head[20..].copy_from_slice(&check.to_le_bytes());
    head
}

/// Reads what [`encode`] wrote, in this version or another.
pub fn decode(magic: [u8; 8], bytes: &[u8]) -> Head {
    match parse(bytes) {
        Some((found, ..)) if found != magic => Head::Damaged,
        Some((_, version, _)) if version > VERSION => Head::Newer(version),
        Some((_, _, number)) => Head::Good(number),
        None => Head::Damaged,
    }
}

/// Magic, version and number, if the check fits.
fn parse(bytes: &[u8]) -> Option<([u8; 8], u32, u64)> {
    let (magic, rest) = bytes.split_first_chunk()?;
    let (version, rest) = rest.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let (check, _) = rest.split_first_chunk()?;
    let fits = u64::from_le_bytes(*check) == fingerprint(&bytes[..20]);
    fits.then(|| (*magic, u32::from_le_bytes(*version), u64::from_le_bytes(*number)))
}
