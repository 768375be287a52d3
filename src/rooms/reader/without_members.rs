//! A state without its members, for those who load them as they need them (client-server API, "Lazy-loading room members").
//!
//! Owns: finding those entries. Does not own: keeping them ([`crate::state_lists`]), loading the events.
//!
//! Invariants: what is kept is the list of the current state, whatever state was asked for. From one state to another the cost follows the
//! difference; only the first look at a room goes through all of its state, and then loads no member events. So it costs the same in a room
//! of any size.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_db::Snapshot;
use plop_state_store::tree::{Entry, Root};
use plop_state_store::{EventNumber, KeyHash};

use super::access::RoomReader;
use crate::fault::StoreFault;
use crate::state_lists::WithoutMembers;

/// Entries of states that are read at once.
const PAGE: usize = 500;

impl RoomReader<'_> {
    /// The events of a state of this room that are no member events, in no particular order.
    pub async fn without_members(&self, state: Root) -> Result<Vec<EventNumber>, StoreFault> {
        let kept = self.core.state_lists.of(self.view.number);
        if let Some(list) = kept.as_ref().filter(|list| list.root == state) {
            return Ok(list.numbers());
        }
        // The list may be of a state that is newer than the reader's snapshot: this one, taken after it, has it. States never change.
        let snapshot = self.core.db.snapshot();
        let current = match kept {
            Some(list) if list.root == self.view.root => list,
            Some(list) => self.keep(self.changed(&snapshot, &list, self.view.root).await?),
            None => self.keep(self.read(&snapshot).await?),
        };
        if current.root == state {
            return Ok(current.numbers());
        }
        Ok(self.changed(&snapshot, &current, state).await?.numbers())
    }

    fn keep(&self, list: WithoutMembers) -> Arc<WithoutMembers> {
        let list = Arc::new(list);
        self.core.state_lists.keep(self.view.number, &list);
        list
    }

    /// The list of the current state, from all of it.
    async fn read(&self, snapshot: &Snapshot) -> Result<WithoutMembers, StoreFault> {
        let root = self.view.root;
        let members: BTreeSet<EventNumber> =
            self.view.members.iter().map(|(_, member)| member.event).collect();
        let mut list = WithoutMembers { root, entries: BTreeMap::new() };
        let mut after: Option<KeyHash> = None;
        loop {
            let (tree, grove) = (&self.core.state.tree, self.view.grove());
            let page = tree.scan(snapshot, grove, root, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(list) };
            after = Some(last.key);
            let others = page.iter().filter(|entry| !members.contains(&entry.event));
            let others: Vec<(KeyHash, EventNumber)> =
                others.map(|Entry { key, event }| (*key, *event)).collect();
            self.enter(snapshot, &mut list, others).await?;
        }
    }

    /// The list of another state, from the difference of the two.
    async fn changed(
        &self,
        snapshot: &Snapshot,
        list: &WithoutMembers,
        root: Root,
    ) -> Result<WithoutMembers, StoreFault> {
        let (tree, grove) = (&self.core.state.tree, self.view.grove());
        let differences = tree.diff(snapshot, grove, list.root, root).await?;
        let mut list = WithoutMembers { root, entries: list.entries.clone() };
        for part in differences.chunks(PAGE) {
            let mut unknown = Vec::new();
            for found in part {
                let Some(after) = found.after else {
                    list.entries.remove(&found.key);
                    continue;
                };
                match list.entries.get_mut(&found.key) {
                    // Under a key that has no member event there never is one.
                    Some(event) => *event = after,
                    None => unknown.push((found.key, after)),
                }
            }
            self.enter(snapshot, &mut list, unknown).await?;
        }
        Ok(list)
    }

    /// Takes in those of some entries that are no member events.
    async fn enter(
        &self,
        snapshot: &Snapshot,
        list: &mut WithoutMembers,
        entries: Vec<(KeyHash, EventNumber)>,
    ) -> Result<(), StoreFault> {
        let numbers: Vec<EventNumber> = entries.iter().map(|(_, number)| *number).collect();
        let events = self.core.events.get_many(snapshot, self.view.number, self.view.rules, &numbers).await?;
        let others = entries.into_iter().zip(events);
        let others = others.filter(|(_, event)| event.pdu.type_name() != "m.room.member");
        list.entries.extend(others.map(|(entry, _)| entry));
        Ok(())
    }
}
