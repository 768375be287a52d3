//! What a reader is told of the children of events (client-server API, "Aggregations of child events").
//!
//! Owns: [`Bundles`], the `m.relations` of a page of events: the most recent edit, references, threads. Does not own: the rows that it is made of, which
//! are written with the children; how an event looks otherwise ([`super::client_event`]).
//!
//! Invariants: of events without such children one round of look-ups for the whole page is all that is read. What is read of the others does not depend on
//! how many children they have, but on how many of the newest the reader may not see or ignores, and that is bounded. No reader is told of a child
//! that they may not see or whose sender they ignore; who does not see a thread from its first event to its latest one is told how many of its newest events
//! they see, and nothing of the others. (Who sees both and was away in between is told the number of all.) An event in an aggregation has no thread of its own, so
//! nothing is nested deeper than that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use plop_accounts::ignored_users::ignored_users;
use plop_db::{Direction, KeyRange};
use plop_state::StateKey;
use plop_state::json::write_string;
use plop_state::pdu::ClientFormat;
use plop_state::relation::Relation;
use plop_state_store::EventNumber;
use ruma::{OwnedEventId, OwnedUserId};

use super::access::RoomReader;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::schema::{Edits, Outcome, Related, RelatedRow, Relations, ThreadSenders};
use crate::validity::{is_original, may_be_edited_by};

/// Edits of one event that are looked through for one that the reader may see.
const MAX_EDITS: usize = 20;
/// Events of a thread that are looked through for those that the reader may see.
const MAX_REPLIES: usize = 200;
/// References that are told of one event, the newest.
const MAX_REFERENCES: usize = 100;
/// References of a page of events that are looked at.
const MAX_REFERENCES_OF_PAGE: usize = 1_000;
/// Ignored users whose events are taken off a thread.
const MAX_IGNORED: usize = 64;

/// What is told of the children of one event.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    /// The members of `m.relations`.
    text: String,
    /// Whether the reader has a part in its thread, if it has one that is shown.
    pub participated: Option<bool>,
}

/// What is told of the children of events, by their parents.
pub(super) type Bundles = BTreeMap<EventNumber, Bundle>;

/// An event with children, and what is stored of them.
type Parent = (Arc<RoomEvent>, RelatedRow);

/// A thread as a reader sees it.
struct Thread {
    root: EventNumber,
    latest: Arc<RoomEvent>,
    events: u64,
    participated: bool,
}

impl Bundle {
    /// The object, if there is anything in it.
    pub fn text(&self) -> Option<&str> {
        Some(self.text.as_str()).filter(|text| !text.is_empty())
    }

    /// Adds a member; they come in the order of their names.
    fn add(&mut self, rel_type: &str, value: &str) {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        write_string(&mut self.text, rel_type);
        self.text.push(':');
        self.text.push_str(value);
    }
}

