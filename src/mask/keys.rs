//! Names whose values are secret, `password`, `accessToken`, `X-Api-Key`, or personal, `first_name`. Knows names only, not
//! where values end.

use super::detect::{is_word, starts_word};

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

/// Size of the table of name endings.
const ENDINGS: usize = 1024;

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
#[derive(Debug)]
pub(super) struct Keys {
    /// By the last two letters, see [`ending`]: most words share them with no name.
    by_ending: Vec<Vec<Name>>,
    /// Like [`Name::reversed`].
    except: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Name {
    /// Lower case, no separators, last byte first.
    reversed: Vec<u8>,
    anywhere: bool,
    kind: Kind,
}

impl Keys {
    /// The built-in names and the user's `own`, less those in `except`, which are whole names.
    pub(super) fn new(own: &[String], except: &[String]) -> Self {
        let mut keys = Self {
            by_ending: vec![Vec::new(); ENDINGS],
            except: except.iter().map(|name| plain(name).bytes().rev().collect()).collect(),
        };
        ANYWHERE.iter().for_each(|name| keys.insert(name, true, Kind::Value));
        WORDS.iter().for_each(|name| keys.insert(name, false, Kind::Value));
        LISTS.iter().for_each(|name| keys.insert(name, false, Kind::List));
        own.iter().for_each(|name| keys.insert(name, false, Kind::Value));
        IF_RANDOM.iter().for_each(|name| keys.insert(name, false, Kind::Random));
        PERSONAL.iter().for_each(|name| keys.insert(name, false, Kind::Personal));
        keys
    }

    /// Letters beyond ASCII are compared in the cases that people write: lower, upper, first letter upper.
    fn insert(&mut self, name: &str, anywhere: bool, kind: Kind) {
        let lower = plain(name);
        let mut letters = lower.chars();
        let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        let mut forms = [lower.to_uppercase(), title, lower].map(|form| form.to_ascii_lowercase()).to_vec();
        forms.dedup();
        for form in forms {
            let name = Name { reversed: form.bytes().rev().collect(), anywhere, kind };
            match name.reversed[..] {
                [] => {}
                [only] => (0..=u8::MAX).for_each(|before| self.by_ending[ending(only, before)].push(name.clone())),
                [last, before, ..] => self.by_ending[ending(last, before)].push(name),
            }
        }
    }

    /// Whether the name that ends at `end` is secret. A single digit after it (`password2`) does not count.
    #[inline]
    pub(super) fn secret_before(&self, bytes: &[u8], end: usize) -> Option<Kind> {
        let mut name = bytes.get(..end)?;
        if name.last()?.is_ascii_digit() {
            name = &name[..end - 1];
            name.last().filter(|before| before.is_ascii_alphabetic())?;
        }
        let (last, rest) = name.split_last()?;
        let before = rest.iter().rev().find(|&&byte| !is_separator(byte)).unwrap_or(&0);
        let names = &self.by_ending[ending(last.to_ascii_lowercase(), before.to_ascii_lowercase())];
        if names.is_empty() { None } else { self.secret_among(names, name) }
    }

    fn secret_among(&self, names: &[Name], name: &[u8]) -> Option<Kind> {
        let found = names.iter().find(|one| {
            starts_at(name, name.len(), &one.reversed).is_some_and(|start| one.anywhere || starts_word(name, start))
        })?;
        (!self.is_excepted(name)).then_some(found.kind)
    }

    fn is_excepted(&self, bytes: &[u8]) -> bool {
        let stands_alone = |start: usize| {
            start == 0 || (!is_word(bytes[start - 1]) && !is_separator(bytes[start - 1])) || bytes[start - 1] == b' '
        };
        self.except.iter().any(|name| starts_at(bytes, bytes.len(), name).is_some_and(stands_alone))
    }
}

/// Lower case, without separators.
pub(super) fn plain(name: &str) -> String {
    let is_kept = |one: &char| u8::try_from(*one).map_or(true, |byte| !is_separator(byte));
    name.to_lowercase().chars().filter(is_kept).collect()
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

/// Where in the table names with these last letters are. Some letters share a place.
fn ending(last: u8, before: u8) -> usize {
    (usize::from(last) * 37 + usize::from(before)) % ENDINGS
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
