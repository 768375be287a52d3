//! Uploads (client-server API, `POST /keys/upload`).
//!
//! Owns: what of an upload is new, the batch. Does not own: the checks of single keys ([`super::identity`], [`super::one_time`]).
//!
//! Invariants: an upload that comes again changes nothing, whether its keys wait, were claimed or were never answered for. Keys that another
//! identity key signed go with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_accounts::device_lists::{change_device_list, list_device};
use plop_accounts::schema::Devices;
use plop_base::Actor;
use plop_db::codec::Tail;
use plop_db::{Batch, KeyRange, Pages, Position, Snapshot};
use plop_state::json::Object;

use super::counts::{Counting, KeyCount};
use super::error::{KeyRejected, PublishError};
use super::identity;
use super::one_time::{self, NewKey};
use super::{Keys, MAX_FALLBACK_KEYS, MAX_ONE_TIME_KEYS, Owner, own_device};
use crate::schema::{
    ClaimedKeyOrder, ClaimedKeyRow, ClaimedKeys, CrossSigningKeyRow, CrossSigningKeys, DeviceKeys,
    DeviceKeysRow, FallbackKeyRow, FallbackKeys, Inbox, KeyCountsRow, KeyUsage, MasterKeySignatures,
    OneTimeKeyId, OneTimeKeyRow, OneTimeKeys,
};

/// One-time keys that are read at once.
const PAGE: usize = 100;

/// The body of a request.
#[derive(Debug, Default)]
pub struct Upload {
    pub device_keys: Option<Object>,
    pub one_time_keys: Option<Object>,
    pub fallback_keys: Option<Object>,
}

impl Keys {
    /// Publishes keys of the acting device. Says how many one-time keys it has then, by algorithm. Answers when they are on disk.
    pub async fn upload(
        &self,
        actor: &Actor,
        upload: &Upload,
    ) -> Result<BTreeMap<String, u64>, PublishError> {
        let owner = own_device(actor).ok_or(PublishError::NoDevice)?;
        let parts = &self.0;
        let list = match &upload.device_keys {
            Some(_) => Some(parts.accounts.lock_user(&owner.0).await),
            None => None,
        };
        let guard = self.lock_device(&owner.0, &owner.1).await;
        let snapshot = parts.db.snapshot();
        let device = snapshot.get::<Devices>(&owner).await?.ok_or(PublishError::NoDevice)?;
        let uploading = Uploading::new(snapshot, owner, device.since, Batch::durable()).await?;
        let (batch, counts) = uploading.finish(upload).await?;
        if !batch.is_empty() {
            parts.db.commit_under((list, guard), batch).await?;
        }
        Ok(KeyCount::from(Some(counts)).one_time)
    }
}

/// An upload that becomes a batch.
pub(super) struct Uploading {
    snapshot: Snapshot,
    owner: Owner,
    inbox: Inbox,
    batch: Batch,
    counting: Counting,
    /// Whether the keys that are there were signed by another one.
    replaced: bool,
}

impl Uploading {
    /// An upload of a device that was made at `since`, or is made in this batch. Under the device's guard, and that of its user where there are identity keys.
    pub async fn new(
        snapshot: Snapshot,
        owner: Owner,
        since: Position,
        batch: Batch,
    ) -> Result<Self, PublishError> {
        let inbox = (owner.0.clone(), owner.1.clone(), since);
        let counting = Counting::of(&snapshot, &inbox).await?;
        Ok(Self { snapshot, owner, inbox, batch, counting, replaced: false })
    }

    /// The batch with the keys in it, and what the device has then.
    pub async fn finish(mut self, upload: &Upload) -> Result<(Batch, KeyCountsRow), PublishError> {
        if let Some(device_keys) = &upload.device_keys {
            self.identity(device_keys).await?;
        }
        self.one_time(upload.one_time_keys.as_ref()).await?;
        self.fallback(upload.fallback_keys.as_ref()).await?;
        self.counting.put(&mut self.batch, &self.inbox);
        Ok((self.batch, self.counting.now))
    }

