//! An event becomes part of the live room.
//!
//! Owns: what it changes there: the forward extremities, the current state, the stream. Does not own: how that was found out (ingest), the rows
//! of the stream ([`super::arriving`]) and those that follow from the state ([`super::projecting`]).

use std::sync::Arc;

use plop_db::Position;
use plop_state_store::tree::Root;

use super::Operation;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::state_change::Changes;

/// What an accepted live event makes of the room.
#[derive(Debug, Clone)]
pub struct Advance {
    /// The forward extremities after it.
    pub forward_extremities: Vec<Arc<RoomEvent>>,
    /// The current state after it.
    pub root: Root,
    /// What differs from the current state before it.
    pub changes: Changes,
}

impl Operation<'_> {
    /// Makes a placed event part of the live room: the newest in the stream, among the forward extremities, with its effect on the
    /// current state.
    pub async fn accept(&mut self, event: &Arc<RoomEvent>, advance: Advance) -> Result<(), StoreFault> {
        let position = Position::pending(self.live);
        self.live += 1;
        let was_joined = self.next.view.members.is_joined(event.pdu.sender());
        let Advance { forward_extremities, root, changes } = advance;
        self.apply(&changes, position)?;
        self.next.view.root = root;
        self.next.forward_extremities = forward_extremities;
        self.arrive(event, position, was_joined).await
    }
}
