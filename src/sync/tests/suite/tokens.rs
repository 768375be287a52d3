//! Tokens that are not what they should be, and those of before a restart.

use std::time::Duration;

use plop_base::{Clock, UnixMillis};
use plop_db::Position;
use plop_sync::{PageToken, SyncError, SyncRequest, SyncToken};
use ruma::RoomId;
use serde_json::json as value;

use crate::bed::{Bed, Client, Ground, keys, keyspaces, told, user};

#[tokio::test(start_paused = true)]
async fn what_is_no_token_is_refused() {
    let bed = Bed::new().await;
    bed.room("alice").await;
    for garbage in ["x", "s2_", "s72594_4483_1934", "s2_AAAA", "h1_00", "\u{1f600}", &"s2_A".repeat(100_000)]
    {
        let mut alice = bed.client("alice");
        alice.since = Some(garbage.to_owned());
        let outcome = alice.try_sync(SyncRequest::default()).await;
        assert!(matches!(outcome, Err(SyncError::NoToken)), "{garbage:.40}");
    }
    let mut alice = bed.client("alice");
    alice.since = Some(String::new());
    let answer = alice.sync().await;
    assert_eq!(keys(&answer), ["next_batch", "rooms"], "an empty one is none");
}

/// Every token that leads nowhere gets all there is, at once, and the next one goes on from there.
#[tokio::test(start_paused = true)]
async fn a_token_of_elsewhere_or_of_the_future_gets_the_full_answer() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    let token: SyncToken = alice.since.clone().expect("a token").parse().expect("a token");

    let mut restored = token;
    restored.database.restore_generation += 1;
    let mut foreign = token;
    foreign.database.database_id[0] ^= 1;
    let future = SyncToken { position: Position::from_bytes([0xfe; 12]), ..token };
    for odd in [restored, foreign, future] {
        alice.since = Some(odd.to_string());
        let before = bed.clock.monotonic();
        let answer = alice.wait(Duration::from_secs(30)).await;
        assert_eq!(bed.clock.monotonic(), before, "it does not wait");
        let told = told(&answer["rooms"]["join"][room.as_str()]["timeline"]["events"]);
        assert_eq!(told[0], "m.room.create");
        assert_eq!(keys(&alice.sync().await), ["next_batch"]);
    }
}

/// Hostile input, row 83.
#[tokio::test(start_paused = true)]
async fn the_token_of_another_user_shows_only_what_is_ones_own() {
    let bed = Bed::new().await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    let secret = bed.room("alice").await;
    bed.say("alice", &secret, "secret").await;
    alice.sync().await;
    let room = bed.room("bob").await;
    let mut bob = bed.client("bob");
    bob.since.clone_from(&alice.since);
    let answer = bob.sync().await;
    assert_eq!(answer["rooms"]["join"].as_object().map_or(0, |rooms| rooms.len()), 1);
    assert!(answer["rooms"]["join"][room.as_str()].is_object());
    assert!(!answer.to_string().contains(secret.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_client_goes_on_after_a_restart() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let quiet = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    bed.say("alice", &room, "before").await;
    let bed = bed.restarted().await;
    bed.say("alice", &room, "after").await;
    let mut client = bed.client("alice");
    client.since = alice.since;
    let answer = client.wait(Duration::from_secs(30)).await;
    let joined = &answer["rooms"]["join"];
    assert_eq!(told(&joined[room.as_str()]["timeline"]["events"]), ["before", "after"]);
    assert_eq!(joined[room.as_str()]["state"], value!(null));
    assert_eq!(joined[quiet.as_str()]["timeline"], value!(null));
    assert_eq!(keys(&client.sync().await), ["next_batch"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_each_client_goes_on_from_where_it_was() {
    let bed = Bed::new().await;
    let (room, other) = (bed.room("alice").await, bed.room("alice").await);
    let mut behind = bed.client("alice");
    behind.sync().await;
    bed.say("alice", &room, "one").await;
    let mut ahead = behind.clone();
    ahead.sync().await;
    let bed = bed.restarted().await;
    let from = |client: &Client<'_>| client.since.clone();
    let (behind, ahead) = (from(&behind), from(&ahead));
    let said = async |since: &Option<String>, room: &RoomId| {
        let mut client = bed.client("alice");
        client.since.clone_from(since);
        let answer = client.sync().await;
        told(&answer["rooms"]["join"][room.as_str()]["timeline"]["events"])
    };
    // What one client asks for is known when the next one comes.
    for _ in 0..2 {
        assert_eq!(said(&behind, &room).await, ["one"]);
        assert_eq!(said(&ahead, &room).await, [""; 0]);
    }
    bed.say("alice", &room, "two").await;
    bed.say("alice", &other, "three").await;
    assert_eq!(said(&behind, &room).await, ["one", "two"]);
    assert_eq!(said(&ahead, &room).await, ["two"]);
    assert_eq!(said(&behind, &other).await, ["three"]);
}

#[tokio::test(start_paused = true)]
async fn requests_for_the_past_take_both_kinds_of_token() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    let answer = alice.sync().await;
    bed.say("alice", &room, "later").await;
    let actor = user("alice");
    let reader = bed.rooms.reader(&actor, &room).await.expect("a reader");
    let place = async |text: &str| {
        let token: PageToken = text.parse().expect("a token");
        token.place(&reader, bed.db.identity()).await.expect("a place")
    };
    let prev_batch = answer["rooms"]["join"][room.as_str()]["timeline"]["prev_batch"].as_str();
    assert!(place(prev_batch.expect("a token")).await < place(alice.since.as_deref().expect("one")).await);
    assert!("x".parse::<PageToken>().is_err());

    let clock = Clock::simulated(UnixMillis(0));
    let other = Bed::on(Ground { clock, ..Ground::new(keyspaces(), 9) }).await;
    let mut elsewhere = other.client("alice");
    elsewhere.sync().await;
    let now = reader.token_at(reader.view().position).await.expect("a place");
    assert_eq!(place(elsewhere.since.as_deref().expect("a token")).await, now);
}
