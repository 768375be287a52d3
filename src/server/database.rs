//! The database of this process: which keyspaces it has, how it is opened, and how it comes back from read-only.

use futures_util::future::BoxFuture;
use plop_base::tasks::TaskError;
use plop_base::{Clock, Random};
use plop_config::sections::{Database, Durability};
use plop_db::{Db, KeyspaceInfo, Migration, OpenError, Options, ReferenceCheck};

/// Every keyspace of every part.
pub fn keyspaces() -> Vec<KeyspaceInfo> {
    [
        plop_state_store::KEYSPACES,
        plop_accounts::schema::KEYSPACES,
        plop_accounts::migrations::RETIRED,
        plop_rooms::schema::KEYSPACES,
        plop_delayed::schema::KEYSPACES,
        plop_moderation::schema::KEYSPACES,
        plop_ephemeral::schema::KEYSPACES,
        plop_e2ee::schema::KEYSPACES,
        plop_e2ee::backup::schema::KEYSPACES,
        plop_sync::sliding::schema::KEYSPACES,
        plop_media::schema::KEYSPACES,
        plop_directory::schema::KEYSPACES,
    ]
    .concat()
}

/// What `plop check` asks besides whether every row can be read.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    [
        plop_state_store::reference_checks(),
        plop_accounts::check::reference_checks(),
        plop_rooms::check::reference_checks(),
        plop_delayed::check::reference_checks(),
        plop_moderation::check::reference_checks(),
        plop_ephemeral::check::reference_checks(),
        plop_e2ee::check::reference_checks(),
        plop_media::check::reference_checks(),
        plop_directory::check::reference_checks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// From schema 1 to the newest, in their order.
pub fn migrations() -> Vec<Box<dyn Migration>> {
    vec![Box::new(plop_accounts::migrations::EndsAsStreams)]
}

/// Opens the database, or makes it where there is none.
pub fn open(config: &Database, accept_lost_writes: bool, random: &Random) -> Result<Db, OpenError> {
    let mut options = Options::new(&config.path, keyspaces());
    options.migrations = migrations();
    options.sync = match config.durability {
        Durability::PowerLoss => true,
        Durability::ProcessCrash => false,
    };
    options.cache_bytes =
        usize::try_from(config.cache_mib.get().saturating_mul(1 << 20)).unwrap_or(usize::MAX);
    options.keep_free_bytes = u64::from(config.keep_free_mib) << 20;
    options.accept_lost_writes = accept_lost_writes;
    Db::open(options, random)
}

/// The task that makes the store take writes again once it can (a disk has room again, say). It ends, with an error, when it never can.
pub fn keep_writable(
    db: &Db,
    clock: &Clock,
) -> impl Fn() -> BoxFuture<'static, Result<(), TaskError>> + Send + 'static {
    let (db, clock) = (db.clone(), clock.clone());
    move || {
        let (db, clock) = (db.clone(), clock.clone());
        Box::pin(async move {
            db.keep_writable(&clock).await;
            Err("the store has stopped and will not take writes again".into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::keyspaces;

    /// Ids, names and profiles are for ever: a line may be added, and one of a retired keyspace stays.
    #[test]
    fn keyspaces_keep_their_ids() {
        let golden = include_str!("database/keyspaces.txt");
        let now = plop_db::golden_table(&keyspaces());
        for line in now.lines() {
            assert!(
                golden.lines().any(|kept| kept == line),
                "not in src/server/database/keyspaces.txt: {line}"
            );
        }
        let ids: Vec<&str> = golden.lines().filter_map(|line| line.split(' ').next()).collect();
        let mut once = ids.clone();
        once.dedup();
        assert_eq!(ids, once, "an id is in the table twice");
    }
}
