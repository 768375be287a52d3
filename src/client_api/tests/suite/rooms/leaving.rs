//! What there is for who has left a room, and for who was invited to one that others leave.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::chat::{encoded, text};

async fn sync(bed: &Bed, by: &User, since: Option<&str>) -> Value {
    let since = since.map(|since| format!("?since={}", encoded(since))).unwrap_or_default();
    bed.get(&format!("/_matrix/client/v3/sync{since}")).by(by).await.ok()
}

/// What happened, in words.
fn told(page: &Value) -> Vec<String> {
    let events = page["chunk"].as_array().expect("a list").iter();
    let word = |event: &Value| {
        event["content"]["body"].as_str().or(event["state_key"].as_str()).expect("a word").to_owned()
    };
    events.map(word).collect()
}

#[tokio::test(start_paused = true)]
async fn who_left_reads_what_was_until_then() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let visibility = json!([{ "type": "m.room.history_visibility", "state_key": "",
        "content": { "history_visibility": "joined" } }]);
    let room = bed.room(&alice, json!({ "preset": "public_chat", "initial_state": visibility })).await;
    bed.join(&bob, &room).await.ok();
    let set = async |word: &str| {
        bed.set(&alice, &room, "m.room.name", json!({ "name": word })).await;
        bed.set(&alice, &room, "madeup.test.state", json!({ "body": word })).await;
    };
    set("before").await;
    bed.say(&alice, &room, "one").await;
    bed.say(&alice, &room, "two").await;
    bed.leave(&bob, &room).await.ok();
    let since = encoded(&text(&sync(&bed, &bob, None).await["next_batch"]));
    set("after").await;
    bed.say(&alice, &room, "three").await;
    bed.join(&carol, &room).await.ok();

    for (user, word) in [(&bob, "before"), (&alice, "after")] {
        assert_eq!(bed.state(user, &room, "madeup.test.state", "").await, json!({ "body": word }));
        assert_eq!(bed.state(user, &room, "m.room.name", "").await, json!({ "name": word }));
    }
    let members = bed.ask(&bob, Method::GET, "/rooms/{}/members", &[&room]).await.ok();
    let members = members["chunk"].as_array().expect("a list").iter();
    let mut members: Vec<_> =
        members.map(|event| (text(&event["state_key"]), text(&event["content"]["membership"]))).collect();
    members.sort();
    let expected = [(&alice, "join"), (&bob, "leave")];
    assert_eq!(
        members,
        expected.map(|(user, membership)| (user.id.to_string(), membership.to_owned())),
        "nobody who came later"
    );
    let pages = async |query: &str| {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?from={since}&{query}");
        told(&bed.get(&path).by(&bob).await.ok())
    };
    assert_eq!(pages("dir=b&limit=3").await, [bob.id.as_str(), "two", "one"]);
    assert_eq!(pages("dir=f&limit=100").await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_invitation_is_rejected_also_when_nobody_is_left() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    for is_left_alone in [false, true] {
        let room = bed.room(&alice, json!({ "preset": "private_chat", "name": "Invites room" })).await;
        bed.join(&bob, &room).await.refused(403, "M_FORBIDDEN");
        bed.act_on(&alice, &room, "invite", &bob).await.ok();
        let invited = sync(&bed, &bob, None).await;
        let state = &invited["rooms"]["invite"][&room]["invite_state"]["events"];
        let of = |kind: &str| {
            let mut events = state.as_array().expect("events").iter();
            events.find(|event| event["type"] == kind).expect("it is there")["content"].clone()
        };
        assert_eq!(
            (&of("m.room.name")["name"], &of("m.room.join_rules")["join_rule"]),
            (&json!("Invites room"), &json!("invite"))
        );
        if is_left_alone {
            bed.leave(&alice, &room).await.ok();
        }
        bed.leave(&bob, &room).await.ok();
        let rejected = sync(&bed, &bob, invited["next_batch"].as_str()).await;
        assert!(rejected["rooms"]["leave"].get(&room).is_some() && rejected["rooms"].get("invite").is_none());
        for since in [rejected["next_batch"].as_str(), None] {
            let after = sync(&bed, &bob, since).await;
            assert_eq!(after.pointer("/rooms/invite"), None, "{after}");
        }
        if !is_left_alone {
            let member = bed.state(&alice, &room, "m.room.member", bob.id.as_str()).await;
            assert_eq!(member["membership"], "leave");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_made_a_room_and_left_it_is_invited_back() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    for version in ["11", "12"] {
        let room = bed.room(&alice, json!({ "preset": "private_chat", "room_version": version })).await;
        bed.act_on(&alice, &room, "invite", &bob).await.ok();
        bed.join(&bob, &room).await.ok();
        bed.set(&alice, &room, "m.room.power_levels", json!({ "users": { bob.id.as_str(): 100 } })).await;
        bed.leave(&alice, &room).await.ok();
        bed.act_on(&bob, &room, "invite", &alice).await.ok();
        let invited = sync(&bed, &alice, None).await;
        assert!(invited["rooms"]["invite"].get(&room).is_some(), "{version}: {invited}");
        bed.join(&alice, &room).await.ok();
        assert_eq!(bed.state(&bob, &room, "m.room.member", alice.id.as_str()).await["membership"], "join");
    }
}
