//! Names and pictures that go with presence, read once for all who are told of it.
//!
//! Owns: a bounded memory of them. Does not own: the profiles, whose presence changed when ([`crate::presence_rooms`]).
//!
//! Invariants: what is kept of a user was read after their last change, and a new name or picture is one: it is read anew then. Of whom no change is
//! filed nothing is kept.

use std::sync::Arc;

use plop_accounts::profile::{MemberProfile, member_profiles};
use plop_db::{Db, ReadError};
use plop_ephemeral::LivePosition;
use quick_cache::sync::Cache;
use ruma::OwnedUserId;

use crate::presence_rooms::PresenceRooms;

/// Users whose name and picture are kept; 20 MB at the longest ones.
const CACHED: usize = 10_000;

/// Names and pictures as of a change of presence.
pub struct PresenceProfiles(Cache<OwnedUserId, (LivePosition, Arc<MemberProfile>)>);

impl Default for PresenceProfiles {
    fn default() -> Self {
        Self(Cache::new(CACHED))
    }
}

impl PresenceProfiles {
    /// The names and pictures of users, in their order.
    pub async fn of(
        &self,
        db: &Db,
        filed: &PresenceRooms,
        users: &[OwnedUserId],
    ) -> Result<Vec<Arc<MemberProfile>>, ReadError> {
        // First: what is read after it is no older.
        let changes = filed.last_changes(users);
        let kept = |(user, change): (&OwnedUserId, &Option<LivePosition>)| {
            let (at, profile) = self.0.get(user)?;
            (Some(at) == *change).then_some(profile)
        };
        let mut profiles: Vec<Option<Arc<MemberProfile>>> = users.iter().zip(&changes).map(kept).collect();
        let missing = users.iter().zip(&profiles).filter(|(_, profile)| profile.is_none());
        let missing: Vec<OwnedUserId> = missing.map(|(user, _)| user.clone()).collect();
        if missing.is_empty() {
            return Ok(profiles.into_iter().flatten().collect());
        }
        let mut read = member_profiles(&db.snapshot(), &missing).await?.into_iter().map(Arc::new);
        for ((user, change), profile) in users.iter().zip(changes).zip(&mut profiles) {
            if profile.is_none() {
                *profile = read.next();
                if let (Some(change), Some(profile)) = (change, profile) {
                    self.0.insert(user.clone(), (change, Arc::clone(profile)));
                }
            }
        }
        Ok(profiles.into_iter().map(Option::unwrap_or_default).collect())
    }
}
