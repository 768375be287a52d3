//! The same verdicts as ruma's rules, in the versions that it supports fully (6 and up).
//!
//! Left out on purpose, because ours differ: a room without join rules (ours is for the invited), create events with odd content (ours
//! reads over what no rule names), malformed power levels in the state (ours refuse all), strings with two signs (ours refuses them),
//! `third_party_invite: null` (ours takes it as there), a malformed authoriser in an event that is no join (ours refuses it).

use proptest::prelude::*;
use ruma::events::StateEventType;
use ruma::state_res::{check_state_dependent_auth_rules, check_state_independent_auth_rules};
use serde_json::{Map, Value as Json, json};

use super::room::*;
use crate::pdu::Pdu;
use crate::state_key::StateKey;

const USERS: [&str; 6] = [CREATOR, ADMIN, USER, REMOTE, STRANGER, "@late:c"];

fn user() -> impl Strategy<Value = &'static str> {
    prop::sample::select(USERS.to_vec())
}

fn membership() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["join", "join", "join", "invite", "leave", "ban", "knock", "dance"])
}

fn join_rule() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "public",
        "invite",
        "knock",
        "restricted",
        "knock_restricted",
        "private",
        "dance",
    ])
}

/// Levels around those that matter.
fn level() -> impl Strategy<Value = Json> + Clone {
    prop::sample::select(vec![-1, 0, 1, 49, 50, 51, 99, 100, 101]).prop_map(Json::from)
}

/// Mostly levels, sometimes as a string, seldom nothing that is a level.
fn odd_level() -> impl Strategy<Value = Json> {
    let level = level();
    prop_oneof![
        30 => level.clone(),
        1 => level.prop_map(|level| json!(level.to_string())),
        1 => prop::sample::select(vec![json!(null), json!("x"), json!(true), json!([]), json!({})]),
    ]
}

fn levels<S: Strategy<Value = Json>>(level: fn() -> S) -> impl Strategy<Value = Json> {
    let fields = ["users_default", "events_default", "state_default", "ban", "kick", "redact", "invite"];
    let kinds = ["m.room.power_levels", "m.room.message", "m.room.topic", "m.room.redaction", "x"];
    let users = prop::collection::btree_map(user(), level(), 0..4);
    let fields = prop::collection::btree_map(prop::sample::select(fields.to_vec()), level(), 0..3);
    let events = prop::collection::btree_map(prop::sample::select(kinds.to_vec()), level(), 0..4);
    let notifications = prop::collection::btree_map(prop::sample::select(vec!["room", "x"]), level(), 0..2);
    (users, fields, events, notifications).prop_map(|(users, fields, events, notifications)| {
        let mut content: Map<String, Json> =
            fields.into_iter().map(|(key, level)| (key.to_owned(), level)).collect();
        for (property, entries) in
            [("events", json!(events)), ("notifications", json!(notifications)), ("users", json!(users))]
        {
            if entries != json!({}) {
                content.insert(property.to_owned(), entries);
            }
        }
        Json::Object(content)
    })
}

fn setup() -> impl Strategy<Value = Setup> {
    let members = prop::collection::btree_map(user(), membership(), 0..6);
    let additional = prop::collection::btree_set(user(), 0..2);
    (members, join_rule(), prop::option::weighted(0.9, levels(level)), additional, any::<bool>()).prop_map(
        |(members, join_rule, levels, additional, federates)| {
            let mut setup = room()
                .create(json!({ "additional_creators": additional, "m.federate": federates }))
                .join_rule(join_rule)
                .without_levels();
            if let Some(levels) = levels {
                setup = setup.levels(levels);
            }
            for (user, membership) in members {
                setup = setup.member(user, membership);
            }
            setup
        },
    )
}

fn event() -> impl Strategy<Value = Draft> {
    let authoriser = prop::option::of(user());
    let member =
        (user(), user(), membership(), authoriser).prop_map(|(sender, target, membership, authoriser)| {
            let mut content = json!({ "membership": membership });
            if let Some(authoriser) = authoriser {
                content["join_authorised_via_users_server"] = authoriser.into();
            }
            Draft::member(sender, target, "").content(&content.to_string())
        });
    let own = (user(), membership()).prop_map(|(user, membership)| Draft::member(user, user, membership));
    let power = (user(), levels(odd_level)).prop_map(|(sender, content)| Draft::levels(sender, content));
    let kinds = vec![
        "m.room.message",
        "m.room.topic",
        "m.room.redaction",
        "m.room.third_party_invite",
        "m.room.aliases",
    ];
    let keys = prop::option::of(prop::sample::select(vec!["", CREATOR, USER, "a", "@"]));
    let other = (user(), prop::sample::select(kinds), keys).prop_map(|(sender, kind, key)| Draft {
        state_key: key.map(str::to_owned),
        ..Draft::message(sender, kind, json!({}))
    });
    (prop_oneof![2 => member, 1 => own, 2 => power, 1 => other], prop::bool::weighted(0.1))
        .prop_map(|(draft, follows_create)| Draft { follows_create, ..draft })
}

fn by_ruma(room: &Room, event: &Pdu) -> Result<(), String> {
    check_state_dependent_auth_rules(&room.rules.spec.authorization, event, |kind: &StateEventType, key| {
        room.get(&StateKey::new(&kind.to_string(), key))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn by_a_state(version in 6..=12_usize, setup in setup(), draft in event()) {
        let room = setup.in_version(version);
        let event = room.event(&draft);
        let (ours, theirs) = (room.check(&event), by_ruma(&room, &event));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "ours: {:?}, ruma's: {:?}", ours, theirs);
    }

    #[test]
    fn by_auth_events(
        version in 6..=12_usize,
        setup in setup(),
        draft in event(),
        drop in prop::option::of(0..4_usize),
        add in prop::option::weighted(0.2, 0..12_usize),
    ) {
        let room = setup.in_version(version);
        let mut ids = room.event(&draft).auth_events().to_vec();
        let join_rules = room.state[&StateKey::join_rules()].event_id();
        if let Some(drop) = drop.filter(|drop| ids.get(*drop).is_some_and(|id| id != join_rules)) {
            ids.remove(drop);
        }
        if let Some(event) = add.and_then(|add| room.state.values().nth(add)) {
            ids.push(event.event_id().to_owned());
        }
        let event = room.event_citing(&draft, &ids);
        let cited = Room {
            rules: room.rules,
            create: room.create.clone(),
            state: room
                .state
                .iter()
                .filter(|(key, event)| ids.iter().any(|id| id == event.event_id()) || version == 12 && key.kind() == "m.room.create")
                .map(|(key, event)| (key.clone(), event.clone()))
                .collect(),
        };
        let theirs = check_state_independent_auth_rules(&room.rules.spec.authorization, &event, |id| {
            room.state.values().find(|event| event.event_id() == id)
        })
        .and_then(|()| by_ruma(&cited, &event));
        let ours = room.check_by_auth_events(&event);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "ours: {:?}, ruma's: {:?}", ours, theirs);
    }
}
