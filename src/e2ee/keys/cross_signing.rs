//! Cross-signing keys (client-server API, `POST /keys/device_signing/upload`).
//!
//! Owns: their checks, when the user has to authorise, the batch. Does not own: how the user does.
//!
//! Invariants: without a master key there are no others, and each of these was signed by the master key that is there: another master key takes with
//! it what the one before has signed.

use plop_accounts::device_lists::change_device_list;
use plop_accounts::schema::Devices;
use plop_accounts::uia::{Authorized, UiaOperation};
use plop_base::Actor;
use plop_db::codec::Tail;
use plop_db::{Batch, ReadError, Snapshot};
use plop_state::json::Object;
use ruma::{OwnedUserId, UserId};

use super::error::{KeyRejected, PublishError};
use super::identity::{cross_signing_key, signature_by};
use super::published::{Published, verify_key};
use super::signatures::{Taken, put_master_signatures};
use super::{Keys, is_active};
use crate::schema::{CrossSigningKeyRow, CrossSigningKeys, KeyUsage};

/// The body of a request.
#[derive(Debug, Default)]
pub struct CrossSigningUpload {
    pub master: Option<Object>,
    pub self_signing: Option<Object>,
    pub user_signing: Option<Object>,
}

/// What the user authorises where keys are replaced.
const OPERATION: UiaOperation = UiaOperation::ReplaceCrossSigningKeys;

impl Keys {
    /// Publishes cross-signing keys of the actor. The first ones, and those that are there already, need no authorisation; nor do application services.
    pub async fn upload_cross_signing(
        &self,
        actor: &Actor,
        upload: &CrossSigningUpload,
        authorized: Option<Authorized>,
    ) -> Result<(), PublishError> {
        let user = actor.user_id().ok_or(PublishError::NoDevice)?.to_owned();
        let parts = &self.0;
        let guard = parts.accounts.lock_user(&user).await;
        let snapshot = parts.db.snapshot();
        if !is_active(&snapshot, &user).await? {
            return Err(PublishError::AccountEnded);
        }
        let change = Change::new(&snapshot, &user, upload).await?;
        let is_asked_for =
            !change.is_none() && change.before.master.is_some() && !matches!(actor, Actor::AppService { .. });
        if is_asked_for && authorized.is_none_or(|authorized| authorized.check(&user, &OPERATION).is_err()) {
            return Err(PublishError::NeedsConsent);
        }
        let batch = change.batch(&snapshot, &user, upload).await?;
        if batch.is_empty() {
            return Ok(());
        }
        parts.db.commit_under(guard, batch).await?;
        Ok(())
    }
}

/// The cross-signing keys of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct UserKeys {
    master: Option<CrossSigningKeyRow>,
    self_signing: Option<CrossSigningKeyRow>,
    user_signing: Option<CrossSigningKeyRow>,
}

/// The keys as they are, and as they will be.
struct Change {
    before: UserKeys,
    after: UserKeys,
}

impl Change {
    async fn new(
        snapshot: &Snapshot,
        user: &UserId,
        upload: &CrossSigningUpload,
    ) -> Result<Self, PublishError> {
        let before = UserKeys {
            master: cross_signing_key(snapshot, user, KeyUsage::Master).await?,
            self_signing: cross_signing_key(snapshot, user, KeyUsage::SelfSigning).await?,
            user_signing: cross_signing_key(snapshot, user, KeyUsage::UserSigning).await?,
        };
        let mut after = before.clone();
        if let Some(object) = &upload.master {
            let (row, _) = checked(object, user, "master")?;
            if before.master.as_ref().is_none_or(|before| before.public != row.public) {
                after = UserKeys::default();
            }
            after.master = Some(row);
        }
        let master = after.master.as_ref().ok_or(PublishError::NoMasterKey)?;
        let given = [
            (&upload.self_signing, "self_signing", &mut after.self_signing),
            (&upload.user_signing, "user_signing", &mut after.user_signing),
        ];
        let mut any = upload.master.is_some();
        for (object, usage, kept) in given {
            let Some(object) = object else { continue };
            let (row, published) = checked(object, user, usage)?;
            let signature = signature_by(&published, user, master).ok_or(KeyRejected::InvalidSignature)?;
            *kept = Some(CrossSigningKeyRow { signature: Some(signature), ..row });
            any = true;
        }
        if !any {
            return Err(PublishError::NoMasterKey);
        }
        check_names(snapshot, user, &after).await?;
        Ok(Self { before, after })
    }

