//! Room upgrades (client-server API, "Room upgrades").
//!
//! Owns: the order in which a room is replaced, and what of it moves. Does not own: what the new room's events hold ([`succession`]).
//!
//! Invariants: the new room is complete, in as many batches as it needs, before anything points at it. One last batch in the old room
//! makes the change: tombstone, aliases, directory, power levels. A crash in between leaves the old room as it was, and a new one that only the
//! user who asked is in.

mod succession;

use futures_util::future::BoxFuture;
use plop_base::Actor;
use plop_db::{Direction, KeyRange};
use plop_state::auth::AuthError;
use plop_state_store::RoomNumber;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, UserId};

use crate::draft::EventDraft;
use crate::fault::StoreFault;
use crate::founding::NewRoom;
use crate::operation::Operation;
use crate::ops::aliases::{aliases, append_if_allowed, drop_claim};
use crate::ops::create::content;
use crate::ops::refusal::{Guests, Refusal, sender};
use crate::rooms::Rooms;
use crate::schema::{AliasRow, Aliases, Membership, PublishedRooms, RoomAliases, Timeline};
use crate::summary;
use crate::view::RoomView;
use succession::Succession;

/// Events of one batch of the new room: each may be as large as an event can be.
const BATCH: usize = 100;

/// State entries read in one page.
const PAGE: usize = 500;

/// What a room is replaced by.
#[derive(Debug, Clone)]
pub struct UpgradeRoom {
    pub version: RoomVersionId,
    /// Further creators of the new room, where its version knows them.
    pub additional_creators: Vec<OwnedUserId>,
}

impl Rooms {
    /// Replaces a room by one of another version and returns the new one's id.
    ///
    /// # Errors
    /// `NotInRoom`; `UnknownVersion`; `Rule` for one who may not send the tombstone or names no users as creators.
    pub async fn upgrade(
        &self,
        actor: &Actor,
        room: &RoomId,
        request: &UpgradeRoom,
    ) -> Result<OwnedRoomId, Refusal> {
        let user = sender(actor, Guests::MayNot)?;
        let rules = plop_state::rules(&request.version)
            .ok_or_else(|| Refusal::UnknownVersion(request.version.to_string()))?;
        let old = self.view_by_id(room).await?;
        if !old.members.is_joined(user) {
            return Err(Refusal::NotInRoom);
        }
        let may_end =
            |may: &plop_state::auth::Authority| may.may_send(user.as_str(), "m.room.tombstone", true);
        if !old.authority().is_some_and(may_end) {
            return Err(Refusal::Rule(AuthError::EventLevel));
        }
        let succession =
            Succession { user, old: &old, rules, additional_creators: &request.additional_creators };
        let content = succession.create(self.last_event(&old).await?.as_ref());
        let drafts = self.successor_events(&succession).await?;
        let mut batches = drafts.chunks(BATCH);
        let new = NewRoom { creator: user.to_owned(), content, rules };
        let founded = self.found(&new, &batches.next().unwrap_or_default(), append_all).await?;
        for batch in batches {
            self.write(founded.number, &batch, append_all).await?;
        }
        let is_heard = actor.reaches_others();
        let handover = Handover { user, new: founded.id, number: founded.number, is_heard };
        self.write(old.number, &handover, |operation, handover| Box::pin(hand_over(operation, handover)))
            .await?;
        Ok(handover.new)
    }

    /// The newest event of a room.
    async fn last_event(&self, view: &RoomView) -> Result<Option<OwnedEventId>, Refusal> {
        let (core, snapshot) = (self.core(), self.core().db.snapshot());
        let timeline = KeyRange::<Timeline>::prefix(&view.number);
        let last = snapshot.scan(timeline, Direction::Backward, 1).await?;
        let Some((_, row)) = last.rows.first() else { return Ok(None) };
        let event = core.events.get(&snapshot, view.number, view.rules, row.event).await?;
        Ok(Some(event.pdu.event_id_owned().clone()))
    }

