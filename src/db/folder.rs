//! The folder of a database: whose it is, and who may open it.
//!
//! Owns: the label (a small text file that says whose the folder is), the lock, the decision whether a folder may be opened or made. Does not own: what the
//! engine keeps in its own folder below, and the acknowledged position ([`crate::acknowledged`]).
//!
//! ```text
//! PLOP           the label: database id, schema, restore generation, state; text with a checksum
//! lock           locked while a process has the database open
//! acknowledged   how far writes were acknowledged
//! engine/        the engine's files
//! ```
//!
//! Invariants:
//! - A folder that is foreign, newer, damaged or half-empty is refused before anything in it changes.
//! - A database is made only in a folder that is empty or missing. While it is being made its label says so; a start that
//!   finds it so makes it anew, as nothing was ever acknowledged from it. A backup is never opened in place.
//! - The label file is replaced, never changed in place: written aside, synced, renamed, its folder synced.
//! - `schema` there is the newest one that may have touched the rows. It is raised before a migration begins, so that an older
//!   program refuses the folder from then on.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use plop_base::random::Random;

use crate::acknowledged::{Acknowledged, DatabaseId};

const LABEL: &str = "PLOP";
const LABEL_ASIDE: &str = "PLOP.new";
const LOCK: &str = "lock";
const ACKNOWLEDGED: &str = "acknowledged";
const ENGINE: &str = "engine";

/// First line of the label file. The number is the format of this folder.
const MAGIC: &str = "plop database, folder format 1";

/// What the label file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label {
    pub database_id: DatabaseId,
    /// The newest schema that may have touched the rows.
    pub schema: u32,
    /// Raised by each restore and by each accepted loss, so that no position is given out twice.
    pub restore_generation: u16,
    pub state: State,
}

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is being made, nothing was ever acknowledged from it.
    Unfinished,
    Live,
    /// It waits to be restored. Opened as it is, it would give out positions that the original gave out.
    Backup,
}

const STATES: [(State, &str); 3] =
    [(State::Unfinished, "unfinished"), (State::Live, "live"), (State::Backup, "backup")];

/// Why a folder is not opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("cannot {doing} {}: {error}", path.display())]
    Io { doing: &'static str, path: PathBuf, error: io::Error },
    #[error(
        "{} is not a Plop database but holds {entry:?}; a new database is only made in an empty folder",
        folder.display()
    )]
    Foreign { folder: PathBuf, entry: String },
    #[error("{} is a part of a Plop database: {missing} is missing. Restore it from a backup", folder.display())]
    HalfEmpty { folder: PathBuf, missing: &'static str },
    #[error("{} is damaged. Restore the database from a backup", path.display())]
    Damaged { path: PathBuf },
    #[error(
        "{} was written by a newer version (schema {found}; this version knows schemas up to {newest}). Nothing was changed",
        folder.display()
    )]
    Newer { folder: PathBuf, found: u32, newest: u32 },
    #[error("{} is a backup: restore it into another folder", folder.display())]
    Backup { folder: PathBuf },
    #[error("{} is in use by another process", folder.display())]
    InUse { folder: PathBuf },
    #[error("the restore generations of {} are used up", folder.display())]
    GenerationsUsedUp { folder: PathBuf },
}

/// A folder that this process has locked.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    label: Label,
    /// Held for its lock.
    _lock: File,
}

impl Folder {
    /// Looks at the folder, refuses it or locks it. Where there was none, or one whose making was cut short, the folder is
    /// left empty but for an unfinished label: the caller makes the rest and then calls [`Folder::complete`].
    pub fn claim(path: &Path, newest_schema: u32, random: &Random) -> Result<Folder, FolderError> {
        look(path, newest_schema)?;
        create_dirs(path)?;
        let lock = lock(path)?;
        // Another process may have been here in between, so only this look counts.
        let label = match look(path, newest_schema)? {
            Some(label) if label.state == State::Live => label,
            Some(label) if label.state == State::Backup => {
                return Err(FolderError::Backup { folder: path.to_owned() });
            }
            _ => {
                let (database_id, schema) = (random.bytes(), newest_schema);
                let label = Label { database_id, schema, restore_generation: 0, state: State::Unfinished };
                label.store(path)?;
                remove_if_there(path.join(ENGINE), |path| fs::remove_dir_all(path))?;
                remove_if_there(path.join(ACKNOWLEDGED), |path| fs::remove_file(path))?;
                sync_folder(path)?;
                label
            }
        };
        Ok(Folder { path: path.to_owned(), label, _lock: lock })
    }

    pub fn label(&self) -> Label {
        self.label
    }

    pub fn engine(&self) -> PathBuf {
        engine_of(&self.path)
    }

    /// Ends the making of a database: its rows are on disk.
    pub fn complete(&mut self) -> Result<(), FolderError> {
        make_acknowledged(&self.path, self.label.database_id, 0)?;
        self.replace_label(Label { state: State::Live, ..self.label })
    }

    /// Opens the acknowledged position.
    pub fn acknowledged(&self) -> Result<Acknowledged, FolderError> {
        let path = self.path.join(ACKNOWLEDGED);
        let opened = Acknowledged::open(&path, self.label.database_id).map_err(io_error("read", &path))?;
        opened.ok_or(FolderError::Damaged { path })
    }

    /// Says, before a migration, which schema the rows may have from now on.
    pub fn raise_schema(&mut self, schema: u32) -> Result<(), FolderError> {
        self.replace_label(Label { schema: schema.max(self.label.schema), ..self.label })
    }

    /// Begins a new restore generation: all positions from now on are above all those before.
    pub fn raise_generation(&mut self) -> Result<(), FolderError> {
        self.replace_label(next_generation(&self.path, self.label)?)
    }

