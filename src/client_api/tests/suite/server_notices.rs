//! What administrators tell users.

use http::Method;
use plop_accounts::moderation::Decision;
use plop_accounts::profile::MemberProfile;
use plop_base::Actor;
use plop_moderation::notices::NoticeSettings;
use ruma::{OwnedUserId, RoomVersionId};
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::text;

const SEND: &str = "/_synapse/admin/v1/send_server_notice";
const NO_WAY_OUT: &str = "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM";

/// A server that `localpart` speaks for.
async fn server(localpart: &str) -> Bed {
    let user = OwnedUserId::try_from(format!("@{localpart}:plop.example")).expect("a user id");
    let profile = MemberProfile { displayname: Some("The server".to_owned()), avatar_url: None };
    let (room_name, room_avatar_url) = ("Notices".to_owned(), Some("mxc://plop.example/bell".to_owned()));
    let room_version = RoomVersionId::V12;
    let settings = NoticeSettings { user, profile, room_name, room_avatar_url, room_version };
    Bed::with(|choices| choices.notices = Some(settings)).await
}

async fn admin(bed: &Bed, name: &str) -> User {
    let [user] = bed.users([name]).await;
    bed.api.accounts.decide(&Actor::Server, &user.id, Decision::Admin(true)).await.expect("an administrator");
    user
}

fn notice(to: &User, body: &str) -> Value {
    json!({ "user_id": to.id, "content": { "msgtype": "m.text", "body": body } })
}

impl Bed {
    async fn synced(&self, user: &User) -> Value {
        self.ask(user, Method::GET, "/sync", &[]).await.ok()
    }

    /// The one room that a user is invited to.
    async fn invitation(&self, user: &User) -> String {
        let sync = self.synced(user).await;
        let invited: Vec<_> = sync["rooms"]["invite"].as_object().expect("invites").keys().cloned().collect();
        assert_eq!(invited.len(), 1, "{sync}");
        invited[0].clone()
    }

