//! `GET /rooms/{roomId}/members` and `/joined_members`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::chat::encoded;

/// Who is listed, with the membership.
async fn members(bed: &Bed, by: &User, room: &str, query: &str) -> Vec<(String, String)> {
    let path = format!("/_matrix/client/v3/rooms/{room}/members{query}");
    let body = bed.get(&path).by(by).await.ok();
    let word = |value: &Value| value.as_str().expect("a string").to_owned();
    let events = body["chunk"].as_array().expect("a list").iter();
    let mut members: Vec<_> =
        events.map(|event| (word(&event["state_key"]), word(&event["content"]["membership"]))).collect();
    members.sort();
    members
}

fn expected<const N: usize>(members: [(&User, &str); N]) -> Vec<(String, String)> {
    members.map(|(user, membership)| (user.id.to_string(), membership.to_owned())).to_vec()
}

#[tokio::test(start_paused = true)]
async fn members_are_listed_by_membership() {
    let bed = Bed::new().await;
    let [alice, bob, carol, dan] = bed.users(["alice", "bob", "carol", "dan"]).await;
    let room = bed.public_room(&alice, &[&bob, &carol]).await;
    bed.leave(&bob, &room).await.ok();
    bed.act_on(&alice, &room, "ban", &dan).await.ok();
    let all = [(&alice, "join"), (&bob, "leave"), (&carol, "join"), (&dan, "ban")];
    assert_eq!(members(&bed, &alice, &room, "").await, expected(all));
    for (query, found) in [
        ("?membership=join", expected([all[0], all[2]])),
        ("?not_membership=leave", expected([all[0], all[2], all[3]])),
        ("?membership=leave&not_membership=join", expected([all[1], all[3]])),
        ("?membership=knock", Vec::new()),
    ] {
        assert_eq!(members(&bed, &alice, &room, query).await, found, "{query}");
    }
    for query in ["?membership=dance", "?not_membership="] {
        let path = format!("/_matrix/client/v3/rooms/{room}/members{query}");
        bed.get(&path).by(&alice).await.refused(400, "M_INVALID_PARAM");
    }
    assert_eq!(
        members(&bed, &bob, &room, "").await,
        expected([all[0], all[1], all[2]]),
        "one who left gets the members of then"
    );
}

#[tokio::test(start_paused = true)]
async fn joined_members_are_listed_with_their_profiles() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let name = "/_matrix/client/v3/profile/@bob:plop.example/displayname";
    bed.put(name).by(&bob).json(&json!({ "displayname": "B\"ob" })).await.ok();
    let room = bed.public_room(&alice, &[&bob]).await;
    let list = |by: &User| bed.ask(by, Method::GET, "/rooms/{}/joined_members", &[&room]);
    let nobody = json!({ "display_name": null, "avatar_url": null });
    let joined = json!({
        alice.id.as_str(): nobody, bob.id.as_str(): { "display_name": "B\"ob", "avatar_url": null },
    });
    assert_eq!(list(&alice).await.ok(), json!({ "joined": joined }));
    bed.leave(&bob, &room).await.ok();
    assert_eq!(list(&alice).await.ok(), json!({ "joined": { alice.id.as_str(): nobody } }));
    list(&bob).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test(start_paused = true)]
async fn members_are_listed_as_they_were() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let synced = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    let page = bed.get(&format!("/_matrix/client/v3/rooms/{room}/messages?dir=b")).by(&alice).await.ok();
    bed.leave(&bob, &room).await.ok();
    bed.join(&carol, &room).await.ok();
    for token in [&synced["next_batch"], &page["start"]] {
        let at = encoded(token.as_str().expect("a token"));
        let then = expected([(&alice, "join"), (&bob, "join")]);
        assert_eq!(members(&bed, &alice, &room, &format!("?at={at}")).await, then);
        let joined = format!("?at={at}&not_membership=join");
        assert_eq!(members(&bed, &alice, &room, &joined).await, Vec::new());
    }
    let now = expected([(&alice, "join"), (&bob, "leave"), (&carol, "join")]);
    assert_eq!(members(&bed, &alice, &room, "?at=").await, now);
}

/// All the events of the room are in the timeline: `prev_batch` is the place in front of them, and there was somebody even then.
#[tokio::test(start_paused = true)]
async fn members_of_the_beginning_are_those_who_began() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[]).await;
    bed.say(&alice, &room, "Hello world!").await;
    let synced = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    let timeline = &synced["rooms"]["join"][&room]["timeline"];
    assert_eq!(timeline["limited"], false);
    bed.join(&bob, &room).await.ok();
    bed.say(&bob, &room, "Hello back").await;
    let at = format!("?at={}", encoded(timeline["prev_batch"].as_str().expect("a token")));
    assert_eq!(members(&bed, &alice, &room, &at).await, expected([(&alice, "join")]));
    let body = bed.get(&format!("/_matrix/client/v3/rooms/{room}/members")).by(&alice).await.ok();
    let events = body["chunk"].as_array().expect("a list");
    assert!(events.iter().all(|event| event["room_id"] == json!(room) && event["type"] == "m.room.member"));
    let [carol] = bed.users(["carol"]).await;
    let refused = bed.get(&format!("/_matrix/client/v3/rooms/{room}/members{at}")).by(&carol).await;
    refused.refused(403, "M_FORBIDDEN");
}
