//! Guests: how they come, what they do in rooms, how they become users.

use http::Method;
use plop_base::buckets::Rate;
use serde_json::{Value, json};

use crate::bed::{Bed, PASSWORD, User, admit_guests};
use crate::call::Call;
use crate::chat::text;

const REGISTER: &str = "/_matrix/client/v3/register";
const AS_GUEST: &str = "/_matrix/client/v3/register?kind=guest";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
const GUEST: &str = "M_GUEST_ACCESS_FORBIDDEN";
const DAY: u64 = 24 * 60 * 60;

impl Bed {
    /// Sets whether a room admits guests.
    async fn guest_access(&self, by: &User, room: &str, access: &str) {
        self.set(by, room, "m.room.guest_access", json!({ "guest_access": access })).await;
    }

    fn enter(&self, user: &User, room: &str) -> Call {
        self.ask(user, Method::POST, "/rooms/{}/join", &[room])
    }

    fn speak(&self, user: &User, room: &str, transaction: &str) -> Call {
        let call = self.ask(user, Method::PUT, "/rooms/{}/send/m.room.message/{}", &[room, transaction]);
        call.json(&json!({ "msgtype": "m.text", "body": "Hello" }))
    }
}

/// A request of a guest to become a user, which proves what open registration asks for.
fn upgrade(guest: &User, username: &str) -> Value {
    json!({
        "username": username, "password": PASSWORD, "guest_access_token": guest.token,
        "auth": { "type": "m.login.dummy" },
    })
}

#[tokio::test(start_paused = true)]
async fn a_guest_gets_an_account_of_which_nothing_is_chosen() {
    let bed = Bed::with(admit_guests).await;
    let body = json!({
        "username": "root", "password": 5, "device_id": "MINE", "inhibit_login": true, "refresh_token": true,
        "auth": { "type": "m.login.dummy", "session": "x" }, "initial_device_display_name": "Kiosk",
    });
    let guest = bed.post(AS_GUEST).json(&body).await.ok();
    let keys: Vec<_> = guest.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["access_token", "device_id", "user_id"], "{guest}");
    assert!(guest["user_id"] != "@root:plop.example" && guest["device_id"] != "MINE", "{guest}");
    let token = text(&guest["access_token"]);
    let whoami = bed.get(WHOAMI).token(&token).await.ok();
    let (user, device) = (guest["user_id"].clone(), text(&guest["device_id"]));
    assert_eq!(whoami, json!({ "user_id": user, "device_id": device, "is_guest": true }));
    let device = bed.get(&format!("/_matrix/client/v3/devices/{device}")).token(&token).await.ok();
    assert_eq!(device["display_name"], "Kiosk");

    let other = bed.post(AS_GUEST).await.ok();
    assert_ne!(other["user_id"], user, "without a body, too");
    let wrong = json!({ "initial_device_display_name": 5 });
    bed.post(AS_GUEST).json(&wrong).await.refused(400, "M_BAD_JSON");
    let password = json!({ "type": "m.login.password", "user": user, "password": "" });
    bed.post("/_matrix/client/v3/login").json(&password).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test(start_paused = true)]
async fn guests_come_at_a_limited_rate() {
    let bed = Bed::with(|choices| {
        admit_guests(choices);
        choices.parameters.guests.limits.address =
            Rate { burst: 2, interval: std::time::Duration::from_secs(60) };
    })
    .await;
    for _ in 0..2 {
        bed.post(AS_GUEST).await.ok();
    }
    bed.post(AS_GUEST).await.refused(429, "M_LIMIT_EXCEEDED");
    bed.post(AS_GUEST).from("198.51.100.7").await.ok();
    bed.pass(60).await;
    bed.post(AS_GUEST).await.ok();
}

