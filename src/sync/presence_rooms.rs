//! Whose presence changed, by room, in memory.
//!
//! Owns: [`PresenceRooms`]: each user whose presence changed, filed under the rooms that they are in. Does not own: what it is, who may see it.
//!
//! Invariants: whoever looks catches up first, and one of those who look at once does it for all. A user is filed once, at the newest change, under the rooms
//! of that time. At most [`MAX_USERS`] in [`MAX_PLACES`] places are kept. A question about what is forgotten, or was before this process, is not answered.
//!
//! So what a look costs follows the changes in the reader's rooms, not those of all users.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use plop_base::changes::ChangeLog;
use plop_db::ReadError;
use plop_ephemeral::{LivePosition, Presence};
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, UserId};
use tokio::sync::Mutex as AsyncMutex;

use crate::changes::SharedChanges;
use crate::memberships::{Memberships, UserRoomSet};
use crate::turns::take_turns;

/// Pairs of a user and a room that are kept; some 20 MB.
const MAX_PLACES: usize = 400_000;
/// Users who are filed, also those who are in no room.
const MAX_USERS: usize = 100_000;
/// Rooms whose last change is remembered.
const MAX_ROOMS: usize = 100_000;
/// Users who are filed before others get a turn.
const USERS_AT_ONCE: usize = 64;

/// Where to look what changed, and who is in which room.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub presence: &'a Presence,
    pub memberships: &'a Memberships,
    pub changes: &'a SharedChanges,
}

/// Users whose presence changed, by room.
pub struct PresenceRooms {
    /// Held by the one who catches up.
    filing: AsyncMutex<()>,
    filed: Mutex<Filed>,
}

impl PresenceRooms {
    /// Nothing is filed yet of what changed after a position.
    pub fn new(reached: LivePosition) -> Self {
        Self { filing: AsyncMutex::default(), filed: Mutex::new(Filed::new(reached)) }
    }

    /// Others whose presence changed after a position and who are in a room that the reader is in; `None` when that is not known.
    pub async fn changed(
        &self,
        sources: Sources<'_>,
        (user, rooms): (&UserId, &UserRoomSet),
        after: LivePosition,
    ) -> Result<Option<BTreeSet<OwnedUserId>>, ReadError> {
        self.catch_up(sources).await?;
        let met = self.filed().met(rooms, after);
        let Some(met) = met else { return Ok(None) };
        let mut changed = BTreeSet::new();
        for (index, (other, met_in)) in met.into_iter().enumerate() {
            take_turns(index, USERS_AT_ONCE).await;
            if other == user {
                continue;
            }
            // Who has left since is nobody whom the reader sees.
            let theirs = sources.memberships.of(&other, sources.changes).await?;
            if met_in.iter().any(|room| theirs.joined.contains_key(room)) {
                changed.insert(other);
            }
        }
        Ok(Some(changed))
    }

    /// Where each of some users changed last, as far as that is filed.
    pub fn last_changes(&self, users: &[OwnedUserId]) -> Vec<Option<LivePosition>> {
        let filed = self.filed();
        users.iter().map(|user| filed.users.get(user).copied()).collect()
    }

    async fn catch_up(&self, sources: Sources<'_>) -> Result<(), ReadError> {
        let Sources { presence, memberships, changes } = sources;
        if self.filed().reached == presence.position() {
            return Ok(());
        }
        let _one = self.filing.lock().await;
        let reached = self.filed().reached;
        let Some(changed) = presence.changes_since(reached) else {
            *self.filed() = Filed::new(presence.position());
            return Ok(());
        };
        for (index, (place, user)) in changed.into_iter().enumerate() {
            take_turns(index, USERS_AT_ONCE).await;
            let rooms = memberships.of(&user, changes).await?;
            self.filed().file(user, place, rooms.joined.keys().copied().collect());
        }
        Ok(())
    }

