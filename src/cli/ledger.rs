//! The ledger for people: from the running agent, or from what was saved last. Counts nothing itself.

use std::fmt::Write as _;

use super::summary::{grouped, size};
use crate::base::counts::{Counts, Ledger};
use crate::config::Config;
use crate::{admin, track};

/// The ledger of the agent with this configuration.
///
/// # Errors
/// When there is neither an agent nor a state that can be read.
pub fn find(config: &Config) -> Result<Ledger, String> {
    if let Some(answer) = config.admin.listen.0.and_then(|address| admin::probe::ask(address, "/ledger").ok())
        && let Ok(ledger) = serde_json::from_str(&answer.text)
    {
        return Ok(ledger);
    }
    let Some(state_dir) = &config.agent.state_dir else {
        return Err("cannot find a ledger: no agent answers, and this configuration saves no state".to_owned());
    };
    track::saved_ledger(state_dir).map_err(|error| error.to_string())
}

const HEAD: [&str; 8] = ["output", "source", "read", "delivered", "parked", "dropped", "in flight", "lost"];

/// Aligned rows, numbers to the right; ends with a newline.
pub fn table(ledger: &Ledger) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for (output, sources) in ledger {
        rows.extend(sources.iter().map(|(source, counts)| row(output, source, counts)));
    }
    if rows.len() == 1 {
        return "nothing was read yet\n".to_owned();
    }
    let widths: [usize; HEAD.len()] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    rows.iter().fold(String::new(), |mut text, row| {
        let [output, source, numbers @ ..] = row;
        let _ = write!(text, "{output:<0$}  {source:<1$}", widths[0], widths[1]);
        for (number, width) in numbers.iter().zip(&widths[2..]) {
            let _ = write!(text, "  {number:>width$}");
        }
        text.push('\n');
        text
    })
}

fn row(output: &str, source: &str, counts: &Counts) -> [String; HEAD.len()] {
    [
        output.to_owned(),
        source.to_owned(),
        format!("{} ({})", grouped(counts.read), size(counts.bytes)),
        grouped(counts.delivered),
        grouped(counts.parked),
        grouped(counts.dropped.values().sum()),
        grouped(counts.open()),
        size(counts.lost_bytes),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned() {
        let counts = Counts { read: 1_234, bytes: 200_000, delivered: 1_200, parked: 4, ..Counts::default() };
        let ledger = Ledger::from([("store".to_owned(), [("app".to_owned(), counts)].into())]);
        let expected = "output  source              read  delivered  parked  dropped  in flight  lost\n\
                        store   app     1,234 (200.0 KB)      1,200       4        0         30   0 B\n";
        assert_eq!(table(&ledger), expected);
        assert_eq!(table(&Ledger::new()), "nothing was read yet\n");
    }
}
