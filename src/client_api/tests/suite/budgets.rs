//! What one user may take from all (hostile input, rows 137, 149, 150).

use std::time::Duration;

use plop_accounts::login::PasswordLogin;
use plop_accounts::sessions::NewDevice;
use plop_base::buckets::Rate;
use plop_client_api::BudgetLimits;
use serde_json::json;

use crate::bed::{Bed, HERE, PASSWORD, User};
use crate::call::Call;

const SYNC: &str = "/_matrix/client/v3/sync";

async fn bed() -> Bed {
    let rate = |burst| Rate { burst, interval: Duration::from_secs(1) };
    let limits = BudgetLimits { writes: rate(30), reads: rate(4), strangers: rate(3), full_syncs: 2 };
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
        user: "alice".to_owned(),
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
