//! State resolution v1: scenarios, and a model over whole states.

use std::{cmp::Reverse, collections::BTreeSet};

use proptest::prelude::*;
use ruma::{OwnedEventId, RoomVersionId};
use sha1::{Digest, Sha1};

use super::{
    history::{History, histories},
    room::{Room, State, state_key, user},
};
use crate::{auth, state_key::StateKey};

fn sha1(id: &OwnedEventId) -> Vec<u8> {
    Sha1::digest(id.as_bytes()).to_vec()
}

#[test]
fn a_key_that_only_one_state_has_is_no_conflict() {
    let (mut room, base) = Room::public(RoomVersionId::V1);
    let ella = room.member(&base, "ella", "ella", "join");
    let topic = room.topic(&base, "bob", "elsewhere");
    let merged = room.merged(&ella, &topic);
    assert_eq!(merged.get(&StateKey::member(&user("ella"))), Some(&ella));
    assert_eq!(merged.get(&state_key("m.room.topic", "")), Some(&topic));
}

/// The topic that is deepest in the graph stays, whatever its time.
#[test]
fn the_deepest_event_stays() {
    let (mut room, base) = Room::public(RoomVersionId::V1);
    let shallow = room.topic(&base, "alice", "shallow");
    let detour = room.send(&[&base], "bob", "m.room.message", None, serde_json::json!({}));
    room.clock = 5;
    let deep = room.topic(&detour, "bob", "deep");
    assert_eq!(room.merged(&shallow, &deep).get(&state_key("m.room.topic", "")), Some(&deep));
}

#[test]
fn at_equal_depth_the_smaller_hash_stays() {
    let (mut room, base) = Room::public(RoomVersionId::V1);
    let a = room.topic(&base, "alice", "a");
    let b = room.topic(&base, "bob", "b");
    let smaller = if sha1(&a) < sha1(&b) { &a } else { &b };
    assert_eq!(room.merged(&a, &b).get(&state_key("m.room.topic", "")), Some(smaller));
}

/// Power levels are settled first, from the oldest on, and stop at the first that is not allowed.
#[test]
fn power_levels_climb_while_they_are_allowed() {
    let (mut room, base) = Room::public(RoomVersionId::V1);
    let demotion = room.power_levels(&base, "alice", &[("alice", 100)]);
    let detour = room.send(&[&base], "bob", "m.room.message", None, serde_json::json!({}));
    let bobs = room.power_levels(&detour, "bob", &[("alice", 100), ("bob", 50), ("charlie", 50)]);
    assert_eq!(room.merged(&demotion, &bobs)[&StateKey::power_levels()], demotion);
}

#[test]
fn the_oldest_stays_where_none_is_allowed() {
    let (mut room, base) = Room::public(RoomVersionId::V1);
    let demotion = room.power_levels(&base, "alice", &[("alice", 100)]);
    let shallow = room.topic(&base, "bob", "shallow");
    let deep = room.topic(&shallow, "bob", "deep");
    let mut without = room.after(&shallow).clone();
    let mut with = room.after(&deep).clone();
    for fork in [&mut without, &mut with] {
        fork.insert(StateKey::power_levels(), demotion.clone());
    }
    let resolved = room.resolved(&[without, with]);
    assert_eq!(resolved.get(&state_key("m.room.topic", "")), Some(&shallow));
}

/// v1 with whole states, as its spec reads.
fn model(room: &Room, forks: &[State]) -> State {
    let all_keys: BTreeSet<&StateKey> = forks.iter().flat_map(|fork| fork.keys()).collect();
    let events_of = |key: &StateKey| -> Vec<OwnedEventId> {
        let distinct: BTreeSet<_> = forks.iter().filter_map(|fork| fork.get(key).cloned()).collect();
        let mut events: Vec<_> = distinct.into_iter().collect();
        events.sort_by_key(|id| (room.event(id).depth(), Reverse(sha1(id))));
        events
    };
    let mut resolved: State = all_keys
        .iter()
        .filter_map(|key| match events_of(key).as_slice() {
            [id] => Some(((*key).clone(), id.clone())),
            _ => None,
        })
        .collect();
    let allowed = |id: &OwnedEventId, state: &State| {
        let look_up = |key: &StateKey| state.get(key).map(|id| room.event(id).clone());
        auth::check(room.event(id), room.rules, look_up).is_ok()
    };
    for kind in ["m.room.power_levels", "m.room.join_rules", "m.room.member", "*"] {
        let before = resolved.clone();
        let auth_kind = |key: &StateKey| {
            ["m.room.power_levels", "m.room.join_rules", "m.room.member"].contains(&key.kind())
        };
        for key in &all_keys {
            let in_pass = if kind == "*" { !auth_kind(key) } else { key.kind() == kind };
            let events = events_of(key);
            if !in_pass || events.len() < 2 {
                continue;
            }
            let winner = if kind == "*" {
                let newest = events.iter().rev().find(|id| allowed(id, &before));
                newest.unwrap_or(&events[0]).clone()
            } else {
                let mut state = before.clone();
                for id in &events {
                    if state.contains_key(*key) && !allowed(id, &state) {
                        break;
                    }
                    state.insert((*key).clone(), id.clone());
                }
                state[*key].clone()
            };
            resolved.insert((*key).clone(), winner);
        }
    }
    resolved
}

proptest! {
    #[test]
    fn equals_a_model_with_whole_states(steps in histories()) {
        let history = History::play(RoomVersionId::V1, &steps);
        for forks in history.forks() {
            prop_assert_eq!(history.room.resolved(&forks), model(&history.room, &forks));
        }
    }
}
