//! Tokens of services, by the prefixes that they publish. Clouds are next door.

use super::word::{Body, has_digit, head, is_base64, is_dashed, is_letter, is_mixed, is_underscored, word};
use super::{Detector, Finder, Group};
use crate::mask::detect::edges::starts_word;

/// Of GitHub's and npm's tokens after their prefix: the last six are a CRC-32 of what is before them.
const CHECKED_LENGTH: usize = 36;
/// See [`CHECKED_LENGTH`].
const CHECKSUM_LENGTH: usize = 6;
/// The digits of that checksum, in order.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What OpenAI's keys have within them.
const OPENAI_MARK: &[u8] = b"T3BlbkFJ";
/// The mark stands within so many bytes.
const LONGEST_OPENAI: usize = 256;
/// Of a Telegram token after its colon.
const TELEGRAM_SECRET: usize = 35;

pub(super) const GITHUB: Detector = Detector {
    name: "github_token",
    tag: "[github_token]",
    group: Group::Secrets,
    default: true,
    proof: "prefix and length; within a longer word, the CRC-32 at its end",
    source: "github.blog/engineering, \"Behind GitHub's new authentication token formats\"",
    finder: Finder::Token { prefixes: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"], check: github },
    masked: &[
        ("used ghp_0123456789abcdefABCDEF0123456789abcd.", "used [github_token]."),
        ("github_pat_11EXAMPLE0000000000000_0123456789abcdefghij, x", "[github_token], x"),
        ("xghs_EXAMPLEexampleEXAMPLEexample122DLzId", "x[github_token]"),
    ],
    spared: &["ghp_short", "xghp_0123456789abcdefABCDEF0123456789abcd", "github_pat_x", "ghs_lock.txt"],
};

/// The form alone is enough where the word is the token's own: a token with a wrong checksum is one that was mistyped or
/// is of a later format, and both are better hidden. The checksum finds those that are glued to other letters.
fn github(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let prefix = if bytes[at..].starts_with(b"github_pat_") { 11 } else { 4 };
    word(bytes, at, prefix, Body { is: is_underscored, least: 36 }).or_else(|| checked(bytes, at, at + prefix))
}

/// The token whose secret begins at `start`, if its checksum holds.
fn checked(bytes: &[u8], at: usize, start: usize) -> Option<(usize, usize)> {
    let end = start + CHECKED_LENGTH;
    let (secret, checksum) = bytes.get(start..end)?.split_at(CHECKED_LENGTH - CHECKSUM_LENGTH);
    let digit = |byte: &u8| BASE62.iter().position(|one| one == byte);
    let number = checksum.iter().try_fold(0, |number, byte| Some(number * 62 + digit(byte)?))?;
    (number == crc32fast::hash(secret) as usize && secret.iter().all(u8::is_ascii_alphanumeric)).then_some((at, end))
}

pub(super) const GITLAB: Detector = Detector {
    name: "gitlab_token",
    tag: "[gitlab_token]",
    group: Group::Secrets,
    default: true,
    proof: "prefix and length",
    source: "docs.gitlab.com/security/tokens, \"Token prefixes\"",
    finder: Finder::Token {
        prefixes: &[
            "glpat-",
            "gloas-",
            "gldt-",
            "glrt-",
            "glrtr-",
            "glcbt-",
            "glptt-",
            "glft-",
            "glimt-",
            "glagent-",
            "glwt-",
            "glsoat-",
            "glffct-",
            "GR1348941",
        ],
        check: |bytes, at| {
            let dash = bytes[at..].iter().take(9).position(|&byte| byte == b'-').map_or(9, |dash| dash + 1);
            word(bytes, at, dash, Body { is: |byte| is_dashed(byte) || byte == b'.', least: 20 })
        },
    },
    masked: &[
        ("clone with glpat-EXAMPLE-token_0000001.", "clone with [gitlab_token]."),
        ("glrt-t3_EXAMPLEexample0000000.01.0a1b2c3d4 up", "[gitlab_token] up"),
        ("GR1348941EXAMPLE-token_0000001", "[gitlab_token]"),
    ],
    spared: &["glpat-short", "glft-", "aglpat-EXAMPLE-token_0000001"],
};

pub(super) const SLACK: Detector = Detector {
    name: "slack_token",
    tag: "[slack_token]",
    group: Group::Secrets,
    default: true,
    proof: "prefix, length and a digit; the host and path of a webhook",
    source: "docs.slack.dev/authentication/tokens, docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
    finder: Finder::Token {
        prefixes: &[
            "xoxa-",
            "xoxb-",
            "xoxc-",
            "xoxd-",
            "xoxe-",
            "xoxe.xox",
            "xoxo-",
            "xoxp-",
            "xoxr-",
            "xoxs-",
            "xapp-",
            "xwfp-",
            "hooks.slack.com",
        ],
        check: slack,
    },
    masked: &[
        ("auth xoxb-000000000000-EXAMPLEexample0 ok", "auth [slack_token] ok"),
        ("xapp-1-A0EXAMPLE-000000-abcdef.", "[slack_token]."),
        ("xoxe.xoxp-1-EXAMPLEexample000", "[slack_token]"),
        (
            "POST https://hooks.slack.com/services/T00000000/B00000000/EXAMPLEexample HTTP/1.1",
            "POST https://hooks.slack.com/[slack_token] HTTP/1.1",
        ),
    ],
    spared: &[
        "xoxb-",
        "xoxp-not-a-token-at-all",
        "https://hooks.slack.com/",
        "hooks.slack.com/services/",
        "foxoxb-000000000000-EXAMPLEexample0",
    ],
};

fn slack(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if bytes[at..].starts_with(b"hooks") {
        return slack_webhook(bytes, at + "hooks.slack.com".len());
    }
    let is_body = |byte| is_dashed(byte) || matches!(byte, b'.' | b'%');
    if has_digit(bytes, at, is_body) { word(bytes, at, 5, Body { is: is_body, least: 12 }) } else { None }
}

/// `/services/T…/B…/…`, also of workflows and triggers.
fn slack_webhook(bytes: &[u8], host: usize) -> Option<(usize, usize)> {
    let length = bytes[host..].iter().take_while(|&&byte| is_dashed(byte) || byte == b'/').count();
    let path = bytes[host..host + length].strip_prefix(b"/")?;
    let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).count();
    (parts >= 3).then_some((host + 1, host + length))
}

