//! `PUT /rooms/{roomId}/redact/{eventId}/{txnId}`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::text;

fn redact(bed: &Bed, by: &User, room: &str, event: &str, transaction: &str) -> Call {
    bed.ask(by, Method::PUT, "/rooms/{}/redact/{}/{}", &[room, event, transaction])
}

async fn event(bed: &Bed, by: &User, room: &str, event: &str) -> Value {
    bed.ask(by, Method::GET, "/rooms/{}/event/{}", &[room, event]).await.ok()
}

/// Row 88 of the hostile input, for clients: what is redacted is shown redacted.
#[tokio::test(start_paused = true)]
async fn row_88_a_redacted_event_has_no_content() {
    for version in ["10", "11"] {
        let bed = Bed::new().await;
        let [alice, bob] = bed.users(["alice", "bob"]).await;
        let room = bed.room(&alice, json!({ "preset": "public_chat", "room_version": version })).await;
        bed.join(&bob, &room).await.ok();
        let said = bed.say(&bob, &room, "oops").await;
        let answer = redact(&bed, &bob, &room, &said, "t").json(&json!({ "reason": "typo" })).await.ok();
        let redaction = text(&answer["event_id"]);
        let shown = event(&bed, &alice, &room, &said).await;
        assert_eq!(shown["content"], json!({}));
        let because = &shown["unsigned"]["redacted_because"];
        assert_eq!(because["event_id"], redaction.as_str());
        assert_eq!((&because["content"]["reason"], &because["redacts"]), (&json!("typo"), &json!(said)));
        assert_eq!(because["content"]["redacts"], said.as_str(), "in both places, whatever the version");
        let again = redact(&bed, &bob, &room, &said, "t").json(&json!({ "reason": "typo" }));
        assert_eq!(bed.without_effect(again).await.ok(), answer);
    }
}

#[tokio::test(start_paused = true)]
async fn a_redaction_can_be_sent_as_an_event() {
    for version in ["10", "11"] {
        let bed = Bed::new().await;
        let [alice] = bed.users(["alice"]).await;
        let room = bed.room(&alice, json!({ "room_version": version })).await;
        let said = bed.say(&alice, &room, "oops").await;
        let send = bed.ask(&alice, Method::PUT, "/rooms/{}/send/m.room.redaction/{}", &[&room, "t"]);
        send.json(&json!({ "redacts": said })).await.ok();
        assert_eq!(event(&bed, &alice, &room, &said).await["content"], json!({}), "version {version}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_redact_does_not() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let other = bed.room(&bob, json!({})).await;
    let (by_alice, by_bob) = (bed.say(&alice, &room, "a").await, bed.say(&bob, &room, "b").await);
    let elsewhere = bed.say(&bob, &other, "c").await;
    for (by, room, event, status, errcode) in [
        (&bob, room.as_str(), by_alice.as_str(), 403, "M_FORBIDDEN"),
        (&carol, &room, &by_bob, 403, "M_FORBIDDEN"),
        (&carol, "!absent:plop.example", &by_bob, 403, "M_FORBIDDEN"),
        (&bob, &room, "$absent", 404, "M_NOT_FOUND"),
        (&bob, &room, &elsewhere, 404, "M_NOT_FOUND"),
        (&bob, &room, "absent", 400, "M_INVALID_PARAM"),
    ] {
        let call = redact(&bed, by, room, event, "t").json(&json!({}));
        bed.without_effect(call).await.refused(status, errcode);
    }
    for (body, errcode) in [("{", "M_NOT_JSON"), ("[]", "M_BAD_JSON"), (r#"{"reason":1}"#, "M_BAD_JSON")] {
        bed.without_effect(redact(&bed, &bob, &room, &by_bob, "t").text(body)).await.refused(400, errcode);
    }
    let call = redact(&bed, &bob, &room, &by_bob, &"t".repeat(256)).json(&json!({}));
    bed.without_effect(call).await.refused(413, "M_TOO_LARGE");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_account_redacts_its_own_events_only() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let (own, others) = (bed.say(&alice, &room, "a").await, bed.say(&bob, &room, "b").await);
    bed.suspend(&alice, true).await;
    let call = redact(&bed, &alice, &room, &others, "t").json(&json!({}));
    bed.without_effect(call).await.refused(403, "M_FORBIDDEN");
    redact(&bed, &alice, &room, &own, "t").json(&json!({})).await.ok();
    bed.suspend(&alice, false).await;
    redact(&bed, &alice, &room, &others, "t").json(&json!({})).await.ok();
}
