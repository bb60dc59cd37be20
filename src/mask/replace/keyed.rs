//! What stands for a value, made with a key: the same for the same value wherever the key is the same, and telling
//! nothing of it without the key. All of it is HMAC-SHA-256 (RFC 2104, FIPS 180-4). Finds nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

use ring::hmac;

use crate::mask::detect::pseudonym::DIGITS;

/// The first octet of what stands for an IPv4 address: 240.0.0.0/4 is reserved (RFC 1112, 4) and used by nobody.
const RESERVED_OCTET: u8 = 240;
/// The first 20 bits of what stands for an IPv6 address: 3fff::/20 is for documents (RFC 9637) and used by nobody.
const DOCUMENT_PREFIX: u128 = 0x0003_fff0 << 108;
const DOCUMENT_MASK: u128 = 0x000f_ffff << 108;

/// A key, ready for use.
#[derive(Clone, Debug)]
pub(super) struct Key(hmac::Key);

impl Key {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn sign(&self, purpose: &str, value: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(b":");
        context.update(value);
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// The first 64 bits of the HMAC of `name:value`, in hexadecimal digits.
    pub(super) fn token(&self, name: &str, value: &str, out: &mut String) {
        for byte in &self.sign(name, value.as_bytes())[..DIGITS / 2] {
            out.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')));
        }
    }

    /// `value` with other digits and letters in their places. Another `attempt` gives another one.
    pub(super) fn format(&self, name: &str, plain: &str, value: &str, attempt: u8) -> String {
        let mut bytes =
            (0_u8..).flat_map(|part| self.sign(&format!("format.{attempt}.{part}.{name}"), plain.as_bytes()));
        let mut is_first = true;
        let changed = value.chars().map(|one| {
            let (base, count) = match one {
                // No leading zero where there was none, so that a number stays one.
                '1'..='9' if is_first => (b'1', 9),
                '0'..='9' => (b'0', 10),
                'a'..='z' => (b'a', 26),
                'A'..='Z' => (b'A', 26),
                _ => return one,
            };
            is_first = false;
            char::from(base + bytes.next().unwrap_or(0) % count)
        });
        changed.collect()
    }

    /// An address that shares its first 24 bits with those that shared them before.
    pub(super) fn ipv4(&self, address: Ipv4Addr) -> Ipv4Addr {
        let [a, b, c, host] = address.octets();
        let net = self.sign("prefix.ipv4", &[a, b, c]);
        let host = shuffled(host, &self.sign("prefix.ipv4.hosts", &[a, b, c]));
        Ipv4Addr::new(RESERVED_OCTET | net[0] & 15, net[1], net[2], host)
    }

    /// An address that shares its first 64 bits with those that shared them before.
    pub(super) fn ipv6(&self, address: Ipv6Addr) -> Ipv6Addr {
        let octets = address.octets();
        let number = |bytes: [u8; 32]| bytes[..8].iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        let net = number(self.sign("prefix.ipv6", &octets[..8]));
        let host = number(self.sign("prefix.ipv6.hosts", &octets));
        Ipv6Addr::from_bits(DOCUMENT_PREFIX | net >> 20 << 64 | host)
    }
}

/// Whether an address is one that [`Key::ipv4`] gives.
pub(super) const fn is_own_ipv4(address: Ipv4Addr) -> bool {
    address.octets()[0] >= RESERVED_OCTET
}

/// Whether an address is one that [`Key::ipv6`] gives.
pub(super) const fn is_own_ipv6(address: Ipv6Addr) -> bool {
    address.to_bits() & DOCUMENT_MASK == DOCUMENT_PREFIX
}

/// A permutation of the bytes: four rounds of a Feistel network over half bytes, with 64 random half bytes.
fn shuffled(byte: u8, random: &[u8; 32]) -> u8 {
    let (mut left, mut right) = (byte >> 4, byte & 15);
    for round in 0..4 {
        let pair = random[round * 8 + usize::from(right / 2)];
        let mixed = left ^ if right % 2 == 0 { pair >> 4 } else { pair & 15 };
        (left, right) = (right, mixed);
    }
    left << 4 | right
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new(b"0123456789abcdef")
    }

    /// What others can compute: `printf email:bob@example.com | openssl dgst -sha256 -hmac 0123456789abcdef`.
    #[test]
    fn tokens_are_the_hmac_that_anyone_with_the_key_can_compute() {
        let mut token = String::new();
        key().token("email", "bob@example.com", &mut token);
        assert_eq!(token, "83a9f2600a016cdb");
    }

    #[test]
    fn formats_keep_length_separators_case_and_class() {
        let made = key().format("card", "4111111111111111", "4111-1111 Ab", 0);
        let class = |text: &str| -> Vec<u8> {
            text.bytes()
                .map(|one| match one {
                    b'0'..=b'9' => b'#',
                    b'a'..=b'z' => b'a',
                    b'A'..=b'Z' => b'A',
                    other => other,
                })
                .collect()
        };
        assert_eq!(class(&made), class("4111-1111 Ab"));
        assert_ne!(made, key().format("card", "4111111111111111", "4111-1111 Ab", 1));
        assert_eq!(made, key().format("card", "4111111111111111", "4111-1111 Ab", 0));
    }

    #[test]
    fn neighbours_stay_neighbours_and_no_two_become_one() {
        let key = key();
        let all: std::collections::BTreeSet<[u8; 4]> =
            (0..=255).map(|host| key.ipv4(Ipv4Addr::new(10, 1, 2, host)).octets()).collect();
        assert_eq!(all.len(), 256);
        assert_eq!(all.iter().map(|one| &one[..3]).collect::<std::collections::BTreeSet<_>>().len(), 1);
        assert!(all.iter().all(|one| is_own_ipv4((*one).into())));
        let other = key.ipv4(Ipv4Addr::new(10, 1, 3, 1)).octets();
        assert!(!all.iter().any(|one| one[..3] == other[..3]));
        let [one, two, far] =
            ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"].map(|text| key.ipv6(text.parse().unwrap()));
        assert!(is_own_ipv6(one) && !is_own_ipv6("2001:db8::1".parse().unwrap()));
        assert_eq!(one.segments()[..4], two.segments()[..4]);
        assert_ne!(one.segments()[..4], far.segments()[..4]);
        assert_ne!(one, two);
    }
}
