//! Stand-in: secrets as they are written.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use crate::base::secret::Secret;

/// A secret, or the file that holds it.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// The secret itself.
    Text(Secret),
    /// Where it is.
    File(PathBuf),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            File { file: PathBuf },
        }
        match Form::deserialize(deserializer) {
            Ok(Form::Text(text)) => Ok(Self::Text(Secret::new(text))),
            Ok(Form::File { file }) => Ok(Self::File(file)),
            Err(_) => Err(serde::de::Error::custom("not a secret: write a string or { file = \"…\" }")),
        }
    }
}
