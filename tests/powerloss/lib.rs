//! The power-loss laboratory: a folder, a child process whose file operations are journalled, a way to make
//! the k-th of them fail, and the folder as a disk may hold it after the power was cut.

mod dice;
mod journal;
mod rewind;

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub use dice::Dice;
pub use rewind::Cut;

/// The child finds its folder in this variable; without it a child's test does nothing.
pub const CHILD_FOLDER: &str = "POWERLOSS_CHILD_FOLDER";

/// The folder that a child is to work on; none when the test was not started by its parent.
pub fn child_folder() -> Option<PathBuf> {
    std::env::var_os(CHILD_FOLDER).map(PathBuf::from)
}

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

pub struct Lab {
    dir: TempDir,
    base: Option<rewind::Names>,
}

impl Lab {
    pub fn new() -> Lab {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("watched")).unwrap();
        fs::create_dir(dir.path().join("powerloss")).unwrap();
        Lab { dir, base: None }
    }

    /// The folder that loses its power. A database lives in a folder below it, so that its own name can be lost too.
    pub fn watched(&self) -> PathBuf {
        self.dir.path().join("watched")
    }

    pub fn database(&self) -> PathBuf {
        self.watched().join("db")
    }

    fn records(&self) -> PathBuf {
        self.dir.path().join("powerloss")
    }

    /// A child that runs the ignored test `name` of this binary; its file operations are journalled from now on, and
    /// what is in the folder now counts as durable.
    pub fn child(&mut self, name: &str) -> Command {
        let _ = fs::remove_dir_all(self.records());
        fs::create_dir_all(self.records().join("stash")).unwrap();
        File::create(self.records().join("control")).unwrap().set_len(CONTROL_BYTES).unwrap();
        fs::write(self.records().join("preload.so"), PRELOAD).unwrap();
        self.fail(None);
        self.base = Some(rewind::Names::of(&self.watched()));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
            .env(CHILD_FOLDER, self.database())
            .env("LD_PRELOAD", self.records().join("preload.so"))
            .env("POWERLOSS_WATCH", self.watched())
            .env("POWERLOSS_DIR", self.records())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Sets or clears what fails; also while the child runs.
    pub fn fail(&self, fault: Option<Fault>) {
        let control = OpenOptions::new().write(true).open(self.records().join("control")).unwrap();
        let mut name = [0u8; 64];
        // The class last: it arms the rest.
        control.write_all_at(&NO_CLASS.to_le_bytes(), 24).unwrap();
        let Some(fault) = fault else { return };
        name[..fault.name.len()].copy_from_slice(fault.name.as_bytes());
        control.write_all_at(&name, 72).unwrap();
        for (i, value) in
            [fault.from, fault.times, fault.errno as u64, fault.partial as u64].iter().enumerate()
        {
            control.write_all_at(&value.to_le_bytes(), 32 + 8 * i as u64).unwrap();
        }
        control.write_all_at(&(fault.class as u64).to_le_bytes(), 24).unwrap();
    }

    /// How many operations of this class the child made.
    pub fn seen(&self, class: Class) -> u64 {
        self.control_word(class as u64 * 8)
    }

    /// How many operations were made to fail.
    pub fn fired(&self) -> u64 {
        self.control_word(64)
    }

    fn control_word(&self, at: u64) -> u64 {
        let mut word = [0; 8];
        File::open(self.records().join("control")).unwrap().read_exact_at(&mut word, at).unwrap();
        u64::from_le_bytes(word)
    }

    /// After the child is gone: cuts the power at the moment of its end. Says in one line what was lost.
    pub fn cut_power(&mut self, cut: Cut, dice: &mut Dice) -> String {
        let base = self.base.take().expect("a child ran since the last cut");
        let journal = journal::read(&self.records().join("journal"));
        rewind::rewind(&self.watched(), &self.records().join("stash"), base, &journal, cut, dice)
    }
}

const CONTROL_BYTES: u64 = 136;
const NO_CLASS: u64 = 3;
/// Compiled by `build.rs` from `preload.c`.
const PRELOAD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/preload.so"));

/// Everything that a stream still holds, once the other side is gone.
pub fn drain(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).unwrap();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
