//! Reads of RocksDB: from memory on the caller's thread where memory has the answer, else on a bounded blocking pool.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use rocksdb::{ErrorKind, ReadOptions, ReadTier, Snapshot};
use self_cell::self_cell;

use super::store::{Store, between_openings, engine_error};
use crate::engine::contract::{Direction, EngineError, Profile, Rows, Scan};

/// What a scan may take on the caller's thread, even if memory has more; then it goes on in the pool.
const INLINE_ROWS: usize = 256;
const INLINE_BYTES: usize = 256 << 10;

self_cell!(
    /// A snapshot together with the database that it borrows from.
    struct Pinned {
        owner: Arc<Store>,
        #[covariant]
        dependent: Snapshot,
    }
);

#[derive(Clone)]
pub(crate) struct RocksView {
    /// `None` if it was taken between two openings: then its reads fail.
    pinned: Option<Arc<Pinned>>,
}

/// How far a read may go for its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Memory only; what is not there is [`Found::NotInMemory`].
    Memory,
    Disk,
}

enum Found<T> {
    Answer(T),
    NotInMemory,
}

impl RocksView {
    /// Of what the store holds now.
    pub(super) fn of(store: Option<Arc<Store>>) -> Self {
        let pinned = |store| Arc::new(Pinned::new(store, |store| store.db.snapshot()));
        Self { pinned: store.map(pinned) }
    }

    /// Whether its reads can succeed.
    pub fn can_read(&self) -> bool {
        self.pinned.is_some()
    }

    pub async fn get(&self, table: Profile, key: Vec<u8>) -> Result<Option<Bytes>, EngineError> {
        match self.read_one(table, &key, Reach::Memory)? {
            Found::Answer(value) => {
                self.count_inline()?;
                Ok(value)
            }
            Found::NotInMemory => self.pooled(move |view| view.read_one(table, &key, Reach::Disk)).await,
        }
    }

    pub async fn get_many(
        &self,
        table: Profile,
        keys: Vec<Vec<u8>>,
    ) -> Result<Vec<Option<Bytes>>, EngineError> {
        let mut values = vec![None; keys.len()];
        let mut missed = Vec::new();
        for (place, key) in keys.into_iter().enumerate() {
            match self.read_one(table, &key, Reach::Memory)? {
                Found::Answer(value) => values[place] = value,
                Found::NotInMemory => missed.push((place, key)),
            }
        }
        if missed.is_empty() {
            self.count_inline()?;
            return Ok(values);
        }
        let (places, keys): (Vec<_>, Vec<_>) = missed.into_iter().unzip();
        let read = self.pooled(move |view| Ok(Found::Answer(view.read_from_disk(table, &keys)?))).await?;
        for (place, value) in places.into_iter().zip(read) {
            values[place] = value;
        }
        Ok(values)
    }

    pub async fn scan(&self, scan: Scan) -> Result<Rows, EngineError> {
        if scan.start >= scan.end {
            return Ok(Rows::default());
        }
        let mut progress = Progress::new(scan);
        if let Found::Answer(()) = progress.advance(self, Reach::Memory)? {
            self.count_inline()?;
            return Ok(progress.found);
        }
        self.pooled(move |view| {
            Ok(match progress.advance(view, Reach::Disk)? {
                Found::Answer(()) => Found::Answer(progress.found),
                Found::NotInMemory => Found::NotInMemory,
            })
        })
        .await
    }

