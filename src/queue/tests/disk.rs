//! A disk that takes no more: the batch is refused, and what it left is in nobody's way.

use std::process::Command;

use super::*;

#[test]
fn a_device_without_space_refuses_a_batch_and_takes_the_next_when_there_is_some() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    let path = segment::path(folder.path(), 0);
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let error = queue.push(&batch(0, 100), 0).unwrap_err();
    assert!(matches!(&error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull), "{error}");
    assert_eq!((queue.frames(), queue.bytes()), (0, 0));
    fs::remove_file(&path).unwrap();
    push(&queue, 0..2);
    assert_eq!(drain(&queue), [0, 1]);
}

const CHILD: &str = "LOGFERRY_TEST_FILES_MAY_NOT_GROW";

/// Files of the child process end at 1024 bytes, in the middle of a frame: its write is cut short, then refused.
#[test]
fn half_a_frame_is_cut_off_and_the_next_batch_is_taken() {
    if std::env::var_os(CHILD).is_some() {
        return in_a_process_whose_files_may_not_grow();
    }
    let name = "queue::tests::disk::half_a_frame_is_cut_off_and_the_next_batch_is_taken";
    let program = std::env::current_exe().unwrap();
    // SIGXFSZ would end it; what a shell ignores, its children ignore.
    let limited = "trap '' XFSZ; ulimit -f 2 || exit 9; exec \"$0\" --exact \"$1\"";
    let child = Command::new("sh").args(["-c", limited]).arg(program).arg(name).env(CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&child.stderr));
}

fn in_a_process_whose_files_may_not_grow() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    push(&queue, 0..1);
    let path = segment::path(folder.path(), 0);
    let len = fs::metadata(&path).unwrap().len();
    for _ in 0..3 {
        let error = queue.push(&batch(1, 700), 1).unwrap_err();
        assert!(
            matches!(&error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::FileTooLarge),
            "{error}"
        );
        assert_eq!((queue.frames(), fs::metadata(&path).unwrap().len()), (1, len));
    }
    let (_, report) = open(folder.path());
    assert_eq!((found(&report), report.torn_bytes), (vec![0], 0), "nothing half-written is left");
    push(&queue, 1..2);
    assert_eq!(drain(&queue), [0, 1]);
    assert_eq!(found(&open(folder.path()).1), [0, 1]);
}
