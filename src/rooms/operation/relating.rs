//! What an event is to the events that it relates to (client-server API, "Forming relationships between events").
//!
//! Owns: the rows of children by their parent, and what is aggregated of them, from the event's place to its redaction. Does not own: what a reader is told
//! of them, which depends on what they may see and whom they ignore ([`crate::reader`]).
//!
//! Invariants: every event with a place and a relation has its rows, however it came, whether the parent is here or not; a redacted one has none. Rows
//! lead to events of this room only. What is written does not depend on how many children there are; an event without a relation writes and reads nothing.
//! Of a chain of relations [`MAX_RELATION_DEPTH`] are followed, so circles cost no more.

use plop_base::limits::MAX_ID_BYTES;
use plop_db::{Direction, KeyRange};
use plop_state::relation::Relation;
use plop_state::{Pdu, StateKey};
use plop_state_store::EventNumber;
use ruma::{EventId, OwnedEventId};

use super::Operation;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::history_place::HistoryPlace;
use crate::schema::{
    Edits, IndirectRelationRow, IndirectRelations, Outcome, Related, RelatedRow, RelationRow, Relations,
    ThreadSenders, ThreadSummary, ThreadsByLatest,
};
use crate::thread::MAX_RELATION_DEPTH;
use crate::validity::{is_edit, may_be_edited_by};

/// Children of an event that were here before it and are put below what it relates to.
const MAX_ADOPTED: usize = 100;

/// Events of a thread that are looked at together for the latest one that is left, once another one is redacted.
const LOOKED_AT_TOGETHER: usize = 32;

/// An event with a place and what it relates to.
struct Child<'e> {
    event: &'e RoomEvent,
    place: HistoryPlace,
    relation: Relation,
}

impl<'e> Child<'e> {
    /// Types of relations that are too long for an id of anything are those of nobody.
    fn of(event: &'e RoomEvent) -> Option<Self> {
        let place = event.facts.place.filter(|_| event.facts.redacted_by.is_none())?;
        let relation = Relation::of(&event.pdu).filter(|relation| relation.rel_type.len() <= MAX_ID_BYTES)?;
        Some(Self { event, place, relation })
    }

    fn parent(&self) -> &OwnedEventId {
        &self.relation.event
    }
}

/// What makes one edit more recent than another one.
fn recency(event: &Pdu) -> (u64, &EventId) {
    (u64::from(event.origin_server_ts().get()), event.event_id())
}

