//! Forks whose outcome is known: what v2 and v2.1 were made for.

use ruma::{OwnedEventId, RoomVersionId};

use super::room::{Room, State, state_key, user};
use crate::state_key::StateKey;

/// The first and the last version of v2, and v2.1.
const VERSIONS: [RoomVersionId; 3] = [RoomVersionId::V2, RoomVersionId::V11, RoomVersionId::V12];

fn member_of<'a>(state: &'a State, name: &str) -> Option<&'a OwnedEventId> {
    state.get(&StateKey::member(&user(name)))
}

fn topic_of(state: &State) -> Option<&OwnedEventId> {
    state.get(&state_key("m.room.topic", ""))
}

#[test]
fn a_ban_beats_the_power_levels_that_the_banned_user_sets_meanwhile() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        let before = room.after(&base)[&StateKey::power_levels()].clone();
        let levels = room.power_levels(&base, "bob", &[("alice", 100), ("bob", 50), ("charlie", 50)]);
        let ban = room.member(&base, "alice", "bob", "ban");
        let merged = room.merged(&ban, &levels);
        assert_eq!(member_of(&merged, "bob"), Some(&ban));
        assert_eq!(merged.get(&StateKey::power_levels()), Some(&before));
    }
}

#[test]
fn power_levels_stay_when_their_sender_is_banned_later_in_the_same_branch() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        let levels = room.power_levels(&base, "bob", &[("alice", 100), ("bob", 50), ("charlie", 50)]);
        let ban = room.member(&levels, "alice", "bob", "ban");
        let topic = room.topic(&base, "alice", "elsewhere");
        let merged = room.merged(&ban, &topic);
        assert_eq!(member_of(&merged, "bob"), Some(&ban));
        assert_eq!(merged.get(&StateKey::power_levels()), Some(&levels));
        assert_eq!(topic_of(&merged), Some(&topic));
    }
}

#[test]
fn the_admins_power_levels_beat_the_moderators() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        let bobs = room.power_levels(&base, "bob", &[("alice", 100), ("bob", 50), ("charlie", 50)]);
        let alices = room.power_levels(&base, "alice", &[("alice", 100)]);
        assert_eq!(room.merged(&alices, &bobs)[&StateKey::power_levels()], alices);
    }
}

#[test]
fn a_topic_falls_with_the_power_to_set_it() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        let first = room.topic(&base, "alice", "before");
        let bobs = room.topic(&first, "bob", "bob's");
        let demotion = room.power_levels(&first, "alice", &[("alice", 100), ("bob", 0)]);
        assert_eq!(topic_of(&room.merged(&demotion, &bobs)), Some(&first));
    }
}

#[test]
fn a_topic_falls_with_its_senders_ban() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        let first = room.topic(&base, "alice", "before");
        let bobs = room.topic(&first, "bob", "bob's");
        let ban = room.member(&first, "alice", "bob", "ban");
        assert_eq!(topic_of(&room.merged(&ban, &bobs)), Some(&first));
    }
}

#[test]
fn a_kick_takes_away_what_the_kicked_user_did_meanwhile() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        let bobs = room.topic(&base, "bob", "bob's");
        let kick = room.member(&base, "alice", "bob", "leave");
        assert_eq!(topic_of(&room.merged(&kick, &bobs)), None);
    }
}

#[test]
fn a_join_falls_with_the_rule_that_let_it_in() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        let join = room.member(&base, "ella", "ella", "join");
        let closed = room.join_rule(&base, "alice", "invite");
        let merged = room.merged(&closed, &join);
        assert_eq!(member_of(&merged, "ella"), None);
        assert_eq!(merged.get(&StateKey::join_rules()), Some(&closed));
    }
}