    fn filed(&self) -> MutexGuard<'_, Filed> {
        // Nothing in between panics.
        self.filed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is filed.
struct Filed {
    /// Every change up to here is, unless it is forgotten.
    reached: LivePosition,
    /// Changes at or below it may be forgotten.
    floor: LivePosition,
    users: BTreeMap<OwnedUserId, LivePosition>,
    /// Who changed there, and the rooms that they are filed under.
    changes: BTreeMap<LivePosition, (OwnedUserId, Vec<RoomNumber>)>,
    places: BTreeSet<(RoomNumber, LivePosition)>,
    /// When somebody in a room changed last.
    rooms: ChangeLog<RoomNumber, LivePosition>,
}

impl Filed {
    fn new(reached: LivePosition) -> Self {
        Self {
            reached,
            floor: reached,
            users: BTreeMap::new(),
            changes: BTreeMap::new(),
            places: BTreeSet::new(),
            rooms: ChangeLog::new(reached, MAX_ROOMS),
        }
    }

    /// Files a user, whose change is the newest.
    fn file(&mut self, user: OwnedUserId, place: LivePosition, rooms: Vec<RoomNumber>) {
        if let Some(before) = self.users.insert(user.clone(), place) {
            self.remove(before);
        }
        for room in &rooms {
            self.places.insert((*room, place));
            self.rooms.record(room, place);
        }
        self.changes.insert(place, (user, rooms));
        self.reached = place;
        while (self.places.len() > MAX_PLACES || self.changes.len() > MAX_USERS)
            && let Some(first) = self.changes.keys().next().copied()
        {
            if let Some(user) = self.remove(first) {
                self.users.remove(&user);
            }
            self.floor = first;
        }
    }

    fn remove(&mut self, place: LivePosition) -> Option<OwnedUserId> {
        let (user, rooms) = self.changes.remove(&place)?;
        for room in rooms {
            self.places.remove(&(room, place));
        }
        Some(user)
    }

    /// Who is filed after a position under rooms that a reader is in, and under which of them.
    fn met(&self, reader: &UserRoomSet, after: LivePosition) -> Option<Vec<(OwnedUserId, Vec<RoomNumber>)>> {
        if after.start != self.reached.start || !(self.floor..=self.reached).contains(&after) {
            return None;
        }
        let mut met: BTreeMap<LivePosition, Vec<RoomNumber>> = BTreeMap::new();
        for room in reader.joined_of(&self.rooms, after)? {
            let newer = (Bound::Excluded((room, after)), Bound::Included((room, self.reached)));
            for (_, place) in self.places.range(newer) {
                met.entry(*place).or_default().push(room);
            }
        }
        let with_user = |(place, rooms)| Some((self.changes.get(&place)?.0.clone(), rooms));
        Some(met.into_iter().filter_map(with_user).collect())
    }
}

#[cfg(test)]
mod tests {
    use plop_ephemeral::ProcessStart;

    use super::*;

    fn at(counter: u64) -> LivePosition {
        LivePosition { start: ProcessStart(1), counter }
    }

    fn user(number: u64) -> OwnedUserId {
        OwnedUserId::try_from(format!("@u{number}:plop.example")).expect("a user id")
    }

    #[test]
    fn a_user_is_filed_once_and_the_oldest_are_forgotten_beyond_the_bound() {
        const ROOMS: usize = 5_000;
        let rooms: Vec<RoomNumber> = (0..5_000).map(RoomNumber).collect();
        let most = (MAX_PLACES / ROOMS) as u64;
        let mut filed = Filed::new(at(0));
        for counter in 1..=most {
            filed.file(user(counter), at(counter), rooms.clone());
        }
        assert_eq!((filed.floor, filed.places.len()), (at(0), MAX_PLACES));
        // One who changes again takes no more.
        filed.file(user(2), at(most + 1), rooms.clone());
        assert_eq!((filed.floor, filed.places.len()), (at(0), MAX_PLACES));
        filed.file(user(most + 1), at(most + 2), rooms.clone());
        assert_eq!((filed.floor, filed.places.len()), (at(1), MAX_PLACES));
        assert!(!filed.users.contains_key(&user(1)) && filed.users.contains_key(&user(2)));
        filed.file(user(most + 1), at(most + 3), Vec::new());
        assert_eq!(filed.places.len(), MAX_PLACES - ROOMS);
        assert_eq!((filed.users.len(), filed.changes.len(), filed.reached), (80, 80, at(most + 3)));
    }
}
