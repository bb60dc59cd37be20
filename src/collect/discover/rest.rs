//! Files that are there and not followed: how one is found again when it changes. Looks at none itself.

use std::fs::Metadata;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::collect::identity::FileKey;

/// A file that is there and not followed: as it was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    pub(super) len: u64,
    /// `None`: not looked at since it was let go.
    pub(super) modified: Option<SystemTime>,
    /// See [`Found::begin`](super::Found::begin).
    pub(super) begin: u64,
}

impl Rest {
    pub(super) fn has_changed(&mut self, metadata: &Metadata) -> bool {
        let modified = metadata.modified().ok();
        let is_touched = self.modified.is_some() && self.modified != modified;
        self.modified = modified;
        is_touched || self.len != metadata.len()
    }
}

/// Where followers that were let go are told of. Shared by all workers.
#[derive(Clone, Debug, Default)]
pub struct Releases(Arc<Mutex<Vec<(FileKey, u64)>>>);

impl Releases {
    /// The file is no longer followed; `size` bytes of it were seen. It is found again when it changes.
    pub fn release(&self, key: FileKey, size: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((key, size));
    }

    pub(super) fn take(&self) -> Vec<(FileKey, u64)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
