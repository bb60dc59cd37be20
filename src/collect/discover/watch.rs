//! What the kernel tells about folders (inotify(7), through `notify`), gathered and made few. It may tell nothing
//! (network mounts, the limit of watches): whoever uses it also looks for himself.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

/// Watches folders, not below them.
#[derive(Debug)]
pub(super) struct Watch {
    /// `None`: the kernel gives no more of them; polling must do.
    watcher: Option<RecommendedWatcher>,
    told: Arc<Told>,
    watched: HashSet<PathBuf>,
    is_limit_told: bool,
}

/// What happened since it was last asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Files that were written to, or that are gone from their path.
    pub(super) touched: HashSet<PathBuf>,
    /// Names came or went: look through the folders.
    pub(super) is_scan_due: bool,
}

/// What the watcher's thread has told and nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Told {
    gathered: Mutex<Gathered>,
    has_come: Condvar,
}

#[derive(Debug, Default)]
struct Gathered {
    news: News,
    /// What has gone from its path. Where it was a watched folder, its watch tells no more of that path.
    gone: BTreeSet<PathBuf>,
    is_stopped: bool,
}

impl Gathered {
    fn is_awaited(&self) -> bool {
        self.news.is_empty() && !self.is_stopped
    }
}

impl Watch {
    pub(super) fn new(told: Arc<Told>) -> Self {
        let teller = Arc::clone(&told);
        let watcher = notify::recommended_watcher(move |event| teller.take_in(event))
            .inspect_err(|error| warn!("cannot be told of changed files: {error}; folders are polled instead"))
            .ok();
        Self { watcher, told, watched: HashSet::new(), is_limit_told: false }
    }

    /// Watches `folders` and forgets those that are no longer among them. Whether any is watched only from now on:
    /// what came into it before is told by nobody.
    pub(super) fn set(&mut self, folders: &BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let mut has_more = false;
        self.watched.retain(|folder| {
            let stays = folders.contains(folder);
            if !stays {
                // Fails where the folder is gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        for folder in folders {
            if self.watched.contains(folder) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive).map_err(|error| error.kind) {
                Ok(()) => {
                    self.watched.insert(folder.clone());
                    has_more = true;
                }
                Err(ErrorKind::MaxFilesWatch) => {
                    if !self.is_limit_told {
                        warn!(
                            "cannot watch all folders: the limit fs.inotify.max_user_watches is reached; they are polled"
                        );
                    }
                    self.is_limit_told = true;
                    // The others would be refused too; they are asked for again after the next scan.
                    break;
                }
                // Gone already, not readable, or a file system without watches: the scan sees what it can.
                Err(_) => {}
            }
        }
        has_more
    }

    /// Waits for news, at most `patience`, or until told to stop. Whether there are any.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let gathered = self.told.lock();
        let waited = self.told.has_come.wait_timeout_while(gathered, patience, |gathered| gathered.is_awaited());
        !waited.unwrap_or_else(PoisonError::into_inner).0.news.is_empty()
    }

    /// Lets news come together for so long. The watcher's thread is held up meanwhile: many writes to a file in a row
    /// are one event in the kernel's queue as long as nobody takes it out.
    pub(super) fn gather(&self, span: Duration) {
        let _held_up = self.told.lock();
        std::thread::sleep(span);
    }

    /// All that is told up to now.
    pub(super) fn news(&mut self) -> News {
        let mut told = self.told.lock();
        let (news, gone) = (std::mem::take(&mut told.news), std::mem::take(&mut told.gone));
        drop(told);
        for folder in gone.iter().filter(|path| self.watched.remove(*path)) {
            if let Some(watcher) = &mut self.watcher {
                // A folder that was moved is still watched, under a path that is another's now.
                let _ = watcher.unwatch(folder);
            }
        }
        news
    }
}

impl News {
    fn is_empty(&self) -> bool {
        self.touched.is_empty() && !self.is_scan_due
    }
}

