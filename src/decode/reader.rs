//! A place in a line's bytes, moved forward over small pieces. Knows nothing of dates.

/// Reads forward. Copied to look ahead; a method that gives `None` or `false` has not moved past what it did not find.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Passes `byte` if it is next.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Passes `byte`, which must be next.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// Passes `text` if it is next.
    pub(super) fn eat_all(&mut self, text: &[u8]) -> bool {
        let is_next = self.rest().starts_with(text);
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    /// A number of exactly `count` digits, more of which may follow.
    #[inline]
    pub(super) fn number(&mut self, count: usize) -> Option<i64> {
        let digits = self.bytes.get(self.at..self.at + count)?;
        let mut value = 0;
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + i64::from(digit);
        }
        self.at += count;
        Some(value)
    }

    /// All digits that follow, at most 20.
    #[inline]
    pub(super) fn digits(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
        self.at += len;
        &rest[..len]
    }

    /// Whether a word ends here: no letter, digit or `_` follows.
    pub(super) fn at_word_end(&self) -> bool {
        !self.peek().is_some_and(is_word)
    }
}

/// A letter, digit or `_`.
#[inline]
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
