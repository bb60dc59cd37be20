//! Writes generated log lines to files, to measure with. Only a face for `tests/it/generate.rs`.
//!
//! ```text
//! cargo run --release --example generate -- --lines 1200000 --files 2 FOLDER
//! ```

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;

#[allow(dead_code, missing_docs)]
#[path = "../tests/it/generate.rs"]
mod generate;

/// Writes FOLDER/a.log, FOLDER/b.log, …: mixed log lines, each with its number
#[derive(Parser)]
struct Arguments {
    /// How many lines, all files together
    #[arg(long, default_value_t = 1_200_000)]
    lines: u64,
    /// How many files, up to 26
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=26))]
    files: u8,
    /// The same seed makes the same lines, but for their times
    #[arg(long, default_value_t = 1)]
    seed: u64,
    folder: PathBuf,
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now_ms = i64::try_from(now_ms).map_err(std::io::Error::other)?;
    std::fs::create_dir_all(&arguments.folder)?;
    let lines = arguments.lines / u64::from(arguments.files);
    for file in 0..arguments.files {
        let label = char::from(b'a' + file).to_string();
        let generator = generate::Generator::until(now_ms, lines, arguments.seed + u64::from(file), &label);
        generator.write_file(&arguments.folder.join(format!("{label}.log")), 0..lines)?;
    }
    Ok(())
}
