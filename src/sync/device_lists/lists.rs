//! Whose list changed, of those with whom the reader shares a room, and whose keys look different to the reader alone.
//!
//! Owns: reading that, from memory where it is remembered. Does not own: who shares a room since.

use std::collections::BTreeSet;

use plop_accounts::schema::DeviceListChanges;
use plop_db::{KeyRange, Pages, ReadError};
use plop_e2ee::schema::SignatureChanges;
use ruma::OwnedUserId;

use super::reader::Reader;
use super::sharing::shares_room;
use crate::shared::Shared;
use crate::turns::take_turns;

/// Rows that are read at once.
const PAGE: usize = 500;
/// Users who are looked at before others get a turn.
const USERS_AT_ONCE: usize = 64;

/// Whose lists changed in the span, the reader's own among them.
pub async fn changed(shared: &Shared, reader: Reader<'_>) -> Result<BTreeSet<OwnedUserId>, ReadError> {
    let mut changed = signed(shared, reader).await?;
    for (index, user) in all(shared, reader).await?.into_iter().enumerate() {
        take_turns(index, USERS_AT_ONCE).await;
        if user == *reader.user || shares_room(shared, reader, &user).await? {
            changed.insert(user);
        }
    }
    Ok(changed)
}

/// Whose lists changed in the span, whoever it is.
async fn all(shared: &Shared, reader: Reader<'_>) -> Result<Vec<OwnedUserId>, ReadError> {
    let Reader { since, to, .. } = reader;
    let remembered = {
        let (changes, _) = shared.changes.now();
        let users = changes.logs.device_lists.since(since);
        // Of one that changed after the span the next answer tells.
        users.map(|users| users.filter(|(at, _)| *at <= to).map(|(_, user)| user.clone()).collect())
    };
    if let Some(users) = remembered {
        return Ok(users);
    }
    let mut users = Vec::new();
    let mut pages = Pages::new(KeyRange::<DeviceListChanges>::all().after(&since).to(&to), PAGE);
    while let Some(rows) = pages.next(&shared.parts.db.snapshot()).await? {
        users.extend(rows.into_iter().map(|((_, user), ())| user));
    }
    Ok(users)
}

/// Whose master keys the reader signed in the span.
async fn signed(shared: &Shared, reader: Reader<'_>) -> Result<BTreeSet<OwnedUserId>, ReadError> {
    let Reader { user, since, to, .. } = reader;
    let user = user.to_owned();
    let mut signed = BTreeSet::new();
    if !shared.changes.now().0.logs.signatures.may_have_changed(&user, since) {
        return Ok(signed);
    }
    let (after, to) = ((user.clone(), since), (user.clone(), to));
    let mut pages = Pages::new(KeyRange::<SignatureChanges>::prefix(&user).after(&after).to(&to), PAGE);
    while let Some(rows) = pages.next(&shared.parts.db.snapshot()).await? {
        signed.extend(rows.into_iter().map(|(_, user)| user));
    }
    Ok(signed)
}
