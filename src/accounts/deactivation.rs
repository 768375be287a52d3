//! The end of an account (client-server API, "Account deactivation").
//!
//! What a user had on the server goes in one batch: devices, tokens, e-mail addresses, profile, account data, filters, thread
//! subscriptions, pushers. What stays is the name, so that nobody else gets it; the password's hash, so that only its owner is told that
//! the account is deactivated; and whether erasure was asked for, by which readers of rooms go. Rooms are left afterwards
//! ([`crate::member_updates`]).

use plop_base::Actor;
use plop_db::{Batch, KeyRange, ReadError, Snapshot};
use ruma::UserId;

use crate::accounts::Accounts;
use crate::authority::{Forbidden, own_account};
use crate::device_lists::change_list_of_ended;
use crate::device_rows::{Which, delete_rows};
use crate::directory_updates::note_directory_update;
use crate::ended_accounts::note_ended_account;
use crate::error::StoreError;
use crate::member_updates::note_member_update;
use crate::openid::delete_openid_tokens;
use crate::pushers::delete_pushers;
use crate::schema::{
    AcceptedTerms, AccountData, AccountDataChanges, AccountDataTotals, DeactivationRow, Filters, Profiles,
    ThreadSubscriptionChanges, ThreadSubscriptionTotals, ThreadSubscriptions, UserKind, UserRow, Users,
};
use crate::threepids::delete_addresses;
use crate::uia::{Authorized, UiaOperation};

/// Why an account is not deactivated.
#[derive(Debug, thiserror::Error)]
pub enum DeactivationError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// Deactivated already, or never there.
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Deactivates the actor's account, for ever.
    pub async fn deactivate(
        &self,
        actor: &Actor,
        authorized: Authorized,
        erase: bool,
    ) -> Result<(), DeactivationError> {
        let user = own_account(actor)?;
        authorized.check(user, &UiaOperation::Deactivate)?;
        self.end_account(user, erase, None).await
    }

    /// Ends an account, if it is of this kind.
    pub(crate) async fn end_account(
        &self,
        user: &UserId,
        erase: bool,
        kind: Option<UserKind>,
    ) -> Result<(), DeactivationError> {
        let user = user.to_owned();
        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let row = self.active_user(&snapshot, &user).await.map_err(StoreError::from)?;
        let row = row.filter(|row| kind.is_none_or(|kind| row.kind == kind));
        let row = row.ok_or(DeactivationError::NoAccount)?;
        let now = self.parts().clock.now();
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&row));
        let deactivated = Some(DeactivationRow { at: now, erase });
        batch.put::<Users>(&user, &UserRow { deactivated, admin: false, ..row });
        let devices = delete_rows(&snapshot, &mut batch, (&user, now), Which::All).await;
        let (_, ended) = devices.map_err(StoreError::from)?;
        change_list_of_ended(&snapshot, &mut batch, &user).await.map_err(StoreError::from)?;
        batch.delete_range(KeyRange::<Profiles>::prefix(&user));
        batch.delete_range(KeyRange::<AccountData>::prefix(&user));
        batch.delete_range(KeyRange::<AccountDataChanges>::prefix(&user));
        batch.delete::<AccountDataTotals>(&user);
        batch.delete_range(KeyRange::<Filters>::prefix(&user));
        batch.delete_range(KeyRange::<AcceptedTerms>::prefix(&user));
        batch.delete_range(KeyRange::<ThreadSubscriptions>::prefix(&user));
        batch.delete_range(KeyRange::<ThreadSubscriptionChanges>::prefix(&user));
        batch.delete::<ThreadSubscriptionTotals>(&user);
        delete_addresses(&snapshot, &mut batch, &user).await.map_err(StoreError::from)?;
        delete_openid_tokens(&snapshot, &mut batch, &user).await.map_err(StoreError::from)?;
        let pushers = delete_pushers(&snapshot, &mut batch, &user, |_| true).await;
        pushers.map_err(StoreError::from)?;
        note_member_update(&mut batch, &user);
        note_ended_account(&mut batch, &user);
        note_directory_update(&mut batch, &user);
        self.commit_ending(batch, ended, &guard).await.map_err(StoreError::from)?;
        Ok(())
    }
}

/// Whether a user's account has ended with the wish for erasure: who comes to a room later gets what they sent redacted.
pub async fn is_erased(snapshot: &Snapshot, user: &UserId) -> Result<bool, ReadError> {
    let row = snapshot.get::<Users>(&user.to_owned()).await?;
    Ok(row.and_then(|row| row.deactivated).is_some_and(|deactivated| deactivated.erase))
}
