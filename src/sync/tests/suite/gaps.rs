//! Timelines that are cut short: what is left out is found by paging back.

use plop_db::Direction;
use plop_rooms::reader::history::PageRequest;
use plop_rooms::reader::token::HistoryToken;
use plop_sync::PageToken;
use ruma::RoomId;
use serde_json::{Value, json as value};

use crate::bed::{Bed, told, user};

/// The bodies of messages on the page that leads back from a token to another one.
async fn paged(bed: &Bed, room: &RoomId, from: &Value, to: Option<&str>) -> Vec<String> {
    let actor = user("alice");
    let mut reader = bed.rooms.reader(&actor, room).await.expect("a reader");
    let from: HistoryToken = from.as_str().expect("a token").parse().expect("a token");
    let to = match to {
        Some(to) => {
            let token: PageToken = to.parse().expect("a token");
            Some(token.place(&reader, bed.db.identity()).await.expect("a place"))
        }
        None => None,
    };
    let request = PageRequest { from: Some(from), to, direction: Direction::Backward, limit: 100 };
    let page = reader.history(request, |_| true).await.expect("a page");
    let body =
        |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["body"].as_str().map(str::to_owned);
    page.events.iter().filter_map(|event| body(event.pdu.content_text())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_limited_timeline_has_the_newest_and_a_way_back() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.filter = Some(r#"{"room":{"timeline":{"limit":3}}}"#.to_owned());
    let first = alice.sync().await;
    assert_eq!(first["rooms"]["join"][room.as_str()]["timeline"]["limited"], true);
    for number in 0..8 {
        bed.say("alice", &room, &format!("{number}")).await;
    }
    let since = alice.since.clone();
    let answer = alice.sync().await;
    let timeline = &answer["rooms"]["join"][room.as_str()]["timeline"];
    assert_eq!(told(&timeline["events"]), ["5", "6", "7"]);
    assert_eq!(timeline["limited"], true);
    let rest = paged(&bed, &room, &timeline["prev_batch"], since.as_deref()).await;
    assert_eq!(rest, ["4", "3", "2", "1", "0"], "none lost, none twice");
}

#[tokio::test(start_paused = true)]
async fn exactly_as_many_as_the_limit_are_not_limited() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.filter = Some(r#"{"room":{"timeline":{"limit":2,"types":["m.room.message"]}}}"#.to_owned());
    alice.sync().await;
    bed.say("alice", &room, "one").await;
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"t"}"#).await;
    bed.say("alice", &room, "two").await;
    bed.set("alice", &room, "m.room.name", r#"{"name":"n"}"#).await;
    let answer = alice.sync().await;
    let joined = &answer["rooms"]["join"][room.as_str()];
    assert_eq!(told(&joined["timeline"]["events"]), ["one", "two"]);
    assert_eq!(joined["timeline"]["limited"], false);
    let mut state = told(&joined["state"]["events"]);
    state.sort();
    assert_eq!(state, ["m.room.name", "m.room.topic"], "what the timeline does not tell");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_gives_no_events_and_says_that_there_are_some() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.filter = Some(r#"{"room":{"timeline":{"limit":0}}}"#.to_owned());
    let first = alice.sync().await;
    let joined = &first["rooms"]["join"][room.as_str()];
    assert_eq!(joined["timeline"]["events"], value!([]));
    assert_eq!(joined["timeline"]["limited"], true);
    assert!(told(&joined["state"]["events"]).contains(&"m.room.create".to_owned()), "all of the state");
    bed.say("alice", &room, "one").await;
    let answer = alice.sync().await;
    let timeline = &answer["rooms"]["join"][room.as_str()]["timeline"];
    assert_eq!(timeline["limited"], true);
    assert_eq!(paged(&bed, &room, &timeline["prev_batch"], None).await, ["one"]);
}

/// More than what is kept in memory of a room, from several positions.
#[tokio::test(start_paused = true)]
async fn a_client_that_was_away_long_gets_the_same_as_one_that_was_not() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.filter = Some(r#"{"room":{"timeline":{"limit":100}}}"#.to_owned());
    alice.sync().await;
    let mut clients = vec![alice];
    for number in 0..150 {
        bed.say("alice", &room, &format!("{number}")).await;
        if number % 30 == 0 {
            let mut client = clients[0].clone();
            client.since = {
                let mut now = clients[0].clone();
                now.sync().await;
                now.since
            };
            clients.push(client);
        }
    }
    for (index, client) in clients.iter().enumerate().skip(1) {
        let from = (index - 1) * 30 + 1;
        let expected: Vec<String> = (from.max(50)..150).map(|number| number.to_string()).collect();
        // Both with what is in memory and without.
        let restarted = bed.restarted().await;
        for bed in [&bed, &restarted] {
            let mut client = client.clone();
            client.bed = bed;
            let answer = client.sync().await;
            let timeline = &answer["rooms"]["join"][room.as_str()]["timeline"];
            assert_eq!(told(&timeline["events"]), expected, "from {from}");
            assert_eq!(timeline["limited"], from < 50);
        }
    }
}
