//! `/directory/room/{roomAlias}`, `/rooms/{roomId}/aliases`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;

const ALIAS: &str = "#tigers \u{8001}\u{864e}:plop.example";
const TIGERS: &str = "#\u{8001}\u{864e}:plop.example";

fn resolve(bed: &Bed, alias: &str) -> Call {
    bed.get(&crate::chat::path("/directory/room/{}", &[alias]))
}

fn put(bed: &Bed, by: &User, alias: &str, room: &str) -> Call {
    bed.ask(by, Method::PUT, "/directory/room/{}", &[alias]).json(&json!({ "room_id": room }))
}

fn delete(bed: &Bed, by: &User, alias: &str) -> Call {
    bed.ask(by, Method::DELETE, "/directory/room/{}", &[alias])
}

async fn list(bed: &Bed, by: &User, room: &str) -> Value {
    bed.ask(by, Method::GET, "/rooms/{}/aliases", &[room]).await.ok()
}

#[tokio::test(start_paused = true)]
async fn an_alias_leads_to_its_room_until_it_is_taken_away() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    assert_eq!(list(&bed, &alice, &room).await, json!({ "aliases": [] }));
    assert_eq!(put(&bed, &alice, TIGERS, &room).await.ok(), json!({}));
    assert_eq!(list(&bed, &alice, &room).await, json!({ "aliases": [TIGERS] }));
    let target = json!({ "room_id": room, "servers": ["plop.example"] });
    assert_eq!(resolve(&bed, TIGERS).await.ok(), target, "without a token");
    bed.set(&alice, &room, "m.room.canonical_alias", json!({ "alias": TIGERS })).await;
    assert_eq!(delete(&bed, &alice, TIGERS).await.ok(), json!({}));
    resolve(&bed, TIGERS).await.refused(404, "M_NOT_FOUND");
    assert_eq!(bed.state(&alice, &room, "m.room.canonical_alias", "").await, json!({}));
    bed.without_effect(delete(&bed, &alice, TIGERS)).await.refused(404, "M_NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn aliases_are_listed_to_members_and_where_everyone_may_read() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({})).await;
    put(&bed, &alice, TIGERS, &room).await.ok();
    let strangers = async |room: &str| {
        bed.ask(&bob, Method::GET, "/rooms/{}/aliases", &[room]).await.refused(403, "M_FORBIDDEN")
    };
    assert_eq!(strangers(&room).await, strangers("!absent:plop.example").await);
    let visibility = json!({ "history_visibility": "world_readable" });
    bed.set(&alice, &room, "m.room.history_visibility", visibility).await;
    assert_eq!(list(&bed, &bob, &room).await, json!({ "aliases": [TIGERS] }));
}

