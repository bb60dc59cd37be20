//! Where the machine fails under the real binary: a disk that is full, sick, read-only or loses its power, a clock that
//! steps, a process that is suspended, a limit of open files or of memory. The store is a scripted one or a file, so
//! that a line that comes twice is seen. Mounts, and so needs root; `tests/run` gives it mounts of its own.
//!
//! ```text
//! unshare --mount cargo test --profile quick --features failpoints --test disk
//! ```

// What fails here panics, and is said. Not all of what `tests/chaos` and `tests/it` have is used.
#![allow(clippy::unwrap_used, clippy::print_stderr, dead_code)]

#[path = "../chaos/bulk.rs"]
mod bulk;
#[path = "../chaos/check.rs"]
mod check;
#[path = "../it/checker.rs"]
mod checker;
mod clock;
mod damage;
#[path = "../chaos/dice.rs"]
mod dice;
#[path = "../chaos/faults.rs"]
mod faults;
mod forgetful;
#[path = "../chaos/forward.rs"]
mod forward;
mod full;
#[path = "../chaos/gone.rs"]
mod gone;
#[path = "../it/harness.rs"]
mod harness;
#[path = "../chaos/http.rs"]
mod http;
#[path = "../chaos/ledger.rs"]
mod ledger;
mod limits;
#[path = "../chaos/lines.rs"]
mod lines;
mod mounts;
mod notes;
#[path = "../chaos/push.rs"]
mod push;
mod scene;
#[path = "../chaos/server.rs"]
mod server;
mod sick;
#[path = "../chaos/state.rs"]
mod state;
#[path = "../it/store.rs"]
mod store;
#[path = "../chaos/stores.rs"]
mod stores;
mod tree;
#[path = "../chaos/writer.rs"]
mod writer;
