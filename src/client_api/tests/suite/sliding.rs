//! Sliding sync as clients call it. What is in the answers is tested where they are made.

use std::future::IntoFuture as _;
use std::time::Duration;

use plop_bed_rooms::public_room;
use plop_rooms::ops::create::CreateRoom;
use ruma::{OwnedRoomId, RoomVersionId};
use serde_json::{Value, json};

use crate::bed::{Bed, User};

const DEPLOYED: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";
const ACCEPTED: &str = "/_matrix/client/v4/sync";

async fn room(bed: &Bed, by: &User) -> OwnedRoomId {
    let request = CreateRoom { name: Some("Tea".to_owned()), ..public_room(RoomVersionId::V12) };
    bed.api.rooms.create(&by.actor(), &request).await.expect("a room")
}

/// What Element X asks for.
fn room_list(window: u64) -> Value {
    let required_state = json!([
        ["m.room.name", ""],
        ["m.room.encryption", ""],
        ["m.room.member", "$LAZY"],
        ["m.room.member", "$ME"],
        ["m.room.topic", ""],
        ["m.room.avatar", ""],
        ["m.room.canonical_alias", ""],
        ["m.room.power_levels", ""],
        ["m.call.member", "*"],
        ["m.room.join_rules", ""],
        ["m.room.tombstone", ""],
        ["m.room.create", ""],
        ["m.room.history_visibility", ""],
        ["m.space.parent", "*"],
        ["m.space.child", "*"],
        ["io.element.functional_members", ""],
        ["m.room.pinned_events", ""],
        ["m.beacon_info", "*"],
    ]);
    json!({
        "conn_id": "room-list",
        "txn_id": "1",
        "lists": {"all_rooms": {
            "ranges": [[0, window - 1]], "timeline_limit": 1, "required_state": required_state,
            "filters": {"not_room_types": ["m.space"]},
        }},
        "extensions": {
            "account_data": {"enabled": true},
            "receipts": {"enabled": true, "rooms": ["*"]},
            "typing": {"enabled": true},
            "io.element.unknown": {"enabled": true},
        },
    })
}

#[tokio::test(start_paused = true)]
async fn element_x_starts_with_two_connections() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    for _ in 0..3 {
        room(&bed, &alice).await;
    }
    let encryption = json!({
        "conn_id": "encryption",
        "extensions": {"to_device": {"enabled": true}, "e2ee": {"enabled": true}},
    });
    let first = bed.post(DEPLOYED).json(&encryption).by(&alice).await.ok();
    assert!(first["extensions"]["to_device"]["next_batch"].is_string(), "{first}");
    let list = bed.post(DEPLOYED).json(&room_list(20)).by(&alice).await.ok();
    assert_eq!((&list["txn_id"], &list["lists"]["all_rooms"]["count"]), (&json!("1"), &json!(3)));
    let rooms = list["rooms"].as_object().expect("rooms");
    assert_eq!(rooms.len(), 3);
    for room in rooms.values() {
        assert_eq!(room["name"], "Tea");
        let state = room["required_state"].as_array().expect("state");
        let own = state.iter().find(|event| event["type"] == "m.room.member").expect("the own member event");
        assert_eq!(own["state_key"], alice.id.as_str());
    }
    let waiting = |pos: &Value, body: &Value| {
        let pos = pos["pos"].as_str().expect("a position").to_owned();
        bed.post(&format!("{DEPLOYED}?pos={pos}&timeout=30000&set_presence=unavailable"))
            .json(body)
            .by(&alice)
    };
    let body = room_list(100);
    let started = bed.clock.monotonic();
    let later = async {
        bed.clock.sleep(Duration::from_secs(2)).await;
        room(&bed, &alice).await
    };
    let (encrypted, list, new) =
        tokio::join!(waiting(&first, &encryption).into_future(), waiting(&list, &body).into_future(), later);
    let list = list.ok();
    assert_eq!(list["rooms"].as_object().map(|rooms| rooms.len()), Some(1));
    assert_eq!(list["rooms"][new.as_str()]["initial"], true);
    assert_eq!(encrypted.ok()["rooms"], json!({}));
    assert_eq!(bed.clock.monotonic() - started, Duration::from_secs(30));
}

