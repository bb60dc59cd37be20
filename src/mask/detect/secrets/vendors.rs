//! Keys and tokens of services, by the prefixes that they publish.

use super::{Detector, Finder, Group};
use crate::mask::detect::edges::starts_word;

/// Since April 2021; 36 characters, the last six of them a CRC-32 that is not looked at.
pub(super) const GITHUB: Detector = Detector {
    name: "github_token",
    tag: "[github_token]",
    group: Group::Secrets,
    default: true,
    proof: "prefix and length",
    source: "github.blog/engineering, \"Behind GitHub's new authentication token formats\"",
    finder: Finder::Token {
        prefixes: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        check: |bytes, at| {
            let prefix = if bytes[at..].starts_with(b"github_pat_") { 11 } else { 4 };
            word(bytes, at, prefix, 36..=255)
        },
    },
    masked: &[("used ghp_0123456789abcdefABCDEF0123456789abcd.", "used [github_token].")],
    spared: &["ghp_short", "xghp_0123456789abcdefABCDEF0123456789abcd"],
};

/// A word from `at` on with so many letters, digits and `_` after a prefix of so many bytes.
fn word(bytes: &[u8], at: usize, prefix: usize, lengths: std::ops::RangeInclusive<usize>) -> Option<(usize, usize)> {
    let is_body = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let length = bytes[at + prefix..].iter().take_while(is_body).count();
    (starts_word(bytes, at) && lengths.contains(&length)).then_some((at, at + prefix + length))
}