    /// Runs a read that may wait for the disk where it blocks nobody.
    async fn pooled<T: Send + 'static>(
        &self,
        read: impl FnOnce(&RocksView) -> Result<Found<T>, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let store = self.store()?;
        store.pooled_reads.fetch_add(1, Ordering::Relaxed);
        let view = self.clone();
        let answer = store.pool.run(move || read(&view)).await;
        match answer.map_err(|error| EngineError(error.to_string()))?? {
            Found::Answer(value) => Ok(value),
            Found::NotInMemory => Err(EngineError("the disk was not asked".to_owned())),
        }
    }

    fn pinned(&self) -> Result<&Pinned, EngineError> {
        self.pinned.as_deref().ok_or_else(between_openings)
    }

    fn store(&self) -> Result<&Store, EngineError> {
        Ok(self.pinned()?.borrow_owner())
    }

    fn count_inline(&self) -> Result<(), EngineError> {
        self.store()?.inline_reads.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_options(&self, reach: Reach) -> Result<ReadOptions, EngineError> {
        let mut options = ReadOptions::default();
        options.set_snapshot(self.pinned()?.borrow_dependent());
        if reach == Reach::Memory {
            options.set_read_tier(ReadTier::BlockCache);
        }
        Ok(options)
    }

    fn read_one(
        &self,
        table: Profile,
        key: &[u8],
        reach: Reach,
    ) -> Result<Found<Option<Bytes>>, EngineError> {
        let store = self.store()?;
        let found = store.db.get_pinned_cf_opt(store.family(table)?, key, &self.read_options(reach)?);
        in_memory(found.map(|value| value.map(|bytes| Bytes::copy_from_slice(&bytes))))
    }

    /// Several keys at once. Not for reads from memory only: RocksDB's batched look-up reads the disk for the first block of a key all the same,
    /// and answers an empty value for a key whose search would go on in a block that is not in memory.
    fn read_from_disk(&self, table: Profile, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>, EngineError> {
        let store = self.store()?;
        let options = self.read_options(Reach::Disk)?;
        let found = store.db.batched_multi_get_cf_opt(store.family(table)?, keys, false, &options);
        let copied = found.into_iter().map(|value| Ok(value?.map(|bytes| Bytes::copy_from_slice(&bytes))));
        copied.collect::<Result<_, _>>().map_err(engine_error)
    }
}

/// A scan that can stop where memory ends and go on from there.
struct Progress {
    scan: Scan,
    found: Rows,
    bytes: usize,
}

impl Progress {
    fn new(scan: Scan) -> Progress {
        Progress { scan, found: Rows::default(), bytes: 0 }
    }

    /// Reads on until the scan is complete or, if only memory is asked, until memory ends or it has been enough for the caller's thread.
    fn advance(&mut self, view: &RocksView, reach: Reach) -> Result<Found<()>, EngineError> {
        let mut options = view.read_options(reach)?;
        let (start, end) = self.rest();
        options.set_iterate_lower_bound(start);
        options.set_iterate_upper_bound(end);
        let store = view.store()?;
        let mut rows = store.db.raw_iterator_cf_opt(store.family(self.scan.table)?, options);
        match self.scan.direction {
            Direction::Forward => rows.seek_to_first(),
            Direction::Backward => rows.seek_to_last(),
        }
        while let Some((key, value)) = rows.item() {
            if !self.found.push(&self.scan, &mut self.bytes, key, value) {
                return Ok(Found::Answer(()));
            }
            if reach == Reach::Memory && (self.found.rows.len() >= INLINE_ROWS || self.bytes >= INLINE_BYTES)
            {
                return Ok(Found::NotInMemory);
            }
            match self.scan.direction {
                Direction::Forward => rows.next(),
                Direction::Backward => rows.prev(),
            }
        }
        in_memory(rows.status())
    }

    /// The bounds of what is not read yet.
    fn rest(&self) -> (Vec<u8>, Vec<u8>) {
        let Scan { start, end, .. } = &self.scan;
        match (self.found.rows.last(), self.scan.direction) {
            (None, _) => (start.clone(), end.clone()),
            // The smallest key after the last one is that key and a zero.
            (Some((last, _)), Direction::Forward) => ([last, &[0][..]].concat(), end.clone()),
            (Some((last, _)), Direction::Backward) => (start.clone(), last.to_vec()),
        }
    }
}

fn in_memory<T>(found: Result<T, rocksdb::Error>) -> Result<Found<T>, EngineError> {
    match found {
        Ok(answer) => Ok(Found::Answer(answer)),
        Err(error) if error.kind() == ErrorKind::Incomplete => Ok(Found::NotInMemory),
        Err(error) => Err(engine_error(error)),
    }
}
