//! What users have published, in memory until it changes.
//!
//! Owns: a cache of it that is bounded in bytes, and whether what is in it is still right. Does not own: what is in it ([`super::public_keys`]).
//!
//! Invariants: what is given out has every change that was acknowledged before it was asked for. What was read when a user's device list
//! stood at a place is right as long as it stands there. Whether it does is known without a read as far as the log of changes reaches; else
//! the place is read, and compared. So neither a read that was overtaken by a change nor a log that missed some makes anything wrong, only
//! dearer.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use plop_accounts::schema::{DeviceListChanges, DeviceLists};
use plop_base::changes::ChangeLog;
use plop_db::{Db, Position, Publication, ReadError, Snapshot};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use ruma::OwnedUserId;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::public_keys::PublicKeys;

/// Bytes of keys in memory: those of some 20,000 users with three devices.
const CACHED_BYTES: u64 = 64 << 20;
/// What usual users have, in bytes.
const USUAL_BYTES: u64 = 3 << 10;
/// Users whose last change is remembered.
const MAX_CHANGES: usize = 20_000;
/// Users whose keys are read at once: who waits for the disk waits for several.
const READ_AT_ONCE: usize = 16;

/// The keys of a user.
struct Known {
    /// They were read from a snapshot that has everything up to here.
    as_of: Position,
    /// Where the user's device list stood in it.
    list: Option<Position>,
    keys: Arc<PublicKeys>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<OwnedUserId, Arc<Known>> for ByBytes {
    fn weight(&self, _: &OwnedUserId, known: &Arc<Known>) -> u64 {
        known.keys.bytes() as u64
    }
}

/// The keys of users.
pub(super) struct KnownKeys {
    db: Db,
    changes: RwLock<Changes>,
    known: Cache<OwnedUserId, Arc<Known>, ByBytes>,
}

impl KnownKeys {
    pub fn new(db: Db) -> Self {
        let entries = usize::try_from(CACHED_BYTES / USUAL_BYTES).unwrap_or(usize::MAX);
        let known = Cache::with_weighter(entries, CACHED_BYTES, ByBytes);
        Self { changes: RwLock::new(Changes::new(&db)), db, known }
    }

    /// The keys of these users, in their order. Those of each are of one moment.
    pub async fn of(&self, users: &[OwnedUserId]) -> Result<Vec<Arc<PublicKeys>>, ReadError> {
        let found = self.still_right(users);
        let missing: Vec<OwnedUserId> = users
            .iter()
            .zip(&found)
            .filter(|(_, keys)| keys.is_none())
            .map(|(user, _)| user.clone())
            .collect();
        if missing.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        let mut read = self.read(&self.db.snapshot(), missing).await?.into_iter();
        Ok(found.into_iter().filter_map(|keys| keys.or_else(|| read.next())).collect())
    }

    /// Those of which it is known without a read.
    fn still_right(&self, users: &[OwnedUserId]) -> Vec<Option<Arc<PublicKeys>>> {
        let changes = self.caught_up();
        let right = |user: &OwnedUserId| {
            let (changes, known) = (changes.as_ref()?, self.known.get(user)?);
            let is_right = !changes.log.may_have_changed(user, known.as_of);
            is_right.then(|| Arc::clone(&known.keys))
        };
        users.iter().map(right).collect()
    }

    /// The changes, if everything that is published is among them: what was announced is taken in, but what is published is announced a moment later.
    fn caught_up(&self) -> Option<RwLockReadGuard<'_, Changes>> {
        let published = self.db.published();
        let mut changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        if changes.reached < published {
            drop(changes);
            self.changes.write().unwrap_or_else(PoisonError::into_inner).catch_up(&self.db);
            changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        }
        (changes.reached >= published).then_some(changes)
    }

    async fn read(
        &self,
        snapshot: &Snapshot,
        users: Vec<OwnedUserId>,
    ) -> Result<Vec<Arc<PublicKeys>>, ReadError> {
        let as_of = snapshot.position();
        let lists = snapshot.get_many::<DeviceLists>(&users).await?;
        let one = |(user, list): (OwnedUserId, Option<Position>)| {
            let snapshot = snapshot.clone();
            async move {
                let known = self.known.get(&user).filter(|known| known.list == list);
                let keys = match known {
                    Some(known) => Arc::clone(&known.keys),
                    None => Arc::new(PublicKeys::read(&snapshot, &user).await?),
                };
                self.known.insert(user, Arc::new(Known { as_of, list, keys: Arc::clone(&keys) }));
                Ok(keys)
            }
        };
        stream::iter(users.into_iter().zip(lists).map(one)).buffered(READ_AT_ONCE).try_collect().await
    }
}

/// Which device lists changed when.
struct Changes {
    publications: Receiver<Arc<Publication>>,
    /// Everything up to here is in the log.
    reached: Position,
    log: ChangeLog<OwnedUserId, Position>,
}

impl Changes {
    /// What changes from now on.
    fn new(db: &Db) -> Self {
        // Subscribed first: what is published in between is in both.
        let publications = db.subscribe();
        let reached = db.published();
        Self { publications, reached, log: ChangeLog::new(reached, MAX_CHANGES) }
    }

    fn catch_up(&mut self, db: &Db) {
        loop {
            match self.publications.try_recv() {
                Ok(publication) => self.take(&publication),
                // Some were missed, so of what was before nothing is known.
                Err(TryRecvError::Lagged(_)) => *self = Self::new(db),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn take(&mut self, publication: &Publication) {
        for user in publication.notices.iter().filter_map(|notice| notice.subject::<DeviceListChanges>()) {
            self.log.record(&user, publication.position);
        }
        self.reached = publication.position.max(self.reached);
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use plop_accounts::registration::NewAccount;
    use plop_base::Actor;
    use plop_bed::{Ground, Signer, parameters, server};
    use ruma::device_id;

    use super::super::{Keys, Upload};

    #[tokio::test(start_paused = true)]
    async fn a_read_that_was_overtaken_by_a_change_takes_nothing_back() {
        let keyspaces = [plop_accounts::schema::KEYSPACES, crate::schema::KEYSPACES].concat();
        let ground = Ground::new(keyspaces, 3);
        let accounts = plop_bed::accounts(&ground, parameters());
        let account = NewAccount { username: Some("alice".to_owned()), ..NewAccount::default() };
        let user = accounts.create_account(&Actor::Server, account, false).await.expect("an account").user;
        let bridge =
            Actor::AppService { registration: "b".to_owned(), user: user.clone(), device: Some("D".into()) };
        let rename = async |name: &str| {
            accounts.update_device(&bridge, device_id!("D"), Some(name.to_owned())).await.expect("named");
        };
        rename("old name").await;
        let keys = Keys::new(ground.db.clone(), accounts.clone(), server());
        let device_keys = Some(Signer::new(1).device_keys(&user, "D"));
        keys.upload(&bridge, &Upload { device_keys, ..Upload::default() }).await.expect("published");

        let known = &keys.0.known;
        let before = ground.db.snapshot();
        rename("new name").await;
        let newer = known.of(from_ref(&user)).await.expect("keys");
        let older = known.read(&before, vec![user.clone()]).await.expect("keys");
        assert!(older[0].devices().contains("old name"), "as they were then");
        let after = known.of(from_ref(&user)).await.expect("keys");
        assert!(newer[0].devices().contains("new name") && after[0].devices().contains("new name"));
    }
}
