//! Queues that older agents wrote are read: a folder for every version ever shipped, `fixtures/vN`.

use super::*;

/// What is in the fixture: two frames left of three.
const FRAMES: std::ops::Range<u64> = 0..3;
const NEEDED: std::ops::Range<u64> = 1..3;

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/queue/fixtures/v{version}"))
}

/// Its files: name and content.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files: Vec<_> = paths.map(|path| (name(&path), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn every_version_ever_written_is_read() {
    for version in 1..=head::VERSION {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files(&fixture(version)) {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let (queue, report) = open(folder.path());
        assert_eq!(found(&report), NEEDED.collect::<Vec<_>>(), "version {version}");
        assert_eq!((report.damaged_frames, report.damaged_bytes, report.torn_bytes), (0, 0, 0));
        assert_eq!(drain(&queue), NEEDED.collect::<Vec<_>>(), "version {version}");
    }
}

/// A change of what is written needs a new version, and a fixture of it: this test makes it where there is none.
#[test]
fn what_is_written_is_the_newest_fixture_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    push(&queue, FRAMES);
    queue.take().unwrap();
    queue.done(0);
    queue.forget(1).unwrap();
    let fixture = fixture(head::VERSION);
    if !fixture.exists() {
        fs::create_dir_all(&fixture).unwrap();
        for (name, content) in files(folder.path()) {
            fs::write(fixture.join(name), content).unwrap();
        }
        panic!("{} is new: look at it, and commit it", fixture.display());
    }
    assert_eq!(files(folder.path()), files(&fixture));
}
