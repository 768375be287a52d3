//! Which inboxes may hold messages, as far as memory knows.
//!
//! Owns: that most syncs, whose device has no messages, cost no read. Does not own: the messages.
//!
//! Invariants: what is known is never less than what is stored: an inbox that is taken for empty is empty. Every commit of messages is noted
//! before it is published; what has not been read since the entry was made is not known. The number of entries is bounded: one that
//! makes room is not known again.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plop_db::Position;
use quick_cache::sync::Cache;
use ruma::{OwnedDeviceId, OwnedUserId};

/// Devices that sync now and then. Each takes some 200 bytes.
const KNOWN_INBOXES: usize = 50_000;

/// The owner of an inbox.
pub(super) type Owner = (OwnedUserId, OwnedDeviceId);

/// What is known, by owner.
pub(super) struct KnownInboxes(Cache<Owner, Arc<KnownInbox>>);

/// What is known of one inbox.
#[derive(Default)]
pub(super) struct KnownInbox(Mutex<Knowledge>);

#[derive(Default)]
struct Knowledge {
    /// The inbox has been read.
    read: bool,
    /// No message is below. Once the inbox has been read, `None` says that there are no messages.
    oldest: Option<Position>,
    /// The last message that was noted.
    newest: Option<Position>,
}

impl Default for KnownInboxes {
    fn default() -> Self {
        Self(Cache::new(KNOWN_INBOXES))
    }
}

impl KnownInboxes {
    /// Messages became part of the store. To be called in commit order, before the commit is published.
    pub fn note(&self, owners: &[Owner], position: Position) {
        for known in owners.iter().filter_map(|owner| self.0.get(owner)) {
            let mut knowledge = known.lock();
            knowledge.oldest.get_or_insert(position);
            knowledge.newest = Some(position);
        }
    }

    /// Whether the inbox holds nothing at or below `position`.
    pub fn holds_nothing_up_to(&self, owner: &Owner, position: Position) -> bool {
        self.0.get(owner).is_some_and(|known| {
            let knowledge = known.lock();
            knowledge.read && knowledge.oldest.is_none_or(|oldest| position < oldest)
        })
    }

    /// The entry of an inbox that is about to be read: taken before the snapshot, so that it is told of every message that the snapshot
    /// does not hold.
    pub fn entry(&self, owner: &Owner) -> Arc<KnownInbox> {
        let Ok(entry) = self.0.get_or_insert_with(owner, || Ok::<_, Infallible>(Arc::default()));
        entry
    }
}

impl KnownInbox {
    /// A snapshot at `position` holds these messages and none before.
    pub fn has_been_read(&self, oldest: Option<Position>, position: Position) {
        let mut knowledge = self.lock();
        knowledge.read = true;
        // What the snapshot does not hold is above its position.
        let newer = knowledge.newest.filter(|newest| *newest > position).map(|_| position);
        knowledge.oldest = oldest.or(newer);
    }

    fn lock(&self) -> MutexGuard<'_, Knowledge> {
        // Each holder leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_device_id, owned_user_id};

    use super::*;

    fn at(number: u8) -> Position {
        let mut bytes = [0; 12];
        bytes[7] = number;
        Position::from_bytes(bytes)
    }

    #[test]
    fn an_inbox_is_empty_only_when_it_was_read_and_nothing_came_since() {
        let (inboxes, owner) = (KnownInboxes::default(), (owned_user_id!("@a:b"), owned_device_id!("D")));
        let is_empty = || inboxes.holds_nothing_up_to(&owner, Position::pending(0));
        assert!(!is_empty());
        inboxes.note(std::slice::from_ref(&owner), at(1));
        let entry = inboxes.entry(&owner);
        assert!(!is_empty(), "not read yet");
        entry.has_been_read(None, at(1));
        assert!(is_empty());

        inboxes.note(std::slice::from_ref(&owner), at(5));
        inboxes.note(std::slice::from_ref(&owner), at(7));
        assert!(inboxes.holds_nothing_up_to(&owner, at(4)));
        assert!(!inboxes.holds_nothing_up_to(&owner, at(5)));
        entry.has_been_read(Some(at(7)), at(7));
        assert!(inboxes.holds_nothing_up_to(&owner, at(6)));
        assert!(!is_empty());
    }

    #[test]
    fn a_message_that_comes_while_the_inbox_is_read_is_not_forgotten() {
        let (inboxes, owner) = (KnownInboxes::default(), (owned_user_id!("@a:b"), owned_device_id!("D")));
        let (first, second) = (inboxes.entry(&owner), inboxes.entry(&owner));
        // Two readers took their snapshots at 3 and at 5; the message at 4 is gone in the second one.
        inboxes.note(std::slice::from_ref(&owner), at(4));
        second.has_been_read(None, at(5));
        assert!(inboxes.holds_nothing_up_to(&owner, at(9)));
        first.has_been_read(None, at(3));
        assert!(inboxes.holds_nothing_up_to(&owner, at(2)));
        assert!(!inboxes.holds_nothing_up_to(&owner, at(4)), "more than there is, never less");
        inboxes.note(std::slice::from_ref(&owner), at(6));
        assert!(!inboxes.holds_nothing_up_to(&owner, at(6)));
    }
}
