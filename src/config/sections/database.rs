//! `[database]`: where everything is kept.

use std::num::NonZeroU64;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::schema::section;

section! {
    /// Where rooms, accounts and everything else is kept.
    pub struct Database {
        /// The folder of the database. It is created when it is not there; a folder that holds anything else is
        /// refused.
        pub path: PathBuf = PathBuf::from("data/database"),
        /// What an answered request survives: "power_loss" (each answer waits until the disk has it), or
        /// "process_crash" (the operating system has it; faster on slow disks, but a power cut may lose the last
        /// seconds).
        pub durability: Durability = Durability::PowerLoss,
        /// Disk space left alone, in MiB: with less free, writes are refused and reads go on, until there is room again.
        pub keep_free_mib: u32 = 128,
        /// How often what is kept for a time only is deleted, in minutes: originals of redacted events, transaction ids,
        /// messages to devices that are gone.
        pub sweep_minutes: NonZeroU64 = const { NonZeroU64::new(60).unwrap() },
        /// Memory for recently used blocks of the database, in MiB.
        pub cache_mib: NonZeroU64 = const { NonZeroU64::new(64).unwrap() },
    }
}

/// What a request that was answered survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    PowerLoss,
    ProcessCrash,
}