#[test]
fn concurrent_joins_both_stay() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        let ella = room.member(&base, "ella", "ella", "join");
        let frank = room.member(&base, "frank", "frank", "join");
        let merged = room.merged(&ella, &frank);
        assert_eq!(member_of(&merged, "ella"), Some(&ella));
        assert_eq!(member_of(&merged, "frank"), Some(&frank));
    }
}

/// Two topics by the same power levels: the one with the later time is applied last.
#[test]
fn the_later_topic_stays_when_power_is_equal() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        room.clock = 1_000;
        let late = room.topic(&base, "bob", "late");
        room.clock = 900;
        let early = room.topic(&base, "alice", "early");
        assert_eq!(topic_of(&room.merged(&late, &early)), Some(&late));
    }
}

/// Time does not count where the power levels that the topics are based on differ: the topic of the
/// newer power levels stays, even when it claims to be the older.
#[test]
fn the_topic_based_on_newer_power_levels_stays() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        room.clock = 1_000;
        let old = room.topic(&base, "alice", "by old levels");
        room.clock = 10;
        let levels = room.power_levels(&base, "alice", &[("alice", 100), ("bob", 50), ("charlie", 10)]);
        let new = room.topic(&levels, "alice", "by new levels");
        assert_eq!(topic_of(&room.merged(&old, &new)), Some(&new));
    }
}

/// A branch of power levels that lost: topics based on it go where that branch left the mainline.
#[test]
fn topics_of_a_losing_branch_are_ordered_by_where_it_left_the_mainline() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        room.clock = 500;
        let bobs = room.power_levels(&base, "bob", &[("alice", 100), ("bob", 50), ("dave", 50)]);
        let on_bobs = room.topic(&bobs, "alice", "late, on the losing branch");
        room.clock = 100;
        let alices = room.power_levels(&base, "alice", &[("alice", 100), ("bob", 50), ("charlie", 50)]);
        // Alice's time is the earlier: at equal power bob's would win, but alice has more.
        let on_alices = room.topic(&alices, "alice", "early, on the winning branch");
        let merged = room.merged(&on_bobs, &on_alices);
        // Alice's levels come first in the order, bob's are then checked against them: bob removes
        // charlie's 50, as much as his own, so they are refused.
        assert_eq!(merged[&StateKey::power_levels()], alices);
        assert_eq!(topic_of(&merged), Some(&on_alices));
    }
}

/// Forks that differ only in the topic, over the state after `at`.
fn topic_forks(room: &Room, at: &OwnedEventId, topics: [&OwnedEventId; 2]) -> [State; 2] {
    topics.map(|topic| {
        let mut fork = room.after(at).clone();
        fork.insert(state_key("m.room.topic", ""), topic.clone());
        fork
    })
}

/// Topics from before and after the room got power levels: the times do not count.
#[test]
fn a_topic_from_before_the_first_power_levels_is_the_oldest() {
    for version in VERSIONS {
        let (mut room, create) = Room::new(version);
        let joined = room.member(&create, "alice", "alice", "join");
        room.clock = 1_000;
        let old = room.topic(&joined, "alice", "before any levels");
        room.clock = 10;
        let levels = room.power_levels(&joined, "alice", &[("alice", 100)]);
        let new = room.topic(&levels, "alice", "by the levels");
        let forks = topic_forks(&room, &levels, [&old, &new]);
        assert_eq!(topic_of(&room.resolved(&forks)), Some(&new));
    }
}

/// A long losing branch leaves the mainline where a topic stands: both are in one position, however
/// far the branch went, and the times decide.
#[test]
fn the_length_of_a_losing_branch_does_not_count() {
    for version in VERSIONS {
        let (mut room, base) = Room::public(version);
        let early = room.topic(&base, "alice", "early, on the mainline");
        let mut losing = base.clone();
        for level in 1..8 {
            losing = room.power_levels(&losing, "alice", &[("alice", 100), ("bob", 50), ("charlie", level)]);
        }
        let late = room.topic(&losing, "alice", "late, on the losing branch");
        let winning = room.power_levels(&base, "alice", &[("alice", 100), ("bob", 50), ("dave", 1)]);
        let forks = topic_forks(&room, &winning, [&early, &late]);
        assert_eq!(topic_of(&room.resolved(&forks)), Some(&late));
    }
}

