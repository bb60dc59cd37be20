//! A JSON object without some of its members: those whose name or value holds a given place. Builds no tree; what is
//! kept keeps its bytes. For objects that were checked before.

use crate::base::json::DEPTH;

/// Appends the object `text` to `out` without the innermost members that hold any of `places`. `None`: it cannot be
/// followed.
pub(in crate::mask) fn prune(text: &str, places: &[usize], out: &mut String) -> Option<()> {
    let mut walk = Walk { text, at: 0, places, out };
    walk.object(0)
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
    /// Ascending.
    places: &'a [usize],
    out: &'a mut String,
}

impl Walk<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, bytes: usize) -> Option<()> {
        self.out.push_str(self.text.get(self.at..self.at + bytes)?);
        self.at += bytes;
        Some(())
    }

    fn space(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        self.take(rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count())
    }

    /// An object, without the members that are to go.
    fn object(&mut self, depth: u32) -> Option<()> {
        let mut is_first = true;
        self.take(1)?;
        loop {
            let mark = self.out.len();
            if !is_first {
                self.out.push(',');
            }
            self.space()?;
            if self.byte()? == b'}' {
                // Only an empty object gets here with its brace not yet taken.
                self.out.truncate(mark);
                return self.take(1);
            }
            let goes = self.member(depth)?;
            if goes {
                self.out.truncate(mark);
            }
            is_first &= goes;
            match self.byte()? {
                b',' => self.at += 1,
                b'}' => return self.take(1),
                _ => return None,
            }
        }
    }

    /// One member with the space around it. Whether it is to go.
    fn member(&mut self, depth: u32) -> Option<bool> {
        let in_name = self.scalar()?;
        self.space()?;
        (self.byte()? == b':').then(|| self.take(1))??;
        self.space()?;
        let in_value = self.value(depth + 1)?;
        self.space()?;
        Some(in_name || in_value)
    }

    /// Any value. Whether it holds a place that no member of its own has taken with it.
    fn value(&mut self, depth: u32) -> Option<bool> {
        match self.byte()? {
            _ if depth > DEPTH => None,
            b'{' => self.object(depth).map(|()| false),
            b'[' => self.list(depth),
            _ => self.scalar(),
        }
    }

    fn list(&mut self, depth: u32) -> Option<bool> {
        let mut holds = false;
        self.take(1)?;
        loop {
            self.space()?;
            if self.byte()? != b']' {
                holds |= self.value(depth + 1)?;
                self.space()?;
            }
            match self.byte()? {
                b',' => self.take(1)?,
                b']' => return self.take(1).map(|()| holds),
                _ => return None,
            }
        }
    }

    /// A string, number or word.
    fn scalar(&mut self) -> Option<bool> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let length = if self.byte()? == b'"' {
            let mut end = start + 1;
            while *bytes.get(end)? != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            end + 1 - start
        } else {
            let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            bytes[start..].iter().take_while(is_part).count()
        };
        self.take(length.max(1))?;
        let next = self.places.partition_point(|place| *place < start);
        Some(self.places.get(next).is_some_and(|place| *place < self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each `@` is a place.
    #[test]
    fn the_innermost_members_go_and_the_rest_stays() {
        for (from, to) in [
            (r#"{"a":"@","b":1}"#, r#"{"b":1}"#),
            (r#"{"b":1 , "a":"@" }"#, r#"{"b":1 }"#),
            (r#"{ "a":"x@"}"#, "{}"),
            (r#"{"a":{"b":"@"},"c":{}}"#, r#"{"a":{},"c":{}}"#),
            (r#"{"a":["x","@",{"k":2}],"c":[] }"#, r#"{"c":[] }"#),
            (r#"{"a":[{"k":"@","l":[1]},{"k":"@"}]}"#, r#"{"a":[{"l":[1]},{}]}"#),
            (r#"{"@":{"x":[1,2]},"c":"\"@\""}"#, "{}"),
            (r#"{"a":1,"b":"@","c":"@","d":-1.5e3}"#, r#"{"a":1,"d":-1.5e3}"#),
            (r#"{"a":1}"#, r#"{"a":1}"#),
        ] {
            let places: Vec<usize> = from.match_indices('@').map(|(at, _)| at).collect();
            let mut out = String::new();
            assert_eq!(prune(from, &places, &mut out), Some(()), "{from}");
            assert_eq!(out, to, "{from}");
            assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
        }
        for broken in ["{", r#"{"a""#, r#"{"a":"#, r#"{"a":1"#, r#"{"a":[1"#, r#"{"a" 1}"#] {
            assert_eq!(prune(broken, &[], &mut String::new()), None, "{broken}");
        }
    }
}
