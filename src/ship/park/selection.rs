//! Which parked records are meant. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Kept;

/// Records for which all that is written here holds. The default: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// The output that refused them.
    pub output: Option<String>,
    /// The source that they come from.
    pub source: Option<String>,
    /// A part of the reason, in upper or lower case.
    pub reason: Option<String>,
    /// Set aside at this time or before it, in ms since 1970.
    pub until_ms: Option<i64>,
    /// Set aside at this time or after it, in ms since 1970.
    pub since_ms: Option<i64>,
    /// One of these ids. Empty: any.
    pub ids: BTreeSet<String>,
}

impl Selection {
    /// Whether it means all records there are.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it means this one.
    #[must_use]
    pub fn selects(&self, kept: &Kept) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        is(&self.output, &kept.output)
            && is(&self.source, &kept.source)
            && self.until_ms.is_none_or(|until| kept.time_ms <= until)
            && self.since_ms.is_none_or(|since| kept.time_ms >= since)
            && (self.ids.is_empty() || self.ids.contains(&kept.id))
            && self.reason.as_ref().is_none_or(|part| kept.reason.to_lowercase().contains(&part.to_lowercase()))
    }
}
