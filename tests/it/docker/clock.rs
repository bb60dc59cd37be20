//! A clock that steps, or stands still, under a container's log. The engine's clock is the machine's, so the engine is one
//! by script.

use super::script::{Message, Script};
use super::{assert_each_once, ground, records, wait_for_lines};

/// As the engine cuts long lines.
const PART: usize = 16 * 1024;

const STEP_BACK_NS: i64 = 5_000_000_000;

/// Writes numbered lines, the even ones to standard output, every fortieth of 40 KB in parts that come between those of
/// the other stream; two lines always have the same time.
struct Writer {
    script: Script,
    /// 40 KB, no two parts of which are the same.
    letters: String,
    ns: i64,
    next: u64,
}

impl Writer {
    fn write(&mut self, pairs: u64) {
        for _ in 0..pairs {
            self.ns += 1_700_123;
            let padding = if self.next.is_multiple_of(40) { 40_000 } else { 0 };
            let texts = [0, 1].map(|stream| {
                let letters = &self.letters[..padding];
                format!("{letters}seq-a-{:07}\n", self.next + stream)
            });
            for part in 0..=padding / PART {
                for (text, stream) in texts.iter().zip([1, 2]) {
                    let text = text[part * PART..text.len().min((part + 1) * PART)].to_owned();
                    self.script.say(Message { stream, ns: self.ns, text });
                }
            }
            self.next += 2;
        }
    }
}

/// All words of three letters, each with a space: no digits, which could be taken for a number that must be masked.
fn words() -> impl Iterator<Item = String> {
    let letters = || 'a'..='z';
    letters()
        .flat_map(move |one| letters().flat_map(move |two| letters().map(move |three| format!("{one}{two}{three} "))))
}

/// C2, C3: the clock steps back by 5 s while the agent follows and while it is away, killed or stopped.
#[test]
fn a_clock_that_steps_back_loses_and_repeats_nothing() {
    for way in ["file", "api"] {
        let script = Script::start();
        let letters = words().take(10_000).collect();
        let ground = ground(&script.host(), way, "");
        let mut writer = Writer { script, letters, ns: 1_795_355_249_000_000_000, next: 0 };
        writer.write(80);
        for round in 0..4 {
            let agent = ground.start(&[]);
            wait_for_lines(&ground, writer.next);
            writer.write(80);
            writer.ns -= STEP_BACK_NS;
            writer.write(80);
            wait_for_lines(&ground, writer.next);
            writer.write(40);
            if round % 2 == 0 {
                agent.kill_9()
            } else {
                drop(agent.terminate().expect_code(0))
            }
            writer.ns -= STEP_BACK_NS;
            writer.write(80);
            // Until then all is well again.
            writer.ns += 3 * STEP_BACK_NS;
        }
        let agent = ground.start(&[]);
        wait_for_lines(&ground, writer.next);
        agent.terminate().expect_code(0);
        assert_each_once(&ground, writer.next);
        for stream in ["stdout", "stderr"] {
            let records = records(&ground);
            let of_stream = records.iter().filter(|record| record["stream"] == stream);
            let told: Vec<&str> = of_stream.map(|record| record["message"].as_str().unwrap()).collect();
            let numbers = told.iter().map(|text| &text[text.len() - 7..]);
            assert!(numbers.is_sorted(), "{way}: {stream} is out of order");
            let odd: Vec<_> = told.iter().map(|text| text.len()).filter(|len| ![13, 40_013].contains(len)).collect();
            assert!(odd.is_empty(), "{way}: parts are lines: {odd:?}");
        }
    }
}
