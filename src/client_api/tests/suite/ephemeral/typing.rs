//! `PUT /rooms/{roomId}/typing/{userId}`.

use http::Method;
use plop_ephemeral::PresenceState;
use ruma::{OwnedUserId, RoomId};
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;

fn put(bed: &Bed, by: &User, room: &str, user: &str) -> Call {
    bed.ask(by, Method::PUT, "/rooms/{}/typing/{}", &[room, user])
}

async fn typing(bed: &Bed, room: &str) -> Vec<OwnedUserId> {
    let room = RoomId::parse(room).expect("a room id");
    let view = bed.api.rooms.view_by_id(&room).await.expect("the room");
    bed.api.typing.users(view.number)
}

#[tokio::test(start_paused = true)]
async fn a_member_types_for_a_while() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let own = |body: Value| put(&bed, &alice, &room, alice.id.as_str()).json(&body);
    for (body, seconds) in [
        (json!({ "typing": true, "timeout": 10_000 }), 10),
        (json!({ "typing": true }), 30),
        (json!({ "typing": true, "timeout": 9_007_199_254_740_991_u64 }), 120),
    ] {
        assert_eq!(bed.without_effect(own(body.clone())).await.ok(), json!({}));
        bed.pass(seconds - 1).await;
        assert_eq!(typing(&bed, &room).await, std::slice::from_ref(&alice.id), "{body}");
        bed.pass(1).await;
        assert_eq!(typing(&bed, &room).await, Vec::<OwnedUserId>::new(), "{body}");
    }
    own(json!({ "typing": true, "timeout": 30_000 })).await.ok();
    own(json!({ "typing": false })).await.ok();
    assert_eq!(typing(&bed, &room).await, Vec::<OwnedUserId>::new());
    let seen = bed.api.presence.get(&alice.id).await.expect("a read").expect("a presence");
    assert_eq!(seen.state, PresenceState::Online, "who types is there");
}

#[tokio::test(start_paused = true)]
async fn nobody_types_for_others_or_where_they_are_not() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob, &carol]).await;
    bed.leave(&carol, &room).await.ok();
    let body = json!({ "typing": true, "timeout": 30_000 });
    put(&bed, &bob, &room, alice.id.as_str()).json(&body).await.refused(403, "M_FORBIDDEN");
    let absent = put(&bed, &carol, "!absent:plop.example", carol.id.as_str()).json(&body);
    let absent = absent.await.refused(403, "M_FORBIDDEN");
    for user in [&carol, &alice] {
        let refused =
            put(&bed, &carol, &room, user.id.as_str()).json(&body).await.refused(403, "M_FORBIDDEN");
        assert_eq!(refused, absent);
    }
    for (room, user) in [("x", alice.id.as_str()), (&room, "alice")] {
        put(&bed, &alice, room, user).json(&body).await.refused(400, "M_INVALID_PARAM");
    }
    for (body, errcode) in [
        ("{", "M_NOT_JSON"),
        ("{}", "M_BAD_JSON"),
        ("[true]", "M_BAD_JSON"),
        (r#"{"typing":"yes"}"#, "M_BAD_JSON"),
        (r#"{"typing":true,"timeout":-1}"#, "M_BAD_JSON"),
        (r#"{"typing":true,"timeout":1.5}"#, "M_BAD_JSON"),
    ] {
        put(&bed, &alice, &room, alice.id.as_str()).text(body).await.refused(400, errcode);
    }
    bed.suspend(&alice, true).await;
    put(&bed, &alice, &room, alice.id.as_str()).json(&body).await.refused(403, "M_USER_SUSPENDED");
    assert_eq!(typing(&bed, &room).await, Vec::<OwnedUserId>::new());
}

#[tokio::test(start_paused = true)]
async fn who_types_is_told_to_the_room_and_to_nobody_else() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let mut since = Vec::new();
    for user in [&bob, &carol] {
        let synced = bed.get("/_matrix/client/v3/sync").by(user).await.ok();
        since.push(synced["next_batch"].as_str().expect("a token").to_owned());
    }
    put(&bed, &alice, &room, alice.id.as_str())
        .json(&json!({ "typing": true, "timeout": 10_000 }))
        .await
        .ok();
    let news = async |user: &User, since: &str| {
        bed.get(&format!("/_matrix/client/v3/sync?timeout=2000&since={since}")).by(user).await.ok()
    };
    let of_bob = news(&bob, &since[0]).await;
    let ephemeral = &of_bob["rooms"]["join"][&room]["ephemeral"]["events"];
    assert_eq!(ephemeral, &json!([{ "type": "m.typing", "content": { "user_ids": [alice.id] } }]));
    assert_eq!(news(&carol, &since[1]).await.get("rooms"), None);
}