impl RoomReader<'_> {
    /// What is told of the children of some events that the reader may see.
    pub(super) async fn bundles(
        &mut self,
        events: &[Arc<RoomEvent>],
        format: ClientFormat,
    ) -> Result<Bundles, StoreFault> {
        let parents = self.parents(events).await?;
        let mut bundles = self.without_threads(&parents, format).await?;
        let threads = self.threads_of(&parents).await?;
        if threads.is_empty() {
            return Ok(bundles);
        }
        let latest: Vec<Arc<RoomEvent>> = threads.iter().map(|thread| Arc::clone(&thread.latest)).collect();
        let replies = self.parents(&latest).await?;
        let of_replies = self.without_threads(&replies, format).await?;
        let texts = self.texts(&latest, format, &of_replies).await?;
        for (thread, text) in threads.into_iter().zip(texts) {
            let bundle = bundles.entry(thread.root).or_default();
            let Thread { events, participated, .. } = thread;
            bundle.participated = Some(participated);
            let mut value = String::with_capacity(text.len() + 96);
            // Writing to a string does not fail.
            let _is_written = write!(
                value,
                "{{\"count\":{events},\"current_user_participated\":{participated},\"latest_event\":{text}}}"
            );
            bundle.add("m.thread", &value);
        }
        Ok(bundles)
    }

    /// Those of some events that have children of which something is told.
    async fn parents(&self, events: &[Arc<RoomEvent>]) -> Result<Vec<Parent>, StoreFault> {
        // "State events do not currently receive bundled aggregations."
        let events: Vec<_> = events.iter().filter(|event| event.pdu.state_key().is_none()).collect();
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let room = self.view.number;
        let keys: Vec<_> = events.iter().map(|event| (room, event.pdu.event_id_owned().clone())).collect();
        let rows = self.snapshot.get_many::<Related>(&keys).await?;
        let found = events.into_iter().zip(rows);
        Ok(found.filter_map(|(event, row)| Some((Arc::clone(event), row?))).collect())
    }

    /// Edits and references.
    async fn without_threads(
        &mut self,
        parents: &[Parent],
        format: ClientFormat,
    ) -> Result<Bundles, StoreFault> {
        let mut bundles = Bundles::new();
        if parents.is_empty() {
            return Ok(bundles);
        }
        for (parent, references) in self.references_of(parents).await? {
            let mut value = String::from("{\"chunk\":[");
            for (index, id) in references.iter().enumerate() {
                value.push_str(if index == 0 { "{\"event_id\":" } else { ",{\"event_id\":" });
                write_string(&mut value, id.as_str());
                value.push('}');
            }
            value.push_str("]}");
            bundles.entry(parent).or_default().add("m.reference", &value);
        }
        let (edited, edits): (Vec<_>, Vec<_>) = self.edits_of(parents).await?.into_iter().unzip();
        let texts = self.texts(&edits, format, &Bundles::new()).await?;
        for (parent, text) in edited.into_iter().zip(texts) {
            bundles.entry(parent).or_default().add("m.replace", &text);
        }
        Ok(bundles)
    }

    /// The most recent valid edit of each event that the reader may see.
    async fn edits_of(
        &mut self,
        parents: &[Parent],
    ) -> Result<Vec<(EventNumber, Arc<RoomEvent>)>, StoreFault> {
        let is_edited = |(parent, row): &&Parent| {
            (row.edit.is_some() || row.has_loose_edits)
                && parent.facts.redacted_by.is_none()
                && is_original(parent)
        };
        let edited: Vec<_> = parents.iter().filter(is_edited).collect();
        let known: Vec<_> = edited.iter().filter_map(|(_, row)| row.edit).collect();
        let mut known = self.events_by_number(&known).await?.into_iter();
        let ignored = if edited.is_empty() { Arc::default() } else { self.ignored().await? };
        let mut found = Vec::new();
        for (parent, row) in edited {
            let edit = if row.edit.is_some() { known.next() } else { None };
            if ignored.contains(parent.pdu.sender()) {
                continue;
            }
            let mut edit = edit.filter(|_| !row.has_loose_edits);
            if let Some(known) = &edit
                && !self.may_tell(known).await?
            {
                edit = None;
            }
            if edit.is_none() {
                edit = self.most_recent_edit(parent).await?;
            }
            found.extend(edit.map(|edit| (parent.number, edit)));
        }
        Ok(found)
    }

    async fn most_recent_edit(&mut self, parent: &RoomEvent) -> Result<Option<Arc<RoomEvent>>, StoreFault> {
        let pdu = &parent.pdu;
        let whose = self.core.state.tree.key_hash(&StateKey::new(pdu.type_name(), pdu.sender().as_str()));
        let range = KeyRange::<Edits>::prefix(&(self.view.number, pdu.event_id_owned().clone(), whose));
        let rows = self.snapshot.scan(range, Direction::Backward, MAX_EDITS).await?;
        let numbers: Vec<EventNumber> = rows.rows.into_iter().map(|(_, number)| number).collect();
        for edit in self.events_by_number(&numbers).await? {
            if may_be_edited_by(parent, &edit.pdu) && self.may_tell(&edit).await? {
                return Ok(Some(edit));
            }
        }
        Ok(None)
    }

    /// The events that refer to each event, oldest first.
    async fn references_of(
        &mut self,
        parents: &[Parent],
    ) -> Result<Vec<(EventNumber, Vec<OwnedEventId>)>, StoreFault> {
        let mut found = Vec::new();
        let mut left = MAX_REFERENCES_OF_PAGE;
        for (parent, _) in parents.iter().filter(|(_, row)| row.references > 0) {
            let ignored = self.ignored().await?;
            let range =
                (self.view.number, parent.pdu.event_id_owned().clone(), Some("m.reference".to_owned()));
            let range = KeyRange::<Relations>::prefix(&range);
            let rows = self.snapshot.scan(range, Direction::Backward, MAX_REFERENCES.min(left)).await?;
            left -= rows.rows.len();
            let rows = rows.rows.into_iter().rev().map(|(_, row)| row);
            let numbers: Vec<_> =
                rows.filter(|row| !ignored.contains(&row.sender)).map(|row| row.event).collect();
            let mut ids = Vec::new();
            for event in self.events_by_number(&numbers).await? {
                if self.may_tell(&event).await? {
                    ids.push(event.pdu.event_id_owned().clone());
                }
            }
            if !ids.is_empty() {
                found.push((parent.number, ids));
            }
            if left == 0 {
                break;
            }
        }
        Ok(found)
    }

    /// The threads that events are the roots of.
    async fn threads_of(&mut self, parents: &[Parent]) -> Result<Vec<Thread>, StoreFault> {
        // What relates to something else is the root of no thread.
        let is_root = |(root, row): &&Parent| row.thread.is_some() && Relation::of(&root.pdu).is_none();
        let roots: Vec<_> = parents.iter().filter(is_root).collect();
        if roots.is_empty() {
            return Ok(Vec::new());
        }
        let ignored = self.ignored().await?;
        let here = |user: &&OwnedUserId| self.view.members.get(user).is_some();
        let counted: Vec<OwnedUserId> = ignored.iter().filter(here).take(MAX_IGNORED).cloned().collect();
        let whose: Vec<_> = std::iter::once(self.user.to_owned()).chain(counted).collect();
        let keys: Vec<_> = roots
            .iter()
            .flat_map(|(root, _)| {
                whose.iter().map(move |user| (root.pdu.event_id_owned().clone(), user.clone()))
            })
            .map(|(root, user)| (self.view.number, root, user))
            .collect();
        let sent = self.snapshot.get_many::<ThreadSenders>(&keys).await?;
        let sent: Vec<u64> = sent
            .into_iter()
            .map(|sent| sent.map_or(0, |sent| u64::try_from(sent.0).unwrap_or_default()))
            .collect();
        let latest: Vec<_> =
            roots.iter().filter_map(|(_, row)| row.thread.map(|thread| thread.latest)).collect();
        let latest = self.events_by_number(&latest).await?;
        let mut found = Vec::new();
        for (((root, row), latest), sent) in roots.iter().zip(latest).zip(sent.chunks(whose.len())) {
            let all = row.thread.map_or(0, |thread| thread.events);
            let (own, of_ignored) =
                sent.split_first().map_or((0, 0), |(own, rest)| (*own, rest.iter().sum::<u64>()));
            let sees_all = self.may_tell(&latest).await? && self.sees_first_reply(root).await?;
            let events = all.saturating_sub(of_ignored);
            let (latest, events) = if sees_all && !ignored.contains(latest.pdu.sender()) {
                (Some(latest), events)
            } else {
                let (latest, seen) = self.replies(root, &ignored).await?;
                (latest, if sees_all { events } else { seen })
            };
            let participated = own > 0 || root.pdu.sender() == self.user;
            let thread = |latest| Thread { root: root.number, latest, events, participated };
            found.extend(latest.filter(|_| events > 0).map(thread));
        }
        Ok(found)
    }

    /// Whether the reader may see the oldest event of a thread.
    async fn sees_first_reply(&mut self, root: &RoomEvent) -> Result<bool, StoreFault> {
        let rows = self.snapshot.scan(self.range_of_thread(root), Direction::Forward, 1).await?;
        let numbers: Vec<_> = rows.rows.into_iter().map(|(_, row)| row.event).collect();
        match self.events_by_number(&numbers).await?.first() {
            Some(first) => self.sees(first).await,
            None => Ok(false),
        }
    }

    /// The events of a thread.
    fn range_of_thread(&self, root: &RoomEvent) -> KeyRange<Relations> {
        let thread = (self.view.number, root.pdu.event_id_owned().clone(), Some("m.thread".to_owned()));
        KeyRange::prefix(&thread)
    }

    /// The latest event of a thread that the reader may see, and of how many among the last ones that is so.
    async fn replies(
        &mut self,
        root: &RoomEvent,
        ignored: &BTreeSet<OwnedUserId>,
    ) -> Result<(Option<Arc<RoomEvent>>, u64), StoreFault> {
        let rows = self.snapshot.scan(self.range_of_thread(root), Direction::Backward, MAX_REPLIES).await?;
        let rows = rows.rows.into_iter().map(|(_, row)| row);
        let numbers: Vec<_> =
            rows.filter(|row| !ignored.contains(&row.sender)).map(|row| row.event).collect();
        let (mut latest, mut seen) = (None, 0);
        for event in self.events_by_number(&numbers).await? {
            if self.may_tell(&event).await? {
                latest.get_or_insert(event);
                seen += 1;
            }
        }
        Ok((latest, seen))
    }

    /// Whether a child may be told of.
    async fn may_tell(&mut self, event: &RoomEvent) -> Result<bool, StoreFault> {
        let is_live = event.facts.outcome == Outcome::Accepted && event.facts.redacted_by.is_none();
        Ok(is_live && self.sees(event).await?)
    }

    /// Whom the reader ignores.
    pub(super) async fn ignored(&mut self) -> Result<Arc<BTreeSet<OwnedUserId>>, StoreFault> {
        if let Some(known) = &self.ignored {
            return Ok(Arc::clone(known));
        }
        let mut users = ignored_users(&self.snapshot, self.user).await?.users;
        // Nobody loses sight of what they send themselves.
        users.remove(self.user);
        let users = Arc::new(users);
        self.ignored = Some(Arc::clone(&users));
        Ok(users)
    }
}
