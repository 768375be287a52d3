//! The rules for `m.room.member`.

use serde_json::json;

use super::room::*;
use crate::auth::AuthError::*;

const ALLOW: Result<(), crate::auth::AuthError> = Ok(());

fn levels(field: &str, level: i64) -> Setup {
    room().levels(json!({ "users": { ADMIN: 100, MODERATOR: 50 }, field: level }))
}

fn with_authoriser(user: &str, membership: &str, authoriser: &str) -> Draft {
    let content =
        json!({ "membership": membership, "join_authorised_via_users_server": authoriser }).to_string();
    Draft::member(user, user, membership).content(&content)
}

#[test]
fn every_membership() {
    let member = |content: &str| Draft::member(USER, USER, "").content(content);
    let no_state_key = Draft::message(USER, "m.room.member", json!({ "membership": "join" }));
    assert_all(&[
        case("no state key", ALL, no_state_key, room(), Err(MemberStateKey)),
        case(
            "a state key that is no user",
            ALL,
            Draft::member(USER, "user", "leave"),
            room(),
            Err(MemberStateKey),
        ),
        case("no membership", ALL, member("{}"), room(), Err(UnknownMembership)),
        case(
            "a membership that is no string",
            ALL,
            member(r#"{"membership":1}"#),
            room(),
            Err(UnknownMembership),
        ),
        case(
            "an unknown membership",
            ALL,
            Draft::member(USER, USER, "dance"),
            room(),
            Err(UnknownMembership),
        ),
        case(
            "knock before version 7",
            1..=6,
            Draft::member(LEFT, LEFT, "knock"),
            room(),
            Err(UnknownMembership),
        ),
    ]);
}

#[test]
fn first_join() {
    let creator_left = || room().member(CREATOR, "leave");
    let other_creator = || room().create(json!({ "creator": USER })).member(USER, "leave");
    let user_after_create = || Draft::join(USER).following_create();
    assert_all(&[
        case(
            "after the create event only: the creator, whatever else holds",
            ALL,
            Draft::join(CREATOR).following_create(),
            creator_left().member(CREATOR, "ban"),
            ALLOW,
        ),
        case("not after the create event", ALL, Draft::join(CREATOR), creator_left(), Err(NotInvited)),
        case(
            "after the create event only: nobody else",
            ALL,
            Draft::join(LEFT).following_create(),
            room(),
            Err(NotInvited),
        ),
        case(
            "after the create event only: the rule names no sender",
            ALL,
            Draft::member(ADMIN, CREATOR, "join").following_create(),
            creator_left(),
            ALLOW,
        ),
        case(
            "before version 11 the creator is `creator`",
            1..=10,
            user_after_create(),
            other_creator(),
            ALLOW,
        ),
        case("from version 11 on the sender", 11..=12, user_after_create(), other_creator(), Err(NotInvited)),
        case(
            "an additional creator is not the creator who joins first",
            12..=12,
            Draft::join(LEFT).following_create(),
            room().create(json!({ "additional_creators": [LEFT] })),
            Err(NotInvited),
        ),
    ]);
}

#[test]
fn join() {
    let public = || room().join_rule("public");
    assert_all(&[
        case(
            "sender is not the target",
            ALL,
            Draft::member(ADMIN, LEFT, "join"),
            public(),
            Err(JoinOrKnockForOtherUser),
        ),
        case("banned", ALL, Draft::join(BANNED), public(), Err(Banned)),
        case("public: a stranger", ALL, Draft::join(STRANGER), public(), ALLOW),
        case("public: who left", ALL, Draft::join(LEFT), public(), ALLOW),
        case("invite: invited", ALL, Draft::join(INVITED), room(), ALLOW),
        case("invite: joined", ALL, Draft::join(USER), room(), ALLOW),
        case("invite: a stranger", ALL, Draft::join(STRANGER), room(), Err(NotInvited)),
        case("invite: who left", ALL, Draft::join(LEFT), room(), Err(NotInvited)),
        case("no join rule is invite: invited", ALL, Draft::join(INVITED), room().join_rules(None), ALLOW),
        case(
            "no join rule is invite: a stranger",
            ALL,
            Draft::join(STRANGER),
            room().join_rules(None),
            Err(NotInvited),
        ),
        case(
            "private: even invited",
            ALL,
            Draft::join(INVITED),
            room().join_rule("private"),
            Err(JoinRuleClosed),
        ),
    ]);
}

#[test]
fn join_by_knock_rule() {
    let room = || room().join_rule("knock");
    assert_all(&[
        case("before version 7 unknown", 1..=6, Draft::join(INVITED), room(), Err(JoinRuleClosed)),
        case("invited", 7..=12, Draft::join(INVITED), room(), ALLOW),
        case("joined", 7..=12, Draft::join(USER), room(), ALLOW),
        case(
            "knocked only",
            7..=12,
            Draft::join(STRANGER),
            room().member(STRANGER, "knock"),
            Err(NotInvited),
        ),
        case("a stranger", 7..=12, Draft::join(STRANGER), room(), Err(NotInvited)),
    ]);
}

#[test]
fn join_by_restricted_rules() {
    for (join_rule, first) in [("restricted", 8), ("knock_restricted", 10)] {
        let room = || levels("invite", 50).join_rule(join_rule);
        let by = |authoriser| with_authoriser(STRANGER, "join", authoriser);
        assert_all(&[
            case("unknown before", 1..=first - 1, Draft::join(INVITED), room(), Err(JoinRuleClosed)),
            case("invited", first..=12, Draft::join(INVITED), room(), ALLOW),
            case("joined", first..=12, Draft::join(USER), room(), ALLOW),
            case("no authoriser", first..=12, Draft::join(STRANGER), room(), Err(NotAuthorised)),
            case("an authoriser who may invite", first..=12, by(MODERATOR), room(), ALLOW),
            case("one who may not", first..=12, by(USER), room(), Err(NotAuthorised)),
            case(
                "one who left",
                first..=12,
                by(MODERATOR),
                room().member(MODERATOR, "leave"),
                Err(NotAuthorised),
            ),
            case("one who is unknown", first..=12, by("@ghost:a"), room(), Err(NotAuthorised)),
            case(
                "the joining user",
                first..=12,
                by(STRANGER),
                levels("invite", 0).join_rule(join_rule),
                Err(NotAuthorised),
            ),
            case(
                "banned all the same",
                first..=12,
                with_authoriser(BANNED, "join", MODERATOR),
                room(),
                Err(Banned),
            ),
        ]);
    }
    let by_creator = with_authoriser(STRANGER, "join", CREATOR);
    let restricted = || levels("invite", 1000).join_rule("restricted");
    assert_all(&[
        case(
            "a creator below the invite level",
            8..=11,
            by_creator.clone(),
            restricted(),
            Err(NotAuthorised),
        ),
        case("a creator of version 12 has any level", 12..=12, by_creator, restricted(), ALLOW),
    ]);
}

#[test]
fn authoriser() {
    let odd = |value: &str| {
        let content = format!(r#"{{"membership":"join","join_authorised_via_users_server":{value}}}"#);
        Draft::join(LEFT).content(&content)
    };
    let public = || room().join_rule("public");
    for value in ["1", "null", r#""a""#, "{}"] {
        assert_all(&[
            case("no property before version 8", 1..=7, odd(value), public(), ALLOW),
            case(
                "must be a user, whatever the join rule",
                8..=12,
                odd(value),
                public(),
                Err(MalformedAuthoriser),
            ),
        ]);
    }
    assert_all(&[case(
        "in whichever membership",
        8..=12,
        Draft::member(USER, USER, "leave")
            .content(r#"{"membership":"leave","join_authorised_via_users_server":1}"#),
        room(),
        Err(MalformedAuthoriser),
    )]);
}

#[test]
fn invite() {
    let invite = |sender, target| Draft::member(sender, target, "invite");
    assert_all(&[
        case("by a member", ALL, invite(USER, STRANGER), room(), ALLOW),
        case("of one who left", ALL, invite(USER, LEFT), room(), ALLOW),
        case("again", ALL, invite(USER, INVITED), room(), ALLOW),
        case("sender not joined", ALL, invite(LEFT, STRANGER), room(), Err(SenderNotJoined)),
        case("sender invited", ALL, invite(INVITED, STRANGER), room(), Err(SenderNotJoined)),
        case("target joined", ALL, invite(USER, REMOTE), room(), Err(InviteOfJoinedOrBanned)),
        case("target banned", ALL, invite(ADMIN, BANNED), room(), Err(InviteOfJoinedOrBanned)),
        case("below the invite level", ALL, invite(USER, STRANGER), levels("invite", 50), Err(InviteLevel)),
        case("at the invite level", ALL, invite(MODERATOR, STRANGER), levels("invite", 50), ALLOW),
        case(
            "the level is 0 by default",
            ALL,
            invite(USER, STRANGER),
            levels("users_default", -1),
            Err(InviteLevel),
        ),
        case("and without power levels", ALL, invite(USER, STRANGER), room().without_levels(), ALLOW),
        case(
            "knocked",
            7..=12,
            invite(USER, STRANGER),
            room().member(STRANGER, "knock").join_rule("knock"),
            ALLOW,
        ),
    ]);
}

#[test]
fn leave() {
    let leave = |user| Draft::member(user, user, "leave");
    let kick = |sender, target| Draft::member(sender, target, "leave");
    let knocking = || room().join_rule("knock").member(STRANGER, "knock");
    assert_all(&[
        case("joined", ALL, leave(USER), room(), ALLOW),
        case("invited", ALL, leave(INVITED), room(), ALLOW),
        case("knocked", 7..=12, leave(STRANGER), knocking(), ALLOW),
        case("left", ALL, leave(LEFT), room(), Err(NothingToLeave)),
        case("banned", ALL, leave(BANNED), room(), Err(NothingToLeave)),
        case("a stranger", ALL, leave(STRANGER), room(), Err(NothingToLeave)),
        case("kick", ALL, kick(MODERATOR, USER), room(), ALLOW),
        case(
            "kick by one who left",
            ALL,
            kick(MODERATOR, USER),
            room().member(MODERATOR, "leave"),
            Err(SenderNotJoined),
        ),
        case("kick below the level", ALL, kick(USER, REMOTE), room(), Err(KickLevel)),
        case(
            "kick below a level that is set",
            ALL,
            kick(MODERATOR, USER),
            levels("kick", 51),
            Err(KickLevel),
        ),
        case("kick of an equal", ALL, kick(MODERATOR, MODERATOR_TOO), two_moderators(), Err(KickLevel)),
        case("kick of one above", ALL, kick(MODERATOR, ADMIN), room(), Err(KickLevel)),
        case("kick without power levels", 1..=11, kick(CREATOR, USER), room().without_levels(), ALLOW),
        case("the creator has 100 then", 1..=11, kick(CREATOR, USER), room().without_levels(), ALLOW),
        case("others have 0 then", ALL, kick(ADMIN, USER), room().without_levels(), Err(KickLevel)),
        case("withdraw an invitation", ALL, kick(MODERATOR, INVITED), room(), ALLOW),
        case("refuse a knock", 7..=12, kick(MODERATOR, STRANGER), knocking(), ALLOW),
        case("unban", ALL, kick(MODERATOR, BANNED), room(), ALLOW),
        case("unban below the ban level", ALL, kick(MODERATOR, BANNED), levels("ban", 51), Err(BanLevel)),
        case("unban below the kick level", ALL, kick(MODERATOR, BANNED), levels("kick", 51), Err(KickLevel)),
        case("kick below the ban level", ALL, kick(MODERATOR, USER), levels("ban", 51), ALLOW),
        case("kick of a creator of version 12", 12..=12, kick(ADMIN, CREATOR), room(), Err(KickLevel)),
        case("kick by a creator of version 12", 12..=12, kick(CREATOR, ADMIN), levels("kick", 1000), ALLOW),
    ]);
}

const MODERATOR_TOO: &str = "@moderator.too:b";

fn two_moderators() -> Setup {
    room().levels(json!({ "users": { MODERATOR: 50, MODERATOR_TOO: 50 } })).member(MODERATOR_TOO, "join")
}

#[test]
fn ban() {
    let ban = |sender, target| Draft::member(sender, target, "ban");
    let additional = || room().create(json!({ "additional_creators": [ADMIN] })).levels(json!({}));
    assert_all(&[
        case("a member", ALL, ban(MODERATOR, USER), room(), ALLOW),
        case("a stranger", ALL, ban(MODERATOR, STRANGER), room(), ALLOW),
        case("an invited user", ALL, ban(MODERATOR, INVITED), room(), ALLOW),
        case("again", ALL, ban(MODERATOR, BANNED), room(), ALLOW),
        case(
            "by one who left",
            ALL,
            ban(MODERATOR, USER),
            room().member(MODERATOR, "leave"),
            Err(SenderNotJoined),
        ),
        case("below the level", ALL, ban(USER, REMOTE), room(), Err(BanLevel)),
        case("below a level that is set", ALL, ban(MODERATOR, USER), levels("ban", 51), Err(BanLevel)),
        case("an equal", ALL, ban(MODERATOR, MODERATOR_TOO), two_moderators(), Err(BanLevel)),
        case("one above", ALL, ban(MODERATOR, ADMIN), room(), Err(BanLevel)),
        case("oneself", ALL, ban(ADMIN, ADMIN), room(), Err(BanLevel)),
        case("a creator of version 12", 12..=12, ban(ADMIN, CREATOR), room(), Err(BanLevel)),
        case("an additional creator", 12..=12, ban(CREATOR, ADMIN), additional(), Err(BanLevel)),
        case("by an additional creator", 12..=12, ban(ADMIN, MODERATOR), additional(), ALLOW),
        case("the property means nothing before", 1..=11, ban(CREATOR, ADMIN), additional(), ALLOW),
    ]);
}

#[test]
fn b3_59_knock() {
    let knock = |user| Draft::member(user, user, "knock");
    let other = || Draft::member(USER, STRANGER, "knock");
    for (join_rule, versions) in [("knock", 7..=12), ("knock_restricted", 10..=12)] {
        let room = || room().join_rule(join_rule);
        assert_all(&[
            case("no membership before version 7", 1..=6, knock(STRANGER), room(), Err(UnknownMembership)),
            case("a stranger", versions.clone(), knock(STRANGER), room(), ALLOW),
            case("who left", versions.clone(), knock(LEFT), room(), ALLOW),
            case("again", versions.clone(), knock(STRANGER), room().member(STRANGER, "knock"), ALLOW),
            case("for another user", versions.clone(), other(), room(), Err(JoinOrKnockForOtherUser)),
            case("banned", versions.clone(), knock(BANNED), room(), Err(KnockOfMember)),
            case("invited", versions.clone(), knock(INVITED), room(), Err(KnockOfMember)),
            case("joined", versions, knock(USER), room(), Err(KnockOfMember)),
        ]);
    }
    for join_rule in ["public", "invite", "restricted", "private", "dance"] {
        let room = room().join_rule(join_rule);
        assert_all(&[case("by another join rule", 7..=12, knock(STRANGER), room, Err(KnockNotAllowed))]);
    }
    assert_all(&[
        case("by no join rule", 7..=12, knock(STRANGER), room().join_rules(None), Err(KnockNotAllowed)),
        case(
            "knock_restricted before",
            7..=9,
            knock(STRANGER),
            room().join_rule("knock_restricted"),
            Err(KnockNotAllowed),
        ),
    ]);
}

/// The signature is for the stage before; what is left here is who it must be.
#[test]
fn b3_57_restricted_join_needs_an_authoriser_who_may_invite() {
    let room = || levels("invite", 50).join_rule("restricted");
    let by = |authoriser| with_authoriser(STRANGER, "join", authoriser);
    assert_all(&[
        case("not in the room", 8..=12, by(LEFT), room(), Err(NotAuthorised)),
        case("lacks the level", 8..=12, by(USER), room(), Err(NotAuthorised)),
        case("does not exist", 8..=12, by("@ghost:b"), room(), Err(NotAuthorised)),
        case("a version without restricted joins", 1..=7, by(ADMIN), room(), Err(JoinRuleClosed)),
        case("another join rule", 8..=12, by(ADMIN), room().join_rule("invite"), Err(NotInvited)),
    ]);
}
