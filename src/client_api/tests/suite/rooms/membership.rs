//! Inviting, leaving, removing, banning, forgetting.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};

async fn membership(bed: &Bed, room: &str, user: &User) -> Value {
    bed.state(user, room, "m.room.member", user.id.as_str()).await["membership"].clone()
}

#[tokio::test(start_paused = true)]
async fn members_come_and_go() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({})).await;
    let step = async |by: &User, action, target: &User| {
        let call = bed.ask(by, Method::POST, "/rooms/{}/{}", &[&room, action]);
        let body = json!({ "user_id": target.id, "reason": action });
        assert_eq!(call.json(&body).await.ok(), json!({}));
        bed.state(&alice, &room, "m.room.member", target.id.as_str()).await
    };
    assert_eq!(step(&alice, "invite", &bob).await, json!({ "membership": "invite", "reason": "invite" }));
    bed.join(&bob, &room).await.ok();
    assert_eq!(step(&alice, "kick", &bob).await, json!({ "membership": "leave", "reason": "kick" }));
    assert_eq!(step(&alice, "ban", &bob).await, json!({ "membership": "ban", "reason": "ban" }));
    assert_eq!(step(&alice, "unban", &bob).await, json!({ "membership": "leave", "reason": "unban" }));
    step(&alice, "invite", &bob).await;
    let leave = bed.ask(&bob, Method::POST, "/rooms/{}/leave", &[&room]);
    assert_eq!(leave.json(&json!({ "reason": "no, thanks" })).await.ok(), json!({}));
    assert_eq!(
        bed.state(&alice, &room, "m.room.member", bob.id.as_str()).await,
        json!({ "membership": "leave", "reason": "no, thanks" })
    );
}

#[tokio::test(start_paused = true)]
async fn joined_rooms_are_listed() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let list = async |user: &User| bed.ask(user, Method::GET, "/joined_rooms", &[]).await.ok();
    assert_eq!(list(&alice).await, json!({ "joined_rooms": [] }));
    let room = bed.room(&alice, json!({ "invite": [bob.id] })).await;
    assert_eq!(list(&alice).await, json!({ "joined_rooms": [room] }));
    assert_eq!(list(&bob).await, json!({ "joined_rooms": [] }), "invited is not joined");
    bed.leave(&alice, &room).await.ok();
    assert_eq!(list(&alice).await, json!({ "joined_rooms": [] }));
}