impl Operation<'_> {
    /// Writes what a placed event is to others.
    pub(super) async fn relate(&mut self, event: &RoomEvent) -> Result<(), StoreFault> {
        let Some(child) = Child::of(event) else { return Ok(()) };
        let room = self.next.view.number;
        let (parent, place) = (child.parent().clone(), child.place);
        let (sender, kind) = (event.pdu.sender().to_owned(), event.pdu.type_name().to_owned());
        let row = RelationRow { event: event.number, sender, kind };
        for rel_type in [None, Some(child.relation.rel_type.clone())] {
            self.batch.put::<Relations>(&(room, parent.clone(), rel_type, place), &row);
        }
        match child.relation.rel_type.as_str() {
            "m.replace" if is_edit(&event.pdu) => self.add_edit(&child).await?,
            "m.thread" => self.add_to_thread(&child).await?,
            "m.reference" => {
                let mut related = self.related(&parent).await?;
                related.references += 1;
                self.put_related(&parent, related);
            }
            _ => {}
        }
        let above = self.above(&child).await?;
        for (ancestor, through) in &above {
            let key = (room, ancestor.clone(), place);
            let row = IndirectRelationRow { event: event.number, through: through.clone() };
            self.batch.put::<IndirectRelations>(&key, &row);
        }
        if event.pdu.sender().server_name() != self.core.server {
            self.adopt(&child, &above).await?;
        }
        Ok(())
    }

    /// Takes it back, before the event is redacted.
    pub(super) async fn unrelate(&mut self, event: &RoomEvent) -> Result<(), StoreFault> {
        let Some(child) = Child::of(event) else { return Ok(()) };
        let room = self.next.view.number;
        let (parent, place) = (child.parent().clone(), child.place);
        for rel_type in [None, Some(child.relation.rel_type.clone())] {
            self.batch.delete::<Relations>(&(room, parent.clone(), rel_type, place));
        }
        for (ancestor, _) in self.above(&child).await? {
            self.batch.delete::<IndirectRelations>(&(room, ancestor, place));
        }
        match child.relation.rel_type.as_str() {
            "m.replace" if is_edit(&event.pdu) => {
                let key = self.edit_key(&child);
                self.batch.delete::<Edits>(&key);
                let mut related = self.related(&parent).await?;
                if related.edit == Some(event.number) {
                    (related.edit, related.has_loose_edits) = (None, true);
                    self.put_related(&parent, related);
                }
            }
            "m.thread" => self.take_from_thread(&child).await?,
            "m.reference" => {
                let mut related = self.related(&parent).await?;
                related.references = related.references.saturating_sub(1);
                self.put_related(&parent, related);
            }
            _ => {}
        }
        Ok(())
    }

    async fn add_edit(&mut self, child: &Child<'_>) -> Result<(), StoreFault> {
        let key = self.edit_key(child);
        self.batch.put::<Edits>(&key, &child.event.number);
        let mut related = self.related(child.parent()).await?;
        let Some(original) = self.event_by_id(child.parent()).await? else {
            related.has_loose_edits = true;
            self.put_related(child.parent(), related);
            return Ok(());
        };
        if !may_be_edited_by(&original, &child.event.pdu) {
            return Ok(());
        }
        let before = match related.edit {
            Some(before) => Some(self.event(before).await?),
            None => None,
        };
        if before.is_none_or(|before| recency(&before.pdu) < recency(&child.event.pdu)) {
            related.edit = Some(child.event.number);
            self.put_related(child.parent(), related);
        }
        Ok(())
    }

    fn edit_key(&self, child: &Child<'_>) -> <Edits as plop_db::Keyspace>::Key {
        let pdu = &child.event.pdu;
        let whose = self.core.state.tree.key_hash(&StateKey::new(pdu.type_name(), pdu.sender().as_str()));
        let (ts, id) = recency(pdu);
        (self.next.view.number, child.parent().clone(), whose, ts, id.to_owned())
    }

    async fn add_to_thread(&mut self, child: &Child<'_>) -> Result<(), StoreFault> {
        let room = self.next.view.number;
        let (root, place, latest) = (child.parent(), child.place, child.event.number);
        let sender = child.event.pdu.sender().to_owned();
        self.batch.add::<ThreadSenders>(&(room, root.clone(), sender), 1);
        let mut related = self.related(root).await?;
        let before = related.thread;
        let events = before.map_or(0, |thread| thread.events).saturating_add(1);
        related.thread = match before.filter(|before| before.place > place) {
            Some(before) => Some(ThreadSummary { events, ..before }),
            None => Some(ThreadSummary { events, latest, place }),
        };
        self.move_thread(root, before, related.thread);
        self.put_related(root, related);
        Ok(())
    }

    async fn take_from_thread(&mut self, child: &Child<'_>) -> Result<(), StoreFault> {
        let room = self.next.view.number;
        let root = child.parent();
        let sender = child.event.pdu.sender().to_owned();
        self.batch.add::<ThreadSenders>(&(room, root.clone(), sender), -1);
        let mut related = self.related(root).await?;
        let Some(before) = related.thread else { return Ok(()) };
        let events = before.events.saturating_sub(1);
        let left = if before.latest == child.event.number {
            self.latest_but(child).await?
        } else {
            Some((before.latest, before.place))
        };
        related.thread =
            left.filter(|_| events > 0).map(|(latest, place)| ThreadSummary { events, latest, place });
        self.move_thread(root, Some(before), related.thread);
        self.put_related(root, related);
        Ok(())
    }

    /// Keeps the list of threads in order.
    fn move_thread(&mut self, root: &EventId, before: Option<ThreadSummary>, after: Option<ThreadSummary>) {
        let room = self.next.view.number;
        let (before, after) = (before.map(|thread| thread.place), after.map(|thread| thread.place));
        if before == after {
            return;
        }
        if let Some(place) = before {
            self.batch.delete::<ThreadsByLatest>(&(room, place));
        }
        if let Some(place) = after {
            self.batch.put::<ThreadsByLatest>(&(room, place), &root.to_owned());
        }
    }

    /// The latest event of a thread without this one, those in flight included.
    async fn latest_but(&self, child: &Child<'_>) -> Result<Option<(EventNumber, HistoryPlace)>, StoreFault> {
        let (room, root) = (self.next.view.number, child.parent());
        let is_left =
            |event: &RoomEvent| event.number != child.event.number && event.facts.redacted_by.is_none();
        let in_flight = self.next.pending.keys().filter_map(|number| self.next.in_flight(*number));
        let in_flight = in_flight.filter(|event| is_left(event)).filter_map(|event| {
            let other = Child::of(event).filter(|other| other.relation == child.relation)?;
            Some((event.number, other.place))
        });
        let latest = in_flight.max_by_key(|(_, place)| *place);
        let range = (room, root.clone(), Some(child.relation.rel_type.clone()));
        let mut range = KeyRange::<Relations>::prefix(&range);
        // Rows that lead to redacted events are those that this batch and the ones in flight delete: no more than these are passed over.
        loop {
            let stored = self.snapshot.scan(range.clone(), Direction::Backward, LOOKED_AT_TOGETHER).await?;
            for ((.., place), row) in &stored.rows {
                if latest.is_some_and(|(_, known)| known >= *place) {
                    return Ok(latest);
                }
                let event = self.event(row.event).await?;
                if is_left(&event) {
                    return Ok(Some((row.event, *place)));
                }
            }
            let Some((first, _)) = stored.rows.last().filter(|_| stored.more) else { return Ok(latest) };
            range = range.before(first);
        }
    }

    /// The events above the parent of an event that it relates to through others, each with these.
    async fn above(&self, child: &Child<'_>) -> Result<Vec<(OwnedEventId, Vec<EventNumber>)>, StoreFault> {
        let (mut above, mut through) = (Vec::new(), Vec::new());
        let mut next = child.parent().clone();
        while through.len() + 1 < MAX_RELATION_DEPTH {
            let Some(between) = self.event_by_id(&next).await? else { break };
            let is_live = between.facts.outcome == Outcome::Accepted;
            let Some(relation) = Relation::of(&between.pdu).filter(|_| is_live) else { break };
            if relation.event == *child.event.pdu.event_id() || through.contains(&between.number) {
                break;
            }
            through.push(between.number);
            next = relation.event;
            above.push((next.clone(), through.clone()));
        }
        Ok(above)
    }

    /// Puts the children of an event that came after them below what it relates to.
    async fn adopt(
        &mut self,
        child: &Child<'_>,
        above: &[(OwnedEventId, Vec<EventNumber>)],
    ) -> Result<(), StoreFault> {
        let room = self.next.view.number;
        let id = child.event.pdu.event_id_owned().clone();
        let direct = KeyRange::<Relations>::prefix(&(room, id.clone(), None::<String>));
        let direct = self.snapshot.scan(direct, Direction::Forward, MAX_ADOPTED).await?;
        let indirect = KeyRange::<IndirectRelations>::prefix(&(room, id));
        let indirect = self.snapshot.scan(indirect, Direction::Forward, MAX_ADOPTED).await?;
        let direct = direct.rows.into_iter().map(|((.., place), row)| (place, row.event, Vec::new()));
        let indirect = indirect.rows.into_iter().map(|((.., place), row)| (place, row.event, row.through));
        let parent = (child.parent().clone(), Vec::new());
        let ancestors: Vec<_> = std::iter::once(&parent).chain(above).cloned().collect();
        for (place, event, below) in direct.chain(indirect) {
            for (ancestor, between) in &ancestors {
                let through: Vec<_> =
                    below.iter().chain([&child.event.number]).chain(between).copied().collect();
                if through.len() < MAX_RELATION_DEPTH {
                    let row = IndirectRelationRow { event, through };
                    self.batch.put::<IndirectRelations>(&(room, ancestor.clone(), place), &row);
                }
            }
        }
        Ok(())
    }

    /// What is aggregated of the children of an event, batches in flight included.
    async fn related(&self, parent: &OwnedEventId) -> Result<RelatedRow, StoreFault> {
        if let Some((_, row)) = self.next.related.get(parent) {
            return Ok(*row);
        }
        let row = self.snapshot.get::<Related>(&(self.next.view.number, parent.clone())).await?;
        Ok(row.unwrap_or_default())
    }

    fn put_related(&mut self, parent: &OwnedEventId, row: RelatedRow) {
        let key = (self.next.view.number, parent.clone());
        if row == RelatedRow::default() {
            self.batch.delete::<Related>(&key);
        } else {
            self.batch.put::<Related>(&key, &row);
        }
        self.next.related.insert(parent.clone(), (self.next.sequence.saturating_add(1), row));
    }
}
