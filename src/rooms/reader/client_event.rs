//! How an event looks to one reader (client-server API, "Room event format").
//!
//! Owns: `unsigned`, the part of the client form that each reader has for themselves. Does not own: the rest ([`Pdu::client_json`]), what is told of
//! children ([`super::aggregation`]).
//!
//! Invariants: written as text behind the shared part; no content is parsed. What is told of other events (the content before, the redaction) is
//! told only to those who may see these, and as what is left of them ([`super::erasure`]). A redacted event has no content to show: it is not
//! stored under the event any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_base::clock::UnixMillis;
use plop_state::Pdu;
use plop_state::json::write_string;
use plop_state::pdu::ClientFormat;
use plop_state_store::EventNumber;

use super::access::RoomReader;
use super::aggregation::{Bundle, Bundles};
use crate::event::RoomEvent;
use crate::fault::StoreFault;

/// How much is told about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// All of `unsigned`: for events that are looked up.
    Timeline,
    /// Without what is told of its children: for events that come one after the other, so that the client has their children too.
    Arrival,
    /// Without what came before and without the reader's membership: for lists of state, where it would mean a look into
    /// as many old states as the room has members.
    State,
}

/// Events that others refer to.
type Related = BTreeMap<EventNumber, Arc<RoomEvent>>;

impl RoomReader<'_> {
    /// The client form of events that this user may see, in their order.
    pub async fn client_events(
        &mut self,
        events: &[Arc<RoomEvent>],
        format: ClientFormat,
        detail: Detail,
    ) -> Result<Vec<String>, StoreFault> {
        let bundles = match detail {
            Detail::Timeline => self.bundles(events, format).await?,
            Detail::Arrival | Detail::State => Bundles::new(),
        };
        self.write_all(events, format, detail, &bundles).await
    }

    /// The same for events that are looked up, with this of their children.
    pub(super) async fn texts(
        &mut self,
        events: &[Arc<RoomEvent>],
        format: ClientFormat,
        bundles: &Bundles,
    ) -> Result<Vec<String>, StoreFault> {
        self.write_all(events, format, Detail::Timeline, bundles).await
    }

    async fn write_all(
        &mut self,
        events: &[Arc<RoomEvent>],
        format: ClientFormat,
        detail: Detail,
        bundles: &Bundles,
    ) -> Result<Vec<String>, StoreFault> {
        let related = self.related(events, detail).await?;
        let mut texts = Vec::with_capacity(events.len());
        for event in events {
            let event = match detail {
                Detail::Timeline | Detail::Arrival => self.left_of(event).await?,
                Detail::State => Arc::clone(event),
            };
            let bundle = bundles.get(&event.number).and_then(Bundle::text);
            texts.push(self.write(&event, &related, format, (detail, bundle)).await?);
        }
        Ok(texts)
    }

    /// The events that replaced ones and redacted ones refer to: one round for all.
    async fn related(&self, events: &[Arc<RoomEvent>], detail: Detail) -> Result<Related, StoreFault> {
        let of = |event: &Arc<RoomEvent>| {
            [event.facts.replaces.filter(|_| detail != Detail::State), event.facts.redacted_by]
        };
        let mut numbers: Vec<EventNumber> = events.iter().flat_map(of).flatten().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let found = self.events_by_number(&numbers).await?;
        Ok(numbers.into_iter().zip(found).collect())
    }

    async fn write(
        &mut self,
        event: &RoomEvent,
        related: &Related,
        format: ClientFormat,
        (detail, bundle): (Detail, Option<&str>),
    ) -> Result<String, StoreFault> {
        let now = self.core.clock.now();
        let rules = self.view.rules;
        let mut out = event.pdu.client_json(rules, format);
        begin_unsigned(&mut out, &event.pdu, now);
        if let Some(transaction) = self.own_transaction(event) {
            member(&mut out, "transaction_id");
            write_string(&mut out, transaction);
        }
        if let Some(bundle) = bundle {
            member(&mut out, "m.relations");
            out.push('{');
            out.push_str(bundle);
            out.push('}');
        }
        if let Some(delayed) = self.own_delayed(event) {
            member(&mut out, "org.matrix.msc4140.delay_id");
            write_string(&mut out, delayed);
        }
        if detail != Detail::State
            && let Some(state) = event.state_after()
        {
            member(&mut out, "membership");
            write_string(&mut out, self.membership_at(state).await?.as_str());
        }
        if let Some(replaced) = event.facts.replaces.and_then(|number| related.get(&number)) {
            member(&mut out, "replaces_state");
            write_string(&mut out, replaced.pdu.event_id().as_str());
            if self.sees(replaced).await? {
                let replaced = self.left_of(replaced).await?;
                member(&mut out, "prev_content");
                out.push_str(replaced.pdu.content_text());
            }
        }
        if let Some(redaction) = event.facts.redacted_by.and_then(|number| related.get(&number))
            && self.sees(redaction).await?
        {
            let redaction = self.left_of(redaction).await?;
            member(&mut out, "redacted_because");
            out.push_str(&redaction.pdu.client_json(rules, format));
            begin_unsigned(&mut out, &redaction.pdu, now);
            out.push_str("}}");
        }
        out.push_str("}}");
        Ok(out)
    }

    /// The name of the delayed event that became this one, for its sender (MSC4140).
    fn own_delayed<'e>(&self, event: &'e RoomEvent) -> Option<&'e str> {
        let sent_by = event.facts.sent_by.as_ref()?;
        let is_own = event.pdu.sender() == self.user && sent_by.device.is_empty();
        sent_by.transaction.as_deref().filter(|_| is_own)
    }

    /// The transaction id, for the device that chose it.
    fn own_transaction<'e>(&self, event: &'e RoomEvent) -> Option<&'e str> {
        let sent_by = event.facts.sent_by.as_ref()?;
        let own = event.pdu.sender() == self.user
            && self.device.is_some_and(|device| device.as_str() == sent_by.device);
        sent_by.transaction.as_deref().filter(|_| own)
    }
}

/// Opens `unsigned` with the age of the event, which is negative where its server's clock is ahead of ours.
fn begin_unsigned(out: &mut String, event: &Pdu, now: UnixMillis) {
    let sent = u64::from(event.origin_server_ts().get());
    let age = i128::from(now.0) - i128::from(sent);
    out.push_str(",\"unsigned\":{\"age\":");
    out.push_str(&age.to_string());
}

fn member(out: &mut String, name: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
}
