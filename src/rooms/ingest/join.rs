//! Joining a room of another server (server-server API, "Joining Rooms").
//!
//! Owns: the handshake from our side, and taking in the room that it gives. Does not own: joins into rooms that are here.
//!
//! Invariants: we sign an event made of our own facts; of another server's template we take the room version, the previous and the auth
//! events, the depth and who authorises a restricted join. The events of the answer pass the same stages as any other; those that do
//! not are left out, and only without a create event or one that the join itself rests on does the join fail. Until the
//! batch of the join nothing points at what was written.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_base::limits::{MAX_AUTH_EVENTS, MAX_PREV_EVENTS};
use plop_base::{Actor, TaskKind};
use plop_db::ReadError;
use plop_state::auth::{AuthError, NotAuthorised};
use plop_state::builder::{BuildError, EventBuilder};
use plop_state::json::{Object, Value};
use plop_state::{Pdu, Rules, StateKey};
use plop_state_store::EventNumber;
use plop_state_store::resolver::Resolved;
use plop_state_store::tree::Root;
use ruma::{OwnedEventId, OwnedServerName, OwnedUserId, RoomId, RoomVersionId, ServerName, UserId};
use tokio::sync::oneshot;

use super::checking::check_in;
use super::gate::Ingest;
use super::intake::{IntakeError, MAX_STATE};
use super::site::Site;
use crate::fault::StoreFault;
use crate::loading::{LoadError, load_unjoined};
use crate::operation::{Advance, Placement};
use crate::remote::{JoinTemplate, RawPdu, RemoteError, RoomAnswer};
use crate::rooms::settle;
use crate::schema::{Outcome, RoomIds, RoomRecords, RoomRow};
use crate::slot::RoomSlot;
use crate::state_change::Changes;
use crate::view::RoomView;

/// Servers that are asked to let a user in.
const MAX_SERVERS: usize = 8;

/// Events of a told state that are looked up at once.
const PAGE: usize = 1_000;

/// Why a room of other servers was not joined. With several servers: what the last one led to.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("only users of this server join through it")]
    NotOurUser,
    #[error("guests may not join rooms of other servers")]
    Guest,
    #[error("no server is known that could let the user in")]
    NoServer,
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("room version {0} is not known here")]
    UnsupportedVersion(RoomVersionId),
    /// What was given to be signed is no join of the user, or leads nowhere.
    #[error("the template is not of this join: {0}")]
    Template(&'static str),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("the room's state does not hold: {0}")]
    State(&'static str),
    /// More events, or more of what they cite, than are taken in.
    #[error("the room is too large")]
    TooLarge,
    #[error("the room does not allow the join: {0}")]
    Forbidden(AuthError),
    #[error("the server stops")]
    Stopping,
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl From<StoreFault> for JoinError {
    fn from(fault: StoreFault) -> Self {
        Self::Load(fault.into())
    }
}

impl From<IntakeError> for JoinError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::TooLarge => Self::TooLarge,
            IntakeError::Remote(error) => Self::Remote(error),
            IntakeError::Load(error) => Self::Load(error),
        }
    }
}

impl From<ReadError> for JoinError {
    fn from(error: ReadError) -> Self {
        Self::Load(error.into())
    }
}

impl Ingest {
    /// Joins a user of this server to a room that none is in yet, through one of some servers that are. Returns the join.
    ///
    /// Once it has begun it is finished, also if nobody waits for it any more: the other servers have the join before we do.
    pub async fn join(
        &self,
        actor: &Actor,
        room: &RoomId,
        via: &[OwnedServerName],
    ) -> Result<OwnedEventId, JoinError> {
        let user = joining_user(actor)?;
        if user.server_name() != self.rooms.core().server {
            return Err(JoinError::NotOurUser);
        }
        let turn = self.joining.take(&room.to_owned()).await;
        // The semaphore is never closed; were it, joins would merely not be counted.
        let place = Arc::clone(&self.joins).acquire_owned().await.ok();
        let (ingest, user, room, via) = (self.clone(), user.to_owned(), room.to_owned(), via.to_vec());
        let (answer, outcome) = oneshot::channel();
        let work = async move {
            let _held = (turn, place);
            let joined = ingest.join_through(&user, &room, &via).await;
            match answer.send(joined) {
                Ok(()) | Err(Ok(_)) => Ok(()),
                // Nobody else is told.
                Err(Err(error)) => Err(error.into()),
            }
        };
        self.tasks.spawn_once(TaskKind::RoomWork, "join a room of other servers", work);
        outcome.await.unwrap_or(Err(JoinError::Stopping))
    }

