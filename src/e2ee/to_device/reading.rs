//! Reading a device's messages: what sync shows, and what came for a dehydrated device.

use std::sync::Arc;

use plop_accounts::dehydrated::dehydrated_device;
use plop_accounts::schema::Devices;
use plop_base::Actor;
use plop_db::{Direction, Position, ReadError, Snapshot};
use ruma::{DeviceId, UserId};

use super::ToDevice;
use super::rows::{key, messages};

/// Most messages of a page: what the specification recommends for an answer of `/sync`.
pub const MAX_PAGE_MESSAGES: usize = 100;

/// Messages for a device, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToDevicePage {
    /// Each a JSON object of `type`, `sender` and `content`.
    pub messages: Vec<Arc<str>>,
    /// Everything up to here is in this page or an earlier one: what a token says, and what comes back with it.
    pub end: Position,
    /// Whether there are more up to the position that was asked for. They come after `end`.
    pub more: bool,
}

impl ToDevice {
    /// A page of what has come for the actor's dehydrated device, oldest first, after a position; `None` where it is another device, or
    /// none. Reading takes nothing away: who is interrupted begins anew, on another device perhaps. It goes with the device.
    pub async fn for_dehydrated(
        &self,
        actor: &Actor,
        device: &DeviceId,
        after: Position,
        limit: usize,
    ) -> Result<Option<ToDevicePage>, ReadError> {
        let Some(user) = actor.user_id() else { return Ok(None) };
        let snapshot = self.0.db.snapshot();
        let dehydrated = dehydrated_device(&snapshot, user).await?;
        if dehydrated.is_none_or(|dehydrated| dehydrated.id != *device) {
            return Ok(None);
        }
        let to = snapshot.position().max(after);
        to_device_messages(&snapshot, user, device, after, to, limit).await.map(Some)
    }
}

/// The messages for a device after one position, up to another one, at most `limit` and at most [`MAX_PAGE_MESSAGES`]. A device that is
/// not there has none.
pub async fn to_device_messages(
    snapshot: &Snapshot,
    user: &UserId,
    device: &DeviceId,
    after: Position,
    to: Position,
    limit: usize,
) -> Result<ToDevicePage, ReadError> {
    let owner = (user.to_owned(), device.to_owned());
    let Some(row) = snapshot.get::<Devices>(&owner).await? else {
        return Ok(ToDevicePage { messages: Vec::new(), end: to, more: false });
    };
    let inbox = (owner.0, owner.1, row.since);
    let range = messages(&inbox).after(&key(&inbox, after)).to(&key(&inbox, to));
    let page = snapshot.scan(range, Direction::Forward, limit.min(MAX_PAGE_MESSAGES)).await?;
    let last = page.rows.last().map_or(after, |((.., position), _)| *position);
    let end = if page.more { last } else { to };
    let messages = page.rows.into_iter().map(|(_, row)| row.event.0).collect();
    Ok(ToDevicePage { messages, end, more: page.more })
}
