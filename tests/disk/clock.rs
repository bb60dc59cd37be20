//! D7: a clock that steps, and a process that is suspended.

use std::fs;
use std::time::Duration;

use crate::harness::{send_signal, wait_until_within};
use crate::scene::Scene;
use crate::server::Away;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Far below any step: a batch that waits for the clock to come back waits longer.
const SOON: Duration = Duration::from_secs(30);

/// D7: steps of an hour and of a day, forth and back, while it runs and while it is away. Every line comes soon; those
/// that are read again after a kill are not taken for others.
#[test]
fn a_clock_that_steps_delays_loses_and_repeats_nothing() {
    for scene in [Scene::to_file(), Scene::to_store("")] {
        let mut written = 0;
        for (before, meanwhile) in [(0, -DAY), (-DAY, DAY), (HOUR, -HOUR), (DAY, 0), (-HOUR, HOUR)] {
            scene.set_clock(before);
            let agent = scene.start(&[]);
            for step in [meanwhile, before, meanwhile] {
                scene.write("app.log", written..written + 50);
                // These wait in the open batch now, half its time.
                std::thread::sleep(Duration::from_millis(100));
                scene.set_clock(step);
                scene.write("app.log", written + 50..written + 100);
                written += 100;
                let said = format!("{written} lines after a step to {step}");
                wait_until_within(SOON, &said, || (scene.found(written) == written).then_some(()));
            }
            agent.kill_9();
        }
        scene.set_clock(0);
        scene.end_with_each_once(written);
    }
}

/// D7: a step of a day while a chunk was sent and its answer not yet taken in.
#[test]
fn what_was_sent_before_a_kill_and_a_step_is_known_again() {
    for step in [HOUR, -HOUR, DAY, -DAY] {
        let scene = Scene::to_store("");
        scene.write("app.log", 0..100);
        let mut agent = scene.start_until("answered");
        wait_until_within(SOON, "its end", || agent.has_ended().then_some(()));
        assert_eq!(scene.found(100), 100);
        scene.set_clock(step);
        scene.end_with_each_once(100);
    }
}

/// D7: suspended while lines are written, files rotated, and the store has hung up.
#[test]
fn a_process_that_was_suspended_goes_on() {
    let scene = Scene::to_store("");
    let agent = scene.start(&[]);
    scene.write("app.log", 0..100);
    scene.wait_for(&agent, 100);
    scene.write("app.log", 100..2_000);
    std::thread::sleep(Duration::from_millis(20));
    send_signal(agent.id(), "STOP");
    scene.store().leave(Away::Closed);
    scene.write("app.log", 2_000..3_000);
    fs::rename(scene.ground.log("app.log"), scene.ground.log("app.log.1")).unwrap();
    scene.write("app.log", 3_000..4_000);
    std::thread::sleep(Duration::from_secs(4));
    scene.set_clock(DAY);
    scene.store().come_back();
    send_signal(agent.id(), "CONT");
    wait_until_within(SOON, "all lines", || (scene.found(4_000) == 4_000).then_some(()));
    agent.terminate().expect_code(0);
    scene.end_with_each_once(4_000);
}
