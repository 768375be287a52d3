//! Rooms and events for the tables, written down once for all versions.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

use ruma::{EventId, OwnedEventId, RoomVersionId};
use serde_json::{Value as Json, json};

use super::super::{AuthError, Cited, NotAuthorised, check, check_by_auth_events, types_of};
use crate::pdu::Pdu;
use crate::state_key::StateKey;
use crate::version::{self, Rules};

pub type Versions = RangeInclusive<usize>;

pub const ALL: Versions = 1..=12;

pub const CREATOR: &str = "@creator:a";
pub const ADMIN: &str = "@admin:a";
pub const MODERATOR: &str = "@moderator:a";
pub const USER: &str = "@user:a";
/// Joined, of the other server.
pub const REMOTE: &str = "@remote:b";
pub const INVITED: &str = "@invited:b";
pub const BANNED: &str = "@banned:b";
pub const LEFT: &str = "@left:b";
/// Never had a membership.
pub const STRANGER: &str = "@stranger:b";

pub fn rules_of(version: usize) -> &'static Rules {
    &version::ALL[version - 1]
}

/// An event to be, without what the room and its version add.
#[derive(Clone, Debug)]
pub struct Draft {
    pub kind: String,
    pub sender: String,
    pub state_key: Option<String>,
    /// JSON text, so that a test can write what no serializer would.
    pub content: String,
    pub follows_create: bool,
    pub redacts: Option<String>,
}

impl Draft {
    pub fn message(sender: &str, kind: &str, content: Json) -> Self {
        Self {
            kind: kind.to_owned(),
            sender: sender.to_owned(),
            state_key: None,
            content: content.to_string(),
            follows_create: false,
            redacts: None,
        }
    }

    pub fn state(sender: &str, kind: &str, state_key: &str, content: Json) -> Self {
        Self { state_key: Some(state_key.to_owned()), ..Self::message(sender, kind, content) }
    }

    pub fn member(sender: &str, target: &str, membership: &str) -> Self {
        Self::state(sender, "m.room.member", target, json!({ "membership": membership }))
    }

    pub fn join(user: &str) -> Self {
        Self::member(user, user, "join")
    }

    pub fn levels(sender: &str, content: Json) -> Self {
        Self::state(sender, "m.room.power_levels", "", content)
    }

    pub fn content(self, text: &str) -> Self {
        Self { content: text.to_owned(), ..self }
    }

    pub fn following_create(self) -> Self {
        Self { follows_create: true, ..self }
    }

    pub fn redacts(self, id: &str) -> Self {
        Self { redacts: Some(id.to_owned()), ..self }
    }
}

/// What a room's state is made of, in every version.
#[derive(Clone, Debug)]
pub struct Setup {
    create: Json,
    join_rules: Option<Json>,
    levels: Option<Json>,
    members: BTreeMap<String, String>,
    others: Vec<Draft>,
}

/// A room for invited users: its creator, an admin (100), a moderator (50) and two users are joined.
pub fn room() -> Setup {
    let members = [
        (CREATOR, "join"),
        (ADMIN, "join"),
        (MODERATOR, "join"),
        (USER, "join"),
        (REMOTE, "join"),
        (INVITED, "invite"),
        (BANNED, "ban"),
        (LEFT, "leave"),
    ];
    Setup {
        create: json!({}),
        join_rules: Some(json!({ "join_rule": "invite" })),
        levels: Some(json!({ "users": { ADMIN: 100, MODERATOR: 50 } })),
        members: members.map(|(user, membership)| (user.to_owned(), membership.to_owned())).into(),
        others: Vec::new(),
    }
}

impl Setup {
    pub fn create(self, content: Json) -> Self {
        Self { create: content, ..self }
    }

    pub fn join_rule(self, join_rule: &str) -> Self {
        Self { join_rules: Some(json!({ "join_rule": join_rule })), ..self }
    }

    pub fn join_rules(self, content: Option<Json>) -> Self {
        Self { join_rules: content, ..self }
    }

    pub fn levels(self, content: Json) -> Self {
        Self { levels: Some(content), ..self }
    }

    pub fn without_levels(self) -> Self {
        Self { levels: None, ..self }
    }

    pub fn member(mut self, user: &str, membership: &str) -> Self {
        self.members.insert(user.to_owned(), membership.to_owned());
        self
    }

    pub fn with(mut self, event: Draft) -> Self {
        self.others.push(event);
        self
    }

    pub fn in_version(&self, version: usize) -> Room {
        let rules = rules_of(version);
        let mut content = self.create.clone();
        let members = content.as_object_mut().unwrap();
        let entry = members.entry("room_version".to_owned());
        entry.or_insert_with(|| rules.version.as_str().into());
        if !rules.spec.authorization.use_room_create_sender {
            members.entry("creator".to_owned()).or_insert_with(|| CREATOR.into());
        }
        let create = Draft::state(CREATOR, "m.room.create", "", content);
        let create = Room::create_event(rules, &create, &[]);
        let mut room = Room { rules, state: BTreeMap::new(), create };
        room.set_pdu(room.create.clone());
        for (user, membership) in &self.members {
            room.set(&Draft::member(user, user, membership));
        }
        if let Some(content) = &self.join_rules {
            room.set(&Draft::state(CREATOR, "m.room.join_rules", "", content.clone()));
        }
        if let Some(content) = &self.levels {
            room.set(&Draft::levels(CREATOR, with_creator(content, rules)));
        }
        for event in &self.others {
            room.set(event);
        }
        room
    }
}

