//! Telephone numbers: with `+` as E.164 has them, or as people of some countries write their own. Bare digits only after
//! a word that tells. Not short numbers, and none without an area.

use super::calling::{is_international, is_north_american};
use super::{Detector, Finder, Group};
use crate::mask::detect::form::{Asked, Number};
use crate::mask::detect::pattern::{begins_apart, ends_apart};

/// Times, ids, versions, addresses, prices and places are far more frequent.
pub(super) const ROW: Detector = Detector {
    name: "phone",
    tag: "[phone]",
    group: Group::People,
    default: false,
    proof: "`+`, a country and its length; or a usual grouping of RU, KZ, BY, US, CA, UK, DE, FR, ES, TR, BR; otherwise a word before it",
    source: "ITU-T E.164 and the national numbering plans",
    finder: Finder::Number {
        judge,
        asked: &[Asked::Stretch(FEWEST_DIGITS)],
        near: &[
            "phone",
            "phones",
            "tel",
            "tél",
            "telephone",
            "téléphone",
            "telefon",
            "telefone",
            "teléfono",
            "telefono",
            "telefonnummer",
            "telefonnr",
            "mobile",
            "mob",
            "móvil",
            "movil",
            "celular",
            "cellulare",
            "cellphone",
            "cell",
            "handy",
            "handynummer",
            "fax",
            "msisdn",
            "whatsapp",
            "sms",
            "gsm",
            "cep",
            "komórka",
            "portable",
            "rufnummer",
            "phonenumber",
            "phoneno",
            "contact",
            "caller",
            "callee",
            "тел",
            "телефон",
            "телефона",
            "телефону",
            "телефоном",
            "телефоне",
            "телефоны",
            "моб",
            "мобильный",
            "мобильного",
            "сотовый",
            "факс",
            "смс",
            "абонент",
            "звонок",
            "звонка",
            "callback",
            "dial",
            "абонента",
            "абоненту",
            "утас",
        ],
    },
    masked: &[
        ("call +79161234567.", "call [phone]."),
        ("+7 (916) 123-45-67, +44 20 7946 0958", "[phone], [phone]"),
        ("?to=%2B12025550101&x", "?to=[phone]&x"),
        ("от 8 (916) 123-45-67 и 8-916-123-45-67", "от [phone] и [phone]"),
        ("8 (029) 123-45-67", "[phone]"),
        ("(202) 555-0101 or 202-555-0101 or 1-202-555-0101", "[phone] or [phone] or [phone]"),
        ("020 7946 0958, 07700 900123, (030) 901820", "[phone], [phone], [phone]"),
        ("01 99 00 12 34", "[phone]"),
        ("612 34 56 78", "[phone]"),
        ("0532 123 45 67", "[phone]"),
        ("(11) 91234-5678", "[phone]"),
        ("phone=79161234567", "phone=[phone]"),
        ("тел. 89161234567, доб. 5", "тел. [phone], доб. 5"),
        ("mobile 98765 43210", "mobile [phone]"),
        ("Telefon: 0171/1234567, tel 347 123 4567", "Telefon: [phone], tel [phone]"),
        ("tel 00442079460958, +44 (0)20 7946 0958", "tel [phone], [phone]"),
    ],
    spared: &[
        "2025-06-05 09:02:27.148",
        "2025-06-05T09:02:27+03:00",
        "id 79161234567",
        "ns +1749112947148",
        "v 202.555.0101.3",
        "10.200.300.4000",
        "price +1 000 000",
        "at +48.8566, +2.3522",
        "+48.856612345",
        "phone changed 2025-06-05 09:02:27",
        "phone at 192.168.100.400",
        "telemetry 79161234567",
        "1749112947 8 200",
        "550e8400-e29b-41d4-a716-446655440000",
        "+0 916 123 45 67",
        "8 (916) 123-45-678",
        "101-555-0101",
        "01 02 03 04 05 06",
        "tel=ok, order=79161234567",
        "flight 439/293/0318",
    ],
};

/// E.164, 6.1.
const MOST_DIGITS: usize = 15;

const MOST_GROUPS: usize = 7;

/// The fewest that are taken without `+`.
const FEWEST_DIGITS: usize = 9;

