//! Acknowledged messages go: the device has got what a token covers once that token comes back.

use plop_accounts::StoreError;
use plop_accounts::schema::Devices;
use plop_db::{Direction, Position};
use ruma::{DeviceId, UserId};

use super::ToDevice;
use super::rows::{delete, messages};

/// Messages deleted in one batch.
const PAGE: usize = 200;

impl ToDevice {
    /// Deletes the messages for a device at or below `up_to`, the end of a page that the device has got. Neither reads nor writes when it is
    /// known that there are none, which is the case for a device that syncs and gets no messages. A failure is no reason to refuse a sync:
    /// what stays is below its token, and goes with the next one.
    pub async fn acknowledge(
        &self,
        user: &UserId,
        device: &DeviceId,
        up_to: Position,
    ) -> Result<(), StoreError> {
        let owner = (user.to_owned(), device.to_owned());
        let parts = &self.0;
        if parts.known.holds_nothing_up_to(&owner, up_to) {
            return Ok(());
        }
        let guard = parts.deleting.lock(user.as_str()).await;
        let entry = parts.known.entry(&owner);
        loop {
            let snapshot = parts.db.snapshot();
            // What is not visible yet cannot have been shown.
            let up_to = up_to.min(snapshot.position());
            let Some(row) = snapshot.get::<Devices>(&owner).await? else { return Ok(()) };
            let inbox = (owner.0.clone(), owner.1.clone(), row.since);
            let page = snapshot.scan(messages(&inbox), Direction::Forward, PAGE).await?;
            let at = snapshot.position();
            drop(snapshot);
            let covered = page.rows.iter().take_while(|((.., position), _)| *position <= up_to).count();
            let (covered, rest) = page.rows.split_at(covered);
            if !covered.is_empty() {
                delete(&parts.db, &guard, &inbox, covered).await?;
            }
            let oldest = rest.first().map(|((.., position), _)| *position);
            if oldest.is_some() || !page.more {
                entry.has_been_read(oldest, at);
                return Ok(());
            }
        }
    }

    /// Whether it is known, without a read, that no messages wait for a device. `false` says nothing.
    pub fn has_none(&self, user: &UserId, device: &DeviceId) -> bool {
        let owner = (user.to_owned(), device.to_owned());
        self.0.known.holds_nothing_up_to(&owner, Position::pending(0))
    }
}
