//! The files of one worker: how they come to it, what it is told of them, and when each is to be looked at. Reads none.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::follow::{Follow, LOOK_EVERY_MS};
use crate::collect::identity::FileKey;

/// What waits until its worker takes it. Files are open, so none is lost while it is busy, and there are no more of them
/// than may be open; nothing is told twice. So it is bounded, and nobody who tells waits.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    news: Mutex<News>,
    has_come: Notify,
}

#[derive(Debug, Default)]
struct News {
    found: Vec<Follow>,
    changed: HashSet<FileKey>,
    renamed: HashMap<FileKey, PathBuf>,
}

impl Waiting {
    /// A file to follow.
    pub fn add(&self, follow: Follow) {
        self.tell(|news| news.found.push(follow));
    }

    /// A file has changed.
    pub fn changed(&self, key: FileKey) {
        self.tell(|news| _ = news.changed.insert(key));
    }

    /// A file has another path now.
    pub fn renamed(&self, key: FileKey, path: PathBuf) {
        self.tell(|news| _ = news.renamed.insert(key, path));
    }

    /// Waits until there is something.
    pub async fn come(&self) {
        self.0.has_come.notified().await;
    }

    fn tell(&self, tell: impl FnOnce(&mut News)) {
        tell(&mut self.0.news.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.has_come.notify_one();
    }

    fn take(&self) -> News {
        std::mem::take(&mut *self.0.news.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The files of one worker. There may be thousands, and few of them to look at: what says which lies together.
#[derive(Debug, Default)]
pub struct Follows {
    #[expect(clippy::vec_box, reason = "room for thousands more that may never come")]
    follows: Vec<Box<Follow>>,
    /// Of each.
    keys: Vec<FileKey>,
    /// When each is to be looked at.
    look_at_ms: Vec<i64>,
}

impl Follows {
    /// Takes what has come. Whether there was anything.
    pub fn take(&mut self, waiting: &Waiting) -> bool {
        let News { found, changed, mut renamed } = waiting.take();
        let is_news = !(found.is_empty() && changed.is_empty() && renamed.is_empty());
        found.into_iter().for_each(|follow| self.add(follow));
        if changed.is_empty() && renamed.is_empty() {
            return is_news;
        }
        for index in 0..self.follows.len() {
            let (key, follow) = (self.keys[index], &mut self.follows[index]);
            if changed.contains(&key) {
                follow.look();
                self.look_at_ms[index] = follow.look_at_ms();
            }
            if let Some(path) = renamed.remove(&key) {
                follow.renamed(path);
            }
        }
        is_news
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.follows.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Follow> {
        self.follows.iter().map(|follow| &**follow)
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Follow> {
        self.follows.iter_mut().map(|follow| &mut **follow)
    }

    /// The first from `index` on that is to be looked at now.
    pub fn due_from(&self, index: usize, now_ms: i64) -> Option<usize> {
        let is_due = |look_at_ms: &i64| ms_until(*look_at_ms, now_ms) == 0;
        self.look_at_ms[index..].iter().position(is_due).map(|found| index + found)
    }

    /// How many ms from now the next one is to be looked at.
    pub fn next_in_ms(&self, now_ms: i64) -> Option<u64> {
        self.look_at_ms.iter().map(|look_at_ms| ms_until(*look_at_ms, now_ms)).min()
    }

    /// One of them, to be changed; it says afterwards when to look at it again.
    pub fn change<T>(&mut self, index: usize, change: impl FnOnce(&mut Follow) -> T) -> T {
        let follow = &mut self.follows[index];
        let changed = change(follow);
        self.look_at_ms[index] = follow.look_at_ms();
        changed
    }

    /// Takes one out. The last takes its place.
    pub fn remove(&mut self, index: usize) -> Follow {
        self.keys.swap_remove(index);
        self.look_at_ms.swap_remove(index);
        *self.follows.swap_remove(index)
    }

    fn add(&mut self, follow: Follow) {
        self.keys.push(follow.key());
        self.look_at_ms.push(follow.look_at_ms());
        self.follows.push(Box::new(follow));
    }
}

/// 0 where it is time, or where the clock was set back.
fn ms_until(look_at_ms: i64, now_ms: i64) -> u64 {
    let ms = look_at_ms - now_ms;
    if ms > LOOK_EVERY_MS { 0 } else { u64::try_from(ms).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_at_its_time_and_after_a_clock_was_set_back() {
        for (look_at_ms, now_ms, ms) in
            [(0, 5_000, 0), (5_000, 5_000, 0), (5_001, 5_000, 1), (6_000, 5_000, 1_000), (6_001, 5_000, 0)]
        {
            assert_eq!(ms_until(look_at_ms, now_ms), ms, "{look_at_ms} at {now_ms}");
        }
    }
}