/// What stands between the groups of a usual grouping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marks {
    Any,
    /// A dash, dot or slash somewhere.
    Dash,
    /// The area in brackets.
    Brackets,
}

/// Sizes of groups, how the number may begin, and what stands between: what people write, and little else.
const USUAL: &[(&[usize], &[&str], Marks)] = &[
    // Russia, Kazakhstan, Belarus.
    (&[1, 3, 3, 2, 2], &["8"], Marks::Any),
    (&[1, 3, 3, 4], &["8"], Marks::Any),
    (&[1, 3, 2, 2, 3], &["8"], Marks::Any),
    (&[1, 4, 2, 2, 2], &["8"], Marks::Any),
    (&[1, 3, 3, 2, 2], &["7"], Marks::Brackets),
    (&[1, 3, 3, 4], &["7"], Marks::Brackets),
    (&[1, 3, 7], &["7", "8"], Marks::Brackets),
    (&[1, 4, 2, 2, 2], &["7"], Marks::Brackets),
    (&[1, 4, 6], &["7", "8"], Marks::Brackets),
    (&[1, 5, 1, 2, 2], &["7", "8"], Marks::Brackets),
    (&[1, 5, 5], &["7", "8"], Marks::Brackets),
    (&[3, 3, 2, 2], &["3", "4", "8", "9"], Marks::Brackets),
    // United States, Canada.
    (&[3, 3, 4], &["2", "3", "4", "5", "6", "7", "8", "9"], Marks::Dash),
    (&[3, 3, 4], &["2", "3", "4", "5", "6", "7", "8", "9"], Marks::Brackets),
    (&[1, 3, 3, 4], &["1"], Marks::Dash),
    (&[1, 3, 3, 4], &["1"], Marks::Brackets),
    // United Kingdom.
    (&[3, 4, 4], &["02"], Marks::Any),
    (&[5, 6], &["07"], Marks::Any),
    (&[5, 3, 3], &["07"], Marks::Any),
    (&[4, 3, 4], &["01", "03", "08"], Marks::Any),
    // Germany.
    (&[4, 7], &["015", "016", "017"], Marks::Dash),
    (&[4, 8], &["015", "016", "017"], Marks::Dash),
    // France.
    (&[2, 2, 2, 2, 2], &["01", "02", "03", "04", "05", "06", "07", "09"], Marks::Any),
    // Spain.
    (&[3, 2, 2, 2], &["6", "7"], Marks::Any),
    (&[2, 3, 2, 2], &["9"], Marks::Any),
    // Türkiye.
    (&[4, 3, 2, 2], &["02", "03", "04", "05"], Marks::Any),
    (&[1, 3, 3, 2, 2], &["02", "03", "04", "05"], Marks::Any),
    // Brazil.
    (&[2, 5, 4], &["1", "2", "3", "4", "5", "6", "7", "8", "9"], Marks::Dash),
    (&[2, 5, 4], &["1", "2", "3", "4", "5", "6", "7", "8", "9"], Marks::Brackets),
    (&[2, 4, 4], &["1", "2", "3", "4", "5", "6", "7", "8", "9"], Marks::Brackets),
];

/// A number as it is written.
#[derive(Default)]
struct Written {
    digits: [u8; MOST_DIGITS],
    groups: [Run; MOST_GROUPS],
    count: usize,
    /// A bracket opens before the first group.
    is_open: bool,
}

/// Digits in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// What stands before it: one of ` -./()`.
    mark: u8,
    size: usize,
    /// Digits up to its end.
    total: usize,
    end: usize,
}

