//! The table of detectors: a new one is one row here and a file with its two functions. Rewrites nothing.

use super::escapes::Undone;
use super::keys::Keys;
use super::{address, authorization, card, email, secret, url};

/// One kind of personal data or secret.
pub(super) struct Detector {
    /// What `detect` and the metrics call it.
    pub(super) name: &'static str,
    /// What is written instead.
    pub(super) tag: &'static str,
    /// Whether it is on when the user says nothing.
    pub(super) default: bool,
    /// The next place at or after `from` that may be a hit. It sees many lines at once, and escapes as they stand in
    /// JSON: it may be wrong, but must not pass over anything that `find` would find once escapes are undone.
    /// (An escaped ASCII character, `\u0040`, is not its concern: such lines are always examined.)
    pub(super) seek: fn(bytes: &[u8], from: usize, keys: &Keys) -> Option<usize>,
    /// Every hit in one text without escapes. Time linear in the text's length.
    pub(super) find: fn(text: &str, keys: &Keys, found: &mut Found),
    /// Texts and what they become.
    #[cfg_attr(not(test), expect(dead_code, reason = "rows carry their own proof; only the tests run it"))]
    pub(super) masked: &'static [(&'static str, &'static str)],
    /// Texts that look alike and stay.
    #[cfg_attr(not(test), expect(dead_code, reason = "rows carry their own proof; only the tests run it"))]
    pub(super) spared: &'static [&'static str],
}

/// The row that is behind the sensitive keys of JSON objects.
pub(super) const SECRET: usize = 0;

/// All. Where hits overlap, the one that begins first names the whole, then the one whose row comes first.
pub(super) static DETECTORS: [Detector; 8] = [
    Detector {
        name: "secret",
        tag: "[secret]",
        default: true,
        seek: secret::seek,
        find: secret::find,
        masked: secret::MASKED,
        spared: secret::SPARED,
    },
    Detector {
        name: "argument",
        tag: "[secret]",
        default: true,
        seek: secret::seek_argument,
        find: secret::find_argument,
        masked: &[("run --password x1 --verbose", "run --password [secret] --verbose")],
        spared: &["run --verbose x1", "--password --verbose", "-------- token x"],
    },
    Detector {
        name: "authorization",
        tag: "[credential]",
        default: true,
        seek: authorization::seek,
        find: authorization::find,
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
        default: true,
        seek: url::seek,
        find: url::find,
        masked: &[
            ("postgres://bob:hunter2@db:5432/x", "postgres://bob:[password]@db:5432/x"),
            ("redis://:p/ss#word@cache.example.com/0", "redis://:[password]@cache.example.com/0"),
            ("smtp://bob@x.com:p@ss@mail", "smtp://[email]:[password]@mail"),
        ],
        spared: &["http://host:8080/a@b", "https://example.com/@user", "amqp://guest@mq", "ftp://u:@h"],
    },
    Detector {
        name: "email",
        tag: "[email]",
        default: true,
        seek: email::seek,
        find: email::find,
        masked: &[
            ("from <bob.o'hara+x@mail.example.co.uk>.", "from <[email]>."),
            ("?mail=bob%40example.com&x=1", "?mail=[email]&x=1"),
            ("иван@почта.рф пишет", "[email] пишет"),
            ("at bob@[192.168.0.1]", "at [email]"),
            ("a@x.io,b@y.io", "[email],[email]"),
            ("sent to bob@example.com.123", "sent to [email].123"),
            ("4111111111111111@-x.io", "[email]"),
        ],
        spared: &["java.lang.Object@1a2b3c4d", "npm left-pad@1.3.0", "logo@2x.png", "root@localhost", "a @timestamp b"],
    },
    Detector {
        name: "card",
        tag: "[card]",
        default: true,
        seek: card::seek,
        find: card::find,
        masked: &[
            ("paid with 4111111111111111.", "paid with [card]."),
            ("5500-0055-5555-5559 and 3714 496353 98431", "[card] and [card]"),
            ("мир 2200 0000 0000 0004", "мир [card]"),
            ("n=12 4111 1111 1111 1111 ok", "n=12 [card] ok"),
        ],
        spared: &[
            "time 1749112947148",
            "ns 1749112947148123456",
            "4111111111111112",
            "14111111111111111x",
            "0.4111111111111111",
            "4111-1111-1111-1111-2222",
            "12345678-4111-1111-1111-111111111111",
            "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        ],
    },
    Detector {
        name: "ipv4",
        tag: "[ipv4]",
        default: false,
        seek: address::seek_ipv4,
        find: address::find_ipv4,
        masked: &[("from 10.0.0.1:8080, 192.168.1.255.", "from [ipv4]:8080, [ipv4].")],
        spared: &["v1.2.3.4", "1.2.3.4.5", "1.2.3", "256.1.1.1", "10.0.0.1x"],
    },
    Detector {
        name: "ipv6",
        tag: "[ipv6]",
        default: false,
        seek: address::seek_ipv6,
        find: address::find_ipv6,
        masked: &[
            ("from [2001:db8::1]:443", "from [[ipv6]]:443"),
            ("::ffff:1.2.3.4 and fe80::1%eth0", "[ipv6] and [ipv6]%eth0"),
        ],
        spared: &["12:34:56", "std::fmt", "a::b", "00:1b:44:11:3a:b7", "::"],
    },
];

/// Whether `text` is what a detector writes.
pub(super) fn is_tag(text: &[u8]) -> bool {
    DETECTORS.iter().any(|one| one.tag.as_bytes() == text)
}

/// A set of rows of [`DETECTORS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(u32);

impl Set {
    pub(super) const fn insert(&mut self, row: usize) {
        self.0 |= 1 << row;
    }

    pub(super) const fn contains(self, row: usize) -> bool {
        self.0 & 1 << row != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A quote as it stands in a text: the character, after how many backslashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) mark: u8,
    pub(super) slashes: usize,
}

/// A stretch of text to be replaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) row: usize,
    /// The tag gets quotes of this kind, where JSON inside a string had a bare number.
    pub(super) quote: Option<Quote>,
}

