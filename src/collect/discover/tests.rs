//! Through the door: a folder whose files come, go, move and change.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::SystemTime;

use super::*;

struct Scene {
    folder: tempfile::TempDir,
    discover: Discover,
}

impl Scene {
    /// One source, whose globs are relative to the folder, in which `own` is the agent's.
    fn new(include: &[&str], change: impl FnOnce(&mut Config), own: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &&str| folder.path().join(name);
        let include = include.iter().map(|glob| within(glob).display().to_string()).collect();
        let mut config = Config { include, ..Config::default() };
        config.exclude = vec!["*.skip.log".into()];
        change(&mut config);
        let own: Vec<PathBuf> = own.iter().map(within).collect();
        let discover = Discover::new(&[("app".into(), config)], &own).unwrap();
        Self { folder, discover }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(self.folder.path()).unwrap().display().to_string()
    }

    fn scan(&mut self) -> Vec<Found> {
        let mut found = self.discover.scan_once();
        found.sort_by(|one, other| one.path.cmp(&other.path));
        found
    }

    fn names(&mut self) -> Vec<String> {
        let found = self.scan();
        found.iter().map(|found| self.name(&found.path)).collect()
    }
}

#[test]
fn files_that_match_are_found_once_and_the_agents_own_never() {
    let globs = ["**/*.log", "plain.txt", "none/*.log"];
    let mut scene = Scene::new(&globs, |_| (), &["state", "out.log"]);
    let others = ["x/c.txt", "d.skip.log", "state/journal.log", "out.log", "out.log.1.log"];
    for name in ["a.log", "x/y/b.log", "plain.txt"].into_iter().chain(others) {
        scene.write(name, "time,level\n");
    }
    fs::create_dir(scene.path("folder.log")).unwrap();
    symlink(scene.path("a.log"), scene.path("x/link.log")).unwrap();
    symlink(scene.path("x"), scene.path("again")).unwrap();
    symlink(scene.folder.path(), scene.path("x/loop")).unwrap();
    symlink(scene.path("state"), scene.path("sidedoor")).unwrap();
    let found = scene.scan();
    let mut keys: Vec<_> = found.iter().map(|found| FileKey::of(&found.file.metadata().unwrap())).collect();
    keys.sort();
    let mut wanted =
        ["a.log", "x/y/b.log", "plain.txt"].map(|name| FileKey::of(&fs::metadata(scene.path(name)).unwrap()));
    wanted.sort();
    assert_eq!(keys, wanted);
    assert!(found.iter().all(|found| found.source_name.as_ref() == "app" && found.begin == 0));
    assert!(scene.names().is_empty(), "told once");
}

/// Only what the agent writes is its own: not what is named a little like it.
#[test]
fn what_is_the_agents_own_is_told_by_whole_names() {
    let mut scene = Scene::new(&["**/*"], |_| (), &["lib/state", "all", "out.ndjson"]);
    let own = ["lib/state/a.log", "lib/state/outputs/store/notes.1", "all", "all.12.gz", "all.12", "out.ndjson"];
    let others = [
        "all-errors.log",
        "allow.log",
        "lib/state-of-things.log",
        "lib/all",
        "out.ndjson-old",
        "out.ndjson1",
        "x/out.log",
    ];
    for name in own.into_iter().chain(others) {
        scene.write(name, "");
    }
    let mut expected = others.map(str::to_owned);
    expected.sort();
    let mut names = scene.names();
    names.sort();
    assert_eq!(names, expected);
}

/// Compressed files are no lines: whatever the globs say.
#[test]
fn compressed_files_are_left_alone() {
    let mut scene = Scene::new(&["*"], |_| (), &[]);
    for name in ["a.log", "a.log.1.gz", "b.log-20260101.GZ", "gz"] {
        scene.write(name, "x\n");
    }
    assert_eq!(scene.names(), ["a.log", "gz"]);
    assert_eq!(scene.discover.has_packed.len(), 1, "said");
}

/// Told when all is found, with what is there and not followed.
#[test]
fn a_roll_call_comes_after_a_whole_look() {
    let mut scene = Scene::new(&["*.log"], |_| (), &[]);
    scene.write("a.log", "one\n");
    let metadata = fs::metadata(scene.path("a.log")).unwrap();
    let key = FileKey::of(&metadata);
    let called = |scene: &mut Scene| {
        let mut calls = Vec::new();
        scene.discover.scan(&mut |event| {
            if let Event::RollCall(resting) = event {
                calls.push(resting);
            }
        });
        calls
    };
    assert_eq!(called(&mut scene), [BTreeSet::new()]);
    assert!(called(&mut scene).is_empty(), "only now and then");
    scene.discover.releases().release(key, 4);
    scene.discover.roll_called = None;
    assert_eq!(called(&mut scene), [BTreeSet::from([(key.inode, identity::birth_ns(&metadata))])]);
}

#[test]
fn a_start_at_the_end_is_for_files_that_are_there_first() {
    let mut scene = Scene::new(&["*.log"], |config| config.start = Start::End, &[]);
    scene.write("old.log", "12345");
    assert_eq!(scene.scan().iter().map(|found| found.begin).collect::<Vec<_>>(), [5]);
    scene.write("new.log", "12345");
    assert_eq!(scene.scan().iter().map(|found| found.begin).collect::<Vec<_>>(), [0]);
}

