//! `m.room.power_levels`, as clients read and set it.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;

fn put(bed: &Bed, by: &User, room: &str, content: &Value) -> Call {
    bed.ask(by, Method::PUT, "/rooms/{}/state/m.room.power_levels", &[room]).json(content)
}

#[tokio::test(start_paused = true)]
async fn a_room_says_all_its_levels_from_the_start() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    for (version, users) in [("11", json!({ alice.id.as_str(): 100 })), ("12", json!({}))] {
        let room = bed.room(&alice, json!({ "room_version": version })).await;
        let levels = bed.state(&alice, &room, "m.room.power_levels", "").await;
        for level in ["ban", "kick", "redact", "invite", "state_default", "events_default", "users_default"] {
            assert!(levels[level].is_i64(), "{level} of {levels}");
        }
        assert!(levels["events"].is_object());
        assert_eq!(levels["users"], users);
    }
}

#[tokio::test(start_paused = true)]
async fn levels_are_set_and_who_gave_theirs_away_sets_none() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({ "room_version": "11" })).await;
    let users = json!({ alice.id.as_str(): 100, "@other:elsewhere.example": 20 });
    put(&bed, &alice, &room, &json!({ "users": users })).await.ok();
    let levels = bed.state(&alice, &room, "m.room.power_levels", "").await;
    assert_eq!(levels, json!({ "users": users }));
    // Without `events`, then without `users`, too: nobody has a level any more.
    put(&bed, &alice, &room, &json!({ "users": { alice.id.as_str(): 100 } })).await.ok();
    put(&bed, &alice, &room, &json!({})).await.ok();
    let late = put(&bed, &alice, &room, &json!({ "users": {} }));
    bed.without_effect(late).await.refused(403, "M_FORBIDDEN");
}
