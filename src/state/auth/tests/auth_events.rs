//! The rules on an event's auth events.

use ruma::OwnedEventId;
use serde_json::json;

use super::room::*;
use crate::auth::AuthError::*;
use crate::auth::{Cited, NotAuthorised, check_by_auth_events};
use crate::pdu::Pdu;
use crate::state_key::StateKey;

fn id_of(room: &Room, key: &StateKey) -> OwnedEventId {
    room.state[key].event_id().to_owned()
}

/// A message of `USER` in `room`, and the ids that it should cite.
fn selected(room: &Room) -> (Draft, Vec<OwnedEventId>) {
    let message = Draft::message(USER, "m.room.message", json!({}));
    let ids = room.event(&message).auth_events().to_vec();
    (message, ids)
}

fn citing(room: &Room, ids: &[OwnedEventId]) -> Pdu {
    room.event_citing(&selected(room).0, ids)
}

/// Runs `test` with a room of each of `versions`.
fn in_versions(versions: Versions, test: impl Fn(&mut Room)) {
    for version in versions {
        test(&mut room().with(Draft::state(ADMIN, "m.room.topic", "", json!({}))).in_version(version));
    }
}

#[test]
fn selected_ones() {
    in_versions(ALL, |room| {
        let (_, ids) = selected(room);
        assert_eq!(room.check_by_auth_events(&citing(room, &ids)), Ok(()));
        let optional = id_of(room, &StateKey::power_levels());
        let fewer: Vec<_> = ids.iter().filter(|id| **id != optional).cloned().collect();
        assert_eq!(room.check_by_auth_events(&citing(room, &fewer)), Ok(()));
    });
}

#[test]
fn two_for_one_key() {
    in_versions(ALL, |room| {
        let (_, mut ids) = selected(room);
        // The same once more.
        ids.push(ids[0].clone());
        let verdict = room.check_by_auth_events(&citing(room, &ids));
        assert_eq!(verdict, Err(NotAuthorised::Rejected(DuplicateAuthEvents)));
        // Another with the same key.
        let other = room.event(&Draft::levels(CREATOR, json!({ "ban": 51 })));
        ids.pop();
        ids.push(other.event_id().to_owned());
        let verdict = check_by_auth_events(&citing(room, &ids), room.rules, |id| {
            if id == other.event_id() { Cited::Accepted(other.clone()) } else { room.look_up(id) }
        });
        assert_eq!(verdict, Err(NotAuthorised::Rejected(DuplicateAuthEvents)));
    });
}

#[test]
fn not_selected() {
    let keys = [StateKey::new("m.room.topic", ""), StateKey::member(ADMIN), StateKey::join_rules()];
    in_versions(ALL, |room| {
        for key in &keys {
            let (_, mut ids) = selected(room);
            let unexpected = id_of(room, key);
            ids.push(unexpected.clone());
            let verdict = room.check_by_auth_events(&citing(room, &ids));
            assert_eq!(verdict, Err(NotAuthorised::Rejected(UnexpectedAuthEvent(unexpected))));
        }
    });
}

