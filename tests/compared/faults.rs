//! The faults: what is done to a peer, one after the other, while it ships.

use std::io;

use crate::round::Round;
use crate::store::Mood;

/// A fault.
#[derive(Debug)]
pub struct Fault {
    /// For `--fault`.
    pub name: &'static str,
    /// For people.
    pub words: &'static str,
    /// Makes it. The peer runs when it returns.
    pub make: fn(&mut Round) -> io::Result<()>,
}

/// All of them.
pub const FAULTS: [Fault; 11] = [
    Fault { name: "none", words: "none", make: none },
    Fault { name: "kill", words: "`kill -9` at 15, 40 and 65 %", make: kill },
    Fault { name: "restart", words: "SIGTERM and start at 15, 40 and 65 %", make: restart },
    Fault { name: "503", words: "every request answered 503 for a while", make: unavailable },
    Fault { name: "401", words: "every request answered 401 for a while", make: unauthorized },
    Fault { name: "busy", words: "every 1000th item answered 429 for a while", make: busy },
    Fault { name: "shape", words: "some items answered 400, however often they come", make: shape },
    Fault { name: "cut", words: "taken, then half an answer or none, 20 times", make: cut },
    Fault { name: "rotated-away", words: "rotation by rename while the peer is stopped", make: rotated_while_stopped },
    Fault { name: "rotated", words: "rotation by rename while the store is away", make: rotated_while_away },
    Fault {
        name: "copytruncate",
        words: "copied, truncated and refilled, all was delivered",
        make: copied_and_truncated,
    },
];

fn none(round: &mut Round) -> io::Result<()> {
    round.write(100)?;
    round.start()
}

fn kill(round: &mut Round) -> io::Result<()> {
    none(round)?;
    for percent in [15, 40, 65] {
        round.until(percent);
        round.kill()?;
        round.start()?;
    }
    Ok(())
}

fn restart(round: &mut Round) -> io::Result<()> {
    none(round)?;
    for percent in [15, 40, 65] {
        round.until(percent);
        round.stop()?;
        round.start()?;
    }
    Ok(())
}

fn unavailable(round: &mut Round) -> io::Result<()> {
    for_a_while(round, Mood::Status(503))
}

fn unauthorized(round: &mut Round) -> io::Result<()> {
    for_a_while(round, Mood::Status(401))
}

fn for_a_while(round: &mut Round, mood: Mood) -> io::Result<()> {
    none(round)?;
    round.until(30);
    round.store.feel(mood);
    round.wait_a_while();
    round.store.feel(Mood::Well);
    Ok(())
}

fn busy(round: &mut Round) -> io::Result<()> {
    round.store.feel(Mood::Busy);
    none(round)?;
    round.until(1);
    round.wait_a_while();
    round.store.feel(Mood::Well);
    Ok(())
}

fn shape(round: &mut Round) -> io::Result<()> {
    round.store.feel(Mood::Picky(round.scale.unfit_every));
    none(round)
}

fn cut(round: &mut Round) -> io::Result<()> {
    round.store.feel(Mood::Cut);
    none(round)
}

fn rotated_while_stopped(round: &mut Round) -> io::Result<()> {
    round.write(50)?;
    round.start()?;
    round.until(20);
    round.stop()?;
    round.rename()?;
    round.write(50)?;
    round.start()
}

fn rotated_while_away(round: &mut Round) -> io::Result<()> {
    round.write(50)?;
    round.start()?;
    round.until(20);
    round.store.feel(Mood::Away);
    round.rename()?;
    round.write(50)?;
    round.wait_a_while();
    round.store.feel(Mood::Well);
    Ok(())
}

fn copied_and_truncated(round: &mut Round) -> io::Result<()> {
    round.write(40)?;
    round.start()?;
    round.until(40);
    round.settle();
    round.copy_and_truncate()?;
    // More than was there: the length alone does not tell that the file began again.
    round.write(60)
}
