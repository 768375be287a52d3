//! What the disk holds after the power failed: everything that was synced, and of the rest whatever the dice leave.
//!
//! The folder is rebuilt forwards. Names: the folder as it was at the start, plus the changes that survive. Contents:
//! each file with its unsynced changes undone, plus those that survive. What may survive:
//!   - of contents, any subset of unsynced writes in sectors of 512 bytes, as the page cache has no order;
//!   - of names, either a prefix of all changes (a journalling file system; then a sync of a file says nothing about
//!     its name), or any subset (a file system without such an order; then syncing a new file keeps its name).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::dice::Dice;
use crate::journal::{Change, Entry, Inode, Operation};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// Nothing unsynced survives.
    All,
    /// Each unsynced sector and name survives or not, for itself.
    Some,
    /// All before a moment survives, the write at that moment up to a sector, nothing after it.
    Torn,
}

/// What a power cut took.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    pub cut: Cut,
    /// Writes that had not been synced, whether they survived or not.
    pub unsynced: usize,
    /// Bytes that were written and are not there.
    pub bytes: usize,
    /// Changes of names that have not happened.
    pub names: usize,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lost { cut, unsynced, bytes, names } = self;
        write!(f, "{cut:?}: {unsynced} unsynced writes, {bytes} bytes and {names} names lost")
    }
}

/// A folder's names: what a rebuilt folder starts from.
#[derive(Clone, Debug)]
pub struct Names {
    root: Inode,
    dirs: BTreeMap<Inode, BTreeMap<OsString, Inode>>,
}

impl Names {
    pub fn of(folder: &Path) -> io::Result<Names> {
        let mut names = Names { root: fs::metadata(folder)?.ino(), dirs: BTreeMap::new() };
        let mut todo = vec![(folder.to_owned(), names.root)];
        while let Some((path, inode)) = todo.pop() {
            let mut rows = BTreeMap::new();
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                let meta = entry.metadata()?;
                if meta.is_dir() {
                    todo.push((entry.path(), meta.ino()));
                }
                rows.insert(entry.file_name(), meta.ino());
            }
            names.dirs.insert(inode, rows);
        }
        Ok(names)
    }

    /// Each name of a folder that has a name itself, and what is called so.
    fn rows(&self) -> BTreeSet<(Inode, &OsString, Inode)> {
        let mut rows = BTreeSet::new();
        let mut todo = vec![self.root];
        while let Some(dir) = todo.pop() {
            for (name, inode) in self.dirs.get(&dir).into_iter().flatten() {
                if rows.insert((dir, name, *inode)) && self.dirs.contains_key(inode) {
                    todo.push(*inode);
                }
            }
        }
        rows
    }

    fn remove(&mut self, dir: Inode, name: &OsString, file: Inode) {
        let rows = self.dirs.entry(dir).or_default();
        if rows.get(name) == Some(&file) {
            rows.remove(name);
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Appear { dir, name, file, is_dir } => {
                self.dirs.entry(*dir).or_default().insert(name.clone(), *file);
                if *is_dir {
                    self.dirs.entry(*file).or_default();
                }
            }
            Operation::Vanish { dir, name, file } => self.remove(*dir, name, *file),
            Operation::Rename { from, to, file } => {
                self.remove(from.0, &from.1, *file);
                self.dirs.entry(to.0).or_default().insert(to.1.clone(), *file);
            }
            _ => {}
        }
    }
}

