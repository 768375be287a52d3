//! How the process ends.
//!
//! Owns: the exit codes, each with one meaning, so that a supervisor or an admin can tell them apart. The values
//! from 64 on follow BSD's `sysexits.h` where it has a fitting one.

/// Why the process ends, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Asked to stop, and everything was finished and flushed.
    Clean = 0,
    /// A command failed in a way that has no code of its own.
    Failed = 1,
    /// The database was refused (foreign, newer, half-empty, or it lost acknowledged writes); nothing was changed.
    DatabaseRefused = 65,
    /// A task that the server cannot run without ended; a restart may help.
    TaskEnded = 70,
    /// An address could not be bound, or a certificate could not be read.
    ListenerRefused = 71,
    /// A sync to disk failed. It is never tried again: what the disk then holds is unknown, only a new start reads it.
    SyncFailed = 74,
    /// The configuration has mistakes.
    Configuration = 78,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