    async fn identity(&mut self, object: &Object) -> Result<(), PublishError> {
        let before = self.snapshot.get::<DeviceKeys>(&self.inbox).await?;
        let cross_signing = self.cross_signing().await?;
        if cross_signing.iter().flatten().any(|key| key.public == self.owner.1.as_str()) {
            return Err(PublishError::NameClash);
        }
        let [_, self_signing, _] = &cross_signing;
        let mut row = identity::checked(object, &self.owner, self_signing.as_ref())?;
        if let Some(before) = &before {
            if before.keys == row.keys && row.self_signature.is_none() {
                row.self_signature.clone_from(&before.self_signature);
            }
            if *before == row {
                return Ok(());
            }
            self.replace_signed_by(before, &row);
        }
        self.batch.put::<DeviceKeys>(&self.inbox, &row);
        let (user, device, since) = &self.inbox;
        list_device(&mut self.batch, user, device, *since);
        Ok(change_device_list(&self.snapshot, &mut self.batch, user).await?)
    }

    async fn cross_signing(&self) -> Result<[Option<CrossSigningKeyRow>; 3], PublishError> {
        let user = &self.owner.0;
        let usages = [KeyUsage::Master, KeyUsage::SelfSigning, KeyUsage::UserSigning];
        let names = usages.map(|usage| (user.clone(), usage));
        let mut keys = self.snapshot.get_many::<CrossSigningKeys>(&names).await?.into_iter();
        Ok([keys.next().flatten(), keys.next().flatten(), keys.next().flatten()])
    }

    /// Where another key signs from now on, what the one before has signed is of no use.
    fn replace_signed_by(&mut self, before: &DeviceKeysRow, now: &DeviceKeysRow) {
        if before.signing_key == now.signing_key {
            return;
        }
        self.replaced = true;
        self.batch.delete_range(KeyRange::<OneTimeKeys>::prefix(&self.inbox));
        self.batch.delete_range(KeyRange::<ClaimedKeys>::prefix(&self.inbox));
        self.batch.delete_range(KeyRange::<ClaimedKeyOrder>::prefix(&self.inbox));
        self.batch.delete_range(KeyRange::<FallbackKeys>::prefix(&self.inbox));
        self.batch.delete::<MasterKeySignatures>(&self.inbox);
        self.counting.now.one_time.clear();
        self.counting.now.unused_fallback.clear();
        self.counting.now.claimed = 0;
    }

    async fn one_time(&mut self, keys: Option<&Object>) -> Result<(), PublishError> {
        let keys = self.checked(keys)?;
        if keys.is_empty() {
            return Ok(());
        }
        if keys.len() as u64 > MAX_ONE_TIME_KEYS {
            return Err(PublishError::TooManyKeys);
        }
        let unclaimed = self.unclaimed().await?;
        let claimed = self.claimed(&keys).await?;
        for (key, claimed) in keys.into_iter().zip(claimed) {
            match unclaimed.get(&(key.algorithm.clone(), key.id.clone())) {
                Some(old) if **old == *key.text => {}
                Some(old) => {
                    let id = format!("{}:{}", key.algorithm, key.id);
                    return Err(PublishError::KeyExists { id, old: old.to_string(), new: key.text });
                }
                None => self.add(key, claimed),
            }
        }
        if self.counting.total() > MAX_ONE_TIME_KEYS {
            return Err(PublishError::TooManyKeys);
        }
        Ok(())
    }

    /// The one-time keys that there are, by algorithm and identifier.
    async fn unclaimed(&self) -> Result<BTreeMap<(String, String), Arc<str>>, PublishError> {
        if self.counting.total() == 0 {
            return Ok(BTreeMap::new());
        }
        let mut unclaimed = BTreeMap::new();
        let mut pages = Pages::new(KeyRange::<OneTimeKeys>::prefix(&self.inbox), PAGE);
        while let Some(rows) = pages.next(&self.snapshot).await? {
            let keys =
                rows.into_iter().map(|((_, _, _, algorithm, _, id), row)| ((algorithm, id), row.key.0));
            unclaimed.extend(keys);
        }
        Ok(unclaimed)
    }

