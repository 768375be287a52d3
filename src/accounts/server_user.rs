//! The user in whose name the server speaks (client-server API, "Server Notices").
//!
//! Owns: that there is one, and what others see of it. Does not own: what it says.
//!
//! Invariants: nobody logs in as it, and it has no password and no device; an account of somebody is never taken for it.

use plop_db::Batch;
use ruma::UserId;

use crate::accounts::Accounts;
use crate::error::StoreError;
use crate::member_updates::note_member_update;
use crate::profile::{MemberProfile, member_profile, put_member_profile};
use crate::schema::{UserKind, UserRow, Users};

/// Why there is no such user.
#[derive(Debug, thiserror::Error)]
pub enum ServerUserError {
    #[error("the user name that the server is to speak in is somebody's account")]
    Taken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Makes the server's user where it is not there yet, and gives it this profile; rooms follow a new one.
    pub async fn ensure_server_user(
        &self,
        user: &UserId,
        profile: &MemberProfile,
    ) -> Result<(), ServerUserError> {
        let user = user.to_owned();
        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let row = snapshot.get::<Users>(&user).await.map_err(StoreError::from)?;
        if row.as_ref().is_some_and(|row| row.kind != UserKind::Server || row.deactivated.is_some()) {
            return Err(ServerUserError::Taken);
        }
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, row.as_ref());
        if row.is_some() {
            if member_profile(&snapshot, &user).await.map_err(StoreError::from)? == *profile {
                return Ok(());
            }
            note_member_update(&mut batch, &user);
        } else {
            let row = UserRow {
                kind: UserKind::Server,
                created: self.parts().clock.now(),
                password: None,
                admin: false,
                locked: false,
                suspended: false,
                deactivated: None,
            };
            batch.put::<Users>(&user, &row);
        }
        put_member_profile(&mut batch, &user, profile);
        self.parts().db.commit_under(guard, batch).await.map_err(StoreError::from)?;
        Ok(())
    }
}
