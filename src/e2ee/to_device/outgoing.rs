//! What a request sends: its messages as clients get them, and the devices that they reach.
//!
//! Owns: the limits of a message, who is named, which devices a name means. Does not own: the batch.
//!
//! Invariants: a device gets one message of a request: what is for all devices of its user does not go to one that is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_accounts::schema::Devices;
use plop_db::{KeyRange, Pages, ReadError, Snapshot};
use ruma::to_device::DeviceIdOrAllDevices;
use ruma::{OwnedDeviceId, OwnedUserId, ServerName, UserId};
use serde_json::{Map, Value, json};

use super::error::SendError;
use super::{MAX_MESSAGE_BYTES, MAX_MESSAGES};
use crate::schema::Inbox;

/// Contents by recipient, as in the body of a request: user, device or all devices, content.
pub type Messages = BTreeMap<OwnedUserId, BTreeMap<DeviceIdOrAllDevices, Map<String, Value>>>;

/// Devices of a user in one page.
const PAGE: usize = 1_000;

/// The messages of a request for one user.
#[derive(Default)]
struct ForUser {
    all: Option<Arc<str>>,
    devices: BTreeMap<OwnedDeviceId, Arc<str>>,
}

/// The messages of a request.
pub(super) struct Outgoing(BTreeMap<OwnedUserId, ForUser>);

/// A message and where it goes.
pub(super) struct Delivery {
    pub inbox: Inbox,
    pub event: Arc<str>,
}

impl Outgoing {
    /// Makes the messages of `sender`. `server` is the one whose users can be reached.
    pub fn new(
        sender: &UserId,
        kind: &str,
        messages: &Messages,
        server: &ServerName,
    ) -> Result<Self, SendError> {
        if messages.keys().any(|user| user.server_name() != server) {
            return Err(SendError::OtherServers);
        }
        if messages.values().map(BTreeMap::len).sum::<usize>() > MAX_MESSAGES {
            return Err(SendError::RequestTooLarge);
        }
        let mut outgoing = BTreeMap::new();
        for (user, by_device) in messages {
            let mut for_user = ForUser::default();
            for (device, content) in by_device {
                let event = event(kind, sender, content)?;
                match device {
                    DeviceIdOrAllDevices::AllDevices => for_user.all = Some(event),
                    DeviceIdOrAllDevices::DeviceId(device) => {
                        for_user.devices.insert(device.clone(), event);
                    }
                }
            }
            outgoing.insert(user.clone(), for_user);
        }
        Ok(Self(outgoing))
    }

    /// Keeps what is for `user`.
    pub fn only_for(&mut self, user: &UserId) {
        self.0.retain(|recipient, _| recipient == user);
    }

    /// The devices that are there. Others are passed over: the specification has no answer for them.
    pub async fn deliveries(&self, snapshot: &Snapshot) -> Result<Vec<Delivery>, SendError> {
        let mut deliveries = self.to_named(snapshot).await?;
        for (user, for_user) in &self.0 {
            let Some(event) = &for_user.all else { continue };
            let mut pages = Pages::new(KeyRange::<Devices>::prefix(user), PAGE);
            while let Some(devices) = pages.next(snapshot).await? {
                let others =
                    devices.into_iter().filter(|((_, device), _)| !for_user.devices.contains_key(device));
                deliveries.extend(others.map(|((user, device), row)| {
                    let event = Arc::clone(event);
                    Delivery { inbox: (user, device, row.since), event }
                }));
                if deliveries.len() > MAX_MESSAGES {
                    return Err(SendError::RequestTooLarge);
                }
            }
        }
        Ok(deliveries)
    }

    async fn to_named(&self, snapshot: &Snapshot) -> Result<Vec<Delivery>, ReadError> {
        let named = self.0.iter().flat_map(|(user, for_user)| {
            for_user.devices.iter().map(move |(device, event)| ((user.clone(), device.clone()), event))
        });
        let (owners, events): (Vec<_>, Vec<_>) = named.unzip();
        let rows = snapshot.get_many::<Devices>(&owners).await?;
        let found = owners.into_iter().zip(events).zip(rows).filter_map(|(((user, device), event), row)| {
            Some(Delivery { inbox: (user, device, row?.since), event: Arc::clone(event) })
        });
        Ok(found.collect())
    }
}

fn event(kind: &str, sender: &UserId, content: &Map<String, Value>) -> Result<Arc<str>, SendError> {
    let event = json!({ "type": kind, "sender": sender, "content": content }).to_string();
    if event.len() > MAX_MESSAGE_BYTES { Err(SendError::MessageTooLarge) } else { Ok(event.into()) }
}
