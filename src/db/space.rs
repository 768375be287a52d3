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
        if self.keep_free == 0 {
            return Ok(());
        }
        let Ok(status) = rustix::fs::statvfs(&self.folder) else { return Ok(()) };
        let free = status.f_bavail.saturating_mul(status.f_frsize);
        if free >= self.keep_free {
            return Ok(());
        }
        Err(format!("only {free} bytes are free on the disk; {} are kept free", self.keep_free))
    }
}