#[test]
fn no_state_event() {
    in_versions(ALL, |room| {
        let (message, mut ids) = selected(room);
        let other = room.event(&Draft { content: r#"{"body":"other"}"#.to_owned(), ..message });
        ids.push(other.event_id().to_owned());
        let verdict = check_by_auth_events(&citing(room, &ids), room.rules, |id| {
            if id == other.event_id() { Cited::Accepted(other.clone()) } else { room.look_up(id) }
        });
        let unexpected = other.event_id().to_owned();
        assert_eq!(verdict, Err(NotAuthorised::Rejected(UnexpectedAuthEvent(unexpected))));
    });
}

#[test]
fn b3_40_rejected_ones_stay_rejected() {
    in_versions(ALL, |room| {
        let (_, ids) = selected(room);
        for rejected in &ids {
            let verdict = check_by_auth_events(&citing(room, &ids), room.rules, |id| {
                if id == rejected { Cited::Rejected } else { room.look_up(id) }
            });
            assert_eq!(verdict, Err(NotAuthorised::Rejected(RejectedAuthEvent(rejected.clone()))));
        }
    });
}

#[test]
fn b3_41_missing_ones_decide_nothing() {
    in_versions(ALL, |room| {
        let (_, ids) = selected(room);
        let event = citing(room, &ids);
        for missing in &ids {
            let without = |id: &ruma::EventId| if id == missing { Cited::Missing } else { room.look_up(id) };
            let verdict = check_by_auth_events(&event, room.rules, without);
            assert_eq!(verdict, Err(NotAuthorised::Missing(vec![missing.clone()])));
        }
        // Once it is there the same event is accepted.
        assert_eq!(room.check_by_auth_events(&event), Ok(()));
        // What is rejected whatever is missing, is rejected.
        let unexpected = id_of(room, &StateKey::join_rules());
        let event = citing(room, &[vec![some_id("missing", room.rules)], vec![unexpected.clone()]].concat());
        let verdict = room.check_by_auth_events(&event);
        assert_eq!(verdict, Err(NotAuthorised::Rejected(UnexpectedAuthEvent(unexpected))));
    });
}

#[test]
fn b3_38_events_of_another_room() {
    in_versions(ALL, |room| {
        let (_, ids) = selected(room);
        let key = StateKey::member(USER);
        let other_room = "!other:a";
        let foreign = write(room.rules, &Draft::join(USER), Some(other_room), &[], &[]).unwrap();
        let ids: Vec<_> = ids
            .into_iter()
            .map(|id| if id == id_of(room, &key) { foreign.event_id().to_owned() } else { id })
            .collect();
        let verdict = check_by_auth_events(&citing(room, &ids), room.rules, |id| {
            if id == foreign.event_id() { Cited::Accepted(foreign.clone()) } else { room.look_up(id) }
        });
        let foreign = foreign.event_id().to_owned();
        assert_eq!(verdict, Err(NotAuthorised::Rejected(AuthEventOfOtherRoom(foreign))));
    });
}

#[test]
fn no_create_event() {
    in_versions(1..=11, |room| {
        let (_, ids) = selected(room);
        let create = room.create.event_id();
        let ids: Vec<_> = ids.into_iter().filter(|id| id != create).collect();
        let verdict = room.check_by_auth_events(&citing(room, &ids));
        assert_eq!(verdict, Err(NotAuthorised::Rejected(NoCreateAmongAuthEvents)));
    });
}

#[test]
fn b3_35_create_event_is_not_cited_in_version_12() {
    in_versions(12..=12, |room| {
        let (_, mut ids) = selected(room);
        let create = room.create.event_id().to_owned();
        assert!(!ids.contains(&create));
        ids.push(create.clone());
        let verdict = room.check_by_auth_events(&citing(room, &ids));
        assert_eq!(verdict, Err(NotAuthorised::Rejected(UnexpectedAuthEvent(create))));
    });
}

#[test]
fn b3_35_room_id_names_an_accepted_create_event() {
    in_versions(12..=12, |room| {
        let (message, ids) = selected(room);
        let event = citing(room, &ids);
        let create = room.create.event_id();
        let with = |answer: Cited| {
            check_by_auth_events(&event, room.rules, |id| {
                if id == create { answer.clone() } else { room.look_up(id) }
            })
        };
        let not_create = Err(NotAuthorised::Rejected(RoomIdNotOfCreate));
        assert_eq!(with(Cited::Rejected), not_create);
        assert_eq!(with(Cited::Missing), Err(NotAuthorised::Missing(vec![create.to_owned()])));
        let other = room.state[&StateKey::power_levels()].clone();
        assert_eq!(with(Cited::Accepted(other)), not_create);
        // A room id of older versions is no event's id, and is nobody's hash.
        let old = write(room.rules, &message, Some("!room:a"), &[], &[]).unwrap();
        let verdict = room.check_by_auth_events(&old);
        assert!(matches!(
            verdict,
            Err(NotAuthorised::Missing(_) | NotAuthorised::Rejected(RoomIdNotOfCreate))
        ));
    });
}

#[test]
fn then_the_rules_by_the_state_that_they_make() {
    in_versions(ALL, |room| {
        let kick = room.event(&Draft::member(USER, REMOTE, "leave"));
        assert_eq!(room.check_by_auth_events(&kick), Err(NotAuthorised::Rejected(KickLevel)));
        // Who does not cite the power levels has none.
        let kick = Draft::member(MODERATOR, USER, "leave");
        let levels = id_of(room, &StateKey::power_levels());
        let ids: Vec<_> =
            room.event(&kick).auth_events().iter().filter(|id| **id != levels).cloned().collect();
        let kick = room.event_citing(&kick, &ids);
        assert_eq!(room.check_by_auth_events(&kick), Err(NotAuthorised::Rejected(KickLevel)));
    });
}