    async fn join_through(
        &self,
        user: &UserId,
        room: &RoomId,
        via: &[OwnedServerName],
    ) -> Result<OwnedEventId, JoinError> {
        let mut failure = JoinError::NoServer;
        let ours = &self.rooms.core().server;
        for server in via.iter().filter(|server| *server != ours).take(MAX_SERVERS) {
            match self.join_at(user, room, server).await {
                Ok(joined) => return Ok(joined),
                Err(JoinError::Load(error)) => return Err(error.into()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn join_at(
        &self,
        user: &UserId,
        room: &RoomId,
        server: &ServerName,
    ) -> Result<OwnedEventId, JoinError> {
        let versions: Vec<_> = plop_state::version::ALL.iter().map(|rules| rules.version.clone()).collect();
        let template = self.remote.make_join(server, room, user, &versions).await?;
        let rules = plop_state::rules(&template.version)
            .ok_or_else(|| JoinError::UnsupportedVersion(template.version.clone()))?;
        let join = self.join_event(user, room, rules, &template).await?;
        let site = self.joining_site(server, room, rules).await?;
        let answer = self.remote.send_join(server, room, &join).await?;
        self.adopt(&site, join, answer).await
    }

    /// The join, of our own facts.
    async fn join_event(
        &self,
        user: &UserId,
        room: &RoomId,
        rules: &Rules,
        template: &JoinTemplate,
    ) -> Result<Pdu, JoinError> {
        let event = &template.event;
        let is = |name: &str, expected: &str| event.get(name).and_then(Value::as_str) == Some(expected);
        let given = event.get("content").and_then(Value::as_object);
        let membership = given.and_then(|content| content.get("membership")).and_then(Value::as_str);
        let expected = [
            (is("type", "m.room.member"), "type"),
            (is("room_id", room.as_str()), "room_id"),
            (is("sender", user.as_str()), "sender"),
            (is("state_key", user.as_str()), "state_key"),
            (membership == Some("join"), "membership"),
        ];
        if let Some((_, wrong)) = expected.into_iter().find(|(fits, _)| !fits) {
            return Err(JoinError::Template(wrong));
        }
        let core = self.rooms.core();
        let profile = plop_accounts::profile::member_profile(&core.db.snapshot(), user).await?;
        let mut content = Object::from([("membership".to_owned(), "join".into())]);
        content.extend(profile.displayname.map(|name| ("displayname".to_owned(), name.into())));
        content.extend(profile.avatar_url.map(|url| ("avatar_url".to_owned(), url.into())));
        if rules.spec.authorization.restricted_join_rule
            && let Some(authoriser) = given.and_then(|given| given.get("join_authorised_via_users_server"))
            && let Some(authoriser) = authoriser.as_str().and_then(|id| OwnedUserId::try_from(id).ok())
        {
            content.insert("join_authorised_via_users_server".to_owned(), authoriser.as_str().into());
        }
        let mut builder = EventBuilder::new(Some(room.to_owned()), "m.room.member", user.to_owned(), content);
        builder.state_key = Some(user.to_string());
        builder.prev_events = references(event, "prev_events", MAX_PREV_EVENTS)?;
        builder.auth_events = references(event, "auth_events", MAX_AUTH_EVENTS)?;
        if builder.prev_events.is_empty() {
            return Err(JoinError::Template("prev_events"));
        }
        let depth = event.get("depth").and_then(Value::as_int).and_then(|depth| u64::try_from(depth).ok());
        builder.depth = depth.ok_or(JoinError::Template("depth"))?;
        builder.origin_server_ts = core.clock.now().0;
        builder.event_id = core.new_event_id(rules);
        Ok(builder.build(rules, &core.key)?)
    }

    /// The room to be joined: as it was left, or unseen by anybody else until it is whole.
    async fn joining_site(
        &self,
        server: &ServerName,
        room: &RoomId,
        rules: &'static Rules,
    ) -> Result<Site, JoinError> {
        match self.rooms.view_by_id(room).await {
            Ok(view) if view.rules.version == rules.version => return Ok(Site::of(&view, server)),
            Ok(_) => return Err(JoinError::State("its version is another one")),
            Err(LoadError::NotHere) => {}
            Err(error) => return Err(error.into()),
        }
        let core = self.rooms.core();
        let known = self.rooms.number(room).await?;
        let number = known.unwrap_or_else(|| self.rooms.registry().new_number());
        let mut view = RoomView::empty(number, room.to_owned(), rules);
        view.position = core.db.published();
        let mut site = Site::of(&view, server);
        let ahead = load_unjoined(core, view).await?;
        site.unjoined = Some(Arc::new(RoomSlot::new(ahead)));
        let mut writer = self.guard(&site).await?;
        let mut operation = writer.begin();
        let row = RoomRow {
            id: room.to_owned(),
            version: rules.version.as_str().to_owned(),
            since: core.clock.now(),
        };
        let batch = operation.batch();
        batch.put::<RoomRecords>(&number, &row);
        batch.expect::<RoomIds>(&room.to_owned(), known.as_ref());
        batch.put::<RoomIds>(&room.to_owned(), &number);
        let submitted = operation.submit().await;
        drop(writer);
        settle(submitted).await?;
        Ok(site)
    }

    /// The join as the resident server signed it, if that is still our event.
    async fn with_signature(&self, site: &Site, join: Pdu, signed: Option<RawPdu>) -> Pdu {
        let Some(raw) = signed else { return join };
        match self.verify(site, &raw).await {
            Ok(signed) if signed.event_id() == join.event_id() && same_content(&signed, &join) => signed,
            _ => join,
        }
    }

    /// Takes in the room and the join on top of it.
    async fn adopt(&self, site: &Site, join: Pdu, answer: RoomAnswer) -> Result<OwnedEventId, JoinError> {
        let slot = Arc::clone(self.read(site).await?.slot());
        let mut intake = self.intake(site, MAX_STATE);
        let signed = intake.take(answer).await?;
        let state = intake.finish().await?.state;
        let join = self.with_signature(site, join, signed).await;
        let state = self.told_entries(site, &state).await?;
        match self.check_by_auth_events(site, &join).await? {
            Ok(()) => {}
            Err(NotAuthorised::Rejected(error)) => return Err(JoinError::Forbidden(error)),
            Err(NotAuthorised::Missing(_)) => return Err(JoinError::State("what the join cites is missing")),
        }
        let before = self.keep_state(site, state).await?;
        let reading = self.read(site).await?;
        let told = Resolved { base: before, changes: Vec::new() };
        check_in(&reading, &join, &told).await?.map_err(JoinError::Forbidden)?;
        let changes = reading.differences(reading.view().root, before).await?;
        self.enter(site, &slot, join, before, changes).await
    }

    /// The entries of a state of which these events are told, without those that did not pass.
    async fn told_entries(
        &self,
        site: &Site,
        ids: &[OwnedEventId],
    ) -> Result<BTreeMap<StateKey, EventNumber>, JoinError> {
        let reading = self.read(site).await?;
        let mut state = BTreeMap::new();
        for ids in ids.chunks(PAGE) {
            let events = reading.events_by_id(ids).await.map_err(LoadError::from)?;
            for event in events.into_iter().flatten() {
                if event.facts.outcome != Outcome::Rejected
                    && let Some(key) = event.pdu.as_state()
                {
                    state.entry(key).or_insert(event.number);
                }
            }
        }
        let create = state.get(&StateKey::create()).copied();
        let known = reading.view().kept_type("m.room.create").map(|create| create.number);
        if create.is_none() || known.is_some_and(|known| Some(known) != create) {
            return Err(JoinError::State("there is no create event in it"));
        }
        Ok(state)
    }

    /// The batch of the join, and with it the room; rows of members that are too many for it follow.
    async fn enter(
        &self,
        site: &Site,
        slot: &Arc<RoomSlot>,
        join: Pdu,
        before: Root,
        mut changes: Changes,
    ) -> Result<OwnedEventId, JoinError> {
        let _turn = self.turn_to_place(site).await?;
        let mut writer = self.guard(site).await?;
        if !writer.is_of(slot) {
            return Err(JoinError::State("events that it rests on were lost"));
        }
        let mut operation = writer.begin();
        let backward_extremities = join.prev_events().to_vec();
        let placement = Placement {
            outcome: Outcome::Accepted,
            provisional: false,
            before,
            place: None,
            backward_extremities,
        };
        let event = operation.place(join, placement, None).await?;
        changes.put(&event);
        let root = event.state_after().unwrap_or(before);
        operation
            .accept(&event, Advance { forward_extremities: vec![Arc::clone(&event)], root, changes })
            .await?;
        let is_behind = operation.is_behind();
        let unseen = site.unjoined.as_ref();
        let introduced = unseen.map(|slot| self.rooms.registry().introduce(site.number, Arc::clone(slot)));
        let submitted = operation.submit().await;
        if let (Ok(_), Some(introduced)) = (&submitted, introduced) {
            introduced.stays();
        }
        drop(writer);
        settle(submitted).await?;
        if is_behind {
            self.rooms.try_to_catch_up(site.number).await;
        }
        Ok(event.pdu.event_id_owned().clone())
    }
}

fn joining_user(actor: &Actor) -> Result<&UserId, JoinError> {
    match actor {
        Actor::User { user, .. }
        | Actor::AppService { user, .. }
        | Actor::AdminAs { user, .. }
        | Actor::ShadowBanned { user, .. }
        | Actor::ServerAs { user } => Ok(user),
        Actor::Guest { .. } => Err(JoinError::Guest),
        Actor::Server => Err(JoinError::NotOurUser),
    }
}

/// The ids that an event refers to, as either format of references writes them.
fn references(event: &Object, name: &'static str, limit: usize) -> Result<Vec<OwnedEventId>, JoinError> {
    let items = event.get(name).and_then(Value::as_array).ok_or(JoinError::Template(name))?;
    if items.len() > limit {
        return Err(JoinError::Template(name));
    }
    let id = |item: &Value| {
        let id = item.as_array().map_or(Some(item), |pair| pair.first()).and_then(Value::as_str);
        id.and_then(|id| OwnedEventId::try_from(id).ok()).ok_or(JoinError::Template(name))
    };
    items.iter().map(id).collect()
}

/// Whether an event says what the other one does; in versions 1 and 2 the same id does not mean that.
fn same_content(signed: &Pdu, ours: &Pdu) -> bool {
    signed.content_text() == ours.content_text()
        && signed.as_state() == ours.as_state()
        && signed.sender() == ours.sender()
        && signed.prev_events() == ours.prev_events()
        && signed.auth_events() == ours.auth_events()
}
