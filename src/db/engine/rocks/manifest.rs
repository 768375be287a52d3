//! The manifest of RocksDB after a power cut.
//!
//! RocksDB appends each change of its set of files to the manifest and syncs that before it depends on it: only then does it delete the logs
//! and tables that the change replaces. A power cut between the two leaves of the last records whatever the disk happened to have written. Where that
//! is less of the file, RocksDB goes on with the changes before it; where a sector in between is missing, it takes the record
//! for damaged and refuses to open. [`mend`] ends such a manifest where its last whole record ends.
//!
//! Owns: telling a record that was never wholly written from one that was damaged later. Does not own: what the records say.
//!
//! Invariants:
//! - Cut is only what a power cut leaves: a file that is only appended to reads as zeros where a sector was never written, so a record is
//!   taken for torn where one of its sectors has nothing but zeros for it. Every other damage stays, for RocksDB to refuse.
//! - What is cut is kept beside the manifest, under a name that RocksDB does not read.
//! - Nothing that was synced is cut, unless the disk lied about a sync: a record that was synced misses no sector, and what comes after one that
//!   does was written after the last sync.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Records are written in fragments, none of which crosses a block; what is too short for a head at the end of one is left empty.
const BLOCK: usize = 32 << 10;
/// Checksum of type and payload (4 bytes), length of the payload (2), type (1).
const HEAD: usize = 7;
/// The smallest unit that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Ends the manifest of the database in `folder` after its last whole record, if a power cut tore what comes then.
pub(super) fn mend(folder: &Path) -> io::Result<()> {
    let Some(path) = current(folder)? else { return Ok(()) };
    let Some(end) = torn_after(File::open(&path)?)? else { return Ok(()) };
    let aside = path.with_extension("torn");
    fs::copy(&path, &aside)?;
    File::open(&aside)?.sync_all()?;
    let file = File::options().write(true).open(&path)?;
    let before = file.metadata()?.len();
    file.set_len(end)?;
    file.sync_all()?;
    let (manifest, kept) = (path.display(), aside.display());
    tracing::warn!(%manifest, %kept, before, after = end, "a power cut tore the last records of the manifest; they were cut");
    Ok(())
}

/// The manifest in use; `None` where RocksDB makes a new one, or will say what is missing.
fn current(folder: &Path) -> io::Result<Option<PathBuf>> {
    let named = match fs::read_to_string(folder.join("CURRENT")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    let name = named.trim_end();
    let path = folder.join(name);
    Ok((name.starts_with("MANIFEST-") && path.is_file()).then_some(path))
}

/// Where the last whole record ends, if what comes then was torn.
fn torn_after(mut file: impl io::Read) -> io::Result<Option<u64>> {
    let mut block = Vec::with_capacity(BLOCK);
    let mut start = 0;
    let mut whole = 0;
    loop {
        block.clear();
        file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        let mut at = 0;
        while let Some(fragment) = block.get(at..).and_then(Fragment::first) {
            if !fragment.is_sound() {
                // Before the first record is whole nothing depends on the file: then it is not the current one.
                return Ok((whole > 0 && fragment.is_torn(start + at as u64)).then_some(whole));
            }
            at += fragment.bytes.len();
            if fragment.ends_a_record() {
                whole = start + at as u64;
            }
        }
        if block.len() < BLOCK {
            // The file may end within a record: RocksDB takes that for its end too.
            return Ok(None);
        }
        start += BLOCK as u64;
    }
}

/// A fragment of a record, with its head.
struct Fragment<'a> {
    bytes: &'a [u8],
    head: &'a [u8; HEAD],
}

impl<'a> Fragment<'a> {
    /// The first fragment of the rest of a block; `None` if there is no further one, or no whole one.
    fn first(rest: &'a [u8]) -> Option<Self> {
        let head: &[u8; HEAD] = rest.first_chunk()?;
        let [.., low, high, _] = *head;
        let length = HEAD + usize::from(u16::from_le_bytes([low, high]));
        Some(Self { bytes: rest.get(..length)?, head })
    }

    fn kind(&self) -> u8 {
        let [.., kind] = *self.head;
        kind
    }

    /// The whole of a record, or its last fragment.
    fn ends_a_record(&self) -> bool {
        matches!(self.kind(), 1 | 4)
    }

    /// Has a type, as zeros have not, and the checksum fits.
    fn is_sound(&self) -> bool {
        let [a, b, c, d, ..] = *self.head;
        let covered = self.bytes.get(6..).unwrap_or_default();
        self.kind() != 0 && u32::from_le_bytes([a, b, c, d]) == masked(crc32c(covered))
    }

    /// Whether a sector has nothing but zeros for this fragment, which begins at this place of the file.
    fn is_torn(&self, at: u64) -> bool {
        let in_first = SECTOR - (at % SECTOR as u64) as usize;
        let (first, rest) = self.bytes.split_at(in_first.min(self.bytes.len()));
        std::iter::once(first).chain(rest.chunks(SECTOR)).any(|sector| sector.iter().all(|byte| *byte == 0))
    }
}

/// CRC-32C, bit by bit: a manifest has a few megabytes at most, and is read once at each start.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = !0;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (POLYNOMIAL * (crc & 1));
        }
    }
    !crc
}

/// How RocksDB stores a checksum.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests;
