//! What of the outputs in the configuration is not as it was in the last run: it is told at the start. Changes nothing of
//! what they do.
//!
//! `outputs/NAME/url` in the state folder holds a fingerprint of where the output's store was: 16 hexadecimal digits and an
//! LF. Not the URL: it may have a password.

use std::io;
use std::path::Path;

use crate::base::durable;
use crate::base::source::fingerprint;
use crate::config::Config;
use crate::track;

/// What changed.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// It is no longer in the configuration. Nothing of its state is thrown away.
    Gone(String),
    /// It was not there before, while others were.
    New(String),
    /// Its store is elsewhere.
    Moved(String),
}

/// Says what changed since the last run.
///
/// # Errors
/// When the state folder cannot be read.
pub fn tell(state_dir: &Path, config: &Config) -> Result<(), track::Error> {
    for change in changes(state_dir, config)? {
        match change {
            Change::Gone(name) => tracing::warn!(
                "output {name} is no longer in the configuration; where it stood is kept in {}\n\
                 hint: write it again and it goes on from there, or remove that folder",
                track::folder_of(state_dir, &name).display()
            ),
            Change::New(name) => {
                tracing::info!("output {name} is new: it begins with all that the sources still have");
            }
            Change::Moved(name) => tracing::warn!(
                "output {name} has another url than before: it goes on where it stood, and what the old store has is not \
                 sent to the new one\n\
                 hint: give it another name if the new store is to have all that the sources still have"
            ),
        }
    }
    Ok(())
}

/// Takes note of where an output's store is, in its folder, for the next start to compare.
///
/// # Errors
/// As the file system gives them.
pub fn note(folder: &Path, urls: &[String]) -> io::Result<()> {
    if urls.is_empty() || noted(folder).as_ref() == Some(&place(urls)) {
        return Ok(());
    }
    durable::replace(&folder.join("url"), format!("{}\n", place(urls)).as_bytes())
}

fn changes(state_dir: &Path, config: &Config) -> Result<Vec<Change>, track::Error> {
    let known = track::known_outputs(state_dir)?;
    let gone = known.iter().filter(|name| !config.outputs.contains_key(*name)).cloned().map(Change::Gone);
    let is_new = |name: &&String| !known.is_empty() && !known.contains(name);
    let new = config.outputs.keys().filter(is_new).cloned().map(Change::New);
    let is_elsewhere = |name: &str, urls: &[String]| {
        let before = noted(&track::folder_of(state_dir, name));
        !urls.is_empty() && before.is_some_and(|before| before != place(urls))
    };
    let moved = config.outputs.iter().filter(|(name, output)| is_elsewhere(name, output.ship.url.all()));
    let moved = moved.map(|(name, _)| Change::Moved(name.clone()));
    Ok(gone.chain(new).chain(moved).collect())
}

/// What was noted. `None`: nothing, by an older agent.
fn noted(folder: &Path) -> Option<String> {
    std::fs::read_to_string(folder.join("url")).ok().map(|text| text.trim_end().to_owned())
}

/// A fingerprint of all URLs, whatever their order and whoever signs in there.
fn place(urls: &[String]) -> String {
    let mut places: Vec<_> = urls.iter().map(|url| without_user(url)).collect();
    places.sort_unstable();
    format!("{:016x}", fingerprint(places.join("\n").as_bytes()))
}

fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Extent, parse};
    use crate::track::Tracker;

    /// A configuration with outputs of these names and URLs; without one, it is a file.
    fn config(outputs: &[(&str, &[&str])]) -> Config {
        let output = |(name, urls): &(&str, &[&str])| match urls {
            [] => format!("[output.{name}]\ntype = \"file\"\npath = \"/{name}\"\n"),
            urls => format!("[output.{name}]\ntype = \"loki\"\nurl = {urls:?}\n"),
        };
        let text: String = outputs.iter().map(output).collect();
        parse("agent.toml", &text, &|_| None, Extent::Text).unwrap_or_else(|report| panic!("{report}")).config
    }

    /// A run with these outputs.
    fn run(state_dir: &Path, outputs: &[(&str, &[&str])]) {
        for (name, output) in &config(outputs).outputs {
            let folder = track::folder_of(state_dir, name);
            drop(Tracker::open(Some(&folder)).unwrap());
            note(&folder, output.ship.url.all()).unwrap();
        }
    }

    #[test]
    fn what_came_went_and_moved_is_told() {
        let (gone, new, moved) =
            (|name: &str| Change::Gone(name.into()), |name: &str| Change::New(name.into()), Change::Moved("a".into()));
        type Outputs<'a> = &'a [(&'a str, &'a [&'a str])];
        let rows: [(Outputs<'_>, Outputs<'_>, Vec<Change>); 8] = [
            (&[("a", &["http://one"])], &[("a", &["http://one"])], vec![]),
            (&[("a", &["http://one"])], &[("b", &["http://one"])], vec![gone("a"), new("b")]),
            (&[("a", &["http://one"]), ("b", &[])], &[("a", &["http://one"])], vec![gone("b")]),
            (&[("a", &["http://one"])], &[("a", &["http://two"])], vec![moved]),
            (&[("a", &["http://one", "http://two"])], &[("a", &["http://two", "http://one"])], vec![]),
            (&[("a", &["http://me:old@one/x/"])], &[("a", &["http://you:new@one/x"])], vec![]),
            (&[("a", &[])], &[("a", &["http://one"])], vec![]),
            (&[("a", &["http://one"])], &[("a", &[])], vec![]),
        ];
        let first = tempfile::tempdir().unwrap();
        assert_eq!(changes(first.path(), &config(rows[0].0)).unwrap(), [], "the first run");
        for (before, now, expected) in rows {
            let state_dir = tempfile::tempdir().unwrap();
            run(state_dir.path(), before);
            assert_eq!(changes(state_dir.path(), &config(now)).unwrap(), expected, "{before:?}, {now:?}");
            tell(state_dir.path(), &config(now)).unwrap();
            run(state_dir.path(), now);
            let again = changes(state_dir.path(), &config(now)).unwrap();
            assert!(again.iter().all(|change| matches!(change, Change::Gone(_))), "told once: {again:?}");
        }
    }

    #[test]
    fn no_password_is_written_down() {
        let folder = tempfile::tempdir().unwrap();
        note(folder.path(), &["http://me:secret@one".to_owned()]).unwrap();
        let text = std::fs::read_to_string(folder.path().join("url")).unwrap();
        assert!(text.len() == 17 && u64::from_str_radix(text.trim_end(), 16).is_ok(), "{text}");
    }
}
