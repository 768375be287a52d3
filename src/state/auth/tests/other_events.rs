//! The rules for every event, and for the types that have their own.

use serde_json::json;

use super::room::*;
use crate::auth::AuthError::{self, *};

const ALLOW: Result<(), AuthError> = Ok(());

fn message(sender: &str) -> Draft {
    Draft::message(sender, "m.room.message", json!({ "body": "b" }))
}

fn topic(sender: &str) -> Draft {
    Draft::state(sender, "m.room.topic", "", json!({ "topic": "t" }))
}

#[test]
fn no_create_event_in_the_state() {
    for version in ALL {
        let mut room = room().in_version(version);
        let event = room.event(&message(USER));
        room.state.clear();
        assert_eq!(room.check(&event), Err(NoCreate));
    }
}

#[test]
fn b3_68_m_federate() {
    let federate = |value| room().create(json!({ "m.federate": value }));
    assert_all(&[
        case("true: another server", ALL, message(REMOTE), federate(json!(true)), ALLOW),
        case("false: another server", ALL, message(REMOTE), federate(json!(false)), Err(NotFederated)),
        case("false: this server", ALL, message(USER), federate(json!(false)), ALLOW),
        case(
            "false: another server joins",
            ALL,
            Draft::join(INVITED),
            federate(json!(false)),
            Err(NotFederated),
        ),
        case(
            "false: a stranger of another server",
            ALL,
            Draft::member(USER, STRANGER, "invite"),
            federate(json!(false)),
            ALLOW,
        ),
    ]);
    // Only `false` is false.
    for odd in [json!("false"), json!(0), json!(null), json!([]), json!({})] {
        assert_all(&[case("no boolean", ALL, message(REMOTE), federate(odd), ALLOW)]);
    }
}

#[test]
fn b3_68_oddities_of_the_create_event_harm_nobody() {
    let room = || room().create(json!({ "predecessor": "x", "type": 1, "additional": [[]] }));
    assert_all(&[
        case("a message", ALL, message(USER), room(), ALLOW),
        case("a join", ALL, Draft::join(INVITED), room(), ALLOW),
    ]);
    let odd_creator = || super::room::room().create(json!({ "creator": 1 }));
    assert_all(&[
        case(
            "a creator that is no user is nobody",
            1..=10,
            Draft::join(CREATOR).following_create(),
            odd_creator().member(CREATOR, "leave"),
            Err(NotInvited),
        ),
        case("and the room goes on", ALL, message(USER), odd_creator(), ALLOW),
    ]);
}

#[test]
fn aliases() {
    let aliases =
        |sender, state_key| Draft::state(sender, "m.room.aliases", state_key, json!({ "aliases": [] }));
    let no_state_key = Draft::message(ADMIN, "m.room.aliases", json!({}));
    assert_all(&[
        case("own server", 1..=5, aliases(USER, "a"), room(), ALLOW),
        case("a server that is not in the room", 1..=5, aliases("@x:c", "c"), room(), ALLOW),
        case("another server", 1..=5, aliases(ADMIN, "b"), room(), Err(AliasesOfOtherServer)),
        case("no state key", 1..=5, no_state_key.clone(), room(), Err(AliasesOfOtherServer)),
        case(
            "room that does not federate",
            1..=5,
            aliases(REMOTE, "b"),
            room().create(json!({ "m.federate": false })),
            Err(NotFederated),
        ),
        case("from version 6 a state event", 6..=12, aliases(ADMIN, "b"), room(), ALLOW),
        case("from version 6 a state event", 6..=12, aliases(USER, "a"), room(), Err(EventLevel)),
        case("from version 6 only for members", 6..=12, aliases("@x:c", "c"), room(), Err(SenderNotJoined)),
        case("from version 6 any event", 6..=12, no_state_key, room(), ALLOW),
    ]);
}

#[test]
fn sender_is_joined() {
    assert_all(&[
        case("joined", ALL, message(USER), room(), ALLOW),
        case("invited", ALL, message(INVITED), room(), Err(SenderNotJoined)),
        case("left", ALL, message(LEFT), room(), Err(SenderNotJoined)),
        case("banned", ALL, message(BANNED), room(), Err(SenderNotJoined)),
        case("a stranger", ALL, message(STRANGER), room(), Err(SenderNotJoined)),
        case("knocked", 7..=12, message(STRANGER), room().member(STRANGER, "knock"), Err(SenderNotJoined)),
        case(
            "a creator who left",
            ALL,
            message(CREATOR),
            room().member(CREATOR, "leave"),
            Err(SenderNotJoined),
        ),
    ]);
}

