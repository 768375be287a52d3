//! Room aliases of this server (client-server API, "Room aliases").
//!
//! Owns: what an alias is, where it leads, who may give and take it, which aliases a room may call its own. Does not own: the
//! directory of rooms ([`super::directory`]); aliases of other servers.
//!
//! Invariants: an alias leads to one room; its row and the room's row of it are written together. What a room's `m.room.canonical_alias`
//! newly claims has been looked up.

use plop_base::Actor;
use plop_db::{Batch, CommitError, Db, KeyRange, Pages, ReadError, Snapshot};
use plop_state::auth::HistoryVisibility;
use plop_state::json::{Object, Value};
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedServerName, RoomAliasId, RoomId, UserId};

use crate::draft::EventDraft;
use crate::fault::StoreFault;
use crate::operation::{AppendError, Operation};
use crate::ops::refusal::{Guests, Refusal, sender};
use crate::rooms::Rooms;
use crate::schema::{AliasRow, Aliases, RoomAliases};
use crate::view::RoomView;

/// The state event in which a room names its aliases.
pub(super) const CANONICAL: &str = "m.room.canonical_alias";

/// Aliases read in one page.
const PAGE: usize = 1000;

/// Servers that are named with an alias: any of them lets one in.
const SERVERS: usize = 100;

/// Where an alias leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasTarget {
    pub room: OwnedRoomId,
    /// Servers through which the room can be joined, this one first.
    pub servers: Vec<OwnedServerName>,
}

/// Why a room may not call an alias its own.
#[derive(Debug, thiserror::Error)]
pub enum NotClaimed {
    #[error("not an alias")]
    Invalid,
    #[error("the alias {0} does not lead to this room")]
    OfAnotherRoom(OwnedRoomAliasId),
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl From<NotClaimed> for Refusal {
    fn from(error: NotClaimed) -> Self {
        match error {
            NotClaimed::Invalid => Self::InvalidAlias,
            NotClaimed::OfAnotherRoom(alias) => Self::BadAlias(alias.into()),
            NotClaimed::Store(fault) => Self::Store(fault),
        }
    }
}

/// The alias of a local part (appendices, "Room Aliases").
pub(super) fn alias(localpart: &str, server: &str) -> Option<OwnedRoomAliasId> {
    let is_plain =
        !localpart.is_empty() && !localpart.contains([':', '\0']) && !localpart.contains(char::is_whitespace);
    if !is_plain {
        return None;
    }
    // Refuses what is longer than 255 bytes.
    RoomAliasId::parse(format!("#{localpart}:{server}")).ok()
}

impl Rooms {
    /// Makes an alias lead to a room that the user is in.
    ///
    /// # Errors
    /// `InvalidAlias` for what is none of this server's, `AliasInUse`, `NotInRoom`.
    pub async fn create_alias(
        &self,
        actor: &Actor,
        alias: &RoomAliasId,
        room: &RoomId,
    ) -> Result<(), Refusal> {
        let creator = sender(actor, Guests::MayNot)?;
        if !self.is_own_alias(alias) {
            return Err(Refusal::InvalidAlias);
        }
        let view = self.view_by_id(room).await?;
        if !view.members.is_joined(creator) {
            return Err(Refusal::NotInRoom);
        }
        if !actor.reaches_others() {
            let is_taken = is_taken(&self.core().db, alias).await?;
            return if is_taken { Err(Refusal::AliasInUse) } else { Ok(()) };
        }
        let mut batch = Batch::durable();
        let row = AliasRow { room: room.to_owned(), creator: creator.to_owned() };
        batch.expect::<Aliases>(&alias.to_owned(), None);
        batch.put::<Aliases>(&alias.to_owned(), &row);
        batch.put::<RoomAliases>(&(view.number, alias.to_owned()), &());
        match self.core().db.commit(batch).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict { .. }) => Err(Refusal::AliasInUse),
            Err(error) => Err(StoreFault::from(error).into()),
        }
    }

    /// Takes an alias away: its creator may, and who has the power to say what the room's aliases are. The room's `m.room.canonical_alias` loses
    /// it too, where that power is there.
    ///
    /// # Errors
    /// `NoSuchAlias`, `MayNotChangeAlias`.
    pub async fn delete_alias(&self, actor: &Actor, alias: &RoomAliasId) -> Result<(), Refusal> {
        let user = sender(actor, Guests::MayNot)?;
        let room = self.resolve_alias(alias).await?;
        let number = self.number(&room).await?.ok_or(Refusal::NoSuchAlias)?;
        let request = Deletion { user, alias, is_heard: actor.reaches_others() };
        self.write(number, &request, |operation, request| Box::pin(delete(operation, request))).await
    }

    /// The room that an alias of this server leads to.
    ///
    /// # Errors
    /// `NoSuchAlias`.
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<OwnedRoomId, Refusal> {
        let row = self.core().db.snapshot().get::<Aliases>(&alias.to_owned()).await?;
        Ok(row.ok_or(Refusal::NoSuchAlias)?.room)
    }

    /// The room that an alias of this server leads to, with the servers through which it can be joined.
    ///
    /// # Errors
    /// `NoSuchAlias`.
    pub async fn alias_target(&self, alias: &RoomAliasId) -> Result<AliasTarget, Refusal> {
        let room = self.resolve_alias(alias).await?;
        let view = self.view_by_id(&room).await?;
        let own = &self.core().server;
        let others = view.members.servers().filter(|server| *server != own).take(SERVERS).cloned();
        Ok(AliasTarget { room, servers: [own.clone()].into_iter().chain(others).collect() })
    }

    /// The aliases of a room here, for its members and, where everyone may read it, for everyone.
    ///
    /// # Errors
    /// `NotInRoom`.
    pub async fn aliases_of(&self, actor: &Actor, room: &RoomId) -> Result<Vec<OwnedRoomAliasId>, Refusal> {
        let user = sender(actor, Guests::MayNot)?;
        let view = self.view_by_id(room).await?;
        let is_open = view.history_visibility() == HistoryVisibility::WorldReadable;
        if !is_open && !view.members.is_joined(user) {
            return Err(Refusal::NotInRoom);
        }
        Ok(aliases(&self.core().db.snapshot(), view.number).await?)
    }

    fn is_own_alias(&self, alias: &RoomAliasId) -> bool {
        let server = self.core().server.as_str();
        let localpart = alias.as_str().strip_prefix('#').and_then(|rest| rest.strip_suffix(server));
        let localpart = localpart.and_then(|rest| rest.strip_suffix(':'));
        localpart.and_then(|localpart| self::alias(localpart, server)).is_some()
    }
}

