//! The agent as its users run it: the real binary against real engines, which `tests/run` starts.

// A test that fails panics.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod checker;
mod cli;
mod cost;
mod docker;
mod files;
mod generate;
mod harness;
mod large;
mod leaks;
mod limits;
mod local;
mod masking;
mod outage;
mod parked;
mod secure;
mod store;
mod stores;
mod tidy;
/// HTTP on bare sockets, as the chaos tests speak it.
#[allow(dead_code)]
#[path = "../chaos/http.rs"]
mod wire;
