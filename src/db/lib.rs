//! Rank 1: bytes and typed keyspaces.
//!
//! Two thin layers. [`engine`] knows bytes: it is one enum over RocksDB and an ordered map in memory. Above it are types: keyspaces
//! ([`keyspace`]), their encodings ([`codec`]), reads ([`Snapshot`]) and writes ([`Batch`]), and the one committer between them
//! ([`committer`]). Nothing here knows rooms, users or events: the parts above declare their keyspaces with [`keyspaces!`] and the
//! composition root hands the lists to [`Db::open`].
//!
//! Invariants: positions rise strictly in commit order and become visible as a prefix; acknowledged means on disk (unless the batch
//! or the configuration says otherwise); no handle, iterator or guard of an engine leaves this crate.

mod acknowledged;
mod backup;
mod batch;
mod check;
pub mod codec;
mod commit;
mod committer;
mod cursor;
mod db;
mod engine;
mod folder;
mod guards;
mod keyspace;
mod meta;
mod migrate;
mod open;
mod pages;
mod position;
mod publication;
mod reference;
mod revival;
mod snapshot;
mod space;
mod stats;

pub use backup::{BackupError, BackupReport, backup, restore};
pub use batch::{Batch, Counter, Durability, Notice, golden_rows};
pub use check::{CheckReport, KeyspaceCount, Problem, Problems, ReferenceCheck};
pub use codec::{Codec, CodecError, Decoder, Encoder, Tail};
pub use commit::{
    CommitError, Committed, MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, Part, Receipt, StoreState,
};
pub use committer::Hooks;
pub use cursor::{ByPosition, Cursor, read_by_all, unread};
pub use db::Db;
pub use engine::{Direction, EngineError, EngineStats, MemoryDisk, Profile};
pub use folder::FolderError;
pub use guards::{Guard, Guards};
pub use keyspace::{
    FIRST_PUBLIC_ID, KeyRange, Keyspace, KeyspaceInfo, RegistryError, Stream, Value, golden_table,
};
pub use meta::Identity;
pub use migrate::{FIRST_SCHEMA, MAX_DONE_BYTES, MigrateError, Migration, Step};
pub use open::{OpenError, Options};
pub use pages::Pages;
pub use position::{Position, PositionBase};
pub use publication::{Publication, changed_stream};
pub use reference::Reference;
pub use snapshot::{MAX_PAGE_BYTES, MAX_PAGE_ROWS, Page, ReadError, Snapshot};
pub use stats::Stats;
