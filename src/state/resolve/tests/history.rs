//! Random room histories: several users who change power levels, bans, joins, join rules and topics
//! at the same time, on branches that meet now and then.

use proptest::{collection::vec, prelude::*};
use ruma::{OwnedEventId, RoomVersionId};
use serde_json::{Value, json};

use super::room::{Room, State, user};
use crate::auth;

const USERS: [&str; 5] = ["alice", "bob", "charlie", "dave", "ella"];

/// One attempt to send an event; what the rules refuse is not sent.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// How far back among the events the parents are, one for each branch that meets.
    parents: Vec<usize>,
    sender: usize,
    target: usize,
    action: u8,
    argument: u8,
    time: u8,
    rejected: bool,
}

pub(super) fn histories() -> impl Strategy<Value = Vec<Step>> {
    let parents = prop_oneof![4 => vec(0_usize..4, 1), 2 => vec(0_usize..10, 1), 2 => vec(0_usize..10, 2..4)];
    let step = (parents, 0..5_usize, 0..5_usize, 0..16_u8, any::<u8>(), 0..4_u8, prop::bool::weighted(0.03))
        .prop_map(|(parents, sender, target, action, argument, time, rejected)| Step {
            parents,
            sender: if sender < 4 { sender % 3 } else { 3 + target % 2 },
            target,
            action,
            argument,
            time,
            rejected,
        });
    vec(step, 5..60)
}

pub(super) struct History {
    pub(super) room: Room,
    /// In the order of sending, from the public room's last event on.
    events: Vec<OwnedEventId>,
    /// The parents of each event that joined branches.
    merges: Vec<Vec<OwnedEventId>>,
}

impl History {
    pub(super) fn play(version: RoomVersionId, steps: &[Step]) -> Self {
        let (room, base) = Room::public(version);
        let mut history = Self { room, events: vec![base], merges: Vec::new() };
        for step in steps {
            history.take(step);
        }
        history
    }

    fn take(&mut self, step: &Step) {
        let mut parents: Vec<OwnedEventId> = step
            .parents
            .iter()
            .map(|back| self.events[self.events.len() - 1 - back % self.events.len()].clone())
            .collect();
        parents.sort();
        parents.dedup();
        let state = self.room.before(&parents.iter().collect::<Vec<_>>());
        let (kind, key, content) = self.action(step, &state);
        // Few distinct times, so that ids decide now and then.
        self.room.clock = 100 + (self.events.len() as u64 / 4) * 2 + u64::from(step.time);
        let prev: Vec<_> = parents.iter().collect();
        let event = self.room.build(&state, &prev, USERS[step.sender], kind, Some(&key), content);
        let look_up = |key: &crate::StateKey| state.get(key).map(|id| self.room.event(id).clone());
        if self.room.events.contains_key(event.event_id())
            || auth::check(&event, self.room.rules, look_up).is_err()
        {
            return;
        }
        let id = self.room.insert(event, &state);
        if step.rejected {
            self.room.events.get_mut(&id).unwrap().rejected = true;
        }
        self.events.push(id);
        if parents.len() > 1 {
            self.merges.push(parents);
        }
    }

    fn action(&self, step: &Step, state: &State) -> (&'static str, String, Value) {
        let target = user(USERS[step.target]);
        let member = |key: String, membership: &str| {
            let name = step.argument % 4;
            ("m.room.member", key, json!({ "membership": membership, "displayname": name.to_string() }))
        };
        match step.action {
            0..=1 => member(user(USERS[step.sender]), "join"),
            2 => member(user(USERS[step.sender]), "leave"),
            3 => member(target, "leave"),
            4 => member(target, "invite"),
            5..=6 => member(target, "ban"),
            7..=10 => ("m.room.power_levels", String::new(), self.levels(step, state)),
            11..=12 => {
                let rule = ["public", "invite", "public", "knock"][usize::from(step.argument % 4)];
                ("m.room.join_rules", String::new(), json!({ "join_rule": rule }))
            }
            13 => ("m.room.name", String::new(), json!({ "name": step.argument })),
            _ => ("m.room.topic", String::new(), json!({ "topic": step.argument })),
        }
    }

    /// The levels of the state with one change.
    fn levels(&self, step: &Step, state: &State) -> Value {
        let current = &state.get(&crate::StateKey::power_levels());
        let mut levels: Value =
            current.map_or(json!({}), |id| serde_json::from_str(self.room.event(id).content_text()).unwrap());
        let level = [0, 10, 49, 50, 51, 100][usize::from(step.argument) % 6];
        match step.argument % 5 {
            0 => levels["ban"] = level.into(),
            1 => levels["state_default"] = level.into(),
            _ if step.target > 0 => levels["users"][user(USERS[step.target])] = level.into(),
            _ => levels["invite"] = level.into(),
        }
        levels
    }

    /// Sets of states to resolve: those that met in the history, and those of the last events.
    pub(super) fn forks(&self) -> Vec<Vec<State>> {
        let last: Vec<_> = self.events.iter().rev().take(6).cloned().collect();
        let mut sets = self.merges.clone();
        sets.extend(last.windows(2).map(<[_]>::to_vec));
        sets.push(last);
        sets.iter().map(|ids| ids.iter().map(|id| self.room.after(id).clone()).collect()).collect()
    }

    /// Whether each join cites join rules that were not rejected.
    pub(super) fn every_join_has_join_rules(&self) -> bool {
        let join_rules = |id: &OwnedEventId| {
            let cited = &self.room.events[id];
            !cited.rejected && cited.event.type_name() == "m.room.join_rules"
        };
        self.events.iter().all(|id| {
            let event = self.room.event(id);
            event.membership() != Some("join") || event.auth_events().iter().any(join_rules)
        })
    }
}
