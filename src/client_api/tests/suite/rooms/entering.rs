//! `POST /join/{roomIdOrAlias}`, `/rooms/{roomId}/join`, `/knock/{roomIdOrAlias}`.

use http::Method;
use serde_json::json;

use crate::bed::{Bed, User};
use crate::call::Call;

fn join(bed: &Bed, by: &User, target: &str) -> Call {
    bed.ask(by, Method::POST, "/join/{}", &[target])
}

fn join_by_id(bed: &Bed, by: &User, room: &str) -> Call {
    bed.ask(by, Method::POST, "/rooms/{}/join", &[room])
}

fn knock(bed: &Bed, by: &User, target: &str) -> Call {
    bed.ask(by, Method::POST, "/knock/{}", &[target])
}

#[tokio::test(start_paused = true)]
async fn a_room_is_joined_by_id_or_alias_and_what_the_body_says_goes_into_the_event() {
    let bed = Bed::new().await;
    let [alice, bob, carol, dan] = bed.users(["alice", "bob", "carol", "dan"]).await;
    let options = json!({ "preset": "public_chat", "room_alias_name": "pub" });
    let room = bed.room(&alice, options).await;
    let answer = json!({ "room_id": room });
    assert_eq!(join(&bed, &bob, &room).await.ok(), answer, "without a body");
    let body = json!({ "reason": "curious", "org.example": { "a": 1 } });
    assert_eq!(join(&bed, &carol, "#pub:plop.example").json(&body).await.ok(), answer);
    assert_eq!(join_by_id(&bed, &dan, &room).json(&json!({ "third_party_signed": null })).await.ok(), answer);
    let member = async |user: &User| bed.state(&alice, &room, "m.room.member", user.id.as_str()).await;
    assert_eq!(member(&bob).await, json!({ "membership": "join" }));
    assert_eq!(
        member(&carol).await,
        json!({ "membership": "join", "reason": "curious", "org.example": { "a": 1 } })
    );
    assert_eq!(member(&dan).await, json!({ "membership": "join" }));
    // The servers to go through do not matter for a room that is here.
    let via = "/_matrix/client/v3/join/%23pub:plop.example?via=elsewhere.example&server_name=x.example";
    bed.without_effect(bed.post(via).by(&bob)).await.ok();
}

#[tokio::test(start_paused = true)]
async fn who_may_not_join_hears_the_same_as_of_a_room_that_is_not_there() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let private = bed.room(&alice, json!({})).await;
    let refused = async |room: &str| {
        let by_id = bed.without_effect(join_by_id(&bed, &bob, room)).await.refused(403, "M_FORBIDDEN");
        let by_either = bed.without_effect(join(&bed, &bob, room)).await.refused(403, "M_FORBIDDEN");
        let knocked = bed.without_effect(knock(&bed, &bob, room)).await.refused(403, "M_FORBIDDEN");
        assert_eq!((&by_id, &by_id), (&by_either, &knocked));
        by_id
    };
    assert_eq!(refused(&private).await, refused("!absent:plop.example").await);
    // Banned: known to clients by its own code.
    bed.act_on(&alice, &private, "ban", &bob).await.ok();
    bed.without_effect(join(&bed, &bob, &private)).await.refused(403, "M_BAD_STATE");
    bed.without_effect(knock(&bed, &bob, &private)).await.refused(403, "M_BAD_STATE");
}

#[tokio::test(start_paused = true)]
async fn joins_that_are_no_requests_are_refused() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[]).await;
    let signed = json!({ "sender": alice.id, "mxid": bob.id, "token": "t", "signatures": {} });
    for (target, body, status, errcode) in [
        (room.as_str(), "{".to_owned(), 400, "M_NOT_JSON"),
        (&room, "[]".to_owned(), 400, "M_BAD_JSON"),
        (&room, r#"{"reason":1}"#.to_owned(), 400, "M_BAD_JSON"),
        (&room, r#"{"x":1.5}"#.to_owned(), 400, "M_BAD_JSON"),
        (&room, r#"{"x":"\udc00"}"#.to_owned(), 400, "M_BAD_JSON"),
        (&room, json!({ "reason": "x".repeat(65_536) }).to_string(), 413, "M_TOO_LARGE"),
        (&room, json!({ "third_party_signed": signed }).to_string(), 403, "M_THREEPID_DENIED"),
        ("room", "{}".to_owned(), 400, "M_INVALID_PARAM"),
        (&format!("!{}:plop.example", "a".repeat(255)), "{}".to_owned(), 400, "M_INVALID_PARAM"),
        ("#absent:plop.example", "{}".to_owned(), 404, "M_NOT_FOUND"),
        ("#pub:elsewhere.example", "{}".to_owned(), 404, "M_NOT_FOUND"),
    ] {
        for call in [join(&bed, &bob, target), knock(&bed, &bob, target)] {
            bed.without_effect(call.text(body.clone())).await.refused(status, errcode);
        }
    }
    join_by_id(&bed, &bob, "#pub:plop.example").await.refused(400, "M_INVALID_PARAM");
    bed.suspend(&bob, true).await;
    for call in [join(&bed, &bob, &room), join_by_id(&bed, &bob, &room), knock(&bed, &bob, &room)] {
        bed.without_effect(call).await.refused(403, "M_USER_SUSPENDED");
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_who_joins_again_makes_no_second_event() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    bed.without_effect(join(&bed, &bob, &room)).await.ok();
    bed.without_effect(join_by_id(&bed, &bob, &room)).await.ok();
}

#[tokio::test(start_paused = true)]
async fn one_who_knocks_waits_to_be_let_in() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let rules = json!([{ "type": "m.room.join_rules", "content": { "join_rule": "knock" } }]);
    let room = bed.room(&alice, json!({ "room_alias_name": "door", "initial_state": rules })).await;
    let body = json!({ "reason": "Let me in... LET ME IN!!!" });
    let answer = knock(&bed, &bob, "#door:plop.example").json(&body).await.ok();
    assert_eq!(answer, json!({ "room_id": room }));
    let member = bed.state(&alice, &room, "m.room.member", bob.id.as_str()).await;
    assert_eq!(member, json!({ "membership": "knock", "reason": "Let me in... LET ME IN!!!" }));
    bed.without_effect(join(&bed, &bob, &room)).await.refused(403, "M_FORBIDDEN");
    knock(&bed, &bob, &room).await.ok();
    bed.act_on(&alice, &room, "invite", &bob).await.ok();
    bed.without_effect(knock(&bed, &bob, &room)).await.refused(403, "M_FORBIDDEN");
    bed.join(&bob, &room).await.ok();
}
