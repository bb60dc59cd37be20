//! A string that cannot be printed, logged or serialised by mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// A password, key or token.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Only for the place that must send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret as the user writes it: the text itself, or `{ file = "/run/secrets/password" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a string, or { file = \"PATH\" }")]
pub enum Written {
    /// The text itself.
    Text(#[serde(deserialize_with = "plain")] Secret),
    /// In a file, which is read again when the store refuses the agent. White space at its end does not count.
    File(InFile),
}

/// `{ file = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, PathBuf>")]
pub struct InFile {
    /// Where the secret lies.
    pub file: PathBuf,
}

/// A derived reader would take a list for the table, and a secret in it for a path.
impl TryFrom<BTreeMap<String, PathBuf>> for InFile {
    type Error = &'static str;

    fn try_from(mut table: BTreeMap<String, PathBuf>) -> Result<Self, Self::Error> {
        match (table.remove("file"), table.is_empty()) {
            (Some(file), true) => Ok(Self { file }),
            _ => Err("expected { file = \"PATH\" }"),
        }
    }
}

impl Written {
    /// The secret as it is now.
    ///
    /// # Errors
    /// The file cannot be read: one sentence.
    pub fn read(&self) -> Result<Secret, String> {
        match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::File(InFile { file }) => match std::fs::read_to_string(file) {
                Ok(text) => Ok(Secret::new(text.trim_end())),
                Err(error) => Err(format!("cannot read {}: {error}", file.display())),
            },
        }
    }
}

fn plain<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}
