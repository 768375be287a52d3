//! Who sent events (client-server API, "Lazy-loading room members").
//!
//! The server does not remember whom a client knows already: it is told of every sender, which the specification leaves to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_rooms::reader::access::RoomReader;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::{RoomEvent, StoreFault};
use plop_state::StateKey;
use plop_state::pdu::ClientFormat;
use plop_state_store::tree::Root;

/// The member events of the senders in a state, as clients get them.
pub async fn members_of_senders(
    reader: &mut RoomReader<'_>,
    state: Option<Root>,
    events: &[Arc<RoomEvent>],
) -> Result<Vec<String>, StoreFault> {
    let Some(state) = state else { return Ok(Vec::new()) };
    let senders: BTreeSet<&str> = events.iter().map(|event| event.pdu.sender().as_str()).collect();
    let keys: Vec<StateKey> = senders.into_iter().map(StateKey::member).collect();
    let members = reader.state_events(state, &keys).await?;
    reader.client_events(&members, ClientFormat::Full, Detail::State).await
}
