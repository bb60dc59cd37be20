//! What leads to a person.

mod calling;
mod email;
mod phone;

use super::{Detector, Finder, Group, Seen};

pub(super) static ROWS: &[Detector] = &[EMAIL, phone::ROW];

const EMAIL: Detector = Detector {
    name: "email",
    tag: "[email]",
    group: Group::People,
    default: true,
    proof: "name, `@` and a domain with a top level of letters",
    source: "RFC 5321, 6531",
    finder: Finder::Own { seen: &[Seen::At(email::is_place)], find: email::find },
    masked: &[
        ("from <bob.o'hara+x@mail.example.co.uk>.", "from <[email]>."),
        ("?mail=bob%40example.com&x=1", "?mail=[email]&x=1"),
        ("иван@почта.рф пишет", "[email] пишет"),
        ("at bob@[192.168.0.1]", "at [email]"),
        ("a@x.io,b@y.io", "[email],[email]"),
        ("sent to bob@example.com.123", "sent to [email].123"),
        ("4111111111111111@-x.io", "[email]"),
        ("https://ghp_0123456789abcdefABCDEF0123456789abcd@git.io/x", "https://[github_token]@git.io/x"),
    ],
    spared: &[
        "java.lang.Object@1a2b3c4d",
        "npm left-pad@1.3.0",
        "logo@2x.png",
        "logo@1.5x.png",
        "root@localhost",
        "a @timestamp b",
    ],
};
