//! A change of the current state and what follows from it in memory and in rows.
//!
//! Owns: the change ([`Changes`]), what a state event means for the picture of a room ([`show`]), and the projected rows of a member: members by room,
//! rooms by user. Does not own: the state tree, which the caller has changed already; when the rows are written ([`crate::operation`]).
//!
//! Invariants: a change whose rows fit into one batch has the events of its members. Of a larger one, a whole room perhaps, it has those that the picture
//! keeps and some of local members; of the others only what the picture needs, some hundred bytes each.

use std::sync::Arc;

use plop_accounts::directory_updates::note_directory_update;
use plop_db::{Batch, Position};
use plop_state::json::Value;
use plop_state::{Rules, StateKey};
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, ServerName, UserId};

use crate::event::RoomEvent;
use crate::members::Member;
use crate::schema::{MemberRow, Members, Membership, StrippedState, UserRoomRow, UserRooms};
use crate::view::{RoomView, is_kept};

/// Bytes of members' rows in one batch: as much as a batch aims at.
pub const BATCH_BYTES: usize = 1 << 20;

/// What the rows of one member take besides the names in the event, roughly.
const MEMBER_BYTES: usize = 512;

/// What is current under a key.
#[derive(Debug, Clone)]
pub enum Current {
    Event(Arc<RoomEvent>),
    /// What the picture needs of an event that it does not keep.
    Brief(Member),
}

/// How the current state differs from the one before it: keys, each with what is current now.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    entries: Vec<(StateKey, Option<Current>)>,
    row_bytes: usize,
}

impl Current {
    fn event(&self) -> Option<&Arc<RoomEvent>> {
        match self {
            Self::Event(event) => Some(event),
            Self::Brief(_) => None,
        }
    }

    /// The event, and where it is that of a member what it says.
    fn member(&self, rules: &Rules) -> Member {
        match self {
            Self::Event(event) => Member { membership: membership_of(event, rules), event: event.number },
            Self::Brief(member) => *member,
        }
    }
}

impl Changes {
    /// Adds what is current under a key that is not among them yet.
    pub fn push(
        &mut self,
        key: StateKey,
        event: Option<Arc<RoomEvent>>,
        rules: &Rules,
        our_server: &ServerName,
    ) {
        let rows = bytes_of_rows(&key, event.as_deref());
        self.row_bytes += rows.unwrap_or(0);
        // The rows of local members go first.
        let limit = if is_user_of(&key, our_server) { 2 * BATCH_BYTES } else { BATCH_BYTES };
        let is_needed = is_kept(&key) || rows.is_some() && self.row_bytes <= limit;
        let current = event.map(|event| match Current::Event(event) {
            current if is_needed => current,
            current => Current::Brief(current.member(rules)),
        });
        self.entries.push((key, current));
    }

    /// An event is current under its key, whatever was.
    pub fn put(&mut self, event: &Arc<RoomEvent>) {
        let Some(key) = event.pdu.as_state() else { return };
        self.row_bytes += bytes_of_rows(&key, Some(event)).unwrap_or(0);
        self.entries.retain(|(changed, _)| *changed != key);
        self.entries.push((key, Some(Current::Event(Arc::clone(event)))));
    }

    /// Whether the rows of all members fit into one batch. Then all their events are at hand.
    pub fn fit(&self) -> bool {
        self.row_bytes <= BATCH_BYTES
    }

    /// How many events are at hand.
    pub fn events(&self) -> usize {
        self.entries.iter().filter(|(_, current)| matches!(current, Some(Current::Event(_)))).count()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&StateKey, Option<&Current>)> {
        self.entries.iter().map(|(key, current)| (key, current.as_ref()))
    }

    /// The events at hand, to be put in a newer form.
    pub fn events_mut(&mut self) -> impl Iterator<Item = &mut Arc<RoomEvent>> {
        self.entries.iter_mut().filter_map(|(_, current)| match current {
            Some(Current::Event(event)) => Some(event),
            Some(Current::Brief(_)) | None => None,
        })
    }