/// What was found in one text. Reused from text to text.
#[derive(Debug, Default)]
pub(super) struct Found {
    spans: Vec<Span>,
    row: usize,
}

impl Found {
    /// Adds a hit of the detector that is searching.
    pub(super) fn push(&mut self, start: usize, end: usize) {
        self.push_quoted(start, end, None);
    }

    /// The same, with quotes for the tag.
    pub(super) fn push_quoted(&mut self, start: usize, end: usize, quote: Option<Quote>) {
        self.spans.push(Span { start, end, row: self.row, quote });
    }

    /// Runs the detectors of `set` over `text` and returns their hits, in order, none overlapping another.
    pub(super) fn search(&mut self, text: &str, set: Set, keys: &Keys) -> &[Span] {
        self.spans.clear();
        for (row, detector) in DETECTORS.iter().enumerate().filter(|&(row, _)| set.contains(row)) {
            self.row = row;
            (detector.find)(text, keys, self);
        }
        self.settle();
        &self.spans
    }

    /// The same for a text that may have escapes left: what they hide is found, and no escape is cut. Where the end of a
    /// hit cannot be told, the whole text is one.
    pub(super) fn search_through(
        &mut self,
        text: &str,
        set: Set,
        wanted: Set,
        keys: &Keys,
        undone: &mut Undone,
    ) -> &[Span] {
        if !undone.undo(text) {
            return self.search(text, set, keys);
        }
        self.search(undone.text(), wanted, keys);
        self.spans.iter_mut().for_each(|span| *span = undone.place(*span));
        if self.spans.is_empty() {
            self.search(text, wanted, keys);
            self.spans.iter_mut().for_each(|span| *span = undone.widen(*span));
        }
        self.settle();
        if undone.is_tangled() {
            self.spans.truncate(1);
            self.spans.iter_mut().for_each(|span| *span = Span { start: 0, end: text.len(), quote: None, ..*span });
        }
        &self.spans
    }

    /// Joins hits that overlap, so that nothing of either stays. An e-mail address whose name is a URL's password is
    /// no address: the host may stay.
    fn settle(&mut self) {
        self.spans.sort_unstable_by_key(|span| (span.start, span.row));
        self.spans.dedup_by(|next, kept| {
            if next.start >= kept.end {
                return false;
            }
            if !(DETECTORS[kept.row].name == "url_password" && DETECTORS[next.row].name == "email") {
                kept.end = kept.end.max(next.end);
            }
            true
        });
    }
}
