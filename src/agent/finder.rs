//! The files of a route: finds out where each goes on and gives it to its worker, and sees whether any is missing. Never
//! waits for a worker: what is found is opened at once, and so cannot be lost while its worker is busy.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::base::fault::Fault;
use crate::base::identity::{Absent, Inode};
use crate::base::metrics::Metric;
use crate::base::source::{Cursor, Identity, SourceId, fingerprint};
use crate::collect::discover::{Discover, Event, Found, Releases, Whereabouts, is_limit_of_open_files, seek};
use crate::collect::file::{self, Follower, Settings};
use crate::collect::identity::{FileKey, first_line, mint};
use crate::track::Seen;

use super::follow::{Follow, Told};
use super::follows::Waiting;
use super::sources::{Shared, Workers, resume};

/// How long to wait for files to be closed, where no more can be opened.
const UNTIL_CLOSED: Duration = Duration::from_millis(20);

/// Starts the thread that looks for the files of `sources`; the workers read them.
///
/// # Errors
/// A glob that cannot be compiled; what the system refuses.
pub fn start(
    sources: Vec<(Arc<str>, file::Config)>,
    own_files: &[PathBuf],
    shared: Shared,
    workers: Workers,
) -> Result<(), super::Error> {
    let mut discover =
        Discover::new(&sources, own_files).map_err(|error| vec![Fault::new("include", error.to_string())])?;
    let mut finder = Finder::new(sources, discover.releases(), shared, workers);
    let (alarm, mut stop) = (discover.alarm(), finder.shared.stop_tasks.clone());
    tokio::spawn(async move {
        // Nobody is left who could ask for it: then it is over too.
        let _ = stop.wait_for(|stop| *stop).await;
        alarm.stop();
    });
    std::thread::Builder::new().name("discover".to_owned()).spawn(move || {
        if finder.shared.once {
            finder.follow_once(&mut discover);
        } else {
            discover.run(&mut |event| finder.take(event));
        }
    })?;
    Ok(())
}

/// Turns what discovery tells into files and inputs of workers.
struct Finder {
    configs: HashMap<Arc<str>, file::Config>,
    releases: Releases,
    shared: Shared,
    told: Arc<Told>,
    workers: Workers,
    /// Which worker has which file.
    placed: HashMap<FileKey, usize>,
    /// Which worker has the files first seen at a path, by its fingerprint: a file and the one that replaces it share a lane.
    paths: HashMap<u64, usize>,
    /// The worker of the next path: each gets its turn.
    next: usize,
}

impl Finder {
    fn new(sources: Vec<(Arc<str>, file::Config)>, releases: Releases, shared: Shared, workers: Workers) -> Self {
        Self {
            configs: sources.into_iter().collect(),
            told: Arc::new(Told::new(&shared, releases.clone())),
            releases,
            shared,
            workers,
            placed: HashMap::new(),
            paths: HashMap::new(),
            next: 0,
        }
    }

