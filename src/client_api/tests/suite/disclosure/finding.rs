//! Events that are looked for, and what is done about them: search, times, notifications, reports, receipts, typing.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::expected::{STEPS, Then};
use super::reader::Reader;
use super::said::{Kind, Name};
use crate::chat::encoded;

/// `/search`: in all rooms, and in this one by its id; with what stands around the results, and the state.
pub async fn search(reader: &mut Reader<'_>) {
    for filter in [json!({ "limit": 100 }), json!({ "limit": 100, "rooms": [reader.script.room] })] {
        let criteria = json!({
            "search_term": "step", "keys": ["content.body"], "order_by": "recent", "filter": filter,
            "event_context": { "before_limit": 50, "after_limit": 50, "include_profile": true },
            "groupings": { "group_by": [{ "key": "room_id" }] }, "include_state": true,
        });
        let body = json!({ "search_categories": { "room_events": criteria } });
        let call = reader.script.bed.post("/_matrix/client/v3/search").by(reader.user).json(&body);
        let answer = call.await.ok();
        let way = format!("search in {filter}");
        reader.expect_no_more(&way, &answer);
        let found = &answer["search_categories"]["room_events"];
        let results = found["results"].as_array().expect("a list").iter();
        let results: BTreeSet<_> = results.map(|result| result["result"]["event_id"].to_string()).collect();
        // One searches the rooms in which one is or was. A reaction has no words; an edit is found by the words that it sets.
        let is_found = |name: &Name| name.kind != Kind::Reaction && reader.was_there();
        let expected = reader.may_see(is_found);
        let ids: BTreeSet<_> =
            expected.iter().map(|name| json!(reader.script.id(*name)).to_string()).collect();
        reader.expect(&format!("{way}: count"), found["count"].clone(), json!(ids.len()));
        reader.expect(&way, results, ids);
        let highlights = if expected.is_empty() { json!([]) } else { json!(["step"]) };
        reader.expect(&format!("{way}: highlights"), found["highlights"].clone(), highlights);
        for result in found["results"].as_array().into_iter().flatten().take(1) {
            reader.expect_bundles(&way, result);
        }
        if !expected.is_empty() {
            reader.expect_state(&format!("{way}: state"), &found["state"][&reader.script.room]);
        }
    }
}

/// `/timestamp_to_event`: from the time of each step in both directions.
pub async fn times(reader: &mut Reader<'_>) {
    for step in 0..STEPS {
        let time = reader.script.steps[step].time;
        for dir in ["f", "b"] {
            let way = format!("the event at step {step}, {dir}");
            let answer = reader.get_v1(&format!("/timestamp_to_event?ts={time}&dir={dir}")).await;
            if !reader.has_access() {
                reader.allowed(&way, answer, false, 403);
                continue;
            }
            let at = answer.body["origin_server_ts"].as_u64();
            // What may be seen of the step is all of it; else the way leads to another time, or nowhere.
            let unseen = (0..STEPS).filter(|step| !reader.sees(*step));
            let is_hidden = unseen.map(|step| reader.script.steps[step].time).any(|time| at == Some(time));
            reader.expect(&way, is_hidden, false);
            reader.expect(&way, at == Some(time), reader.sees(step));
            reader.expect_no_more(&way, &answer.body);
        }
    }
}

/// `/notifications`: of what was said while the user was in the room, as long as they are.
pub async fn notifications(reader: &mut Reader<'_>) {
    let answer =
        reader.script.bed.get("/_matrix/client/v3/notifications?limit=200").by(reader.user).await.ok();
    reader.expect_no_more("notifications", &answer);
    let told = reader.told(&answer);
    let is_told = told.iter().any(|name| name.step == STEPS - 1 && name.kind == Kind::Message);
    reader.expect("the last notification", is_told, reader.standing.is_joined());
    let (stood, is_joined) = (reader.standing.stood, reader.standing.is_joined());
    let others = told.iter().filter(|name| !is_joined || stood[name.step] != Then::Joined);
    reader.expect("notifications", others.copied().collect(), Vec::new());
}

/// What a user may do about an event is for those who are in the room and see it; what they may do in the room, for those who are in it.
pub async fn doing(reader: &mut Reader<'_>) {
    let (bed, room, is_joined) =
        (&reader.script.bed, reader.script.room.as_str(), reader.standing.is_joined());
    for step in 0..STEPS {
        let id = reader.script.steps[step].message.clone();
        let report = bed.ask(reader.user, Method::POST, "/rooms/{}/report/{}", &[room, &id]);
        let is_allowed = is_joined && reader.sees(step);
        let report = report.json(&json!({ "reason": "bad" })).await;
        reader.allowed(&format!("report of message {step}"), report, is_allowed, 404);
        for kind in ["m.read", "m.read.private", "m.fully_read"] {
            let receipt = bed.ask(reader.user, Method::POST, "/rooms/{}/receipt/{}/{}", &[room, kind, &id]);
            let receipt = receipt.json(&json!({})).await;
            let status = if is_joined { 404 } else { 403 };
            reader.allowed(&format!("{kind} of message {step}"), receipt, is_allowed, status);
        }
    }
    let typing = bed.ask(reader.user, Method::PUT, "/rooms/{}/typing/{}", &[room, reader.user.id.as_str()]);
    let typing = typing.json(&json!({ "typing": true })).await;
    reader.allowed("typing", typing, is_joined, 403);
}

/// Who reads and who types is told to those who are in the room.
pub fn ephemeral(reader: &mut Reader<'_>, way: &str, step: usize, answer: &Value) {
    let text = answer.to_string();
    let is_joined = reader.standing.stood[step] == Then::Joined;
    for kind in ["m.typing", "m.receipt", "m.read"] {
        let is_told = text.contains(&format!("\"{kind}\""));
        reader.expect(&format!("{way}, step {step}: {kind}"), is_told, is_joined);
    }
}

/// `/sync`, as it went on while it all happened.
pub fn syncing(reader: &mut Reader<'_>) {
    let answers = &reader.script.synced[reader.standing.number()];
    for (step, answer) in answers.iter().enumerate() {
        let way = format!("sync, step {step}");
        reader.expect_no_more(&way, answer);
        ephemeral(reader, "sync", step, answer);
        if reader.standing.stood[step] == Then::Joined {
            let of_step = reader.may_see(|name| name.step == step);
            reader.expect(&way, reader.told(answer).is_superset(&of_step), true);
        }
        let later = reader.told(answer).into_iter().filter(|name| name.step > step);
        reader.expect(&way, later.count(), 0);
    }
}

/// The query of one's own device, of one's own user: nothing of the room is in what one is told of somebody else.
pub async fn members(reader: &mut Reader<'_>) {
    let bed = &reader.script.bed;
    let search = bed.post("/_matrix/client/v3/user_directory/search").by(reader.user);
    let found = search.json(&json!({ "search_term": "alice" })).await.ok();
    let is_found = found["results"].as_array().is_some_and(|users| !users.is_empty());
    // Everybody finds those who are in a room that everybody may look into.
    let is_findable = reader.standing.is_joined() || reader.visibility() == "world_readable";
    reader.expect("user directory", is_found, is_findable);
    let alice = encoded(reader.script.alice.id.as_str());
    let path = format!("/_matrix/client/v1/mutual_rooms?user_id={alice}");
    let mutual = bed.get(&path).by(reader.user).await.ok();
    let rooms = if reader.standing.is_joined() { json!([reader.script.room]) } else { json!([]) };
    reader.expect("mutual rooms", mutual["joined"].clone(), rooms);
}
