//! Signatures (client-server API, `POST /keys/signatures/upload`).
//!
//! Owns: who may sign what, what is wrong with a signature. Does not own: who sees it ([`super::querying`]).
//!
//! Invariants: a signature is kept once it was verified: of the user's self-signing key on a device of the user, of such a device on the user's master
//! key, of the user's user-signing key on another user's master key. One that is refused keeps no other from being taken.

use std::collections::BTreeMap;

use plop_accounts::device_lists::change_device_list;
use plop_base::Actor;
use plop_db::{Batch, Position, ReadError, Snapshot};
use plop_state::json::Value;
use ruma::OwnedUserId;

use super::error::{KeyRejected, PublishError};
use super::identity::{cross_signing_key, identity, signature_by};
use super::published::{Published, verify_key};
use super::{Keys, MAX_SIGNATURES, is_active};
use crate::schema::{
    DeviceKeys, KeyUsage, MasterKeySignatureRow, MasterKeySignatures, SignatureChanges, UserSignatureRow,
    UserSignatures,
};

/// Signed keys by user and identifier: the name of a device, or a public key.
pub type SignatureUpload = BTreeMap<OwnedUserId, BTreeMap<String, Value>>;

/// What was not taken, and why, by user and identifier.
pub type SignaturesRefused = BTreeMap<OwnedUserId, BTreeMap<String, SignatureRefused>>;

/// Why a signature is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefused {
    #[error("there is no such key")]
    UnknownKey,
    #[error("the key that was published is another one")]
    OtherKey,
    #[error("there is no signature that verifies, of a key that may sign this one")]
    InvalidSignature,
    #[error(transparent)]
    Rejected(#[from] KeyRejected),
}

/// A signature that is not taken, or that cannot be looked at.
enum Failure {
    Refused(SignatureRefused),
    Read(ReadError),
}

impl From<SignatureRefused> for Failure {
    fn from(refused: SignatureRefused) -> Self {
        Self::Refused(refused)
    }
}

