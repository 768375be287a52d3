//! Dehydrated devices (MSC3814): made together with their keys, so that there is none that nobody can write to.
//!
//! Owns: whether the device is the one that is there already. Does not own: which device of a user it is (accounts), what becomes of keys
//! ([`super::uploading`]).
//!
//! Invariants: device and keys are one batch, in which the former device ends. A request that comes again, because its answer was lost, changes nothing: neither
//! what has come meanwhile is lost, nor is a key that was claimed handed out again.

use plop_accounts::dehydrated::{NewDehydratedDevice, dehydrated_device};
use plop_base::Actor;
use plop_db::{Batch, Snapshot};
use plop_state::json::Object;

use super::error::PublishError;
use super::published::Published;
use super::uploading::{Upload, Uploading};
use super::{Keys, Owner};
use crate::schema::DeviceKeys;

impl Keys {
    /// Makes a device the dehydrated one of the actor, with these keys. Answers when it is on disk.
    pub async fn dehydrate(
        &self,
        actor: &Actor,
        device: NewDehydratedDevice,
        upload: &Upload,
    ) -> Result<(), PublishError> {
        let user = actor.user_id().ok_or(PublishError::NoDevice)?.to_owned();
        let identity = upload.device_keys.as_ref().ok_or(PublishError::NoIdentityKeys)?;
        let owner = (user, device.id.clone());
        let (db, accounts) = (&self.0.db, &self.0.accounts);
        let list = accounts.lock_user(&owner.0).await;
        let guard = self.lock_device(&owner.0, &owner.1).await;
        let snapshot = db.snapshot();
        let is_there = is_there(&snapshot, &owner, identity).await?;
        let mut batch = Batch::durable();
        let since = accounts.dehydrate(&snapshot, &mut batch, &owner.0, device, is_there).await?;
        let uploading = Uploading::new(snapshot, owner, since, batch).await?;
        let (batch, _) = uploading.finish(upload).await?;
        db.commit_under((list, guard), batch).await?;
        Ok(())
    }
}

/// Whether the user's dehydrated device has this id and these identity keys.
async fn is_there(snapshot: &Snapshot, owner: &Owner, identity: &Object) -> Result<bool, PublishError> {
    let former = dehydrated_device(snapshot, &owner.0).await?;
    let Some(former) = former.filter(|former| former.id == owner.1) else { return Ok(false) };
    let row = snapshot.get::<DeviceKeys>(&(owner.0.clone(), former.id, former.since)).await?;
    let published = Published::new(identity)?;
    Ok(row.is_some_and(|row| *row.keys.0 == *published.text))
}