    /// All files that there are now, and those that are missing. More than one turn only where they are more than may
    /// be open at once: then the next ones are opened as the workers end with the first.
    fn follow_once(&mut self, discover: &mut Discover) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let found = discover.scan_once();
            if found.is_empty() {
                if !discover.is_full() && self.roll_call(&discover.resting()) {
                    break;
                }
                std::thread::sleep(UNTIL_CLOSED);
            }
            found.into_iter().for_each(|found| self.follow(found));
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Found(found) => self.follow(found),
            Event::Changed(key) => self.tell(key, |files| files.changed(key)),
            Event::Renamed(key, path) => self.tell(key, |files| files.renamed(key, path)),
            Event::RollCall(resting) => {
                // What cannot be opened now is sought at the next one.
                let _ = self.roll_call(&resting);
            }
        }
    }

    /// Tells the worker that has the file.
    fn tell(&self, key: FileKey, tell: impl FnOnce(&Waiting)) {
        if let Some(worker) = self.placed.get(&key) {
            tell(&self.workers.0[*worker].files);
        }
    }

    fn follow(&mut self, found: Found) {
        let path = found.path.to_string_lossy().into_owned();
        let Some(config) = self.configs.get(&found.source_name).cloned() else { return };
        let len = found.size();
        let resume = {
            let seen = Seen { identity: &found.identity, len, head_of: &|len| found.head_of(len) };
            // What cannot be read now cannot be read by its follower either, which says so.
            let first_line = first_line(&found.file).ok().flatten();
            let minted = mint(&found.identity, first_line.as_deref(), &self.shared.machine);
            resume(&self.shared, &found.source_name, &seen, minted)
        };
        let source = Arc::new(config.source(
            &found.source_name,
            resume.id,
            Some(resume.path.clone().unwrap_or_else(|| path.clone())),
        ));
        let worker = self.worker_of(source.path.as_deref().unwrap_or(&path));
        let key = key_of(&found);
        match Follower::new(found, source, &resume, Settings::new(&config, self.shared.once)) {
            Ok(follower) => {
                if resume.cursor.is_none() && begins_later(&follower.cursor()) {
                    self.note_begin(resume.id, &follower.cursor());
                }
                self.hand(follower, worker);
            }
            Err(error) => {
                tracing::warn!("cannot read {path}: {error}; it is tried again when it changes");
                self.shared.tracker.let_go(resume.id);
                key.into_iter().for_each(|key| self.releases.release(key, len));
            }
        }
    }

    fn hand(&mut self, follower: Follower, worker: usize) {
        let key = follower.key();
        self.placed.insert(key, worker);
        self.workers.0[worker].files.add(Follow::new(follower, self.shared.once, Arc::clone(&self.told)));
    }

    fn worker_of(&mut self, path: &str) -> usize {
        let Self { next, workers, .. } = self;
        *self.paths.entry(fingerprint(path.as_bytes())).or_insert_with(|| {
            *next = (*next + 1) % workers.0.len();
            *next
        })
    }

    /// Where a file is not read from its beginning must be known after a crash.
    fn note_begin(&self, id: SourceId, cursor: &Cursor) {
        if let Err(error) = self.shared.tracker.begin_at(id, cursor) {
            tracing::warn!("{error}; a crash before the next checkpoint would pass over more of this file");
        }
    }

    /// Seeks the files that were followed before and that no glob leads to now, and forgets those that are long gone.
    /// `false`: not all could be sought, for want of open files.
    fn roll_call(&mut self, resting: &BTreeSet<Inode>) -> bool {
        let now_ms = clock::now_ms();
        let absent = self.shared.tracker.absent(resting, |name| self.keep_ms(name), now_ms);
        let mut is_whole = true;
        for (one, sought) in seek(absent) {
            match sought {
                Whereabouts::Found(found) => self.follow(*found),
                Whereabouts::Kept => self.shared.tracker.saw(std::iter::once((one.id, None)), now_ms),
                Whereabouts::Over => self.shared.tracker.finish(one.id),
                Whereabouts::Nowhere => self.tell_missing(&one),
                Whereabouts::Unknown(error) if is_limit_of_open_files(&error) => is_whole = false,
                Whereabouts::Unknown(error) => self.tell_unknown(&one, &error),
            }
        }
        self.shared.tracker.forget(|name| self.keep_ms(name), now_ms);
        is_whole
    }

    /// For how long a file of a `[source.NAME]` is known that is not seen; `None` where there is none of this name.
    fn keep_ms(&self, name: &str) -> Option<i64> {
        self.configs.get(name).map(file::Config::forget_after_ms)
    }

    /// Counts, and says, what is lost of a file that is gone.
    fn tell_missing(&self, one: &Absent) {
        let bytes = self.shared.tracker.miss(one.id);
        if bytes > 0 {
            self.shared.metrics.add(Metric::LostBytes, &one.name, bytes);
            tracing::error!(
                "cannot find {}: it was removed while the agent was away; {bytes} bytes are lost that were not delivered\n\
                 hint: rotated files are found in the folder where they were, also compressed (.gz)",
                path_of(one)
            );
        }
    }

    fn tell_unknown(&self, one: &Absent, error: &std::io::Error) {
        let text = format!("cannot look for {}, which is not at its path: {error}; it is tried again", path_of(one));
        if let Some(text) = self.shared.seldom.told(text, Instant::now()) {
            tracing::warn!("{text}");
        }
    }
}

fn key_of(found: &Found) -> Option<FileKey> {
    found.file.metadata().ok().as_ref().map(FileKey::of)
}

fn path_of(one: &Absent) -> &str {
    match &one.identity {
        Identity::File { path, .. } => path,
        _ => "",
    }
}

