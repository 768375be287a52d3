//! `GET /rooms/{roomId}/timestamp_to_event`.

use http::Method;
use serde_json::json;

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::encoded;

fn closest(bed: &Bed, by: &User, room: &str, query: &str) -> Call {
    bed.get(&format!("/_matrix/client/v1/rooms/{}/timestamp_to_event?{query}", encoded(room))).by(by)
}

#[tokio::test(start_paused = true)]
async fn the_event_closest_to_a_time_is_found_in_both_directions() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let before = bed.clock.now().0 - 1;
    let room = bed.room(&alice, json!({})).await;
    let mut said = Vec::new();
    for word in ["a", "b"] {
        bed.pass(10).await;
        said.push((bed.say(&alice, &room, word).await, bed.clock.now().0));
    }
    let at =
        async |time: u64, dir: &str| closest(&bed, &alice, &room, &format!("ts={time}&dir={dir}")).await.ok();
    let [(a, at_a), (b, at_b)] = said.try_into().expect("two events");
    let (a, b) = (
        json!({ "event_id": a, "origin_server_ts": at_a }),
        json!({ "event_id": b, "origin_server_ts": at_b }),
    );
    assert_eq!((at(at_a, "f").await, at(at_a, "b").await), (a.clone(), a.clone()), "the time itself counts");
    assert_eq!((at(at_a + 1, "f").await, at(at_b - 1, "b").await), (b.clone(), a));
    assert_eq!(at(9_007_199_254_740_992, "b").await, b);
    let nothing = [(before, "b"), (at_b + 1, "f")];
    for (time, dir) in nothing {
        closest(&bed, &alice, &room, &format!("ts={time}&dir={dir}")).await.refused(404, "M_NOT_FOUND");
    }
    for query in ["", "ts=1", "dir=f"] {
        closest(&bed, &alice, &room, query).await.refused(400, "M_MISSING_PARAM");
    }
    for query in ["ts=-1&dir=f", "ts=x&dir=f", "ts=1&dir=up"] {
        closest(&bed, &alice, &room, query).await.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(start_paused = true)]
async fn events_of_one_moment_are_in_the_order_of_the_room() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    bed.pass(10).await;
    let now = bed.clock.now().0;
    let (first, _) = (bed.say(&alice, &room, "a").await, bed.say(&alice, &room, "b").await);
    let last = bed.say(&alice, &room, "c").await;
    for (dir, event) in [("f", first), ("b", last)] {
        let found = closest(&bed, &alice, &room, &format!("ts={now}&dir={dir}")).await.ok();
        assert_eq!(found["event_id"], event);
    }
}

/// Row 78 of the hostile input: without access. Row 76: what may be seen of the room decides.
#[tokio::test(start_paused = true)]
async fn row_78_who_has_no_access_finds_nothing() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    bed.pass(10).await;
    let seen = bed.say(&alice, &room, "a").await;
    bed.leave(&bob, &room).await.ok();
    bed.pass(10).await;
    let later = bed.clock.now().0;
    bed.say(&alice, &room, "b").await;
    for target in [&*room, "!absent:plop.example"] {
        closest(&bed, &carol, target, "ts=0&dir=f").await.refused(403, "M_FORBIDDEN");
    }
    closest(&bed, &bob, &room, &format!("ts={later}&dir=f")).await.refused(404, "M_NOT_FOUND");
    let last = closest(&bed, &bob, &room, &format!("ts={later}&dir=b")).await.ok();
    let event =
        bed.ask(&bob, Method::GET, "/rooms/{}/event/{}", &[&room, last["event_id"].as_str().expect("an id")]);
    assert_eq!(event.await.ok()["state_key"], bob.id.as_str(), "their own departure");
    let said = closest(&bed, &bob, &room, &format!("ts={}&dir=f", later - 10_000)).await.ok();
    assert_eq!(said["event_id"], seen);

    let shown = json!({ "history_visibility": "joined" });
    let hidden = bed
        .room(
            &alice,
            json!({ "preset": "public_chat", "initial_state": [
        { "type": "m.room.history_visibility", "content": shown }] }),
        )
        .await;
    bed.pass(10).await;
    let before = bed.clock.now().0;
    bed.say(&alice, &hidden, "before").await;
    bed.pass(10).await;
    let joined = bed.clock.now().0;
    bed.join(&carol, &hidden).await.ok();
    let first = closest(&bed, &carol, &hidden, &format!("ts={before}&dir=f")).await.ok();
    assert_eq!(first["origin_server_ts"], joined);
}
