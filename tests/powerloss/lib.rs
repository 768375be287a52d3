//! Power cuts and failing disks: a folder, a process whose operations on its files are journalled, a way to make the k-th of
//! them fail, and the folder as a disk may hold it after the power was cut.
//!
//! Owns: the library that such a process loads (`preload.c`, which says what it sees and what not), its journal, and what is
//! rolled back. Does not own: the process, its load, and what must be there afterwards.
//!
//! Invariant: what was synced is never rolled back, and what a folder holds when [`Watched::arm`] is called counts as synced.

mod dice;
mod journal;
mod lab;
mod rewind;
mod watched;

pub use dice::Dice;
pub use lab::{CHILD_FOLDER, Lab, child_folder, drain};
pub use rewind::{Cut, Lost};
pub use watched::{Class, Fault, Watched};
