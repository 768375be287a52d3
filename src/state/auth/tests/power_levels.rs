//! The rule for `m.room.power_levels`, and what a level may be written as.

use serde_json::{Value as Json, json};

use super::room::*;
use crate::auth::AuthError::{self, *};
use crate::auth::MalformedLevels::*;
use crate::auth::{LevelField, Power};
use crate::state_key::StateKey;

const ALLOW: Result<(), AuthError> = Ok(());

/// A room in which moderators (50) may send power levels, whose levels are else `current`; and the levels `new`,
/// sent by `sender`.
fn change(
    rule: &'static str,
    versions: Versions,
    sender: &str,
    current: Json,
    new: Json,
    verdict: Result<(), AuthError>,
) -> Case {
    let complete = |mut levels: Json| {
        let members = levels.as_object_mut().unwrap();
        let users = members.entry("users").or_insert_with(|| json!({}));
        for (user, level) in [(ADMIN, 100), (MODERATOR, 50)] {
            users.as_object_mut().unwrap().entry(user).or_insert_with(|| level.into());
        }
        let events = members.entry("events").or_insert_with(|| json!({}));
        events.as_object_mut().unwrap().entry("m.room.power_levels").or_insert_with(|| 50.into());
        levels
    };
    // Before version 12 the creator is named; it must be in both, or its removal is one more change.
    let creator_is_named = *versions.end() < 12;
    let mut new = complete(new);
    if creator_is_named {
        new["users"][CREATOR] = 100.into();
    }
    case(rule, versions, Draft::levels(sender, new), room().levels(complete(current)), verdict)
}

/// What changes, the versions, the sender, the levels before and after, the verdict.
type Row = (&'static str, Versions, &'static str, Json, Json, Result<(), AuthError>);

/// Runs the rows once for the versions before 12 and once for 12.
fn assert_changes(rows: &[Row]) {
    for (rule, versions, sender, current, new, verdict) in rows {
        for version in versions.clone() {
            let row = change(rule, version..=version, sender, current.clone(), new.clone(), verdict.clone());
            assert_all(&[row]);
        }
    }
}

fn above(property: &'static str) -> Result<(), AuthError> {
    Err(LevelChangeAboveSender(property))
}

#[test]
fn no_event_before() {
    let first = |content| Draft::levels(CREATOR, content);
    let room = || room().without_levels();
    assert_all(&[
        case(
            "anything that is well formed",
            ALL,
            first(json!({ "ban": 1000, "users": { USER: 999 } })),
            room(),
            ALLOW,
        ),
        case("nothing", ALL, first(json!({})), room(), ALLOW),
        case("by one without power", ALL, Draft::levels(ADMIN, json!({})), room(), Err(EventLevel)),
        case("by one who is not joined", ALL, Draft::levels(LEFT, json!({})), room(), Err(SenderNotJoined)),
    ]);
}

#[test]
fn single_levels() {
    for field in LevelField::ALL.map(LevelField::name) {
        assert_changes(&[
            ("added, below", ALL, MODERATOR, json!({}), json!({ field: 50 }), ALLOW),
            ("added, above", ALL, MODERATOR, json!({}), json!({ field: 51 }), above(field)),
            ("changed within", ALL, MODERATOR, json!({ field: 50 }), json!({ field: -1 }), ALLOW),
            ("changed to above", ALL, MODERATOR, json!({ field: 50 }), json!({ field: 51 }), above(field)),
            ("changed from above", ALL, ADMIN, json!({ field: 101 }), json!({ field: 1 }), above(field)),
            ("removed, below", ALL, MODERATOR, json!({ field: 40 }), json!({}), ALLOW),
            ("removed, above", ALL, ADMIN, json!({ field: 101 }), json!({}), above(field)),
            ("unchanged, above", ALL, ADMIN, json!({ field: 101 }), json!({ field: 101 }), ALLOW),
            (
                "by a creator of version 12",
                12..=12,
                CREATOR,
                json!({ field: 1000 }),
                json!({ field: 2000 }),
                ALLOW,
            ),
            (
                "a creator before has its level",
                1..=11,
                CREATOR,
                json!({ field: 101 }),
                json!({}),
                above(field),
            ),
        ]);
    }
}

