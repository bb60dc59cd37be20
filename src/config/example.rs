//! The example file, which is in the program and in the repository once. Tests hold it against the code.

/// Every option with its default and a sentence.
pub const EXAMPLE: &str = include_str!("../../agent.toml.example");
