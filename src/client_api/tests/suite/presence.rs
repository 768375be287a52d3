//! Presence over HTTP.

use serde_json::json;

use crate::bed::Bed;

fn status(user: &str) -> String {
    format!("/_matrix/client/v3/presence/@{user}:plop.example/status")
}

#[tokio::test(start_paused = true)]
async fn one_says_how_one_is_there() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let path = status("alice");
    assert_eq!(bed.get(&path).by(&alice).await.ok(), json!({ "presence": "offline" }));
    let lunch = json!({ "presence": "unavailable", "status_msg": "at lunch" });
    assert_eq!(bed.put(&path).by(&alice).json(&lunch).await.ok(), json!({}));
    bed.pass(3).await;
    let seen = bed.get(&path).by(&alice).await.ok();
    assert_eq!(
        (&seen["presence"], &seen["status_msg"], &seen["currently_active"]),
        (&json!("unavailable"), &json!("at lunch"), &json!(false))
    );
    bed.put(&path).by(&alice).json(&json!({ "presence": "online" })).await.ok();
    bed.pass(2).await;
    let seen = bed.get(&path).by(&alice).await.ok();
    assert_eq!(seen, json!({ "presence": "online", "last_active_ago": 2_000, "currently_active": true }));
    for (body, status, errcode) in [
        (json!({}), 400, "M_BAD_JSON"),
        (json!({ "presence": "dancing" }), 400, "M_INVALID_PARAM"),
        (json!({ "presence": 5 }), 400, "M_BAD_JSON"),
        (json!({ "presence": "online", "status_msg": 5 }), 400, "M_BAD_JSON"),
        (json!({ "presence": "online", "status_msg": "x".repeat(1_025) }), 413, "M_TOO_LARGE"),
    ] {
        bed.put(&path).by(&alice).json(&body).await.refused(status, errcode);
    }
}

/// Row 85 of the hostile input.
#[tokio::test(start_paused = true)]
async fn b4_85_presence_is_for_those_who_share_a_room() {
    let bed = Bed::new().await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    bed.put(&status("alice")).by(&alice).json(&json!({ "presence": "online" })).await.ok();
    let stranger = bed.get(&status("alice")).by(&bob).await.refused(403, "M_FORBIDDEN");
    assert_eq!(bed.get(&status("nobody")).by(&bob).await.refused(403, "M_FORBIDDEN"), stranger);
    let room = bed.room(&alice, json!({ "invite": [bob.id] })).await;
    bed.get(&status("alice")).by(&bob).await.refused(403, "M_FORBIDDEN");
    bed.post(&format!("/_matrix/client/v3/join/{room}")).by(&bob).json(&json!({})).await.ok();
    assert_eq!(bed.get(&status("alice")).by(&bob).await.ok()["presence"], "online");
    assert_eq!(bed.get(&status("bob")).by(&alice).await.ok(), json!({ "presence": "offline" }));
    bed.put(&status("alice"))
        .by(&bob)
        .json(&json!({ "presence": "offline" }))
        .await
        .refused(403, "M_FORBIDDEN");
    bed.post(&format!("/_matrix/client/v3/rooms/{room}/leave")).by(&bob).json(&json!({})).await.ok();
    bed.get(&status("alice")).by(&bob).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test(start_paused = true)]
async fn who_shares_a_room_is_told_of_each_change() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    bed.public_room(&alice, &[&bob]).await;
    let sync = "/_matrix/client/v3/sync?timeout=0";
    let token =
        async || bed.get(sync).by(&bob).await.ok()["next_batch"].as_str().expect("a token").to_owned();
    let told = async |since: &str| {
        let news = bed.get(&format!("{sync}&since={since}")).by(&bob).await.ok();
        let events = news["presence"]["events"].as_array().expect("events").clone();
        let of_alice = events.into_iter().find(|event| event["sender"] == alice.id.as_str());
        of_alice.expect("alice's presence")["content"].clone()
    };
    let set = async |body| bed.put(&status("alice")).by(&alice).json(&body).await.ok();
    set(json!({ "presence": "online", "status_msg": "Testing something" })).await;
    let since = token().await;
    bed.get(&format!("{sync}&set_presence=unavailable")).by(&alice).await.ok();
    assert_eq!(told(&since).await["presence"], "unavailable");
    let since = token().await;
    set(json!({ "presence": "online", "status_msg": "Update for room members" })).await;
    let shown = told(&since).await;
    assert_eq!(
        (&shown["presence"], &shown["status_msg"]),
        (&json!("online"), &json!("Update for room members"))
    );
    let since = token().await;
    set(json!({ "presence": "unavailable" })).await;
    assert_eq!(told(&since).await["presence"], "unavailable");
}