#[tokio::test(start_paused = true)]
async fn what_a_member_may_not_do_is_refused() {
    let bed = Bed::new().await;
    let [alice, bob, carol, dan] = bed.users(["alice", "bob", "carol", "dan"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    bed.act_on(&alice, &room, "ban", &dan).await.ok();
    for (by, action, target, errcode) in [
        (&bob, "kick", &alice, "M_FORBIDDEN"),
        (&bob, "ban", &alice, "M_FORBIDDEN"),
        (&bob, "unban", &dan, "M_FORBIDDEN"),
        (&bob, "invite", &carol, "M_FORBIDDEN"),
        (&alice, "invite", &alice, "M_FORBIDDEN"),
        (&alice, "invite", &bob, "M_FORBIDDEN"),
        (&alice, "invite", &dan, "M_FORBIDDEN"),
        (&alice, "kick", &carol, "M_FORBIDDEN"),
        (&alice, "kick", &dan, "M_FORBIDDEN"),
        (&alice, "unban", &bob, "M_BAD_STATE"),
    ] {
        let call = bed.ask(by, Method::POST, "/rooms/{}/{}", &[&room, action]);
        bed.without_effect(call.json(&json!({ "user_id": target.id }))).await.refused(403, errcode);
    }
}

/// Row 79 of the hostile input: a stranger cannot tell a private room from none.
#[tokio::test(start_paused = true)]
async fn row_79_strangers_hear_the_same_of_every_room() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let private = bed.room(&alice, json!({})).await;
    for action in ["invite", "kick", "ban", "unban", "leave"] {
        let refused = async |room: &str| {
            let call = bed.ask(&bob, Method::POST, "/rooms/{}/{}", &[room, action]);
            let call = call.json(&json!({ "user_id": alice.id }));
            bed.without_effect(call).await.refused(403, "M_FORBIDDEN")
        };
        assert_eq!(refused(&private).await, refused("!absent:plop.example").await, "{action}");
    }
    let forget = async |room: &str| {
        let call = bed.ask(&bob, Method::POST, "/rooms/{}/forget", &[room]);
        bed.without_effect(call).await.refused(403, "M_FORBIDDEN")
    };
    assert_eq!(forget(&private).await, forget("!absent:plop.example").await);
}

#[tokio::test(start_paused = true)]
async fn membership_requests_that_are_none_are_refused() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({})).await;
    let third_party = json!({
        "id_server": "id.example", "id_access_token": "t", "medium": "email", "address": "a@b.example",
    });
    let by_mail = bed.ask(&alice, Method::POST, "/rooms/{}/invite", &[&room]).json(&third_party);
    bed.without_effect(by_mail).await.refused(403, "M_THREEPID_DENIED");
    for action in ["invite", "kick", "ban", "unban"] {
        for (body, status, errcode) in [
            (String::new(), 400, "M_BAD_JSON"),
            ("{".to_owned(), 400, "M_NOT_JSON"),
            (r#"{"user_id":"bob"}"#.to_owned(), 400, "M_BAD_JSON"),
            (
                json!({ "user_id": format!("@{}:plop.example", "b".repeat(255)) }).to_string(),
                400,
                "M_BAD_JSON",
            ),
            (json!({ "user_id": bob.id, "reason": {} }).to_string(), 400, "M_BAD_JSON"),
        ] {
            let call = bed.ask(&alice, Method::POST, "/rooms/{}/{}", &[&room, action]).text(body);
            bed.without_effect(call).await.refused(status, errcode);
        }
        let call = bed.ask(&alice, Method::POST, "/rooms/{}/{}", &["room", action]);
        bed.without_effect(call.json(&json!({ "user_id": bob.id }))).await.refused(400, "M_INVALID_PARAM");
    }
    let long = json!({ "user_id": bob.id, "reason": "x".repeat(65_536) });
    let call = bed.ask(&alice, Method::POST, "/rooms/{}/invite", &[&room]).json(&long);
    bed.without_effect(call).await.refused(413, "M_TOO_LARGE");
    let remote = json!({ "user_id": "@x:elsewhere.example" });
    let call = bed.ask(&alice, Method::POST, "/rooms/{}/invite", &[&room]).json(&remote);
    bed.without_effect(call).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test(start_paused = true)]
async fn one_who_wants_no_invites_gets_none() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[]).await;
    let config = "/_matrix/client/v3/user/@bob:plop.example/account_data/m.invite_permission_config";
    bed.put(config).by(&bob).json(&json!({ "default_action": "block" })).await.ok();
    let invite = bed.ask(&alice, Method::POST, "/rooms/{}/invite", &[&room]);
    bed.without_effect(invite.json(&json!({ "user_id": bob.id }))).await.refused(403, "M_INVITE_BLOCKED");
    let member = bed.ask(&alice, Method::PUT, "/rooms/{}/state/m.room.member/{}", &[&room, bob.id.as_str()]);
    let member = member.json(&json!({ "membership": "invite" }));
    bed.without_effect(member).await.refused(403, "M_INVITE_BLOCKED");
    bed.join(&bob, &room).await.ok();
    bed.leave(&bob, &room).await.ok();
    bed.put(config).by(&bob).json(&json!({})).await.ok();
    bed.act_on(&alice, &room, "invite", &bob).await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_suspended_account_leaves_and_does_nothing_to_others() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    bed.suspend(&alice, true).await;
    for action in ["invite", "kick", "ban", "unban"] {
        let call = bed.ask(&alice, Method::POST, "/rooms/{}/{}", &[&room, action]);
        let call = call.json(&json!({ "user_id": bob.id }));
        bed.without_effect(call).await.refused(403, "M_USER_SUSPENDED");
    }
    bed.leave(&alice, &room).await.ok();
    bed.ask(&alice, Method::POST, "/rooms/{}/forget", &[&room]).await.ok();
}