    /// Puts an event that has got its place in the place of the outlier that it was, where that is current.
    pub fn put_placed(&mut self, event: &Arc<RoomEvent>) {
        let was = |current: &Option<Current>| match current {
            Some(Current::Event(current)) => current.number == event.number,
            Some(Current::Brief(member)) => member.event == event.number,
            None => false,
        };
        if self.entries.iter().any(|(_, current)| was(current)) {
            self.put(event);
        }
    }
}

/// What the rows of a member take, roughly; nothing for other events, which have none.
fn bytes_of_rows(key: &StateKey, event: Option<&RoomEvent>) -> Option<usize> {
    let names = event.map_or(0, |event| event.pdu.content_text().len());
    (key.kind() == "m.room.member").then_some(MEMBER_BYTES + names)
}

/// Whether a key is that of a member of this server.
fn is_user_of(key: &StateKey, server: &ServerName) -> bool {
    key.kind() == "m.room.member"
        && <&UserId>::try_from(key.key()).is_ok_and(|user| user.server_name() == server)
}

/// What a change of the current state means for a user.
pub struct MemberChange {
    pub user: OwnedUserId,
    pub was_joined: bool,
    pub membership: Membership,
}

/// Makes `current` (or, with `None`, nothing) the current state event under `key` in the picture. Says what that means for a user where it is a
/// member event.
pub fn show(
    view: &mut RoomView,
    key: &StateKey,
    current: Option<&Current>,
    our_server: &ServerName,
) -> Option<MemberChange> {
    if is_kept(key) {
        view.set_kept(key.clone(), current.and_then(Current::event).cloned());
    }
    let user = OwnedUserId::try_from(key.key()).ok().filter(|_| key.kind() == "m.room.member")?;
    let was_joined = view.members.is_joined(&user);
    let member = current.map(|current| current.member(view.rules));
    let membership = member.map_or(Membership::Leave, |member| member.membership);
    view.members.set(user.clone(), member, our_server);
    Some(MemberChange { user, was_joined, membership })
}

/// Writes the rows of a user whose current member event is `event`.
pub fn put_member(
    batch: &mut Batch,
    room: RoomNumber,
    change: MemberChange,
    event: Option<&RoomEvent>,
    position: Position,
    our_server: &ServerName,
) {
    let MemberChange { user, was_joined, membership } = change;
    if user.server_name() != our_server {
        note_directory_update(batch, &user);
    }
    match event {
        Some(event) => batch.put::<Members>(&(room, user.clone()), &member_row(event, membership)),
        None => batch.delete::<Members>(&(room, user.clone())),
    }
    // A member's new name or picture moves nothing among their rooms: those who look are woken by the room.
    if !(was_joined && membership == Membership::Join) {
        let event = event.map(|event| event.number);
        let row = UserRoomRow { membership, event, position, forgotten: false };
        let key = (user.clone(), room);
        batch.append::<UserRooms>(&key, &key, &row);
    }
    if !matches!(membership, Membership::Invite | Membership::Knock) && user.server_name() == our_server {
        batch.delete::<StrippedState>(&(user, room));
    }
}

/// Writes the projected row of a member event anew, if it is the current one of its user.
pub fn rewrite_member(view: &RoomView, batch: &mut Batch, key: &StateKey, event: &RoomEvent) {
    if key.kind() != "m.room.member" {
        return;
    }
    if let Ok(user) = OwnedUserId::try_from(key.key())
        && view.member_event(&user) == Some(event.number)
    {
        batch.put::<Members>(&(view.number, user), &member_row(event, membership_of(event, view.rules)));
    }
}

/// What a current member event says. An event with a word that is no membership never becomes current: the rules refuse it.
pub fn membership_of(event: &RoomEvent, rules: &Rules) -> Membership {
    Membership::of(&event.pdu, rules).unwrap_or(Membership::Leave)
}