#[tokio::test(start_paused = true)]
async fn of_the_profile_guests_change_the_display_name() {
    let bed = Bed::with(admit_guests).await;
    let guest = bed.guest().await;
    let field = |method, name| bed.ask(&guest, method, "/profile/{}/{}", &[guest.id.as_str(), name]);
    field(Method::PUT, "displayname").json(&json!({ "displayname": "Visitor" })).await.ok();
    field(Method::DELETE, "displayname").await.ok();
    field(Method::PUT, "displayname").json(&json!({ "displayname": "Visitor" })).await.ok();
    let picture = json!({ "avatar_url": "mxc://plop.example/a" });
    field(Method::PUT, "avatar_url").json(&picture).await.refused(403, GUEST);
    field(Method::DELETE, "avatar_url").await.refused(403, GUEST);
    field(Method::PUT, "m.tz").json(&json!({ "m.tz": "UTC" })).await.refused(403, GUEST);

    let [alice] = bed.users(["alice"]).await;
    let room = bed.public_room(&alice, &[]).await;
    bed.guest_access(&alice, &room, "can_join").await;
    bed.enter(&guest, &room).await.ok();
    let member = bed.state(&alice, &room, "m.room.member", guest.id.as_str()).await;
    assert_eq!(member["displayname"], "Visitor");
    let search = bed.ask(&alice, Method::POST, "/user_directory/search", &[]);
    let found = search.json(&json!({ "search_term": "visitor" })).await.ok();
    assert_eq!(found["results"], json!([]), "guests are not in the directory");
}

/// `m.room.guest_access`: who may enter, by an invitation too, and who has to go.
#[tokio::test(start_paused = true)]
async fn guests_are_in_rooms_that_admit_them() {
    let bed = Bed::with(admit_guests).await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let (guest, other) = (bed.guest().await, bed.guest().await);
    let room = bed.public_room(&alice, &[&bob]).await;
    bed.act_on(&alice, &room, "invite", &other).await.ok();
    for guest in [&guest, &other] {
        bed.enter(guest, &room).await.refused(403, GUEST);
    }
    bed.guest_access(&alice, &room, "can_join").await;
    for guest in [&guest, &other] {
        bed.enter(guest, &room).await.ok();
    }
    bed.speak(&guest, &room, "1").await.ok();
    // What they may do in it is a matter of their power.
    let state = bed.ask(&guest, Method::PUT, "/rooms/{}/state/m.room.topic", &[&room]);
    state.json(&json!({ "topic": "x" })).await.refused(403, "M_FORBIDDEN");
    bed.leave(&other, &room).await.ok();
    let sync = bed.ask(&guest, Method::GET, "/sync", &[]).await.ok();
    assert!(sync["rooms"]["join"][&room].is_object());
    bed.ask(&guest, Method::GET, "/rooms/{}/messages?dir=b", &[&room]).await.ok();

    bed.guest_access(&alice, &room, "forbidden").await;
    bed.speak(&guest, &room, "2").await.refused(403, GUEST);
    let bed = bed.restarted().await;
    bed.api.rooms.dismiss_guests().await.expect("done");
    let membership = async |user: &User| {
        bed.state(&alice, &room, "m.room.member", user.id.as_str()).await["membership"].clone()
    };
    assert_eq!((membership(&guest).await, membership(&bob).await), (json!("leave"), json!("join")));
    bed.speak(&guest, &room, "3").await.refused(403, "M_FORBIDDEN");
    bed.enter(&guest, &room).await.refused(403, GUEST);
    bed.say(&bob, &room, "still here").await;

    // Once they may enter again, nobody has to go.
    bed.guest_access(&alice, &room, "can_join").await;
    bed.enter(&guest, &room).await.ok();
    bed.guest_access(&alice, &room, "forbidden").await;
    bed.guest_access(&alice, &room, "can_join").await;
    bed.api.rooms.dismiss_guests().await.expect("done");
    assert_eq!(membership(&guest).await, "join");
}

