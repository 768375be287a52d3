//! The children of a space (client-server API, "`m.space.child` relationship", "Ordering of children within a space").
//!
//! Owns: which events count, and their order. Does not own: which of the children are shown to whom ([`crate::preview`]).
//!
//! Invariants: an event without valid `via`, of a state key that is no room id, or redacted is no child. A space has [`MAX_CHILDREN`] at most, the
//! first ones in order; where it has more state than [`MAX_STATE`], that which is newest counts.

use std::sync::Arc;

use plop_state::json::{Object, Value};
use plop_state_store::EventNumber;
use ruma::{OwnedRoomId, RoomId};

use super::access::RoomReader;
use super::stripped::stripped;
use crate::event::RoomEvent;
use crate::fault::StoreFault;

/// Children of a space.
pub(crate) const MAX_CHILDREN: usize = 1_000;
/// State events that are looked at for children.
const MAX_STATE: usize = 20_000;
/// Events that are loaded at once.
const PAGE: usize = 200;
/// The longest `order`.
const MAX_ORDER: usize = 50;

/// A room in a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Child {
    pub room: OwnedRoomId,
    pub is_suggested: bool,
    event: EventNumber,
    order: Option<String>,
    ts: u64,
}

impl Child {
    /// What an event of a room's state says, if it says that a room is in it.
    fn of(event: &RoomEvent) -> Option<Self> {
        if event.pdu.type_name() != "m.space.child" {
            return None;
        }
        let room = RoomId::parse(event.pdu.state_key()?).ok()?;
        let content = event.pdu.content_object();
        has_via(&content).then(|| Self {
            room,
            is_suggested: content.get("suggested") == Some(&Value::Bool(true)),
            event: event.number,
            order: order(&content),
            ts: event.pdu.origin_server_ts().get().into(),
        })
    }

    /// Those with an order first; "If the timestamps are the same, … lexicographically by their room IDs".
    fn rank(&self) -> (bool, Option<&str>, u64, &str) {
        (self.order.is_none(), self.order.as_deref(), self.ts, self.room.as_str())
    }
}

fn has_via(content: &Object) -> bool {
    let via = content.get("via").and_then(Value::as_array).unwrap_or_default();
    !via.is_empty() && via.iter().all(|server| server.as_str().is_some())
}

fn order(content: &Object) -> Option<String> {
    let order = content.get("order")?.as_str()?;
    let is_valid =
        (1..=MAX_ORDER).contains(&order.len()) && order.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    is_valid.then(|| order.to_owned())
}

impl RoomReader<'_> {
    /// The children of this room in order, and how many events were looked at.
    pub(crate) async fn space_children(&self) -> Result<(Vec<Child>, usize), StoreFault> {
        let mut numbers = self.without_members(self.view.root).await?;
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        numbers.truncate(MAX_STATE);
        let mut children = Vec::new();
        for part in numbers.chunks(PAGE) {
            let events = self.events_by_number(part).await?;
            children.extend(events.iter().filter_map(|event| Child::of(event)));
            tokio::task::yield_now().await;
        }
        children.sort_unstable_by(|one, other| one.rank().cmp(&other.rank()));
        children.truncate(MAX_CHILDREN);
        Ok((children, numbers.len()))
    }

    /// The events of children as JSON texts, as many of them as are about so many bytes.
    pub(crate) async fn space_child_texts(
        &self,
        children: &[Child],
        bytes: usize,
    ) -> Result<Vec<String>, StoreFault> {
        let mut texts = Vec::with_capacity(children.len());
        let mut left = bytes;
        for part in children.chunks(PAGE) {
            let numbers: Vec<EventNumber> = part.iter().map(|child| child.event).collect();
            for event in self.events_by_number(&numbers).await? {
                let text = text(&event);
                let Some(rest) = left.checked_sub(text.len()) else { return Ok(texts) };
                left = rest;
                texts.push(text);
            }
        }
        Ok(texts)
    }
}

fn text(event: &Arc<RoomEvent>) -> String {
    let stripped = stripped(&event.pdu);
    let members = stripped.strip_prefix('{').unwrap_or_default();
    format!("{{\"origin_server_ts\":{},{members}", event.pdu.origin_server_ts().get())
}