/// The projected row of a member event.
pub fn member_row(event: &RoomEvent, membership: Membership) -> MemberRow {
    let content = event.pdu.content_object();
    let text = |name: &str| content.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    MemberRow {
        membership,
        event: event.number,
        displayname: text("displayname"),
        avatar_url: text("avatar_url"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use plop_state::StateKey;
    use plop_state::builder::EventBuilder;
    use plop_state::json::Object;
    use plop_state::sign::SigningKey;
    use plop_state_store::EventNumber;
    use ruma::{OwnedServerName, OwnedUserId, RoomVersionId, owned_room_id, server_name};

    use super::Changes;
    use crate::event::RoomEvent;
    use crate::schema::{EventFacts, Membership};

    /// An event of some 50 kB under a key.
    fn event(number: u64, kind: &str, server: &str) -> Arc<RoomEvent> {
        let rules = plop_state::rules(&RoomVersionId::V11).expect("a known version");
        let user = OwnedUserId::try_from(format!("@user{number}:{server}")).expect("a user id");
        let server = OwnedServerName::try_from(server).expect("a name");
        let text = "x".repeat(50_000);
        let content = Object::from([
            ("membership".to_owned(), "join".into()),
            ("displayname".to_owned(), text.as_str().into()),
        ]);
        let mut builder =
            EventBuilder::new(Some(owned_room_id!("!room:a.example")), kind, user.clone(), content);
        builder.state_key = Some(user.to_string());
        let key = SigningKey::from_seed(server, "a", &[1; 32]).expect("a key");
        let pdu = builder.build(rules, &key).expect("an event");
        Arc::new(RoomEvent { number: EventNumber(number), pdu, facts: EventFacts::outlier() })
    }

    fn push(changes: &mut Changes, event: &Arc<RoomEvent>) {
        let rules = plop_state::rules(&RoomVersionId::V11).expect("a known version");
        let key = event.pdu.as_state().expect("a state event");
        changes.push(key, Some(Arc::clone(event)), rules, server_name!("ours.example"));
    }

    #[test]
    fn a_change_of_any_size_has_the_events_of_about_one_batch() {
        let mut changes = Changes::default();
        push(&mut changes, &event(1, "m.room.member", "a.example"));
        assert!(changes.fit() && changes.events() == 1);
        for number in 2..=30 {
            push(&mut changes, &event(number, "m.room.member", "a.example"));
        }
        assert!(!changes.fit(), "1.5 MB of rows");
        let of_others = changes.events();
        assert!((18..=21).contains(&of_others), "{of_others} events at hand");
        push(&mut changes, &event(31, "org.example.kind", "ours.example"));
        assert_eq!(changes.events(), of_others, "nobody needs it");
        for number in 32..=34 {
            push(&mut changes, &event(number, "m.room.member", "ours.example"));
        }
        assert_eq!(changes.events(), of_others + 3, "rows of local members go first");

        changes.put_placed(&event(40, "m.room.member", "a.example"));
        assert_eq!(changes.events(), of_others + 3, "it is not current");
        changes.put_placed(&event(30, "m.room.member", "a.example"));
        assert_eq!(changes.events(), of_others + 4);
        let rules = plop_state::rules(&RoomVersionId::V11).expect("a known version");
        let members = changes.iter().filter(|(key, _)| key.kind() == "m.room.member");
        let members: Vec<_> = members.filter_map(|(_, current)| Some(current?.member(rules))).collect();
        assert!(members.iter().all(|member| member.membership == Membership::Join));
        assert_eq!(members.len(), 33, "each key once");
        changes.push(
            StateKey::new("m.room.member", "@gone:a.example"),
            None,
            rules,
            server_name!("a.example"),
        );
        assert_eq!(changes.iter().filter(|(_, current)| current.is_none()).count(), 1);
    }
}