#[tokio::test(start_paused = true)]
async fn a_guest_becomes_a_user_and_keeps_everything() {
    let bed = Bed::with(admit_guests).await;
    let [alice] = bed.users(["alice"]).await;
    let (guest, other) = (bed.guest().await, bed.guest().await);
    let room = bed.public_room(&alice, &[]).await;
    bed.guest_access(&alice, &room, "can_join").await;
    bed.enter(&guest, &room).await.ok();

    let name = guest.id.localpart();
    bed.post(REGISTER).json(&json!({ "username": name })).await.refused(400, "M_USER_IN_USE");
    for (guest, name) in [(&guest, other.id.localpart()), (&guest, "free"), (&alice, "alice")] {
        bed.post(REGISTER).json(&upgrade(guest, name)).await.refused(403, "M_FORBIDDEN");
    }
    let mut unnamed = upgrade(&guest, name);
    unnamed.as_object_mut().expect("an object").remove("username");
    bed.post(REGISTER).json(&unnamed).await.refused(403, "M_FORBIDDEN");
    let mut unproven = upgrade(&guest, name);
    unproven.as_object_mut().expect("an object").remove("auth");
    bed.post(REGISTER).json(&unproven).await.challenged();
    bed.get(WHOAMI).by(&guest).await.ok();

    let login = bed.post(REGISTER).json(&upgrade(&guest, name)).await.ok();
    assert_eq!(login["user_id"], guest.id.as_str());
    let token = text(&login["access_token"]);
    for token in [&token, &guest.token] {
        assert_eq!(bed.get(WHOAMI).token(token).await.ok()["is_guest"], json!(null), "no guest any more");
        bed.post("/_matrix/client/v3/createRoom").token(token).json(&json!({})).await.ok();
    }
    bed.post(REGISTER).json(&upgrade(&guest, name)).await.refused(403, "M_FORBIDDEN");
    let password = json!({ "type": "m.login.password", "user": name, "password": PASSWORD });
    bed.post("/_matrix/client/v3/login").json(&password).await.ok();
    let search = bed.ask(&alice, Method::POST, "/user_directory/search", &[]);
    let found = search.json(&json!({ "search_term": name })).await.ok();
    assert_eq!(found["results"][0]["user_id"], guest.id.as_str());

    // A member like others, who neither goes with the guests nor ends like one.
    bed.guest_access(&alice, &room, "forbidden").await;
    bed.api.rooms.dismiss_guests().await.expect("done");
    bed.pass(60 * DAY).await;
    bed.api.accounts.sweep_guests().await.expect("swept");
    bed.speak(&guest, &room, "1").await.ok();
}

#[tokio::test(start_paused = true)]
async fn the_account_of_a_guest_who_stays_away_ends() {
    let bed = Bed::with(admit_guests).await;
    let [alice] = bed.users(["alice"]).await;
    let (guest, busy) = (bed.guest().await, bed.guest().await);
    let room = bed.public_room(&alice, &[]).await;
    bed.guest_access(&alice, &room, "can_join").await;
    bed.enter(&guest, &room).await.ok();
    for _ in 0..4 {
        bed.pass(10 * DAY).await;
        bed.get(WHOAMI).by(&busy).await.ok();
        bed.api.accounts.sweep_guests().await.expect("swept");
    }
    bed.get(WHOAMI).by(&guest).await.refused(401, "M_UNKNOWN_TOKEN");
    bed.get(WHOAMI).by(&busy).await.ok();
    bed.upkeep().catch_up().await.expect("done");
    let member = bed.state(&alice, &room, "m.room.member", guest.id.as_str()).await;
    assert_eq!(member["membership"], "leave");
    bed.pass(31 * DAY).await;
    bed.api.accounts.sweep_guests().await.expect("swept");
    bed.get(WHOAMI).by(&busy).await.refused(401, "M_UNKNOWN_TOKEN");
}

/// Row 125 of the hostile input: what takes no guests takes none, whichever way they ask.
#[tokio::test(start_paused = true)]
async fn b8_125_a_guest_makes_no_rooms_uploads_and_addresses() {
    let bed = Bed::with(admit_guests).await;
    let guest = bed.guest().await;
    for (method, path) in [
        (Method::POST, "/createRoom"),
        (Method::POST, "/join/%23a:plop.example"),
        (Method::POST, "/account/3pid/add"),
        (Method::POST, "/account/password"),
        (Method::POST, "/account/deactivate"),
        (Method::POST, "/publicRooms"),
        (Method::POST, "/user_directory/search"),
        (Method::POST, "/logout"),
        (Method::GET, "/pushrules/"),
    ] {
        let call = bed.call(method, &format!("/_matrix/client/v3{path}")).by(&guest);
        bed.without_effect(call.text("{}")).await.refused(403, GUEST);
    }
    let upload = bed.post("/_matrix/media/v3/upload").by(&guest).text("x");
    bed.without_effect(upload).await.refused(403, GUEST);
    let former = bed.post(&format!("/_matrix/client/r0/createRoom?access_token={}", guest.token));
    former.text("{}").await.refused(403, GUEST);
}
