//! Reports of events, rooms and users.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;

fn report(bed: &Bed, by: &User, template: &str, parameters: &[&str], body: &Value) -> Call {
    bed.ask(by, Method::POST, template, parameters).json(body)
}

#[tokio::test(start_paused = true)]
async fn an_event_is_reported_by_members_of_its_room() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let event = bed.say(&alice, &room, "spam").await;
    let template = "/rooms/{}/report/{}";
    for body in [json!({}), json!({ "reason": "" }), json!({ "reason": "bad", "score": -100 })] {
        assert_eq!(report(&bed, &bob, template, &[&room, &event], &body).await.ok(), json!({}));
    }
    let absent = report(&bed, &bob, template, &[&room, "$absent"], &json!({})).await;
    let absent = absent.refused(404, "M_NOT_FOUND");
    for (by, room) in [(&carol, room.as_str()), (&bob, "!absent:plop.example")] {
        let call = report(&bed, by, template, &[room, &event], &json!({}));
        assert_eq!(bed.without_effect(call).await.refused(404, "M_NOT_FOUND"), absent);
    }
    let body = json!({ "reason": "x".repeat(5_000) });
    report(&bed, &bob, template, &[&room, &event], &body).await.refused(413, "M_TOO_LARGE");
    let body = json!({ "reason": 7 });
    report(&bed, &bob, template, &[&room, &event], &body).await.refused(400, "M_BAD_JSON");
}

/// Row 79 of the hostile input: reports tell nothing of rooms and users.
#[tokio::test(start_paused = true)]
async fn row_79_every_room_and_user_can_be_reported() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({})).await;
    let body = json!({ "reason": "bad" });
    for target in [room.as_str(), "!absent:plop.example", "!absent:elsewhere.example"] {
        assert_eq!(report(&bed, &bob, "/rooms/{}/report", &[target], &body).await.ok(), json!({}));
    }
    for target in [alice.id.as_str(), "@absent:plop.example", "@absent:elsewhere.example"] {
        assert_eq!(report(&bed, &bob, "/users/{}/report", &[target], &body).await.ok(), json!({}));
    }
    report(&bed, &bob, "/users/{}/report", &["nobody"], &body).await.refused(400, "M_INVALID_PARAM");
}