#[tokio::test(start_paused = true)]
async fn only_a_room_that_was_left_is_forgotten() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({ "invite": [bob.id] })).await;
    let forget = |user: &User| bed.ask(user, Method::POST, "/rooms/{}/forget", &[&room]);
    bed.without_effect(forget(&alice)).await.refused(400, "M_UNKNOWN");
    bed.without_effect(forget(&bob)).await.refused(400, "M_UNKNOWN");
    bed.leave(&bob, &room).await.ok();
    assert_eq!(membership(&bed, &room, &alice).await, "join");
    bed.leave(&alice, &room).await.ok();
    for user in [&alice, &bob] {
        assert_eq!(forget(user).json(&json!({})).await.ok(), json!({}));
        bed.without_effect(forget(user)).await.ok();
        bed.ask(user, Method::GET, "/rooms/{}/state", &[&room]).await.refused(403, "M_FORBIDDEN");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_there_neither_bans_nor_is_kicked() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    // All the power, and not in the room.
    bed.set(&alice, &room, "m.room.power_levels", json!({ "users": { carol.id.as_str(): 100 } })).await;
    let ban = bed.ask(&carol, Method::POST, "/rooms/{}/ban", &[&room]);
    let body = json!({ "user_id": bob.id, "reason": "testing" });
    bed.without_effect(ban.json(&body)).await.refused(403, "M_FORBIDDEN");
    bed.leave(&bob, &room).await.ok();
    for absent in [&bob, &carol] {
        let kick = bed.ask(&alice, Method::POST, "/rooms/{}/kick", &[&room]);
        let body = json!({ "user_id": absent.id, "reason": "testing" });
        bed.without_effect(kick.json(&body)).await.refused(403, "M_FORBIDDEN");
    }
}

#[tokio::test(start_paused = true)]
async fn who_forgot_a_room_comes_back_by_a_new_invite_only_and_reads_what_was_before() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({ "preset": "private_chat", "invite": [bob.id] })).await;
    // What is state by its type may be sent as a message.
    bed.send(&alice, &room, "m.room.join_rules", "1", json!({ "join_rule": "invite" })).await;
    bed.join(&bob, &room).await.ok();
    let before = bed.say(&alice, &room, "before").await;
    bed.leave(&bob, &room).await.ok();
    bed.ask(&bob, Method::POST, "/rooms/{}/forget", &[&room]).json(&json!({})).await.ok();
    bed.join(&bob, &room).await.refused(403, "M_FORBIDDEN");
    bed.act_on(&alice, &room, "invite", &bob).await.ok();
    bed.join(&bob, &room).await.ok();
    let page = async |limit: u8| {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit={limit}");
        bed.get(&path).by(&bob).await.ok()["chunk"].as_array().expect("a list").clone()
    };
    assert!(page(100).await.iter().any(|event| event["event_id"] == before.as_str()));
    let after = bed.say(&alice, &room, "after").await;
    assert_eq!(page(1).await[0]["event_id"], after.as_str());
}

#[tokio::test(start_paused = true)]
async fn who_made_a_room_is_invited_to_it_again() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    for version in ["11", "12"] {
        let room = bed.room(&alice, json!({ "room_version": version, "invite": [bob.id] })).await;
        bed.join(&bob, &room).await.ok();
        let mut users = json!({ bob.id.as_str(): 100 });
        if version == "11" {
            users[alice.id.as_str()] = json!(100);
        }
        bed.set(&alice, &room, "m.room.power_levels", json!({ "invite": 100, "users": users })).await;
        bed.leave(&alice, &room).await.ok();
        bed.act_on(&bob, &room, "invite", &alice).await.ok();
        let synced = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
        assert!(synced["rooms"]["invite"].get(&room).is_some(), "{synced}");
        bed.join(&alice, &room).await.ok();
        assert_eq!(membership(&bed, &room, &alice).await, "join");
    }
}
