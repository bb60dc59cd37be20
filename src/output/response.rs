//! An answer as it came off the wire, and the parts that all stores share. Does not judge status codes.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

/// What a store answered.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The header `Retry-After`, if there is one.
    pub retry_after: Option<&'a str>,
    /// When it came, in ms since 1970: what a date in `retry_after` is measured from.
    pub now_ms: i64,
    /// The whole body, decoded.
    pub body: &'a [u8],
}

/// Reasons are cut to so many characters: enough for every store's first clause.
const REASON_CHARS: usize = 200;

impl Response<'_> {
    /// How long the store asks to wait (RFC 9110 section 10.2.3): seconds, or a date. `None` where it does not, or
    /// where it cannot be read.
    pub(super) fn after(&self) -> Option<Duration> {
        let text = self.retry_after?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
        let wait_ms = date.as_millisecond().saturating_sub(self.now_ms);
        Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    }

    /// The status and the beginning of the body, for answers that are not in the store's language.
    pub(super) fn words(&self) -> String {
        let text = String::from_utf8_lossy(self.body);
        short(&format!("status {} {}", self.status, text.trim()))
    }

    /// Whether it is a page for people: what a proxy says when the store does not.
    pub(super) fn is_page(&self) -> bool {
        self.body.trim_ascii_start().starts_with(b"<")
    }
}

/// One line, cut short.
pub(super) fn short(text: &str) -> String {
    let mut words = String::with_capacity(text.len().min(REASON_CHARS * 2));
    let clean = text.trim().chars().map(|character| if character.is_control() { ' ' } else { character });
    words.extend(clean.clone().take(REASON_CHARS));
    if clean.count() > REASON_CHARS {
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 2026-11-22T11:41:42Z
        let now_ms = 1_795_347_702_000;
        let rows = [
            (None, None),
            (Some("0"), Some(0)),
            (Some(" 120 "), Some(120_000)),
            (Some("Sun, 22 Nov 2026 11:41:52 GMT"), Some(10_000)),
            (Some("Sun, 22 Nov 2026 11:41:32 GMT"), Some(0)),
            (Some("Mon, 22 Nov 2026 11:41:43 GMT"), Some(1000)),
            (Some("soon"), None),
            (Some("-1"), None),
            (Some(""), None),
        ];
        for (retry_after, expected_ms) in rows {
            let response = Response { status: 503, retry_after, now_ms, body: b"" };
            assert_eq!(response.after(), expected_ms.map(Duration::from_millis), "{retry_after:?}");
        }
    }

    #[test]
    fn words_are_one_short_line() {
        assert_eq!(short(" a\nb\tc "), "a b c");
        let long = short(&"é".repeat(300));
        assert_eq!(long.chars().count(), REASON_CHARS + 1);
        assert!(long.ends_with('…'));
    }
}
