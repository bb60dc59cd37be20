//! Values of names that say whose they are: `first_name`, `ФИО`, `паспорт`. Names of people cannot be told otherwise.

use super::secrets::find_kind;
use super::{Detector, Finder, Group, Seen};
use crate::mask::keys::Kind;

pub(super) static ROWS: &[Detector] = &[Detector {
    name: "personal",
    tag: "[personal]",
    group: Group::People,
    default: true,
    proof: "the name before it",
    source: "names that services use",
    finder: Finder::Own {
        seen: &[Seen::Name],
        find: |text, keys, found| find_kind(text, keys, found, Kind::is_personal),
    },
    masked: &[
        ("ФИО: Иванов Иван Иванович, вход", "ФИО: [personal], вход"),
        ("first_name=Bob last_name='Van Dyke' x", "first_name=[personal] last_name='[personal]' x"),
        ("паспорт: 0000 000000 выдан", "паспорт: [personal] выдан"),
        ("{\"fullName\": \"Bob B.\", \"a\": 1", "{\"fullName\": \"[personal]\", \"a\": 1"),
        ("phone: +1 (555) 0100 ok", "phone: [personal] ok"),
    ],
    spared: &["name: Bob", "first_name=", "file_name=Bob", "surname: null", "имя: файл", "telephone line is busy"],
}];