/// An absent level is there as its default ("power levels are inferred from defaults").
#[test]
fn absent_levels_count_as_their_default() {
    let low = json!({ "users": { USER: 40 }, "events": { "m.room.power_levels": 40 } });
    let with = |field: &str, level: i64| {
        let mut levels = low.clone();
        levels[field] = level.into();
        levels
    };
    assert_changes(&[
        ("added, the default is above", ALL, USER, low.clone(), with("ban", 10), above("ban")),
        ("removed, the default is above", ALL, USER, with("ban", 10), low.clone(), above("ban")),
        ("added, the default is below", ALL, USER, low.clone(), with("invite", 10), ALLOW),
        ("removed, the default is below", ALL, USER, with("invite", 10), low.clone(), ALLOW),
    ]);
}

#[test]
fn levels_of_events_and_notifications() {
    for (property, first) in [("events", 1), ("notifications", 6)] {
        let of = |level: i64| json!({ property: { "x": level } });
        assert_changes(&[
            ("added, within", ALL, MODERATOR, json!({}), of(50), ALLOW),
            ("added, above", first..=12, MODERATOR, json!({}), of(51), above(property)),
            ("changed, within", ALL, MODERATOR, of(50), of(49), ALLOW),
            ("changed to above", first..=12, MODERATOR, of(50), of(51), above(property)),
            ("changed from above", first..=12, MODERATOR, of(51), of(50), above(property)),
            ("removed, within", ALL, MODERATOR, of(50), json!({}), ALLOW),
            ("removed, above", first..=12, MODERATOR, of(51), json!({}), above(property)),
            ("unchanged, above", ALL, MODERATOR, of(51), of(51), ALLOW),
            ("by a creator of version 12", 12..=12, CREATOR, of(1000), of(2000), ALLOW),
        ]);
    }
    let of = |level: i64| json!({ "notifications": { "room": level } });
    assert_changes(&[
        ("notifications are free before version 6", 1..=5, MODERATOR, json!({}), of(51), ALLOW),
        ("notifications are free before version 6", 1..=5, MODERATOR, of(51), json!({}), ALLOW),
    ]);
}

#[test]
fn levels_of_users() {
    let of = |user: &str, level: i64| json!({ "users": { user: level } });
    assert_changes(&[
        ("added, within", ALL, MODERATOR, json!({}), of(USER, 50), ALLOW),
        ("added, above", ALL, MODERATOR, json!({}), of(USER, 51), above("users")),
        ("raised, within", ALL, MODERATOR, of(USER, 10), of(USER, 50), ALLOW),
        ("raised, above", ALL, MODERATOR, of(USER, 10), of(USER, 51), above("users")),
        ("an equal lowered", ALL, MODERATOR, of(USER, 50), of(USER, 10), above("users")),
        ("an equal removed", ALL, MODERATOR, of(USER, 50), json!({}), above("users")),
        ("one above lowered", ALL, MODERATOR, of(USER, 60), of(USER, 50), above("users")),
        ("one below removed", ALL, MODERATOR, of(USER, 49), json!({}), ALLOW),
        ("an equal unchanged", ALL, MODERATOR, of(USER, 50), of(USER, 50), ALLOW),
        ("oneself lowered", ALL, MODERATOR, json!({}), of(MODERATOR, 10), ALLOW),
        ("oneself raised", ALL, MODERATOR, json!({}), of(MODERATOR, 51), above("users")),
        ("anybody by a creator of version 12", 12..=12, CREATOR, of(USER, 1000), of(USER, 2000), ALLOW),
    ]);
}

#[test]
fn b3_36_creators_of_version_12_are_not_named() {
    let additional = || room().create(json!({ "additional_creators": [USER] }));
    let naming = |user: &str| Draft::levels(CREATOR, json!({ "users": { user: 0 } }));
    let named = Err(PowerLevelsNameCreator);
    assert_all(&[
        case("the sender of the create event", 12..=12, naming(CREATOR), room(), named.clone()),
        case("also in the first event", 12..=12, naming(CREATOR), room().without_levels(), named.clone()),
        case("an additional creator", 12..=12, naming(USER), additional(), named),
        case("another user", 12..=12, naming(USER), room(), ALLOW),
        case("before, each can be named", 1..=11, naming(CREATOR), room().without_levels(), ALLOW),
        case(
            "and nobody is an additional creator",
            1..=11,
            naming(USER),
            additional().without_levels(),
            ALLOW,
        ),
    ]);
}

