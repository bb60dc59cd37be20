//! State that older agents wrote is read: a folder for every version ever shipped, `fixtures/vN`, with a checkpoint and
//! the notes after it.

use serde_json::Value;

use super::*;

/// What the files of a folder say, whatever the order of their sources.
type Content = Vec<(String, Vec<Value>)>;

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/track/fixtures/v{version}"))
}

fn content(folder: &Path) -> Content {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut content: Content = paths
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            for sources in lines.iter_mut().filter_map(|line| line.get_mut("sources")?.as_array_mut()) {
                sources.sort_by_key(|source| source["id"].to_string());
            }
            (path.file_name().unwrap().to_str().unwrap().to_owned(), lines)
        })
        .collect();
    content.sort_by(|one, other| one.0.cmp(&other.0));
    content
}

const BOX: Stream = Stream::Stderr;

/// What the file has when the run that writes ends.
const LONGER: &[u8] = b"first line\nsecond line\n";

/// The three kinds of sources: a file that begins so, a container, standard input.
fn find_all(tracker: &Tracker, head: &[u8]) -> [Resume; 3] {
    let container = Identity::Docker { container: "c1".into(), stream: BOX, name: "web".into() };
    [
        find(tracker, &identity(head), head, 7),
        find(tracker, &container, head, 8),
        find(tracker, &Identity::Stdin { began_ns: 9 }, head, 9),
    ]
}

/// A chunk of one line of the source `id`, the number `index` of it.
fn nth(id: u64, index: u64) -> Chunk {
    let mut chunk = piece(index * 10, 100 + index as i64);
    std::sync::Arc::get_mut(&mut chunk.source).unwrap().id = SourceId::new(id);
    if id == 8 {
        let recent = vec![Position { at: index * 10, tie: u32::MAX }, Position { at: index * 10 + 10, tie: 5 }];
        chunk.cursor = Cursor::Docker { time_ns: index * 10 + 10, recent };
    }
    chunk
}

/// A run of each kind of thing that can be written: of each source one chunk settled and one in flight, one source that
/// is over, bytes that were lost, lines that were parked and dropped.
fn write(folder: &Path) {
    let tracker = open(folder);
    tracker.found_written(42).unwrap();
    find_all(&tracker, HEAD);
    let counts = Counts {
        read: 6,
        bytes: 10,
        delivered: 3,
        parked: 2,
        dropped: [("debug".to_owned(), 1)].into(),
        cut_bytes: 4,
        lost_bytes: 0,
    };
    for id in [7, 8, 9] {
        tracker.begin(&nth(id, 0)).unwrap();
        let settled = Settlement { source: SourceId::new(id), seq: 0, counts: counts.clone() };
        tracker.settle(vec![settled], Some(50));
    }
    tracker.lose(SourceId::new(7), 11);
    tracker.finish(SourceId::new(9));
    save_twice(&tracker);
    for id in [7, 8] {
        tracker.begin(&nth(id, 1)).unwrap();
    }
    tracker.identify(SourceId::new(7), &identity(LONGER), 0).unwrap();
    tracker.make_durable().unwrap();
}

#[test]
fn every_version_ever_written_is_read() {
    for version in 1..=VERSION {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixture(version)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        let tracker = open(folder.path());
        assert_eq!(tracker.written(), Some(50), "version {version}");
        let counts = &tracker.ledger()["app"];
        let lines = (counts.read, counts.delivered, counts.parked, counts.dropped["debug"]);
        assert_eq!((lines, counts.bytes, counts.cut_bytes, counts.lost_bytes), ((18, 9, 6, 3), 30, 12, 11));
        let [file, container, _] = find_all(&tracker, LONGER);
        for (id, resume) in [(7, &file), (8, &container)] {
            let next = nth(id, 1);
            assert_eq!((resume.id, resume.cursor.as_ref()), (SourceId::new(id), Some(&nth(id, 0).cursor)));
            let note = resume.replay.iter().find(|note| note.start == next.start).unwrap();
            assert_eq!((note.end, note.seen_ms, note.generation), (next.end, next.seen_ms, 0));
        }
        assert_eq!(file.path.as_deref(), Some("/var/log/app.log"));
    }
}

/// A change of what is written needs a new version, and a fixture of it: this test makes it where there is none.
#[test]
fn what_is_written_is_the_newest_fixture() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let fixture = fixture(VERSION);
    if !fixture.exists() {
        std::fs::create_dir_all(&fixture).unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, fixture.join(path.file_name().unwrap())).unwrap();
        }
        panic!("{} is new: look at it, and commit it", fixture.display());
    }
    assert_eq!(content(folder.path()), content(&fixture));
}
