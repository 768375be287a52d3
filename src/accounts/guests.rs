//! Guest accounts (client-server API, "Guest access").
//!
//! Owns: making them, who may turn one into a full account, the end of those that nobody uses. Does not own: what guests may do: the edge says at which
//! endpoints they are let in, each part what they may do there (it sees them as [`plop_base::Actor::Guest`]); the rows of an account ([`crate::registration`]).
//!
//! Invariants: each guest is on the list of guests, so no account of one stays for ever unused; who of the list is no guest any more leaves it when the
//! time comes to look. An account that has become a full one is not ended.

use std::net::IpAddr;

use plop_base::UnixMillis;
use plop_db::{Batch, Direction, KeyRange, ReadError, Snapshot};
use ruma::OwnedUserId;

use crate::accounts::Accounts;
use crate::deactivation::DeactivationError;
use crate::error::StoreError;
use crate::registration::{Grant, NewAccount, RegisterError, Registered, Status};
use crate::rows::all_rows;
use crate::schema::{Guests, LastSeen, UserKind, Users};
use crate::sessions::{AccountStanding, NewDevice, TokenError};
use crate::uia::Authorized;

/// Guests looked at in one page.
const PAGE: usize = 200;

/// A guest who has shown the access token, and wants to be a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradingGuest(OwnedUserId);

impl Accounts {
    /// Makes a guest of a name that the server chooses, logged in on a device that it chooses, too. Nothing has to be proven.
    pub async fn register_guest(
        &self,
        device_name: Option<String>,
        from: IpAddr,
    ) -> Result<Registered, RegisterError> {
        let parts = self.parts();
        let guests = &parts.parameters.guests;
        if !guests.are_admitted {
            return Err(RegisterError::NoGuests);
        }
        parts.limits.guest(parts.clock.monotonic(), &guests.limits, from)?;
        let device = Some(NewDevice { display_name: device_name, ..NewDevice::default() });
        let account = NewAccount { device, ..NewAccount::default() };
        self.add_account(account, Grant::of_guest()).await
    }

    /// Whether a guest can become a user now: takes the place of [`Accounts::check_registration`], and counts alike. The name must be the guest's.
    pub async fn check_upgrade(
        &self,
        token: &str,
        username: Option<&str>,
        from: Option<IpAddr>,
    ) -> Result<UpgradingGuest, RegisterError> {
        self.registration_flows()?;
        if let Some(from) = from {
            self.count_registration(from)?;
        }
        let session = self.authenticate(token, None).await.map_err(|error| match error {
            TokenError::Unknown | TokenError::Expired => RegisterError::NotThatGuest,
            TokenError::Store(error) => error.into(),
        })?;
        let guest = session.actor.user_id().filter(|_| session.actor.is_guest());
        let guest = guest.filter(|guest| username == Some(guest.localpart()));
        match session.standing {
            AccountStanding::Active | AccountStanding::Suspended => {}
            AccountStanding::Locked => return Err(RegisterError::NotThatGuest),
        }
        Ok(UpgradingGuest(guest.ok_or(RegisterError::NotThatGuest)?.to_owned()))
    }

    /// Makes a guest a user, with what interactive authentication has proven. Rooms, devices and everything else stay.
    pub async fn upgrade_guest(
        &self,
        authorized: Authorized,
        guest: UpgradingGuest,
        account: NewAccount,
    ) -> Result<Registered, RegisterError> {
        self.register_as(authorized, account, Status::FormerGuest(guest.0)).await
    }

    /// Ends the accounts of guests that were not used for as long as guests stay. To be run now and then; its cost follows the number of those that were
    /// looked at for the last time so long ago.
    pub async fn sweep_guests(&self) -> Result<(), StoreError> {
        let parts = self.parts();
        loop {
            let until = parts.clock.now().minus(parts.parameters.guests.lifetime);
            let due = KeyRange::<Guests>::all().to(&until);
            let page = self.snapshot().scan(due, Direction::Forward, PAGE).await?;
            for ((at, guest), ()) in page.rows {
                self.look_at_guest((at, guest), until).await?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    async fn look_at_guest(
        &self,
        (at, guest): (UnixMillis, OwnedUserId),
        until: UnixMillis,
    ) -> Result<(), StoreError> {
        let snapshot = self.snapshot();
        let row = self.active_user(&snapshot, &guest).await?;
        let mut batch = Batch::relaxed();
        if row.is_some_and(|row| row.kind == UserKind::Guest) {
            let seen = all_rows(&snapshot, KeyRange::<LastSeen>::prefix(&guest)).await?;
            match seen.into_iter().map(|(_, seen)| seen.at).max() {
                Some(seen) if seen > until => batch.put::<Guests>(&(seen, guest.clone()), &()),
                Some(_) | None => match self.end_account(&guest, false, Some(UserKind::Guest)).await {
                    // Ended or no guest any more.
                    Ok(()) | Err(DeactivationError::NoAccount | DeactivationError::Forbidden(_)) => {}
                    Err(DeactivationError::Store(error)) => return Err(error),
                },
            }
        }
        batch.delete::<Guests>(&(at, guest));
        self.parts().db.commit(batch).await?;
        Ok(())
    }
}

/// The guests among some users.
pub async fn guests_among(snapshot: &Snapshot, users: &[OwnedUserId]) -> Result<Vec<OwnedUserId>, ReadError> {
    let rows = snapshot.get_many::<Users>(users).await?;
    let guests = users.iter().zip(rows).filter(|(_, row)| {
        row.as_ref().is_some_and(|row| row.kind == UserKind::Guest && row.deactivated.is_none())
    });
    Ok(guests.map(|(user, _)| user.clone()).collect())
}
