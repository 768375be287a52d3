//! Letting users of other servers in (server-server API, "Joining Rooms").
//!
//! Owns: the template of a join and the answer to a signed one. Does not own: the stages that the signed join passes
//! ([`crate::ingest`]), the conditions of a restricted room ([`crate::restricted_join`]).
//!
//! Invariants: nothing is stored for a join that is refused. We put our name under a restricted join only if one of our joined users may
//! invite and the joining user is in a room that the rule names.

use plop_state::builder::BuildError;
use plop_state::json::{NumberRule, Object, parse_object};
use plop_state::{Pdu, auth, sign};
use ruma::{EventId, OwnedUserId, RoomId, RoomVersionId, ServerName, UserId};

use super::pages::ServedPages;
use super::{ServeError, servable};
use crate::draft::EventDraft;
use crate::fault::StoreFault;
use crate::ingest::{Ingest, Unfit, Verdict};
use crate::loading::LoadError;
use crate::reading::RoomReading;
use crate::remote::{JoinTemplate, RawPdu};
use crate::restricted_join::{self, Confirmation, may_authorise};
use crate::rooms::Rooms;
use crate::schema::Outcome;

/// Why a user of another server was not let in.
#[derive(Debug, thiserror::Error)]
pub enum ServeJoinError {
    /// The user is not of the server that asks.
    #[error("the user is of another server")]
    NotTheirUser,
    #[error("the room is not here")]
    NoRoom,
    #[error("the room's version {0} is none that the server knows")]
    IncompatibleVersion(RoomVersionId),
    /// The event is no join of its sender, is of another room, or has another id than the one given.
    #[error("not a join of the user into the room: {0}")]
    NotAJoin(&'static str),
    #[error("not a fit event: {0}")]
    Unfit(Unfit),
    #[error("the room does not allow it: {0}")]
    Forbidden(auth::AuthError),
    /// What the join rests on cannot be had here, or the current state no longer allows it.
    #[error("the join is not accepted")]
    NotAccepted,
    /// None of our users, or not the one whom the join names, can let others in: another server may.
    #[error("the join cannot be authorised here")]
    CannotAuthorise,
    /// The user meets no condition that can be checked here, and there are others: another server may know.
    #[error("the conditions of the join cannot be checked here")]
    CannotConfirm,
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Load(LoadError),
}

impl From<LoadError> for ServeJoinError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::NotHere => Self::NoRoom,
            error => Self::Load(error),
        }
    }
}

impl From<StoreFault> for ServeJoinError {
    fn from(fault: StoreFault) -> Self {
        Self::Load(fault.into())
    }
}

impl From<ServeError> for ServeJoinError {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::NotInRoom => Self::NoRoom,
            ServeError::NoEvent | ServeError::TooLarge => Self::NotAccepted,
            ServeError::Load(error) => error.into(),
        }
    }
}

/// The room for who has joined.
pub struct ServedJoin {
    /// The join, with our signature where it needs that.
    pub event: Pdu,
    /// The state before it, with its auth chain.
    pub state: ServedPages,
}

impl Rooms {
    /// What a user of another server has to sign to join (`GET /make_join/{roomId}/{userId}`).
    pub async fn serve_make_join(
        &self,
        to: &ServerName,
        room: &RoomId,
        user: &UserId,
        versions: &[RoomVersionId],
    ) -> Result<JoinTemplate, ServeJoinError> {
        if user.server_name() != to {
            return Err(ServeJoinError::NotTheirUser);
        }
        let view = self.view_by_id(room).await?;
        if !view.members.has_server(&self.core().server) {
            return Err(ServeJoinError::NoRoom);
        }
        if !versions.contains(&view.rules.version) {
            return Err(ServeJoinError::IncompatibleVersion(view.rules.version.clone()));
        }
        let reading = self.landed(view.number).await?;
        let mut content = Object::from([("membership".to_owned(), "join".into())]);
        if let Some(authoriser) = self.authoriser(&reading, user).await? {
            content.insert("join_authorised_via_users_server".to_owned(), authoriser.as_str().into());
        }
        let event = self.template(&reading, user, content).await?;
        reading.view().authorise(&event, None).map_err(ServeJoinError::Forbidden)?;
        let mut event = parse_object(event.canonical().as_bytes(), NumberRule::Lenient)
            .map_err(|_| ServeJoinError::NotAccepted)?;
        for ours in ["hashes", "signatures", "event_id"] {
            event.remove(ours);
        }
        Ok(JoinTemplate { version: reading.view().rules.version.clone(), event })
    }

