//! The picture of a room that readers get.
//!
//! Owns: [`RoomView`], what the current state means for everyone who asks: members, power, join rule, visibility, the
//! state events that most requests want. Does not own: its making from disk ([`crate::loading`]) or its next version
//! ([`crate::writer`]).
//!
//! Invariants: immutable, and a clone costs a few reference counts. The published one never shows what is not on disk; the one
//! that a writer holds may run ahead of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_db::Position;
use plop_state::auth::{self, AuthState, Authority, HistoryVisibility, JoinRule};
use plop_state::{Pdu, Rules, StateKey};
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, Generation, Grove, RoomNumber};
use ruma::{OwnedRoomId, UserId};

use crate::event::RoomEvent;
use crate::members::MemberTable;
use crate::schema::{HeadRow, Totals};

/// Where something of a kept event is shown to those who look at the room from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownIn {
    /// The summary that directories list ([`crate::summary`]).
    Summary,
    /// Stripped state ([`crate::reader::stripped`]).
    StrippedState,
}

/// The types whose event with the empty state key is kept in memory (those that authorise, and those that every client shows), and where they are
/// shown besides.
const KEPT: [(&str, &[ShownIn]); 13] = {
    use ShownIn::{StrippedState, Summary};
    [
        ("m.room.create", &[Summary, StrippedState]),
        ("m.room.name", &[Summary, StrippedState]),
        ("m.room.avatar", &[Summary, StrippedState]),
        ("m.room.topic", &[Summary, StrippedState]),
        ("m.room.join_rules", &[Summary, StrippedState]),
        ("m.room.canonical_alias", &[Summary, StrippedState]),
        ("m.room.encryption", &[Summary, StrippedState]),
        ("m.room.history_visibility", &[Summary]),
        ("m.room.guest_access", &[Summary]),
        ("m.room.power_levels", &[]),
        ("m.room.server_acl", &[]),
        ("m.room.tombstone", &[]),
        ("m.room.pinned_events", &[]),
    ]
};

/// Whether a view holds the event under this key.
pub fn is_kept(key: &StateKey) -> bool {
    key.key().is_empty() && KEPT.iter().any(|(kind, _)| *kind == key.kind())
}

/// The keys that a view holds, to load them.
pub fn kept_keys() -> impl Iterator<Item = StateKey> {
    KEPT.iter().map(|(kind, _)| StateKey::new(kind, ""))
}

/// The kept types of which something is shown somewhere.
pub fn types_shown(place: ShownIn) -> impl Iterator<Item = &'static str> {
    KEPT.iter().filter(move |(_, places)| places.contains(&place)).map(|(kind, _)| *kind)
}

/// A room at one moment.
#[derive(Debug, Clone)]
pub struct RoomView {
    pub number: RoomNumber,
    pub id: OwnedRoomId,
    pub rules: &'static Rules,
    /// The last live event; every event of the room up to here is in the picture.
    pub position: Position,
    pub generation: Generation,
    pub root: Root,
    /// Those of the live stream, up to `position`.
    pub totals: Totals,
    pub members: MemberTable,
    /// Shared by all pictures between two changes of such an event.
    kept: Arc<BTreeMap<StateKey, Arc<RoomEvent>>>,
    authority: Option<Arc<Authority>>,
    join_rule: JoinRule,
    history_visibility: HistoryVisibility,
}

impl RoomView {
    /// A room without state: before its create event, or the start of loading.
    pub fn empty(number: RoomNumber, id: OwnedRoomId, rules: &'static Rules) -> Self {
        Self {
            number,
            id,
            rules,
            position: Position::START,
            generation: Generation::FIRST,
            root: Root::EMPTY,
            totals: Totals::default(),
            members: MemberTable::default(),
            kept: Arc::default(),
            authority: None,
            join_rule: JoinRule::default(),
            history_visibility: HistoryVisibility::default(),
        }
    }

    /// Takes over what the head says of the picture.
    pub fn stand_at(&mut self, head: &HeadRow) {
        (self.generation, self.root, self.totals) = (head.generation, head.root, head.totals);
    }

