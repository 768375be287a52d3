//! The rule for `m.room.create`.

use serde_json::{Value as Json, json};

use super::room::*;
use crate::auth::AuthError::*;
use crate::auth::{AuthError, NotAuthorised, check_by_auth_events};
use crate::pdu::FormatError;

const ALLOW: Result<(), AuthError> = Ok(());

fn check(version: usize, content: Json) -> Result<(), AuthError> {
    let rules = rules_of(version);
    let draft = Draft::state(CREATOR, "m.room.create", "", content);
    let event = Room::create_event(rules, &draft, &[]);
    let by_state = crate::auth::check(&event, rules, |_| panic!("no state precedes it"));
    let by_auth_events = check_by_auth_events(&event, rules, |_| panic!("it cites nothing"));
    assert_eq!(by_auth_events, by_state.clone().map_err(NotAuthorised::Rejected));
    by_state
}

/// `content` with the version's number and a creator, unless it says something else.
fn full(version: usize, mut content: Json) -> Json {
    let members = content.as_object_mut().unwrap();
    members.entry("room_version").or_insert_with(|| version.to_string().into());
    members.entry("creator").or_insert_with(|| CREATOR.into());
    content
}

#[test]
fn content() {
    let rows: [(&str, Versions, Json, Result<(), AuthError>); 17] = [
        ("as it should be", ALL, json!({}), ALLOW),
        ("an unknown version", ALL, json!({ "room_version": "99" }), Err(CreateRoomVersion)),
        ("a version that is no string", ALL, json!({ "room_version": 1 }), Err(CreateRoomVersion)),
        ("a version that is null", ALL, json!({ "room_version": null }), Err(CreateRoomVersion)),
        ("another version", 2..=12, json!({ "room_version": "1" }), Err(CreateRoomVersion)),
        ("a creator that is no user", 1..=10, json!({ "creator": 1 }), ALLOW),
        ("a creator that is null is a creator", 1..=10, json!({ "creator": null }), ALLOW),
        ("no additional creators", ALL, json!({ "additional_creators": [] }), ALLOW),
        ("additional creators", ALL, json!({ "additional_creators": [ADMIN, "@A b:c"] }), ALLOW),
        ("oneself as additional creator", ALL, json!({ "additional_creators": [CREATOR] }), ALLOW),
        ("no list", 12..=12, json!({ "additional_creators": ADMIN }), Err(CreateAdditionalCreators)),
        ("null", 12..=12, json!({ "additional_creators": null }), Err(CreateAdditionalCreators)),
        ("no strings", 12..=12, json!({ "additional_creators": [1] }), Err(CreateAdditionalCreators)),
        (
            "no user ids",
            12..=12,
            json!({ "additional_creators": [ADMIN, "b"] }),
            Err(CreateAdditionalCreators),
        ),
        ("no server", 12..=12, json!({ "additional_creators": ["@b:"] }), Err(CreateAdditionalCreators)),
        ("no property before version 12", 1..=11, json!({ "additional_creators": "b" }), ALLOW),
        ("unknown properties", ALL, json!({ "predecessor": 1, "m.federate": "no" }), ALLOW),
    ];
    for (rule, versions, content, verdict) in rows {
        for version in versions {
            assert_eq!(check(version, full(version, content.clone())), verdict, "{rule} (version {version})");
        }
    }
}

#[test]
fn no_version_is_version_1() {
    assert_eq!(check(1, json!({ "creator": CREATOR })), ALLOW);
    for version in 2..=12 {
        assert_eq!(check(version, json!({ "creator": CREATOR })), Err(CreateRoomVersion));
    }
}

#[test]
fn creator_is_needed_before_version_11() {
    for version in ALL {
        let verdict = if version < 11 { Err(CreateWithoutCreator) } else { ALLOW };
        assert_eq!(check(version, json!({ "room_version": version.to_string() })), verdict);
    }
}

#[test]
fn no_previous_events() {
    for version in ALL {
        let rules = rules_of(version);
        let draft = Draft::state(CREATOR, "m.room.create", "", full(version, json!({})));
        let event = Room::create_event(rules, &draft, &[some_id("earlier", rules)]);
        assert_eq!(crate::auth::check(&event, rules, |_| None), Err(CreateHasPrevEvents));
    }
}

#[test]
fn room_id_of_the_sender_s_server() {
    for version in 1..=11 {
        for (room_id, verdict) in [
            ("!r:a", ALLOW),
            ("!r:b", Err(CreateRoomIdOfOtherServer)),
            ("!r:a:8448", Err(CreateRoomIdOfOtherServer)),
        ] {
            let draft = Draft::state(CREATOR, "m.room.create", "", full(version, json!({})));
            let event = write(rules_of(version), &draft, Some(room_id), &[], &[]).unwrap();
            assert_eq!(crate::auth::check(&event, rules_of(version), |_| None), verdict, "{room_id}");
        }
    }
}

#[test]
fn b3_35_create_event_of_version_12() {
    let rules = rules_of(12);
    let draft = Draft::state(CREATOR, "m.room.create", "", full(12, json!({})));
    let with_room_id = write(rules, &draft, Some("!r:a"), &[], &[]);
    assert_eq!(with_room_id.unwrap_err(), FormatError::RoomIdOnCreate);

    let create = write(rules, &draft, None, &[], &[]).unwrap();
    assert_eq!(create.room_id().as_str().strip_prefix('!'), create.event_id().as_str().strip_prefix('$'));
    assert_eq!(crate::auth::check(&create, rules, |_| None), ALLOW);
    // The same event under the rules of another version has lied about one of the two.
    let draft = Draft::state(CREATOR, "m.room.create", "", full(11, json!({})));
    let other_version = write(rules, &draft, None, &[], &[]).unwrap();
    assert_eq!(crate::auth::check(&other_version, rules, |_| None), Err(CreateRoomVersion));
    // A second one in a room that exists has previous events.
    let second = write(rules, &draft, None, &[create.event_id().to_owned()], &[]).unwrap();
    assert_eq!(crate::auth::check(&second, rules, |_| None), Err(CreateHasPrevEvents));
}

#[test]
fn b3_36_additional_creators() {
    let many: Vec<String> = (0..5000).map(|n| format!("@{n}:b")).collect();
    assert_eq!(check(12, full(12, json!({ "additional_creators": many }))), ALLOW);
    for odd in
        [json!({}), json!(true), json!([[]]), json!([null]), json!(["@a"]), json!(["@a:b c"]), json!([""])]
    {
        let content = full(12, json!({ "additional_creators": odd }));
        assert_eq!(check(12, content), Err(CreateAdditionalCreators));
    }
}
