//! Joined rooms: the first answer, what is new since, waiting.

use std::time::Duration;

use serde_json::json as value;

use crate::bed::{Bed, ids, keys, told};

const HALF_MINUTE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn the_first_answer_has_the_room_and_the_next_what_is_new() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    let first = alice.sync().await;
    assert_eq!(keys(&first), ["next_batch", "rooms"]);
    let joined = &first["rooms"]["join"][room.as_str()];
    assert_eq!(told(&joined["timeline"]["events"])[0], "m.room.create");
    assert_eq!(joined["timeline"]["limited"], false);
    assert_eq!(joined["state"], value!(null), "all of it is in the timeline");
    assert_eq!(joined["summary"]["m.joined_member_count"], 1);

    assert_eq!(keys(&alice.sync().await), ["next_batch"]);

    let hello = bed.say("alice", &room, "hello").await;
    let next = alice.sync().await;
    let joined = &next["rooms"]["join"][room.as_str()];
    assert_eq!(keys(joined), ["timeline", "unread_notifications"]);
    assert_eq!(ids(&joined["timeline"]["events"]), [hello.as_str()]);
    assert_eq!(joined["timeline"]["limited"], false);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_news_and_no_longer_than_it_wants() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    let before = bed.clock.monotonic();
    assert_eq!(keys(&alice.wait(HALF_MINUTE).await), ["next_batch"]);
    assert_eq!(bed.clock.monotonic() - before, HALF_MINUTE);

    let before = bed.clock.monotonic();
    let said = async {
        bed.clock.sleep(Duration::from_secs(5)).await;
        bed.say("alice", &room, "now").await
    };
    let (answer, _) = tokio::join!(alice.wait(HALF_MINUTE), said);
    assert_eq!(told(&answer["rooms"]["join"][room.as_str()]["timeline"]["events"]), ["now"]);
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(5));
}