#[test]
fn b3_36_creators_of_version_12_are_above_any_level() {
    let max = (1_i64 << 53) - 1;
    let room = room().create(json!({ "additional_creators": [USER] })).levels(
        json!({ "users": { ADMIN: max }, "events": { "m.room.tombstone": max }, "users_default": max }),
    );
    let tombstone = |sender| Draft::state(sender, "m.room.tombstone", "", json!({}));
    assert_all(&[
        case("a creator", 12..=12, tombstone(CREATOR), room.clone(), ALLOW),
        case("an additional creator", 12..=12, tombstone(USER), room.clone(), ALLOW),
        case("is kicked by nobody", 12..=12, Draft::member(ADMIN, USER, "ban"), room.clone(), Err(BanLevel)),
        case("kicks everybody", 12..=12, Draft::member(USER, ADMIN, "ban"), room.clone(), ALLOW),
    ]);
    let default =
        super::room::room().levels(json!({ "users": { ADMIN: 100 }, "events": { "m.room.tombstone": 150 } }));
    assert_all(&[
        case("an upgrade by an admin", 12..=12, tombstone(ADMIN), default.clone(), Err(EventLevel)),
        case("an upgrade by a creator", 12..=12, tombstone(CREATOR), default, ALLOW),
    ]);
}

