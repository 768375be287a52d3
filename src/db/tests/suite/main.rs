//! The integration tests of this crate, one binary: linking RocksDB takes its time.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "rules for the program: these tests start children, and talk to them through environment and output"
)]

mod backups;
mod bed;
mod conformance;
mod damage;
mod disk_full;
mod durability;
mod faults;
mod ledger;
mod manifest;
mod migrations;
mod model;
