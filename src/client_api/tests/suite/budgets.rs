//! What one user may take from all (hostile input, rows 137, 149, 150).

use std::time::Duration;

use plop_accounts::login::PasswordLogin;
use plop_accounts::sessions::NewDevice;
use plop_base::buckets::Rate;
use plop_bed_rooms::public_room;
use plop_client_api::{ActionRates, BudgetLimits};
use plop_rooms::ops::create::CreateRoom;
use ruma::RoomVersionId;
use serde_json::{Value, json};

use crate::bed::{Bed, HERE, PASSWORD, User};
use crate::call::Call;
use crate::media::path;

const SYNC: &str = "/_matrix/client/v3/sync";

async fn bed() -> Bed {
    bed_with(|_| ()).await
}

async fn bed_with(choose: impl FnOnce(&mut BudgetLimits)) -> Bed {
    let rate = |burst| Rate { burst, interval: Duration::from_secs(1) };
    let mut limits = BudgetLimits {
        writes: rate(30),
        reads: rate(4),
        strangers: rate(3),
        full_syncs: 2,
        actions: ActionRates::default(),
    };
    choose(&mut limits);
    Bed::with(|choices| choices.budgets = Some(limits)).await
}

/// A request that writes, and succeeds.
fn write(bed: &Bed, by: &User) -> Call {
    bed.put(&format!("/_matrix/client/v3/user/{}/account_data/org.example", by.id)).by(by).json(&json!({}))
}

