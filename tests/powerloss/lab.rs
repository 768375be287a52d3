//! The laboratory of a test: a folder of its own, and a child that is a test of the same binary.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::dice::Dice;
use crate::rewind::Cut;
use crate::watched::{Class, Fault, Watched};

/// The child finds its folder in this variable; without it a child's test does nothing.
pub const CHILD_FOLDER: &str = "POWERLOSS_CHILD_FOLDER";

/// The folder that a child is to work on; none when the test was not started by its parent.
pub fn child_folder() -> Option<PathBuf> {
    std::env::var_os(CHILD_FOLDER).map(PathBuf::from)
}

/// Its failures are panics, as those of a test.
pub struct Lab {
    watched: Watched,
    _dir: TempDir,
}

impl Lab {
    pub fn new() -> Lab {
        let dir = tempfile::tempdir().unwrap();
        let [folder, records] = ["watched", "powerloss"].map(|name| dir.path().join(name));
        std::fs::create_dir(&folder).unwrap();
        Lab { watched: Watched::new(folder, records), _dir: dir }
    }

    /// The folder that loses its power. A database lives in a folder below it, so that its own name can be lost too.
    pub fn watched(&self) -> PathBuf {
        self.watched.folder().to_owned()
    }

    pub fn database(&self) -> PathBuf {
        self.watched().join("db")
    }

    /// A child that runs the ignored test `name` of this binary; its file operations are journalled from now on, and
    /// what is in the folder now counts as durable.
    pub fn child(&mut self, name: &str) -> Command {
        self.watched.arm().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
            .env(CHILD_FOLDER, self.database())
            .env("LD_PRELOAD", self.watched.library())
            .envs(self.watched.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Sets or clears what fails; also while the child runs.
    pub fn fail(&self, fault: Option<Fault>) {
        self.watched.fail(fault).unwrap();
    }

    /// How many operations of this class the child made.
    pub fn seen(&self, class: Class) -> u64 {
        self.watched.seen(class).unwrap()
    }

    /// How many operations were made to fail.
    pub fn fired(&self) -> u64 {
        self.watched.fired().unwrap()
    }

    /// After the child is gone: cuts the power at the moment of its end. Says in one line what was lost.
    pub fn cut_power(&mut self, cut: Cut, dice: &mut Dice) -> String {
        self.watched.cut_power(cut, dice).unwrap().to_string()
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

/// Everything that a stream still holds, once the other side is gone.
pub fn drain(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).unwrap();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
