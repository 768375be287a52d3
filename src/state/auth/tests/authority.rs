//! What the edges ask: powers, levels, redaction, and the words of the state.

use serde_json::json;

use super::room::*;
use crate::auth::{Authority, HistoryVisibility, JoinRule, LevelField, Membership, Power};
use crate::state_key::StateKey;

pub fn of(room: &Room) -> Authority {
    Authority::new(&room.create, room.get(&StateKey::power_levels()).as_ref(), room.rules).unwrap()
}

#[test]
fn powers() {
    for version in ALL {
        let with = of(&room().in_version(version));
        let without = of(&room().without_levels().in_version(version));
        let creator = if version < 12 { Power::Level(100) } else { Power::Infinite };
        for authority in [&with, &without] {
            assert_eq!(authority.power(CREATOR), creator);
            assert_eq!(authority.power(USER), Power::Level(0));
            assert_eq!(authority.power(STRANGER), Power::Level(0));
            assert_eq!(
                authority.privileged().collect::<Vec<_>>(),
                if version < 12 { vec![] } else { vec![CREATOR] }
            );
        }
        assert_eq!(with.power(ADMIN), Power::Level(100));
        assert_eq!(without.power(ADMIN), Power::Level(0));
    }
    assert!(Power::Infinite > Power::Level(i64::MAX));
    assert!(Power::Infinite.reaches(i64::MAX));
}

#[test]
fn levels() {
    let set = json!({
        "ban": 1, "kick": 2, "invite": 3, "redact": 4, "users_default": 5, "events_default": 6, "state_default": 7,
        "events": { "x": 8 }, "notifications": { "room": 9 },
    });
    for version in ALL {
        let fields = |authority: &Authority| LevelField::ALL.map(|field| authority.level(field));
        for unset in [room().without_levels(), room().levels(json!({}))] {
            let unset = of(&unset.in_version(version));
            assert_eq!(fields(&unset), [0, 0, 50, 50, 50, 50, 0]);
            assert_eq!((unset.level_to_send("x", true), unset.level_to_send("x", false)), (50, 0));
            assert_eq!(unset.level_to_notify("room"), 50);
        }
        let set = of(&room().levels(set.clone()).in_version(version));
        assert_eq!(fields(&set), [5, 6, 7, 1, 4, 2, 3]);
        assert_eq!((set.level_to_send("x", true), set.level_to_send("x", false)), (8, 8));
        assert_eq!((set.level_to_send("y", true), set.level_to_send("y", false)), (7, 6));
        assert_eq!((set.level_to_notify("room"), set.level_to_notify("other")), (9, 50));
        assert!(set.may(USER, LevelField::Redact) && !set.may_send(USER, "y", false));
    }
}

#[test]
fn b3_50_who_may_redact() {
    let message = |sender| Draft::message(sender, "m.room.message", json!({}));
    for version in ALL {
        let room = room().in_version(version);
        let authority = of(&room);
        let may = |sender, target: &Draft| {
            let target = room.event(target);
            let redaction =
                Draft::message(sender, "m.room.redaction", json!({})).redacts(target.event_id().as_str());
            authority.may_redact(&room.event(&redaction), &target, room.rules)
        };
        assert!(may(USER, &message(USER)), "one's own");
        assert!(may(USER, &message(ADMIN)), "of the same server");
        assert!(may(MODERATOR, &message(REMOTE)), "at the redact level");
        assert_eq!(may(REMOTE, &message(USER)), version < 3, "before version 3 the auth rules have decided");
        let redaction = room.event(&Draft::message(CREATOR, "m.room.redaction", json!({})));
        assert!(!authority.may_redact(&redaction, &room.create, room.rules), "the create event");
    }
}

#[test]
fn b3_51_nobody_redacts_in_another_room() {
    for version in ALL {
        let room = room().in_version(version);
        let redaction = room.event(&Draft::message(ADMIN, "m.room.redaction", json!({})));
        let other = Draft::message(ADMIN, "m.room.message", json!({}));
        let other = write(room.rules, &other, Some("!other:a"), &[], &[]).unwrap();
        assert!(!of(&room).may_redact(&redaction, &other, room.rules));
    }
}

#[test]
fn b3_69_unknown_words_mean_the_default() {
    let state = |version, kind, content: &str| {
        let room = room().in_version(version);
        (room.event(&Draft::state(ADMIN, kind, "", json!({})).content(content)), room.rules)
    };
    let join_rule = |version, word: &str| {
        let (event, rules) = state(version, "m.room.join_rules", &format!(r#"{{"join_rule":{word}}}"#));
        JoinRule::of(&event, rules)
    };
    let visibility =
        |content: &str| HistoryVisibility::of(&state(12, "m.room.history_visibility", content).0);
    for (word, since, rule) in [
        (r#""public""#, 1, JoinRule::Public),
        (r#""invite""#, 1, JoinRule::Invite),
        ("null", 1, JoinRule::Invite),
        ("1", 1, JoinRule::Invite),
        (r#""knock""#, 7, JoinRule::Knock),
        (r#""restricted""#, 8, JoinRule::Restricted),
        (r#""knock_restricted""#, 10, JoinRule::KnockRestricted),
        (r#""private""#, 13, JoinRule::Public),
        (r#""dance""#, 13, JoinRule::Public),
        (r#""Public""#, 13, JoinRule::Public),
    ] {
        for version in ALL {
            let expected = if version < since { JoinRule::Closed } else { rule };
            assert_eq!(join_rule(version, word), expected, "{word} (version {version})");
        }
    }
    assert_eq!(visibility(r#"{"history_visibility":"world_readable"}"#), HistoryVisibility::WorldReadable);
    assert_eq!(visibility(r#"{"history_visibility":"invited"}"#), HistoryVisibility::Invited);
    assert_eq!(visibility(r#"{"history_visibility":"joined"}"#), HistoryVisibility::Joined);
    for shared in [
        "{}",
        r#"{"history_visibility":"shared"}"#,
        r#"{"history_visibility":"x"}"#,
        r#"{"history_visibility":1}"#,
    ] {
        assert_eq!(visibility(shared), HistoryVisibility::Shared);
    }
    for version in ALL {
        let room = room().in_version(version);
        let member =
            |membership| Membership::of(&room.event(&Draft::member(USER, USER, membership)), room.rules);
        assert_eq!(member("dance"), None);
        assert_eq!(member("knock"), (version >= 7).then_some(Membership::Knock));
        assert_eq!(member("leave"), Some(Membership::Leave));
    }
}