#[test]
fn third_party_invite() {
    let invite = |sender| Draft::state(sender, "m.room.third_party_invite", "token", json!({}));
    let at_50 = || room().levels(json!({ "users": { MODERATOR: 50 }, "invite": 50 }));
    assert_all(&[
        case("the level is 0 by default", ALL, invite(USER), room(), ALLOW),
        case("at the invite level", ALL, invite(MODERATOR), at_50(), ALLOW),
        case("below the invite level", ALL, invite(USER), at_50(), Err(InviteLevel)),
        case(
            "`events` does not count",
            ALL,
            invite(USER),
            room().levels(json!({ "events": { "m.room.third_party_invite": 100 } })),
            ALLOW,
        ),
        case("not joined", ALL, invite(LEFT), room(), Err(SenderNotJoined)),
    ]);
}

#[test]
fn level_of_the_event_type() {
    let levels = |content| room().levels(content);
    assert_all(&[
        case("messages need 0 by default", ALL, message(USER), room(), ALLOW),
        case("state needs 50 by default", ALL, topic(USER), room(), Err(EventLevel)),
        case(
            "state needs 50 by default",
            ALL,
            topic(MODERATOR),
            levels(json!({ "users": { MODERATOR: 50 } })),
            ALLOW,
        ),
        case("messages need 0 without the event", ALL, message(USER), room().without_levels(), ALLOW),
        case("state needs 50 without the event", ALL, topic(USER), room().without_levels(), Err(EventLevel)),
        case("a creator has enough without the event", ALL, topic(CREATOR), room().without_levels(), ALLOW),
        case("`events_default`", ALL, message(USER), levels(json!({ "events_default": 1 })), Err(EventLevel)),
        case("`state_default`", ALL, topic(USER), levels(json!({ "state_default": 0 })), ALLOW),
        case(
            "`state_default` is not for messages",
            ALL,
            message(USER),
            levels(json!({ "state_default": 100 })),
            ALLOW,
        ),
        case("`events` lowers", ALL, topic(USER), levels(json!({ "events": { "m.room.topic": 0 } })), ALLOW),
        case(
            "`events` raises",
            ALL,
            message(USER),
            levels(json!({ "events": { "m.room.message": 1 } })),
            Err(EventLevel),
        ),
        case(
            "`users`",
            ALL,
            message(USER),
            levels(json!({ "events_default": 1, "users": { USER: 1 } })),
            ALLOW,
        ),
        case(
            "`users_default`",
            ALL,
            message(USER),
            levels(json!({ "events_default": 1, "users_default": 1 })),
            ALLOW,
        ),
        case(
            "`users` below `users_default`",
            ALL,
            message(USER),
            levels(json!({ "users_default": 1, "users": { USER: -1 } })),
            Err(EventLevel),
        ),
        case("an own type", ALL, Draft::message(USER, "org.example", json!({})), room(), ALLOW),
    ]);
}

#[test]
fn state_key_of_a_user() {
    let state = |sender, key| Draft::state(sender, "org.example", key, json!({}));
    let room = || room().levels(json!({ "state_default": 0, "users": { ADMIN: 100 } }));
    assert_all(&[
        case("one's own", ALL, state(USER, USER), room(), ALLOW),
        case("another user's", ALL, state(ADMIN, USER), room(), Err(StateKeyOfOtherUser)),
        case("anything with @", ALL, state(ADMIN, "@"), room(), Err(StateKeyOfOtherUser)),
        case("no user's", ALL, state(USER, "x@y"), room(), ALLOW),
        case("the level comes first", ALL, state(USER, ADMIN), super::room::room(), Err(EventLevel)),
    ]);
}

#[test]
fn redaction() {
    let redaction =
        |sender, target: &str| Draft::message(sender, "m.room.redaction", json!({})).redacts(target);
    let of_a = "$event:a";
    let of_b = "$event:b";
    let no_target = Draft::message(USER, "m.room.redaction", json!({}));
    let other = Err(RedactionOfOtherServer);
    assert_all(&[
        case("at the redact level", 1..=2, redaction(MODERATOR, of_b), room(), ALLOW),
        case("below it, an event of the same server", 1..=2, redaction(USER, of_a), room(), ALLOW),
        case("below it, an event of another server", 1..=2, redaction(USER, of_b), room(), other.clone()),
        case("below it, an event of another server", 1..=2, redaction(REMOTE, of_a), room(), other.clone()),
        case("below it, an id without a server", 1..=2, redaction(USER, "$event"), room(), other.clone()),
        case("below it, no target", 1..=2, no_target.clone(), room(), other.clone()),
        case(
            "a level that is set",
            1..=2,
            redaction(MODERATOR, of_b),
            room().levels(json!({ "redact": 51, "users": { MODERATOR: 50 } })),
            other,
        ),
        case("no rule since version 3", 3..=12, redaction(USER, of_b), room(), ALLOW),
        case("no rule since version 3", 3..=12, no_target, room(), ALLOW),
        case(
            "but the level of the type",
            ALL,
            redaction(USER, of_a),
            room().levels(json!({ "events": { "m.room.redaction": 1 } })),
            Err(EventLevel),
        ),
    ]);
}