impl From<KeyRejected> for Failure {
    fn from(rejected: KeyRejected) -> Self {
        Self::Refused(rejected.into())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl Keys {
    /// Publishes signatures that the actor's keys have made. Says which were not taken.
    pub async fn upload_signatures(
        &self,
        actor: &Actor,
        upload: &SignatureUpload,
    ) -> Result<SignaturesRefused, PublishError> {
        let user = actor.user_id().ok_or(PublishError::NoDevice)?.to_owned();
        if upload.values().map(BTreeMap::len).sum::<usize>() > MAX_SIGNATURES {
            return Err(PublishError::TooManySignatures);
        }
        let parts = &self.0;
        let guard = parts.accounts.lock_user(&user).await;
        let snapshot = parts.db.snapshot();
        if !is_active(&snapshot, &user).await? {
            return Err(PublishError::AccountEnded);
        }
        let mut signing = Signing::new(snapshot, user);
        let mut refused = SignaturesRefused::new();
        for (signed, keys) in upload {
            for (id, object) in keys {
                match signing.one(signed, id, object).await {
                    Ok(()) => {}
                    Err(Failure::Read(error)) => return Err(error.into()),
                    Err(Failure::Refused(why)) => {
                        refused.entry(signed.clone()).or_default().insert(id.clone(), why);
                    }
                }
            }
        }
        let batch = signing.into_batch().await?;
        if !batch.is_empty() {
            parts.db.commit_under(guard, batch).await?;
        }
        Ok(refused)
    }
}

/// Signatures that become a batch.
struct Signing {
    snapshot: Snapshot,
    user: OwnedUserId,
    batch: Batch,
    /// Others see something new of the user.
    is_public: bool,
    /// Changes that only the user sees.
    private: u32,
}

impl Signing {
    fn new(snapshot: Snapshot, user: OwnedUserId) -> Self {
        Self { snapshot, user, batch: Batch::durable(), is_public: false, private: 0 }
    }

    async fn into_batch(mut self) -> Result<Batch, ReadError> {
        if self.is_public {
            change_device_list(&self.snapshot, &mut self.batch, &self.user).await?;
        }
        Ok(self.batch)
    }

    async fn one(&mut self, signed: &OwnedUserId, id: &str, object: &Value) -> Result<(), Failure> {
        const NO_OBJECT: KeyRejected = KeyRejected::Malformed("a signed key is no object");
        let published = Published::new(object.as_object().ok_or(NO_OBJECT)?)?;
        let master = cross_signing_key(&self.snapshot, signed, KeyUsage::Master).await?;
        let master = master.filter(|master| master.public == id);
        match master {
            None if *signed == self.user => self.own_device(id, &published).await,
            None => Err(SignatureRefused::UnknownKey.into()),
            Some(master) if *published.text != *master.key.0 => Err(SignatureRefused::OtherKey.into()),
            Some(master) if *signed == self.user => self.own_master(&published, &master.public).await,
            Some(master) => self.others_master(signed, &published, master.public).await,
        }
    }

    /// The self-signing key signs a device.
    async fn own_device(&mut self, id: &str, published: &Published<'_>) -> Result<(), Failure> {
        let found = identity(&self.snapshot, &(self.user.clone(), id.into())).await?;
        let (inbox, mut row) = found.ok_or(SignatureRefused::UnknownKey)?;
        if *published.text != *row.keys.0 {
            return Err(SignatureRefused::OtherKey.into());
        }
        let key = cross_signing_key(&self.snapshot, &self.user, KeyUsage::SelfSigning).await?;
        let signature = key.and_then(|key| signature_by(published, &self.user, &key));
        let signature = Some(signature.ok_or(SignatureRefused::InvalidSignature)?);
        if row.self_signature != signature {
            row.self_signature = signature;
            self.batch.put::<DeviceKeys>(&inbox, &row);
            self.is_public = true;
        }
        Ok(())
    }

    /// Devices sign the master key of their user.
    async fn own_master(&mut self, published: &Published<'_>, master: &str) -> Result<(), Failure> {
        let taken =
            put_master_signatures(&self.snapshot, &mut self.batch, &self.user, published, master).await?;
        if taken.verified == 0 {
            return Err(SignatureRefused::InvalidSignature.into());
        }
        self.is_public |= taken.new > 0;
        Ok(())
    }

    /// The user-signing key signs the master key of somebody else.
    async fn others_master(
        &mut self,
        signed: &OwnedUserId,
        published: &Published<'_>,
        master: String,
    ) -> Result<(), Failure> {
        let key = cross_signing_key(&self.snapshot, &self.user, KeyUsage::UserSigning).await?;
        let by = key.and_then(|key| signature_by(published, &self.user, &key));
        let by = by.ok_or(SignatureRefused::InvalidSignature)?;
        let pair = (self.user.clone(), signed.clone());
        let before = self.snapshot.get::<UserSignatures>(&pair).await?;
        if before.as_ref().is_some_and(|before| before.master == master && before.by == by) {
            return Ok(());
        }
        let position = Position::pending(self.private);
        self.private += 1;
        if let Some(before) = before {
            self.batch.delete::<SignatureChanges>(&(self.user.clone(), before.position));
        }
        self.batch.append::<SignatureChanges>(&self.user, &(self.user.clone(), position), signed);
        self.batch.put::<UserSignatures>(&pair, &UserSignatureRow { position, master, by });
        Ok(())
    }
}

/// Signatures of one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    pub verified: usize,
    /// Those of them that were not there: without one nobody is told of anything.
    pub new: usize,
}

/// Keeps the signatures of a user's devices on their master key, those that verify.
pub async fn put_master_signatures(
    snapshot: &Snapshot,
    batch: &mut Batch,
    user: &OwnedUserId,
    published: &Published<'_>,
    master: &str,
) -> Result<Taken, ReadError> {
    let mut taken = Taken::default();
    for (id, _) in published.signatures_of(user).take(MAX_SIGNATURES) {
        let Some(device) = id.strip_prefix("ed25519:") else { continue };
        let Some((inbox, row)) = identity(snapshot, &(user.clone(), device.into())).await? else { continue };
        let key = verify_key(&row.signing_key).ok();
        if let Some(signature) = key.and_then(|key| published.verified(user, device, &key)) {
            let (master, signature) = (master.to_owned(), signature.to_owned());
            let row = MasterKeySignatureRow { master, signature };
            taken.verified += 1;
            if snapshot.get::<MasterKeySignatures>(&inbox).await?.as_ref() != Some(&row) {
                batch.put::<MasterKeySignatures>(&inbox, &row);
                taken.new += 1;
            }
        }
    }
    Ok(taken)
}