/// Whether an alias leads somewhere already.
pub(super) async fn is_taken(db: &Db, alias: &RoomAliasId) -> Result<bool, ReadError> {
    Ok(db.snapshot().get::<Aliases>(&alias.to_owned()).await?.is_some())
}

/// All aliases of a room here, in their order.
pub(super) async fn aliases(
    snapshot: &Snapshot,
    room: RoomNumber,
) -> Result<Vec<OwnedRoomAliasId>, ReadError> {
    let mut pages = Pages::new(KeyRange::<RoomAliases>::prefix(&room), PAGE);
    let mut found = Vec::new();
    while let Some(rows) = pages.next(snapshot).await? {
        found.extend(rows.into_iter().map(|((_, alias), ())| alias));
    }
    Ok(found)
}

/// Whether a user may say what the aliases of a room are and whether it is listed: a member with the power to set
/// `m.room.canonical_alias`.
pub(super) fn may_name(view: &RoomView, user: &UserId) -> bool {
    view.members.is_joined(user)
        && view.authority().is_some_and(|authority| authority.may_send(user.as_str(), CANONICAL, true))
}

struct Deletion<'r> {
    user: &'r UserId,
    alias: &'r RoomAliasId,
    /// Whether anybody hears of it.
    is_heard: bool,
}

