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
use plop_state::auth::NotAuthorised;
use plop_state::builder::EventBuilder;
use plop_state::json::{Object, Value};
use plop_state::{Pdu, Rules, StateKey};
use plop_state_store::EventNumber;
use plop_state_store::resolver::Resolved;
use plop_state_store::tree::Root;
use ruma::{OwnedEventId, OwnedServerName, OwnedUserId, RoomId, ServerName, UserId};
use tokio::sync::oneshot;

use super::checking::check_in;
use super::gate::{AnswerPermit, Ingest};
use super::intake::MAX_STATE;
use super::join_error::JoinError;
use super::site::Site;
use crate::event::RoomEvent;
use crate::loading::{LoadError, load_unjoined};
use crate::operation::{Advance, Operation, Placement};
use crate::remote::{JoinTemplate, RawPdu, RoomAnswer};
use crate::rooms::settle;
use crate::schema::{Outcome, RoomIds, RoomRecords, RoomRow};
use crate::slot::RoomSlot;
use crate::state_change::Changes;
use crate::view::RoomView;

/// Servers that are asked to let a user in.
const MAX_SERVERS: usize = 8;

/// Events of a told state that are looked up at once.
const PAGE: usize = 1_000;

/// How often the state that we still had of a room may change while the room is taken in.
const ATTEMPTS: u32 = 8;

/// How a room is entered.
struct Entry {
    /// The state that we had.
    from: Root,
    /// The one before the join, and how it differs.
    before: Root,
    changes: Changes,
}

impl Ingest {
    /// Joins a user of this server to a room that none is in yet, through one of some servers that are. Returns the join.
    /// Of several that come together one joins; the others are told so ([`JoinError::AlreadyHere`]).
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
        if self.shared_site(user.server_name(), room).await?.is_some() {
            return Err(JoinError::AlreadyHere);
        }
        let permit = self.join_permit().await;
        let (ingest, user, room, via) = (self.clone(), user.to_owned(), room.to_owned(), via.to_vec());
        let (answer, outcome) = oneshot::channel();
        let work = async move {
            let _turn = turn;
            let joined = ingest.join_through(&user, &room, &via, &permit).await;
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
        permit: &AnswerPermit,
    ) -> Result<OwnedEventId, JoinError> {
        let mut failure = JoinError::NoServer;
        let ours = &self.rooms.core().server;
        for server in via.iter().filter(|server| *server != ours).take(MAX_SERVERS) {
            match self.join_at(user, room, server, permit).await {
                Ok(joined) => return Ok(joined),
                Err(error @ (JoinError::Load(_) | JoinError::AlreadyHere)) => return Err(error),
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
        permit: &AnswerPermit,
    ) -> Result<OwnedEventId, JoinError> {
        let versions: Vec<_> = plop_state::version::ALL.iter().map(|rules| rules.version.clone()).collect();
        let template = self.remote.make_join(server, room, user, &versions).await?;
        let rules = plop_state::rules(&template.version)
            .ok_or_else(|| JoinError::UnsupportedVersion(template.version.clone()))?;
        let join = self.join_event(user, room, rules, &template).await?;
        let site = self.joining_site(server, room, rules).await?;
        let answer = self.remote.send_join(server, room, &join).await?;
        self.adopt(&site, join, answer, permit).await
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
    async fn adopt(
        &self,
        site: &Site,
        join: Pdu,
        answer: RoomAnswer,
        permit: &AnswerPermit,
    ) -> Result<OwnedEventId, JoinError> {
        let slot = Arc::clone(self.read(site).await?.slot());
        let mut intake = self.intake(site, MAX_STATE, permit);
        let signed = intake.take(answer).await?;
        let mut state = intake.finish().await?.state;
        // It comes after the state, and is judged by that without itself.
        state.retain(|event| event != join.event_id());
        let join = self.with_signature(site, join, signed).await;
        let state = self.told_entries(site, &state).await?;
        match self.check_by_auth_events(site, &join).await? {
            Ok(()) => {}
            Err(NotAuthorised::Rejected(error)) => return Err(JoinError::Forbidden(error)),
            Err(NotAuthorised::Missing(_)) => return Err(JoinError::State("what the join cites is missing")),
        }
        let before = self.keep_state(site, state).await?;
        let told = Resolved { base: before, changes: Vec::new() };
        check_in(&self.read(site).await?, &join, &told).await?.map_err(JoinError::Forbidden)?;
        for _ in 0..ATTEMPTS {
            let reading = self.read(site).await?;
            let from = reading.view().root;
            let changes = reading.differences(from, before).await?;
            let entry = Entry { from, before, changes };
            if self.enter(site, &slot, &join, entry).await? {
                return Ok(join.event_id_owned().clone());
            }
        }
        Err(JoinError::State("it changes too fast"))
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

    /// The batch of the join, and with it the room; rows of members that are too many for it follow. False where the state that we had is
    /// another one by now.
    async fn enter(
        &self,
        site: &Site,
        slot: &Arc<RoomSlot>,
        join: &Pdu,
        entry: Entry,
    ) -> Result<bool, JoinError> {
        let _turn = self.turn_to_place(site).await?;
        let mut writer = self.guard(site).await?;
        if !writer.is_of(slot) {
            return Err(JoinError::State("events that it rests on were lost"));
        }
        let mut operation = writer.begin();
        if operation.view().members.has_server(&self.rooms.core().server) {
            return Err(JoinError::AlreadyHere);
        }
        let Entry { from, before, mut changes } = entry;
        if operation.view().root != from {
            return Ok(false);
        }
        let event = place(&mut operation, join, before).await?;
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
        Ok(true)
    }
}

/// Gives the join its place. Careless servers tell it as a part of the state before it, so that it has a number already.
async fn place(operation: &mut Operation<'_>, join: &Pdu, before: Root) -> Result<Arc<RoomEvent>, JoinError> {
    let placement = Placement {
        outcome: Outcome::Accepted,
        provisional: false,
        before,
        place: None,
        backward_extremities: join.prev_events().to_vec(),
    };
    Ok(match operation.event_by_id(join.event_id()).await.map_err(LoadError::from)? {
        Some(known) if known.facts.before.is_some() => {
            return Err(JoinError::State("the join is an old one"));
        }
        Some(known) => {
            // In the form in which it was told it may be redacted.
            let known = RoomEvent { pdu: join.clone(), ..RoomEvent::clone(&known) };
            operation.place_known(&known, placement).await?
        }
        None => operation.place(join.clone(), placement, None).await?,
    })
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
