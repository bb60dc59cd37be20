//! Addresses of wallets: Bitcoin's of all kinds, proved by their checksums, and Ethereum's, told by their form.

use ring::digest::{SHA256, digest};

use super::{Detector, Finder, Group};
use crate::mask::detect::form::{Asked, Number};
use crate::mask::detect::pattern::{begins_apart, ends_apart};

/// The capitals of an Ethereum address may hold a checksum; few writers use it.
pub(super) const ROW: Detector = Detector {
    name: "wallet",
    tag: "[wallet]",
    group: Group::Money,
    default: true,
    proof: "Bitcoin: a checksum of 30 or 32 bits; Ethereum: `0x` and 40 hexadecimal digits",
    source: "BIP 13, 173 and 350; Ethereum Yellow Paper",
    finder: Finder::Number { judge, asked: &[Asked::Word(26)], near: &[] },
    masked: &[
        ("to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa;", "to [wallet];"),
        ("31h38a54tFMrR8kzBnP2241MFD2EUHtGha", "[wallet]"),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "[wallet]"),
        ("bitcoin:bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0?x", "bitcoin:[wallet]?x"),
        ("from=0x52908400098527886E0F7030069857D2E4169EE7", "from=[wallet]"),
    ],
    spared: &[
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "0x52908400098527886E0F7030069857D2E4169EE",
        "0x52908400098527886E0F7030069857D2E4169EE70",
        "0x0000000000000000000000000000000000000000",
        "12345678901234567890123456789012",
    ],
};

/// The most characters of any: BIP 173.
const LONGEST: usize = 90;

/// Each kind has its first digit at its beginning.
fn judge(bytes: &[u8], start: usize, _: usize) -> Option<Number> {
    let begin = match bytes[start] {
        b'0' if bytes.get(start + 1) == Some(&b'x') => start,
        b'1' if follows_chain(bytes, start) => start - 2,
        b'1' | b'3' => start,
        _ => return None,
    };
    if !begins_apart(bytes, begin) {
        return None;
    }
    let length = bytes[begin..].iter().take(LONGEST + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let word = &bytes[begin..begin + length];
    let is_address = match word {
        [b'0', b'x', digits @ ..] => is_ethereum(digits),
        [b'b' | b'B' | b't' | b'T', ..] => is_bech32(word),
        _ => is_base58(word),
    };
    (is_address && ends_apart(bytes, begin + length)).then_some(Number { begin, end: begin + length, is_sure: true })
}

/// `bc`, or `tb` of the test network.
fn follows_chain(bytes: &[u8], at: usize) -> bool {
    at >= 2 && matches!(&bytes[at - 2..at], b"bc" | b"BC" | b"tb" | b"TB")
}

fn is_ethereum(digits: &[u8]) -> bool {
    // The address of nobody is in every trace.
    digits.len() == 40 && digits.iter().all(u8::is_ascii_hexdigit) && digits.iter().any(|&digit| digit != b'0')
}

/// Version, hash and the first four bytes of their double hash: Base58Check.
fn is_base58(word: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    if !(26..=35).contains(&word.len()) {
        return false;
    }
    let mut decoded = [0_u8; 25];
    for one in word {
        let Some(digit) = ALPHABET.iter().position(|letter| letter == one) else { return false };
        let mut carry = digit;
        for byte in decoded.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return false;
        }
    }
    let (hashed, check) = decoded.split_at(21);
    matches!(hashed[0], 0 | 5) && digest(&SHA256, digest(&SHA256, hashed).as_ref()).as_ref()[..4] == *check
}

/// BIP 173 for witnesses of version 0, BIP 350 for later ones.
fn is_bech32(word: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let is_mixed = word.iter().any(u8::is_ascii_lowercase) && word.iter().any(u8::is_ascii_uppercase);
    if is_mixed || !(14..=LONGEST).contains(&word.len()) {
        return false;
    }
    let chain = word[..2].iter().map(u8::to_ascii_lowercase);
    let expanded = chain.clone().map(|one| Some(one >> 5)).chain([Some(0)]).chain(chain.map(|one| Some(one & 31)));
    let value = |one: &u8| ALPHABET.iter().position(|letter| *letter == one.to_ascii_lowercase());
    let data = word[3..].iter().map(|one| value(one).and_then(|value| u8::try_from(value).ok()));
    let check = expanded.chain(data).try_fold(1, |check, value| value.map(|value| polymod(check, value)));
    let is_first = word[3].eq_ignore_ascii_case(&b'q');
    check == Some(if is_first { 1 } else { 0x2bc8_30a3 })
}

/// One step of the checksum.
fn polymod(check: u32, value: u8) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = check >> 25;
    let shifted = (check & 0x01ff_ffff) << 5 ^ u32::from(value);
    GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1).fold(shifted, |sum, (_, one)| sum ^ one)
}
