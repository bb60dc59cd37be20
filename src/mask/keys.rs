//! Names whose values are secret, `password`, `accessToken`, `X-Api-Key`, or personal, `first_name`. Knows names only, not
//! where values end.

use super::detect::{is_word, starts_word};
use crate::base::chunk::offset;

/// Names that are secret at the end of any word: `PGPASSWORD`, `clientSecret`, `access_token`, `jsessionid`.
const ANYWHERE: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "token",
    "api_key",
    "access_key",
    "access_key_id",
    "private_key",
    "secret_key",
    "secret_key_base",
    "signing_key",
    "encryption_key",
    "session_id",
    "sess_id",
    "credential",
    "credentials",
    "password_hash",
    "password_confirmation",
    "password_confirm",
    "password_old",
    "password_new",
    "secret_value",
    "token_value",
    "пароль",
    "пароли",
    "токен",
    "секрет",
    "секреты",
    "секретный_ключ",
    "закрытый_ключ",
    "ключ_доступа",
    "ключ_api",
    "api_ключ",
];

/// Names that are secret only as whole words: `user_pwd`, not `cpwd`.
const WORDS: &[&str] =
    &["pass", "pwd", "jwt", "otp", "cvv", "cvc", "authorization", "csrf", "session_key", "connect.sid"];

/// Names whose value is a list of `name=value;`, only as whole words.
const LISTS: &[&str] = &["cookie", "cookies", "set_cookie"];

/// Names that are secret, as whole words, if the value looks drawn by lot: keys of a cache have names too.
const IF_RANDOM: &[&str] = &["key", "auth", "sid", "session", "signature", "ключ", "сессия", "сеанс", "подпись"];

/// Names whose value is of a person, as whole words. Only those that say so: `name`, `address` and `имя` are of things
/// as often; `email` and numbers with check digits have detectors that see their values. Telephone and card numbers have
/// them too, but no detector can be sure of one without a country code or with a digit mistyped.
const PERSONAL: &[&str] = &[
    "first_name",
    "last_name",
    "middle_name",
    "second_name",
    "given_name",
    "family_name",
    "maiden_name",
    "full_name",
    "surname",
    "patronymic",
    "cardholder",
    "cardholder_name",
    "card_holder",
    "fio",
    "фио",
    "фамилия",
    "отчество",
    "фамилия_имя_отчество",
    "passport",
    "passport_number",
    "passport_no",
    "passport_series",
    "паспорт",
    "паспорта",
    "паспортные_данные",
    "birth_date",
    "birthdate",
    "birthday",
    "date_of_birth",
    "dob",
    "дата_рождения",
    "phone",
    "phone_number",
    "telephone",
    "телефон",
    "телефона",
    "card_number",
    "card_no",
    "номер_карты",
];

/// What kind of value a secret name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One word, or a quoted text.
    Value,
    /// `name=value; name=value`, as in a cookie.
    List,
    /// One word, secret only if it looks drawn by lot.
    Random,
    /// Not secret but personal: a few words.
    Personal,
}

impl Kind {
    /// Whether it is the row `personal` that masks it.
    pub(super) fn is_personal(self) -> bool {
        self == Self::Personal
    }

    /// Whether it is the row `random` that masks it.
    pub(super) fn is_random(self) -> bool {
        self == Self::Random
    }

    /// Whether it is the row `secret` that masks it.
    pub(super) fn is_secret(self) -> bool {
        !self.is_personal() && !self.is_random()
    }
}

/// All secret names, ready to be compared from their ends.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    names: Names,
    /// Lower case, no separators, last byte first.
    except: Vec<Vec<u8>>,
}

/// What may stand between the letters of a name, among [`Names::letters`].
const SEPARATOR: u8 = 1;

/// Names as a tree of letters, the last one at its root: most words part from all names after a letter or two.
#[derive(Clone, Debug)]
struct Names {
    /// Numbers the bytes of all names, in either case; 0: in none, or [`SEPARATOR`].
    letters: [u8; 256],
    /// From each node's number on, so many as there are letters: the node of that letter before it; 0: none. At
    /// [`SEPARATOR`]: one more than the number of the name that begins there.
    before: Vec<u32>,
    width: usize,
    /// Of two that end at one place the earlier counts.
    names: Vec<Name>,
    /// A bit for each three letters that a name may end with, five bits of each: most words are passed over by these.
    endings: Box<[u64; ENDINGS / 64]>,
}

