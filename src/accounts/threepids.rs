//! E-mail addresses of accounts (client-server API, "Adding Account Administrative Contact Information").
//!
//! Owns: which account has which addresses. Does not own: proving that an address is one's own ([`crate::email_validation`]).
//!
//! Invariants: an address belongs to one account at most, whoever proves it how often at the same time; the list of an account and the owners by
//! address say the same; an account has at most [`MAX_ADDRESSES`]. There is no identity server: nothing is bound or unbound anywhere.

use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, CommitError, KeyRange, Keyspace as _, ReadError, Snapshot};
use ruma::OwnedUserId;

use crate::accounts::Accounts;
use crate::authority::{Forbidden, own_account};
use crate::email_address::EmailAddress;
use crate::email_validation::NotValidated;
use crate::error::StoreError;
use crate::rows::all_rows;
use crate::schema::{EmailAddressRow, EmailAddresses, EmailOwners, Users};
use crate::uia::{Authorized, UiaOperation};
use crate::validation_session::{EmailPurpose, ValidatedAddress};

/// Most addresses of one account.
pub const MAX_ADDRESSES: usize = 20;

/// Why an address is not added or removed.
#[derive(Debug, thiserror::Error)]
pub enum ThreepidError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    NotValidated(#[from] NotValidated),
    #[error("another account has this address")]
    InUse,
    #[error("the account has {MAX_ADDRESSES} addresses already")]
    TooMany,
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives a proven address to an account, in a batch that is refused if anybody has it.
pub(crate) fn put_address(batch: &mut Batch, user: &OwnedUserId, proven: &ValidatedAddress, now: UnixMillis) {
    batch.expect::<EmailOwners>(&proven.address, None);
    batch.put::<EmailOwners>(&proven.address, user);
    let row = EmailAddressRow { validated: proven.at, added: now };
    batch.put::<EmailAddresses>(&(user.clone(), proven.address.clone()), &row);
}

/// Takes all addresses from an account that ends.
pub(crate) async fn delete_addresses(
    snapshot: &Snapshot,
    batch: &mut Batch,
    user: &OwnedUserId,
) -> Result<(), ReadError> {
    for ((_, address), _) in all_rows(snapshot, KeyRange::<EmailAddresses>::prefix(user)).await? {
        batch.delete::<EmailOwners>(&address);
    }
    batch.delete_range(KeyRange::<EmailAddresses>::prefix(user));
    Ok(())
}

impl Accounts {
    /// The actor's addresses, in their order.
    pub async fn addresses(
        &self,
        actor: &Actor,
    ) -> Result<Vec<(EmailAddress, EmailAddressRow)>, ThreepidError> {
        let user = own_account(actor)?.to_owned();
        let rows = all_rows(&self.snapshot(), KeyRange::<EmailAddresses>::prefix(&user)).await;
        let rows = rows.map_err(StoreError::from)?;
        Ok(rows.into_iter().map(|((_, address), row)| (address, row)).collect())
    }

    /// Adds a proven address to the actor's account, and uses the proof up. One that the account has already stays.
    pub async fn add_address(
        &self,
        actor: &Actor,
        authorized: Authorized,
        sid: &str,
        client_secret: &str,
    ) -> Result<(), ThreepidError> {
        let user = own_account(actor)?.to_owned();
        authorized.check(&user, &UiaOperation::AddAddress)?;
        let proven = self.validated(EmailPurpose::AddAddress, sid, client_secret)?;
        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let row = self.active_user(&snapshot, &user).await.map_err(StoreError::from)?;
        let row = row.ok_or(ThreepidError::NoAccount)?;
        match snapshot.get::<EmailOwners>(&proven.address).await.map_err(StoreError::from)? {
            Some(owner) if owner == user => {
                self.use_up(&proven);
                return Ok(());
            }
            Some(_) => return Err(ThreepidError::InUse),
            None => {}
        }
        let present = all_rows(&snapshot, KeyRange::<EmailAddresses>::prefix(&user)).await;
        if present.map_err(StoreError::from)?.len() >= MAX_ADDRESSES {
            return Err(ThreepidError::TooMany);
        }
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&row));
        put_address(&mut batch, &user, &proven, self.parts().clock.now());
        match self.parts().db.commit_under(guard, batch).await {
            Ok(_) => {
                self.use_up(&proven);
                Ok(())
            }
            Err(CommitError::Conflict { keyspace: EmailOwners::NAME, .. }) => Err(ThreepidError::InUse),
            Err(error) => Err(StoreError::from(error).into()),
        }
    }

    /// Takes an address from the actor's account. One that it does not have is gone already.
    pub async fn delete_address(&self, actor: &Actor, address: &str) -> Result<(), ThreepidError> {
        let user = own_account(actor)?.to_owned();
        let Ok(address) = EmailAddress::parse(address) else { return Ok(()) };
        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let owner = self.snapshot().get::<EmailOwners>(&address).await.map_err(StoreError::from)?;
        if owner.as_ref() != Some(&user) {
            return Ok(());
        }
        let mut batch = Batch::durable();
        batch.delete::<EmailOwners>(&address);
        batch.delete::<EmailAddresses>(&(user, address));
        self.parts().db.commit_under(guard, batch).await.map_err(StoreError::from)?;
        Ok(())
    }
}
