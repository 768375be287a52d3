//! How RocksDB is tuned: a column family for each profile, one bound on memory, one on the log.
//!
//! Invariants: blocks and memtables share one budget. Log files are at most about 100 MiB in all (`LOG_BYTES` in use, one more kept for reuse), so
//! their bound of 128 MiB holds with a write in flight. Damage in the log ends recovery there (point in time); the acknowledged marker
//! tells whether that lost anything. Reusing log files needs exactly that mode: a record that a reused file still holds from before looks like damage.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode,
    DataBlockIndexType, LogLevel, LruCacheOptions, Options, WriteBufferManager,
};

use crate::engine::contract::{EngineOptions, Profile};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Log in use before the memtables that need its oldest part are flushed.
pub(super) const LOG_BYTES: u64 = 40 << 20;

/// What bounds the memory; it has to live as long as the database.
pub(super) struct Memory {
    pub cache: Cache,
    _memtables: WriteBufferManager,
}

pub(super) fn family_name(profile: Profile) -> &'static str {
    match profile {
        Profile::Point => "point",
        Profile::Scan => "scan",
        Profile::Queue => "queue",
        Profile::Counter => "counter",
        Profile::Large => "large",
    }
}

pub(super) fn build(options: EngineOptions) -> (Options, Vec<ColumnFamilyDescriptor>, Memory) {
    let cache = block_cache(options.cache_bytes);
    // Memtables are charged to the cache, and flushed before they take more than half of it.
    let memtables = WriteBufferManager::new_write_buffer_manager_with_cache(
        options.cache_bytes / 2,
        false,
        cache.clone(),
    );
    let database = database_options(options.create, &memtables);
    let families = Profile::ALL
        .map(|profile| ColumnFamilyDescriptor::new(family_name(profile), family_options(profile, &cache)))
        .into();
    (database, families, Memory { cache, _memtables: memtables })
}

/// A cache of few shards: filters and memtables are charged to it in pieces of some hundred kilobytes, which displace each other in the small shards
/// that RocksDB makes by itself.
fn block_cache(bytes: usize) -> Cache {
    const SHARD: usize = 16 * MIB;
    let mut options = LruCacheOptions::default();
    options.set_capacity(bytes);
    options.set_num_shard_bits((bytes / SHARD).max(1).ilog2().min(6).cast_signed());
    Cache::new_lru_cache_opts(&options)
}

fn database_options(create: bool, memtables: &WriteBufferManager) -> Options {
    let mut options = Options::default();
    options.create_if_missing(create);
    options.create_missing_column_families(create);
    options.set_write_buffer_manager(memtables);

    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_max_total_wal_size(LOG_BYTES);
    // A log file that is there already syncs without a change of its inode.
    options.set_recycle_log_file_num(1);
    options.set_paranoid_checks(true);

    // One thread writes.
    options.set_allow_concurrent_memtable_write(false);
    options.set_max_background_jobs(3);
    options.set_max_subcompactions(1);
    // Flushes and compactions hand their pages to the disk bit by bit, so that a sync of the log does not wait behind them.
    options.set_bytes_per_sync(MIB as u64);
    options.set_avoid_unnecessary_blocking_io(true);

    // RocksDB's own diary.
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(4 * MIB);
    options.set_keep_log_file_num(3);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

fn family_options(profile: Profile, cache: &Cache) -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(match profile {
        Profile::Point | Profile::Scan | Profile::Large => 16 * MIB,
        Profile::Queue => 8 * MIB,
        Profile::Counter => 4 * MIB,
    });
    options.set_max_write_buffer_number(3);
    options.set_level_compaction_dynamic_level_bytes(true);
    // Level 0 too: in a small server most of what there is lies there, and what is read often lies in the cache as it was.
    options.set_compression_type(DBCompressionType::Zstd);
    if profile == Profile::Point {
        // A look-up of a key that was not written lately does not search the memtable.
        options.set_memtable_prefix_bloom_ratio(0.02);
        options.set_memtable_whole_key_filtering(true);
    }
    if profile == Profile::Queue {
        // Files that are mostly deletions are compacted soon: a scan does not walk over the dead.
        options.add_compact_on_deletion_collector_factory(1024, 256, 0.5);
    }
    options.set_block_based_table_factory(&table_options(profile, cache));
    options
}

fn table_options(profile: Profile, cache: &Cache) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_format_version(6);
    table.set_block_size(match profile {
        Profile::Point | Profile::Counter => 4 * KIB,
        Profile::Queue => 8 * KIB,
        Profile::Scan => 16 * KIB,
        Profile::Large => 32 * KIB,
    });
    if matches!(profile, Profile::Point | Profile::Counter) {
        // Inside a block the key is hashed to its place.
        table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        table.set_data_block_hash_ratio(0.75);
    }
    // Whole keys: rows that are not there (a transaction id, an event id) are answered from memory. Scans gain nothing from filters.
    if profile != Profile::Queue {
        table.set_bloom_filter(10.0, false);
        table.set_whole_key_filtering(true);
        table.set_optimize_filters_for_memory(true);
    }
    // Index and filters count towards the one budget, and are read in parts: one of a large table would take a good part of it.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(4 * KIB);
    table.set_cache_index_and_filter_blocks(true);
    table.set_cache_index_and_filter_blocks_with_high_priority(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table
}