    /// The new room's events after its create event. Its power levels come last: until then its creator may do everything, whatever the
    /// levels will be, so nothing has to be lifted for a moment and restored.
    async fn successor_events(&self, succession: &Succession<'_>) -> Result<Vec<EventDraft>, Refusal> {
        let Succession { user, old, .. } = *succession;
        let (core, snapshot) = (self.core(), self.core().db.snapshot());
        let profile = plop_accounts::profile::member_profile(&snapshot, user).await?;
        let state = |kind: &str, key: &str, content| EventDraft::state(kind, key, user.to_owned(), content);
        let mut drafts =
            vec![state("m.room.member", user.as_str(), content::member("join", &profile, false))];
        drafts.extend(succession.settings().into_iter().map(|(kind, content)| state(kind, "", content)));
        let aliases = aliases(&snapshot, old.number).await?;
        drafts.extend(
            succession.canonical_alias(&aliases).map(|content| state("m.room.canonical_alias", "", content)),
        );
        if summary::room_type(old).as_deref() == Some("m.space") {
            for (child, content) in self.children(succession).await? {
                drafts.push(state("m.space.child", &child, content));
            }
        }
        let banned = old
            .members
            .iter()
            .filter(|(user, member)| member.membership == Membership::Ban && !succession.is_creator(user));
        let (users, events): (Vec<_>, Vec<_>) = banned.map(|(user, member)| (user, member.event)).unzip();
        let events = core.events.get_many(&snapshot, old.number, old.rules, &events).await?;
        for (banned, event) in users.into_iter().zip(events) {
            drafts.push(state("m.room.member", banned.as_str(), succession.ban(&event)));
        }
        drafts.extend(succession.power_levels().map(|content| state("m.room.power_levels", "", content)));
        Ok(drafts)
    }

    /// The rooms of a space.
    async fn children(
        &self,
        succession: &Succession<'_>,
    ) -> Result<Vec<(String, plop_state::json::Object)>, Refusal> {
        let (core, snapshot, old) = (self.core(), self.core().db.snapshot(), succession.old);
        let mut children = Vec::new();
        let mut after = None;
        loop {
            let tree = &core.state.tree;
            let page = tree.scan(&snapshot, old.grove(), old.root, after, PAGE).await;
            let page = page.map_err(StoreFault::from)?;
            let Some(last) = page.last() else { return Ok(children) };
            after = Some(last.key);
            let numbers: Vec<_> = page.iter().map(|entry| entry.event).collect();
            for event in core.events.get_many(&snapshot, old.number, old.rules, &numbers).await? {
                let content = succession.carried(&event);
                // A child without content has been taken out.
                if let Some(child) = event.pdu.state_key()
                    && event.pdu.type_name() == "m.space.child"
                    && !content.is_empty()
                {
                    children.push((child.to_owned(), content));
                }
            }
        }
    }
}

fn append_all<'a>(
    operation: &'a mut Operation<'_>,
    drafts: &'a &[EventDraft],
) -> BoxFuture<'a, Result<(), Refusal>> {
    Box::pin(async move {
        for draft in *drafts {
            operation.append(draft.clone()).await?;
        }
        Ok(())
    })
}

/// The end of the old room.
struct Handover<'r> {
    user: &'r UserId,
    new: OwnedRoomId,
    number: RoomNumber,
    /// Whether the room hears of it.
    is_heard: bool,
}

async fn hand_over(operation: &mut Operation<'_>, handover: &Handover<'_>) -> Result<(), Refusal> {
    let Handover { user, new, number, is_heard } = handover;
    let tombstone = content::object([
        ("body", "This room has been replaced".into()),
        ("replacement_room", new.as_str().into()),
    ]);
    operation.append(EventDraft::state("m.room.tombstone", "", (*user).to_owned(), tombstone)).await?;

    let old = operation.view().number;
    let snapshot = operation.snapshot().clone();
    let moved = aliases(&snapshot, old).await?;
    let rows = snapshot.get_many::<Aliases>(&moved).await?;
    let is_published = snapshot.get::<PublishedRooms>(&old).await?.is_some();
    let batch = operation.batch();
    for (alias, row) in moved.iter().zip(rows) {
        let Some(row) = row else { continue };
        batch.expect::<Aliases>(alias, Some(&row));
        batch.put::<Aliases>(alias, &AliasRow { room: new.clone(), ..row });
        batch.delete::<RoomAliases>(&(old, alias.clone()));
        batch.put::<RoomAliases>(&(*number, alias.clone()), &());
    }
    if is_published {
        batch.delete::<PublishedRooms>(&old);
        batch.put::<PublishedRooms>(number, &());
    }
    drop_claim(operation, user, |claimed| moved.iter().any(|alias| alias.as_str() == claimed)).await?;
    if let Some(levels) = succession::closed(operation.view()) {
        let draft = EventDraft::state("m.room.power_levels", "", (*user).to_owned(), levels);
        append_if_allowed(operation, draft).await?;
    }
    if !is_heard {
        operation.abandon();
    }
    Ok(())
}