    /// Whether the keys are there already. Devices may have signed them anew.
    fn is_none(&self) -> bool {
        let key = |row: &Option<CrossSigningKeyRow>| row.as_ref().map(|row| row.key.clone());
        let keys = |keys: &UserKeys| [key(&keys.master), key(&keys.self_signing), key(&keys.user_signing)];
        keys(&self.before) == keys(&self.after)
    }

    async fn batch(
        self,
        snapshot: &Snapshot,
        user: &OwnedUserId,
        upload: &CrossSigningUpload,
    ) -> Result<Batch, PublishError> {
        let is_none = self.is_none();
        let Self { before, after } = self;
        let (mut batch, mut taken) = (Batch::durable(), Taken::default());
        if let (Some(object), Some(master)) = (&upload.master, &after.master) {
            let published = Published::new(object)?;
            taken = put_master_signatures(snapshot, &mut batch, user, &published, &master.public).await?;
        }
        if is_none && taken.new == 0 {
            return Ok(batch);
        }
        change_device_list(snapshot, &mut batch, user).await?;
        if is_none {
            return Ok(batch);
        }
        let changes = [
            (KeyUsage::Master, before.master, after.master),
            (KeyUsage::SelfSigning, before.self_signing, after.self_signing),
            (KeyUsage::UserSigning, before.user_signing, after.user_signing),
        ];
        for (usage, before, after) in changes {
            let key = (user.clone(), usage);
            batch.expect::<CrossSigningKeys>(&key, before.as_ref());
            match after {
                Some(row) => batch.put::<CrossSigningKeys>(&key, &row),
                None => batch.delete::<CrossSigningKeys>(&key),
            }
        }
        Ok(batch)
    }
}

/// Checks a key by itself.
fn checked<'o>(
    object: &'o Object,
    user: &UserId,
    usage: &str,
) -> Result<(CrossSigningKeyRow, Published<'o>), KeyRejected> {
    let published = Published::new(object)?;
    published.expect("user_id", user.as_str())?;
    if !published.texts("usage")?.contains(&usage) {
        return Err(KeyRejected::Malformed("`usage` does not say what the key is used for"));
    }
    let keys = published.keys()?;
    let mut keys = keys.into_iter();
    let (Some((id, public)), None) = (keys.next(), keys.next()) else {
        return Err(KeyRejected::Malformed("a cross-signing key has not exactly one public key"));
    };
    if id.strip_prefix("ed25519:") != Some(public) {
        return Err(KeyRejected::Malformed("a cross-signing key is not named by its public key"));
    }
    verify_key(public)?;
    let key = Tail(published.text.as_str().into());
    Ok((CrossSigningKeyRow { public: public.to_owned(), signature: None, key }, published))
}

/// A public key is never the name of a device: both are asked for in the same way.
async fn check_names(snapshot: &Snapshot, user: &UserId, keys: &UserKeys) -> Result<(), PublishError> {
    let all = [&keys.master, &keys.self_signing, &keys.user_signing];
    let names: Vec<_> =
        all.into_iter().flatten().map(|key| (user.to_owned(), key.public.as_str().into())).collect();
    let devices: Result<Vec<_>, ReadError> = snapshot.get_many::<Devices>(&names).await;
    if devices?.iter().any(Option::is_some) { Err(PublishError::NameClash) } else { Ok(()) }
}
