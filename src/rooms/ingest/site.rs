//! Where an event is judged: the room, and the server that is asked for what is missing.

use std::sync::Arc;

use plop_state::Rules;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, OwnedServerName, RoomId, ServerName};

use super::gate::Ingest;
use crate::loading::LoadError;
use crate::reading::RoomReading;
use crate::slot::RoomSlot;
use crate::view::RoomView;
use crate::writer::RoomWriter;

/// A room while events are taken into it.
#[derive(Clone)]
pub(super) struct Site {
    pub number: RoomNumber,
    pub id: OwnedRoomId,
    pub rules: &'static Rules,
    /// Whom to ask.
    pub from: OwnedServerName,
    /// The event has waited for keys that could not be had for as long as that is worth: what they would verify is left out.
    pub has_waited: bool,
    /// The slot of a room that is being joined and that nobody else sees yet.
    pub unjoined: Option<Arc<RoomSlot>>,
}

impl Site {
    pub fn of(view: &RoomView, from: &ServerName) -> Self {
        let (number, id, rules) = (view.number, view.id.clone(), view.rules);
        Self { number, id, rules, from: from.to_owned(), has_waited: false, unjoined: None }
    }
}

impl Ingest {
    /// The room, if it is here and a local user is in it: events of other rooms are none of ours.
    pub(super) async fn shared_site(
        &self,
        from: &ServerName,
        room: &RoomId,
    ) -> Result<Option<Site>, LoadError> {
        let view = match self.rooms.view_by_id(room).await {
            Ok(view) => view,
            Err(LoadError::NotHere) => return Ok(None),
            Err(error) => return Err(error),
        };
        let ours = view.members.has_server(&self.rooms.core().server);
        Ok(ours.then(|| Site::of(&view, from)))
    }

    /// The guard of the room.
    pub(super) async fn guard(&self, site: &Site) -> Result<RoomWriter, LoadError> {
        match &site.unjoined {
            Some(slot) => Ok(RoomWriter::of_slot(self.rooms.shared_core(), Arc::clone(slot)).await),
            None => self.rooms.writer(site.number).await,
        }
    }

    /// The room as it is now.
    pub(super) async fn read(&self, site: &Site) -> Result<RoomReading, LoadError> {
        Ok(self.guard(site).await?.reading())
    }
}
