//! The agent as its users run it: the real binary against real engines.

mod checker;
mod generate;
