//! D3 and power loss: a disk that errs, that turns read-only, and that forgets what was not synced.
//! `tests/chaos --power` has the many rounds; here are the moments that chance seldom finds.

use std::fs;

use fuser::Errno;

use crate::forgetful::Disk;
use crate::harness::wait_until;
use crate::mounts::Small;
use crate::scene::{REFUSED, Scene, wait_for_words};
use crate::tree::Sickness;

const DAY: i64 = 86_400;

/// D3: errors of the device, and a file system that the kernel has turned read-only.
#[test]
fn a_disk_that_takes_nothing_pauses_reading_and_loses_nothing() {
    for (error, said) in [(Errno::EIO, "Input/output error"), (Errno::EROFS, "Read-only file system")] {
        let scene = Scene::to_file();
        let disk = Disk::mount(&scene.state()).unwrap();
        let agent = scene.start(&[]);
        scene.write("app.log", 0..100);
        scene.wait_for(&agent, 100);
        disk.is_now(Some(Sickness::NoChanges(error)));
        scene.write("app.log", 100..200);
        wait_for_words(&agent, said);
        wait_for_words(&agent, "reading pauses until it can be written");
        assert_eq!(scene.found(200), 100);
        disk.is_now(None);
        scene.wait_for(&agent, 200);
        agent.kill_9();
        disk.cut(None);
        scene.end_with_each_once(200);
    }
}

/// A note that was half written, or whose sync failed, is no note: nothing may be sent for which there is none. Were
/// there none, the second run would give the lines, which have no time of their own, another day and so another index.
#[test]
fn after_a_failed_write_or_sync_of_notes_they_are_written_anew() {
    for sickness in [Sickness::HalfAWrite("notes."), Sickness::NoSync("notes.")] {
        let scene = Scene::to_store("");
        let disk = Disk::mount(&scene.state()).unwrap();
        scene.write("app.log", 0..100);
        let agent = scene.start(&[]);
        scene.wait_for(&agent, 100);
        agent.terminate().expect_code(0);

        let mut agent = scene.start_until("answered");
        wait_for_words(&agent, "started");
        disk.is_now(Some(sickness));
        scene.write("app.log", 100..200);
        wait_for_words(&agent, "reading pauses until it can be written");
        disk.is_now(None);
        wait_until("its end", || agent.has_ended().then_some(()));
        assert_eq!(scene.found(200), 200, "{sickness:?}: {}", agent.messages());
        drop(agent);
        disk.cut(None);
        scene.set_clock(DAY);
        scene.end_with_each_once(200);
    }
}

/// D3: where it may not write, it does not start, changes nothing, and says why. When it may, it goes on.
#[test]
fn a_read_only_state_folder_is_refused_and_left_alone() {
    let scene = Scene::to_file();
    let small = Small::mount(&scene.state(), 256);
    scene.write("app.log", 0..100);
    scene.start(&["--once"]).wait().expect_code(0);
    let checkpoint = scene.state().join("outputs/store/checkpoint.json");
    let before = fs::read(&checkpoint).unwrap();
    small.make_read_only(true);
    scene.write("app.log", 100..200);
    let refused = scene.start(&["--once"]).wait().expect_code(REFUSED);
    assert!(refused.stderr.contains("Read-only file system"), "{}", refused.stderr);
    assert_eq!(fs::read(&checkpoint).unwrap(), before);
    assert_eq!(scene.found(200), 100);
    small.make_read_only(false);
    scene.end_with_each_once(200);
}
