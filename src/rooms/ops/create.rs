//! Room creation (client-server API, `POST /createRoom`).
//!
//! Owns: the order of a new room's events, its alias, its place in the directory. Does not own: what those events hold ([`content`]).
//!
//! Invariants: all or nothing: every event, the alias and the directory entry are one batch.

pub(super) mod content;
mod request;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use plop_accounts::invite_permission::{InvitePermission, invite_permission};
use plop_base::Actor;
use plop_db::{CommitError, Keyspace as _, ReadError};
use plop_state::auth::AuthError;
use plop_state::builder::BuildError;
use plop_state::{Rules, StateKey};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomVersionId, UserId};

pub use request::{CreateRoom, InitialState, Preset};

use crate::draft::EventDraft;
use crate::fault::StoreFault;
use crate::founding::{NewRoom, NotARoom};
use crate::operation::{AppendError, Operation};
use crate::ops::aliases::{self, NotClaimed};
use crate::ops::forget::hide;
use crate::rooms::Rooms;
use crate::schema::{AliasRow, Aliases, PublishedRooms, RoomAliases};

/// Why no room was created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("guests may not create rooms")]
    Guest,
    #[error("a room needs a user who creates it")]
    NoCreator,
    #[error("room version {0} is not known here")]
    UnsupportedVersion(RoomVersionId),
    #[error("the alias is not valid")]
    InvalidAlias,
    #[error("the alias is taken")]
    AliasInUse,
    /// The create event itself is none: `additional_creators` that are no user ids, say.
    #[error("the creation content is refused: {0}")]
    CreationContent(AuthError),
    /// The room's own rules refuse one of its first events: power levels that leave the creator without power, say.
    #[error("the initial state is refused: {0}")]
    InitialState(AuthError),
    /// An event is too large, or an id in it too long.
    #[error("not an event: {0}")]
    Event(#[from] BuildError),
    #[error("the room is too large to be created at once")]
    TooLarge,
    #[error("{0} cannot be invited: users of other servers cannot be reached")]
    Unreachable(OwnedUserId),
    #[error("{0} does not want to be invited")]
    InviteBlocked(OwnedUserId),
    #[error("there were too many invitations to one of these users")]
    TooManyInvites { wait: Duration },
    #[error("members are invited by `invite`, not by the initial state")]
    MemberInInitialState,
    /// An alias in the initial state that is none, or does not lead to this room.
    #[error("the initial state claims an alias that is not the room's")]
    BadAlias,
    #[error(transparent)]
    Store(StoreFault),
}

impl From<StoreFault> for CreateError {
    fn from(fault: StoreFault) -> Self {
        match fault {
            StoreFault::Commit(CommitError::TooLarge { .. }) => Self::TooLarge,
            StoreFault::Commit(CommitError::Conflict { keyspace, .. }) if keyspace == Aliases::NAME => {
                Self::AliasInUse
            }
            fault => Self::Store(fault),
        }
    }
}

impl From<NotARoom> for CreateError {
    fn from(error: NotARoom) -> Self {
        match error {
            NotARoom::Create(error) => Self::CreationContent(error),
            NotARoom::Event(error) => Self::Event(error),
        }
    }
}

impl From<AppendError> for CreateError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Forbidden(error) => Self::InitialState(error),
            AppendError::Build(error) => Self::Event(error),
            AppendError::Store(fault) => fault.into(),
        }
    }
}

impl From<NotClaimed> for CreateError {
    fn from(error: NotClaimed) -> Self {
        match error {
            NotClaimed::Invalid | NotClaimed::OfAnotherRoom(_) => Self::BadAlias,
            NotClaimed::Store(fault) => fault.into(),
        }
    }
}

impl From<ReadError> for CreateError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl Rooms {
    /// Creates a room and returns its id once it is on disk.
    pub async fn create(&self, actor: &Actor, request: &CreateRoom) -> Result<OwnedRoomId, CreateError> {
        let creator = creator(actor)?;
        let rules = plop_state::rules(&request.version)
            .ok_or_else(|| CreateError::UnsupportedVersion(request.version.clone()))?;
        let ignoring = self.check_invites(creator, request).await?;
        let visible = visible(actor, request);
        let request: &CreateRoom = &visible;
        let alias = self.free_alias(request).await?;
        let drafts = self.first_events(creator, request, rules, alias.as_deref()).await?;
        let content = content::create(creator, request, rules);
        let new = NewRoom { creator: creator.to_owned(), content, rules };
        let (published, invite) = (request.published, &*request.invite);
        let first = FirstBatch { actor, creator, drafts, alias, published, invite, ignoring };
        let founded = self.found(&new, &first, |operation, first| Box::pin(fill(operation, first))).await?;
        Ok(founded.id)
    }

    /// One who cannot or does not want to be invited keeps the room from being created: it is all or nothing. Those who ignore the invite are
    /// told.
    async fn check_invites(
        &self,
        creator: &UserId,
        request: &CreateRoom,
    ) -> Result<BTreeSet<OwnedUserId>, CreateError> {
        if request.initial_state.iter().any(|event| event.kind == "m.room.member") {
            return Err(CreateError::MemberInInitialState);
        }
        let snapshot = self.core().db.snapshot();
        let mut ignoring = BTreeSet::new();
        for user in &request.invite {
            if user.server_name() != self.core().server {
                return Err(CreateError::Unreachable(user.clone()));
            }
            match invite_permission(&snapshot, user, creator).await? {
                InvitePermission::Allowed => {}
                InvitePermission::Ignored => drop(ignoring.insert(user.clone())),
                InvitePermission::Blocked => return Err(CreateError::InviteBlocked(user.clone())),
            }
        }
        Ok(ignoring)
    }

