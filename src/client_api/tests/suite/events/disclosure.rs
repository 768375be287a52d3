//! Row 76 of the hostile input: each way to read an event, with each history visibility, by users in every standing.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::chat::{encoded, text};

/// How a user stood to the room when each of the five messages was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Out,
    Invited,
    Joined,
}

use Then::{Invited, Joined, Out};

const STANDINGS: [(&str, [Then; 5]); 6] = [
    ("never", [Out; 5]),
    ("invited", [Out, Invited, Invited, Invited, Invited]),
    ("joined", [Out, Invited, Joined, Joined, Joined]),
    ("left", [Out, Invited, Joined, Out, Out]),
    ("banned", [Out, Invited, Joined, Out, Out]),
    ("rejoined", [Out, Invited, Joined, Out, Joined]),
];

/// "History Visibility", "Server behaviour".
fn may_see(visibility: &str, stood: [Then; 5], message: usize) -> bool {
    let joined_since = stood[message..].contains(&Joined);
    match visibility {
        "world_readable" => true,
        "shared" => joined_since,
        "invited" => stood[message] != Out,
        _ => stood[message] == Joined,
    }
}

struct Script {
    bed: Bed,
    room: String,
    messages: Vec<String>,
    users: [User; 6],
}

async fn play(visibility: &str) -> Script {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let users = bed.users(STANDINGS.map(|(name, _)| name)).await;
    let [_, invited, joined, left, banned, rejoined] = &users;
    let initial = json!([
        { "type": "m.room.history_visibility", "content": { "history_visibility": visibility } },
    ]);
    let room = bed.room(&alice, json!({ "initial_state": initial })).await;
    let mut messages = vec![bed.say(&alice, &room, "0").await];
    for user in [invited, joined, left, banned, rejoined] {
        bed.act_on(&alice, &room, "invite", user).await.ok();
    }
    messages.push(bed.say(&alice, &room, "1").await);
    for user in [joined, left, banned, rejoined] {
        bed.join(user, &room).await.ok();
    }
    messages.push(bed.say(&alice, &room, "2").await);
    bed.leave(left, &room).await.ok();
    bed.leave(rejoined, &room).await.ok();
    bed.act_on(&alice, &room, "ban", banned).await.ok();
    messages.push(bed.say(&alice, &room, "3").await);
    bed.act_on(&alice, &room, "invite", rejoined).await.ok();
    bed.join(rejoined, &room).await.ok();
    messages.push(bed.say(&alice, &room, "4").await);
    Script { bed, room, messages, users }
}

fn ids(events: &Value) -> Vec<String> {
    events.as_array().into_iter().flatten().map(|event| text(&event["event_id"])).collect()
}

impl Script {
    /// The messages that pages show, in either direction; `None` where there is no access.
    async fn pages(&self, user: &User, dir: &str) -> Option<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let mut from = String::new();
        loop {
            let path = format!("/_matrix/client/v3/rooms/{}/messages?dir={dir}&limit=2{from}", self.room);
            let answer = self.bed.get(&path).by(user).await;
            if answer.status == 403 {
                answer.refused(403, "M_FORBIDDEN");
                return None;
            }
            let page = answer.ok();
            for id in ids(&page["chunk"]) {
                assert!(found.insert(id.clone()), "{id} came twice");
            }
            match page["end"].as_str() {
                Some(end) => from = format!("&from={}", encoded(end)),
                None => return Some(self.only_messages(found)),
            }
        }
    }

    fn only_messages(&self, mut ids: BTreeSet<String>) -> BTreeSet<String> {
        ids.retain(|id| self.messages.contains(id));
        ids
    }

    /// The messages that stand around another one; `None` where that may not be seen.
    async fn context(&self, user: &User, message: &str) -> Option<BTreeSet<String>> {
        let call = self.bed.ask(user, Method::GET, "/rooms/{}/context/{}?limit=100", &[&self.room, message]);
        let answer = call.await;
        if answer.status == 404 {
            answer.refused(404, "M_NOT_FOUND");
            return None;
        }
        let body = answer.ok();
        let around = [ids(&body["events_before"]), ids(&body["events_after"])].concat();
        Some(self.only_messages(around.into_iter().chain([text(&body["event"]["event_id"])]).collect()))
    }
}

#[tokio::test(start_paused = true)]
async fn row_76_every_way_to_an_event_shows_the_same() {
    for visibility in ["world_readable", "shared", "invited", "joined"] {
        let script = play(visibility).await;
        let Script { bed, room, messages, users } = &script;
        for (user, (name, stood)) in users.iter().zip(STANDINGS) {
            let case = format!("{visibility}, {name}");
            let visible: BTreeSet<String> = (0..5)
                .filter(|message| may_see(visibility, stood, *message))
                .map(|message| messages[message].clone())
                .collect();
            // Lists are for those who have been in the room, and for everyone where everyone may look.
            let has_access = visibility == "world_readable" || stood.contains(&Joined);
            let listed = has_access.then(|| visible.clone());
            for dir in ["b", "f"] {
                assert_eq!(script.pages(user, dir).await, listed, "{case}, {dir}");
            }
            for message in messages {
                let seen = visible.contains(message);
                let event = bed.ask(user, Method::GET, "/rooms/{}/event/{}", &[room, message]).await;
                if seen {
                    assert_eq!(event.ok()["event_id"], message.as_str(), "{case}");
                } else {
                    event.refused(404, "M_NOT_FOUND");
                }
                let around = script.context(user, message).await;
                assert_eq!(around, seen.then(|| visible.clone()), "{case}, around {message}");
            }
            for list in ["state", "members", "aliases"] {
                let path = format!("/_matrix/client/v3/rooms/{room}/{list}");
                let answer = bed.get(&path).by(user).await;
                let is_member_list = list == "aliases" && visibility != "world_readable";
                let allowed = if is_member_list { stood[4] == Joined } else { has_access };
                assert_eq!(answer.status.as_u16(), if allowed { 200 } else { 403 }, "{case}, {list}");
            }
        }
    }
}

/// Rows 74 and 77 of the hostile input: an event of another room, of a room that is not here, and one that is not there are the same.
#[tokio::test(start_paused = true)]
async fn row_74_an_event_is_found_in_its_room_only() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let (shared, private) = (bed.public_room(&alice, &[&bob]).await, bed.room(&alice, json!({})).await);
    let secret = bed.say(&alice, &private, "secret").await;
    let said = bed.say(&alice, &shared, "hi").await;
    for way in ["event", "context"] {
        let refused = async |by: &User, room: &str, event: &str| {
            let call = bed.ask(by, Method::GET, "/rooms/{}/{}/{}", &[room, way, event]);
            bed.without_effect(call).await.refused(404, "M_NOT_FOUND")
        };
        let absent = refused(&bob, &shared, "$absent").await;
        for (by, room, event) in [
            (&bob, shared.as_str(), secret.as_str()),
            (&bob, &private, &secret),
            (&bob, &private, "$absent"),
            (&bob, "!absent:plop.example", &secret),
            (&alice, &private, &said),
        ] {
            assert_eq!(refused(by, room, event).await, absent, "{way} {room} {event}");
        }
        bed.ask(&bob, Method::GET, "/rooms/{}/{}/{}", &[&shared, way, "x"])
            .await
            .refused(400, "M_INVALID_PARAM");
    }
}
