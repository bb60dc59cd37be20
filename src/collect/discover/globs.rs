//! The globs of one source, compiled, and the folders in which to look for what they match. Opens nothing.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::collect::file::Config;

/// The include and exclude globs of one source.
#[derive(Debug)]
pub(super) struct Globs {
    include: GlobSet,
    exclude: GlobSet,
    roots: Vec<Root>,
}

/// A folder (or a file) at which a walk begins.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Root {
    path: PathBuf,
    /// How many names deep a match can lie below it.
    depth: usize,
}

impl Globs {
    /// Compiles them. Paths that are not absolute begin in the working folder.
    pub(super) fn new(config: &Config) -> Result<Self, globset::Error> {
        let include: Vec<String> = config.include.iter().map(|glob| absolute(glob)).collect();
        let exclude: Vec<String> = config.exclude.iter().map(|glob| absolute(glob)).collect();
        let mut roots: Vec<Root> = include.iter().map(|glob| Root::of(glob)).collect();
        roots.sort_by(|one, other| one.path.cmp(&other.path).then(other.depth.cmp(&one.depth)));
        // A root that lies within an earlier one's reach would be walked twice.
        let mut kept: Vec<Root> = Vec::new();
        for root in roots {
            if !kept.iter().any(|earlier| earlier.covers(&root)) {
                kept.push(root);
            }
        }
        Ok(Self { include: compile(&include)?, exclude: compile(&exclude)?, roots: kept })
    }

    /// Whether a file at `path` is wanted.
    pub(super) fn matches(&self, path: &Path) -> bool {
        self.include.is_match(path) && !self.exclude.is_match(path)
    }

    /// The folders in which walks begin.
    pub(super) fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let folder =
            |root: &Root| if root.depth > 0 { Some(root.path.clone()) } else { root.path.parent().map(Path::to_owned) };
        self.roots.iter().filter_map(folder)
    }

    /// All that lies in the folders where a match can be. Symbolic links are followed.
    pub(super) fn walk(&self) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
        self.roots.iter().flat_map(|root| WalkDir::new(&root.path).follow_links(true).max_depth(root.depth))
    }
}

impl Root {
    /// The longest path without a wildcard that `glob` begins with.
    fn of(glob: &str) -> Self {
        let names: Vec<&str> = glob.split('/').filter(|name| !name.is_empty()).collect();
        let is_plain = |name: &&&str| !name.contains(['*', '?', '[', '{', '\\']);
        let plain = names.iter().take_while(is_plain).count();
        let mut path = PathBuf::from("/");
        path.extend(&names[..plain]);
        // An alternative may hold a slash: `{a,b/c}`.
        let is_bounded = !names[plain..].iter().any(|name| name.contains("**") || name.contains('{'));
        Self { path, depth: if is_bounded { names.len() - plain } else { usize::MAX } }
    }

    fn covers(&self, other: &Self) -> bool {
        let Ok(below) = other.path.strip_prefix(&self.path) else { return false };
        self.depth >= other.depth.saturating_add(below.components().count())
    }
}

fn compile(globs: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build()?);
    }
    set.build()
}

fn absolute(glob: &str) -> String {
    std::path::absolute(glob).map_or_else(|_| glob.to_owned(), |path| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_begins_at_the_longest_plain_path() {
        for (glob, path, depth) in [
            ("/var/log/app.log", "/var/log/app.log", 0),
            ("/var/log/*.log", "/var/log", 1),
            ("/var/*/app/[ab].log", "/var", 3),
            ("/var/log/**/*.log", "/var/log", usize::MAX),
            ("/srv/{a,b/c}.log", "/srv", usize::MAX),
            ("/*.log", "/", 1),
        ] {
            assert_eq!(Root::of(glob), Root { path: path.into(), depth }, "{glob}");
        }
    }

    #[test]
    fn no_folder_is_walked_twice() {
        let include = ["/var/log/**/*.log", "/var/log/*.txt", "/var/log/nginx/x.log", "/srv/*.log", "/srv/a/*.log"];
        let config = Config { include: include.map(String::from).to_vec(), ..Config::default() };
        let roots: Vec<_> = Globs::new(&config).unwrap().roots.into_iter().map(|root| root.path).collect();
        assert_eq!(roots, ["/srv", "/srv/a", "/var/log"].map(PathBuf::from));
    }

    #[test]
    fn stars_do_not_cross_folders() {
        let config = Config {
            include: vec!["/var/log/*.log".into(), "/srv/**/*.log".into()],
            exclude: vec!["/srv/**/debug*".into()],
            ..Config::default()
        };
        let globs = Globs::new(&config).unwrap();
        for (path, expected) in [
            ("/var/log/a.log", true),
            ("/var/log/b/a.log", false),
            ("/srv/a.log", true),
            ("/srv/b/c/a.log", true),
            ("/srv/b/c/debug.log", false),
            ("/srv/a.txt", false),
        ] {
            assert_eq!(globs.matches(Path::new(path)), expected, "{path}");
        }
    }
}
