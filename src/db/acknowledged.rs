//! The acknowledged position: how far writes were acknowledged, kept beside the engine's own log.
//!
//! The engine cannot tell a log that ended there from a log that lost its end. This file can: when recovery ends
//! below it, acknowledged writes are gone, and the start is refused until the admin accepts that.
//!
//! Two slots in sectors of their own, written in turn after each sync and not synced themselves. So the file may be behind what was
//! acknowledged (after a power cut), never ahead of it, and a torn write spoils at most the slot that was being written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A random number that tells one database from every other.
pub(crate) type DatabaseId = [u8; 16];

/// A disk writes a sector whole or not at all; 4096 is the largest in use.
const SECTOR: u64 = 4096;
const SLOTS: u64 = 2;

/// Database id, commit number, checksum of both.
const SLOT_BYTES: usize = 16 + 8 + 4;

#[derive(Debug)]
pub(crate) struct Acknowledged {
    file: File,
    database_id: DatabaseId,
    commit: u64,
    next_slot: u64,
}

impl Acknowledged {
    /// Makes the file of a database that holds everything up to `commit`, and syncs it.
    pub fn create(path: &Path, database_id: DatabaseId, commit: u64) -> io::Result<()> {
        let file = File::options().write(true).create(true).truncate(true).open(path)?;
        for slot in 0..SLOTS {
            file.write_all_at(&slot_bytes(database_id, commit), slot * SECTOR)?;
        }
        file.sync_all()
    }

    /// Opens the file; `None` when neither slot is whole and of this database.
    pub fn open(path: &Path, database_id: DatabaseId) -> io::Result<Option<Acknowledged>> {
        let file = File::options().read(true).write(true).open(path)?;
        let mut best = None;
        for slot in 0..SLOTS {
            let found = read_slot(&file, slot, database_id)?;
            best = best.max(found.map(|commit| (commit, slot)));
        }
        Ok(best.map(|(commit, slot)| Acknowledged {
            file,
            database_id,
            commit,
            next_slot: (slot + 1) % SLOTS,
        }))
    }

    /// The last commit known to have been acknowledged.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// Notes that everything up to `commit` is on disk and about to be acknowledged.
    pub fn advance(&mut self, commit: u64) -> io::Result<()> {
        self.file.write_all_at(&slot_bytes(self.database_id, commit), self.next_slot * SECTOR)?;
        self.commit = commit;
        self.next_slot = (self.next_slot + 1) % SLOTS;
        Ok(())
    }
}

fn slot_bytes(database_id: DatabaseId, commit: u64) -> [u8; SLOT_BYTES] {
    let mut bytes = [0; SLOT_BYTES];
    let (id, rest) = bytes.split_at_mut(16);
    let (number, checksum) = rest.split_at_mut(8);
    id.copy_from_slice(&database_id);
    number.copy_from_slice(&commit.to_be_bytes());
    checksum.copy_from_slice(&checksum_of(database_id, commit).to_be_bytes());
    bytes
}

fn checksum_of(database_id: DatabaseId, commit: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&database_id);
    hasher.update(&commit.to_be_bytes());
    hasher.finalize()
}

fn read_slot(file: &File, slot: u64, database_id: DatabaseId) -> io::Result<Option<u64>> {
    let mut bytes = [0; SLOT_BYTES];
    match file.read_exact_at(&mut bytes, slot * SECTOR) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let (_, number) = bytes.split_at(16);
    let commit = number.first_chunk().map(|number| u64::from_be_bytes(*number));
    Ok(commit.filter(|commit| bytes == slot_bytes(database_id, *commit)))
}

#[cfg(test)]
mod tests;