/// How a level is written, in which versions, and what it is then (`None`: the event is rejected).
const WRITTEN: [(&str, Versions, Option<i64>); 34] = [
    ("50", ALL, Some(50)),
    ("0", ALL, Some(0)),
    ("-1", ALL, Some(-1)),
    ("9007199254740991", ALL, Some(9007199254740991)),
    ("-9007199254740991", ALL, Some(-9007199254740991)),
    ("null", ALL, None),
    ("true", ALL, None),
    ("[]", ALL, None),
    ("{}", ALL, None),
    (r#""""#, ALL, None),
    (r#""x""#, ALL, None),
    (r#""50.5""#, ALL, None),
    (r#""5e1""#, ALL, None),
    (r#""0x10""#, ALL, None),
    (r#""1_000""#, ALL, None),
    (r#""+-5""#, ALL, None),
    (r#""++5""#, ALL, None),
    (r#""- 5""#, ALL, None),
    (r#""٥""#, ALL, None),
    (r#""50""#, 1..=9, Some(50)),
    (r#""50""#, 10..=12, None),
    (r#"" 00050\t""#, 1..=9, Some(50)),
    (r#"" +50 ""#, 1..=9, Some(50)),
    (r#""-50""#, 1..=9, Some(-50)),
    (r#""9007199254740992""#, 6..=9, None),
    (r#""99999999999999999999""#, 1..=5, Some(i64::MAX)),
    (r#""99999999999999999999""#, 6..=12, None),
    ("50.57", 1..=5, Some(50)),
    ("-0.5", 1..=5, Some(0)),
    ("-50.9", 1..=5, Some(-50)),
    ("5.114698E4", 1..=5, Some(51146)),
    ("1e300", 1..=5, Some(i64::MAX)),
    ("9007199254740993", 1..=5, Some(9007199254740993)),
    ("-99999999999999999999", 1..=5, Some(i64::MIN)),
];

#[test]
fn b3_39_levels_as_they_are_written() {
    for (text, versions, level) in WRITTEN {
        for version in versions {
            let places = [
                (format!(r#"{{"ban":{text}}}"#), "ban"),
                (format!(r#"{{"users":{{"{USER}":{text}}}}}"#), "users"),
                (format!(r#"{{"events":{{"x":{text}}}}}"#), "events"),
                (format!(r#"{{"notifications":{{"room":{text}}}}}"#), "notifications"),
                (format!(r#"{{"events_default":{text}}}"#), "events_default"),
            ];
            for (content, property) in places {
                let mut room = room().without_levels().in_version(version);
                let event = room.event(&Draft::levels(CREATOR, json!({})).content(&content));
                let ignored = property == "notifications" && version < 6;
                let malformed = Err(MalformedPowerLevels(Field(property)));
                let verdict = if level.is_some() || ignored { ALLOW } else { malformed };
                assert_eq!(room.check(&event), verdict, "{content} (version {version})");
                let Some(level) = level else { continue };
                room.set_pdu(event);
                let authority = super::authority::of(&room);
                let read = match property {
                    "ban" => Power::Level(authority.level(LevelField::Ban)),
                    "users" => authority.power(USER),
                    "events" => Power::Level(authority.level_to_send("x", true)),
                    "notifications" => Power::Level(authority.level_to_notify("room")),
                    _ => Power::Level(authority.level_to_send("x", false)),
                };
                assert_eq!(read, Power::Level(level), "{content} (version {version})");
            }
        }
    }
}

/// Numbers that no double holds do not get past the parser, and those that are longer than an integer are cut.
#[test]
fn b3_39_levels_beyond_a_double() {
    let room = room().without_levels().in_version(1);
    let long = format!(r#"{{"ban":{}}}"#, "9".repeat(400));
    let event = room.event(&Draft::levels(CREATOR, json!({})).content(&long));
    assert_eq!(room.check(&event), Err(MalformedPowerLevels(Field("ban"))));
}

#[test]
fn b3_39_shapes() {
    let first = |content: &str| Draft::levels(CREATOR, json!({})).content(content);
    let room = || room().without_levels();
    for property in ["users", "events", "notifications"] {
        for shape in ["null", "1", "[]", r#""x""#, r#"{"@a:b":null}"#] {
            let since = if property == "notifications" { 6 } else { 1 };
            let malformed = Err(MalformedPowerLevels(Field(property)));
            let event = first(&format!(r#"{{"{property}":{shape}}}"#));
            assert_all(&[case("a map of levels", since..=12, event, room(), malformed)]);
        }
    }
    for key in ["", "user", "@user", "user:a", "@user:", "@user:a b", "@us\\u0000er:a"] {
        let event = first(&format!(r#"{{"users":{{"{key}":0}}}}"#));
        assert_all(&[case("keys that are user ids", ALL, event, room(), Err(MalformedPowerLevels(UserId)))]);
    }
    for key in ["@User:a", "@:a", "@us er:a", "@ü:a", "@user:[::1]:8448"] {
        let event = first(&format!(r#"{{"users":{{"{key}":0}}}}"#));
        assert_all(&[case("historical user ids", ALL, event, room(), ALLOW)]);
    }
}

/// `users_default` of a version with strings, read from the state (CVE-2022-36009 was a server that could not).
#[test]
fn b3_39_strings_in_the_state() {
    let room = |content: Json| room().levels(content);
    let message = || Draft::message(USER, "m.room.message", json!({}));
    assert_all(&[
        case("events_default", 1..=9, message(), room(json!({ "events_default": "1" })), Err(EventLevel)),
        case(
            "users_default",
            1..=9,
            message(),
            room(json!({ "events_default": "1", "users_default": " 1" })),
            ALLOW,
        ),
        case("negative", 1..=9, message(), room(json!({ "users_default": "-1" })), Err(EventLevel)),
        case("floats", 1..=5, message(), room(json!({ "events_default": 1.9, "users_default": 1.1 })), ALLOW),
    ]);
}

/// Should such an event be in the state all the same, nobody gets past it.
#[test]
fn levels_in_the_state_that_cannot_be_read() {
    for version in ALL {
        let mut room = room().in_version(version);
        room.set(&Draft::levels(CREATOR, json!({ "ban": null })));
        let event = room.event(&Draft::message(CREATOR, "m.room.message", json!({})));
        assert_eq!(room.check(&event), Err(MalformedPowerLevelsInState(Field("ban"))));
        assert!(room.state.contains_key(&StateKey::power_levels()));
    }
}