    fn reject(&self, user: &User, room: &str) -> [Call; 2] {
        let state =
            self.ask(user, Method::PUT, "/rooms/{}/state/m.room.member/{}", &[room, user.id.as_str()]);
        let leave = self.ask(user, Method::POST, "/rooms/{}/leave", &[room]);
        [leave, state.json(&json!({ "membership": "leave" }))]
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_user_who_sends_them_there_are_no_notices() {
    let bed = Bed::new().await;
    let (root, [bob]) = (admin(&bed, "boss").await, bed.users(["bob"]).await);
    bed.post(SEND).by(&root).json(&notice(&bob, "x")).await.refused(404, "M_UNRECOGNIZED");
}

#[tokio::test(start_paused = true)]
async fn a_user_is_invited_to_a_room_of_notices_and_reads_them_there() {
    let bed = server("server").await;
    let (root, [bob]) = (admin(&bed, "boss").await, bed.users(["bob"]).await);
    let event = text(&bed.post(SEND).by(&root).json(&notice(&bob, "first")).await.ok()["event_id"]);
    let room = bed.invitation(&bob).await;
    let invite = bed.synced(&bob).await["rooms"]["invite"][&room]["invite_state"]["events"].clone();
    assert_eq!(invite[0]["sender"], "@server:plop.example", "which clients look for there");
    let shown =
        |kind: &str| invite.as_array().expect("events").iter().find(|event| event["type"] == kind).cloned();
    assert_eq!(shown("m.room.name").expect("a name")["content"]["name"], "Notices");
    assert_eq!(shown("m.room.avatar").expect("a picture")["content"]["url"], "mxc://plop.example/bell");

    for rejection in bed.reject(&bob, &room) {
        bed.without_effect(rejection).await.refused(403, NO_WAY_OUT);
    }
    bed.join(&bob, &room).await.ok();
    let sync = bed.synced(&bob).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(joined["account_data"]["events"][0]["content"]["tags"], json!({ "m.server_notice": {} }));
    let timeline = joined["timeline"]["events"].as_array().expect("events");
    let told = timeline.iter().find(|told| told["event_id"] == event.as_str()).expect("the notice");
    assert_eq!(
        (&told["sender"], &told["content"]["body"]),
        (&json!("@server:plop.example"), &json!("first"))
    );
    let sender = bed.state(&bob, &room, "m.room.member", "@server:plop.example").await;
    assert_eq!(sender["displayname"], "The server");
    let answer = bed.ask(&bob, Method::PUT, "/rooms/{}/send/m.room.message/1", &[&room]);
    answer.json(&json!({ "msgtype": "m.text", "body": "Why?" })).await.refused(403, "M_FORBIDDEN");

    // Who was in it may go, and comes back with the next one, to the same room, after a restart, too.
    bed.leave(&bob, &room).await.ok();
    let bed = bed.restarted().await;
    bed.post(SEND).by(&root).json(&notice(&bob, "second")).await.ok();
    assert_eq!(bed.invitation(&bob).await, room);
    // An account that ends leaves all the same.
    plop_bed::deactivate(&bed.api.accounts, &bob.actor(), false).await.expect("an end");
    bed.upkeep().catch_up().await.expect("done");
    let view =
        bed.api.rooms.view_by_id(<&ruma::RoomId>::try_from(&*room).expect("an id")).await.expect("a room");
    assert_eq!(view.members.membership(&bob.id), plop_rooms::schema::Membership::Leave);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_tells_nothing_twice() {
    let bed = server("notices").await;
    let (root, other) = (admin(&bed, "boss").await, admin(&bed, "other").await);
    let [bob, carol] = bed.users(["bob", "carol"]).await;
    let told = async |admin: &User, to: &User, transaction: &str| {
        let call = bed.put(&format!("{SEND}/{transaction}")).by(admin).json(&notice(to, "x"));
        text(&call.await.ok()["event_id"])
    };
    let first = told(&root, &bob, "1").await;
    let (again, at_once) = tokio::join!(told(&root, &bob, "1"), told(&root, &bob, "1"));
    assert_eq!((&again, &at_once), (&first, &first));
    let (one, same) = tokio::join!(told(&root, &bob, "2"), told(&root, &bob, "2"));
    assert!(one == same && one != first);
    assert_ne!(told(&other, &bob, "1").await, first, "of another administrator");
    assert_ne!(told(&root, &carol, "1").await, first, "to another user");
    assert_ne!(bed.invitation(&bob).await, bed.invitation(&carol).await);
}

#[tokio::test(start_paused = true)]
async fn notices_are_for_users_of_this_server_by_its_administrators() {
    let bed = server("server").await;
    let (root, [bob]) = (admin(&bed, "boss").await, bed.users(["bob"]).await);
    bed.post(SEND).by(&root).json(&notice(&bob, "x")).await.ok();
    let to = |user: &str| json!({ "user_id": user, "content": { "msgtype": "m.text", "body": "x" } });
    for (body, status, errcode) in [
        (to("@a:elsewhere.example"), 400, "M_INVALID_PARAM"),
        (to("bob"), 400, "M_INVALID_PARAM"),
        (to("@nobody:plop.example"), 404, "M_NOT_FOUND"),
        (to("@server:plop.example"), 404, "M_NOT_FOUND"),
        (json!({ "user_id": bob.id }), 400, "M_MISSING_PARAM"),
        (json!({ "content": {} }), 400, "M_MISSING_PARAM"),
        (json!({ "user_id": bob.id, "content": "x" }), 400, "M_BAD_JSON"),
        (json!({ "user_id": bob.id, "content": {}, "type": 5 }), 400, "M_BAD_JSON"),
    ] {
        bed.without_effect(bed.post(SEND).by(&root).json(&body)).await.refused(status, errcode);
    }
    bed.without_effect(bed.post(SEND).by(&bob).json(&notice(&bob, "x"))).await.refused(403, "M_FORBIDDEN");
    bed.without_effect(bed.post(SEND).by(&bob)).await.refused(403, "M_FORBIDDEN");
    let login = json!({ "type": "m.login.password", "user": "server", "password": "" });
    bed.post("/_matrix/client/v3/login").json(&login).await.refused(403, "M_FORBIDDEN");
}

/// Nobody's account is taken for the server's.
#[tokio::test(start_paused = true)]
async fn the_server_does_not_speak_in_the_name_of_somebody() {
    let bed = server("bob").await;
    let (root, [bob]) = (admin(&bed, "boss").await, bed.users(["bob"]).await);
    let refused = bed.without_effect(bed.post(SEND).by(&root).json(&notice(&root, "x"))).await;
    refused.refused(500, "M_UNKNOWN");
    bed.post("/_matrix/client/v3/createRoom").by(&bob).json(&json!({})).await.ok();
}