    /// What is known of each of these keys from a claim.
    async fn claimed(&self, keys: &[NewKey]) -> Result<Vec<Option<ClaimedKeyRow>>, PublishError> {
        if self.counting.now.claimed == 0 {
            return Ok(vec![None; keys.len()]);
        }
        let names: Vec<OneTimeKeyId> = keys.iter().map(|key| self.name(key)).collect();
        Ok(self.snapshot.get_many::<ClaimedKeys>(&names).await?)
    }

    /// Adds a key that does not wait yet, unless it is one that was claimed.
    fn add(&mut self, key: NewKey, claimed: Option<ClaimedKeyRow>) {
        let name = self.name(&key);
        if let Some(claimed) = claimed {
            if claimed.hash == one_time::hash(&key.text) {
                return;
            }
            // Another key of that name: a device that came back from a backup, say, counts on from an earlier number.
            self.batch.delete::<ClaimedKeys>(&name);
            let (user, device, since, algorithm, id) = name.clone();
            let place = (user, device, since, claimed.position, algorithm, id);
            self.batch.delete::<ClaimedKeyOrder>(&place);
            self.counting.now.claimed = self.counting.now.claimed.saturating_sub(1);
        }
        let (user, device, since, algorithm, id) = name;
        self.counting.added(&algorithm);
        let place = (user, device, since, algorithm, Position::pending(0), id);
        self.batch.put::<OneTimeKeys>(&place, &OneTimeKeyRow { key: Tail(key.text.into()) });
    }

    async fn fallback(&mut self, keys: Option<&Object>) -> Result<(), PublishError> {
        let keys = self.checked(keys)?;
        let mut algorithms: Vec<&str> = keys.iter().map(|key| key.algorithm.as_str()).collect();
        algorithms.sort_unstable();
        if algorithms.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return Err(KeyRejected::Malformed("there are two fallback keys of one algorithm").into());
        }
        if keys.is_empty() {
            return Ok(());
        }
        let before = self.fallback_before().await?;
        let others = before.keys().filter(|algorithm| !algorithms.contains(&algorithm.as_str())).count();
        if others + keys.len() > MAX_FALLBACK_KEYS {
            return Err(PublishError::TooManyKeys);
        }
        for NewKey { algorithm, id, text } in keys {
            let is_same = |row: &FallbackKeyRow| row.id == id && *row.key.0 == *text;
            // One that was handed out stays so: a repeated upload is no new key.
            if before.get(&algorithm).is_some_and(is_same) {
                continue;
            }
            let (user, device, since) = self.inbox.clone();
            let row = FallbackKeyRow { id, is_used: false, key: Tail(Arc::from(text)) };
            self.batch.put::<FallbackKeys>(&(user, device, since, algorithm.clone()), &row);
            self.counting.now.unused_fallback.insert(algorithm);
            // Also where one that was unused is replaced: every batch changes the row that the next one expects.
            self.counting.now.position = Position::START;
        }
        Ok(())
    }

    /// The fallback keys that stay, by algorithm.
    async fn fallback_before(&self) -> Result<BTreeMap<String, FallbackKeyRow>, PublishError> {
        if self.replaced {
            return Ok(BTreeMap::new());
        }
        let range = KeyRange::<FallbackKeys>::prefix(&self.inbox);
        let page = self.snapshot.scan(range, plop_db::Direction::Forward, MAX_FALLBACK_KEYS).await?;
        Ok(page.rows.into_iter().map(|((.., algorithm), row)| (algorithm, row)).collect())
    }

    fn checked(&self, keys: Option<&Object>) -> Result<Vec<NewKey>, PublishError> {
        let keys = keys.map(|keys| one_time::checked(keys, &self.owner));
        Ok(keys.transpose()?.unwrap_or_default())
    }

    fn name(&self, key: &NewKey) -> OneTimeKeyId {
        let (user, device, since) = self.inbox.clone();
        (user, device, since, key.algorithm.clone(), key.id.clone())
    }
}
