//! Secrets: passwords, keys, tokens, sessions.

mod authorization;
mod client;
mod clouds;
mod element;
mod jwt;
mod named;
pub(in crate::mask) mod pem;
mod url;
mod vendors;
mod word;

pub(super) use named::{find_kind, is_place as is_name, may_be_place as may_be_name};
pub(in crate::mask) use named::{is_harmless, is_random};

use super::{Detector, Finder, Group, Seen};
use crate::mask::keys::Kind;

pub(super) static ROWS: &[Detector] = &[
    Detector {
        name: "secret",
        tag: "[secret]",
        group: Group::Secrets,
        default: true,
        proof: "the name before it",
        source: "names that services use",
        finder: Finder::Own { seen: &[Seen::Name], find: named::find },
        masked: named::MASKED,
        spared: named::SPARED,
    },
    Detector {
        name: "argument",
        tag: "[secret]",
        group: Group::Secrets,
        default: true,
        proof: "the name before it",
        source: "names that programs use",
        finder: Finder::Own { seen: &[Seen::Pass(named::seek_argument)], find: named::find_argument },
        masked: &[("run --password x1 --verbose", "run --password [secret] --verbose")],
        spared: &["run --verbose x1", "--password --verbose", "-------- token x"],
    },
    Detector {
        name: "client",
        tag: "[secret]",
        group: Group::Secrets,
        default: true,
        proof: "the name of a client that has such an option",
        source: "the clients' manuals",
        finder: Finder::Own { seen: &[Seen::Words(client::NAMES, client::is_place)], find: client::find },
        masked: &[
            ("ran mysql -u bob -phunter2 shop", "ran mysql -u bob -p[secret] shop"),
            ("sshpass -p hunter2 ssh x", "sshpass -p [secret] ssh x"),
            ("redis-cli -h x -a 'hun ter2' ping", "redis-cli -h x -a '[secret]' ping"),
            ("curl -s -u bob:hunter2 http://x", "curl -s -u bob:[secret] http://x"),
        ],
        spared: &[
            "mysql -p shop",
            "mysql -u bob -P3306",
            "curl -u bob http://x",
            "mkdir -p x",
            "mysql -p[secret] x",
            "psql -p 5432",
        ],
    },
    Detector {
        name: "authorization",
        tag: "[credential]",
        group: Group::Secrets,
        default: true,
        proof: "the scheme; Base64 of a pair with a colon; for bearer tokens, length and letters",
        source: "RFC 6750, 7617",
        finder: Finder::Own {
            seen: &[Seen::Words(authorization::SCHEMES, authorization::is_place)],
            find: authorization::find,
        },
        masked: &[
            ("sent bearer eyJhbGciOi.J9-x_y to", "sent bearer [credential] to"),
            ("BEARER 0123456789abcdef", "BEARER [credential]"),
            ("got 'Basic dXNlcjpwYXNz'", "got 'Basic [credential]'"),
        ],
        spared: &["bearer of bad news", "basic authentication", "Basic dGVzdA==", "forbearer 0123456789abcdef"],
    },
    Detector {
        name: "url_password",
        tag: "[password]",
        group: Group::Secrets,
        default: true,
        proof: "the form of a URL",
        source: "RFC 3986",
        finder: Finder::Own { seen: &[Seen::At(url::is_place)], find: url::find },
        masked: &[
            ("postgres://bob:hunter2@db:5432/x", "postgres://bob:[password]@db:5432/x"),
            ("redis://:p/ss#word@cache.example.com/0", "redis://:[password]@cache.example.com/0"),
            ("smtp://bob@x.com:p@ss@mail", "smtp://[email]:[password]@mail"),
        ],
        spared: &["http://host:8080/a@b", "https://example.com/@user", "amqp://guest@mq", "ftp://u:@h"],
    },
    Detector {
        name: "private_key",
        tag: "[private_key]",
        group: Group::Secrets,
        default: true,
        proof: "the markers; of a line alone, its length and that it is nothing but mixed Base64",
        source: "RFC 7468, 4880, 1421",
        finder: Finder::Own {
            seen: &[Seen::Words(pem::MARKERS, |_, _| true), Seen::Base64(pem::may_be_line)],
            find: pem::find,
        },
        masked: pem::MASKED,
        spared: pem::SPARED,
    },
    jwt::JWT,
    vendors::GITHUB,
    vendors::GITLAB,
    vendors::SLACK,
    vendors::STRIPE,
    vendors::TELEGRAM,
    vendors::NPM,
    vendors::PYPI,
    vendors::ANTHROPIC,
    vendors::OPENAI,
    clouds::AWS,
    clouds::GCP,
    clouds::AZURE,
    // Behind all that have a form: a token is called what it is.
    Detector {
        name: "element",
        tag: "[secret]",
        group: Group::Secrets,
        default: true,
        proof: "the name of the XML element around it",
        source: "names that services use; Extensible Markup Language (XML) 1.0, 2.7 and 3.1",
        finder: Finder::Own { seen: &[Seen::Pass(element::seek)], find: element::find },
        masked: &[
            ("<user>bob</user><password>hunter2</password>", "<user>bob</user><password>[secret]</password>"),
            ("<wsse:Password Type=\"x\">a b</wsse:Password>", "<wsse:Password Type=\"x\">[secret]</wsse:Password>"),
            ("<token><![CDATA[a<b>c]]></token>", "<token><![CDATA[[secret]]]></token>"),
        ],
        spared: &["<password></password>", "<password/>", "<p>forgot your password</p>", "<tokens><a>x</a></tokens>"],
    },
    Detector {
        name: "random",
        tag: "[secret]",
        group: Group::Secrets,
        default: true,
        proof: "the name before it, and that it looks drawn by lot",
        source: "names that services use",
        finder: Finder::Own {
            seen: &[Seen::Name],
            find: |text, keys, found| find_kind(text, keys, found, Kind::is_random),
        },
        masked: &[
            ("ключ=0a1b2c3d4e5f6a7b8c9d", "ключ=[secret]"),
            ("session=EXAMPLE0example1EXAMPLE2 key: 5", "session=[secret] key: 5"),
            ("?key=AIzaEXAMPLEexample_EXAMPLE-example00000", "?key=[gcp_key]"),
        ],
        spared: &["key=user-profile-settings", "ключ: 6fa459ea-ee8a-3ca4-894e-db77e160355e", "session=opened"],
    },
];