async fn delete(operation: &mut Operation<'_>, request: &Deletion<'_>) -> Result<(), Refusal> {
    let Deletion { user, alias, is_heard } = *request;
    let (view, alias) = (operation.view(), alias.to_owned());
    let (number, may_name) = (view.number, may_name(view, user));
    let row = operation.snapshot().get::<Aliases>(&alias).await?;
    let row = row.filter(|row| row.room == view.id).ok_or(Refusal::NoSuchAlias)?;
    if row.creator != user && !may_name {
        return Err(Refusal::MayNotChangeAlias);
    }
    let batch = operation.batch();
    batch.expect::<Aliases>(&alias, Some(&row));
    batch.delete::<Aliases>(&alias);
    batch.delete::<RoomAliases>(&(number, alias.clone()));
    if may_name {
        drop_claim(operation, user, |claimed| claimed == alias.as_str()).await?;
    }
    if !is_heard {
        operation.abandon();
    }
    Ok(())
}

/// Takes aliases out of what the room claims, if the rules let the user.
pub(super) async fn drop_claim(
    operation: &mut Operation<'_>,
    user: &UserId,
    is_dropped: impl Fn(&str) -> bool,
) -> Result<(), StoreFault> {
    let Some(event) = operation.view().kept_type(CANONICAL) else { return Ok(()) };
    let before = event.pdu.content_object();
    let content = without(before.clone(), is_dropped);
    if content == before {
        return Ok(());
    }
    append_if_allowed(operation, EventDraft::state(CANONICAL, "", user.to_owned(), content)).await
}

/// Appends an event that is welcome and not needed: without the power for it, it is left out.
pub(super) async fn append_if_allowed(
    operation: &mut Operation<'_>,
    draft: EventDraft,
) -> Result<(), StoreFault> {
    match operation.append(draft).await {
        Ok(_) | Err(AppendError::Forbidden(_) | AppendError::Build(_)) => Ok(()),
        Err(AppendError::Store(fault)) => Err(fault),
    }
}

/// A canonical alias content without some aliases.
pub(super) fn without(mut content: Object, is_dropped: impl Fn(&str) -> bool) -> Object {
    let is_dropped = |value: &Value| value.as_str().is_some_and(&is_dropped);
    if content.get("alias").is_some_and(is_dropped) {
        content.remove("alias");
    }
    if let Some(Value::Array(aliases)) = content.get_mut("alt_aliases") {
        aliases.retain(|alias| !is_dropped(alias));
    }
    content
}

/// Checks what a new `m.room.canonical_alias` claims: each alias that the one before does not have must be one, and lead to this room
/// (client-server API, `PUT /rooms/{roomId}/state/{eventType}/{stateKey}`). `own` is an alias that the operation itself makes lead here.
///
/// # Errors
/// Those of other servers cannot be looked up and count as leading elsewhere.
pub async fn check_claim(
    operation: &Operation<'_>,
    content: &Object,
    own: Option<&str>,
) -> Result<(), NotClaimed> {
    let view = operation.view();
    let current = view.kept_type(CANONICAL).map(|event| event.pdu.content_object()).unwrap_or_default();
    // What has come in before may be anything.
    let known = claimed(&current).unwrap_or_default();
    let is_known = |alias: &String| known.contains(alias) || own == Some(alias.as_str());
    for alias in claimed(content)?.into_iter().filter(|alias| !is_known(alias)) {
        let alias = RoomAliasId::parse(&alias).map_err(|_| NotClaimed::Invalid)?;
        let row = operation.snapshot().get::<Aliases>(&alias).await.map_err(StoreFault::from)?;
        if row.is_none_or(|row| row.room != view.id) {
            return Err(NotClaimed::OfAnotherRoom(alias));
        }
    }
    Ok(())
}

/// The aliases that a content names.
fn claimed(content: &Object) -> Result<Vec<String>, NotClaimed> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned).ok_or(NotClaimed::Invalid);
    let mut aliases = match content.get("alt_aliases") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(aliases)) => aliases.iter().map(text).collect::<Result<_, _>>()?,
        Some(_) => return Err(NotClaimed::Invalid),
    };
    match content.get("alias") {
        None | Some(Value::Null) => {}
        // "If not present, null, or empty the room should be considered to have no canonical alias."
        Some(alias) => aliases.extend(Some(text(alias)?).filter(|alias| !alias.is_empty())),
    }
    Ok(aliases)
}
