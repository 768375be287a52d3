//! A folder that can lose its power, and what is written down about it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::dice::Dice;
use crate::journal;
use crate::rewind::{self, Cut, Lost, Names};

/// Operations that are counted, and can be made to fail.
#[derive(Clone, Copy, Debug)]
pub enum Class {
    Write = 0,
    Sync = 1,
    Rename = 2,
}

/// What is to fail. Operations are counted from 1, over the files whose path contains `name`.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub class: Class,
    pub from: u64,
    pub times: u64,
    /// Zero kills the process at that operation.
    pub errno: i32,
    /// A failing write first writes half of its bytes.
    pub partial: bool,
    pub name: &'static str,
}

/// A folder and, beside it, the records of what a process does to it. One process at a time.
#[derive(Debug)]
pub struct Watched {
    folder: PathBuf,
    records: PathBuf,
    base: Option<Names>,
}

const CONTROL_BYTES: u64 = 136;
const NO_CLASS: u64 = 3;
/// Compiled by `build.rs` from `preload.c`.
const PRELOAD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/preload.so"));

impl Watched {
    /// Both must be on one file system; what is in `records` is thrown away.
    pub fn new(folder: PathBuf, records: PathBuf) -> Watched {
        Watched { folder, records, base: None }
    }

    /// Call it before each process: a journal of its own begins, and what is in the folder now counts as durable.
    pub fn arm(&mut self) -> io::Result<()> {
        match fs::remove_dir_all(&self.records) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(self.records.join("stash"))?;
        fs::write(self.library(), PRELOAD)?;
        File::create(self.control())?.set_len(CONTROL_BYTES)?;
        self.fail(None)?;
        self.base = Some(Names::of(&self.folder)?);
        Ok(())
    }

    /// What the process must load before all other libraries (`LD_PRELOAD`).
    pub fn library(&self) -> PathBuf {
        self.records.join("preload.so")
    }

    /// The variables that tell the library about the folder. Without them it does nothing.
    pub fn environment(&self) -> [(&'static str, &OsStr); 2] {
        [("POWERLOSS_WATCH", self.folder.as_os_str()), ("POWERLOSS_DIR", self.records.as_os_str())]
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn control(&self) -> PathBuf {
        self.records.join("control")
    }

    /// Sets or clears what fails; also while the process runs.
    pub fn fail(&self, fault: Option<Fault>) -> io::Result<()> {
        let control = OpenOptions::new().write(true).open(self.control())?;
        let mut name = [0u8; 64];
        // The class last: it arms the rest.
        control.write_all_at(&NO_CLASS.to_le_bytes(), 24)?;
        let Some(fault) = fault else { return Ok(()) };
        name[..fault.name.len()].copy_from_slice(fault.name.as_bytes());
        control.write_all_at(&name, 72)?;
        for (i, value) in
            [fault.from, fault.times, fault.errno as u64, fault.partial as u64].iter().enumerate()
        {
            control.write_all_at(&value.to_le_bytes(), 32 + 8 * i as u64)?;
        }
        control.write_all_at(&(fault.class as u64).to_le_bytes(), 24)
    }

    /// How many operations of this class the process made.
    pub fn seen(&self, class: Class) -> io::Result<u64> {
        self.control_word(class as u64 * 8)
    }

    /// How many operations were made to fail.
    pub fn fired(&self) -> io::Result<u64> {
        self.control_word(64)
    }

    fn control_word(&self, at: u64) -> io::Result<u64> {
        let mut word = [0; 8];
        File::open(self.control())?.read_exact_at(&mut word, at)?;
        Ok(u64::from_le_bytes(word))
    }

    /// After the process is gone: cuts the power at the moment of its end. An error also where the folder is not what the journal
    /// says: then the process did something that the library has not seen.
    pub fn cut_power(&mut self, cut: Cut, dice: &mut Dice) -> io::Result<Lost> {
        let base = self.base.take().ok_or_else(|| io::Error::other("no process ran since the last cut"))?;
        let journal = journal::read(&self.records.join("journal"))?;
        rewind::rewind(&self.folder, &self.records.join("stash"), base, &journal, cut, dice)
    }
}
