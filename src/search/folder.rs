//! Where the index is kept.
//!
//! Owns: the folder, and emptying it. Does not own: what is in it ([`crate::index`]).
//!
//! Invariant: a folder that holds anything that is not an index of ours is left as it is.

use std::fs;
use std::io;
use std::path::PathBuf;

use tantivy::directory::{Directory, MmapDirectory, RamDirectory};

/// Marks the folder as ours.
const MARK: &str = "plop-search-index";

/// Where an index is kept.
#[derive(Debug, Clone)]
pub enum Place {
    /// In memory: clones share it, but not when it is emptied.
    Memory(RamDirectory),
    /// In a folder, which is made when it is not there.
    Folder(PathBuf),
}

/// A folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("the folder {0:?} holds something that is not a search index")]
    Foreign(PathBuf),
    #[error("the folder {path:?} of the search index: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("the folder of the search index: {0}")]
    Open(#[from] tantivy::directory::error::OpenDirectoryError),
}

impl Place {
    /// A place in memory.
    pub fn memory() -> Self {
        Self::Memory(RamDirectory::create())
    }

    /// What is there.
    pub(crate) fn open(&self) -> Result<Box<dyn Directory>, FolderError> {
        match self {
            Self::Memory(directory) => Ok(Box::new(directory.clone())),
            Self::Folder(path) => {
                let failed = |error| FolderError::Io { path: path.clone(), error };
                fs::create_dir_all(path).map_err(failed)?;
                let mark = path.join(MARK);
                if !mark.try_exists().map_err(failed)? {
                    if fs::read_dir(path).map_err(failed)?.next().is_some() {
                        return Err(FolderError::Foreign(path.clone()));
                    }
                    fs::write(&mark, "This folder may be deleted while the server is stopped.\n")
                        .map_err(failed)?;
                }
                Ok(Box::new(MmapDirectory::open(path)?))
            }
        }
    }

    /// The same place with nothing in it.
    pub(crate) fn emptied(&self) -> Result<Self, FolderError> {
        match self {
            Self::Memory(_) => Ok(Self::memory()),
            Self::Folder(path) => {
                // Only what is ours gets here: it has been opened.
                let emptied = fs::remove_dir_all(path).and_then(|()| fs::create_dir_all(path));
                emptied.map_err(|error| FolderError::Io { path: path.clone(), error })?;
                Ok(self.clone())
            }
        }
    }
}
