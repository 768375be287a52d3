//! `GET /sync` as a client calls it. What is in the answers is tested where they are made.

mod joining;
mod leaving;

use std::time::Duration;

use plop_accounts::moderation::Decision;
use plop_base::Actor;
use plop_bed_rooms::public_room;
use plop_rooms::ops::create::CreateRoom;
use ruma::{OwnedRoomId, RoomVersionId};
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::chat::encoded;

const SYNC: &str = "/_matrix/client/v3/sync";

/// An answer; nothing in the place of a token or of a filter is none.
async fn sync(bed: &Bed, by: &User, since: &str, filter: &str, more: &str) -> Value {
    let filter = if filter.is_empty() { String::new() } else { format!("&filter={}", encoded(filter)) };
    bed.get(&format!("{SYNC}?timeout=0&since={}{filter}{more}", encoded(since))).by(by).await.ok()
}

/// Whether the timeline of a room was cut short.
fn limited(answer: &Value, room: &str) -> bool {
    answer["rooms"]["join"][room]["timeline"]["limited"] == true
}

async fn room(bed: &Bed, by: &User) -> OwnedRoomId {
    let request = CreateRoom { name: Some("Tea".to_owned()), ..public_room(RoomVersionId::V12) };
    bed.api.rooms.create(&by.actor(), &request).await.expect("a room")
}

#[tokio::test(start_paused = true)]
async fn a_client_syncs_and_goes_on() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let first = bed.get(SYNC).by(&alice).await.ok();
    let since = first["next_batch"].as_str().expect("a token").to_owned();
    let room = room(&bed, &alice).await;
    for (parameter, key) in [
        ("", "state"),
        ("&use_state_after=true", "state_after"),
        ("&org.matrix.msc4222.use_state_after=true", "org.matrix.msc4222.state_after"),
        ("&use_state_after=true&org.matrix.msc4222.use_state_after=true", "state_after"),
    ] {
        let filter = "%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A1%7D%7D%7D";
        let path = format!("{SYNC}?since={since}&filter={filter}&timeout=30000{parameter}");
        let answer = bed.get(&path).by(&alice).await.ok();
        let joined = &answer["rooms"]["join"][room.as_str()];
        assert_eq!(joined["timeline"]["events"].as_array().map(Vec::len), Some(1));
        assert!(joined[key]["events"].is_array(), "{parameter}: {joined}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_answered_is_refused() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    for query in [
        "since=s2_AAAA",
        "since=s72594_4483_1934",
        "filter=unknown",
        "filter=%7B",
        "timeout=-1",
        "timeout=soon",
        "full_state=perhaps",
        "set_presence=away",
    ] {
        let answer = bed.get(&format!("{SYNC}?{query}")).by(&alice).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    bed.get(SYNC).await.refused(401, "M_MISSING_TOKEN");
}

/// Hostile input, row 96: what comes after a device was logged out is not for it.
#[tokio::test(start_paused = true)]
async fn a_device_that_is_logged_out_while_it_waits_gets_nothing() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let first = bed.get(SYNC).by(&alice).await.ok();
    let path = format!("{SYNC}?timeout=30000&since={}", first["next_batch"].as_str().expect("a token"));
    let started = bed.clock.monotonic();
    let waiting = async {
        let answer = bed.get(&path).by(&alice).await;
        (answer, bed.clock.monotonic().saturating_sub(started))
    };
    let log_out = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.api.accounts.logout(&alice.actor()).await.expect("logged out");
        room(&bed, &alice).await
    };
    let ((answer, waited), _) = tokio::join!(waiting, log_out);
    answer.refused(401, "M_UNKNOWN_TOKEN");
    assert!(waited < Duration::from_secs(2), "at once: {waited:?}");
}

/// What an account may do changes while it waits: a client that may still read goes on waiting.
#[tokio::test(start_paused = true)]
async fn a_suspended_account_goes_on_waiting_and_a_locked_one_does_not() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let first = bed.get(SYNC).by(&alice).await.ok();
    let path = format!("{SYNC}?timeout=30000&since={}", first["next_batch"].as_str().expect("a token"));
    let decide = async |decision| {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.api.accounts.decide(&Actor::Server, &alice.id, decision).await.expect("decided");
    };
    let started = bed.clock.monotonic();
    let (answer, ()) =
        tokio::join!(bed.get(&path).by(&alice).into_future(), decide(Decision::Suspended(true)));
    answer.ok();
    let waited = bed.clock.monotonic().saturating_sub(started);
    assert!(waited >= Duration::from_secs(29), "{waited:?}");
    let (answer, ()) = tokio::join!(bed.get(&path).by(&alice).into_future(), decide(Decision::Locked(true)));
    answer.refused(401, "M_USER_LOCKED");
}