/// Rebuilds `folder`; `stash` holds the files that lost all their names.
pub fn rewind(
    folder: &Path,
    stash: &Path,
    base: Names,
    journal: &[Entry],
    cut: Cut,
    dice: &mut Dice,
) -> io::Result<Lost> {
    everything_was_seen(folder, &base, journal)?;
    let synced = Synced::read(journal);
    let moment = (cut == Cut::Torn).then(|| dice.below(journal.last().map_or(1, |e| e.place + 1)));
    let mut names = base;
    let (kept_names, lost_names) = surviving_names(journal, &synced, cut, moment, dice);
    for entry in journal.iter().filter(|e| kept_names.contains(&e.place)) {
        names.apply(&entry.operation);
    }

    let mut contents: BTreeMap<Inode, Vec<&Entry>> = BTreeMap::new();
    for entry in journal {
        if let Operation::Content { file, .. } = &entry.operation
            && !synced.covers(*file, entry.place)
        {
            contents.entry(*file).or_default().push(entry);
        }
    }
    let mut lost = Lost { cut, unsynced: 0, bytes: 0, names: lost_names };
    let rebuilt = beside(folder);
    let found = find(&[folder, stash])?;
    let mut written: BTreeMap<Inode, PathBuf> = BTreeMap::new();
    let mut todo = vec![(names.root, rebuilt.clone())];
    while let Some((dir, path)) = todo.pop() {
        fs::create_dir(&path)?;
        if let Some(was) = found.get(&dir) {
            fs::set_permissions(&path, fs::metadata(was)?.permissions())?;
        }
        for (name, inode) in names.dirs.get(&dir).into_iter().flatten() {
            let to = path.join(name);
            if names.dirs.contains_key(inode) {
                todo.push((*inode, to));
            } else if let Some(first) = written.get(inode) {
                fs::hard_link(first, &to)?;
            } else {
                let from = found
                    .get(inode)
                    .ok_or_else(|| io::Error::other(format!("nothing has the bytes of {}", to.display())))?;
                match contents.get(inode) {
                    None => fs::hard_link(from, &to)?,
                    Some(changes) => {
                        let (bytes, lost_bytes) =
                            surviving_bytes(fs::read(from)?, changes, cut, moment, dice);
                        lost.bytes += lost_bytes;
                        lost.unsynced += changes.len();
                        fs::write(&to, bytes)?;
                        fs::set_permissions(&to, fs::metadata(from)?.permissions())?;
                    }
                }
                written.insert(*inode, to);
            }
        }
    }
    fs::remove_dir_all(folder)?;
    fs::rename(&rebuilt, folder)?;
    Ok(lost)
}

/// Where the folder is rebuilt.
fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".rebuilt");
    folder.with_file_name(name)
}

/// The names that the journal leads to are those that are there. The process was killed: of the last change nothing may have
/// been written down.
fn everything_was_seen(folder: &Path, base: &Names, journal: &[Entry]) -> io::Result<()> {
    let mut names = base.clone();
    journal.iter().for_each(|entry| names.apply(&entry.operation));
    let there = Names::of(folder)?;
    let (known, there) = (names.rows(), there.rows());
    let unseen: Vec<_> = known.symmetric_difference(&there).collect();
    // A rename takes two names away and gives one.
    if unseen.len() > 3 {
        return Err(io::Error::other(format!("names changed that the journal does not know: {unseen:?}")));
    }
    Ok(())
}

/// Up to which place of the journal each file and directory is durable.
struct Synced {
    by_inode: BTreeMap<Inode, u64>,
    all: u64,
}

impl Synced {
    fn read(journal: &[Entry]) -> Synced {
        let mut synced = Synced { by_inode: BTreeMap::new(), all: 0 };
        for entry in journal {
            match entry.operation {
                Operation::Sync { of, began } => {
                    let up_to = synced.by_inode.entry(of).or_default();
                    *up_to = began.max(*up_to);
                }
                Operation::SyncAll { began } => synced.all = synced.all.max(began),
                _ => {}
            }
        }
        synced
    }

    fn covers(&self, inode: Inode, place: u64) -> bool {
        place < self.all || self.by_inode.get(&inode).is_some_and(|up_to| place < *up_to)
    }
}

