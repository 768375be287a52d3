//! Reading what `preload.c` wrote down. The layout of a record is `struct record` there.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

pub type Inode = u64;

/// One operation of the child, in the order in which it happened.
#[derive(Debug)]
pub struct Entry {
    /// Bytes of journal before this entry: what a sync says it covers is counted so.
    pub place: u64,
    pub operation: Operation,
}

#[derive(Debug)]
pub enum Operation {
    Content {
        file: Inode,
        size_before: u64,
        change: Change,
    },
    /// Makes the entries before `began` durable: contents of a file, or names in a directory.
    Sync {
        of: Inode,
        began: u64,
    },
    SyncAll {
        began: u64,
    },
    /// A file or a directory gets this name.
    Appear {
        dir: Inode,
        name: OsString,
        file: Inode,
        is_dir: bool,
    },
    Vanish {
        dir: Inode,
        name: OsString,
        file: Inode,
    },
    Rename {
        from: (Inode, OsString),
        to: (Inode, OsString),
        file: Inode,
    },
}

#[derive(Debug)]
pub enum Change {
    Write {
        offset: u64,
        new: Vec<u8>,
        old: Vec<u8>,
    },
    /// `cut` is what was beyond the new size.
    Resize {
        size: u64,
        cut: Vec<u8>,
    },
}

const HEAD: usize = 56;
const MAGIC: u32 = 0x504c_4a31;

/// All whole records; a last one that the kill cut short did not happen.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let bytes = match std::fs::read(path) {
        // A process that was killed before it was loaded.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + HEAD) {
        let u64_at = |i: usize| head[i..i + 8].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let u32_at = |i: usize| head[i..i + 4].iter().rev().fold(0, |n, byte| n << 8 | u32::from(*byte));
        if u32_at(0) != MAGIC {
            return Err(broken(at));
        }
        let (file, dir, dir_to) = (u64_at(8), u64_at(16), u64_at(24));
        let (offset, size_before) = (u64_at(32), u64_at(40));
        let (len_a, len_b) = (u32_at(48) as usize, u32_at(52) as usize);
        let Some(tail) = bytes.get(at + HEAD..at + HEAD + len_a + len_b) else { break };
        let (a, b) = (tail[..len_a].to_vec(), tail[len_a..].to_vec());
        let name = OsString::from_vec(a.clone());
        let operation = match u32_at(4) {
            1 => Some(Operation::Content {
                file,
                size_before,
                change: Change::Write { offset, new: a, old: b },
            }),
            2 => Some(Operation::Content {
                file,
                size_before,
                change: Change::Resize { size: offset, cut: b },
            }),
            3 => {
                shorten(&mut entries, file, offset as usize).ok_or_else(|| broken(at))?;
                None
            }
            4 => Some(Operation::Sync { of: file, began: offset }),
            5 => Some(Operation::SyncAll { began: offset }),
            6 | 11 => Some(Operation::Appear { dir, name, file, is_dir: false }),
            9 => Some(Operation::Appear { dir, name, file, is_dir: true }),
            7 | 10 => Some(Operation::Vanish { dir, name, file }),
            8 => Some(Operation::Rename { from: (dir, name), to: (dir_to, OsString::from_vec(b)), file }),
            _ => return Err(broken(at)),
        };
        entries.extend(operation.map(|operation| Entry { place: at as u64, operation }));
        at += HEAD + len_a + len_b;
    }
    Ok(entries)
}

fn broken(at: usize) -> io::Error {
    io::Error::other(format!("the journal is broken at {at}"))
}

/// The last change of `file` was journalled before it happened, and only `done` bytes of it did. None where there is no change.
fn shorten(entries: &mut Vec<Entry>, failed: Inode, done: usize) -> Option<()> {
    let last = entries
        .iter()
        .rposition(|e| matches!(&e.operation, Operation::Content { file, .. } if *file == failed))?;
    match &mut entries[last].operation {
        Operation::Content { change: Change::Write { new, old, .. }, .. } if done > 0 => {
            new.truncate(done);
            old.truncate(done);
        }
        _ => drop(entries.remove(last)),
    }
    Some(())
}
