//! JSON Web Tokens: RFC 7515 and 7516, in their compact form.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use serde_json::{Map, Value};

use super::word::{head, is_dashed};
use super::{Detector, Finder, Group};
use crate::mask::detect::edges::starts_word;

/// Padding does not belong there, and is no reason to let a token pass.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// With certificates in it.
const LONGEST_HEADER: usize = 16 * 1024;
/// Behind a dash or underscore of the same word, so that judging many takes no longer than reading them.
const LONGEST_WITHIN: usize = 256;
/// Of an encrypted one.
const MOST_PARTS: usize = 5;

pub(super) const JWT: Detector = Detector {
    name: "jwt",
    tag: "[jwt]",
    group: Group::Secrets,
    default: true,
    proof: "two parts in Base64url that are JSON objects, or a first part that names an algorithm",
    source: "RFC 7515, 7516, 7519",
    // What `{"`, `{ "`, and `{` at the end of a line before a space, a tab or a quote begin with.
    finder: Finder::Token { prefixes: &["eyJ", "eyAi", "ewog", "ewoJ", "ewoi", "ew0K"], check: jwt },
    masked: &[
        ("session eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.EXAMPLE-example_0, x", "session [jwt], x"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJleGFtcGxlIn0.", "[jwt]"),
        ("a eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..EXAMPLEexample00.EXAMPLE0.EXAMPLEexample0 b", "a [jwt] b"),
    ],
    spared: &[
        "eyJ.eyJ.x",
        "eyJhIjoxfQ",
        "eyJhIjoxfQ.x.y",
        "eyJhIjoxfQ.EXAMPLEexample00.y",
        "keyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.x",
    ],
};

fn jwt(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if !starts_word(bytes, at) {
        return None;
    }
    let is_within = at.checked_sub(1).is_some_and(|before| is_part(bytes[before]));
    let most = if is_within { LONGEST_WITHIN } else { LONGEST_HEADER };
    let header_end = at + head(bytes, at, most, is_part).len();
    let header = object(&bytes[at..header_end]).filter(|_| bytes.get(header_end) == Some(&b'.'))?;
    let mut end = header_end;
    let mut parts = 1;
    while parts < MOST_PARTS && bytes.get(end) == Some(&b'.') {
        let length = bytes[end + 1..].iter().take_while(|&&byte| is_part(byte)).count();
        let is_payload =
            parts == 1 && (header.contains_key("alg") || object(&bytes[end + 1..end + 1 + length]).is_some());
        if parts == 1 && !is_payload {
            return None;
        }
        end += 1 + length;
        parts += 1;
        if parts == 3 && !header.contains_key("enc") {
            break;
        }
    }
    (parts >= 3).then_some((at, end))
}

const fn is_part(byte: u8) -> bool {
    is_dashed(byte) || byte == b'='
}

fn object(part: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(&ENGINE.decode(part).ok()?).ok()
}
