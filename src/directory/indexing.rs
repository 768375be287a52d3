//! The entries follow the names.
//!
//! Owns: working off the list of users whose names may have changed ([`plop_accounts::directory_updates`]). Does not own: the list, the names.
//!
//! Invariants: an entry and the end of its place on the list are one batch that *expects* that place, so what a crash or another change interrupts is
//! done again. One call does a bounded number of users at a time.

use plop_accounts::profile::member_profiles;
use plop_accounts::schema::{DirectoryUpdates, UserKind, UserRow, Users};
use plop_db::{Batch, CommitError, Direction, KeyRange, ReadError, Snapshot, changed_stream};
use plop_rooms::schema::{Members, Membership, UserRooms};
use ruma::OwnedUserId;

use crate::directory::Directory;
use crate::schema::{Entries, EntryRow, Words};
use crate::words::words;

/// Users whose entries are written in one batch.
const USERS_AT_ONCE: usize = 50;
/// Rooms whose names of a user of another server are in the entry.
const MAX_ROOMS: usize = 200;
/// Words of one entry.
const MAX_WORDS: usize = 64;
/// How often a batch is tried that other changes upset.
const ATTEMPTS: usize = 4;
/// Batches that a search waits for.
const MAX_AHEAD: usize = 20;

/// The store did not do its part; the list is worked off later.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl Directory {
    /// Works off the list, for ever: for a background task.
    pub async fn run(&self) -> Result<(), FollowError> {
        let mut publications = self.parts().db.subscribe();
        loop {
            self.catch_up().await?;
            if !changed_stream::<DirectoryUpdates>(&mut publications).await {
                return Ok(());
            }
        }
    }

    /// Works off what is on the list now.
    pub async fn catch_up(&self) -> Result<(), FollowError> {
        while self.step().await? {}
        Ok(())
    }

    /// The same before a search, as far as that can wait: what was acknowledged before is found. While the store takes no writes, what was indexed
    /// before is.
    pub(crate) async fn catch_up_for_search(&self) -> Result<(), ReadError> {
        for _ in 0..MAX_AHEAD {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(FollowError::Read(error)) => return Err(error),
                Err(FollowError::Commit(error)) => {
                    tracing::debug!(%error, "the user directory is behind");
                    break;
                }
            }
        }
        Ok(())
    }

    /// Brings some users up to date; whether there may be more.
    async fn step(&self) -> Result<bool, FollowError> {
        let first = KeyRange::<DirectoryUpdates>::all();
        let parts = self.parts();
        if parts.db.snapshot().scan(first.clone(), Direction::Forward, 1).await?.rows.is_empty() {
            return Ok(false);
        }
        let _turn = parts.indexing.lock().await;
        for _ in 1..ATTEMPTS {
            let snapshot = parts.db.snapshot();
            let listed = snapshot.scan(first.clone(), Direction::Forward, USERS_AT_ONCE).await?;
            let users: Vec<OwnedUserId> = listed.rows.iter().map(|(user, _)| user.clone()).collect();
            let before = snapshot.get_many::<Entries>(&users).await?;
            let entries = self.entries(&snapshot, &users).await?;
            // May be lost by a power cut, list and entry together.
            let mut batch = Batch::relaxed();
            for ((listed, before), entry) in listed.rows.iter().zip(before).zip(entries) {
                batch.expect::<DirectoryUpdates>(&listed.0, Some(&listed.1));
                batch.delete::<DirectoryUpdates>(&listed.0);
                replace(&mut batch, &listed.0, before.unwrap_or_default(), entry);
            }
            match parts.db.commit(batch).await {
                Ok(_) => return Ok(listed.more),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// The entries that users have by their names as they are now; an empty one for who is not to be found.
    async fn entries(&self, snapshot: &Snapshot, users: &[OwnedUserId]) -> Result<Vec<EntryRow>, ReadError> {
        let accounts = snapshot.get_many::<Users>(users).await?;
        let profiles = member_profiles(snapshot, users).await?;
        let mut entries = Vec::with_capacity(users.len());
        for ((user, account), profile) in users.iter().zip(accounts).zip(profiles) {
            let names = if !self.is_local(user) {
                names_in_rooms(snapshot, user).await?
            } else if account.as_ref().is_some_and(is_listed) {
                Some(profile.displayname.into_iter().collect())
            } else {
                None
            };
            entries.push(names.map_or_else(EntryRow::default, |names| entry(user, &names)));
        }
        Ok(entries)
    }
}

/// Whether others find a user of this server: not one whose account has ended, nor a guest.
fn is_listed(account: &UserRow) -> bool {
    account.deactivated.is_none() && account.kind == UserKind::Regular
}

/// The names that a user has in rooms; `None` for one who is in none.
async fn names_in_rooms(snapshot: &Snapshot, user: &OwnedUserId) -> Result<Option<Vec<String>>, ReadError> {
    let rooms = snapshot.scan(KeyRange::<UserRooms>::prefix(user), Direction::Forward, MAX_ROOMS).await?;
    let joined = rooms.rows.into_iter().filter(|(_, row)| row.membership == Membership::Join);
    let keys: Vec<_> = joined.map(|((user, room), _)| (room, user)).collect();
    if keys.is_empty() {
        return Ok(None);
    }
    let members = snapshot.get_many::<Members>(&keys).await?;
    let mut names: Vec<String> = members.into_iter().filter_map(|member| member?.displayname).collect();
    names.sort_unstable();
    names.dedup();
    Ok(Some(names))
}

fn entry(user: &OwnedUserId, names: &[String]) -> EntryRow {
    let mut all = words(user.localpart());
    all.extend(names.iter().flat_map(|name| words(name)));
    all.truncate(MAX_WORDS);
    all.sort_unstable();
    all.dedup();
    EntryRow { words: all }
}

fn replace(batch: &mut Batch, user: &OwnedUserId, before: EntryRow, entry: EntryRow) {
    for word in before.words.iter().filter(|word| !entry.words.contains(word)) {
        batch.delete::<Words>(&(word.clone(), user.clone()));
    }
    for word in entry.words.iter().filter(|word| !before.words.contains(word)) {
        batch.put::<Words>(&(word.clone(), user.clone()), &());
    }
    if entry.words.is_empty() {
        batch.delete::<Entries>(user);
    } else {
        batch.put::<Entries>(user, &entry);
    }
}