/// How many endings can be told apart.
const ENDINGS: usize = 1 << 15;

#[derive(Clone, Copy, Debug)]
struct Name {
    anywhere: bool,
    kind: Kind,
}

impl Names {
    /// From names in lower case without separators; the earlier count more.
    fn new(all: &[(Vec<u8>, bool, Kind)]) -> Self {
        let mut letters = [0; 256];
        [b'_', b'-', b'.', b' '].iter().for_each(|byte| letters[usize::from(*byte)] = SEPARATOR);
        let mut width = SEPARATOR + 1;
        for byte in all.iter().flat_map(|(name, ..)| name) {
            if letters[usize::from(*byte)] == 0 {
                letters[usize::from(*byte)] = width;
                letters[usize::from(byte.to_ascii_uppercase())] = width;
                width += 1;
            }
        }
        let width = usize::from(width);
        let endings = Box::new([0; ENDINGS / 64]);
        let mut tree = Self { letters, before: vec![0; width], width, names: Vec::new(), endings };
        all.iter().for_each(|(name, anywhere, kind)| tree.insert(name, Name { anywhere: *anywhere, kind: *kind }));
        tree
    }

    fn insert(&mut self, name: &[u8], named: Name) {
        self.insert_ending(name);
        let mut node = 0;
        for byte in name.iter().rev() {
            let place = node + usize::from(self.letters[usize::from(*byte)]);
            node = self.before[place] as usize;
            if node == 0 {
                node = self.before.len();
                self.before[place] = offset(node);
                self.before.resize(self.before.len() + self.width, 0);
            }
        }
        let place = node + usize::from(SEPARATOR);
        if self.before[place] == 0 {
            self.names.push(named);
            self.before[place] = offset(self.names.len());
        }
    }

    /// Before a short name may stand anything.
    fn insert_ending(&mut self, name: &[u8]) {
        // Only five bits of each count.
        let letter = |from_end| name.iter().nth_back(from_end).map_or(0..=31, |byte| *byte..=*byte);
        for third in letter(2) {
            for second in letter(1) {
                for last in letter(0) {
                    let ending = ending([third, second, last]);
                    self.endings[ending / 64] |= 1 << (ending % 64);
                }
            }
        }
    }

    #[inline(always)]
    fn may_end(&self, bytes: &[u8]) -> bool {
        let ending = match bytes {
            [.., third, second, last] if !is_separator(*third) && !is_separator(*second) => {
                ending([*third, *second, *last])
            }
            _ => {
                let mut letters = bytes.iter().rev().filter(|byte| !is_separator(**byte));
                let [Some(last), Some(second), Some(third)] = std::array::from_fn(|_| letters.next()) else {
                    return true;
                };
                ending([*third, *second, *last])
            }
        };
        self.endings[ending / 64] & 1 << (ending % 64) != 0
    }

    /// The name that ends with `bytes`.
    fn at_end(&self, bytes: &[u8]) -> Option<Name> {
        let (mut node, mut found) = (0, 0);
        for (at, byte) in bytes.iter().enumerate().rev() {
            let letter = self.letters[usize::from(*byte)];
            if letter != SEPARATOR {
                node = self.before[node + usize::from(letter)] as usize;
            }
            if node == 0 {
                break;
            }
            let name = self.before[node + usize::from(SEPARATOR)] as usize;
            let is_better = letter != SEPARATOR && name > 0 && (found == 0 || name < found);
            if is_better && (self.names[name - 1].anywhere || starts_word(bytes, at)) {
                found = name;
            }
        }
        found.checked_sub(1).map(|name| self.names[name])
    }
}

impl Keys {
    /// The built-in names and the user's `own`, less those in `except`, which are whole names.
    pub(super) fn new(own: &[String], except: &[String]) -> Self {
        let built_in = |names: &[&'static str], anywhere, kind| {
            names.iter().map(|name| ((*name).to_owned(), anywhere, kind)).collect::<Vec<_>>()
        };
        let all = [
            built_in(ANYWHERE, true, Kind::Value),
            built_in(WORDS, false, Kind::Value),
            built_in(LISTS, false, Kind::List),
            own.iter().map(|name| (name.clone(), false, Kind::Value)).collect(),
            built_in(IF_RANDOM, false, Kind::Random),
            built_in(PERSONAL, false, Kind::Personal),
        ];
        let forms = |(name, anywhere, kind): (String, bool, Kind)| cased(&name).map(|form| (form, anywhere, kind));
        let all: Vec<_> = all.into_iter().flatten().flat_map(forms).collect();
        let except = except.iter().map(|name| plain(name).bytes().rev().collect()).collect();
        Self { names: Names::new(&all), except }
    }