fn judge(bytes: &[u8], start: usize, end: usize) -> Option<Number> {
    // Most runs of digits are not even long enough, or the rest of an id.
    let goes_on = mark_at(&bytes[end..]).is_some();
    if !goes_on && end - start < FEWEST_DIGITS {
        return None;
    }
    let is_open = start > 0 && bytes[start - 1] == b'(';
    let mut begin = start - usize::from(is_open);
    let plus = plus_before(&bytes[..begin]);
    begin -= plus;
    if !is_apart(bytes, begin) {
        return None;
    }
    if !goes_on && plus == 0 && !is_open {
        let is_hit = end - start <= MOST_DIGITS && ends(bytes, end) && may_be_dialled(&bytes[start..end]);
        return is_hit.then_some(Number { begin, end, is_sure: false });
    }
    let mut written = read(bytes, start);
    written.is_open = is_open && written.groups[1].mark == b')';
    if is_open && !written.is_open {
        // The bracket is around more than the area.
        if plus > 0 {
            return None;
        }
        begin = start;
    }
    let is_end = |count: &usize| ends(bytes, written.groups[count - 1].end) && written.is_closed(*count);
    let number = |count: usize, is_sure| Number { begin, end: written.groups[count - 1].end, is_sure };
    let counts = || (1..=written.count).rev().filter(is_end);
    if plus > 0 {
        let found = counts().find(|&count| is_international(written.digits_of(count)))?;
        return Some(number(found, written.is_surely_international(found)));
    }
    let usual = counts().find(|&count| written.is_usual(count) && stands_apart(bytes, begin, &written, count));
    let likely = || counts().find(|&count| written.is_likely(count)).map(|count| number(count, false));
    usual.map(|count| number(count, true)).or_else(likely)
}

/// Length of a plus sign, also as a URL writes it, at the end of `bytes`.
fn plus_before(bytes: &[u8]) -> usize {
    match bytes {
        [.., b'+'] => 1,
        [.., b'%', b'2', b'B' | b'b'] => 3,
        _ => 0,
    }
}

/// Not in a word, and not the rest of a sum, price, time, fraction or longer number.
fn is_apart(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map_or(b' ', |before| bytes[before]);
    begins_apart(bytes, at)
        && !matches!(before(1), b'+' | b'$' | b')')
        && !(matches!(before(1), b':' | b',' | b'/') && before(2).is_ascii_digit())
}

fn ends(bytes: &[u8], at: usize) -> bool {
    let after = |index: usize| bytes.get(at + index).copied().unwrap_or(b' ');
    ends_apart(bytes, at) && after(0) != b'%' && !(after(0) == b':' && after(1).is_ascii_digit())
}

/// Columns of numbers are in groups too: with spaces alone, no number stands right before, and none of the same size as
/// the last group right behind.
fn stands_apart(bytes: &[u8], begin: usize, written: &Written, count: usize) -> bool {
    let groups = &written.groups[..count];
    let is_spaced = groups[1..].iter().all(|group| group.mark == b' ');
    let follows = begin >= 2 && bytes[begin - 1] == b' ' && bytes[begin - 2].is_ascii_digit();
    let last = groups[count - 1];
    let goes_on = bytes.get(last.end) == Some(&b' ')
        && bytes[last.end + 1..].iter().take(last.size + 1).take_while(|byte| byte.is_ascii_digit()).count()
            == last.size;
    !is_spaced || !(follows || goes_on)
}

/// The groups that begin at `start`, as many as a number may have.
fn read(bytes: &[u8], start: usize) -> Written {
    let mut written = Written::default();
    let (mut at, mut mark, mut total) = (start, 0, 0);
    while written.count < MOST_GROUPS {
        let digits = bytes[at..].iter().take(MOST_DIGITS + 1).take_while(|byte| byte.is_ascii_digit());
        let size = digits.count();
        if total + size > MOST_DIGITS {
            break;
        }
        written.digits[total..total + size].copy_from_slice(&bytes[at..at + size]);
        // The trunk's zero in `+44 (0)20` is not dialled from abroad.
        let is_trunk = mark == b'(' && size == 1 && bytes[at] == b'0' && bytes.get(at + 1) == Some(&b')');
        total += if is_trunk { 0 } else { size };
        at += size;
        written.groups[written.count] = Run { mark, size, total, end: at };
        written.count += 1;
        let Some((length, next)) = mark_at(&bytes[at..]) else { break };
        at += length;
        mark = next;
    }
    written
}

/// What stands between two groups: how long it is, and the mark that tells most.
fn mark_at(bytes: &[u8]) -> Option<(usize, u8)> {
    let (length, mark) = match bytes {
        [b')', b' ' | b'-', ..] => (2, b')'),
        [b' ' | b'-', b'(', ..] => (2, b'('),
        [b' ', b'-', b' ', ..] => (3, b'-'),
        // A slash in a JSON string whose writer escapes it.
        [b'\\', b'/', ..] => (2, b'/'),
        [mark @ (b' ' | b'-' | b'.' | b'/' | b'(' | b')'), ..] => (1, *mark),
        _ => return None,
    };
    bytes.get(length).is_some_and(u8::is_ascii_digit).then_some((length, mark))
}

