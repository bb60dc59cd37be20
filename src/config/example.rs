//! The example file, which is in the program and in the repository once. Tests hold it against the code.
//!
//! Its lines are prose (`# …`), headers, and options. An option's own line says by a mark what it is: `# required`,
//! `# example` (there is no default to show), or nothing: the value is the default. A header that is marked as an
//! example makes one of all that is below it.

/// Every option with its default and a sentence.
pub const EXAMPLE: &str = include_str!("../../agent.toml.example");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Extent, Report, Severity, fields, parse};
    use crate::{admin, collect, config, filter, mask, output, pack, queue, ship};

    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Prose,
        Header,
        Required,
        Example,
        Default,
    }

    /// The lines with the comment signs of options taken away, and what each is.
    fn lines() -> Vec<(Mark, &'static str)> {
        let mut below_example = false;
        let mark = |line: &'static str| {
            let line = line
                .strip_prefix('#')
                .filter(|rest| rest.starts_with(|one: char| one.is_alphabetic() || one == '['))
                .unwrap_or(line);
            let (text, note) = line.rsplit_once(" # ").unwrap_or((line, ""));
            let is_header = line.starts_with('[');
            if is_header {
                below_example = note.starts_with("example");
            }
            let mark = match () {
                () if line.starts_with('#') || line.is_empty() => Mark::Prose,
                () if below_example || note.starts_with("example") => Mark::Example,
                () if is_header => Mark::Header,
                () if note.starts_with("required") => Mark::Required,
                () => Mark::Default,
            };
            (mark, if mark == Mark::Prose { "" } else { text })
        };
        EXAMPLE.lines().map(mark).collect()
    }

    fn only(wanted: &[Mark]) -> String {
        let kept = lines().into_iter().filter(|(mark, _)| wanted.contains(mark));
        kept.map(|(_, line)| format!("{line}\n")).collect()
    }

    fn read(text: &str) -> Config {
        read_all(text).unwrap_or_else(|report| panic!("{report}\n{text}"))
    }

    fn read_all(text: &str) -> Result<Config, Report> {
        let environment = |name: &str| Some(name.to_owned());
        parse("agent.toml.example", text, &environment, Extent::Text).map(|loaded| loaded.config)
    }

    #[test]
    fn as_it_stands_it_passes() {
        let loaded = parse("agent.toml.example", EXAMPLE, &|_| None, Extent::Text).unwrap();
        assert_eq!(loaded.report.count(Severity::Warning), 0);
        assert_eq!(loaded.config.outputs.len(), 1);
    }

    #[test]
    fn writing_out_every_default_changes_nothing() {
        let minimal = read(&only(&[Mark::Header, Mark::Required]));
        let defaults = read(&only(&[Mark::Header, Mark::Required, Mark::Default]));
        assert_eq!(defaults, minimal);
        assert_eq!(minimal.agent, config::Agent::default());
        assert_eq!((minimal.sources.len(), minimal.outputs.len()), (3, 4));
    }

    /// With all options written, only what excludes each other and what is not on this machine may be at fault.
    #[test]
    fn the_examples_can_be_read() {
        let all = only(&[Mark::Header, Mark::Required, Mark::Default, Mark::Example]);
        let faults = read_all(&all).err().unwrap_or_default();
        let expected = |one: &str| one.starts_with("cannot read") || one.starts_with("more than one of");
        let others: Vec<_> = faults.findings().iter().filter(|one| !expected(&one.message)).collect();
        assert!(others.is_empty(), "{faults}");
    }

    #[test]
    fn every_option_is_in_it() {
        let all = only(&[Mark::Required, Mark::Default, Mark::Example]);
        let rooms = [
            fields::of::<config::Agent>(),
            fields::of::<admin::Config>(),
            fields::of::<collect::file::Config>(),
            fields::of::<collect::docker::Config>(),
            fields::of::<filter::Config>(),
            fields::of::<filter::When>(),
            fields::of::<mask::Config>(),
            fields::of::<mask::RuleConfig>(),
            fields::of::<mask::SourceConfig>(),
            fields::of::<output::Config>(),
            fields::of::<pack::Config>(),
            fields::of::<queue::Config>(),
            fields::of::<ship::Config>(),
        ];
        for name in rooms.concat() {
            let is_it = |line: &str| {
                let key = line.split('=').next().unwrap_or_default().trim();
                key == name || key.starts_with(&format!("{name}.")) || key.ends_with(&format!(".{name}"))
            };
            // `[[mask.rule]]` is a header.
            assert!(all.lines().any(is_it) || name == "rule", "{name} is missing in agent.toml.example");
        }
    }

    #[test]
    fn no_key_of_an_output_belongs_to_two_rooms() {
        let rooms = [
            fields::of::<output::Config>(),
            fields::of::<pack::Config>(),
            fields::of::<queue::Config>(),
            fields::of::<ship::Config>(),
            &["when"],
        ];
        let mut names = rooms.concat();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