fn begins_later(cursor: &Cursor) -> bool {
    matches!(cursor, Cursor::File { offset: 1.., .. })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use tokio::sync::{mpsc, watch};

    use super::super::follows::Follows;
    use super::super::sources::Way;
    use super::super::worker::Input;
    use super::*;
    use crate::collect::lines::Spare;
    use crate::track::Tracker;

    /// A folder of logs, and a worker that takes nothing by itself.
    struct Scene {
        folder: tempfile::TempDir,
        discover: Discover,
        finder: Finder,
        files: Waiting,
        _inputs: mpsc::Receiver<Input>,
    }

    impl Scene {
        fn new(change: impl FnOnce(&mut file::Config)) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let include = vec![folder.path().join("*.log").display().to_string()];
            let mut config = file::Config { include, ..file::Config::default() };
            change(&mut config);
            let sources = vec![("app".into(), config)];
            let discover = Discover::new(&sources, &[]).unwrap();
            let (inputs, _inputs) = mpsc::channel(1);
            let files = Waiting::default();
            let workers = Workers(vec![Way { inputs, files: files.clone() }]);
            let finder = Finder::new(sources, discover.releases(), shared(), workers);
            Self { folder, discover, finder, files, _inputs }
        }

        fn append(&self, name: &str, text: &str) {
            let mut file = File::options().append(true).create(true).open(self.folder.path().join(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        /// How many files have come to the worker.
        fn followed(&self) -> usize {
            let mut follows = Follows::default();
            follows.take(&self.files);
            follows.iter().count()
        }
    }

    fn shared() -> Shared {
        Shared {
            tracker: Arc::new(Tracker::open(None).unwrap()),
            metrics: Arc::default(),
            seldom: Arc::default(),
            machine: "m".into(),
            once: false,
            stop: Arc::default(),
            stop_tasks: watch::channel(false).1,
        }
    }

    #[test]
    fn a_file_whose_follower_cannot_be_made_is_tried_again_when_it_changes() {
        let mut scene = Scene::new(|config| config.start = file::Start::End);
        scene.append("a.log", "one\n");
        let mut found = scene.discover.scan_once().remove(0);
        // Opened for writing only: reading it fails, as on a broken disk.
        found.file = File::options().append(true).open(&found.path).unwrap();
        scene.finder.follow(found);
        assert_eq!(scene.followed(), 0);
        assert!(scene.discover.scan_once().is_empty(), "not before it changes");
        scene.append("a.log", "two\n");
        let found = scene.discover.scan_once().remove(0);
        scene.finder.follow(found);
        assert_eq!(scene.followed(), 1);
    }

    #[test]
    fn a_file_at_its_end_is_looked_at_when_it_changes_or_a_second_later() {
        let mut scene = Scene::new(|_| ());
        scene.append("a.log", "one\n");
        let found = scene.discover.scan_once().remove(0);
        let key = key_of(&found).unwrap();
        scene.finder.take(Event::Found(found));
        let (mut follows, mut spare, now_ms) = (Follows::default(), Spare::default(), 5_500);
        assert!(follows.take(&scene.files));
        let mut read = |follows: &mut Follows| {
            let index = follows.due_from(0, now_ms)?;
            Some(follows.change(index, |follow| follow.read(now_ms, &mut spare)).is_some())
        };
        assert_eq!([(); 3].map(|()| read(&mut follows)), [Some(true), Some(false), None]);
        assert_eq!(follows.next_in_ms(now_ms), Some(500), "at the next whole second");
        scene.append("a.log", "two\n");
        assert!(!follows.take(&scene.files), "nobody has told");
        assert_eq!(read(&mut follows), None);
        scene.finder.take(Event::Changed(key));
        assert!(follows.take(&scene.files));
        assert_eq!([(); 3].map(|()| read(&mut follows)), [Some(true), Some(false), None]);
    }

    /// Else this test would never end.
    #[test]
    fn a_busy_worker_holds_up_no_file() {
        let mut scene = Scene::new(|_| ());
        for number in 0..20 {
            scene.append(&format!("{number}.log"), "one\n");
        }
        let found = scene.discover.scan_once();
        let keys: Vec<_> = found.iter().filter_map(key_of).collect();
        found.into_iter().for_each(|found| scene.finder.take(Event::Found(found)));
        keys.iter().for_each(|key| scene.finder.take(Event::Changed(*key)));
        keys.iter().for_each(|key| scene.finder.take(Event::Renamed(*key, PathBuf::new())));
        fs::remove_dir_all(scene.folder.path()).unwrap();
        assert_eq!(scene.followed(), 20, "open, though they are gone");
        fs::create_dir(scene.folder.path()).unwrap();
    }
}
