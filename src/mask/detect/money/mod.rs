//! Cards and accounts.

mod card;
mod iban;
mod swift;
mod wallet;

use super::form::Asked;
use super::{Detector, Finder, Group};

pub(super) static ROWS: &[Detector] = &[CARD, iban::ROW, swift::ROW, wallet::ROW];

const CARD: Detector = Detector {
    name: "card",
    tag: "[card]",
    group: Group::Money,
    default: true,
    proof: "issuer, length, check digit",
    source: "ISO/IEC 7812-1 and the networks",
    finder: Finder::Number { judge: card::judge, asked: &[Asked::Stretch(13)], near: &[] },
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
        "EAN 4006381333023",
        "4111-1111-1111-1111-2222",
        "12345678-4111-1111-1111-111111111111",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
    ],
};