pub(super) const STRIPE: Detector = Detector {
    name: "stripe_key",
    tag: "[stripe_key]",
    group: Group::Secrets,
    default: true,
    proof: "prefix and length",
    source: "docs.stripe.com/keys, docs.stripe.com/webhooks",
    finder: Finder::Token {
        prefixes: &["sk_live_", "rk_live_", "sk_test_", "rk_test_", "sk_org_", "whsec_"],
        check: stripe,
    },
    masked: &[
        ("key sk_live_EXAMPLEexample00 used", "key [stripe_key] used"),
        ("(rk_test_EXAMPLEexampleEXAMPLE)", "([stripe_key])"),
        ("whsec_EXAMPLEexample+0/0000000000000=", "[stripe_key]"),
    ],
    spared: &["pk_live_EXAMPLEexample00", "sk_live_x", "task_live_EXAMPLEexample00", "risk_test_results_of_today"],
};

fn stripe(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let prefix = if bytes[at..].starts_with(b"whsec_") {
        return word(bytes, at, 6, Body { is: |byte| is_base64(byte) || byte == b'=', least: 16 });
    } else if bytes[at..].starts_with(b"sk_org_") {
        7
    } else {
        8
    };
    if head(bytes, at + prefix, 16, is_underscored).iter().any(|byte| !byte.is_ascii_lowercase() && *byte != b'_') {
        word(bytes, at, prefix, Body { is: is_underscored, least: 16 })
    } else {
        None
    }
}

pub(super) const TELEGRAM: Detector = Detector {
    name: "telegram_token",
    tag: "[telegram_token]",
    group: Group::Secrets,
    default: true,
    proof: "digits, a colon, and 35 characters that begin with AA",
    source: "core.telegram.org/bots/api, \"Authorizing your bot\"",
    finder: Finder::Token { prefixes: &[":AA"], check: telegram },
    masked: &[
        ("token 123456789:AAexample_EXAMPLE-example_EXAMPLE00, x", "token [telegram_token], x"),
        ("GET /bot1234567890:AAexample_EXAMPLE-example_EXAMPLE00/getMe", "GET /bot[telegram_token]/getMe"),
    ],
    spared: &[
        "123456789:AAshort",
        "12:AAexample_EXAMPLE-example_EXAMPLE00",
        "123456789:AAexample_EXAMPLE-example_EXAMPLE001",
    ],
};

/// Before the digits may stand `bot`, as in the API's addresses.
fn telegram(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let digits = bytes[..at].iter().rev().take(13).take_while(|byte| byte.is_ascii_digit()).count();
    let start = at - digits;
    let begins = starts_word(bytes, start) || bytes[..start].ends_with(b"bot");
    let secret = &bytes[at + 1..];
    let length = secret.iter().take(TELEGRAM_SECRET + 1).take_while(|&&byte| is_dashed(byte)).count();
    (begins && (6..=12).contains(&digits) && length == TELEGRAM_SECRET).then_some((start, at + 1 + length))
}

