//! `POST /rooms/{roomId}/upgrade`.

use http::Method;
use serde_json::json;

use crate::bed::{Bed, User};
use crate::chat::text;

#[tokio::test(start_paused = true)]
async fn a_room_is_replaced_by_one_of_another_version() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let options = json!({ "room_version": "10", "room_alias_name": "den", "name": "Den" });
    let old = bed.room(&alice, options).await;
    let upgrade = bed.ask(&alice, Method::POST, "/rooms/{}/upgrade", &[&old]);
    let body = json!({ "new_version": "12", "additional_creators": [bob.id] });
    let new = text(&upgrade.json(&body).await.ok()["replacement_room"]);
    assert_eq!(
        bed.state(&alice, &old, "m.room.tombstone", "").await["replacement_room"].as_str(),
        Some(new.as_str())
    );
    let create = bed.state(&alice, &new, "m.room.create", "").await;
    assert_eq!(create["room_version"], "12");
    assert_eq!(create["predecessor"]["room_id"].as_str(), Some(old.as_str()));
    assert_eq!(create["additional_creators"], json!([bob.id]));
    assert_eq!(bed.state(&alice, &new, "m.room.name", "").await, json!({ "name": "Den" }));
    let alias = bed.get("/_matrix/client/v3/directory/room/%23den:plop.example").await.ok();
    assert_eq!(alias["room_id"].as_str(), Some(new.as_str()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_upgraded_stays() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let upgrade = |by: &User, room: &str| bed.ask(by, Method::POST, "/rooms/{}/upgrade", &[room]);
    for (by, room, body, status, errcode) in [
        (&bob, room.as_str(), r#"{"new_version":"12"}"#, 403, "M_FORBIDDEN"),
        (&carol, &room, r#"{"new_version":"12"}"#, 403, "M_FORBIDDEN"),
        (&alice, "!absent:plop.example", r#"{"new_version":"12"}"#, 403, "M_FORBIDDEN"),
        (&alice, "absent", r#"{"new_version":"12"}"#, 400, "M_INVALID_PARAM"),
        (&alice, &room, r#"{"new_version":"13"}"#, 400, "M_UNSUPPORTED_ROOM_VERSION"),
        (&alice, &room, r#"{"new_version":12}"#, 400, "M_BAD_JSON"),
        (&alice, &room, "{}", 400, "M_BAD_JSON"),
        (&alice, &room, "{", 400, "M_NOT_JSON"),
        (&alice, &room, r#"{"new_version":"12","additional_creators":["x"]}"#, 400, "M_BAD_JSON"),
    ] {
        bed.without_effect(upgrade(by, room).text(body)).await.refused(status, errcode);
    }
    bed.suspend(&alice, true).await;
    let call = upgrade(&alice, &room).json(&json!({ "new_version": "12" }));
    bed.without_effect(call).await.refused(403, "M_USER_SUSPENDED");
}
