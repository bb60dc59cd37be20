//! Keys of Amazon, Google and Microsoft: by prefix, or by the name that their own tools write before them.

use super::word::{Body, head, is_base64, is_dashed, is_letter, word};
use super::{Detector, Finder, Group};
use crate::mask::detect::edges::{ends_word, follows_escape, starts_word};

/// Between a name and its value: `="`, `" : "`, `>`.
const LONGEST_GAP: usize = 12;
/// No name is longer.
const LONGEST_NAME: usize = 32;
/// Of a secret access key.
const AWS_SECRET: usize = 40;
/// Of an access key's id, with its prefix.
const AWS_ID: usize = 20;
/// Base64 of 64 bytes, without padding.
const AZURE_KEY: usize = 86;
/// Base64 of an HMAC-SHA256, without padding.
const AZURE_SIGNATURE: usize = 43;

pub(super) const AWS: Detector = Detector {
    name: "aws_key",
    tag: "[aws_key]",
    group: Group::Secrets,
    default: true,
    proof: "prefix and length; of secret access keys, the name before them and the length",
    source: "docs.aws.amazon.com/IAM/latest/UserGuide, \"Unique identifiers\", \"Access keys\"",
    finder: Finder::Token {
        prefixes: &[
            "AKIA",
            "ASIA",
            "ABIA",
            "ACCA",
            "ecret_access_key",
            "ECRET_ACCESS_KEY",
            "ecretAccessKey",
            "ecret access key",
            "ecret Access Key",
        ],
        check: aws,
    },
    masked: &[
        ("by AKIAEXAMPLEEXAMPLE22 at", "by [aws_key] at"),
        ("<AccessKeyId>ASIAEXAMPLEEXAMPLE33</AccessKeyId>", "<AccessKeyId>[aws_key]</AccessKeyId>"),
        (
            "<SecretAccessKey>EXAMPLE/example+EXAMPLE/example+00000000</SecretAccessKey>",
            "<SecretAccessKey>[aws_key]</SecretAccessKey>",
        ),
        ("aws_secret_access_key EXAMPLE/example+EXAMPLE/example+00000000", "aws_secret_access_key [aws_key]"),
    ],
    spared: &[
        "AKIA",
        "AKIAEXAMPLEEXAMPLE2",
        "AKIAEXAMPLEEXAMPLE222",
        "ASIA-PACIFIC",
        "set your secret access key first",
    ],
};

fn aws(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if bytes[at] != b'A' {
        let name = 16;
        let start = after_gap(bytes, at + if bytes[at..].starts_with(b"ecretAccessKey") { name - 2 } else { name })?;
        return base64_of(bytes, start, AWS_SECRET);
    }
    let is_id = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let is_whole = starts_word(bytes, at) && ends_word(bytes, at + AWS_ID);
    let id = bytes.get(at..at + AWS_ID)?;
    (is_whole && id.iter().all(is_id)).then_some((at, at + AWS_ID))
}

pub(super) const GCP: Detector = Detector {
    name: "gcp_key",
    tag: "[gcp_key]",
    group: Group::Secrets,
    default: true,
    proof: "prefix and length",
    source: "cloud.google.com/docs/authentication, \"API keys\", \"Token types\"",
    finder: Finder::Token { prefixes: &["AIza", "ya29.", "GOCSPX-", "1//0"], check: gcp },
    masked: &[
        ("?x=AIzaEXAMPLEexample_EXAMPLE-example00000&y", "?x=[gcp_key]&y"),
        ("got ya29.a0EXAMPLEexample_EXAMPLE.", "got [gcp_key]."),
        ("GOCSPX-EXAMPLEexample-EXAMPLE_0000", "[gcp_key]"),
        ("1//0EXAMPLEexampleEXAMPLEexampleEXAMPLE-example0", "[gcp_key]"),
    ],
    spared: &["AIzaShort", "ya29.x", "AIzaEXAMPLEexample_EXAMPLE-example000000", "1//0 x"],
};

fn gcp(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    match bytes[at] {
        b'A' => word(bytes, at, 4, Body { is: is_dashed, least: 35 }).filter(|&(start, end)| end - start == 39),
        b'y' => word(bytes, at, 5, Body { is: |byte| is_dashed(byte) || byte == b'.', least: 16 }),
        b'G' => word(bytes, at, 7, Body { is: is_dashed, least: 20 }),
        _ => word(bytes, at, 4, Body { is: is_dashed, least: 30 }),
    }
}

