//! Free space: the store stops taking writes while there is still room for the engine to finish what it has begun.
//!
//! An engine that meets a full disk in the middle of its own work (a flush, a compaction) has more to repair than one that
//! was never let so far. So the committer asks here before each group.

use std::path::{Path, PathBuf};

/// Watches the file system of one folder.
#[derive(Debug, Clone)]
pub(crate) struct Space {
    folder: PathBuf,
    keep_free: u64,
}

impl Space {
    /// `keep_free` bytes are left to the engine; zero watches nothing.
    pub fn new(folder: &Path, keep_free: u64) -> Space {
        Space { folder: folder.to_owned(), keep_free }
    }

    /// `Err` says why no more may be written. A file system that does not answer is not taken for a full one.
    pub fn check(&self) -> Result<(), String> {
        self.has_free(self.keep_free)
    }

    /// Whether a store that stopped may go on: with a quarter more, so that it does not stop and go at the edge.
    pub fn check_to_go_on(&self) -> Result<(), String> {
        self.has_free(self.keep_free.saturating_add(self.keep_free / 4))
    }

    fn has_free(&self, wanted: u64) -> Result<(), String> {
        if wanted == 0 {
            return Ok(());
        }
        let Ok(status) = rustix::fs::statvfs(&self.folder) else { return Ok(()) };
        let free = status.f_bavail.saturating_mul(status.f_frsize);
        if free >= wanted {
            return Ok(());
        }
        Err(format!("only {free} bytes are free on the disk; {wanted} are kept free"))
    }
}
