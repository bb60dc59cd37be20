//! Throttles messages that repeat: at once, then seldom. Writes none itself, and asks no clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was said is said again after this long, not sooner.
pub const SAID_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// More different texts than this are not remembered: the oldest is forgotten, and may be said again early.
const MOST_TEXTS: usize = 256;

/// Which messages have been said, and when.
#[derive(Debug, Default)]
pub struct Seldom {
    said: Mutex<HashMap<String, Said>>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    /// How often it was kept back since.
    kept_back: u64,
}

impl Seldom {
    /// What to say of `text` at `now`: with how often it was kept back, where it was. `None`: it was said lately.
    #[must_use]
    pub fn told(&self, text: String, now: Instant) -> Option<String> {
        match self.may_say(&text, now)? {
            0 => Some(text),
            kept_back => Some(format!("{text} (kept back since it was last said: {kept_back})")),
        }
    }

    /// Whether `text` may be said at `now`, and then how often it was kept back before.
    fn may_say(&self, text: &str, now: Instant) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = said.get_mut(text) {
            if now.duration_since(one.at) < SAID_AGAIN_AFTER {
                one.kept_back += 1;
                return None;
            }
            one.at = now;
            return Some(std::mem::take(&mut one.kept_back));
        }
        if said.len() >= MOST_TEXTS {
            let oldest = said.iter().min_by_key(|(_, one)| one.at).map(|(text, _)| text.clone());
            oldest.and_then(|text| said.remove(&text));
        }
        said.insert(text.to_owned(), Said { at: now, kept_back: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_said_once_and_then_seldom() {
        let seldom = Seldom::default();
        let begin = Instant::now();
        let after = |seconds: u64| begin + Duration::from_secs(seconds);
        for (seconds, text, expected) in [
            (0, "a", Some(0)),
            (1, "a", None),
            (2, "b", Some(0)),
            (299, "a", None),
            (300, "a", Some(2)),
            (301, "a", None),
            (302, "b", Some(0)),
        ] {
            assert_eq!(seldom.may_say(text, after(seconds)), expected, "{text} after {seconds} s");
        }
        assert_eq!(seldom.told("c".to_owned(), after(303)).as_deref(), Some("c"));
        assert_eq!(seldom.told("c".to_owned(), after(304)), None);
        let told = seldom.told("c".to_owned(), after(604));
        assert_eq!(told.as_deref(), Some("c (kept back since it was last said: 1)"));
    }

    #[test]
    fn its_memory_is_bounded() {
        let seldom = Seldom::default();
        let begin = Instant::now();
        for index in 0..MOST_TEXTS as u64 + 10 {
            assert_eq!(seldom.may_say(&index.to_string(), begin + Duration::from_millis(index)), Some(0));
        }
        assert_eq!(seldom.said.lock().unwrap().len(), MOST_TEXTS);
    }
}