/// Row 127 of the hostile input.
#[tokio::test(start_paused = true)]
async fn row_127_aliases_of_others_stay_as_they_are() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let other = bed.room(&carol, json!({})).await;
    put(&bed, &alice, "#admins:plop.example", &room).await.ok();
    // Taken, even by the same user for the same room.
    for (by, room) in [(&carol, &other), (&alice, &room)] {
        bed.without_effect(put(&bed, by, "#admins:plop.example", room)).await.refused(409, "M_UNKNOWN");
    }
    for by in [&bob, &carol] {
        bed.without_effect(delete(&bed, by, "#admins:plop.example")).await.refused(403, "M_FORBIDDEN");
    }
    // For a room that one is not in.
    bed.without_effect(put(&bed, &carol, TIGERS, &room)).await.refused(403, "M_FORBIDDEN");
    bed.without_effect(put(&bed, &carol, TIGERS, "!absent:plop.example")).await.refused(403, "M_FORBIDDEN");
    // Of other servers, and none.
    let long = format!("#{}:plop.example", "a".repeat(255));
    for alias in ["#admins:elsewhere.example", "#admins:plop.example.org", "admins", ALIAS, &long] {
        bed.without_effect(put(&bed, &alice, alias, &room)).await.refused(400, "M_INVALID_PARAM");
    }
    resolve(&bed, "admins").await.refused(400, "M_INVALID_PARAM");
    resolve(&bed, "#admins:elsewhere.example").await.refused(404, "M_NOT_FOUND");
    // One with the power to name the room takes away what others gave.
    put(&bed, &bob, "#bobs:plop.example", &room).await.ok();
    delete(&bed, &alice, "#bobs:plop.example").await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_room_claims_only_aliases_that_lead_to_it() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    bed.room(&alice, json!({ "room_alias_name": "elsewhere" })).await;
    put(&bed, &alice, "#here:plop.example", &room).await.ok();
    put(&bed, &alice, "#deleted:plop.example", &room).await.ok();
    delete(&bed, &alice, "#deleted:plop.example").await.ok();
    for (content, errcode) in [
        (json!({ "alias": "#absent:plop.example" }), "M_BAD_ALIAS"),
        (json!({ "alias": "#deleted:plop.example" }), "M_BAD_ALIAS"),
        (json!({ "alias": "#elsewhere:plop.example" }), "M_BAD_ALIAS"),
        (json!({ "alt_aliases": ["#elsewhere:plop.example"] }), "M_BAD_ALIAS"),
        (json!({ "alias": "#here:plop.example", "alt_aliases": ["#absent:plop.example"] }), "M_BAD_ALIAS"),
        (json!({ "alias": "#here:plop.example", "alt_aliases": ["#elsewhere:plop.example"] }), "M_BAD_ALIAS"),
        (json!({ "alias": "#here:plop.example", "alt_aliases": ["%x:plop.example"] }), "M_INVALID_PARAM"),
        (json!({ "alias": "%invalid:plop.example" }), "M_INVALID_PARAM"),
        (json!({ "alt_aliases": [1] }), "M_INVALID_PARAM"),
    ] {
        let call = bed.ask(&alice, Method::PUT, "/rooms/{}/state/m.room.canonical_alias", &[&room]);
        bed.without_effect(call.json(&content)).await.refused(400, errcode);
    }
    let both = json!({ "alias": "#here:plop.example", "alt_aliases": ["#here:plop.example"] });
    bed.set(&alice, &room, "m.room.canonical_alias", both).await;
}

/// Levels are asked only of those who take away what others gave.
#[tokio::test(start_paused = true)]
async fn who_gave_an_alias_takes_it_away_and_so_does_who_rules() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({ "preset": "public_chat", "room_version": "11" })).await;
    bed.join(&bob, &room).await.ok();
    let levels = |bobs: u8| {
        let users = json!({ alice.id.as_str(): 100, bob.id.as_str(): bobs });
        json!({ "users": users, "events": { "m.room.aliases": 50 } })
    };
    for content in [None, Some(levels(0))] {
        if let Some(content) = content {
            bed.set(&alice, &room, "m.room.power_levels", content).await;
        }
        put(&bed, &bob, TIGERS, &room).await.ok();
        assert_eq!(resolve(&bed, TIGERS).await.ok()["room_id"], room.as_str());
        bed.set(&alice, &room, "m.room.canonical_alias", json!({ "alias": TIGERS })).await;
        delete(&bed, &bob, TIGERS).await.ok();
        resolve(&bed, TIGERS).await.refused(404, "M_NOT_FOUND");
    }
    put(&bed, &alice, TIGERS, &room).await.ok();
    bed.without_effect(delete(&bed, &bob, TIGERS)).await.refused(403, "M_FORBIDDEN");
    bed.set(&alice, &room, "m.room.canonical_alias", json!({ "alias": TIGERS })).await;
    bed.set(&alice, &room, "m.room.power_levels", levels(100)).await;
    let synced = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    delete(&bed, &bob, TIGERS).await.ok();
    let since = synced["next_batch"].as_str().expect("a token");
    let news = bed.get(&format!("/_matrix/client/v3/sync?since={since}")).by(&alice).await.ok();
    let event = &news["rooms"]["join"][&room]["timeline"]["events"][0];
    assert_eq!((&event["type"], &event["content"]), (&json!("m.room.canonical_alias"), &json!({})));
}

#[tokio::test(start_paused = true)]
async fn alias_requests_that_are_none_are_refused() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    for (body, errcode) in [("{", "M_NOT_JSON"), ("{}", "M_BAD_JSON"), (r#"{"room_id":"x"}"#, "M_BAD_JSON")] {
        let call = bed.ask(&alice, Method::PUT, "/directory/room/{}", &[TIGERS]).text(body);
        bed.without_effect(call).await.refused(400, errcode);
    }
    bed.suspend(&alice, true).await;
    bed.without_effect(put(&bed, &alice, TIGERS, &room)).await.refused(403, "M_USER_SUSPENDED");
    bed.without_effect(delete(&bed, &alice, TIGERS)).await.refused(403, "M_USER_SUSPENDED");
}
