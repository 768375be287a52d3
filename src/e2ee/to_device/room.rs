//! How much room there is in inboxes: by device, and by user.
//!
//! Owns: what waits for the devices of a user, whether more may come, what is to go where it is too much. Does not own: the counts, which change with the
//! messages ([`super::rows`]).
//!
//! Invariants: what waits for a user is the sum of what is counted for each device, those included that ended and have not been swept: so it is right whenever they are.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use plop_db::{Counter, KeyRange, Pages, ReadError, Snapshot};
use ruma::{OwnedUserId, UserId};

use super::{KEPT_INBOX_BYTES, KEPT_USER_BYTES, MAX_INBOX_BYTES, MAX_USER_BYTES};
use crate::schema::{Inbox, ToDeviceBytes};

/// Inboxes in one page: those of most users, by far.
const PAGE: usize = 250;
/// Users whose inboxes are looked at at once: who waits for the disk waits for several.
const AT_ONCE: usize = 16;

/// Whether an inbox takes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    /// It does; the oldest messages are to go.
    Little,
    /// It does not; the oldest messages are to go.
    None,
}

/// What waits for users.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    inboxes: BTreeMap<Inbox, i64>,
    users: BTreeMap<OwnedUserId, i64>,
}

impl Waiting {
    /// For these users.
    pub async fn of(
        snapshot: &Snapshot,
        users: impl IntoIterator<Item = OwnedUserId>,
    ) -> Result<Self, ReadError> {
        let one = |user: OwnedUserId| {
            let snapshot = snapshot.clone();
            async move { Ok::<_, ReadError>((waiting_for(&snapshot, &user).await?, user)) }
        };
        let read = stream::iter(users.into_iter().map(one)).buffered(AT_ONCE);
        let all: Vec<(Vec<(Inbox, i64)>, OwnedUserId)> = read.try_collect().await?;
        let mut waiting = Self::default();
        for (inboxes, user) in all {
            waiting.users.insert(user, inboxes.iter().map(|(_, bytes)| bytes).sum());
            waiting.inboxes.extend(inboxes);
        }
        Ok(waiting)
    }

    /// What there is for one more message.
    pub fn room(&self, inbox: &Inbox) -> Room {
        let in_inbox = self.inboxes.get(inbox).copied().unwrap_or_default();
        let of_user = self.users.get(&inbox.0).copied().unwrap_or_default();
        if in_inbox >= MAX_INBOX_BYTES || of_user >= MAX_USER_BYTES {
            Room::None
        } else if in_inbox > KEPT_INBOX_BYTES || of_user > KEPT_USER_BYTES {
            Room::Little
        } else {
            Room::Enough
        }
    }
}

/// The inboxes of a user that are to be cut down where some are too full: each with the bytes that stay. Of the others those that hold most, and only if
/// all of them together hold too much.
pub(super) async fn too_full(
    snapshot: &Snapshot,
    user: &UserId,
    full: &[Inbox],
) -> Result<Vec<(Inbox, i64)>, ReadError> {
    let waiting = waiting_for(snapshot, user).await?;
    let level = level(waiting.iter().map(|(_, bytes)| *bytes).collect(), KEPT_USER_BYTES);
    let kept = waiting.into_iter().filter_map(|(other, bytes)| {
        let kept = if full.contains(&other) { level.min(KEPT_INBOX_BYTES) } else { level };
        (bytes > kept).then_some((other, kept))
    });
    Ok(kept.collect())
}

/// To what each of these has to come down, those that are above, so that all of them together are no more than `most`.
fn level(mut each: Vec<i64>, most: i64) -> i64 {
    each.sort_unstable();
    let (mut rest, mut left) = (most, each.len());
    for one in each {
        let share = rest / i64::try_from(left).unwrap_or(i64::MAX).max(1);
        if one > share {
            return share;
        }
        rest -= one;
        left -= 1;
    }
    i64::MAX
}

async fn waiting_for(snapshot: &Snapshot, user: &UserId) -> Result<Vec<(Inbox, i64)>, ReadError> {
    let mut pages = Pages::new(KeyRange::<ToDeviceBytes>::prefix(&user.to_owned()), PAGE);
    let mut all = Vec::new();
    while let Some(rows) = pages.next(snapshot).await? {
        all.extend(rows.into_iter().map(|(inbox, Counter(bytes))| (inbox, bytes)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_hold_most_come_down_to_what_is_left_for_them() {
        for (each, most, expected) in [
            (vec![], 10, i64::MAX),
            (vec![3, 3, 4], 10, i64::MAX),
            (vec![3, 3, 5], 10, 4),
            (vec![100, 1, 1], 10, 8),
            (vec![100, 1, 100], 10, 4),
            (vec![100; 50], 10, 0),
        ] {
            let found = level(each.clone(), most);
            assert_eq!(found, expected, "{each:?}");
            assert!(each.into_iter().map(|one| one.min(found)).sum::<i64>() <= most);
        }
    }
}