pub(super) const AZURE: Detector = Detector {
    name: "azure_key",
    tag: "[azure_key]",
    group: Group::Secrets,
    default: true,
    proof: "the name before it, and length; of client secrets, the mark within them",
    source: "learn.microsoft.com/azure/storage/common, \"Configure connection strings\", \"Shared access signatures\"; \
             learn.microsoft.com/purview, \"Azure AD client access key\"",
    finder: Finder::Token {
        prefixes: &[
            "AccountKey",
            "accountKey",
            "account_key",
            "STORAGE_KEY",
            "torageKey",
            "storage_key",
            "sig=",
            "7Q~",
            "8Q~",
        ],
        check: azure,
    },
    masked: &[
        (
            "AccountName=x;AccountKey=EXAMPLE/example+EXAMPLE/example+EXAMPLE/example+EXAMPLE/example+EXAMPLE/example+000000==;EndpointSuffix=y",
            "AccountName=x;AccountKey=[azure_key];EndpointSuffix=y",
        ),
        (
            "?sv=2022-11-02&sig=EXAMPLE%2Fexample%2BEXAMPLE%2Fexample%2B00000000000%3D&se=1",
            "?sv=2022-11-02&sig=[azure_key]&se=1",
        ),
        ("with abc8Q~EXAMPLE.example-EXAMPLE_example~00.", "with [azure_key]."),
    ],
    spared: &["AccountKey=", "AccountKeyVault", "sig=abc", "8Q~short", "SharedAccessKeyName=RootManage"],
};

fn azure(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    match bytes[at] {
        b'7' | b'8' => azure_client(bytes, at),
        b's' if bytes[at..].starts_with(b"sig=") => azure_signature(bytes, at + 4).filter(|_| starts_word(bytes, at)),
        _ => {
            let name = head(bytes, at, LONGEST_NAME, |byte| is_letter(byte) || byte == b'_').len();
            base64_of(bytes, after_gap(bytes, at + name)?, AZURE_KEY)
        }
    }
}

/// Three characters, a digit, `Q~`, and 31 to 34 characters.
fn azure_client(bytes: &[u8], mark: usize) -> Option<(usize, usize)> {
    let is_body = |byte: u8| is_dashed(byte) || matches!(byte, b'.' | b'~');
    let start = mark.checked_sub(3)?;
    let rest = head(bytes, mark + 3, 64, is_body);
    let length = rest.len() - rest.iter().rev().take_while(|&&byte| byte == b'.').count();
    let is_form = bytes[start..mark].iter().all(|&byte| is_body(byte)) && (31..=34).contains(&length);
    let begins = start.checked_sub(1).is_none_or(|before| !is_body(bytes[before]) || follows_escape(bytes, start));
    (is_form && begins).then_some((start, mark + 3 + length))
}

/// Base64 in a query: `+`, `/` and `=` may be percent-encoded.
fn azure_signature(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut at = start;
    for _ in 0..AZURE_SIGNATURE {
        at += match bytes.get(at..)? {
            [b'%', b'2', b'B' | b'b' | b'F' | b'f', ..] => 3,
            [byte, ..] if is_base64(*byte) => 1,
            _ => return None,
        };
    }
    let padding = match bytes.get(at..)? {
        [b'=', ..] => 1,
        [b'%', b'3', b'D' | b'd', ..] => 3,
        _ => 0,
    };
    ends_word(bytes, at + padding).then_some((start, at + padding))
}

/// Where the value begins whose name ends at `at`.
fn after_gap(bytes: &[u8], at: usize) -> Option<usize> {
    let is_gap = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'"' | b'\'' | b'\\' | b'=' | b':' | b'>');
    let length = bytes.get(at..)?.iter().take(LONGEST_GAP + 1).take_while(is_gap).count();
    (1..=LONGEST_GAP).contains(&length).then_some(at + length)
}

/// The Base64 word at `start`, if it is so long without padding.
fn base64_of(bytes: &[u8], start: usize, wanted: usize) -> Option<(usize, usize)> {
    let length = head(bytes, start, wanted + 1, is_base64).len();
    let end = start + length;
    let padding = head(bytes, end, 2, |byte| byte == b'=').len();
    (length == wanted && ends_word(bytes, end + padding)).then_some((start, end + padding))
}
