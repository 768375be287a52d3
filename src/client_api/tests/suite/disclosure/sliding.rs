//! Sliding sync in both dialects: step by step on one connection, and from the beginning when all has happened.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::expected::{STEPS, Then};
use super::finding::ephemeral;
use super::reader::Reader;
use super::script::{Script, name};
use crate::bed::User;
use crate::chat::encoded;

/// What the two are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Deployed,
    Accepted,
}

pub const DIALECTS: [Dialect; 2] = [Dialect::Deployed, Dialect::Accepted];

impl Script {
    /// Everything that can be asked for: all rooms in a list and this one by its id, all of the state, a long timeline, all that goes beside.
    pub async fn slide(&self, user: &User, dialect: Dialect, pos: Option<&str>) -> Value {
        let state = match dialect {
            Dialect::Deployed => json!([["*", "*"]]),
            Dialect::Accepted => json!({ "include": [{}] }),
        };
        let config = json!({ "timeline_limit": 100, "required_state": state });
        let mut list = config.clone();
        match dialect {
            Dialect::Deployed => list["ranges"] = json!([[0, 9]]),
            Dialect::Accepted => list["range"] = json!([0, 9]),
        }
        let mut subscriptions = json!({});
        if !self.room.is_empty() {
            subscriptions[&self.room] = config;
        }
        let on = json!({ "enabled": true });
        let mut body = json!({
            "lists": { "all": list }, "room_subscriptions": subscriptions,
            "extensions": { "receipts": on, "typing": on, "account_data": on },
        });
        let path = match dialect {
            Dialect::Deployed => {
                let pos = pos.map(|pos| format!("?pos={}", encoded(pos))).unwrap_or_default();
                format!("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync{pos}")
            }
            Dialect::Accepted => {
                body["pos"] = json!(pos);
                body["conn_id"] = json!("accepted");
                "/_matrix/client/v4/sync".to_owned()
            }
        };
        self.bed.post(&path).by(user).json(&body).await.ok()
    }
}

fn room<'a>(reader: &Reader<'_>, answer: &'a Value) -> &'a Value {
    &answer["rooms"][&reader.script.room]
}

/// The names of the room that are told, by the steps at which it got them.
fn named(value: &Value) -> BTreeSet<usize> {
    let text = value.to_string();
    (0..STEPS).filter(|step| text.contains(&name(*step))).collect()
}

/// Step by step.
pub fn followed(reader: &mut Reader<'_>) {
    for dialect in DIALECTS {
        let answers = &reader.script.slid[dialect as usize][reader.standing.number()];
        for (step, answer) in answers.iter().enumerate() {
            let way = format!("{dialect:?} sliding sync, step {step}");
            reader.expect_no_more(&way, answer);
            ephemeral(reader, &format!("{dialect:?} sliding sync"), step, answer);
            let stood = reader.standing.stood;
            let told = room(reader, answer);
            if stood[step] == Then::Joined {
                let of_step = reader.may_see(|name| name.step == step);
                reader.expect(&way, reader.told(answer).is_superset(&of_step), true);
                reader.expect(&way, named(&told["required_state"]).contains(&step), true);
                continue;
            }
            // Who left is told so, and nothing of what comes then; who is invited is told what the room is called.
            let (was_there, was_invited) =
                (stood[..step].contains(&Then::Joined), stood[step] == Then::Invited);
            let names = named(answer);
            let known = |named: &usize| {
                was_there && *named < step && stood[*named] != Then::Out || was_invited && *named <= step
            };
            let others: Vec<_> = names.into_iter().filter(|step| !known(step)).collect();
            reader.expect(&format!("{way}: names"), others, Vec::new());
            reader.expect(&way, reader.told(told), BTreeSet::new());
        }
    }
}

/// From the beginning, when all has happened.
pub async fn first(reader: &mut Reader<'_>) {
    for dialect in DIALECTS {
        let answer = reader.script.slide(reader.user, dialect, None).await;
        let way = format!("a first {dialect:?} sliding sync");
        reader.expect_no_more(&way, &answer);
        let told = room(reader, &answer);
        // Who was banned is told so, with what there was until then; who left knows it.
        let is_banned = reader.standing.name == "banned";
        let is_there = reader.standing.stood[STEPS - 1] != Then::Out || is_banned;
        reader.expect(&way, told.is_object(), is_there);
        if reader.standing.is_joined() {
            reader.expect_state(&way, &told["required_state"]);
            let last = reader.may_see(|name| name.step == STEPS - 1);
            reader.expect(&way, reader.told(told).is_superset(&last), true);
        } else if is_banned {
            reader.expect_state(&way, &told["required_state"]);
        } else {
            reader.expect(&way, reader.told(&answer), BTreeSet::new());
            let state = told["required_state"].as_array().map_or(0, Vec::len);
            reader.expect(&format!("{way}: state"), state, 0);
        }
    }
}