async fn since(bed: &Bed, by: &User, answer: &Value) -> Value {
    let token = answer["next_batch"].as_str().expect("a token");
    bed.get(&format!("{SYNC}?since={token}")).by(by).await.ok()
}

fn timeline<'a>(answer: &'a Value, room: &str) -> &'a [Value] {
    answer["rooms"]["join"][room]["timeline"]["events"].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn an_event_comes_down_its_room_only() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let mut rooms = Vec::new();
    for _ in 0..10 {
        rooms.push(bed.public_room(&alice, &[]).await);
        // Else they would be one: the same event at the same moment.
        bed.pass(1).await;
    }
    let start = bed.get(SYNC).by(&alice).await.ok();
    say_names(&bed, &alice, &rooms).await;
    let news = since(&bed, &alice, &start).await;
    assert_eq!(news["rooms"]["join"].as_object().expect("rooms").len(), rooms.len());
    for room in &rooms {
        let [event] = timeline(&news, room) else { panic!("one event in {room}: {news}") };
        let content = json!({ "msgtype": "m.text", "body": room });
        assert_eq!((&event["type"], &event["content"]), (&json!("m.room.message"), &content));
    }
}

/// Says the name of each room in it, in all at once.
async fn say_names(bed: &Bed, by: &User, rooms: &[String]) {
    let mut parts = rooms.chunks(3);
    let mut part = || parts.next().unwrap_or_default();
    let say = async |rooms: &[String]| {
        for room in rooms {
            bed.say(by, room, room).await;
        }
    };
    tokio::join!(say(part()), say(part()), say(part()), say(part()));
}

#[tokio::test(start_paused = true)]
async fn who_joins_by_an_invite_gets_the_join_once() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({ "is_direct": true, "invite": [bob.id] })).await;
    let invited = bed.get(SYNC).by(&bob).await.ok();
    assert!(invited["rooms"]["invite"][&room].is_object(), "{invited}");
    bed.join(&bob, &room).await.ok();
    for _ in 0..2 {
        let news = since(&bed, &bob, &invited).await;
        let is_join = |event: &&Value| {
            event["state_key"] == bob.id.as_str() && event["content"]["membership"] == "join"
        };
        assert_eq!(timeline(&news, &room).iter().filter(is_join).count(), 1, "{news}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_event_says_what_the_user_was_when_it_came() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[]).await;
    bed.say(&alice, &room, "before").await;
    bed.join(&bob, &room).await.ok();
    bed.say(&alice, &room, "after").await;
    let synced = bed.get(SYNC).by(&bob).await.ok();
    let events = timeline(&synced, &room);
    let join = events.iter().position(|event| event["state_key"] == bob.id.as_str()).expect("the join");
    assert_eq!(events.last().expect("an event")["content"]["body"], "after");
    assert_eq!(events[join - 1]["content"]["body"], "before");
    for (index, event) in events.iter().enumerate() {
        let expected = if index < join { "leave" } else { "join" };
        assert_eq!(event["unsigned"]["membership"], expected, "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn invites_of_the_ignored_are_not_shown_and_those_of_others_are() {
    let bed = Bed::new().await;
    let [alice, bob, chris] = bed.users(["alice", "bob", "chris"]).await;
    bed.public_room(&alice, &[]).await;
    let path = "/_matrix/client/v3/user/@alice:plop.example/account_data/m.ignored_user_list";
    let ignored = json!({ "ignored_users": { bob.id.as_str(): {} } });
    bed.put(path).by(&alice).json(&ignored).await.ok();
    let start = bed.get(SYNC).by(&alice).await.ok();
    bed.room(&bob, json!({ "preset": "private_chat", "invite": [alice.id] })).await;
    let room = bed.room(&chris, json!({ "preset": "private_chat", "invite": [alice.id] })).await;
    for answer in [bed.get(SYNC).by(&alice).await.ok(), since(&bed, &alice, &start).await] {
        let invites = answer["rooms"]["invite"].as_object().expect("invites");
        assert_eq!(invites.keys().collect::<Vec<_>>(), [&room]);
    }
}
