//! What the kernel tells about folders (inotify(7)), gathered and made few. It may tell nothing (network mounts, the
//! limit of watches): whoever uses it also looks for himself.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tracing::warn;

/// Watches folders, not below them.
#[derive(Debug)]
pub(super) struct Watch {
    /// `None`: the kernel gives no more of them; polling must do.
    inotify: Option<OwnedFd>,
    folders: HashMap<i32, PathBuf>,
    watched: HashSet<PathBuf>,
    is_limit_told: bool,
}

/// What happened since it was last asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Files that were written to.
    pub(super) written: BTreeSet<PathBuf>,
    /// Names came or went: look through the folders.
    pub(super) is_scan_due: bool,
}

/// Names that come and go, and writes. Not reads, which the agent itself does all the time.
const WANTED: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ONLYDIR);

impl Watch {
    pub(super) fn new() -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .inspect_err(|error| warn!("cannot be told of changed files: {error}; folders are polled instead"))
            .ok();
        Self { inotify, folders: HashMap::new(), watched: HashSet::new(), is_limit_told: false }
    }

    /// Watches `folders` and forgets those that are no longer among them.
    pub(super) fn set(&mut self, folders: &BTreeSet<PathBuf>) {
        let Some(inotify) = &self.inotify else { return };
        self.folders.retain(|descriptor, folder| {
            let stays = folders.contains(folder);
            if !stays {
                // Fails where the folder is gone, and its watch with it.
                let _ = inotify::remove_watch(inotify, *descriptor);
                self.watched.remove(folder);
            }
            stays
        });
        for folder in folders {
            if self.watched.contains(folder) {
                continue;
            }
            match inotify::add_watch(inotify, folder, WANTED) {
                Ok(descriptor) => {
                    self.watched.insert(folder.clone());
                    self.folders.insert(descriptor, folder.clone());
                }
                Err(Errno::NOSPC | Errno::NOMEM) if !self.is_limit_told => {
                    self.is_limit_told = true;
                    warn!(
                        "cannot watch all folders: the limit fs.inotify.max_user_watches is reached; they are polled"
                    );
                }
                // Gone already, not readable, or a file system without watches: the scan sees what it can.
                Err(_) => {}
            }
        }
    }

    /// Waits for news, at most `patience`. Whether there are any.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let Some(inotify) = &self.inotify else {
            std::thread::sleep(patience);
            return false;
        };
        let timeout = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        // A signal ends the wait early, which does no harm.
        poll(&mut [PollFd::new(inotify, PollFlags::IN)], Some(&timeout)).is_ok_and(|ready| ready > 0)
    }

    /// All that is told up to now.
    pub(super) fn news(&mut self) -> News {
        let mut news = News::default();
        let Some(inotify) = &self.inotify else { return news };
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = Reader::new(inotify, &mut buffer);
        while let Ok(event) = reader.next() {
            let flags = event.events();
            let folder = self.folders.get(&event.wd());
            if flags.contains(ReadFlags::IGNORED) {
                news.is_scan_due = true;
                if let Some(folder) = self.folders.remove(&event.wd()) {
                    self.watched.remove(&folder);
                }
            } else if flags.contains(ReadFlags::MODIFY) {
                let name = event.file_name().map(|name| Path::new(OsStr::from_bytes(name.to_bytes())));
                if let (Some(folder), Some(name)) = (folder, name) {
                    news.written.insert(folder.join(name));
                }
            } else {
                // Also an overflow of the kernel's queue.
                news.is_scan_due = true;
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn writes_and_names_are_told_and_reads_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut watch = Watch::new();
        watch.set(&BTreeSet::from([folder.path().to_owned()]));
        assert_eq!(watch.news(), News::default());

        let mut file = fs::File::create(&path).unwrap();
        assert!(watch.wait(Duration::from_secs(5)));
        assert_eq!(watch.news(), News { is_scan_due: true, ..News::default() });

        for _ in 0..1000 {
            file.write_all(b"line\n").unwrap();
        }
        assert_eq!(watch.news(), News { written: BTreeSet::from([path.clone()]), is_scan_due: false });

        fs::read(&path).unwrap();
        assert_eq!(watch.news(), News::default());

        watch.set(&BTreeSet::new());
        watch.news();
        file.write_all(b"line\n").unwrap();
        assert_eq!(watch.news(), News::default());
    }

    #[test]
    fn a_folder_made_again_is_watched_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("logs");
        let wanted = BTreeSet::from([folder.clone()]);
        fs::create_dir(&folder).unwrap();
        let mut watch = Watch::new();
        watch.set(&wanted);
        fs::remove_dir(&folder).unwrap();
        assert!(watch.news().is_scan_due);
        fs::create_dir(&folder).unwrap();
        watch.set(&wanted);
        fs::write(folder.join("a.log"), "x").unwrap();
        assert!(watch.news().is_scan_due);
    }
}