    /// Where the state nodes of the room are.
    pub fn grove(&self) -> Grove {
        Grove { room: self.number, generation: self.generation }
    }

    /// The current state event under a key that the view holds ([`is_kept`]).
    pub fn kept(&self, key: &StateKey) -> Option<&Arc<RoomEvent>> {
        self.kept.get(key)
    }

    /// The current state event of a type with the empty state key, if the view holds that type.
    pub fn kept_type(&self, kind: &str) -> Option<&Arc<RoomEvent>> {
        self.kept.get(&StateKey::new(kind, ""))
    }

    /// Who may do what; `None` while the room has no create event that can be read.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_deref()
    }

    pub fn join_rule(&self) -> JoinRule {
        self.join_rule
    }

    pub fn history_visibility(&self) -> HistoryVisibility {
        self.history_visibility
    }

    /// Puts an event in the place of what was current under its key, or takes the place empty. Members are the caller's: they
    /// are in [`RoomView::members`].
    pub fn set_kept(&mut self, key: StateKey, event: Option<Arc<RoomEvent>>) {
        let authorises = matches!(key.kind(), "m.room.create" | "m.room.power_levels");
        match key.kind() {
            "m.room.join_rules" => {
                self.join_rule =
                    event.as_deref().map_or_else(JoinRule::default, |e| JoinRule::of(&e.pdu, self.rules));
            }
            "m.room.history_visibility" => {
                self.history_visibility = event
                    .as_deref()
                    .map_or_else(HistoryVisibility::default, |e| HistoryVisibility::of(&e.pdu));
            }
            _ => {}
        }
        let kept = Arc::make_mut(&mut self.kept);
        match event {
            Some(event) => kept.insert(key, event),
            None => kept.remove(&key),
        };
        if authorises {
            self.authority = self.read_authority();
        }
    }

    fn read_authority(&self) -> Option<Arc<Authority>> {
        let create = self.kept_type("m.room.create")?;
        let levels = self.kept_type("m.room.power_levels").map(|event| &event.pdu);
        // Events that authorise have passed the rules, which refuse what cannot be read.
        Authority::new(&create.pdu, levels, self.rules).ok().map(Arc::new)
    }

    /// Checks an event against this state (server-server API, "Authorization rules").
    ///
    /// `third_party_invite` is the state event that an invite by token names, which the view does not hold.
    pub fn authorise(&self, event: &Pdu, third_party_invite: Option<&Pdu>) -> Result<(), auth::AuthError> {
        if event.type_name() == "m.room.create" {
            return auth::check(event, self.rules, |_| None);
        }
        let authority = self.authority.as_deref().ok_or(auth::AuthError::NoCreate)?;
        auth::check_in_state(event, self.rules, &StateOfView { view: self, authority, third_party_invite })
    }

    /// Bytes in memory, roughly, for the budget of loaded rooms.
    pub fn weight(&self) -> usize {
        const ROOM: usize = 4096;
        const MEMBER: usize = 160;
        ROOM + self.members.len() * MEMBER + self.kept.values().map(|event| event.memory()).sum::<usize>()
    }

    /// The member event of a user, by number.
    pub fn member_event(&self, user: &UserId) -> Option<EventNumber> {
        self.members.get(user).map(|member| member.event)
    }
}

/// The facts that the rules ask for, from memory.
struct StateOfView<'a> {
    view: &'a RoomView,
    authority: &'a Authority,
    third_party_invite: Option<&'a Pdu>,
}

impl AuthState for StateOfView<'_> {
    fn authority(&self) -> &Authority {
        self.authority
    }

    fn membership(&self, user: &str) -> Option<auth::Membership> {
        let user = <&UserId>::try_from(user).ok()?;
        self.view.members.get(user).map(|member| member.membership.into())
    }

    fn join_rule(&self) -> JoinRule {
        self.view.join_rule
    }

    fn third_party_invite(&self, token: &str) -> Option<Pdu> {
        self.third_party_invite.filter(|event| event.state_key() == Some(token)).cloned()
    }
}
