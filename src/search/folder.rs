//! Where the index is kept.
//!
//! Owns: the folder, and emptying it. Does not own: what is in it ([`crate::index`]).
//!
//! Invariants: a folder that holds anything that is not an index of ours is left as it is. A folder of ours says so on the disk before anything
//! else is in it, and as long as anything is: no power cut makes a stranger of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
                    make_mark(path).map_err(failed)?;
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
                empty(path).map_err(|error| FolderError::Io { path: path.clone(), error })?;
                Ok(self.clone())
            }
        }
    }
}

fn make_mark(folder: &Path) -> io::Result<()> {
    let mut mark = File::create(folder.join(MARK))?;
    mark.write_all(b"This folder may be deleted while the server is stopped.\n")?;
    mark.sync_all()?;
    File::open(folder)?.sync_all()
}

/// All but the mark goes.
fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == MARK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        }?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_macros, reason = "the child talks to its parent through its output")]
mod tests {
    use plop_powerloss::{Cut, Dice, Lab, child_folder};

    use super::*;

    #[test]
    #[ignore = "a child of the test below"]
    fn child() {
        let Some(folder) = child_folder() else { return };
        let place = Place::Folder(folder.clone());
        place.open().unwrap();
        for name in ["1", "2", "3"] {
            fs::write(folder.join(name), name).unwrap();
        }
        place.emptied().unwrap().open().unwrap();
        println!("\ndone");
        std::process::abort();
    }

    #[test]
    fn a_power_cut_makes_no_stranger_of_an_index() {
        for seed in 0..24 {
            let mut lab = Lab::new();
            let output = lab.child("folder::tests::child").output().unwrap();
            assert!(String::from_utf8_lossy(&output.stdout).contains("\ndone\n"), "{output:?}");
            lab.cut_power(Cut::Some, &mut Dice(seed));
            Place::Folder(lab.database()).open().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter"), "dear").unwrap();
        assert!(matches!(Place::Folder(folder.path().to_owned()).open(), Err(FolderError::Foreign(_))));
        assert_eq!(fs::read(folder.path().join("letter")).unwrap(), b"dear");
    }
}