#[test]
fn old_files_are_left_alone_until_they_are_written_to() {
    let older = |config: &mut Config| {
        config.ignore_older = Some(crate::base::quantity::Span(Duration::from_secs(3_600)));
        config.start = Start::End;
    };
    let mut scene = Scene::new(&["*.log"], older, &[]);
    scene.write("old.log", "12345");
    let file = File::options().append(true).open(scene.path("old.log")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(7_200)).unwrap();
    assert!(scene.names().is_empty());
    assert!(scene.names().is_empty());
    scene.write("old.log", "123456789");
    assert_eq!(scene.scan().iter().map(|found| found.begin).collect::<Vec<_>>(), [5]);
}

/// A14.
#[test]
fn what_cannot_be_opened_is_tried_again() {
    let mut scene = Scene::new(&["*.log"], |_| (), &[]);
    symlink("a.log", scene.path("a.log")).unwrap();
    scene.write("b.log", "");
    assert_eq!(scene.names(), ["b.log"], "its neighbour is not disturbed");
    assert_eq!(scene.discover.complaints.keys().collect::<Vec<_>>(), [&scene.path("a.log")]);
    fs::remove_file(scene.path("a.log")).unwrap();
    scene.write("a.log", "");
    assert_eq!(scene.names(), ["a.log"]);
    assert!(scene.discover.complaints.is_empty());
    fs::create_dir(scene.path("c.log")).unwrap();
    assert!(scene.names().is_empty());
    fs::remove_dir(scene.path("c.log")).unwrap();
    scene.write("c.log", "");
    assert_eq!(scene.names(), ["c.log"]);
}

#[test]
fn moves_are_told_and_released_files_come_back_when_they_change() {
    let mut scene = Scene::new(&["*.log"], |_| (), &[]);
    scene.write("a.log", "one\n");
    let key = FileKey::of(&scene.scan()[0].file.metadata().unwrap());
    fs::rename(scene.path("a.log"), scene.path("a.1.log")).unwrap();
    scene.write("a.log", "new\n");
    let mut events = Vec::new();
    scene.discover.scan(&mut |event| events.push(event));
    let mut told: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Found(found) => format!("found {}", scene.name(&found.path)),
            Event::Renamed(of, path) => format!("{} renamed {}", *of == key, scene.name(path)),
            Event::Changed(_) => "changed".to_owned(),
            Event::RollCall(_) => "roll call".to_owned(),
        })
        .collect();
    told.sort();
    assert_eq!(told, ["found a.log", "true renamed a.1.log"]);

    scene.discover.releases().release(key, 4);
    assert!(scene.names().is_empty(), "unchanged");
    scene.write("a.1.log", "one\ntwo\n");
    assert_eq!(scene.names(), ["a.1.log"]);
    scene.discover.releases().release(key, 4);
    assert_eq!(scene.names(), ["a.1.log"], "it grew before it was released");
    fs::remove_file(scene.path("a.1.log")).unwrap();
    scene.discover.releases().release(key, 8);
    assert!(scene.names().is_empty());
    assert!(!scene.discover.known.contains_key(&key), "gone and not followed: forgotten");
}

/// Runs a discovery while `act` does, which is given what it tells.
fn while_running(discover: &mut Discover, act: impl FnOnce(&Receiver<Event>)) {
    /// Also when a test fails: the thread would run, and the test wait for it, for ever.
    struct Stop(Alarm);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.stop();
        }
    }
    let stop = Stop(discover.alarm());
    let (sender, events) = channel();
    thread::scope(|scope| {
        let _stop = stop;
        scope.spawn(|| discover.run(&mut |event| drop(sender.send(event))));
        act(&events);
    });
}

/// Waits until this is told: long, on a busy machine, but no poll's length. A file's change may be told more than once.
#[track_caller]
fn expect(events: &Receiver<Event>, word: &str, path: Option<&Path>) {
    loop {
        let (told, of) = match events.recv_timeout(Duration::from_secs(30)).unwrap() {
            Event::Found(found) => ("found", Some(found.path)),
            Event::Changed(_) => ("changed", None),
            Event::Renamed(_, path) => ("renamed", Some(path)),
            Event::RollCall(_) => continue,
        };
        if (told, of.as_deref()) == (word, path) {
            return;
        }
        assert_eq!(told, "changed", "of {of:?} instead of {word} {path:?}");
    }
}

#[test]
fn a_running_discovery_tells_of_new_changed_and_moved_files_at_once() {
    // So rarely polled that only the kernel's news can explain it.
    let rarely = |config: &mut Config| config.poll = crate::base::quantity::Span(Duration::from_secs(3_600));
    let mut scene = Scene::new(&["*.log"], rarely, &[]);
    scene.write("a.log", "");
    let [a, b, c] = ["a.log", "b.log", "c.log"].map(|name| scene.path(name));
    while_running(&mut scene.discover, |events| {
        expect(events, "found", Some(&a));
        fs::write(&b, "").unwrap();
        expect(events, "found", Some(&b));
        // Its folder is surely watched now.
        fs::rename(&b, &c).unwrap();
        expect(events, "renamed", Some(&c));
        fs::write(&a, "line\n").unwrap();
        expect(events, "changed", None);
        // The rest of what was told of that.
        while events.recv_timeout(Duration::from_millis(200)).is_ok() {}
        fs::remove_file(&a).unwrap();
        expect(events, "changed", None);
    });
}

#[test]
fn without_watches_polling_finds_new_files() {
    let often = |config: &mut Config| config.poll = crate::base::quantity::Span(Duration::from_millis(20));
    let mut scene = Scene::new(&["later/*.log"], often, &[]);
    let path = scene.path("later/a.log");
    while_running(&mut scene.discover, |events| {
        thread::sleep(Duration::from_millis(50));
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        expect(events, "found", Some(&path));
    });
}