/// The places of the changes of names that survive, and how many do not.
fn surviving_names(
    journal: &[Entry],
    synced: &Synced,
    cut: Cut,
    moment: Option<u64>,
    dice: &mut Dice,
) -> (BTreeSet<u64>, usize) {
    // (place, durable by its directory, durable or also by its file)
    let mut changes = Vec::new();
    for Entry { place, operation } in journal {
        let (dirs, file): (Vec<Inode>, Inode) = match operation {
            Operation::Appear { dir, file, .. } | Operation::Vanish { dir, file, .. } => (vec![*dir], *file),
            Operation::Rename { from, to, file } => (vec![from.0, to.0], *file),
            _ => continue,
        };
        let by_dir = dirs.iter().any(|dir| synced.covers(*dir, *place));
        let appears = !matches!(operation, Operation::Vanish { .. });
        changes.push((*place, by_dir, by_dir || (appears && synced.covers(file, *place))));
    }
    let kept: BTreeSet<u64> = match cut {
        Cut::Some if dice.coin() => changes
            .iter()
            .filter(|(_, _, durable)| *durable || dice.coin())
            .map(|(place, ..)| *place)
            .collect(),
        _ => {
            let durable = changes.iter().rposition(|(_, by_dir, _)| *by_dir).map_or(0, |i| i + 1);
            let until = match (cut, moment) {
                (Cut::All, _) => durable,
                (_, Some(moment)) => durable.max(changes.partition_point(|(place, ..)| *place < moment)),
                _ => durable + dice.below((changes.len() - durable) as u64 + 1) as usize,
            };
            changes[..until].iter().map(|(place, ..)| *place).collect()
        }
    };
    let lost = changes.len() - kept.len();
    (kept, lost)
}

const SECTOR: usize = 512;

/// The bytes of one file, given how they are now and its unsynced changes; and how many written bytes were lost.
fn surviving_bytes(
    mut bytes: Vec<u8>,
    changes: &[&Entry],
    cut: Cut,
    moment: Option<u64>,
    dice: &mut Dice,
) -> (Vec<u8>, usize) {
    let mut largest = 0;
    for entry in changes.iter().rev() {
        let Operation::Content { size_before, change, .. } = &entry.operation else { continue };
        largest = largest.max(bytes.len());
        bytes.resize(*size_before as usize, 0);
        match change {
            Change::Write { offset, old, .. } => put(&mut bytes, *offset as usize, old),
            Change::Resize { size, cut } => put(&mut bytes, *size as usize, cut),
        }
        bytes.truncate(*size_before as usize);
    }
    let mut lost = 0;
    for entry in changes {
        let Operation::Content { change, .. } = &entry.operation else { continue };
        match (change, cut) {
            (Change::Write { new, .. }, Cut::All) => lost += new.len(),
            (Change::Resize { .. }, Cut::All) => {}
            (Change::Resize { size, .. }, _) => {
                if moment.map_or_else(|| dice.coin(), |moment| entry.place < moment) {
                    bytes.resize(*size as usize, 0);
                }
            }
            (Change::Write { offset, new, .. }, Cut::Some) => {
                lost += put_some(&mut bytes, *offset as usize, new, dice);
            }
            (Change::Write { offset, new, .. }, Cut::Torn) => {
                let moment = moment.unwrap_or(0);
                // The moment falls into this entry: a prefix that ends at a sector of the file.
                let whole = entry.place + new.len() as u64 <= moment;
                let prefix =
                    (*offset as usize + moment.saturating_sub(entry.place) as usize) / SECTOR * SECTOR;
                let keep =
                    if whole { new.len() } else { prefix.saturating_sub(*offset as usize).min(new.len()) };
                put(&mut bytes, *offset as usize, &new[..keep]);
                lost += new.len() - keep;
            }
        }
    }
    // The new size may reach the disk without the bytes.
    if cut == Cut::Some && bytes.len() < largest && dice.coin() {
        bytes.resize(largest, 0);
    }
    (bytes, lost)
}

fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    if new.is_empty() {
        return;
    }
    let end = offset + new.len();
    bytes.resize(bytes.len().max(end), 0);
    bytes[offset..end].copy_from_slice(new);
}

fn put_some(bytes: &mut Vec<u8>, offset: usize, new: &[u8], dice: &mut Dice) -> usize {
    let (mut at, mut lost) = (0, 0);
    while at < new.len() {
        let end = new.len().min(at + SECTOR - (offset + at) % SECTOR);
        if dice.coin() {
            put(bytes, offset + at, &new[at..end]);
        } else {
            lost += end - at;
        }
        at = end;
    }
    lost
}

/// Where each file and folder is.
fn find(folders: &[&Path]) -> io::Result<BTreeMap<Inode, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut todo: Vec<PathBuf> = folders.iter().map(|f| f.to_path_buf()).collect();
    while let Some(path) = todo.pop() {
        found.insert(fs::metadata(&path)?.ino(), path.clone());
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_dir() {
                todo.push(entry.path());
            } else {
                found.insert(meta.ino(), entry.path());
            }
        }
    }
    Ok(found)
}