    fn replace_label(&mut self, label: Label) -> Result<(), FolderError> {
        if label != self.label {
            label.store(&self.path)?;
            self.label = label;
        }
        Ok(())
    }
}

/// Where the engine of the database in `folder` is.
pub(crate) fn engine_of(folder: &Path) -> PathBuf {
    folder.join(ENGINE)
}

/// Makes the acknowledged position of the database in `folder`; afterwards it is on disk.
pub(crate) fn make_acknowledged(folder: &Path, id: DatabaseId, commit: u64) -> Result<(), FolderError> {
    let path = folder.join(ACKNOWLEDGED);
    Acknowledged::create(&path, id, commit).map_err(io_error("write", &path))?;
    sync_folder(folder)
}

/// The label after this one.
pub(crate) fn next_generation(folder: &Path, label: Label) -> Result<Label, FolderError> {
    let next = label.restore_generation.checked_add(1);
    let restore_generation =
        next.ok_or_else(|| FolderError::GenerationsUsedUp { folder: folder.to_owned() })?;
    Ok(Label { restore_generation, ..label })
}

/// What is in the folder, without changing anything: `None` for an empty or missing one.
pub(crate) fn look(folder: &Path, newest_schema: u32) -> Result<Option<Label>, FolderError> {
    let Some(entries) = list(folder)? else { return Ok(None) };
    let has = |name: &str| entries.iter().any(|entry| entry == name);
    if !has(LABEL) {
        // Left by a start that was cut short before it wrote the label.
        let ours = [LOCK, LABEL_ASIDE];
        return match entries.iter().find(|entry| !ours.contains(&entry.as_str())) {
            None => Ok(None),
            Some(_) if has(ENGINE) && has(ACKNOWLEDGED) => {
                Err(FolderError::HalfEmpty { folder: folder.to_owned(), missing: LABEL })
            }
            Some(entry) => Err(FolderError::Foreign { folder: folder.to_owned(), entry: entry.clone() }),
        };
    }
    let label = Label::load(folder)?;
    if label.schema > newest_schema {
        let (folder, found) = (folder.to_owned(), label.schema);
        return Err(FolderError::Newer { folder, found, newest: newest_schema });
    }
    let missing = [ENGINE, ACKNOWLEDGED].into_iter().find(|name| !has(name));
    match missing.filter(|_| label.state != State::Unfinished) {
        Some(missing) => Err(FolderError::HalfEmpty { folder: folder.to_owned(), missing }),
        None => Ok(Some(label)),
    }
}

impl Label {
    pub(crate) fn load(folder: &Path) -> Result<Label, FolderError> {
        let path = folder.join(LABEL);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        if text.lines().next() != Some(MAGIC) {
            return Err(FolderError::Foreign { folder: folder.to_owned(), entry: LABEL.to_owned() });
        }
        Label::parse(&text).ok_or(FolderError::Damaged { path })
    }

    fn parse(text: &str) -> Option<Label> {
        let (body, checksum) = text.trim_end().rsplit_once("checksum ")?;
        let mut lines = body.lines().skip(1);
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let database_id = u128::from_str_radix(field("id")?, 16).ok()?.to_be_bytes();
        let schema = field("schema")?.parse().ok()?;
        let restore_generation = field("generation")?.parse().ok()?;
        let state = field("state")?;
        let state = STATES.iter().find(|(_, name)| *name == state)?.0;
        let label = Label { database_id, schema, restore_generation, state };
        let intact = format!("{:08x}", crc32fast::hash(body.as_bytes())) == checksum && label.text() == text;
        intact.then_some(label)
    }

    fn text(&self) -> String {
        let Label { database_id, schema, restore_generation, state } = self;
        let state = STATES.iter().find(|(other, _)| other == state).map_or("", |(_, name)| name);
        let id = u128::from_be_bytes(*database_id);
        let body = format!(
            "{MAGIC}\nid {id:032x}\nschema {schema}\ngeneration {restore_generation}\nstate {state}\n"
        );
        format!("{body}checksum {:08x}\n", crc32fast::hash(body.as_bytes()))
    }

    /// Replaces the label file; afterwards it is on disk.
    pub(crate) fn store(&self, folder: &Path) -> Result<(), FolderError> {
        let (path, aside) = (folder.join(LABEL), folder.join(LABEL_ASIDE));
        let written = (|| {
            let mut file = File::create(&aside)?;
            file.write_all(self.text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, &path)
        })();
        written.map_err(io_error("write", &path))?;
        sync_folder(folder)
    }
}

fn list(folder: &Path) -> Result<Option<Vec<String>>, FolderError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", folder)(error)),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>, _>>().map_err(io_error("read", folder))?;
    names.sort();
    Ok(Some(names))
}

/// Makes a folder and those above it, each durable in the one that holds it.
pub(crate) fn create_dirs(folder: &Path) -> Result<(), FolderError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = parent(folder);
    create_dirs(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io_error("make", folder)(error)),
        _ => sync_folder(parent),
    }
}

/// The folder that holds a path; of a bare name, the current one.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn lock(folder: &Path) -> Result<File, FolderError> {
    let path = folder.join(LOCK);
    let file = File::options().create(true).append(true).open(&path).map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
    }
}

fn remove_if_there(path: PathBuf, remove: impl Fn(&Path) -> io::Result<()>) -> Result<(), FolderError> {
    match remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path)(error)),
        _ => Ok(()),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), FolderError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("sync", folder))
}

pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    move |error| FolderError::Io { doing, path: path.to_owned(), error }
}

#[cfg(test)]
mod tests;