/// MSC4297, problem A: a fork with an old join rule and a fork with its successor, in both of which
/// the admin who set the rules has left.
fn problem_a(version: RoomVersionId) -> (Room, [State; 2], OwnedEventId) {
    let (mut room, create) = Room::new(version);
    let at = room.member(&create, "alice", "alice", "join");
    let at = room.power_levels(&at, "alice", &[("alice", 100)]);
    let public = room.join_rule(&at, "alice", "public");
    let bob = room.member(&public, "bob", "bob", "join");
    let charlie = room.member(&bob, "charlie", "charlie", "join");
    let invite = room.join_rule(&charlie, "alice", "invite");
    let left = room.member(&invite, "alice", "alice", "leave");
    let bobs = room.named(&left, "bob", "bob++");
    let charlies = room.named(&left, "charlie", "charlie++");
    let of_bob = room.after(&bobs).clone();
    let mut of_charlie = room.after(&charlies).clone();
    of_charlie.insert(StateKey::join_rules(), public);
    (room, [of_bob, of_charlie], invite)
}

#[test]
fn b3_33_stale_join_rules_vanish_in_v2_and_not_in_v2_1() {
    let (room, forks, _) = problem_a(RoomVersionId::V11);
    assert_eq!(room.resolved(&forks).get(&StateKey::join_rules()), None);
    let (room, forks, invite) = problem_a(RoomVersionId::V12);
    assert_eq!(room.resolved(&forks).get(&StateKey::join_rules()), Some(&invite));
}

/// MSC4297, problem B: one fork knows only the first of three power levels, the third of which is
/// based on the second.
fn problem_b(version: RoomVersionId) -> (Room, [State; 2], [OwnedEventId; 2]) {
    let (mut room, create) = Room::new(version);
    let at = room.member(&create, "alice", "alice", "join");
    let at = room.power_levels(&at, "alice", &[("alice", 100)]);
    let first = at.clone();
    let at = room.join_rule(&at, "alice", "public");
    let at = room.member(&at, "bob", "bob", "join");
    let at = room.member(&at, "charlie", "charlie", "join");
    let at = room.power_levels(&at, "alice", &[("alice", 100), ("bob", 50)]);
    let third = room.power_levels(&at, "bob", &[("alice", 100), ("bob", 50), ("charlie", 50)]);
    let zara = room.member(&third, "zara", "zara", "join");
    let eve = room.member(&third, "eve", "eve", "join");
    let eve = room.named(&eve, "eve", "eve++");
    let of_zara = room.after(&zara).clone();
    let mut of_eve = room.after(&eve).clone();
    of_eve.insert(StateKey::power_levels(), first.clone());
    (room, [of_zara, of_eve], [first, third])
}

#[test]
fn b3_34_replayed_power_levels_reset_v2_and_not_v2_1() {
    let (room, forks, [first, _]) = problem_b(RoomVersionId::V11);
    assert_eq!(room.resolved(&forks)[&StateKey::power_levels()], first);
    let (room, forks, [_, third]) = problem_b(RoomVersionId::V12);
    assert_eq!(room.resolved(&forks)[&StateKey::power_levels()], third);
}

/// What a conflict removes is said, so that a caller can count it.
#[test]
fn b3_34_a_removed_key_is_named_in_the_result() {
    let (room, forks, _) = problem_a(RoomVersionId::V11);
    let source = super::room::Loaded { room: &room, forks: &forks };
    let resolution = crate::resolve::resolve(&room.conflict(&forks), room.rules, &source).unwrap();
    assert_eq!(resolution.keys.get(&StateKey::join_rules()), Some(&None));
}