    async fn free_alias(&self, request: &CreateRoom) -> Result<Option<OwnedRoomAliasId>, CreateError> {
        let Some(localpart) = &request.alias else { return Ok(None) };
        let alias =
            aliases::alias(localpart, self.core().server.as_str()).ok_or(CreateError::InvalidAlias)?;
        if aliases::is_taken(&self.core().db, &alias).await? {
            return Err(CreateError::AliasInUse);
        }
        Ok(Some(alias))
    }

    /// All other events of the new room, in the order that the specification gives.
    async fn first_events(
        &self,
        creator: &UserId,
        request: &CreateRoom,
        rules: &Rules,
        alias: Option<&RoomAliasId>,
    ) -> Result<Vec<EventDraft>, CreateError> {
        let snapshot = self.core().db.snapshot();
        let state = |kind: &str, content| EventDraft::state(kind, "", creator.to_owned(), content);
        let profile = plop_accounts::profile::member_profile(&snapshot, creator).await?;
        let mut drafts = vec![EventDraft::state(
            "m.room.member",
            creator.as_str(),
            creator.to_owned(),
            content::member("join", &profile, false),
        )];
        if !request.sets("m.room.power_levels") {
            drafts.push(state("m.room.power_levels", content::power_levels(creator, request, rules)));
        }
        drafts.extend(
            alias.map(|alias| state("m.room.canonical_alias", content::text("alias", alias.as_str()))),
        );
        let preset = content::preset(request.preset).into_iter().filter(|(kind, _)| !request.sets(kind));
        drafts.extend(preset.map(|(kind, content)| state(kind, content)));
        drafts.extend(request.initial_state.iter().map(|event| {
            EventDraft::state(&event.kind, &event.state_key, creator.to_owned(), event.content.clone())
        }));
        drafts.extend(request.name.as_deref().map(|name| state("m.room.name", content::text("name", name))));
        drafts.extend(request.topic.as_deref().map(|topic| state("m.room.topic", content::topic(topic))));
        for user in &request.invite {
            let profile = plop_accounts::profile::member_profile(&snapshot, user).await?;
            let content = content::member("invite", &profile, request.is_direct);
            drafts.push(EventDraft::state("m.room.member", user.as_str(), creator.to_owned(), content));
        }
        Ok(drafts)
    }
}

/// What a new room holds from the start, besides its create event.
struct FirstBatch<'r> {
    actor: &'r Actor,
    creator: &'r UserId,
    drafts: Vec<EventDraft>,
    alias: Option<OwnedRoomAliasId>,
    published: bool,
    invite: &'r [OwnedUserId],
    /// Users who do not see that they are invited.
    ignoring: BTreeSet<OwnedUserId>,
}

async fn fill(operation: &mut Operation<'_>, first: &FirstBatch<'_>) -> Result<(), CreateError> {
    for draft in &first.drafts {
        if draft.kind == aliases::CANONICAL {
            let own = first.alias.as_deref().map(RoomAliasId::as_str);
            aliases::check_claim(operation, &draft.content, own).await?;
        }
        let event = operation.append(draft.clone()).await?;
        let is_of = |user: &&OwnedUserId| event.pdu.as_state() == Some(StateKey::member(user.as_str()));
        if let Some(user) = first.ignoring.iter().find(is_of) {
            hide(operation, user, event.number);
        }
    }
    let invited = operation.core().invitations.take(first.actor, None, first.invite);
    invited.map_err(|wait| CreateError::TooManyInvites { wait })?;
    let (number, id) = (operation.view().number, operation.view().id.clone());
    let batch = operation.batch();
    if let Some(alias) = &first.alias {
        batch.expect::<Aliases>(alias, None);
        batch.put::<Aliases>(alias, &AliasRow { room: id, creator: first.creator.to_owned() });
        batch.put::<RoomAliases>(&(number, alias.clone()), &());
    }
    if first.published {
        batch.put::<PublishedRooms>(&number, &());
    }
    Ok(())
}

/// What others see of what is asked for: to one who is shadow-banned nobody comes.
fn visible<'r>(actor: &Actor, request: &'r CreateRoom) -> Cow<'r, CreateRoom> {
    if actor.reaches_others() {
        return Cow::Borrowed(request);
    }
    Cow::Owned(CreateRoom { invite: Vec::new(), published: false, ..request.clone() })
}

fn creator(actor: &Actor) -> Result<&UserId, CreateError> {
    match actor {
        Actor::User { user, .. }
        | Actor::AppService { user, .. }
        | Actor::AdminAs { user, .. }
        | Actor::ShadowBanned { user, .. }
        | Actor::ServerAs { user } => Ok(user),
        Actor::Guest { .. } => Err(CreateError::Guest),
        Actor::Server => Err(CreateError::NoCreator),
    }
}
