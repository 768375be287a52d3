//! Claims (client-server API, `POST /keys/claim`).
//!
//! Owns: which key of a device is handed out. Does not own: who asks for what.
//!
//! Invariants: a key is on disk as claimed before it is handed out, so neither a crash nor a second claim gives it to somebody else. The oldest upload
//! goes first. Of claimed keys the last [`MAX_CLAIMED_KEYS`] are remembered. A fallback key is handed out when nothing else is left, and is then used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use plop_accounts::StoreError;
use plop_accounts::schema::Devices;
use plop_base::Actor;
use plop_db::{Batch, CommitError, Direction, KeyRange, Position, Snapshot};
use ruma::{OwnedDeviceId, OwnedServerName, OwnedUserId};

use super::counts::Counting;
use super::error::ClaimError;
use super::one_time::hash;
use super::{Keys, MAX_CLAIMED_KEYS, MAX_CLAIMS, MAX_NAME_BYTES, Owner};
use crate::schema::{
    ClaimedKeyOrder, ClaimedKeyRow, ClaimedKeys, FallbackKeyRow, FallbackKeys, Inbox, OneTimeKeys,
};

/// Of which devices a key is wanted, and of which algorithm.
pub type Claims = BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, String>>;

/// Claims of one request that are under way at once: they share commits.
const AT_ONCE: usize = 64;
/// Another process may have taken the key meanwhile; here claims of a device take turns.
const ATTEMPTS: u32 = 3;

/// The keys that were claimed.
#[derive(Debug, Default)]
pub struct Claimed {
    /// By user, device and name (`<algorithm>:<key_id>`), as canonical JSON.
    pub keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, (String, Arc<str>)>>,
    /// Servers that were not asked.
    pub elsewhere: BTreeSet<OwnedServerName>,
}

impl Keys {
    /// Claims one key of each of these devices. Those that are not there, or have none, are left out. Answers when it is on disk who has which.
    pub async fn claim(&self, actor: &Actor, claims: &Claims) -> Result<Claimed, ClaimError> {
        actor.user_id().ok_or(ClaimError::NoUser)?;
        if claims.values().map(BTreeMap::len).sum::<usize>() > MAX_CLAIMS {
            return Err(ClaimError::TooMany);
        }
        let mut claimed = Claimed::default();
        let mut wanted: Vec<(Owner, &String)> = Vec::new();
        for (user, devices) in claims {
            if user.server_name() == self.0.server {
                wanted.extend(
                    devices.iter().map(|(device, algorithm)| ((user.clone(), device.clone()), algorithm)),
                );
            } else {
                claimed.elsewhere.insert(user.server_name().to_owned());
            }
        }
        let one = |(owner, algorithm): (Owner, &'_ String)| {
            let algorithm = algorithm.clone();
            async move {
                let key = self.claim_one(&owner, &algorithm).await?;
                Ok::<_, ClaimError>(key.map(|(id, key)| (owner, format!("{algorithm}:{id}"), key)))
            }
        };
        let keys: Vec<_> = stream::iter(wanted.into_iter().map(one)).buffered(AT_ONCE).try_collect().await?;
        for ((user, device), name, key) in keys.into_iter().flatten() {
            claimed.keys.entry(user).or_default().insert(device, (name, key));
        }
        Ok(claimed)
    }

    async fn claim_one(
        &self,
        owner: &Owner,
        algorithm: &str,
    ) -> Result<Option<(String, Arc<str>)>, ClaimError> {
        if algorithm.len() > MAX_NAME_BYTES {
            return Ok(None);
        }
        let parts = &self.0;
        let mut attempt = 1;
        loop {
            let guard = self.lock_device(&owner.0, &owner.1).await;
            let Some(mut claiming) = Claiming::new(parts.db.snapshot(), owner).await? else {
                return Ok(None);
            };
            let key = match claiming.one_time(algorithm).await? {
                Some(key) => Some(key),
                None => claiming.fallback(algorithm).await?,
            };
            let Claiming { inbox, mut batch, counting, .. } = claiming;
            if batch.is_empty() {
                return Ok(key);
            }
            counting.put(&mut batch, &inbox);
            match parts.db.commit_under(guard, batch).await {
                Ok(_) => return Ok(key),
                Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
    }
}

/// A claim that becomes a batch; an empty one where nothing changes.
struct Claiming {
    snapshot: Snapshot,
    inbox: Inbox,
    batch: Batch,
    counting: Counting,
}

impl Claiming {
    async fn new(snapshot: Snapshot, owner: &Owner) -> Result<Option<Self>, ClaimError> {
        let Some(device) = snapshot.get::<Devices>(owner).await? else { return Ok(None) };
        let inbox = (owner.0.clone(), owner.1.clone(), device.since);
        let counting = Counting::of(&snapshot, &inbox).await?;
        Ok(Some(Self { snapshot, inbox, batch: Batch::durable(), counting }))
    }

    /// The oldest one-time key.
    async fn one_time(&mut self, algorithm: &str) -> Result<Option<(String, Arc<str>)>, ClaimError> {
        let (user, device, since) = self.inbox.clone();
        let fields = (user, device, since, algorithm.to_owned());
        let range = KeyRange::<OneTimeKeys>::prefix(&fields);
        let page = self.snapshot.scan(range, Direction::Forward, 1).await?;
        let Some((place, row)) = page.rows.into_iter().next() else { return Ok(None) };
        self.batch.delete::<OneTimeKeys>(&place);
        let (user, device, since, algorithm, _, id) = place;
        let name = (user, device, since, algorithm, id.clone());
        let position = Position::pending(0);
        self.batch.put::<ClaimedKeys>(&name, &ClaimedKeyRow { position, hash: hash(&row.key.0) });
        let (user, device, since, algorithm, name) = name;
        self.counting.claimed(&algorithm);
        self.batch.put::<ClaimedKeyOrder>(&(user, device, since, position, algorithm, name), &());
        self.forget_oldest().await?;
        Ok(Some((id, row.key.0)))
    }

    /// Of claimed keys not more than the last ones are remembered.
    async fn forget_oldest(&mut self) -> Result<(), ClaimError> {
        let excess = self.counting.now.claimed.saturating_sub(MAX_CLAIMED_KEYS);
        if excess == 0 {
            return Ok(());
        }
        let range = KeyRange::<ClaimedKeyOrder>::prefix(&self.inbox);
        let oldest = self.snapshot.scan(range, Direction::Forward, 1).await?;
        for (place, ()) in oldest.rows {
            self.batch.delete::<ClaimedKeyOrder>(&place);
            let (user, device, since, _, algorithm, id) = place;
            self.batch.delete::<ClaimedKeys>(&(user, device, since, algorithm, id));
            self.counting.now.claimed -= 1;
        }
        Ok(())
    }

    /// The fallback key.
    async fn fallback(&mut self, algorithm: &str) -> Result<Option<(String, Arc<str>)>, ClaimError> {
        let (user, device, since) = self.inbox.clone();
        let key = (user, device, since, algorithm.to_owned());
        let Some(row) = self.snapshot.get::<FallbackKeys>(&key).await? else { return Ok(None) };
        let handed_out = (row.id.clone(), Arc::clone(&row.key.0));
        if !row.is_used {
            self.batch.put::<FallbackKeys>(&key, &FallbackKeyRow { is_used: true, ..row });
            self.counting.now.unused_fallback.remove(algorithm);
        }
        Ok(Some(handed_out))
    }
}
