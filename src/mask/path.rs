//! Where in a JSON object a place lies: `user.mails[1]`. For people; slow.

/// The path of the member whose name or value holds the byte `at` of a valid object.
#[must_use]
pub fn path_at(object: &str, at: usize) -> String {
    Path::default().to(object, at)
}

/// The same for one place after another, ascending: goes through the object once.
#[derive(Debug, Default)]
pub(super) struct Path {
    open: Vec<Step>,
    place: usize,
}

impl Path {
    pub(super) fn to(&mut self, object: &str, at: usize) -> String {
        let (bytes, Self { open, place }) = (object.as_bytes(), self);
        while *place <= at && *place < bytes.len() {
            match bytes[*place] {
                b'{' => open.push(Step::Name { name: 0..0, is_due: true }),
                b'[' => open.push(Step::Index(0)),
                b'}' | b']' => drop(open.pop()),
                b',' => open.last_mut().into_iter().for_each(Step::advance),
                b'"' => {
                    let end = string_end(bytes, *place + 1);
                    if let Some(Step::Name { name, is_due: is_due @ true }) = open.last_mut() {
                        *name = *place + 1..end;
                        *is_due = false;
                    }
                    if at <= end {
                        break;
                    }
                    *place = end;
                }
                _ => {}
            }
            *place += 1;
        }
        written(object, open)
    }
}

/// The path without the numbers of list elements: `user.mails`. Other brackets belong to names.
#[must_use]
pub fn without_indices(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let index = after.bytes().take_while(u8::is_ascii_digit).count();
        rest = match after[index..].strip_prefix(']') {
            Some(behind) if index > 0 => behind,
            _ => {
                plain.push('[');
                after
            }
        };
    }
    plain + rest
}

#[derive(Debug)]
enum Step {
    /// Of an object: the member's name.
    Name { name: std::ops::Range<usize>, is_due: bool },
    /// Of a list.
    Index(usize),
}

impl Step {
    const fn advance(&mut self) {
        match self {
            Self::Name { is_due, .. } => *is_due = true,
            Self::Index(index) => *index += 1,
        }
    }
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(&byte) = bytes.get(at).filter(|&&byte| byte != b'"') {
        at += if byte == b'\\' { 2 } else { 1 };
    }
    at
}

fn written(object: &str, open: &[Step]) -> String {
    open.iter().fold(String::new(), |mut path, step| {
        match step {
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Name { name, .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(object.get(name.clone()).unwrap_or_default());
            }
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_the_path_of_its_member() {
        let object = r#"{"a":1,"b" : {"c":["x",{"d\"e":"y"}, 2]},"f":{}}"#;
        for (what, expected) in
            [("1", "a"), (r#""b"#, "b"), ("x", "b.c[0]"), ("y", r#"b.c[1].d\"e"#), ("2", "b.c[2]"), ("f\"", "f")]
        {
            assert_eq!(path_at(object, object.find(what).unwrap()), expected, "{what}");
        }
        let mut path = Path::default();
        for at in 0..object.len() {
            assert_eq!(path.to(object, at), path_at(object, at), "byte {at}");
            assert_eq!(path.to(object, at), path_at(object, at), "byte {at} again");
        }
    }
}