/// Before version 12 a creator is as strong as the power levels say.
pub fn with_creator(content: &Json, rules: &Rules) -> Json {
    let mut content = content.clone();
    if !rules.spec.authorization.explicitly_privilege_room_creators
        && let Some(levels) = content.as_object_mut()
        && let Some(users) = levels.entry("users").or_insert_with(|| json!({})).as_object_mut()
    {
        users.entry(CREATOR).or_insert_with(|| 100.into());
    }
    content
}

/// A room in one version.
#[derive(Debug)]
pub struct Room {
    pub rules: &'static Rules,
    pub state: BTreeMap<StateKey, Pdu>,
    pub create: Pdu,
}

impl Room {
    pub fn create_event(rules: &Rules, draft: &Draft, prev_events: &[OwnedEventId]) -> Pdu {
        let room_id = (!rules.spec.authorization.room_create_event_id_as_room_id).then_some("!room:a");
        write(rules, draft, room_id, prev_events, &[]).unwrap()
    }

    pub fn set(&mut self, draft: &Draft) {
        let event = self.event_citing(draft, &[]);
        self.set_pdu(event);
    }

    pub fn set_pdu(&mut self, event: Pdu) {
        self.state.insert(event.as_state().unwrap(), event);
    }

    pub fn get(&self, key: &StateKey) -> Option<Pdu> {
        self.state.get(key).cloned()
    }

    /// The event with the auth events that the state selects for it.
    pub fn event(&self, draft: &Draft) -> Pdu {
        let selected = types_of(&self.event_citing(draft, &[]), self.rules);
        let cited: Vec<_> = selected
            .iter()
            .filter_map(|key| self.state.get(key))
            .map(|event| event.event_id().to_owned())
            .collect();
        self.event_citing(draft, &cited)
    }

    pub fn event_citing(&self, draft: &Draft, auth_events: &[OwnedEventId]) -> Pdu {
        let prev = if draft.follows_create {
            self.create.event_id().to_owned()
        } else {
            some_id("earlier", self.rules)
        };
        write(self.rules, draft, Some(self.create.room_id().as_str()), &[prev], auth_events).unwrap()
    }

    pub fn look_up(&self, id: &EventId) -> Cited {
        match self.state.values().find(|event| event.event_id() == id) {
            Some(event) => Cited::Accepted(event.clone()),
            None => Cited::Missing,
        }
    }

    pub fn check(&self, event: &Pdu) -> Result<(), AuthError> {
        check(event, self.rules, |key| self.get(key))
    }

    pub fn check_by_auth_events(&self, event: &Pdu) -> Result<(), NotAuthorised> {
        check_by_auth_events(event, self.rules, |id| self.look_up(id))
    }
}

/// An event id that fits the version.
pub fn some_id(name: &str, rules: &Rules) -> OwnedEventId {
    let id = match rules.version {
        RoomVersionId::V1 | RoomVersionId::V2 => format!("${name}:a"),
        _ => format!("${name:x<43}"),
    };
    OwnedEventId::try_from(id).unwrap()
}

/// The event as another server would send it.
pub fn write(
    rules: &Rules,
    draft: &Draft,
    room_id: Option<&str>,
    prev_events: &[OwnedEventId],
    auth_events: &[OwnedEventId],
) -> Result<Pdu, crate::pdu::FormatError> {
    let chosen_ids = rules.spec.event_format.require_event_id;
    let references = |ids: &[OwnedEventId]| -> Json {
        ids.iter().map(|id| if chosen_ids { json!([id, { "sha256": "" }]) } else { json!(id) }).collect()
    };
    let mut event = json!({
        "type": draft.kind,
        "sender": draft.sender,
        "depth": 1,
        "origin_server_ts": 1,
        "hashes": { "sha256": "" },
        "signatures": {},
        "prev_events": references(prev_events),
        "auth_events": references(auth_events),
    });
    let members = event.as_object_mut().unwrap();
    if let Some(state_key) = &draft.state_key {
        members.insert("state_key".to_owned(), state_key.as_str().into());
    }
    if let Some(room_id) = room_id {
        members.insert("room_id".to_owned(), room_id.into());
    }
    if chosen_ids {
        let server = draft.sender.split_once(':').unwrap().1;
        let mut hasher = DefaultHasher::new();
        (&draft.kind, &draft.state_key, &draft.content, auth_events).hash(&mut hasher);
        let id = format!("${}:{server}", hasher.finish());
        members.insert("event_id".to_owned(), id.into());
    }
    if let Some(redacts) = &draft.redacts {
        members.insert("redacts".to_owned(), redacts.as_str().into());
    }
    let text = event.to_string();
    let text = format!("{},\"content\":{}}}", text.strip_suffix('}').unwrap(), draft.content);
    Pdu::parse(text.as_bytes(), rules)
}

/// One row of a table.
pub struct Case {
    pub rule: &'static str,
    pub versions: Versions,
    pub event: Draft,
    pub room: Setup,
    pub verdict: Result<(), AuthError>,
}

pub fn case(
    rule: &'static str,
    versions: Versions,
    event: Draft,
    room: Setup,
    verdict: Result<(), AuthError>,
) -> Case {
    Case { rule, versions, event, room, verdict }
}

/// Every row gives its verdict in each of its versions, both by the state and by the auth events that the state
/// selects: the selection names all that the rules read.
pub fn assert_all(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        for version in case.versions.clone() {
            let room = case.room.in_version(version);
            let event = room.event(&case.event);
            let by_state = room.check(&event);
            if by_state != case.verdict {
                wrong.push(format!("{} (version {version}): by state {by_state:?}", case.rule));
            }
            let by_auth_events = room.check_by_auth_events(&event);
            if by_auth_events != case.verdict.clone().map_err(NotAuthorised::Rejected) {
                wrong.push(format!("{} (version {version}): by auth events {by_auth_events:?}", case.rule));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