impl Told {
    /// Nothing more is waited for.
    pub(super) fn stop(&self) {
        self.lock().is_stopped = true;
        self.has_come.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs on the watcher's thread.
    fn take_in(&self, event: notify::Result<notify::Event>) {
        // Opened or closed, which readers do too; a write has an event of its own.
        if event.as_ref().is_ok_and(|event| event.kind.is_access()) {
            return;
        }
        let mut gathered = self.lock();
        match event {
            Ok(event) if matches!(event.kind, EventKind::Modify(ModifyKind::Data(_))) => {
                gathered.news.touched.extend(event.paths);
            }
            Ok(event) => {
                gathered.news.is_scan_due = true;
                if is_departure(event.kind) {
                    gathered.news.touched.extend(event.paths.iter().cloned());
                    gathered.gone.extend(event.paths);
                }
            }
            Err(_) => gathered.news.is_scan_due = true,
        }
        drop(gathered);
        self.has_come.notify_one();
    }
}

fn is_departure(kind: EventKind) -> bool {
    matches!(kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    use super::*;

    /// All news until one is `wanted`, put together.
    #[track_caller]
    fn news_until(watch: &mut Watch, wanted: impl Fn(&News) -> bool) -> News {
        let mut all = News::default();
        while !wanted(&all) {
            assert!(watch.wait(Duration::from_secs(30)), "nothing more is told after {all:?}");
            let news = watch.news();
            all.touched.extend(news.touched);
            all.is_scan_due |= news.is_scan_due;
        }
        all
    }

    fn touched(path: &Path) -> impl Fn(&News) -> bool {
        move |news| news.touched.contains(path)
    }

    #[test]
    fn writes_and_names_are_told_and_reads_are_not() {
        let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [path, fence] = [folder.path().join("a.log"), other.path().join("fence")];
        let mut file = fs::File::create(&path).unwrap();
        let mut fence_file = fs::File::create(&fence).unwrap();
        let mut watch = Watch::new(Arc::default());
        assert!(watch.set(&BTreeSet::from([folder.path(), other.path()].map(Path::to_owned))));
        assert_eq!(watch.news(), News::default());

        let made = folder.path().join("b.log");
        fs::File::create(&made).unwrap();
        assert_eq!(news_until(&mut watch, |news| news.is_scan_due), News { is_scan_due: true, ..News::default() });

        for _ in 0..1000 {
            file.write_all(b"line\n").unwrap();
        }
        watch.gather(Duration::from_millis(10));
        fs::read(&path).unwrap();
        fence_file.write_all(b"x").unwrap();
        let told = News { touched: HashSet::from([path.clone(), fence.clone()]), is_scan_due: false };
        assert_eq!(news_until(&mut watch, touched(&fence)), told);

        fs::read(&path).unwrap();
        fs::read_dir(folder.path()).unwrap().for_each(drop);
        fence_file.write_all(b"x").unwrap();
        let told = News { touched: HashSet::from([fence.clone()]), is_scan_due: false };
        assert_eq!(news_until(&mut watch, touched(&fence)), told);

        assert!(!watch.set(&BTreeSet::from([other.path().to_owned()])));
        file.write_all(b"line\n").unwrap();
        fence_file.write_all(b"x").unwrap();
        assert_eq!(news_until(&mut watch, touched(&fence)), told, "its folder is forgotten");
    }

    /// A folder is taken from its path and another made there: that one is watched.
    #[test]
    fn a_folder_made_again_is_watched_again() {
        type TakeAway = fn(&Path);
        let take_away: [(&str, TakeAway); 2] = [
            ("removed", |folder| fs::remove_dir(folder).unwrap()),
            ("moved", |folder| fs::rename(folder, folder.with_extension("old")).unwrap()),
        ];
        for (name, take_away) in take_away {
            let parent = tempfile::tempdir().unwrap();
            let folder = parent.path().join("logs");
            let wanted = BTreeSet::from([folder.clone()]);
            fs::create_dir(&folder).unwrap();
            let mut watch = Watch::new(Arc::default());
            watch.set(&wanted);
            take_away(&folder);
            let gone = HashSet::from([folder.clone()]);
            assert_eq!(news_until(&mut watch, |news| news.is_scan_due).touched, gone, "{name}");
            fs::create_dir(&folder).unwrap();
            assert!(watch.set(&wanted), "{name}");
            let path = folder.join("a.log");
            fs::write(&path, "x").unwrap();
            news_until(&mut watch, touched(&path));
            if name == "moved" {
                let old = folder.with_extension("old").join("b.log");
                fs::write(&old, "x").unwrap();
                fs::write(&path, "x").unwrap();
                let told = news_until(&mut watch, touched(&path));
                assert_eq!(told.touched, HashSet::from([path]), "nothing of the moved one under its old path");
            }
        }
    }
}