    /// The kind of the name that ends at `end`, if it is one of these. A single digit after it (`password2`) does not
    /// count.
    pub(super) fn secret_before(&self, bytes: &[u8], end: usize) -> Option<Kind> {
        let name = bytes.get(..end).and_then(without_digit).filter(|name| self.names.may_end(name))?;
        let found = self.names.at_end(name)?;
        (!self.is_excepted(name)).then_some(found.kind)
    }

    /// Whether `bytes` may end with one of the names.
    #[inline(always)]
    pub(super) fn may_end(&self, bytes: &[u8]) -> bool {
        without_digit(bytes).is_some_and(|name| self.names.may_end(name))
    }

    fn is_excepted(&self, bytes: &[u8]) -> bool {
        let stands_alone = |start: usize| {
            start == 0 || (!is_word(bytes[start - 1]) && !is_separator(bytes[start - 1])) || bytes[start - 1] == b' '
        };
        self.except.iter().any(|name| starts_at(bytes, bytes.len(), name).is_some_and(stands_alone))
    }
}

/// A name without the digit after it; longer numbers are of no name.
#[inline(always)]
fn without_digit(name: &[u8]) -> Option<&[u8]> {
    match name {
        [name @ .., last] if last.is_ascii_digit() => name.last()?.is_ascii_alphabetic().then_some(name),
        _ => (!name.is_empty()).then_some(name),
    }
}

/// The cases of ASCII letters are the same in the lower five bits.
#[inline(always)]
const fn ending([third, second, last]: [u8; 3]) -> usize {
    (third as usize & 31) << 10 | (second as usize & 31) << 5 | last as usize & 31
}

/// Lower case, without separators.
pub(super) fn plain(name: &str) -> String {
    let is_kept = |one: &char| u8::try_from(*one).map_or(true, |byte| !is_separator(byte));
    name.to_lowercase().chars().filter(is_kept).collect()
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

/// A name in the cases that people write beyond ASCII: upper, first letter upper, lower. In ASCII all are one.
fn cased(name: &str) -> [Vec<u8>; 3] {
    let lower = plain(name);
    let mut letters = lower.chars();
    let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    [lower.to_uppercase(), title, lower].map(|form| form.to_ascii_lowercase().into_bytes())
}

/// Where the name that ends at `end` starts, if it is `reversed`.
fn starts_at(bytes: &[u8], end: usize, reversed: &[u8]) -> Option<usize> {
    let mut at = end;
    for (index, &wanted) in reversed.iter().enumerate() {
        while index > 0 && at > 0 && is_separator(bytes[at - 1]) {
            at -= 1;
        }
        at = at.checked_sub(1)?;
        if bytes[at].to_ascii_lowercase() != wanted {
            return None;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_tree_finds_what_comparing_each_name_finds(
            names in prop::collection::vec(("[abя]{0,4}", any::<bool>()), 0..9), text in "[abAя1_ .:]{0,12}",
        ) {
            let all: Vec<_> = names.iter().map(|(name, anywhere)| (name.clone().into_bytes(), *anywhere, Kind::Value)).collect();
            let bytes = text.as_bytes();
            let is_at_end = |(name, anywhere, _): &&(Vec<u8>, bool, Kind)| {
                let reversed: Vec<u8> = name.iter().rev().copied().collect();
                let start = starts_at(bytes, bytes.len(), &reversed);
                !name.is_empty() && start.is_some_and(|start| *anywhere || starts_word(bytes, start))
            };
            // Of two equal names the tree keeps the first.
            let mut seen = std::collections::BTreeSet::new();
            let expected = all.iter().filter(|(name, ..)| seen.insert(name.clone())).find(is_at_end);
            let names = Names::new(&all);
            let found = names.at_end(bytes);
            prop_assert!(found.is_none() || names.may_end(bytes));
            prop_assert_eq!(found.map(|name| name.anywhere), expected.map(|(_, anywhere, _)| *anywhere));
        }
    }
}