pub(super) const NPM: Detector = Detector {
    name: "npm_token",
    tag: "[npm_token]",
    group: Group::Secrets,
    default: true,
    proof: "prefix and length; within a longer word, the CRC-32 at its end",
    source: "github.blog, \"Announcing npm's new access token format\"",
    finder: Finder::Token {
        prefixes: &["npm_"],
        check: |bytes, at| {
            let exact = |&(start, end): &(usize, usize)| end - start == 4 + CHECKED_LENGTH;
            word(bytes, at, 4, Body { is: is_letter, least: CHECKED_LENGTH })
                .filter(exact)
                .or_else(|| checked(bytes, at, at + 4))
        },
    },
    masked: &[(
        "//registry.npmjs.org/:x npm_EXAMPLEexampleEXAMPLEexampleEXAMPL00",
        "//registry.npmjs.org/:x [npm_token]",
    )],
    spared: &["npm_config_cache", "npm_lifecycle_event=start", "npm_EXAMPLEexampleEXAMPLEexampleEXAMPL000"],
};

pub(super) const PYPI: Detector = Detector {
    name: "pypi_token",
    tag: "[pypi_token]",
    group: Group::Secrets,
    default: true,
    proof: "prefix, the beginning of a macaroon, and length",
    source: "pypi.org/help/#apitoken",
    finder: Finder::Token {
        prefixes: &["pypi-AgE"],
        check: |bytes, at| word(bytes, at, 8, Body { is: is_dashed, least: 30 }),
    },
    masked: &[(
        "upload with pypi-AgEIcHlwaS5vcmcEXAMPLEexample-EXAMPLE_example00000000 done",
        "upload with [pypi_token] done",
    )],
    spared: &["pypi-AgEnt", "pypi-server"],
};

pub(super) const ANTHROPIC: Detector = Detector {
    name: "anthropic_key",
    tag: "[anthropic_key]",
    group: Group::Secrets,
    default: true,
    proof: "prefix, length and a digit",
    source: "docs.anthropic.com/en/api, \"Authentication\"",
    finder: Finder::Token {
        prefixes: &["sk-ant-"],
        check: |bytes, at| {
            if has_digit(bytes, at, is_dashed) { word(bytes, at, 7, Body { is: is_dashed, least: 20 }) } else { None }
        },
    },
    masked: &[(
        "x-api-key is sk-ant-api03-EXAMPLEexample_EXAMPLE-example00 there",
        "x-api-key is [anthropic_key] there",
    )],
    spared: &["sk-ant-hill", "task-ant-api03-EXAMPLEexample"],
};

pub(super) const OPENAI: Detector = Detector {
    name: "openai_key",
    tag: "[openai_key]",
    group: Group::Secrets,
    default: true,
    proof: "prefix and length, and the mark within it or the words after the prefix",
    source: "platform.openai.com/docs/api-reference/authentication",
    finder: Finder::Token { prefixes: &["sk-"], check: openai },
    masked: &[
        ("Incorrect key: sk-EXAMPLEexample000000T3BlbkFJEXAMPLEexample000000.", "Incorrect key: [openai_key]."),
        ("sk-proj-EXAMPLE_example-00T3BlbkFJEXAMPLE_example-00 x", "[openai_key] x"),
        ("sk-svcacct-EXAMPLEexample_EXAMPLEexample-EXAMPLE0example", "[openai_key]"),
    ],
    spared: &[
        "sk-EXAMPLE",
        "task-1-of-20-is-done-and-nothing-more-is-to-do",
        "sk-proj-plan",
        "sk-learn-version-1-2-3-of-the-library-was-loaded",
    ],
};

/// Keys of projects have the mark too; one that lost it is told by its prefix and kinds of letters.
fn openai(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let body = head(bytes, at + 3, LONGEST_OPENAI, is_dashed);
    let is_marked = memchr::memmem::find(body, OPENAI_MARK).is_some();
    let is_named = [&b"proj-"[..], b"svcacct-", b"admin-"].iter().any(|name| body.starts_with(name));
    let is_whole = is_named || (body.len() >= 48 && body.iter().all(u8::is_ascii_alphanumeric));
    if is_marked || (is_whole && is_mixed(body) && body.len() >= 40) {
        word(bytes, at, 3, Body { is: is_dashed, least: 20 })
    } else {
        None
    }
}