    /// The join as it would be. It is signed on the way to be checked; the template goes out without.
    async fn template(
        &self,
        reading: &RoomReading,
        user: &UserId,
        content: Object,
    ) -> Result<Pdu, ServeJoinError> {
        let view = reading.view();
        let keys = auth::types_for("m.room.member", user, Some(user.as_str()), &content, view.rules);
        let current = plop_state_store::resolver::Resolved { base: view.root, changes: Vec::new() };
        let authorising = reading.state_events(&current, &keys).await?;
        let draft = EventDraft::state("m.room.member", user.as_str(), user.to_owned(), content);
        let extremities: Vec<&Pdu> =
            reading.forward_extremities().iter().map(|extremity| &extremity.pdu).collect();
        let core = self.core();
        Ok(draft.builder(core, view, &extremities, &authorising).build(view.rules, &core.key)?)
    }

    /// One of our users who lets `user` in by a restricted join rule, where that is needed.
    async fn authoriser(
        &self,
        reading: &RoomReading,
        user: &UserId,
    ) -> Result<Option<OwnedUserId>, ServeJoinError> {
        let view = reading.view();
        let is_in = matches!(
            view.members.membership(user),
            crate::schema::Membership::Join | crate::schema::Membership::Invite
        );
        if !view.join_rule().is_restricted() || is_in {
            return Ok(None);
        }
        self.check_conditions(reading, user).await?;
        let ours = restricted_join::authoriser(view);
        ours.cloned().map(Some).ok_or(ServeJoinError::CannotAuthorise)
    }

    /// Refuses a user who meets no condition of the join rule.
    async fn check_conditions(&self, reading: &RoomReading, user: &UserId) -> Result<(), ServeJoinError> {
        match self.confirm(reading.snapshot(), reading.view(), user).await? {
            Confirmation::Met => Ok(()),
            Confirmation::NotMet => Err(ServeJoinError::Forbidden(auth::AuthError::NotInvited)),
            Confirmation::Unknown => Err(ServeJoinError::CannotConfirm),
        }
    }
}

impl Ingest {
    /// Takes in the signed join of a user of another server and gives the room (`PUT /send_join/{roomId}/{eventId}`).
    pub async fn serve_send_join(
        &self,
        from: &ServerName,
        room: &RoomId,
        id: &EventId,
        raw: &RawPdu,
    ) -> Result<ServedJoin, ServeJoinError> {
        let rooms = self.rooms();
        let view = rooms.view_by_id(room).await?;
        let rules = view.rules;
        let join = Pdu::parse(raw.as_bytes(), rules).map_err(|error| ServeJoinError::Unfit(error.into()))?;
        is_join_of(&join, from, room, id)?;
        let mut raw = raw.clone();
        let mut join = join;
        if let Some(ours) = self.authorised_by_us(&join)? {
            let reading = rooms.landed(view.number).await?;
            if !may_authorise(reading.view(), &ours) {
                return Err(ServeJoinError::CannotAuthorise);
            }
            rooms.check_conditions(&reading, join.sender()).await?;
            join = sign::countersign(&join, &rooms.core().key, rules)
                .map_err(|error| ServeJoinError::Unfit(error.into()))?;
            raw = join.canonical().into();
        }
        match self.receive(from, &raw).await.verdict? {
            Verdict::Accepted | Verdict::Known(Outcome::Accepted) => {}
            Verdict::Rejected(error) => return Err(ServeJoinError::Forbidden(error)),
            Verdict::Dropped(unfit) => return Err(ServeJoinError::Unfit(unfit)),
            Verdict::SoftFailed | Verdict::Waiting | Verdict::Known(_) => {
                return Err(ServeJoinError::NotAccepted);
            }
        }
        let reading = rooms.landed(view.number).await?;
        let accepted = servable(&reading, join.event_id()).await?;
        let before = accepted.facts.before.ok_or(ServeJoinError::NotAccepted)?;
        Ok(ServedJoin { event: accepted.pdu.clone(), state: ServedPages::of_state(rooms, &reading, before) })
    }

    /// Our user under whose name the join asks to be let in.
    fn authorised_by_us(&self, join: &Pdu) -> Result<Option<OwnedUserId>, ServeJoinError> {
        let content = join.content_object();
        let Some(authoriser) = content.get("join_authorised_via_users_server") else { return Ok(None) };
        let authoriser = authoriser.as_str().and_then(|id| OwnedUserId::try_from(id).ok());
        let authoriser = authoriser.ok_or(ServeJoinError::NotAJoin("join_authorised_via_users_server"))?;
        Ok(Some(authoriser).filter(|user| user.server_name() == self.rooms().core().server))
    }
}

/// Whether the event is what its sender's server may hand over as a join.
fn is_join_of(join: &Pdu, from: &ServerName, room: &RoomId, id: &EventId) -> Result<(), ServeJoinError> {
    let wrong = [
        (join.room_id() != room, "room_id"),
        (join.event_id() != id, "event_id"),
        (join.type_name() != "m.room.member", "type"),
        (join.membership() != Some("join"), "membership"),
        (join.state_key() != Some(join.sender().as_str()), "state_key"),
        (join.sender().server_name() != from, "sender"),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, what)) => Err(ServeJoinError::NotAJoin(what)),
        None => Ok(()),
    }
}