impl Written {
    fn digits_of(&self, count: usize) -> &[u8] {
        &self.digits[..self.groups[count - 1].total]
    }

    /// Whether brackets that open in the first groups also close there.
    fn is_closed(&self, count: usize) -> bool {
        let depth = self.groups[1..count].iter().try_fold(i32::from(self.is_open), |depth, group| match group.mark {
            b'(' => (depth == 0).then_some(1),
            b')' => (depth == 1).then_some(0),
            _ => Some(depth),
        });
        depth == Some(0)
    }

    /// Not `+48.856612345`, which may be a place, and not the few digits of a sum.
    fn is_surely_international(&self, count: usize) -> bool {
        let is_fraction = count == 2 && self.groups[1].mark == b'.';
        !is_fraction && self.groups[count - 1].total >= 9
    }

    /// Whether it is one of the usual groupings.
    fn is_usual(&self, count: usize) -> bool {
        let (groups, digits) = (&self.groups[..count], self.digits_of(count));
        // Three, three and four digits with dashes are many things.
        let is_threes = count == 3 && groups[0].size == 3 && digits.len() == 10;
        if !(if is_threes { is_north_american(digits) } else { is_national(digits) }) {
            return false;
        }
        let has = |marks: &[u8]| groups.iter().any(|group| marks.contains(&group.mark));
        if is_threes && has(b"/") {
            return false;
        }
        let fits = |marks: Marks| match marks {
            Marks::Any => true,
            Marks::Dash => has(b"-./") && !has(b"()"),
            Marks::Brackets => has(b")"),
        };
        let is_row = |(sizes, starts, marks): &(&[usize], &[&str], Marks)| {
            groups.iter().map(|group| &group.size).eq(*sizes)
                && fits(*marks)
                && starts.iter().any(|start| digits.starts_with(start.as_bytes()))
        };
        let has_area = self.is_open && digits[0] == b'0' && (2..=5).contains(&count) && groups[0].size <= 6;
        has_area || USUAL.iter().any(is_row)
    }

    /// Whether it may be a number, if a word says so. Not a day, and not the address of a machine.
    fn is_likely(&self, count: usize) -> bool {
        let (groups, digits) = (&self.groups[..count], self.digits_of(count));
        let is_day = matches!(groups, [year, month, day, ..] if (year.size, month.size, day.size) == (4, 2, 2));
        let is_address = matches!(groups, [_, rest @ ..] if rest.len() == 3 && rest.iter().all(|one| one.mark == b'.'));
        let is_grouped = groups.iter().skip(1).all(|group| group.size > 1);
        !is_day && !is_address && is_grouped && digits.len() >= FEWEST_DIGITS && may_be_dialled(digits)
    }
}

/// Whether it is a number in one of the countries above, or from abroad.
fn may_be_dialled(digits: &[u8]) -> bool {
    is_national(digits) || is_international(digits.strip_prefix(b"00").unwrap_or(digits))
}

/// Whether it may be dialled in one of the countries above, or in Italy, Poland or India.
fn is_national(digits: &[u8]) -> bool {
    match (digits.len(), digits[0]) {
        (9..=12, b'0') => digits[1] != b'0',
        (9, _) => true,
        (10, first) => is_north_american(digits) || matches!(first, b'3'..=b'9') || is_brazilian(digits, b"2345"),
        (11, b'8') => matches!(digits[1], b'0' | b'3'..=b'9'),
        (11, b'1') if is_north_american(&digits[1..]) => true,
        (11, b'7') => matches!(digits[1], b'3'..=b'9'),
        (11, _) => is_brazilian(digits, b"9"),
        _ => false,
    }
}

/// An area of two digits without a zero, and a number that begins so. Seconds since 1970 are none.
fn is_brazilian(digits: &[u8], firsts: &[u8]) -> bool {
    let is_area = digits[0] != b'0' && digits[1] != b'0';
    is_area && firsts.contains(&digits[2]) && !(digits.len() == 10 && digits.starts_with(b"17"))
}