#[tokio::test(start_paused = true)]
async fn row_137_a_user_who_writes_without_end_waits_on_all_devices_and_nobody_else_does() {
    let bed = bed().await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let login = PasswordLogin {
        user: "alice".into(),
        password: PASSWORD.into(),
        device: NewDevice { id: Some("TABLET".into()), ..NewDevice::default() },
        from: HERE,
    };
    let tablet = bed.api.accounts.login(login).await.expect("a login");
    let tablet = User { id: tablet.user, device: tablet.device, token: tablet.tokens.access };
    for _ in 0..30 {
        write(&bed, &alice).await.ok();
    }
    let refused = write(&bed, &alice).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.refused(429, "M_LIMIT_EXCEEDED")["retry_after_ms"], 1_000);
    write(&bed, &tablet).await.refused(429, "M_LIMIT_EXCEEDED");
    write(&bed, &bob).await.ok();
    // Reading goes on, and so does leaving.
    bed.get("/_matrix/client/v3/joined_rooms").by(&alice).await.ok();
    bed.post("/_matrix/client/v3/logout").by(&tablet).await.ok();
    bed.pass(2).await;
    for _ in 0..2 {
        write(&bed, &alice).await.ok();
    }
    write(&bed, &alice).await.refused(429, "M_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn row_149_rooms_and_invitations_cost_more_than_messages() {
    let bed = bed().await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let create = |body| bed.post("/_matrix/client/v3/createRoom").by(&alice).json(&body);
    let room = create(json!({})).await.ok();
    let room = room["room_id"].as_str().expect("a room");
    create(json!({})).await.refused(429, "M_LIMIT_EXCEEDED");
    let invite = || {
        let path = format!("/_matrix/client/v3/rooms/{room}/invite");
        bed.post(&path).by(&alice).json(&json!({ "user_id": bob.id }))
    };
    // Ten are left, and it does not matter how a request ends.
    invite().await.ok();
    invite().await;
    invite().await.refused(429, "M_LIMIT_EXCEEDED");
    bed.pass(60).await;
    // Those who are invited at once are paid for too, also afterwards.
    create(json!({ "invite": [bob.id] })).await.ok();
    bed.pass(20).await;
    for _ in 0..29 {
        write(&bed, &alice).await.ok();
    }
    write(&bed, &alice).await.refused(429, "M_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn reads_that_cost_have_a_budget_and_others_have_none() {
    let bed = bed().await;
    let alice = bed.user("alice").await;
    let room = bed.post("/_matrix/client/v3/createRoom").by(&alice).json(&json!({})).await.ok();
    let room = room["room_id"].as_str().expect("a room").to_owned();
    let read = |what: &str| bed.get(&format!("/_matrix/client/v3/rooms/{room}/{what}")).by(&alice);
    let first = bed.get(SYNC).by(&alice).await.ok();
    for what in ["messages?dir=b", "members", "joined_members", "state"] {
        read(what).await.ok();
    }
    for what in ["messages?dir=b", "members", "joined_members", "state"] {
        read(what).await.refused(429, "M_LIMIT_EXCEEDED");
    }
    read("state/m.room.create").await.ok();
    let next = format!("{SYNC}?since={}", first["next_batch"].as_str().expect("a token"));
    for _ in 0..20 {
        bed.get(&next).by(&alice).await.ok();
    }
}

/// Row 108 of the hostile input: the decoders are everybody's. What is there, and what cannot be, costs nothing.
#[tokio::test(start_paused = true)]
async fn row_108_thumbnails_cost_while_they_are_not_made() {
    let bed = bed().await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let mut files = Vec::new();
    for number in 0..5 {
        files.push(bed.upload(&alice, "image/png", "", vec![number; 8]).await);
    }
    let get = |by: &User, file: &str| {
        let path = path("/_matrix/client/v1/media/thumbnail", file);
        bed.get(&format!("{path}?width=32&height=32")).by(by)
    };
    for file in &files[..4] {
        get(&alice, file).await.refused(400, "M_UNKNOWN");
    }
    get(&alice, &files[4]).await.refused(429, "M_LIMIT_EXCEEDED");
    for file in &files[..4] {
        get(&alice, file).await.refused(400, "M_UNKNOWN");
    }
    get(&bob, &files[4]).await.refused(400, "M_UNKNOWN");
    get(&alice, &files[4]).await.refused(400, "M_UNKNOWN");
}

#[tokio::test(start_paused = true)]
async fn row_150_two_full_answers_are_sent_to_a_user_at_a_time() {
    let bed = bed().await;
    let alice = bed.user("alice").await;
    let open = async || bed.get(SYNC).by(&alice).open().await;
    let (first, second) = (open().await, open().await);
    assert!(first.status().is_success() && second.status().is_success());
    bed.get(SYNC).by(&alice).await.refused(429, "M_LIMIT_EXCEEDED");
    bed.get(&format!("{SYNC}?since=")).by(&alice).await.refused(429, "M_LIMIT_EXCEEDED");
    // The client has got one, or is gone.
    drop(second);
    let full = bed.get(SYNC).by(&alice).await.ok();
    let since = full["next_batch"].as_str().expect("a token");
    let again = open().await;
    bed.get(&format!("{SYNC}?full_state=true&since={since}"))
        .by(&alice)
        .await
        .refused(429, "M_LIMIT_EXCEEDED");
    bed.get(&format!("{SYNC}?since={since}")).by(&alice).await.ok();
    drop((first, again));
}

/// It is the rooms that make it full, not that it is the first.
#[tokio::test(start_paused = true)]
async fn row_150_answers_of_sliding_sync_with_many_new_rooms_are_full_ones() {
    let bed = bed_with(|limits| limits.reads = Rate { burst: 1_000, interval: Duration::from_secs(1) }).await;
    let alice = bed.user("alice").await;
    for _ in 0..102 {
        let request = CreateRoom { name: Some("Tea".to_owned()), ..public_room(RoomVersionId::V11) };
        bed.api.rooms.create(&alice.actor(), &request).await.expect("a room");
    }
    let ask = |connection: &str, pos: &Value, window: usize| {
        let list = json!({"ranges": [[0, window - 1]], "timeline_limit": 1, "required_state": []});
        let pos = pos.as_str().map(|pos| format!("?pos={pos}")).unwrap_or_default();
        bed.post(&format!("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync{pos}"))
            .json(&json!({"conn_id": connection, "lists": {"all": list}}))
            .by(&alice)
    };
    let mut begun = Vec::new();
    for connection in ["a", "b"] {
        begun.push(ask(connection, &Value::Null, 1).await.ok()["pos"].clone());
    }
    let first = ask("d", &Value::Null, 1_000).open().await;
    let second = ask("e", &Value::Null, 1_000).open().await;
    assert!(first.status().is_success() && second.status().is_success());
    ask("f", &Value::Null, 1_000).await.refused(429, "M_LIMIT_EXCEEDED");
    ask("b", &begun[1], 1_000).await.refused(429, "M_LIMIT_EXCEEDED");
    let few = ask("a", &begun[0], 100).await.ok();
    assert_eq!(few["rooms"].as_object().map(|rooms| rooms.len()), Some(99));
    drop((first, second));
    let all = ask("b", &begun[1], 1_000).await.ok();
    assert_eq!(all["rooms"].as_object().map(|rooms| rooms.len()), Some(101));
}

#[tokio::test(start_paused = true)]
async fn strangers_ask_for_the_directory_now_and_then() {
    let bed = bed().await;
    let ask = |from: &str| bed.get("/_matrix/client/v3/publicRooms").from(from);
    for _ in 0..3 {
        ask("2001:db8::1").await.ok();
    }
    ask("2001:db8::ffff").await.refused(429, "M_LIMIT_EXCEEDED");
    ask("2001:db8:0:1::1").await.ok();
    bed.pass(1).await;
    ask("2001:db8::1").await.ok();
}

/// As many as `burst` at once.
fn often(burst: u32) -> Option<Rate> {
    Some(Rate { burst, interval: Duration::from_secs(60) })
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_request_has_a_rate_of_its_own() {
    let bed = bed_with(|limits| {
        let writes = Rate { burst: 1_000, interval: Duration::from_secs(1) };
        let actions = ActionRates { sends: often(3), joins: often(1), ..ActionRates::default() };
        *limits = BudgetLimits { writes, actions, ..*limits };
    })
    .await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let room = bed.post("/_matrix/client/v3/createRoom").by(&alice).json(&json!({ "preset": "public_chat" }));
    let room = room.await.ok()["room_id"].as_str().expect("a room").to_owned();
    let path = format!("/_matrix/client/v3/rooms/{room}");
    let send = |by: &User, id: u32| {
        let message = json!({ "msgtype": "m.text", "body": "hi" });
        bed.put(&format!("{path}/send/m.room.message/{id}")).by(by).json(&message)
    };
    send(&alice, 1).await.ok();
    bed.put(&format!("{path}/state/m.room.topic")).by(&alice).json(&json!({ "topic": "a" })).await.ok();
    send(&alice, 2).await.ok();
    let refused = send(&alice, 3).await;
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(refused.refused(429, "M_LIMIT_EXCEEDED")["retry_after_ms"], 60_000);
    // What is of no kind goes on.
    write(&bed, &alice).await.ok();
    let join = || bed.post(&format!("/_matrix/client/v3/join/{room}")).by(&bob).json(&json!({}));
    join().await.ok();
    join().await.refused(429, "M_LIMIT_EXCEEDED");
    send(&bob, 1).await.ok();
    bed.pass(60).await;
    send(&alice, 3).await.ok();
}

#[tokio::test(start_paused = true)]
async fn row_149_nobody_is_flooded_with_invitations_by_many() {
    let bed = Bed::with(|choices| choices.invites.to_user = often(2)).await;
    let (alice, carol, bob) = (bed.user("alice").await, bed.user("carol").await, bed.user("bob").await);
    let create =
        |by: &User, body: serde_json::Value| bed.post("/_matrix/client/v3/createRoom").by(by).json(&body);
    let room = create(&alice, json!({})).await.ok()["room_id"].as_str().expect("a room").to_owned();
    let invite = |by: &User| {
        let body = json!({ "user_id": bob.id });
        bed.post(&format!("/_matrix/client/v3/rooms/{room}/invite")).by(by).json(&body)
    };
    // Who may not invite into the room takes nothing from others.
    for _ in 0..5 {
        assert_ne!(invite(&carol).await.status, 429);
    }
    invite(&alice).await.ok();
    create(&carol, json!({ "invite": [bob.id] })).await.ok();
    create(&carol, json!({ "invite": [bob.id] })).await.refused(429, "M_LIMIT_EXCEEDED");
    let other = create(&alice, json!({})).await.ok()["room_id"].as_str().expect("a room").to_owned();
    let member = format!("/_matrix/client/v3/rooms/{other}/state/m.room.member/{}", bob.id);
    let by_state = bed.put(&member).by(&alice).json(&json!({ "membership": "invite" }));
    by_state.await.refused(429, "M_LIMIT_EXCEEDED");
    bed.pass(60).await;
    create(&carol, json!({ "invite": [bob.id] })).await.ok();
}