/// The answers are what the client's library reads.
#[tokio::test(start_paused = true)]
async fn an_answer_is_one_of_the_deployed_dialect() {
    use ruma::api::client::sync::sync_events::v5::response::{Extensions, Room};

    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let id = room(&bed, &alice).await;
    let body = bed.post(DEPLOYED).json(&room_list(20)).by(&alice).await.ok();
    let room: Room = serde_json::from_value(body["rooms"][id.as_str()].clone()).expect("a room");
    let extensions: Extensions = serde_json::from_value(body["extensions"].clone()).expect("extensions");
    assert_eq!((room.initial, room.name.as_deref(), room.timeline.len()), (Some(true), Some("Tea"), 1));
    assert!(room.bump_stamp.is_some() && room.joined_count.is_some() && !room.required_state.is_empty());
    assert!(!extensions.account_data.global.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_accepted_dialect_has_all_in_the_body() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let id = room(&bed, &alice).await;
    let body = |pos: Option<&str>| {
        let required_state =
            json!({"include": [{"type": "m.room.name", "state_key": ""}], "lazy_members": true});
        json!({
            "pos": pos, "timeout": 1000, "set_presence": "offline",
            "lists": {"all": {"range": [0, 9], "timeline_limit": 5, "required_state": required_state}},
            "room_subscriptions": {id.as_str(): {"timeline_limit": 1, "required_state": {"include": [{}],
                "exclude": [{"type": "m.room.member"}]}}},
        })
    };
    let first = bed.post(ACCEPTED).json(&body(None)).by(&alice).await.ok();
    let told = &first["rooms"][id.as_str()];
    assert_eq!((&told["membership"], &told["lists"]), (&json!("join"), &json!(["all"])));
    assert_eq!(told["timeline_events"].as_array().map(Vec::len), Some(5));
    assert!(told["required_state"].as_array().is_some_and(|state| state.len() > 4), "{told}");
    let pos = first["pos"].as_str().expect("a position");
    let second = bed.post(ACCEPTED).json(&body(Some(pos))).by(&alice).await.ok();
    assert_eq!((&second["pos"], &second["rooms"]), (&json!(pos), &json!({})));
    let page =
        bed.get(&format!("/_matrix/client/v3/rooms/{id}/messages?dir=b&from={pos}")).by(&alice).await.ok();
    assert!(page["chunk"].as_array().is_some_and(|chunk| chunk.len() > 5), "{page}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_position_is_said_to_be_one() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let body = json!({});
    for pos in ["5", "p1_AAAA", "s2_AAAA"] {
        bed.post(&format!("{DEPLOYED}?pos={pos}")).json(&body).by(&alice).await.refused(400, "M_UNKNOWN_POS");
        bed.post(ACCEPTED).json(&json!({ "pos": pos })).by(&alice).await.refused(400, "M_UNKNOWN_POS");
    }
    let bob = bed.user("bob").await;
    let first = bed.post(DEPLOYED).json(&body).by(&alice).await.ok();
    let path = format!("{DEPLOYED}?pos={}", first["pos"].as_str().expect("a position"));
    bed.post(&path).json(&body).by(&bob).await.refused(400, "M_UNKNOWN_POS");
    let restarted = bed.restarted().await;
    restarted.post(&path).json(&body).by(&alice).await.ok();
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_or_no_request_is_refused() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let list = json!({"timeline_limit": 1, "required_state": [], "ranges": [[0, 1]]});
    let lists = |number: usize| {
        let lists: serde_json::Map<_, _> = (0..number).map(|name| (name.to_string(), list.clone())).collect();
        json!({ "lists": lists })
    };
    let subscriptions = |number: usize| {
        let config = json!({"timeline_limit": 1});
        let rooms: serde_json::Map<_, _> =
            (0..number).map(|name| (format!("!{name}:plop.example"), config.clone())).collect();
        json!({ "room_subscriptions": rooms })
    };
    let with = |key: &str, part: Value| {
        let mut list = list.clone();
        list[key] = part;
        json!({"lists": {"a": list}})
    };
    let named = |lists: usize, names: usize| {
        let types: Vec<String> = (0..names).map(|name| name.to_string()).collect();
        let list = json!({"timeline_limit": 1, "ranges": [[0, 1]], "filters": {"not_room_types": types}});
        let lists: serde_json::Map<_, _> = (0..lists).map(|name| (name.to_string(), list.clone())).collect();
        json!({ "lists": lists })
    };
    for body in [
        named(2, 500),
        lists(100),
        subscriptions(100),
        with("timeline_limit", json!(9_007_199_254_740_991_u64)),
    ] {
        bed.post(DEPLOYED).json(&body).by(&alice).await.ok();
    }
    let long = "x".repeat(300);
    let state: Vec<_> = (0..200).map(|number| json!([format!("{number}{}", "x".repeat(100)), ""])).collect();
    for body in [
        lists(101),
        subscriptions(101),
        with("ranges", json!([[5, 1]])),
        with("ranges", json!(vec![[0, 1]; 17])),
        with("required_state", json!(state)),
        with("filters", json!({"room_name_like": "tea"})),
        with("filters", json!({"tags": vec!["x"; 1_001]})),
        named(2, 501),
        json!({ "conn_id": long }),
        json!({"extensions": {"to_device": {"enabled": true, "since": "5"}}}),
    ] {
        bed.post(DEPLOYED).json(&body).by(&alice).await.refused(400, "M_INVALID_PARAM");
    }
    for body in [
        json!({"lists": 1}),
        json!({"lists": {"a": {"ranges": [[0, -1]], "timeline_limit": 1}}}),
        json!({"room_subscriptions": {"no room": {"timeline_limit": 1}}}),
    ] {
        bed.post(DEPLOYED).json(&body).by(&alice).await.refused(400, "M_BAD_JSON");
    }
    for query in ["timeout=soon", "set_presence=away"] {
        bed.post(&format!("{DEPLOYED}?{query}"))
            .json(&json!({}))
            .by(&alice)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    let of_accepted = json!({"timeline_limit": 1, "required_state": {}});
    for body in [
        json!({"set_presence": "away"}),
        json!({"lists": {"a b": of_accepted}}),
        json!({"lists": {"a": {"timeline_limit": 1, "required_state": {}, "range": [2, 1]}}}),
    ] {
        bed.post(ACCEPTED).json(&body).by(&alice).await.refused(400, "M_INVALID_PARAM");
    }
}

/// What clients subscribe to is the same for each room.
#[tokio::test(start_paused = true)]
async fn row_137_state_is_wished_for_within_a_total() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let state = |name: &str, number: usize| {
        let patterns = (0..number).map(|number| json!([format!("{name}.{number}"), ""]));
        json!({"timeline_limit": 1, "required_state": patterns.collect::<Vec<_>>()})
    };
    let body = |name: &dyn Fn(usize) -> String| {
        let part = |sigil: &str, end: &str| -> serde_json::Map<_, _> {
            (0..50).map(|number| (format!("{sigil}{number}{end}"), state(&name(number), 20))).collect()
        };
        json!({"lists": part("", ""), "room_subscriptions": part("!", ":plop.example")})
    };
    bed.post(DEPLOYED).json(&body(&|_| "a".to_owned())).by(&alice).await.ok();
    let refused = bed.post(DEPLOYED).json(&body(&|number| number.to_string())).by(&alice).await;
    refused.refused(400, "M_INVALID_PARAM");
}

/// Hostile input, row 96: what comes after a device was logged out is not for it.
#[tokio::test(start_paused = true)]
async fn a_device_that_is_logged_out_while_it_waits_gets_nothing() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let first = bed.post(DEPLOYED).json(&room_list(20)).by(&alice).await.ok();
    let path = format!("{DEPLOYED}?timeout=30000&pos={}", first["pos"].as_str().expect("a position"));
    let started = bed.clock.monotonic();
    let waiting = async {
        let answer = bed.post(&path).json(&room_list(20)).by(&alice).await;
        (answer, bed.clock.monotonic().saturating_sub(started))
    };
    let log_out = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.api.accounts.logout(&alice.actor()).await.expect("logged out");
    };
    let ((answer, waited), ()) = tokio::join!(waiting, log_out);
    answer.refused(401, "M_UNKNOWN_TOKEN");
    assert!(waited < Duration::from_secs(2), "at once: {waited:?}");
}
