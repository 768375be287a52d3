//! What a timeline shows whom, by the history visibility of each event.

use plop_rooms::ops::create::{CreateRoom, InitialState};
use plop_state::json::Object;
use ruma::RoomVersionId;

use crate::bed::{Bed, id, json, public_room, told, user};

/// Hostile input, row 76, as far as /sync goes: what is said before bob is invited, while he is invited, while he is in, after he left, and once
/// he is in again.
#[tokio::test(start_paused = true)]
async fn each_event_is_shown_by_the_visibility_and_membership_of_its_time() {
    for (visibility, first, second) in [
        (
            "world_readable",
            &["before", "invited", "in"][..],
            &["before", "invited", "in", "out", "again"][..],
        ),
        ("shared", &["before", "invited", "in"], &["before", "invited", "in", "out", "again"]),
        ("invited", &["invited", "in"], &["invited", "in", "again"]),
        ("joined", &["in"], &["in", "again"]),
    ] {
        let bed = Bed::new().await;
        let content = json(&format!(r#"{{"history_visibility":"{visibility}"}}"#));
        let state =
            InitialState { kind: "m.room.history_visibility".to_owned(), state_key: String::new(), content };
        let request = CreateRoom { initial_state: vec![state], ..public_room(RoomVersionId::V12) };
        let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
        bed.say("alice", &room, "before").await;
        bed.rooms.invite(&user("alice"), &room, &id("bob"), &Object::new()).await.expect("an invite");
        bed.say("alice", &room, "invited").await;
        let messages = async |filter: &str| {
            let mut bob = bed.client("bob");
            let messages = r#""timeline":{"types":["m.room.message"],"limit":50}"#;
            bob.filter = Some(format!(r#"{{"room":{{{filter}{messages}}}}}"#));
            let answer = bob.sync().await;
            let rooms = &answer["rooms"];
            let of = |section: &str| told(&rooms[section][room.as_str()]["timeline"]["events"]);
            [of("join"), of("leave")].concat()
        };
        assert_eq!(messages("").await, [""; 0], "{visibility}: invited");
        bed.join("bob", &room).await;
        bed.say("alice", &room, "in").await;
        assert_eq!(messages("").await, first, "{visibility}: in");
        bed.leave("bob", &room).await;
        bed.say("alice", &room, "out").await;
        assert_eq!(messages(r#""include_leave":true,"#).await, first, "{visibility}: left");
        bed.join("bob", &room).await;
        bed.say("alice", &room, "again").await;
        assert_eq!(messages("").await, second, "{visibility}: in again");
    }
}
